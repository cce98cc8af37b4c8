"""Results as one page that opens offline: table, plane of content against style, players.

A pure function of results.json and of the excerpts that `evaluate` keeps beside it: the same files
give the same page. Nothing is fetched: pictures are inline SVG and PNG, sounds are data URIs.
"""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.image import imsave

from thirdstream import audio
from thirdstream.evaluation import work_of
from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.mel.features.logmel import LogMel
from thirdstream.report import curves
from thirdstream.report.results import read_results
from thirdstream.shown import in_html, in_markdown

MAX_BYTES = 20_000_000
MEL_SIZE = (96, 400)  # pixels: mels, frames
MEL_RANGE_DB = 80.0
WIDTH, HEIGHT, MARGIN = 560, 400, 56  # of the plane, in SVG units
LABEL_WIDTH, LABEL_HEIGHT, POINT_HEIGHT = 170, 16, 14
COLOURS = ("#1f5fa8", "#c2571a", "#2f7d4f", "#8a3b8f", "#8c6d1f", "#b03060")
TABLE_GROUPS = ("content", "style", "sets", "sound", "cost")
DIGITS = 3

Results = Mapping[str, Any]


def write(results_path: Path, out: Path) -> None:
    """Read results and write the page, or its tables alone to an .md file, whole or not at all.

    Raises ThirdstreamError if `out` has another ending, if the results are not readable or of
    another version, if an excerpt is missing, or if the page would exceed 20 MB.
    """
    if out.suffix.lower() not in (".html", ".htm", ".md"):
        raise ThirdstreamError(f"{out}: cannot write '{out.suffix}'; end the name in .html or .md")
    results = read_results(results_path)
    markdown = out.suffix.lower() == ".md"
    text = tables(results) if markdown else page(results, work_of(results_path))
    data = text.encode(errors="backslashreplace")  # names of files need not be text
    n_bytes = len(data)
    if n_bytes > MAX_BYTES:
        raise ThirdstreamError(
            f"{out}: would have {n_bytes / 1e6:.0f} MB, more than {MAX_BYTES / 1e6:.0f}; "
            "run `thirdstream evaluate` with fewer --examples"
        )
    with whole_file(out) as temporary:
        temporary.write_bytes(data)


def page(results: Results, work: Path) -> str:
    """The whole page as HTML. Raises ThirdstreamError if an excerpt in `work` is missing."""
    directions = list(next(iter(results["scores"].values())))
    style = (resources("thirdstream.report") / "report.css").read_text(encoding="utf-8")
    parts = [
        f"<h1>{in_html(' and '.join(results['styles']))}: results</h1>",
        _summary(results),
        *(_direction(results, direction) for direction in directions),
        _examples(results, work),
        _notes(results),
    ]
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>thirdstream: results</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        "<a class='skip' href='#main'>Skip to the results</a>\n<main id='main'>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _summary(results: Results) -> str:
    counts = ", ".join(
        f"{sum(one['style'] == style for one in results['recordings'])} of {in_html(style)}"
        for style in results["styles"]
    )
    text = (
        f"<p>Test recordings: {counts}; {results['settings']['excerpt_s']:g} s from the middle of "
        "each. Means over recordings, with 95&nbsp;% intervals in brackets (bootstrap; of the "
        "accepted share Wilson's). "
        "<em>copy-content</em>, <em>copy-target</em> and <em>resynthesis</em> are corners: they "
        "show what no change, no content, and the synthesis alone would score. "
        "<em>true-target</em>, where it is known, is the same piece in the other style.</p>"
    )
    left_out = results["left_out"]
    for reason in sorted(set(left_out.values())):
        names = ", ".join(name for name, why in left_out.items() if why == reason)
        text += f"<p class='warning'>Left out: {in_html(names)} ({in_html(reason)}).</p>"
    return text


# --- one direction ------------------------------------------------------------------------------


def _title(direction: str) -> str:
    return in_html(direction.replace("_to_", " to "))


def _direction(results: Results, direction: str) -> str:
    title = _title(direction)
    drawn = [plane(results, direction), curves.drawn(results, direction)]
    return "\n".join([f"<h2>{title}</h2>", *drawn, table(results, direction)])


