"""Results as inline SVG: the plane of content and style, and curves of an option.

It has the colour and the font of the text around it, so that it is readable in light and dark.
"""

import io
import itertools
import re
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thirdstream.report.results import Results, Score
from thirdstream.shown import shown

WIDTH, PLANE_HEIGHT, CURVES_HEIGHT = 560, 400, 328  # SVG units, which are points
MARGINS = {"left": 56 / WIDTH, "right": 1 - 24 / WIDTH}
LABEL_WIDTH, LABEL_HEIGHT, POINT_HEIGHT = 170, 16, 14
INK = "#010203"  # stands for the colour of the text around the picture
COLOURS = (
    "#1f77d0", "#c2571a", "#2f8f57", "#a14fa6", "#9a7a22", "#c4436f", "#1e8c95", "#7a6bd8",
)  # fmt: skip
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "thirdstream", "text.parse_math": False,
    "font.size": 13, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "lines.linewidth": 1.5, "legend.frameon": False,
}  # fmt: skip
LEAD = {"arrowstyle": "-", "color": INK, "alpha": 0.4}  # from a point to its name
CURVES = {  # metrics from 0 to 1: what each is called, its colour and its dashes
    "chroma_cosine": ("content: chroma cosine", COLOURS[0], "-"),
    "melody_recall": ("content: melody recall", COLOURS[0], "--"),
    "target_tag": ("style: target tag", COLOURS[1], "-"),
    "target_style_rate": ("style: target-style classification rate", COLOURS[1], "--"),
}


# --- the plane of content and style ---------------------------------------------------------------


class Point(NamedTuple):
    """A system in the plane."""

    name: str
    content: Score
    style: Score
    is_baseline: bool


@rc_context(STYLE)
def plane(results: Results, direction: str) -> Markup:
    """Content (chroma cosine) against style (tag difference) of a direction, with intervals.

    Baselines are squares without colour. Systems with options set have curves of their own.
    """
    points = [
        Point(name, one["chroma_cosine"], one["tag_difference"],
              results.systems[name].kind == "baseline")
        for name, one in results.of(direction).items()
        if {"chroma_cosine", "tag_difference"} <= one.keys() and not results.systems[name].options
    ]  # fmt: skip
    if not points:
        return Markup("<p>The plane of content against style needs the tagger.</p>")
    figure, axes = _axes(PLANE_HEIGHT, bottom=56, top=24)
    axes.set(xlim=(0, 1), ylim=(-1, 1), xticks=(0, 0.5, 1), yticks=(-1, 0, 1))
    axes.set(xlabel="content: chroma cosine", ylabel="style: target tag less source tag")
    axes.axhline(0, color=INK, ls="--", lw=0.8, alpha=0.5)
    colours = itertools.cycle(COLOURS)
    for point in points:
        _draw_point(axes, point, INK if point.is_baseline else next(colours))
    _name_points(axes, points)
    said = "; ".join(f"{p.name}: {p.content.mean:.2f}, {p.style.mean:.2f}" for p in points)
    return svg(figure, f"Chroma cosine and tag difference. {said}")


def _draw_point(axes: Axes, point: Point, colour: str) -> None:
    x, y = _drawable(point.content.mean), _drawable(point.style.mean)
    axes.plot(_drawable(point.content.low, point.content.high), (y, y), color=colour)
    axes.plot((x, x), _drawable(point.style.low, point.style.high), color=colour)
    axes.plot(x, y, "s" if point.is_baseline else "o", color=colour, ms=10, clip_on=False)


def _drawable(*values: float | None) -> list[float]:
    """Values of foreign results, none far outside of the axes."""
    return np.clip(np.array(values, dtype=float), -2, 2).tolist()


def _name_points(axes: Axes, points: Sequence[Point]) -> None:
    """To the side of each where there is room, with a line to the name that had to go elsewhere."""
    content = _drawable(*(point.content.mean for point in points))
    at = list(zip(content, _drawable(*(point.style.mean for point in points)), strict=True))
    places = axes.transData.transform(at) * (1, -1) + (0, PLANE_HEIGHT)  # from the top
    heights = label_heights([(x, y) for x, y in places])
    for point, one, (x, y), height in zip(points, at, places, heights, strict=True):
        away = -1 if x > WIDTH / 2 else 1
        is_moved = abs(height - y) >= LABEL_HEIGHT / 2
        axes.annotate(
            shown(point.name), one, (11 * away, y - height), textcoords="offset points",
            ha="right" if away < 0 else "left", va="center", annotation_clip=False,
            arrowprops=LEAD | {"relpos": (float(away < 0), 0.5)} if is_moved else None,
        )  # fmt: skip


