"""Metres: time signatures, the beats in which they are felt, and where each holds in a piece."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, permutations

UNITS = (4, 8, 16, 32)  # notes that bars of any length are counted in


@dataclass(frozen=True)
class Metre:
    """A time signature, and how it is felt.

    count, unit: 6 and 8 of six eighths. beats: how long each is, in quarter notes. cells: how many
    beats each pattern of an accompaniment covers; 3 and 2 where five are felt as three and two.
    """

    count: int
    unit: int
    beats: tuple[float, ...]
    cells: tuple[int, ...]

    @property
    def length(self) -> float:
        """Quarter notes."""
        return 4 * self.count / self.unit

    @property
    def name(self) -> str:
        return f"{self.count}/{self.unit}"

    @property
    def is_even(self) -> bool:
        """Whether all beats are equally long."""
        return len(set(self.beats)) == 1

    @cached_property
    def places(self) -> tuple[float, ...]:
        """Where the beats begin, in quarter notes from the bar line."""
        return tuple(accumulate(self.beats[:-1], initial=0.0))


def metre(count: int, unit: int, groups: Sequence[int] = ()) -> Metre:
    """The metre of a time signature; groups: how its notes go together, where that is known.

    Quarters, and longer notes, are counted in quarters: 5/4 as 3+2, 3/2 as 2+2+2. Eighths, and
    shorter notes, in threes are dotted beats: 6/8 has two of 1.5; three alone are three beats, as
    in a waltz. Others are long and short beats: 7/8 is 2+2+3, 5/8 is 3+2.
    """
    if unit <= 4:
        size = 4 // unit
        cells = [group * size for group in groups] if groups else _cells(count, size)
        return Metre(count, unit, (1.0,) * (count * size), tuple(cells))
    short = 4 / unit
    if not groups and count <= 4 and count != 0:
        return Metre(count, unit, (short,) * count, (count,))
    groups = groups or _threes_and_twos(count)
    beats = [part * short for group in groups for part in _beats(group)]
    return Metre(count, unit, tuple(beats), tuple(_cells(len(beats), 1)))


def _cells(count: int, size: int) -> list[int]:
    """Beats in cells of four, three and two, long ones first; halves stay together in threes."""
    if size > 1 and count == 3:
        return [size] * 3
    n = count * size
    if n <= 4:
        return [n]
    fours: list[int] = []
    while n > 5 and (n % 3 or n % 4 == 0):
        fours.append(4)
        n -= 4
    return fours + ([3, 2] if n == 5 else [3] * (n // 3) if n % 3 == 0 else [n])


def _threes_and_twos(count: int) -> list[int]:
    """Short notes in groups: all threes; else threes first, but sevens end with theirs."""
    n_threes = next(n for n in range(count // 3, -1, -1) if (count - 3 * n) % 2 == 0)
    n_twos = (count - 3 * n_threes) // 2
    groups = [3] * n_threes + [2] * n_twos
    return groups[::-1] if n_threes == 1 and n_twos > 1 else groups


def _beats(group: int) -> list[int]:
    """A group of short notes as beats of three and two of them."""
    return [group] if group <= 3 else _threes_and_twos(group)


def of_length(length: float) -> Metre:
    """The metre of a bar of so many quarter notes, counted in the longest note that does it.

    Where that is shorter than an eighth, in quarters, the last of them longer or alone.
    """
    unit = next((u for u in UNITS if abs(round(length * u / 4) - length * u / 4) < 1e-3), UNITS[-1])
    count = max(round(length * unit / 4), 1)
    if unit <= 8:
        return metre(count, unit)
    n = max(int(length), 1)
    beats = (*[1.0] * (n - 1), 4 * count / unit - (n - 1))
    return Metre(count, unit, beats, tuple(_cells(n, 1)))


def fitting(one: Metre, weights: Mapping[float, float]) -> Metre:
    """The metre, or the same with its groups in the order in which most begins with them.

    weights: how much begins at places of the bar, in quarter notes.
    """
    shorts = 4 / one.unit
    groups = one.cells if one.unit <= 4 else tuple(round(beat / shorts) for beat in one.beats)
    if one.unit < 4 or len(set(groups)) == 1 or len(groups) > 5:
        return one

    def begins(order: Sequence[int]) -> float:
        places = [sum(order[:number]) * shorts for number in range(1, len(order))]
        return sum(weights.get(round(place, 3), 0.0) for place in places) / len(places)

    best = max(dict.fromkeys([groups, *sorted(set(permutations(groups)))]), key=begins)
    if begins(best) <= 1.05 * begins(groups):
        return one
    return metre(one.count, one.unit, best)


@dataclass(frozen=True)
class Metres:
    """From which quarter note each metre holds: the first from 0, the others from bar lines."""

    changes: tuple[tuple[float, Metre], ...]
    _firsts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        firsts = [0]
        for (start, one), (end, _) in zip(self.changes, self.changes[1:], strict=False):
            firsts.append(firsts[-1] + max(round((end - start) / one.length), 1))
        object.__setattr__(self, "_firsts", tuple(firsts))

    @classmethod
    def steady(cls, one: Metre) -> "Metres":
        """One metre throughout."""
        return cls(((0.0, one),))

    @classmethod
    def of_bars(cls, bars: Sequence[Metre]) -> "Metres":
        """A metre for each bar; the last holds on."""
        changes: list[tuple[float, Metre]] = []
        at = 0.0
        for one in bars:
            if not changes or changes[-1][1] != one:
                changes.append((at, one))
            at += one.length
        return cls(tuple(changes))

    def fitted(self, begins: Iterable[tuple[float, float]]) -> "Metres":
        """The same, bars with groups of several sizes in the order that suits what begins in them.

        begins: places in quarter notes, and how much begins there.
        """
        weights: dict[Metre, dict[float, float]] = {}
        for at, weight in begins:
            of = weights.setdefault(self.metre_at(at), {})
            place = round(self.within(at), 3)
            of[place] = of.get(place, 0.0) + weight
        return Metres(tuple(
            (at, fitting(one, weights.get(one, {})) if one == metre(one.count, one.unit) else one)
            for at, one in self.changes
        ))  # fmt: skip

    def _run(self, at: float) -> int:
        return max(bisect_right(self.changes, at, key=lambda change: change[0]) - 1, 0)

    def metre_at(self, at: float) -> Metre:
        """Of the bar in which a quarter note lies."""
        return self.changes[self._run(at)][1]

    def bar(self, at: float) -> int:
        """The number of the bar in which a quarter note lies, from 0."""
        run = self._run(at)
        start, one = self.changes[run]
        return self._firsts[run] + int((at - start) // one.length)

    def number(self, at: float) -> float:
        """The number of the bar, from 0, and how much of it has gone by."""
        run = self._run(at)
        start, one = self.changes[run]
        return self._firsts[run] + (at - start) / one.length

    def within(self, at: float) -> float:
        """Quarter notes from the bar line."""
        start, one = self.changes[self._run(at)]
        return (at - start) % one.length

    def line(self, bar: int) -> float:
        """The quarter note on which a bar begins."""
        run = max(bisect_right(self._firsts, bar) - 1, 0)
        start, one = self.changes[run]
        return start + (bar - self._firsts[run]) * one.length

    def metre_of(self, bar: int) -> Metre:
        """Of a bar by its number."""
        return self.changes[max(bisect_right(self._firsts, bar) - 1, 0)][1]

    def n_bars(self, end: float) -> int:
        """Whole bars that hold so many quarter notes."""
        return math.ceil(self.number(end) - 1e-6)

    @property
    def is_plain(self) -> bool:
        """Whether every beat is a quarter note."""
        return all(set(one.beats) == {1.0} for _, one in self.changes)

    def usual(self, end: float) -> Metre:
        """The one that holds longest in so many quarter notes."""
        spans: dict[Metre, float] = {}
        ends = [*(start for start, _ in self.changes[1:]), end]
        for (start, one), stop in zip(self.changes, ends, strict=True):
            spans[one] = spans.get(one, 0.0) + max(stop - start, 0.0)
        return max(spans, key=lambda one: spans[one])


COMMON_TIME = Metres.steady(metre(4, 4))