def table(results: Results, direction: str) -> str:
    """Systems by metrics, one table a group of metrics, as HTML that scrolls by itself."""
    scores = {name: one[direction] for name, one in results["scores"].items() if direction in one}
    target = direction.split("_to_")[1]
    parts = []
    for group in TABLE_GROUPS:
        names = _present(results["metrics"], scores, group)
        if names:
            rows = "".join(_row(system, one, names) for system, one in scores.items())
            floor = _floor(results["floors"].get(target, {}), names)
            label = f"{_title(direction)}: {group}"
            parts.append(
                f"<div class='scroll' tabindex='0' role='region' aria-label='{label}'><table>"
                f"<caption>{label.capitalize()}</caption><thead><tr><th scope='col'>system</th>"
                + "".join(_heading(name, results["metrics"][name]) for name in names)
                + f"</tr></thead><tbody>{rows}{floor}</tbody></table></div>"
            )
    return "\n".join(parts)


def _present(metrics: Results, scores: Mapping[str, Any], group: str) -> list[str]:
    """The metrics of a group that any system has."""
    return [
        name
        for name, metric in metrics.items()
        if metric["group"] == group and any(name in one for one in scores.values())
    ]


def _heading(name: str, metric: Mapping[str, str]) -> str:
    arrow = {"higher": " &uarr;", "lower": " &darr;"}.get(metric["better"], "")
    about = in_html(metric["about"])
    return f"<th scope='col'>{in_html(name.replace('_', ' '))}{arrow}<small>{about}</small></th>"


def _row(system: str, scores: Mapping[str, Any], names: Sequence[str]) -> str:
    cells = "".join(f"<td>{_cell(scores[name]) if name in scores else ''}</td>" for name in names)
    return f"<tr><th scope='row'>{in_html(system)}</th>{cells}</tr>"


def _cell(score: Mapping[str, float]) -> str:
    mean, _, interval = _plain(score).partition(" ")
    return f"{mean} <small>{interval}</small>" if interval else mean


def tables(results: Results) -> str:
    """The tables as Markdown."""
    settings = results["settings"]
    parts = ["# Results: " + in_markdown(" and ".join(results["styles"]))]
    counts = Counter(one["style"] for one in results["recordings"])
    tests = ", ".join(f"{n} of {in_markdown(style)}" for style, n in counts.items())
    parts.append(
        f"{in_markdown(results['corpus'])}, test recordings: {tests}; "
        f"{settings['excerpt_s']:g} s from the middle of each; seed {settings['seed']}. "
        "Means over recordings, with 95 % intervals in "
        "brackets (bootstrap; of the accepted share Wilson's)."
    )
    for direction in next(iter(results["scores"].values())):
        parts += _markdown_tables(results, direction)
    meant = "\n".join(
        f"- {in_markdown(name)}: {in_markdown(one['about'])}"
        for name, one in results["metrics"].items()
    )
    versions = in_markdown(", ".join(f"{name} {one}" for name, one in results["versions"].items()))
    return "\n\n".join([*parts, f"## What is measured\n\n{meant}", f"Versions: {versions}."]) + "\n"


def _markdown_tables(results: Results, direction: str) -> list[str]:
    """One a group of metrics, with its heading."""
    title, target = direction.replace("_to_", " to "), direction.split("_to_")[1]
    scores = {name: one[direction] for name, one in results["scores"].items() if direction in one}
    floor = {name: {"mean": value} for name, value in results["floors"].get(target, {}).items()}
    parts = []
    for group in TABLE_GROUPS:
        names = _present(results["metrics"], scores, group)
        rows = [*scores.items(), ("floor: the target against itself", floor)]
        lines = [
            [in_markdown(system), *(_plain(one[name]) if name in one else "" for name in names)]
            for system, one in rows
            if any(name in one for name in names)
        ]
        if lines:
            heads = [[group, *map(in_markdown, names)], ["---"] * (1 + len(names))]
            text = "\n".join("| " + " | ".join(line) + " |" for line in [*heads, *lines])
            parts.append(f"## {in_markdown(title.capitalize())}: {group}\n\n{text}")
    return parts


def _plain(score: Mapping[str, float]) -> str:
    interval = ""
    if "low" in score and score.get("n", 2) > 1:  # of one recording there is none
        interval = f" [{score['low']:.{DIGITS}f}, {score['high']:.{DIGITS}f}]"
    return f"{score['mean']:.{DIGITS}f}{interval}"


