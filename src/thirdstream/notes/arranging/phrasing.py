"""The melody between the recording's own rhythm and the style's; swing and how to undo it.

Everything is decided note by note with thresholds: more strength moves each note further from where
the recording has it towards where the style has it, and adds ornaments to those that are there.
"""

import bisect
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thirdstream.notes.arranging.lines import midi_velocity
from thirdstream.notes.arranging.pulse import evened, swung
from thirdstream.notes.styles.entries import Phrasing
from thirdstream.notes.types import Note

SAME = 0.55  # quarter notes between a note of the melody and its transcription, at most
GRID = 0.25  # quarter notes: what quick notes are drawn to


@dataclass(frozen=True)
class Feel:
    """Where a style plays what stands at a place: `swung_by` is the ratio in the recording, `ratio`
    the one to play in (1: even), `strength` from 0, the recording's own places, to 1.
    """

    swung_by: float
    ratio: float
    strength: float

    def even(self, beat: float) -> float:
        """A place in the recording's swing, in even eighths."""
        return evened(beat, self.swung_by)

    def place(self, own: float, even: float) -> float:
        """Where to play what the recording has at `own`, and the bar's grid at `even`."""
        target = swung(even, self.ratio) if self.ratio > 1 else even
        return own + self.strength * (target - own)


def quantised(beat: float) -> float:
    """A place that is near a sixteenth, or a triplet, on it; others as they are."""
    nearest = min((round(beat / grid) * grid for grid in (GRID, 1 / 3)),
                  key=lambda at: abs(at - beat))  # fmt: skip
    return nearest if abs(nearest - beat) < 0.1 else beat


def swing_of(notes: Sequence[Note]) -> float:
    """The ratio in which a recording swings its eighths; 1 where they are even, or triplets."""
    parts = np.array([note.start % 1.0 for note in notes])
    off = parts[(parts > 0.42) & (parts < 0.8)]
    early = ((parts > 0.27) & (parts < 0.4)).sum()
    if len(off) < 8 or early > 0.3 * len(off):
        return 1.0
    middle = float(np.median(off))
    return min(middle / (1 - middle), 3.0) if middle > 0.56 else 1.0


def sources(melody: Sequence[Note], notes: Sequence[Note]) -> list[Note | None]:
    """Of each note of the melody, the transcribed note it was made of, each used once; in another
    octave if there is none in its own.
    """
    by_class: dict[int, list[Note]] = {}
    for note in sorted(notes):
        by_class.setdefault(note.pitch % 12, []).append(note)
    used: set[Note] = set()
    found: list[Note | None] = []
    for note in melody:
        same = by_class.get(note.pitch % 12, [])
        at = bisect.bisect_left(same, note.start - SAME, key=lambda n: n.start)
        near = [n for n in same[at : at + 12] if abs(n.start - note.start) <= SAME]
        free = [n for n in near if n not in used]
        best = min(
            free,
            key=lambda n, own=note: (n.pitch != own.pitch, abs(n.start - own.start)),
            default=None,
        )
        if best is not None:
            used.add(best)
        found.append(best)
    return found


def performed(
    melody: Sequence[Note],
    own: Sequence[Note | None],
    feel: Feel,
    phrasing: Phrasing,
    rng: random.Random,
) -> list[Note]:
    """The melody as a soloist of the style plays it; rests stay.

    melody: on the grid, in even eighths. own: their transcriptions, or None.
    """
    played: list[Note] = []
    for number, (note, source) in enumerate(zip(melody, own, strict=True)):
        early, grace, jitter = rng.random(), rng.random(), rng.uniform(0.0, 0.02)
        before = melody[number - 1] if number else None
        room = note.start - (before.start if before else note.start - 1.0)
        even = note.start
        on_beat = abs(even % 1.0) < 1e-6
        if on_beat and min(room, note.length) >= 1 and even >= 1:
            even -= 0.5 * (early < phrasing.anticipation * feel.strength)
        start_of = source.start if source else note.start
        end_of = source.end if source else note.end
        start = max(feel.place(start_of, even) + jitter * feel.strength, 0.0)
        end = max(feel.place(max(end_of, start_of + 0.1), note.end), start + 0.08)
        length = (end - start) * (0.97 if note.length >= 1 else phrasing.short)
        if played and played[-1].end > start:
            played[-1] = replace(played[-1], length=max(start - played[-1].start, 0.05))
        approached = grace < phrasing.approach * feel.strength
        if approached and even == note.start and min(room, note.length) >= 1.5:
            played += _grace(start, note, played[-1:])
        played.append(Note(start, length, note.pitch, note.velocity))
    return played


def _grace(start: float, note: Note, before: Sequence[Note]) -> list[Note]:
    """A short note a semitone below, before a long one, where nothing else sounds."""
    at = start - 0.3
    if at < 0 or (before and before[-1].end > at + 0.02):
        return []
    return [Note(at, 0.28, note.pitch - 1, midi_velocity(note.velocity - 14))]
