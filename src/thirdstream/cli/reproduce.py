"""The whole paper, by one command."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import tyro
from rich.table import Table

from thirdstream.cli.console import OUT, complain, progress_bar, say, tell
from thirdstream.cli.locks import writes_folder
from thirdstream.data.corpus import Corpus, Skipped
from thirdstream.files import ThirdstreamError
from thirdstream.parallel import Workers
from thirdstream.report import reproduction as report
from thirdstream.report.reproduction import Counts, Reproduction, spread
from thirdstream.research import reproduction, sources
from thirdstream.research.runs import How, Progress


@writes_folder
def reproduce(
    recordings: tuple[str, ...] = (),
    /,
    *,
    out: Path,
    corpus: str | None = None,
    how: tyro.conf.OmitArgPrefixes[How] = How(),  # noqa: B008
    workers: tyro.conf.OmitArgPrefixes[Workers] = Workers(),  # noqa: B008
) -> None:
    """Reproduce the paper: train its four systems, measure them, and judge each finding on a page.

    Example: thirdstream reproduce musicnet:musicnet fma:fma --scale 0.05 --out reproduction

    Ctrl-C saves everything; the same command goes on where it stopped. The page is there after the
    first seed, and becomes more exact with each further one.

    Args:
        recordings: two of them, classical and jazz. Each is a folder, or musicnet:FOLDER or
            fma:FOLDER for these collections as published.
        out: folder of everything; index.html is the page, report.md the same as Markdown.
        corpus: instead of recordings: folder that `thirdstream prepare` made, or its address.
        how: how much to do.
        workers: who prepares the recordings.
    """
    how.check()
    opened, remarks = _corpus(recordings, corpus, out, workers)
    command = shlex.join(["thirdstream", *sys.argv[1:]])
    _follow(reproduction.run(opened, how, out, command=command, remarks=remarks))
    _print(report.read(out / report.RESULTS))
    tell(f"the page is {(out / report.PAGE).resolve()}")


def _corpus(
    recordings: tuple[str, ...], corpus: str | None, out: Path, workers: Workers
) -> tuple[Corpus, list[str]]:
    """The music, and what there is to say about it."""
    if corpus is not None and not recordings:
        return Corpus.open(corpus), []
    if corpus is not None or len(recordings) != 2:
        raise ThirdstreamError(
            "give two places of recordings, first classical, then jazz, or else --corpus; "
            "for example: thirdstream reproduce music/classical music/jazz --out reproduction"
        )
    found, remarks = sources.find(*recordings)
    for remark in remarks:
        say(remark)
    with workers.ready() as n_jobs, progress_bar() as bar:
        task = bar.add_task("preparing", total=len(found))
        for outcome in reproduction.prepare(found, out / "corpus", n_jobs=n_jobs):
            bar.advance(task)
            if isinstance(outcome, Skipped):
                complain(f"skipped {outcome.path}: {outcome.reason}")
        bar.update(task, completed=len(found))
    return Corpus.open(out / "corpus"), list(remarks)


def _follow(work: Iterator[Progress]) -> None:
    """A bar for each kind of work."""
    with progress_bar() as bar:
        tasks = {}
        for one in work:
            if one.task not in tasks:
                tasks[one.task] = bar.add_task(one.now, total=one.total)
            bar.update(tasks[one.task], total=one.total, completed=one.done, description=one.now)
            if one.remark:
                say(one.remark)
            if one.alarm:
                complain(f"warning: {one.alarm}")


def _print(results: Reproduction) -> None:
    music = Table("style", "music", "recordings", "segments", "hours", title="recordings")
    for style, one in results.music.items():
        rows = {"the paper's": one.paper, "the corpus": one.corpus, **one.used}
        for name, counts in rows.items():
            music.add_row(style, name, *_cells(counts))
    losses = Table("system", "parameters", "paper", "ours", "validation", title="eq. 1")
    for name, one in results.losses.items():
        values = (f"{one.n_parameters:,}", f"{one.paper:.5f}")
        losses.add_row(name, *values, spread(one.test), spread(one.validation))
    verdicts = Table("statement", *results.losses, title="findings")
    for statement, row in results.verdicts().items():
        verdicts.add_row(
            statement.partition(":")[0], *(row.get(name, "") for name in results.losses)
        )
    for table in (music, losses, verdicts):
        if table.row_count:
            OUT.print(table)


def _cells(counts: Counts) -> tuple[str, str, str]:
    hours = "" if counts.hours is None else f"{counts.hours:.2f}"
    return f"{counts.recordings:,}", f"{counts.segments:,}", hours