def _floor(floors: Mapping[str, float], names: Sequence[str]) -> str:
    if not any(name in floors for name in names):
        return ""
    found = {name: {"mean": value} for name, value in floors.items()}
    return _row("floor: the target against itself", found, names)


def plane(results: Results, direction: str) -> str:
    """Content (chroma cosine) against style (tag difference, else acceptance) as inline SVG."""
    points = [
        (name, one[direction]["chroma_cosine"], one[direction]["tag_difference"])
        for name, one in results["scores"].items()
        if {"chroma_cosine", "tag_difference"} <= one.get(direction, {}).keys()
        and not results["systems"][name].get("knobs")  # they have curves of their own
    ]
    if not points:
        return "<p>The plane of content against style needs the tagger.</p>"
    heights = label_heights([(_x(c["mean"]), _y(s["mean"])) for _, c, s in points])
    marks = "".join(
        _mark(name, number, content, style, corner=results["systems"][name]["kind"] == "corner")
        + _label(name, _x(content["mean"]), heights[number], point=_y(style["mean"]))
        for number, (name, content, style) in enumerate(points)
    )
    said = "; ".join(f"{name}: {c['mean']:.2f}, {s['mean']:.2f}" for name, c, s in points)
    label = in_html(f"Chroma cosine and tag difference. {said}")
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label=\"{label}\">"
        f"{_axes()}{marks}</svg>"
    )


def _x(content: float) -> float:
    return MARGIN + content * (WIDTH - 2 * MARGIN)


def _y(style: float) -> float:
    return HEIGHT - MARGIN - (style + 1) / 2 * (HEIGHT - 2 * MARGIN)


def _axes() -> str:
    lines = [
        f"<rect class='frame' x='{_x(0)}' y='{_y(1)}' width='{_x(1) - _x(0)}' "
        f"height='{_y(-1) - _y(1)}'/>",
        f"<line class='zero' x1='{_x(0)}' x2='{_x(1)}' y1='{_y(0)}' y2='{_y(0)}'/>",
    ]
    for tick in (0.0, 0.5, 1.0):
        lines.append(f"<text x='{_x(tick)}' y='{_y(-1) + 18}' text-anchor='middle'>{tick:g}</text>")
        style = 2 * tick - 1
        lines.append(
            f"<text x='{_x(0) - 8}' y='{_y(style) + 5}' text-anchor='end'>{style:g}</text>"
        )
    middle, bottom = HEIGHT / 2, HEIGHT - 14
    lines += [
        f"<text x='{WIDTH / 2}' y='{bottom}' text-anchor='middle'>content: chroma cosine</text>",
        f"<text x='16' y='{middle}' text-anchor='middle' transform='rotate(-90 16 {middle})'>"
        "style: target tag less source tag</text>",
    ]
    return "".join(lines)


def _mark(
    name: str, number: int, content: Mapping[str, Any], style: Mapping[str, Any], *, corner: bool
) -> str:
    """A point with its intervals; corners are squares without colour."""
    x, y = _x(content["mean"]), _y(style["mean"])
    colour = "currentColor" if corner else COLOURS[number % len(COLOURS)]
    shape = (
        f"<rect x='{x - 5:.1f}' y='{y - 5:.1f}' width='10' height='10' fill='{colour}'/>"
        if corner
        else f"<circle cx='{x:.1f}' cy='{y:.1f}' r='6' fill='{colour}'/>"
    )
    return (
        f"<g stroke='{colour}'><line x1='{_x(content['low']):.1f}' "
        f"x2='{_x(content['high']):.1f}' y1='{y:.1f}' y2='{y:.1f}'/><line x1='{x:.1f}' "
        f"x2='{x:.1f}' y1='{_y(style['low']):.1f}' y2='{_y(style['high']):.1f}'/>{shape}</g>"
    )


def label_heights(points: Sequence[tuple[float, float]]) -> list[float]:
    """Where the names of points (x, y) go so that none covers another or a point: y or below."""
    heights = [0.0] * len(points)
    placed: list[tuple[float, float]] = []
    for which in sorted(range(len(points)), key=lambda one: points[one][1]):
        x, y = points[which]
        in_the_way = [(at, LABEL_HEIGHT) for to, at in placed if abs(x - to) < LABEL_WIDTH]
        in_the_way += [(at, POINT_HEIGHT) for to, at in points if _beside(x, to)]
        for at, needed in sorted(in_the_way):  # from the top down
            if abs(y - at) < needed:
                y = at + needed
        heights[which] = y
        placed.append((x, y))
    return heights


