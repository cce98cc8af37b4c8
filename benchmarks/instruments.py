"""Whether `learn-style` finds who plays: python benchmarks/instruments.py MIDI_FOLDER SOUNDFONT...

A stretch of each MIDI file (such as BENCH/test has) is played by drawn instruments and drums, by
each soundfont, in a room (recipes/drawn_ensembles.py), and transcribed. Of the notes that are
found, the share that is given to the instrument that plays them: by the network alone, and by
analysis by synthesis. A mean over excerpts, with a 95 % interval over pieces. Then how often drums
are found.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro
from tqdm import tqdm

from tables import show
from thirdstream.evaluation import metrics
from thirdstream.files import ThirdstreamError
from thirdstream.notes.learning.performance import parts_of, performance_of, sounded
from thirdstream.notes.learning.resynthesis import Programs
from thirdstream.notes.learning.timbre import Sounded, likelihoods
from thirdstream.notes.transcription.transcribe import transcribe_file

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from drawn_ensembles import Drawn, drawn, written
from instrument_weights import players


class Row(NamedTuple):
    """An excerpt: shares of notes, and drums that there are and that are found."""

    piece: str
    by_network: float
    by_synthesis: float
    has_drums: bool
    found_drums: bool


def share(one: Drawn, given: Sequence[tuple[Sequence[Sounded], Programs]]) -> float:
    """Of the notes of parts that somebody plays, those that are given to the right program; to one
    of two, they count half."""
    right = [(who in programs) / len(programs) for notes, programs in given
             for who in players(one, notes).values()]  # fmt: skip
    return float(np.mean(right)) if right else 0.0


def row(one: Drawn, path: Path, piece: str) -> Row:
    found, performance = transcribe_file(path), performance_of(path)
    guessed = []
    for notes in (sounded(found, some) for some in parts_of(found).values()):
        likely = likelihoods(one.wave, notes) or {0: np.zeros(1)}
        guessed.append((notes, (max(likely, key=lambda who: likely[who].mean()),)))
    pitched = [(sounded(found, part.notes), part.programs)
               for part in performance.parts if part.role != "drums"]  # fmt: skip
    has = any(part.role == "drums" for part in performance.parts)
    return Row(piece, share(one, guessed), share(one, pitched), one.drums is not None, has)


def rows(folder: Path, font: Path) -> list[Row]:
    found = []
    with tempfile.TemporaryDirectory() as place:
        for path in tqdm(sorted(folder.rglob("*.mid")), unit="excerpt"):
            one = drawn(path, [font], seed=f"{font.stem} {path.parent.name} {path.stem}")
            try:
                if one is not None:
                    file = written(one, Path(place) / "one.flac")
                    found.append(row(one, file, path.stem.partition(".")[0]))
            except ThirdstreamError as error:  # nothing is found in it
                print(f"{path}: {error}", file=sys.stderr)
    return found


def main(folder: str, *fonts: str) -> None:
    table = []
    for font in map(Path, fonts):
        some = rows(Path(folder), font)
        pieces = [one.piece for one in some]
        shares = []
        for values in ([one.by_network for one in some], [one.by_synthesis for one in some]):
            mean = metrics.bootstrap(values, seed=0, pieces=pieces)
            shares.append(f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]")
        drums = []
        for has in (True, False):
            told = [one.found_drums for one in some if one.has_drums == has]
            drums.append(f"{sum(told)} of {len(told)}")
        table.append([font.stem, str(len(some)), *shares, *drums])
    headings = ["soundfont", "n", "network", "synthesis", "drums found", "found without"]
    show("Notes given to the right instrument", headings, table)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
