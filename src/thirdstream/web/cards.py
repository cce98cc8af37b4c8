"""HTML of results: players that keep time, pictures, chords, downloads, scores, the benchmark.

Pure functions. Whatever a user or a file name brings is escaped; links are relative, to the page's
own file route.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files as resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from thirdstream import audio
from thirdstream.system import Sheet
from thirdstream.web.workshop import Result, Score, Track

BENCHMARK = "benchmark-results.json"
HOW_TO_READ = (
    "Read them together: content says how much of the piece is left (1 is all of it; unrelated "
    "music still has a chroma cosine of about 0.5), style whether a tagger, which is one pair of "
    "ears, hears the new style in it; one without the other is no transfer."
)
PLAIN = {  # what the benchmark's first table shows: metric -> heading
    "accepted_share": "taken for the target style",
    "melody_recall": "melody heard in it",
    "chroma_cosine": "chroma cosine",
}
CORNERS = {  # in words
    "true-target": "the same piece, arranged in the other style",
    "copy-target": "another piece in the other style (chance)",
    "copy-content": "the recording unchanged",
    "resynthesis": "the recording through mel and synthesis only",
}


def url(path: Path) -> str:
    """Where the page has a file of its own folder, relative to itself."""
    return f"gradio_api/file={quote(str(path))}"


def notice(text: str, *, kind: str = "") -> str:
    """A line that says how it went; kind: "error" where it did not."""
    mark = "<strong>Not done:</strong> " if kind == "error" else ""
    return f"<p class='ts-notice {kind}'>{mark}{escape(text)}</p>" if text else ""


def card(result: Result) -> str:
    """Everything of one result that is heard and seen."""
    by = " and ".join(track.name for track in result.tracks[1:])
    title = f"{result.name}: {result.source} to {result.to}, by {by}"
    remarks = "".join(notice(remark) for remark in result.remarks)
    parts = [f"<h2>{escape(title)}</h2>", player(result.tracks), remarks, pictures(result.tracks)]
    if result.sheet:
        parts.append(sheet(result.sheet))
    if result.downloads:
        parts.append(downloads(result.downloads))
    return f"<section class='ts-card'>{''.join(parts)}</section>"


def player(tracks: Sequence[Track]) -> str:
    """One player for all tracks: they run together, one is heard, the choice changes which."""
    group = uuid.uuid4().hex[:8]
    choices = "".join(
        f"<label><input type='radio' name='track-{group}' value='{number}'"
        f"{' checked' if number == 0 else ''}> {escape(track.name)}</label>"
        for number, track in enumerate(tracks)
    )
    sounds = "".join(
        f"<audio preload='auto' src='{escape(url(track.path), quote=True)}'"
        f"{' muted' if number else ''}></audio>"
        for number, track in enumerate(tracks)
    )
    header = audio.info(tracks[0].path)
    seconds = header.n_samples / header.sr
    return (
        "<div class='ts-player'><div class='ts-bar'>"
        "<button type='button' class='ts-play' aria-pressed='false'>Play</button>"
        f"<input type='range' class='ts-seek' min='0' max='{seconds:.2f}' step='0.1' value='0' "
        "aria-label='Position in seconds'>"
        f"<span class='ts-time'><span class='ts-now'>0:00</span> / {_clock(seconds)}</span></div>"
        f"<fieldset><legend>You hear</legend>{choices}</fieldset>"
        "<p class='ts-hint'>All run together: change while it plays, with the mouse or the arrow "
        f"keys, and hear the same moment.</p>{sounds}</div>"
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def pictures(tracks: Sequence[Track]) -> str:
    """The mel of each track."""
    figures = "".join(
        f"<figure><img src='{escape(url(one.picture), quote=True)}' "
        f"alt='Mel spectrogram of {escape(one.name, quote=True)}'>"
        f"<figcaption>{escape(one.name)}</figcaption></figure>"
        for one in tracks
    )
    return (
        f"<h3>Mel spectrograms</h3><p class='ts-hint'>Time runs to the right, pitch upwards; the "
        f"brighter, the louder.</p><div class='ts-figures'>{figures}</div>"
    )


def sheet(one: Sheet) -> str:
    """Piano roll and chords."""
    bars = "".join(f"<li>{escape(bar)}</li>" for bar in one.bars)
    picture = escape(url(one.picture), quote=True)
    return (
        "<h3>What was heard</h3><div class='ts-scroll' tabindex='0' role='region' "
        f"aria-label='Piano roll'><img class='ts-roll' src='{picture}' "
        "alt='Piano roll of the recording: all notes in grey, the melody in orange, chords above'>"
        "</div><h3>Chords, bar by bar</h3>"
        f"<ol class='ts-bars' tabindex='0' aria-label='Chords, bar by bar'>{bars}</ol>"
    )


def downloads(files: Mapping[str, Path]) -> str:
    """Links that save."""
    links = "".join(
        f"<a href='{escape(url(path), quote=True)}' download='{escape(path.name, quote=True)}'>"
        f"{escape(label)}</a>"
        for label, path in files.items()
    )
    return f"<h3>Download</h3><p class='ts-downloads'>{links}</p>"


def scores(by_system: Mapping[str, Sequence[Score]], missing: Sequence[str]) -> str:
    """A table of metrics by system, how to read it, and what is not in it."""
    from thirdstream.evaluation.measure import METRICS

    names = [score.metric for score in next(iter(by_system.values()), ())]
    found = {name: {one.metric: one.value for one in rows} for name, rows in by_system.items()}
    lines = "".join(
        f"<tr><td>{METRICS[name].group}</td><th scope='row'>{escape(name.replace('_', ' '))}"
        f"<small>{escape(METRICS[name].about)}</small></th>"
        + "".join(f"<td class='number'>{row[name]:.2f}</td>" for row in found.values())
        + "</tr>"
        for name in names
    )
    heads = "".join(f"<th scope='col'>by {escape(name)}</th>" for name in by_system)
    table = (
        "<div class='ts-scroll' tabindex='0' role='region' aria-label='Scores of this transfer'>"
        "<table><thead><tr><th scope='col'>about</th><th scope='col'>score</th>"
        f"{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
    left = "".join(notice(f"Not measured: {one}") for one in missing)
    read = f"<p>{escape(HOW_TO_READ)}</p>" if names else ""
    head = "<h3>Scores of this transfer</h3>"
    return f"<section class='ts-card'>{head}{read}{table if names else ''}{left}</section>"


# --- the benchmark ------------------------------------------------------------------------------


@cache
def benchmark_results() -> Any:
    """The numbers of docs/benchmark.md, as `thirdstream evaluate` wrote them."""
    text = (resources("thirdstream.evaluation") / BENCHMARK).read_text(encoding="utf-8")
    return json.loads(text)


def benchmark() -> str:
    """The benchmark: what matters first, then every table and the plane of both directions."""
    from thirdstream.report.page import plane, table

    results = benchmark_results()
    settings, n = results["settings"], len(results["recordings"]) // 2
    details = "".join(
        f"<details><summary>All numbers, {escape(direction.replace('_', ' '))}</summary>"
        f"{plane(results, direction)}{table(results, direction)}</details>"
        for direction in _directions(results)
    )
    return (
        "<section class='ts-card'><h2>The benchmark</h2>"
        f"<p>{n} test recordings a style, rendered through a soundfont that no model heard, "
        f"{settings['excerpt_s']:g} s of each; means, classical to jazz and jazz to classical. A "
        "system is worth what lies between the last rows: of nothing done, and of another piece "
        f"altogether.</p>{_plain_table(results)}"
        "<p>A tagger is one pair of ears, and these are renderings, not real recordings.</p>"
        f"{details}</section>"
    )


def _directions(results: Any) -> list[str]:
    return list(next(iter(results["scores"].values())))


def _plain_table(results: Any) -> str:
    """Systems, then corners, by the metrics in PLAIN."""
    models = [name for name, one in results["systems"].items() if one["kind"] == "model"]
    rows = {name: f"<b>{escape(name)}</b>" for name in models} | CORNERS
    lines = "".join(
        f"<tr><th scope='row'>{label}</th>"
        + "".join(f"<td class='number'>{_both(results, name, metric)}</td>" for metric in PLAIN)
        + "</tr>"
        for name, label in rows.items()
        if name in results["scores"]
    )
    heads = "".join(f"<th scope='col'>{heading}</th>" for heading in PLAIN.values())
    return (
        "<div class='ts-scroll' tabindex='0' role='region' aria-label='The benchmark in short'>"
        f"<table><thead><tr><th scope='col'>system</th>{heads}</tr></thead><tbody>{lines}</tbody>"
        "</table></div>"
    )


def _both(results: Any, system: str, metric: str) -> str:
    scores = results["scores"][system]
    cells = [scores[one].get(metric) for one in _directions(results)]
    return ", ".join("" if cell is None else f"{cell['mean']:.2f}" for cell in cells)
