"""A reproduction of the paper as one page, and what is in its results.json.

The page is a pure function of the results; its pictures lie beside it.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from markupsafe import Markup
from pydantic import ValidationError

from thirdstream.files import ThirdstreamError, read_json, write_text
from thirdstream.report.html import render
from thirdstream.report.results import Record, fault_in

VERSION = 1
RESULTS, PAGE, MARKDOWN = "results.json", "index.html", "report.md"


class Counts(Record):
    """How much music; hours are not known of the paper's."""

    recordings: int
    segments: int
    hours: float | None = None


class Music(Record):
    """Of one style: the paper's, all in the corpus, and what is used of it, by split."""

    paper: Counts
    corpus: Counts
    used: Mapping[str, Counts]


class Settings(Record):
    """As they were asked for."""

    preset: str
    seeds: int
    epochs: int
    batch_size: int
    lr: float
    scale: float


class Losses(Record):
    """Eq. 1 of one system: the paper's on its test segments, ours by seed.

    validation: of the last epoch; empty without validation recordings.
    """

    n_parameters: int
    paper: float
    test: list[float]
    validation: list[float]


class Finding(Record):
    """A finding of the paper as a statement that was tested; measurement: numbers and spread."""

    section: str
    statement: str
    verdict: str
    measurement: str


class Reproduction(Record):
    """music: by style. n_measured: test segments of each style, if there are so many. n_seeds: that
    are done. losses: by system, without the seeds by which training failed. published: eq. 1 of the
    author's own weights, by name. measures: by system, one table a seed. figures: files beside the
    page.
    """

    version: Literal[1] = VERSION
    command: str
    versions: Mapping[str, str]
    settings: Settings
    corpus: str
    music: Mapping[str, Music]
    n_skipped: int
    n_measured: int
    n_seeds: int
    remarks: list[str]
    losses: Mapping[str, Losses]
    published: Mapping[str, float]
    measures: Mapping[str, list[Mapping[str, Any]]]
    findings: list[Finding]
    figures: list[str]

    def verdicts(self) -> dict[str, dict[str, str]]:
        """By statement and system, of the findings that are of one system: SYSTEM: STATEMENT."""
        found: dict[str, dict[str, str]] = {}
        for one in self.findings:
            system, colon, statement = one.statement.partition(": ")
            if colon and system in self.losses:
                found.setdefault(statement, {})[system] = one.verdict
        return found


def read(path: Path) -> Reproduction:
    """What is in a results.json. Raises ThirdstreamError where it is something else."""
    try:
        content = read_json(path, kind="results file of `thirdstream reproduce`")
        return Reproduction.model_validate(content)
    except ValidationError as error:
        raise ThirdstreamError(
            f"{path}: is no results file of this version of `thirdstream reproduce` "
            f"({fault_in(error)}); run it again"
        ) from error


def write(results: Reproduction, out: Path) -> None:
    """Write results.json, index.html and report.md into a folder, each whole or not at all."""
    texts = {
        RESULTS: results.model_dump_json(indent=1) + "\n",
        PAGE: page(results),
        MARKDOWN: markdown(results),
    }
    for name, text in texts.items():
        write_text(out / name, text)


def page(results: Reproduction) -> Markup:
    """The page as HTML, to lie beside its figures."""
    return render("reproduction.html", **_values(results))


def markdown(results: Reproduction) -> str:
    """The same as Markdown."""
    return render("reproduction.md", **_values(results)).rstrip() + "\n"


def _values(results: Reproduction) -> dict[str, Any]:
    """What both templates use. The order of systems is that of eq. 1, ours and the paper's."""
    losses = results.losses
    return {
        "results": results,
        "ours": {name: spread(one.test) for name, one in losses.items()},
        "validation": {name: spread(one.validation) for name, one in losses.items()},
        "authors": {name: _published(results, name) for name in losses},
        "others": {
            name: error
            for name, error in results.published.items()
            if name not in map(_name_published, losses)
        },
        "order": sorted(
            filter(lambda name: losses[name].test, losses),
            key=lambda name: fmean(losses[name].test),
        ),
        "paper_order": sorted(losses, key=lambda name: losses[name].paper),
        "pictures": {name: _caption(name) for name in results.figures if name.endswith(".png")},
    }


def _name_published(system: str) -> str:
    """What the author's network is called: twin-cnn is published-cnn."""
    return f"published-{system.removeprefix('twin-')}"


def _published(results: Reproduction, system: str) -> str:
    """Eq. 1 of the author's own weights."""
    error = results.published.get(_name_published(system))
    return "not given" if error is None else f"{error:.5f}"


def _caption(name: str) -> str:
    """Of a picture, from its name: figures/figure-07-twin-cnn.png is Figure 7: twin-cnn."""
    number, _, what = Path(name).stem.removeprefix("figure-").partition("-")
    return f"Figure {int(number)}: {what}" if number.isdecimal() else Path(name).stem


def spread(values: list[float]) -> str:
    """Mean and range over seeds: 0.1234 (0.1201 to 0.1260)."""
    if not values:
        return "none"
    mean = f"{fmean(values):.5f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.5f} to {max(values):.5f})"
