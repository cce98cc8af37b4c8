"""HTML of results, of the example and of the benchmark, from the templates beside this file.

Whatever a user or a file name brings is escaped. Links are relative, to the page's own routes.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from thirdstream import audio
from thirdstream.report import html as report_html
from thirdstream.web.jobs import Result

if TYPE_CHECKING:
    from thirdstream.report.results import Score

PLAIN = {  # what the benchmark's first table shows: metric -> heading
    "target_style_rate": "target-style classification rate",
    "melody_recall": "melody recall",
    "chroma_cosine": "chroma cosine",
}
BASELINES = {  # in words
    "true-target": "the same piece, arranged in the other style",
    "copy-target": "another piece in the other style (chance)",
    "copy-content": "the recording unchanged",
    "resynthesis": "the recording through mel spectrogram and vocoder only",
}


def render(template: str, **values: Any) -> str:
    """A template of this package, filled in."""
    return str(report_html.render(template, package="thirdstream.web", **values))


def url(path: Path) -> str:
    """Where the page has a file of its own folder, relative to itself."""
    return f"gradio_api/file={quote(str(path))}"


def notice(text: str, *, kind: str = "") -> str:
    """A line that says how it went; kind: "error" where it did not."""
    return render("notice.html", text=text, kind=kind) if text else ""


def card(
    result: Result, *, folder: Path = Path(), link: Callable[[Path], str] = url,
    template: str = "card.html",
) -> str:  # fmt: skip
    """Everything of one result: player, pictures, transcription, files.

    folder: of its files, where their paths are relative. link: the address of a file.
    """
    header = audio.info(folder / result.tracks[0].path)
    return render(
        template, result=result, url=link, group=uuid.uuid4().hex[:8],
        sounds={track.name: link(track.path) for track in result.tracks},
        seconds=header.n_samples / header.sr,
    )  # fmt: skip


def scores(by_system: Mapping[str, Mapping[str, float]], missing: Sequence[str]) -> str:
    """A table of metrics by system, how to read it, and what is not in it."""
    from thirdstream.evaluation.measure import METRICS

    names = next(iter(by_system.values()), {})
    about = {name: METRICS[name] for name in names}
    return render("scores.html", metrics=about, scores=by_system, missing=missing)


def benchmark() -> str:
    """The benchmark: what matters first, then every table and the plane of both directions."""
    from thirdstream.report.page import table
    from thirdstream.report.plots import plane
    from thirdstream.report.results import benchmark_results

    results = benchmark_results()
    models = [name for name, one in results.systems.items() if one.kind == "model"]
    labels = {name: name for name in models} | BASELINES
    rows = {label: [_means(results.scores[name], metric) for metric in PLAIN]
            for name, label in labels.items() if name in results.scores}  # fmt: skip
    details = {one: plane(results, one) + table(results, one) for one in results.directions()}
    return render(
        "benchmark.html", n=len(results.recordings) // 2, headings=PLAIN.values(), rows=rows,
        excerpt_s=results.settings.excerpt_s, details=details,
    )  # fmt: skip


def _means(scores: "Mapping[str, Mapping[str, Score]]", metric: str) -> str:
    """Of a system, one a direction."""
    cells = [one.get(metric) for one in scores.values()]
    return ", ".join("" if cell is None else f"{cell.mean:.2f}" for cell in cells)
