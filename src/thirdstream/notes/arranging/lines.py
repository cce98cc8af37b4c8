"""Lines of notes: moved into a range, cut, looked up; and pitches by their class."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from thirdstream.notes.types import Note, Span


def into_range(notes: Sequence[Note], lowest: int, highest: int) -> tuple[Note, ...]:
    """The melody in the octave in which most of its notes fit; the others are moved by octaves."""
    middle = (lowest + highest) / 2

    def cost(shift: int) -> tuple[int, float]:
        pitches = [note.pitch + shift for note in notes]
        out = sum(not lowest <= pitch <= highest for pitch in pitches)
        return out, abs(sum(pitches) / len(pitches) - middle)

    return _moved(notes, lowest, highest, cost)


def placed(melody: Sequence[Note], lowest: int, highest: int) -> tuple[Note, ...]:
    """The melody in its own octave, or the nearest in which (nearly) all of it is in range."""

    def cost(shift: int) -> tuple[int, int]:
        out = sum(not lowest <= note.pitch + shift <= highest for note in melody)
        return out // max(len(melody) // 20, 1), abs(shift)

    return _moved(melody, lowest, highest, cost)


def _moved(
    notes: Sequence[Note], lowest: int, highest: int, cost: Callable[[int], Any]
) -> tuple[Note, ...]:
    """Notes by the cheapest number of octaves higher, those out of range by others."""
    if not notes:
        return ()
    best = min(range(-48, 49, 12), key=cost)
    return tuple(replace(n, pitch=folded(n.pitch + best, lowest, highest)) for n in notes)


def during(line: Sequence[Note], start: float, end: float) -> Sequence[Note]:
    """The notes of a line, in order and never two at a time, that sound between two places."""
    first = bisect_right(line, start, key=lambda note: note.end)
    return line[first : bisect_left(line, end, key=lambda note: note.start)]


def outside(notes: Sequence[Note], spans: Sequence[Span]) -> list[Note]:
    """Notes that begin in no span; what sounds into one is cut where it begins."""
    starts, kept = [span.start for span in spans], []
    for note in notes:
        at = bisect_right(starts, note.start + 1e-3)
        if at and note.start < spans[at - 1].end - 1e-3:
            continue
        over = at < len(spans) and note.end > starts[at]
        kept.append(replace(note, length=starts[at] - note.start) if over else note)
    return kept


def folded(pitch: int, lowest: int, highest: int) -> int:
    """The same pitch class within a range of at least an octave, as near as can be."""
    if pitch < lowest:
        pitch += 12 * math.ceil((lowest - pitch) / 12)
    if pitch > highest:
        pitch -= 12 * math.ceil((pitch - highest) / 12)
    return pitch


def nearest(pitch_class: int, to: float, lowest: int = 0, highest: int = 127) -> int:
    """The pitch of a class nearest to `to` within a range of at least an octave."""
    inside = range(lowest + (pitch_class - lowest) % 12, highest + 1, 12)
    return min(inside, key=lambda pitch: abs(pitch - to))


def midi_velocity(value: float) -> int:
    """The nearest MIDI velocity, 1-127."""
    return max(1, min(127, round(value)))
