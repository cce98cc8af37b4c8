"""In which order the bars of a score are played: repeats, endings, D.C., D.S., Fine and coda.

Bars are played whole: a Fine, "To Coda", D.C. or D.S. is at the end of its bar, a segno or coda at
the beginning. After D.C. or D.S. repeats are not taken, unless the score says so, and of several
endings the last is played, as is the custom.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

MAX_BARS = 10_000  # played; more no piece has
MAX_JUMPS = 100


@dataclass
class Marks:
    """What is written at a bar. Labels of segno and coda may be empty; None is for no mark.

    backward: how often the section that ends here is played, 0 where none ends. endings: the
    numbers of an ending that begins here. after_jump: repeated after D.C. and D.S. too.
    """

    forward: bool = False
    backward: int = 0
    after_jump: bool = False
    endings: tuple[int, ...] | None = None
    ends: bool = False
    segno: str | None = None
    coda: str | None = None
    to_coda: str | None = None
    da_capo: bool = False
    dal_segno: str | None = None
    fine: bool = False

    @property
    def jumps(self) -> bool:
        """Whether D.C. or D.S. is written."""
        return self.da_capo or self.dal_segno is not None

    def add(self, other: "Marks") -> None:
        """Take over what is written at the same bar of another part."""
        for name, value in vars(other).items():
            if value not in (None, False, 0) and getattr(self, name) in (None, False, 0, ""):
                setattr(self, name, value)


class Endless(ValueError):
    """More bars are played than a piece has."""


@dataclass
class Bracket:
    """An ending: its bars, first and last, and the times at which it is played; section: which it
    ends, -1 where nothing is repeated."""

    first: int
    last: int
    numbers: tuple[int, ...]
    section: int = -1


@dataclass
class Section:
    """Bars that are repeated from the first, `total` times."""

    first: int
    total: int
    after_jump: bool


def played(bars: Sequence[Marks]) -> tuple[list[int], list[str]]:
    """The numbers of the bars, from 0, in the order in which they are played; and what of the marks
    could not be followed, as sentences. Raises Endless."""
    walk = _Walk(bars)
    remarks = walk.remarks()
    return list(walk.bars()), remarks


class _Walk:
    """A player's way through the bars."""

    def __init__(self, bars: Sequence[Marks]) -> None:
        self.marks, self.brackets = bars, _brackets(bars)
        self.sections, self.ends = _sections(bars, self.brackets)
        self.bracket = {n: one for one in self.brackets for n in range(one.first, one.last + 1)}
        self.targets, self.codas = _targets(bars), _codas(bars)
        self.times = [1] * len(self.sections)  # at which each section is
        self.has_jumped, self.n_jumps = False, 0

    def remarks(self) -> list[str]:
        """What of the marks cannot be followed."""
        lost = [number + 1 for number, target in self.targets.items() if target is None]
        found = [f"bar {bar} goes back to a segno that is not there; it goes on" for bar in lost]
        if len(lost) < len(self.targets):
            found += [f"bar {number + 1} goes to a coda that is not there; it goes on"
                      for number, target in self.codas.items() if target is None]  # fmt: skip
        return found + [f"bar {one.first + 1} begins an ending, but nothing leads back before it; "
                        "it is played" for one in self.brackets if one.section < 0]  # fmt: skip

    def bars(self) -> Iterator[int]:
        """Their numbers."""
        at, n_played, n_steps = 0, 0, 0
        while at < len(self.marks):
            n_steps += 1
            bracket = self.bracket.get(at)
            if bracket is not None and not self._plays(bracket):
                at = bracket.last + 1
                continue
            n_played += 1
            if n_played > MAX_BARS or n_steps > 10 * MAX_BARS:
                raise Endless
            yield at
            if self.has_jumped and self.marks[at].fine:
                return
            at = self._after(at)

    def _plays(self, bracket: Bracket) -> bool:
        return bracket.section < 0 or self.times[bracket.section] in bracket.numbers

    def _after(self, at: int) -> int:
        """The bar after one that has been played."""
        if self.has_jumped and (coda := self.codas.pop(at, None)) is not None:
            return coda
        number = self.ends.get(at, -1)
        if number >= 0 and self.times[number] < self.sections[number].total:
            self.times[number] += 1
            first = self.sections[number].first
            self._begin(
                takewhile(lambda n: self.sections[n].first >= first, reversed(range(number)))
            )
            return first
        if (target := self.targets.pop(at, None)) is not None:
            self.has_jumped = True
            self.n_jumps += 1
            if self.n_jumps > MAX_JUMPS:
                raise Endless
            self._begin(range(len(self.sections)))
            return target
        return at + 1

    def _begin(self, numbers: Iterable[int]) -> None:
        """Set sections to their first time, or to their only one after D.C. and D.S."""
        for number in numbers:
            section = self.sections[number]
            only = self.has_jumped and not section.after_jump
            self.times[number] = section.total if only else 1


