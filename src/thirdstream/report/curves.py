"""How content and style answer a knob: of models that were measured at several of its places."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from thirdstream.shown import in_html

# What is drawn, all from 0 to 1, and how.
SHOWN = {
    "chroma_cosine": ("content: chroma cosine", "#1f5fa8", ""),
    "melody_recall": ("content: melody recall", "#1f5fa8", "6 4"),
    "target_tag": ("style: target tag", "#c2571a", ""),
    "accepted_share": ("style: accepted share", "#c2571a", "6 4"),
}
WIDTH, HEIGHT, MARGIN = 560, 300, 44  # SVG units

Point = tuple[float, Mapping[str, Any]]


def series(results: Mapping[str, Any], direction: str) -> dict[tuple[str, str], list[Point]]:
    """(model, knob) -> (place of the knob, scores) in order, where there are two places or more."""
    found: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for name, about in results["systems"].items():
        scores = results["scores"][name].get(direction)
        if len(about.get("knobs", {})) == 1 and scores:
            ((knob, place),) = about["knobs"].items()
            found[about["model"], knob].append((place, scores))
    ordered = {key: sorted(points, key=lambda p: p[0]) for key, points in found.items()}
    return {key: points for key, points in ordered.items() if len(points) > 1}


def drawn(results: Mapping[str, Any], direction: str) -> str:
    """All curves of a direction as inline SVG, captioned; empty where there are none."""
    return "\n".join(
        f"<figure class='curves'><figcaption>{in_html(model)}, {in_html(knob.replace('_', ' '))}"
        f"</figcaption>{_picture(points, f'{model}, {knob}')}</figure>"
        for (model, knob), points in series(results, direction).items()
    )


def _picture(points: Sequence[Point], title: str) -> str:
    lines, said = [], []
    for row, (metric, (label, colour, dashes)) in enumerate(SHOWN.items()):
        places = [(at, scores[metric]) for at, scores in points if metric in scores]
        if not places:
            continue
        means = ", ".join(f"{score['mean']:.2f}" for _, score in places)
        said.append(f"{label} {means}")
        path = " ".join(f"{_x(at):.1f},{_y(score['mean']):.1f}" for at, score in places)
        bars = "".join(
            f"<line x1='{_x(at):.1f}' x2='{_x(at):.1f}' y1='{_y(score['low']):.1f}' "
            f"y2='{_y(score['high']):.1f}' opacity='.4'/>"
            for at, score in places
        )
        key_y = MARGIN / 2 + 16 * (row % 2) - 8
        key_x = _x(0) + (row // 2) * WIDTH / 2
        lines.append(
            f"<g stroke='{colour}' fill='none' stroke-width='2'>{bars}"
            f"<polyline points='{path}' stroke-dasharray='{dashes}'/>"
            f"<line x1='{key_x}' x2='{key_x + 26}' y1='{key_y}' y2='{key_y}' "
            f"stroke-dasharray='{dashes}'/></g>"
            f"<text x='{key_x + 32}' y='{key_y + 5}'>{in_html(label)}</text>"
        )
    label = in_html(f"{title}: {'; '.join(said)}")
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label=\"{label}\">"
        f"{_axes()}{''.join(lines)}</svg>"
    )


def _axes() -> str:
    frame = (
        f"<rect class='frame' x='{_x(0)}' y='{_y(1)}' width='{_x(1) - _x(0)}' "
        f"height='{_y(0) - _y(1)}'/>"
    )
    ticks = "".join(
        f"<text x='{_x(at)}' y='{_y(0) + 18}' text-anchor='middle'>{at:g}</text>"
        f"<text x='{_x(0) - 8}' y='{_y(at) + 5}' text-anchor='end'>{at:g}</text>"
        for at in (0.0, 0.5, 1.0)
    )
    return frame + ticks


def _x(place: float) -> float:
    return MARGIN + place * (WIDTH - 2 * MARGIN)


def _y(value: float) -> float:
    return HEIGHT - MARGIN + 16 - value * (HEIGHT - 2 * MARGIN)
