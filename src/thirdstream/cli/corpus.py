"""Recordings into a corpus, and what is in one."""

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.table import Table

from thirdstream.cli.console import OUT, Failed, complain, print_json, progress_bar
from thirdstream.cli.locks import writes_folder
from thirdstream.parallel import Workers

if TYPE_CHECKING:
    from thirdstream.data.corpus import Corpus, Skipped


@writes_folder
def prepare(
    sources: tuple[str, ...],
    /,
    *,
    out: Path,
    workers: tyro.conf.OmitArgPrefixes[Workers] = Workers(),  # noqa: B008
    seed: int = 0,
    paired: bool = False,
    json: bool = False,
) -> None:
    """Make a training corpus of two folders of recordings.

    Example: thirdstream prepare classical=music/classical jazz=music/jazz --out corpus

    Run it again after an interruption or with more recordings: what is done is not done again.

    Args:
        sources: STYLE=FOLDER, twice. Instead of a folder: musicnet:FOLDER or fma:FOLDER for these
            collections as published (fma/GENRE:FOLDER for a genre that is not named as the style).
        out: folder of the corpus.
        workers: who does the work.
        seed: of the split into training, validation and test recordings.
        paired: recordings of the same name in both folders are versions of one piece, bar by bar at
            one time, as `thirdstream arrange` makes them; twin-paired learns from these.
        json: print what is in the corpus, and what was skipped, as JSON on standard output.
    """
    from thirdstream.data import preparing  # two seconds: --help and misuse need none of it
    from thirdstream.data.corpus import Corpus, Skipped

    found = preparing.find(sources, paired=paired)
    with (
        workers.ready() as n_jobs,
        progress_bar() as bar,
        closing(preparing.prepare(found, out, n_jobs=n_jobs, seed=seed)) as outcomes,
    ):
        task = bar.add_task("preparing", total=len(found))
        for outcome in outcomes:
            bar.advance(task)
            if isinstance(outcome, Skipped):
                _report(outcome)
    opened = Corpus.open(out)
    for one in opened.skipped:
        if one.duplicate:
            _report(one)
    if json:
        skipped = [dataclasses.asdict(one) for one in opened.skipped]
        print_json({"path": str(out), "styles": opened.summary(), "skipped": skipped})
    else:
        print_corpus(opened)
    n_faults = sum(one.fault for one in opened.skipped)
    if n_faults:
        raise Failed(f"{n_faults} of {len(found)} files could not be used; {out} holds the others")


def _report(one: "Skipped") -> None:
    complain(f"skipped {one.path}: {one.reason}")


def print_corpus(opened: "Corpus") -> None:
    table = Table(title=str(opened.path), title_justify="left")
    for heading in ("style", "split", "recordings", "segments", "hours"):
        table.add_column(heading, justify="left" if heading in ("style", "split") else "right")
    for style, splits in opened.summary().items():
        for split, row in splits.items():
            counts = f"{row['recordings']:.0f}", f"{row['segments']:.0f}", f"{row['hours']:.2f}"
            table.add_row(style, split, *counts)
    OUT.print(table)
