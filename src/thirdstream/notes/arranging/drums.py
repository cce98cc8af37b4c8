"""The drums: a groove's pattern, with a fill at the end of phrases.

Starts are even halves of beats; swing is laid over them later.
"""

import random
from collections.abc import Iterator, Sequence

from thirdstream.notes.arranging.lines import midi_velocity
from thirdstream.notes.arranging.pulse import Cell
from thirdstream.notes.styles.entries import draw
from thirdstream.notes.styles.jazz import DrumPattern, Fills, Groove, Stroke
from thirdstream.notes.types import Note

PHRASE_BARS = 4


def drums(
    groove: Groove, fills: Fills, bars: Sequence[Sequence[Cell]], rng: random.Random
) -> Iterator[Note]:
    """A groove for the whole piece, in beats; every second phrase ends with a fill."""
    for number, bar in enumerate(bars):
        phrase_end = number % (2 * PHRASE_BARS) == 2 * PHRASE_BARS - 1 or (
            number % PHRASE_BARS == PHRASE_BARS - 1 and rng.random() < fills.chance
        )
        if number and number % (2 * PHRASE_BARS) == 0 and groove.crashes:
            yield _hit(float(bar[0].start), fills.crash, 72, rng)
        for cell in bar:
            start, length = float(cell.start), cell.length
            filled = phrase_end and number < len(bars) - 1 and cell is bar[-1] and length > 1
            fill_from = start + (length - 2 if filled else length)
            elsewhere = groove.drums_outside_threes if length != 3 else None
            for note in _strokes(elsewhere or groove.drums, cell, number, rng):
                if note.start < fill_from:
                    yield note
            if filled:
                yield from _fill(fill_from, fills, rng, soft=groove.soft_fills)


def _strokes(pattern: DrumPattern, cell: Cell, bar: int, rng: random.Random) -> Iterator[Note]:
    """A pattern in a cell of a bar, which is counted from 0."""
    for beat in range(cell.length):
        for stroke in pattern.each_beat:
            if stroke.beats in ("all", "weak" if beat % 2 else "strong"):
                yield from _struck(stroke, float(cell.start + beat), bar, rng)
    for stroke in pattern.each_group:
        if min(stroke.at) < cell.length:
            yield from _struck(stroke, float(cell.start), bar, rng)


def _struck(stroke: Stroke, start: float, bar: int, rng: random.Random) -> Iterator[Note]:
    """A stroke, if it is drawn."""
    if stroke.bars not in ("all", "second" if bar % 2 else "first"):
        return
    if stroke.chance < 1 and rng.random() >= stroke.chance:
        return
    at = start + draw(stroke.at, rng)
    yield _hit(at, stroke.drum, draw(stroke.velocity, rng), rng)


def _hit(start: float, drum: int, velocity: float, rng: random.Random) -> Note:
    return Note(start, 0.2, drum, midi_velocity(velocity + rng.uniform(-7, 7)))


def _fill(start: float, fills: Fills, rng: random.Random, *, soft: bool) -> Iterator[Note]:
    """Two beats of triplets over snare and toms."""
    for number, drum in enumerate(rng.choice(fills.strokes)):
        if number in (0, 5) or rng.random() < 0.8:
            velocity = 56 + 5 * number - (24 if soft else 0)
            whole, part = divmod(number, 3)
            at = (0.0, 0.25, 0.5)[part] if not soft else (0.0, 0.5, 0.5)[part]
            yield _hit(start + whole + at, drum, velocity, rng)
    yield _hit(start + 1, fills.pedal, 78, rng)