def _beside(x: float, other: float) -> bool:
    """Whether a point at `other` lies where the name of one at `x` may be."""
    return 5 < (x - other if x > WIDTH / 2 else other - x) < LABEL_WIDTH


def _label(name: str, x: float, y: float, *, point: float) -> str:
    """To the side of a point at the height `point` where there is room, and a line to it from where
    the name had to go elsewhere.
    """
    end, away = ("end", -11) if x > WIDTH / 2 else ("start", 11)
    text = f"<text x='{x + away:.1f}' y='{y + 5:.1f}' text-anchor='{end}'>{in_html(name)}</text>"
    if abs(y - point) < LABEL_HEIGHT / 2:
        return text
    return (
        f"<line class='lead' stroke='currentColor' stroke-opacity='0.4' x1='{x:.1f}' "
        f"y1='{point:.1f}' x2='{x + 0.8 * away:.1f}' y2='{y:.1f}'/>{text}"
    )


# --- examples -----------------------------------------------------------------------------------


def _examples(results: Results, work: Path) -> str:
    if not results["examples"]:
        return ""
    log_mel = LogMel()
    parts = ["<h2>Examples</h2>"]
    for example in results["examples"]:
        title = f"{example['name']}: {example['style']} to {example['to']}"
        players = [_player("original", work / example["original"], "", log_mel)]
        for name, one in example["systems"].items():
            said = [f"{key.replace('_', ' ')} {one[key]:.2f}"
                    for key in ("chroma_cosine", "tag_difference") if key in one]  # fmt: skip
            players.append(_player(name, work / one["sound"], ", ".join(said), log_mel))
        parts.append(f"<section><h3>{in_html(title)}</h3><div class='players'>{''.join(players)}"
                     "</div></section>")  # fmt: skip
    return "\n".join(parts)


def _player(name: str, path: Path, said: str, log_mel: LogMel) -> str:
    """A figure: the mel picture, a player, and what was measured."""
    try:
        sound = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: the excerpt is missing ({error.strerror}); run the same `thirdstream "
            "evaluate` again, it makes what is missing"
        ) from error
    picture = base64.b64encode(mel_picture(path, log_mel)).decode()
    label = in_html(name)
    return (
        f"<figure><figcaption><b>{label}</b> {in_html(said)}</figcaption>"
        f"<img alt='Mel spectrogram of {label}' src='data:image/png;base64,{picture}'>"
        f"<audio controls preload='none' aria-label='{label}' "
        f"src='data:audio/mpeg;base64,{sound}'></audio></figure>"
    )


@torch.inference_mode()
def mel_picture(path: Path, log_mel: LogMel) -> bytes:
    """PNG of a recording's mel power in dB, 80 dB below its loudest, low pitches at the bottom."""
    wave, _ = audio.read(path)
    power = log_mel.power(torch.from_numpy(wave)[None])[0].T[None, None]
    small = torch.nn.functional.adaptive_avg_pool2d(power, MEL_SIZE)[0, 0].numpy()
    level = 10 * np.log10(np.maximum(small, 1e-12))
    shades = np.clip((level - level.max()) / MEL_RANGE_DB + 1, 0, 1)
    pixels = (255 * colormaps["magma"](shades[::-1])[..., :3]).round().astype(np.uint8)
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png", metadata={"Software": "thirdstream"})
    return buffer.getvalue()


def _notes(results: Results) -> str:
    versions = ", ".join(f"{name} {one}" for name, one in results["versions"].items())
    judged = ", ".join(one["package"] for one in results["judges"].values()) or "none"
    references = ", ".join(f"{n} of {style}" for style, n in results["references"].items())
    skipped = "".join(f"<li>{in_html(one['reason'])}</li>" for one in results["skipped"])
    skipped = f"<p>Not measured:</p><ul>{skipped}</ul>" if skipped else ""
    return (
        f"<h2>How it was made</h2><p>Corpus {in_html(results['corpus'])}; seed "
        f"{results['settings']['seed']}; judges: {in_html(judged)}; sets are compared with "
        f"{in_html(references)}. Versions: {in_html(versions)}.</p>{skipped}"
        "<p>Chroma cosine of unrelated music is far above 0: read it against copy-target. A tagger "
        "is one pair of ears, not a listener.</p>"
    )
