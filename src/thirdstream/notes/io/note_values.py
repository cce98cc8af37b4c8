"""How a note or a rest is written in its bar: in one value, or in several that are tied.

A metre divides a bar step by step: into groups of beats, beats, halves of beats, quarters. Notes
and rests are cut so that these steps can be seen. All in quarter notes from the bar line, as
fractions.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from thirdstream.notes.metre import Metre

Piece = tuple[Fraction, Fraction]  # from, to

VALUES = [8 * Fraction(1, 2) ** k for k in range(8)]  # from breves to 64ths
PLAIN = frozenset(VALUES) | {value * Fraction(3, 2) for value in VALUES}
OF_TRIPLETS = frozenset(value * Fraction(2, 3) for value in VALUES)
SHORTEST = Fraction(1, 12)
PARTS = [Fraction(n, 12) for n in (48, 36, 24, 18, 12, 9, 8, 6, 4, 3, 2, 1)]  # triplets' too


class Step(NamedTuple):
    """Places that a step of the division adds to those before it. is_crossed: whether a note may
    hide one, if it begins and ends on places of the next step."""

    places: frozenset[Fraction]
    is_crossed: bool


@lru_cache
def steps_of(metre: Metre) -> tuple[Step, ...]:
    """The division of a bar, coarse steps first: its edges, groups, their halves, beats, parts."""
    beats = [Fraction(beat).limit_denominator(64) for beat in metre.beats]
    places = list(accumulate(beats, initial=Fraction(0)))
    groups = list(accumulate(metre.cells, initial=0))
    halves = [first + 2 for first, end in pairwise(groups) if end - first == 4]
    dotted = all(_is_dotted(beat) for beat in beats)
    found = [
        Step(frozenset((places[0], places[-1])), is_crossed=False),
        Step(frozenset(places[number] for number in groups), is_crossed=False),
        Step(frozenset(places[number] for number in halves), is_crossed=True),
        Step(frozenset(places), is_crossed=not dotted),
    ]
    edges = places
    for number in range(2):
        edges = sorted({edge for pair in pairwise(edges) for edge in _parts(pair, number)})
        found.append(Step(frozenset(edges), is_crossed=True))
    known: set[Fraction] = set()
    steps = []
    for step in found:
        if new := step.places - known:
            steps.append(Step(frozenset(new), step.is_crossed))
            known |= new
    return tuple(steps)


def _is_dotted(length: Fraction) -> bool:
    return length.numerator % 3 == 0


def _parts(span: Piece, number: int) -> Iterator[Fraction]:
    """The edges of the halves of a beat, or of its thirds where it is dotted and not divided."""
    start, end = span
    n = 3 if _is_dotted(end - start) and number == 0 else 2
    yield from (start + (end - start) * k / n for k in range(n + 1))


def note_pieces(start: Fraction, end: Fraction, steps: Sequence[Step]) -> list[Piece]:
    """A note within a bar, cut where it must be tied."""
    level, inside = _first_inside(start, end, steps)
    if not inside or _may_hide(start, end, level, inside, steps):
        return list(_expressible(start, end))
    before = _up_to(level, steps)
    cut = inside[0] if start not in before else inside[-1]
    return [*note_pieces(start, cut, steps), *note_pieces(cut, end, steps)]


def rest_pieces(start: Fraction, end: Fraction, steps: Sequence[Step]) -> list[Piece]:
    """A rest within a bar, cut at every place that is on a coarser step than one of its ends."""
    level, inside = _first_inside(start, end, steps)
    edges = _up_to(level - 1, steps)
    length = end - start
    if not inside or (start in edges and end in edges and length in PLAIN):
        return list(_expressible(start, end))
    cuts = [start, *inside, end]
    return [piece for pair in pairwise(cuts) for piece in rest_pieces(*pair, steps)]


def _first_inside(
    start: Fraction, end: Fraction, steps: Sequence[Step]
) -> tuple[int, list[Fraction]]:
    """The coarsest step with places between start and end, and these."""
    usable = len(steps)
    if not _on_steps(start, end, steps):  # of a triplet: nothing within a beat is seen
        usable -= 2
    for level in range(usable):
        inside = sorted(place for place in steps[level].places if start < place < end)
        if inside:
            return level, inside
    return len(steps), []


def _on_steps(start: Fraction, end: Fraction, steps: Sequence[Step]) -> bool:
    places = _up_to(len(steps), steps)
    return start in places and end in places


def _up_to(level: int, steps: Sequence[Step]) -> frozenset[Fraction]:
    """All places of steps to that level."""
    places: frozenset[Fraction] = frozenset()
    return places.union(*(step.places for step in steps[: level + 1]))


def _may_hide(
    start: Fraction, end: Fraction, level: int, inside: Sequence[Fraction], steps: Sequence[Step]
) -> bool:
    """Whether a note may be written in one value over these places of a step."""
    if end - start not in PLAIN:
        return False
    own, finer = _up_to(level, steps), _up_to(level + 1, steps)
    if start in own and end in own:
        return True
    is_near = start in finer and end in finer and steps[level].is_crossed
    return is_near and (len(inside) == 1 or start in own or end in own)


def _expressible(start: Fraction, end: Fraction) -> Iterator[Piece]:
    """A length without a value of its own, such as 5/12, in several."""
    while end - start not in PLAIN | OF_TRIPLETS and end - start > SHORTEST:
        value = next(value for value in PARTS if value < end - start)
        yield start, start + value
        start += value
    yield start, end
