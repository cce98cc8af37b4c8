"""How well fast jazz is heard, as clean renderings and as real recordings are.

    python recipes/combos.py bench/validation combos
    python benchmarks/fast_combos.py combos/plain combos

A row a folder, means over recordings: accuracy of triads and of chords with sevenths, share of the
time with the right root, F of beats and of bar lines, share of metres that are right.
"""

import json
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import tyro

from tables import show
from thirdstream import audio
from thirdstream.notes.arranging.harmony import changes
from thirdstream.notes.metre import Metres, of_length
from thirdstream.notes.transcription.transcribe import Transcription, transcribe
from thirdstream.notes.types import Chord, Note, Score
from transcription import chord_scores  # a script beside this one

COLUMNS = ("triads", "sevenths", "roots", "beats", "bar lines", "metre")
EVERY_S = 0.1  # where roots are compared


def played(record: dict[str, Any]) -> list[Chord]:
    """The changes of the rhythm section."""
    score = Score(
        title="",
        melody=tuple(Note(*note) for note in record["melody"]),
        chords=tuple(Chord(*one[:3], tuple(one[3]), one[4]) for one in record["chords"]),
        metres=Metres.steady(of_length(record["beats_per_bar"])),
    )
    return [one.chord for one in changes(score)]


def roots(found: Transcription, chords: list[Chord], beat_s: float) -> float:
    at_s = np.arange(0, min(found.duration_s, chords[-1].end * beat_s), EVERY_S)

    def at(some: list[Chord], beats: np.ndarray) -> np.ndarray:
        starts = np.array([chord.start for chord in some])
        which = np.maximum(np.searchsorted(starts, beats + 1e-6, side="right") - 1, 0)
        return np.array([some[k].root for k in which])

    ours = at(list(found.score.chords), found.timing.beats(at_s))
    return float((ours == at(chords, at_s / beat_s)).mean())


def measured(path: Path, record: dict[str, Any]) -> list[float]:
    wave = np.concatenate(list(audio.blocks(path)), axis=1)
    found = transcribe([(wave * audio.level_of([wave]).gain).astype(np.float32)])
    beat_s, metre = 60 / record["beats_per_minute"], record["beats_per_bar"]
    end = min(found.duration_s, record["n_bars"] * record["bar_s"])
    ours, chords = np.array(found.timing.beats_s), played(record)
    lines = found.lines_s
    scores = [
        mir_eval.beat.f_measure(true[true > 0.1], mine[(mine > 0.1) & (mine < end)])
        for true, mine in (
            (np.arange(0, end, beat_s), ours),
            (np.arange(0, end, beat_s * metre), lines),
        )
    ]
    of_chords = chord_scores(found, chords, beat_s)
    is_metre = float(found.score.beats_per_bar == metre)
    return [*of_chords, roots(found, chords, beat_s), *scores, is_metre]


def main(*folders: str) -> None:
    table = []
    for folder in map(Path, folders):
        records = sorted((folder / "records").glob("*.json"))
        rows = [
            measured(folder / "jazz" / f"{one.stem}.flac", json.loads(one.read_text()))
            for one in records
        ]
        means = np.mean(rows, axis=0)
        table.append([folder.name, str(len(rows)), *(f"{value:.3f}" for value in means)])
    show("Fast jazz", ["folder", "n", *COLUMNS], table)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