def _brackets(bars: Sequence[Marks]) -> list[Bracket]:
    """All endings. One without an end, and one that ends before the repeat that the next ending
    follows, is as long as to there; else one bar. One without a beginning is one bar."""
    begins: list[int] = []
    is_open = False
    for number, bar in enumerate(bars):
        alone = bar.ends and bar.backward > 0 and not is_open
        if bar.endings is not None or alone:
            begins.append(number)
        is_open = (is_open or bar.endings is not None) and not (bar.ends or bar.backward)
    found = []
    for first, following in pairwise([*begins, len(bars)]):
        inside = range(first, following)
        last = next((n for n in inside if bars[n].ends or bars[n].backward), first)
        repeat = next((n for n in inside if bars[n].backward), -1)
        if repeat == following - 1 < len(bars) - 1:
            last = repeat
        found.append(Bracket(first, last, bars[first].endings or ()))
    return found


def _groups(brackets: Sequence[Bracket]) -> list[list[Bracket]]:
    """Endings that follow each other. Where they have no numbers, or the same, or
    not from 1 on, they are counted."""
    groups: list[list[Bracket]] = []
    for one in brackets:
        if groups and one.first == groups[-1][-1].last + 1:
            groups[-1].append(one)
        else:
            groups.append([one])
    for group in groups:
        numbers = [number for one in group for number in one.numbers or (0,)]
        if len(set(numbers)) < len(numbers) or min(numbers) != 1:
            for number, one in enumerate(group, 1):
                one.numbers = (number,)
    return groups


def _sections(
    bars: Sequence[Marks], brackets: Sequence[Bracket]
) -> tuple[list[Section], dict[int, int]]:
    """The sections that are repeated, inner ones first, and which of them a bar ends. A section
    without a beginning is from the one before."""
    groups = [group for group in _groups(brackets) if _leads_back(bars, group)]
    inside = {n: group for group in groups for one in group
              for n in range(one.first, one.last + 1)}  # fmt: skip
    sections: list[Section] = []
    ends: dict[int, int] = {}
    begun: list[int] = []
    free = 0  # the first bar that no section holds
    for number, bar in enumerate(bars):
        if bar.forward:
            begun.append(number)
        group = inside.get(number)
        if not bar.backward and not (group and bar.jumps and group[0].section < 0):
            continue
        known = group[0].section if group else -1
        if known < 0:
            # Where only D.C. or D.S. leads back to an ending, nothing is repeated before it.
            first = number if not bar.backward else begun.pop() if begun else free
            sections.append(Section(first, _total(bar, group), bar.after_jump))
            known = len(sections) - 1
            for one in group or ():
                one.section = known
        if bar.backward:
            ends[number] = known
        free = group[-1].last + 1 if group else number + 1
    return sections, ends


def _leads_back(bars: Sequence[Marks], group: Sequence[Bracket]) -> bool:
    """Whether there is a repeat, or D.C. or D.S., in each ending but the last, so that all can be
    played at their times."""
    return all(
        any(bars[n].backward or bars[n].jumps for n in range(one.first, one.last + 1))
        for one in group[: max(len(group) - 1, 1)]
    )


def _total(bar: Marks, group: Sequence[Bracket] | None) -> int:
    """How often a section is played; after a lone ending it goes on without one."""
    if not group:
        return bar.backward
    last = max(number for one in group for number in one.numbers)
    return last if len(group) > 1 else last + 1


def _targets(bars: Sequence[Marks]) -> dict[int, int | None]:
    """Where each D.C. and D.S. leads: to the segno of its label, else to the nearest before."""
    signs = [number for number, bar in enumerate(bars) if bar.segno is not None]
    labelled = {bars[number].segno: number for number in reversed(signs)}
    found: dict[int, int | None] = {}
    for number, bar in enumerate(bars):
        if bar.dal_segno is not None:
            nearest = signs[max(bisect_right(signs, number) - 1, 0)] if signs else None
            found[number] = labelled.get(bar.dal_segno or None, nearest)
        elif bar.da_capo:
            found[number] = 0
    return found


def _codas(bars: Sequence[Marks]) -> dict[int, int | None]:
    """Where each "To Coda" leads: to the coda of its label, else to the last."""
    signs = [number for number, bar in enumerate(bars) if bar.coda is not None]
    labelled = {bars[number].coda: number for number in signs}
    found: dict[int, int | None] = {}
    for number, bar in enumerate(bars):
        if bar.to_coda is not None:
            coda = labelled.get(bar.to_coda or None, max(signs, default=-1))
            found[number] = coda if coda > number else None
    return found
