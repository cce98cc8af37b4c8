"""How well recordings of a solo violin are transcribed: notes, metre, beats and bar lines.

    python benchmarks/violin.py bach-violin [NAME ...]

The folder is that of the Bach Violin Dataset (Dong et al. 2022), zenodo.org/record/6050245: BWV
1001 to 1006 in `audio`, `scores`, `notes` and `alignments`, listed in `info.csv`. Names are those
of its column `filename`; without names, all movements count whose recording is there and holds that
movement alone.

The alignments are estimated by dynamic time warping, in steps of 0.032 s, and count from the
`start` that `info.csv` has. Beats and bar lines follow from them and from the score.

Columns: the written metre, and what was counted; precision, recall and F of the notes (pitch right,
onset within 0.1 s); the median of how late the found notes begin (ms); F of beats (quarter notes,
dotted ones where three eighths are a beat) and of bar lines, within 70 ms; metre right. Bars of two
quarters or halves are counted as bars of four.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mir_eval
import numpy as np
import tyro
from numpy.typing import NDArray

from tables import show
from thirdstream.notes.io.score import read_score
from thirdstream.notes.transcription.transcribe import Transcription, transcribe_file

Array = NDArray[np.float64]
TICKS = 24  # a quarter note in `notes`
NEAR_S, BEAT_S = 0.1, 0.07
COLUMNS = ("written", "counted", "prec.", "recall", "notes", "late", "beats", "bars", "metre")


@dataclass(frozen=True)
class Movement:
    """A recording, and what is played in it: intervals_s (n_notes, 2), pitches as MIDI numbers;
    beats_s and lines_s, when beats and bars begin; metre, as written."""

    name: str
    audio: Path
    intervals_s: Array
    pitches: Array
    beats_s: Array
    lines_s: Array
    metre: str

    @property
    def counted(self) -> str:
        """The metre as the transcriber writes it."""
        return {"2/2": "4/4", "2/4": "4/4", "3/8": "3/4"}.get(self.metre, self.metre)


def movements(folder: Path, names: tuple[str, ...]) -> Iterator[Movement]:
    with (folder / "info.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        name, audio = row["filename"], folder / "audio" / row["collection"] / row["source_filename"]
        if name in names or (not names and audio.stem == name and audio.exists()):
            yield movement(folder, row, audio)


def movement(folder: Path, row: dict[str, str], audio: Path) -> Movement:
    path = Path(row["collection"], f"{row['filename']}.csv")
    notes, spans = (
        np.loadtxt(folder / part / path, delimiter=",", skiprows=1)
        for part in ("notes", "alignments")
    )
    spans += sum(int(part) * 60**k for k, part in enumerate(reversed(row["start"].split(":"))))
    score = read_score(folder / "scores" / row["work"].lower() / f"{row['score_filename']}.mxl")
    written = score.metres.changes[0][1]
    ticks, first = np.unique(notes[:, 0], return_index=True)
    end = notes[:, 1].max()

    def seconds(step: float) -> Array:
        """Of what comes every so many quarter notes, counted from the first bar line."""
        at = np.arange(score.pickup % step * TICKS, end, step * TICKS)
        return np.interp(at, ticks, spans[first, 0])

    beats_s, lines_s = (seconds(step) for step in (written.beats[0], written.length))
    signature = f"{written.count}/{written.unit}"
    return Movement(row["filename"], audio, spans, notes[:, 2], beats_s, lines_s, signature)


def lasting(intervals_s: Array) -> Array:
    """The intervals, those of no length (which some alignments have) a millisecond long."""
    starts = np.maximum(intervals_s[:, 0], 0)
    return np.stack([starts, np.maximum(intervals_s[:, 1], starts + 1e-3)], axis=1)


def note_scores(found: Transcription, truth: Movement) -> list[float]:
    """Precision, recall, F, and how late those that are right begin (ms)."""
    ours = found.timing.seconds([[note.start, note.end] for note in found.notes])
    pitches = np.array([note.pitch for note in found.notes], float)
    true, mine = (mir_eval.util.midi_to_hz(part) for part in (truth.pitches, pitches))
    sides = lasting(truth.intervals_s), true, lasting(ours), mine
    scores = mir_eval.transcription.precision_recall_f1_overlap(
        *sides, onset_tolerance=NEAR_S, offset_ratio=None
    )
    pairs = mir_eval.transcription.match_notes(*sides, onset_tolerance=NEAR_S, offset_ratio=None)
    late = [ours[mine, 0] - truth.intervals_s[true, 0] for true, mine in pairs]
    return [*scores[:3], 1000 * float(np.median(late)) if late else np.nan]


def measure(truth: Movement) -> tuple[str, list[float]]:
    """The metre that was counted, and the numbers of the columns after it."""
    found = transcribe_file(truth.audio)
    last = truth.intervals_s[-1, 0] + BEAT_S
    by_beats = [
        mir_eval.beat.f_measure(true, mine[(mine >= 0) & (mine < last)], BEAT_S)
        for true, mine in (
            (truth.beats_s, np.array(found.timing.beats_s)),
            (truth.lines_s, found.lines_s),
        )
    ]
    metre = found.score.metres.changes[0][1]
    counted = f"{metre.count}/{metre.unit}"
    is_right = counted == truth.counted
    return counted, [*note_scores(found, truth), *by_beats, float(is_right)]


def main(folder: Path, *names: str) -> None:
    table, rows = [], []
    for truth in movements(folder, names):
        counted, row = measure(truth)
        rows.append(row)
        table.append([truth.name, truth.metre, counted, *_texts(row)])
    table.append(["mean", "", "", *_texts(np.nanmean(rows, axis=0).tolist())])
    show("solo violin, whole recordings", ["movement", *COLUMNS], table)


def _texts(row: list[float]) -> list[str]:
    """Each number as it is shown: lateness in whole ms."""
    return [f"{value:.0f}" if k == 3 else f"{value:.2f}" for k, value in enumerate(row)]


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
