"""How lead sheets of recordings read, on rendered pairs whose scores are known.

usage: lead_sheets.py PAIRS SCORES [NAME ...]

As `transcription.py`, of the first 40 s of each version. Columns: share of the melody's notes that
stand in the bar where the score has them (of those with a note of their pitch class within 0.4 of a
beat); ties, and rests within bars, per 100 notes; how many different lengths a sheet has.
"""

import json
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tyro

from thirdstream.notes.io.score import read_score
from thirdstream.notes.transcription.sheets import write_sheets
from thirdstream.notes.transcription.transcribe import Transcription, transcribe
from thirdstream.notes.types import Score
from transcription import excerpt, found_in, show_pieces  # a script beside this one

NEAR = 0.4  # of a beat
EXACT = 0.02  # quarter notes
COLUMNS = ("in their bar", "ties", "rests", "lengths")


def in_their_bar(found: Transcription, score: Score, beat_s: float, metre: float) -> float:
    """Share of notes at the score's place in the bar; NaN where none is near one of the score."""
    ours = [(float(found.timing.seconds(note.start)), note) for note in found.score.melody]
    right = []
    for note in score.melody:
        at_s = note.start * beat_s
        near = [
            (abs(start_s - at_s), other.start)
            for start_s, other in ours
            if (other.pitch - note.pitch) % 12 == 0 and abs(start_s - at_s) < NEAR * beat_s
        ]
        if near and at_s < found.duration_s - 0.5:
            away = (min(near)[1] - note.start) % metre
            right.append(min(away, metre - away) < EXACT)
    return float(np.mean(right)) if right else np.nan


def reads(sheet: Path) -> tuple[float, float, float]:
    """Ties and rests per 100 notes, and the number of lengths."""
    notes = n_ties = n_rests = 0
    lengths = set()
    for one in ElementTree.parse(sheet).iter("note"):
        rest = one.find("rest")
        if rest is not None:
            n_rests += rest.get("measure") != "yes"
            continue
        kinds = {tie.get("type") for tie in one.findall("tie")}
        n_ties += "start" in kinds
        notes += "stop" not in kinds
        lengths.add(
            (one.findtext("type"), len(one.findall("dot")), one.find("time-modification") is None)
        )
    return 100 * n_ties / max(notes, 1), 100 * n_rests / max(notes, 1), float(len(lengths))


def measure(pairs: Path, scores: Path, name: str, style: str) -> list[float]:
    record = json.loads((pairs / "records" / f"{name}.json").read_text())
    score = read_score(found_in(scores, record["score"])).transposed(record["semitones"])
    found = transcribe(excerpt(pairs / style / f"{name}.{record['format']}"), title=name)
    beat_s = 60 / record["beats_per_minute"]
    with tempfile.TemporaryDirectory() as folder:
        written = write_sheets(found, Path(folder), name)
        (sheet,) = (path for path in written if path.suffix == ".musicxml")
        read = reads(sheet)
    return [in_their_bar(found, score, beat_s, record["beats_per_bar"]), *read]


def main(pairs: Path, scores: Path, *names: str) -> None:
    show_pieces(measure, COLUMNS, pairs, scores, names)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
