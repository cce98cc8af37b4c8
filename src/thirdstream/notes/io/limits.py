"""What a score may hold: files come from anywhere, and what is read is arranged and played."""

from collections.abc import Sequence
from pathlib import Path

from thirdstream.notes.metre import Metres
from thirdstream.notes.types import Note, ScoreError

SHORTEST_BEAT = 0.25  # quarter notes, where a bar has several
MAX_NOTES, MAX_BEATS = 50_000, 6_000  # of a file; an act of an opera has less
MAX_SOUNDING = 400_000  # quarter notes, of all notes together


def bounded(parts: Sequence[Sequence[Note]], metres: Metres, path: Path) -> None:
    """Raise ScoreError where notes are more, or longer, than a piece of music has, or none; or
    beats too short to be counted."""
    for _, one in metres.changes:
        if len(one.beats) > 1 and min(one.beats) < SHORTEST_BEAT:
            raise ScoreError(
                f"{path}: has bars of {one.name}, whose beats are too short to be played; write it "
                "in longer notes"
            )
    if not any(parts):
        raise ScoreError(f"{path}: holds no notes; leave it out")
    notes = [note for part in parts for note in part]
    longest = max(note.end for note in notes)
    if len(notes) > MAX_NOTES or not longest <= MAX_BEATS:
        raise ScoreError(
            f"{path}: has {len(notes)} notes in {longest:g} quarter notes; at most {MAX_NOTES} in "
            f"{MAX_BEATS} are read, cut it"
        )
    if sum(note.length for note in notes) > MAX_SOUNDING:
        raise ScoreError(f"{path}: its notes sound for longer than a piece's do; export it again")
    if not all(0 <= note.pitch <= 127 for note in notes):
        raise ScoreError(f"{path}: has notes that no instrument plays; transpose it")


def too_long(path: Path, what: str) -> ScoreError:
    """What is said of a file of too many bytes."""
    return ScoreError(f"{path}: {what}; no score we read is so long, give a part of it")
