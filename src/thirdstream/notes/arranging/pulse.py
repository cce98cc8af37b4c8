"""The beats in which a group counts, each as one, whatever the metre: between them and quarters.

A dotted quarter of 6/8 is a beat, as is a quarter of 4/4. The middle of a beat that divides in
three is its last third, where swing has it too.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thirdstream.notes.metre import Metre, Metres
from thirdstream.notes.styles.jazz import Groove
from thirdstream.notes.timing import along
from thirdstream.notes.types import Score, Timed

Array = NDArray[np.float64]

THIRDS = 2.0  # a swing ratio: the first two thirds of a beat against the last


def swung(beat: float, ratio: float) -> float:
    """Where a place in even eighths comes when swung; whole beats stay."""
    whole, part = divmod(beat, 1.0)
    middle = ratio / (1.0 + ratio)
    if part <= 0.5:
        return whole + part * 2 * middle
    return whole + middle + (part - 0.5) * 2 * (1 - middle)


def evened(beat: float, ratio: float) -> float:
    """Undo `swung`; a ratio of 1 changes nothing."""
    whole, part = divmod(beat, 1.0)
    middle = ratio / (1.0 + ratio)
    if part <= middle:
        return whole + part / (2 * middle)
    return whole + 0.5 + (part - middle) / (2 * (1 - middle))


def in_thirds(beat_length: float) -> bool:
    """Whether a beat, in quarter notes, is that of a dotted note."""
    return (beat_length * 32) % 3 == 0


@dataclass(frozen=True)
class Cell:
    """Beats that a pattern covers: the first, and how many."""

    start: int
    length: int


class Pulse:
    """The beats of a score, to the end of its last bar.

    score: the piece with every beat as a quarter note. bars: the cells of each; two bars of two
    beats are one of four. length: quarter notes a beat, of the metre that holds longest.
    """

    def __init__(self, score: Score) -> None:
        metres = [score.metres.metre_of(number) for number in range(score.n_bars)]
        self._edges, self._lengths = _edges(score.metres, metres)
        self._swings = [m.is_even and not in_thirds(m.beats[0]) for m in metres for _ in m.beats]
        self.bars = _cells(metres)
        usual = score.metres.usual(score.n_beats)
        self.length = usual.length / len(usual.beats)
        self.has_thirds = any(map(in_thirds, self._lengths))
        self.is_plain = score.metres.is_plain
        self.score = score if self.is_plain else self._in_beats(score, metres)

    def _in_beats(self, score: Score, metres: Sequence[Metre]) -> Score:
        bars = [Metre(len(m.beats), 4, (1.0,) * len(m.beats), m.cells) for m in metres]
        return replace(
            score,
            melody=tuple(self.counted(score.melody)),
            chords=tuple(self.counted(score.chords)),
            tacet=tuple(self.counted(score.tacet)),
            voices=(),
            length=float(len(self._edges)),
            metres=Metres.of_bars(bars),
        )

    def counted(self, parts: Iterable[Timed]) -> list[Timed]:
        """Notes or chords in quarter notes, in even beats."""
        return [_moved(part, self.beats) for part in parts]

    def beats(self, at: float) -> float:
        """A place in quarter notes, in beats; even."""
        beat = max(bisect_right(self._edges, at) - 1, 0)
        length = self._lengths[beat]
        place = beat + (at - self._edges[beat]) / length
        return evened(place, THIRDS) if in_thirds(length) else place

    def quarters(self, place: float, ratio: float = 1.0) -> float:
        """A place in even beats, in quarter notes; those that divide in two are swung by `ratio`,
        except between beats of other lengths."""
        beat = min(max(int(place), 0), len(self._edges) - 1)
        if in_thirds(self._lengths[beat]):
            place = swung(place, THIRDS)
        elif self._swings[beat]:
            place = swung(place, ratio)
        return self._edges[beat] + (place - beat) * self._lengths[beat]

    def linear(self, quarters: ArrayLike) -> Array:
        """Places in quarter notes, in beats as they go by: a third of a beat stays a third."""
        edges = np.append(self._edges, self.end)
        return along(np.asarray(quarters), edges, np.arange(float(len(edges))))

    def unlinear(self, beats: ArrayLike) -> Array:
        """Undo `linear`."""
        edges = np.append(self._edges, self.end)
        return along(np.asarray(beats), np.arange(float(len(edges))), edges)

    @property
    def end(self) -> float:
        """The end of the last bar, in quarter notes."""
        return self._edges[-1] + self._lengths[-1]

    def played(self, parts: Iterable[Timed]) -> list[Timed]:
        """Notes or chords in beats, in quarter notes; even."""
        return [_moved(part, self.quarters) for part in parts]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The first beat of each bar, and how many it has."""
        return [(bar[0].start, sum(cell.length for cell in bar)) for bar in self.bars]

    @property
    def cells(self) -> list[Cell]:
        """Of all bars."""
        return [cell for bar in self.bars for cell in bar]

    @property
    def in_three(self) -> bool:
        """Whether most of the piece is in bars of three, or of threes: what a waltz goes with."""
        threes = sum(cell.length for bar in self.bars for cell in bar
                     if {one.length for one in bar} == {3} and self._is_even(bar))  # fmt: skip
        return 2 * threes > sum(cell.length for cell in self.cells)

    def _is_even(self, bar: Sequence[Cell]) -> bool:
        first, last = bar[0].start, bar[-1].start + bar[-1].length
        return len(set(self._lengths[first:last])) == 1


def _moved(part: Timed, to: Callable[[float], float]) -> Timed:
    """A part with its start and end at other places."""
    start = to(part.start)
    return replace(part, start=start, length=to(part.end) - start)


def _edges(metres: Metres, bars: Sequence[Metre]) -> tuple[list[float], list[float]]:
    """Where each beat begins, and how long it is."""
    edges, lengths = [], []
    for number, one in enumerate(bars):
        line = metres.line(number)
        edges += [line + place for place in one.places]
        lengths += one.beats
    return edges, lengths


def _cells(metres: Sequence[Metre]) -> list[list[Cell]]:
    bars: list[list[Cell]] = []
    start, number = 0, 0
    while number < len(metres):
        lengths = metres[number].cells
        after = metres[number + 1] if number + 1 < len(metres) else metres[number]
        if lengths == (2,) and after == metres[number]:
            lengths = (4,)
            number += 1
        bars.append([])
        for length in lengths:
            bars[-1].append(Cell(start, length))
            start += length
        number += 1
    return bars


def suits(groove: Groove, pulse: Pulse) -> bool:
    """Whether a groove goes with a piece: waltzes with threes, others with all else; even eighths
    with beats that divide in two."""
    return groove.in_three == pulse.in_three and not (groove.straight and pulse.has_thirds)
