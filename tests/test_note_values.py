"""In which values notes and rests are written."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.io.note_values import (
    OF_TRIPLETS,
    PLAIN,
    note_pieces,
    rest_pieces,
    steps_of,
)
from thirdstream.notes.transcription.known import read_metre

METRES = ("4/4", "3/4", "2/4", "2/2", "5/4", "7/4", "3/8", "6/8", "7/8", "9/8", "12/8", "2+2+3/8")


def cut(edges: list[Fraction]) -> list[tuple[Fraction, Fraction]]:
    return list(pairwise(edges))


@pytest.mark.parametrize(
    ("sign", "edges"),
    [
        ("4/4", [0, 4]),
        ("4/4", [0, 3]),
        ("4/4", [1, 3]),  # a half note on two
        ("4/4", [0, 1.5]),
        ("4/4", [0.5, 1.5]),  # a quarter between the beats
        ("4/4", [1.5, 2, 2.5]),  # but not over the middle
        ("4/4", [1, 2, 2.5]),
        ("4/4", [0, 2, 2.5]),
        ("4/4", [0.5, 2, 3]),
        ("4/4", [0.75, 1, 1.25]),
        ("4/4", [0.25, 0.75]),
        ("3/4", [0, 3]),
        ("3/4", [0, 1.5]),
        ("3/4", [0.5, 1, 2.5]),
        ("6/8", [0, 3]),
        ("6/8", [0, 1.5]),
        ("6/8", [0.5, 1.5]),
        ("6/8", [1, 1.5, 2]),
        ("6/8", [0, 1.5, 2]),
        ("12/8", [0, 3]),
        ("12/8", [1.5, 4.5]),
        ("9/8", [1.5, 4.5]),
        ("5/4", [0, 3, 5]),
        ("5/4", [2, 3, 4]),
        ("7/8", [0, 2, 3.5]),
    ],
)
def test_notes_are_cut_where_engravers_cut_them(sign: str, edges: list[float]) -> None:
    exact = [Fraction(edge) for edge in edges]
    assert note_pieces(exact[0], exact[-1], steps_of(read_metre(sign))) == cut(exact)


def test_triplets_are_cut_at_beats_alone() -> None:
    steps, third = steps_of(read_metre("4/4")), Fraction(1, 3)
    assert note_pieces(third, Fraction(1), steps) == cut([third, Fraction(1)])
    assert note_pieces(third, 2 * third, steps) == cut([third, 2 * third])
    assert note_pieces(2 * third, 4 * third, steps) == cut([2 * third, Fraction(1), 4 * third])


@pytest.mark.parametrize(
    ("sign", "edges"),
    [
        ("4/4", [0, 2]),
        ("4/4", [1, 2, 4]),
        ("4/4", [0, 2, 3]),
        ("4/4", [0.5, 1, 2, 4]),
        ("3/4", [0, 1, 2]),
        ("6/8", [0, 1.5]),
        ("6/8", [0.5, 1, 1.5, 3]),
    ],
)
def test_rests_show_beats_and_halves_of_bars(sign: str, edges: list[float]) -> None:
    exact = [Fraction(edge) for edge in edges]
    assert rest_pieces(exact[0], exact[-1], steps_of(read_metre(sign))) == cut(exact)


@given(sign=st.sampled_from(METRES), ends=st.tuples(st.integers(0, 143), st.integers(0, 143)))
def test_every_length_can_be_written(sign: str, ends: tuple[int, int]) -> None:
    """Without gaps, in values that there are."""
    metre = read_metre(sign)
    start, end = (Fraction(at, 12) % Fraction(metre.length) for at in sorted(ends))
    if start >= end:
        return
    for pieces in (f(start, end, steps_of(metre)) for f in (note_pieces, rest_pieces)):
        assert [pieces[0][0], *(last for _, last in pieces)][0] == start
        assert pieces[-1][1] == end
        assert all(one[1] == after[0] for one, after in pairwise(pieces))
        assert all(last - first in PLAIN | OF_TRIPLETS for first, last in pieces)