def label_heights(points: Sequence[tuple[float, float]]) -> list[float]:
    """Where the names of points (x, y) go so that none covers another or a point: y or below."""
    heights = [0.0] * len(points)
    placed: list[tuple[float, float]] = []
    for which in sorted(range(len(points)), key=lambda one: points[one][1]):
        x, y = points[which]
        in_the_way = [(at, LABEL_HEIGHT) for to, at in placed if _meet(x, to)]
        in_the_way += [(at, POINT_HEIGHT) for to, at in points if _beside(x, to)]
        for at, needed in sorted(in_the_way):  # from the top down
            if abs(y - at) < needed:
                y = at + needed
        heights[which] = y
        placed.append((x, y))
    return heights


def _meet(x: float, other: float) -> bool:
    """Whether names of points at these places, at one height, may cover each other."""
    (left, right), (other_left, other_right) = _span(x), _span(other)
    return left < other_right and other_left < right


def _span(x: float) -> tuple[float, float]:
    """From where to where the name of a point may go: towards the middle."""
    return (x - LABEL_WIDTH, x) if x > WIDTH / 2 else (x, x + LABEL_WIDTH)


def _beside(x: float, other: float) -> bool:
    """Whether a point at `other` lies where the name of one at `x` may be."""
    left, right = _span(x)
    return left < other < right and abs(x - other) > 5


# --- curves of an option --------------------------------------------------------------------------

Series = dict[float, Mapping[str, Score]]  # scores by the value of an option


def series(results: Results, direction: str) -> dict[tuple[str, str], Series]:
    """(model, option) -> its scores by the option's value, in order, where there are two or more.

    Of models of which this option alone was set.
    """
    found: dict[tuple[str, str], Series] = defaultdict(dict)
    for name, scores in results.of(direction).items():
        about = results.systems[name]
        if len(about.options) == 1 and about.model is not None:
            ((option, value),) = about.options.items()
            found[about.model, option][value] = scores
    return {key: dict(sorted(one.items())) for key, one in found.items() if len(one) > 1}


def curves(results: Results, direction: str) -> dict[str, Markup]:
    """Content and style by the value of an option, one picture a model and option, by its title."""
    return {
        f"{model}, {option.replace('_', ' ')}": _curves(scores, model, option)
        for (model, option), scores in series(results, direction).items()
    }


@rc_context(STYLE)
def _curves(scores: Series, model: str, option: str) -> Markup:
    figure, axes = _axes(CURVES_HEIGHT, bottom=56, top=48)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.set(xlabel=shown(option.replace("_", " ")), ylabel="mean score")
    said = []
    for metric, (label, colour, dashes) in CURVES.items():
        known = {at: one[metric] for at, one in scores.items() if metric in one}
        if known:
            places, means = _drawable(*known), [score.mean for score in known.values()]
            axes.plot(places, _drawable(*means), dashes, color=colour, label=label)
            low = _drawable(*(score.low for score in known.values()))
            high = _drawable(*(score.high for score in known.values()))
            axes.vlines(places, low, high, color=colour, alpha=0.4)
            said.append(f"{label} {', '.join(f'{mean:.2f}' for mean in means)}")
    if said:
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1), fontsize=11)
    return svg(figure, f"{model}, {option}: {'; '.join(said)}")


# --- SVG ------------------------------------------------------------------------------------------


def _axes(height: float, *, bottom: float, top: float) -> tuple[Figure, Axes]:
    """Of a figure WIDTH by `height`; margins in SVG units."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_subplot()
    figure.subplots_adjust(**MARGINS, bottom=bottom / height, top=1 - top / height)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    return figure, axes


def svg(figure: Figure, label: str) -> Markup:
    """A figure as an element of a page, which is read out as `label`."""
    drawn = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fonts here may lack signs that those of a reader have
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    inside = drawn.getvalue().partition("<svg")[2].partition(">")[2]
    inside = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", inside, flags=re.DOTALL)
    inside = re.sub(r'(?<=<g) id="[^"]*"|font-family: [^;]*; ', "", inside)
    inside = inside.replace("xlink:href", "href")
    inside = inside.replace(INK, "currentColor")
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    opening = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return opening.format(width, height, shown(label)) + Markup(inside)
