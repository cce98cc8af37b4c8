"""Results as one page that opens offline: tables, plane of content against style, players.

A pure function of results.json and of the excerpts that `evaluate` keeps beside it: the same files
give the same page. Nothing is fetched: pictures are inline SVG and PNG, sounds are data URIs.
"""

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from thirdstream.evaluation import work_of
from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.mel.features.logmel import LogMel
from thirdstream.report.html import render
from thirdstream.report.plots import curves, plane
from thirdstream.report.results import Metric, Results, Score, read_results
from thirdstream.report.spectrograms import mel_picture

MAX_BYTES = 20_000_000
TABLE_GROUPS = ("content", "rhythm", "style", "sets", "sound", "musicality", "cost")
DIGITS = 3


def write(results_path: Path, out: Path) -> None:
    """Read results and write the page, or its tables alone to an .md file, whole or not at all.

    Raises ThirdstreamError if `out` has another ending, if the results are not readable or of
    another version, if an excerpt is missing, or if the page would exceed 20 MB.
    """
    if out.suffix.lower() not in (".html", ".htm", ".md"):
        raise ThirdstreamError(f"{out}: cannot write '{out.suffix}'; end the name in .html or .md")
    results = read_results(results_path)
    markdown = out.suffix.lower() == ".md"
    data = (tables(results) if markdown else page(results, work_of(results_path))).encode()
    if len(data) > MAX_BYTES:
        raise ThirdstreamError(
            f"{out}: would have {len(data) / 1e6:.0f} MB, more than {MAX_BYTES / 1e6:.0f}; "
            "run `thirdstream evaluate` with fewer --examples"
        )
    with whole_file(out) as temporary:
        temporary.write_bytes(data)


def page(results: Results, work: Path) -> Markup:
    """The whole page as HTML. Raises ThirdstreamError if an excerpt in `work` is missing."""
    return render(
        "results.html", results=results, counts=_counts(results), plane=partial(plane, results),
        curves=partial(curves, results), table=partial(table, results),
        examples=[*_examples(results, work)],
    )  # fmt: skip


def tables(results: Results) -> str:
    """The tables as Markdown."""
    found = {direction: _tables(results, direction) for direction in results.directions()}
    return render("results.md", results=results, counts=_counts(results), tables=found) + "\n"


def table(results: Results, direction: str) -> Markup:
    """Systems by metrics, one table a group of metrics, as HTML that scrolls by itself."""
    return render("tables.html", title=title(direction), tables=_tables(results, direction))


def title(direction: str) -> str:
    """Of a direction: Classical to jazz."""
    return direction.replace("_to_", " to ").capitalize()


def _counts(results: Results) -> str:
    """Of the test recordings: 10 of classical, 10 of jazz."""
    counts = Counter(one.style for one in results.recordings)
    return ", ".join(f"{counts[style]} of {style}" for style in results.styles)


class Table(NamedTuple):
    """Of one group of metrics; rows: by system, of as many (mean, interval) as metrics."""

    group: str
    metrics: Mapping[str, Metric]
    rows: Mapping[str, list[tuple[str, str]]]


def _tables(results: Results, direction: str) -> list[Table]:
    """Those of a direction that have rows."""
    scores = results.of(direction)
    known = {name for one in scores.values() for name in one}
    scores |= results.bounds(direction)
    found = []
    for group in TABLE_GROUPS:
        metrics = {name: one for name, one in results.metrics.items()
                   if one.group == group and name in known}  # fmt: skip
        rows = {system: [_cell(one.get(name)) for name in metrics]
                for system, one in scores.items() if metrics.keys() & one}  # fmt: skip
        found += [Table(group, metrics, rows)] if metrics else []
    return found


def _cell(score: Score | None) -> tuple[str, str]:
    """Mean and interval; of one piece there is none."""
    if score is None:
        return "", ""
    ends = score.interval
    interval = f"[{ends[0]:.{DIGITS}f}, {ends[1]:.{DIGITS}f}]" if ends else ""
    return f"{score.mean:.{DIGITS}f}", interval


class Sound(NamedTuple):
    """Something to play: mel picture and sound as base64, and what was measured."""

    name: str
    scores: str
    picture: str
    mp3: str


def _examples(results: Results, work: Path) -> Iterator[tuple[str, list[Sound]]]:
    log_mel = LogMel()
    for example in results.examples:
        sounds = [_sound("original", work / example.original, "", log_mel)]
        for name, one in example.systems.items():
            said = {"chroma cosine": one.chroma_cosine, "tag difference": one.tag_difference}
            scores = ", ".join(f"{k} {v:.2f}" for k, v in said.items() if v is not None)
            sounds.append(_sound(name, work / one.sound, scores, log_mel))
        yield f"{example.name}: {example.style} to {example.to}", sounds


def _sound(name: str, path: Path, scores: str, log_mel: LogMel) -> Sound:
    try:
        mp3 = path.read_bytes()
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: the excerpt is missing ({error.strerror}); run the same `thirdstream "
            "evaluate` again, it makes what is missing"
        ) from error
    picture = mel_picture(path, log_mel)
    return Sound(name, scores, *(base64.b64encode(data).decode() for data in (picture, mp3)))
