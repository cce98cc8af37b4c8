"""Figures of accompaniments: the voices held, repeated or broken on the beats of the metre.

A voice never strays from its line, so a figure cannot bring in a parallel the voices do not have.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate

from thirdstream.notes.arranging.pulse import in_thirds
from thirdstream.notes.arranging.voice_leading import Slot
from thirdstream.notes.metre import Metres

# A note before it has a loudness: start, length, pitch, voice (0 the highest below the melody).
Struck = tuple[float, float, int, int]
Step = tuple[float, float]  # a place, and how long it is to the next


class Grid:
    """Where figures strike in a bar. In bars of quarters they count from where a chord begins, in
    all others from beat to beat.
    """

    def __init__(self, metres: Metres, bar: int) -> None:
        self.metre, self.line = metres.metre_of(bar), metres.line(bar)
        self.bar_beats = list(zip(self.metre.places, self.metre.beats, strict=True))
        self.in_thirds = all(map(in_thirds, self.metre.beats))
        self.in_quarters = set(self.metre.beats) == {1.0} and len(set(self.metre.cells)) == 1
        firsts = accumulate(self.metre.cells[:-1], initial=0)
        in_cells = self.metre.is_even and not self.in_thirds
        places = self.metre.places
        self.groups = [places[first] for first in firsts] if in_cells else places

    def begins(self, slot: Slot, start: float) -> bool:
        """Whether a figure begins anew: with the slot, or a group of the metre's notes."""
        groups = () if self.in_quarters else self.groups
        return start - slot.start < 1e-6 or any(
            abs(start - self.line - place) < 1e-6 for place in groups
        )

    def beats(self, slot: Slot) -> list[Step]:
        """The beats of a slot."""
        return self._steps(slot, 1.0, self.bar_beats)

    def parts(self, slot: Slot) -> list[Step]:
        """Halves, or thirds, of beats."""
        parts = [
            (place + part * length / n, length / n)
            for place, length in self.bar_beats
            for n in [3 if in_thirds(length) else 2]
            for part in range(n)
        ]
        return self._steps(slot, 0.5, parts)

    def pairs(self, slot: Slot) -> list[Step]:
        """Every second beat; of beats of three parts each."""
        beats = self.bar_beats
        if self.in_thirds:
            return self._steps(slot, 2.0, beats)
        pairs = [
            (beats[k][0], sum(length for _, length in beats[k : min(k + 2, first + n)]))
            for first, n in zip(accumulate((0, *self.metre.cells)), self.metre.cells, strict=False)
            for k in range(first, first + n, 2)
        ]
        return self._steps(slot, 2.0, pairs)

    def _steps(self, slot: Slot, step: float, places: Sequence[Step]) -> list[Step]:
        if self.in_quarters:
            n_steps = math.ceil(slot.length / step - 1e-6)
            return [(slot.start + number * step, step) for number in range(n_steps)]
        end = slot.start + slot.length
        placed = [(self.line + at, length) for at, length in places]
        inside = [step for step in placed if slot.start - 1e-6 < step[0] < end - 1e-6]
        if not inside or inside[0][0] > slot.start + 1e-6:
            first = inside[0][0] if inside else end
            inside.insert(0, (slot.start, first - slot.start))
        return inside


def held(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Every voice sounds all the time."""
    for voice, pitch in enumerate(pitches):
        yield slot.start, slot.length, pitch, voice


def pulse(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Inner voices repeat the parts of beats, the bass beats."""
    for voice, pitch in enumerate(pitches):
        steps = grid.beats if voice == len(pitches) - 1 else grid.parts
        for start, length in steps(slot):
            yield start, length * 0.8, pitch, voice


def afterbeats(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """The bass where a chord begins, and where the metre's groups do; the inner voices on the
    other beats, or their other parts where they have three, short."""
    beats = grid.parts(slot) if grid.in_thirds else grid.beats(slot)
    firsts = [(start, length) for start, length in beats if grid.begins(slot, start)]
    for start, length in firsts:
        yield start, min(length, slot.length) * 0.9, pitches[-1], len(pitches) - 1
    others = [beat for beat in beats if beat not in firsts]
    for voice, pitch in enumerate(pitches[:-1]):
        for start, length in others or beats:
            yield start, 0.6 * length, pitch, voice


def broken(
    slot: Slot,
    pitches: Sequence[int],
    grid: Grid,
    *,
    halves: Sequence[int],
    thirds: Sequence[int],
    pedal: bool,
) -> Iterator[Struck]:
    """One voice after the other on the parts of beats, in an order of its own where these are
    thirds; voices are counted from the bass, -1. With the pedal all sounds on.
    """
    order, number = thirds if grid.in_thirds else halves, -1
    for start, long in grid.parts(slot):
        number = 0 if grid.begins(slot, start) else number + 1
        voice = len(pitches) + order[number % len(order)]
        length = slot.start + slot.length - start if pedal else long
        yield start, length, pitches[voice], voice


def chords(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """The bass sounds on, the other voices strike on the beats after it."""
    yield slot.start, slot.length, pitches[-1], len(pitches) - 1
    beats = grid.beats(slot)
    for start, length in beats[1:] or beats:
        for voice, pitch in enumerate(pitches[:-1]):
            yield start, 0.75 * length, pitch, voice


def spread(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Every two beats a chord, rolled from the bass up."""
    for start, length in grid.pairs(slot):
        end = min(start + length, slot.start + slot.length)
        for rank, (voice, pitch) in enumerate(reversed(list(enumerate(pitches)))):
            late = min(0.07 * rank, (end - start) / 4)
            yield start + late, end - start - late, pitch, voice


FIGURES: dict[str, Callable[[Slot, Sequence[int], Grid], Iterator[Struck]]] = {
    "sustained": held,
    "pulse": pulse,
    "afterbeats": afterbeats,
    "alberti": partial(broken, halves=(-1, -3, -2, -3), thirds=(-1, -2, -3), pedal=False),
    "arpeggio": partial(broken, halves=(-1, -2, -3, -2), thirds=(-1, -2, -3), pedal=True),
    "chords": chords,
    "spread": spread,
}
