"""The rhythm that a lead sheet of a recording is written in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.io.bars import notes_by_bar
from thirdstream.notes.io.note_values import note_pieces, steps_of
from thirdstream.notes.io.rhythm import plain_rhythm
from thirdstream.notes.metre import Metre, Metres, metre
from thirdstream.notes.types import Note, Score

COMMON, COMPOUND = metre(4, 4), metre(6, 8)


def written(
    *spans: tuple[float, float], sign: Metre = COMMON, tempo: float = 120.0
) -> list[list[float]]:
    """Starts and lengths of a melody's notes as they are written."""
    melody = tuple(Note(start, length, 60 + k) for k, (start, length) in enumerate(spans))
    score = Score("", melody, (), Metres.steady(sign), beats_per_minute=tempo)
    return [[note.start, note.length] for note in plain_rhythm(score).melody]


def test_a_short_rest_before_a_beat_is_closed() -> None:
    assert written((0, 0.5), (1, 0.5), (2, 1)) == [[0, 1], [1, 1], [2, 1]]
    assert written((0, 0.25), (2, 2)) == [[0, 1], [2, 2]]
    assert written((0.5, 0.25), (1, 1)) == [[0.5, 0.5], [1, 1]]
    assert written((0, 1.5), (3, 1)) == [[0, 2], [3, 1]]


def test_a_dotted_beat_is_filled_by_what_is_half_of_it_or_more() -> None:
    assert written((0, 1.0), (1.5, 1.5), sign=COMPOUND) == [[0, 1.5], [1.5, 1.5]]
    assert written((0, 0.5), (1.5, 1.5), sign=COMPOUND) == [[0, 0.5], [1.5, 1.5]]


def test_rests_of_a_beat_stay_and_no_note_grows_into_the_next() -> None:
    spans = [(0, 1), (2, 1), (3.5, 0.5), (4, 2), (7, 1)]
    assert written(*spans) == [list(one) for one in spans]
    assert written((0, 0.25), (0.5, 0.5), (1, 1)) == [[0, 0.5], [0.5, 0.5], [1, 1]]


def test_a_note_off_the_beat_ends_on_one() -> None:
    assert written((0.5, 1.0), (4, 1)) == [[0.5, 1.5], [4, 1]]
    assert written((1.5, 1.25), (4, 1)) == [[1.5, 1.5], [4, 1]]


def test_what_is_left_after_a_bar_line_is_left_out_before_a_rest() -> None:
    assert written((3, 1.5), (6, 1)) == [[3, 1], [6, 1]]
    assert written((3, 1.5), (4.5, 1.5)) == [[3, 1.5], [4.5, 1.5]]
    assert written((3, 2), (6, 1)) == [[3, 2], [6, 1]]


def test_a_sixteenth_before_a_bar_line_begins_on_it() -> None:
    assert written((2, 1.75), (3.75, 2.25)) == [[2, 2], [4, 2]]
    assert written((0, 1), (3.75, 2.25)) == [[0, 1], [4, 2]]
    assert written((0, 1), (3.5, 2.5)) == [[0, 1], [3.5, 2.5]]


def test_ornaments_are_left_out_and_short_notes_of_slow_pieces_are_not() -> None:
    grace = [(0, 1.75), (1.75, 0.25), (2, 2)]
    assert written(*grace, tempo=200) == [[0, 2], [2, 2]]
    assert written(*grace, tempo=100) == [list(one) for one in grace]
    assert written((0, 1), (2, 0.25), (2.25, 0.75), tempo=200) == [[0, 1], [2, 1]]
    run = [(0.25 * k, 0.25) for k in range(8)]
    assert len(written(*run, (2, 0.25), tempo=200)) == 9


def test_a_pickup_stays_as_short_as_it_is() -> None:
    assert written((3.75, 2.25))[0] == [3.75, 2.25]


SPANS = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12)), min_size=1, max_size=12)


def n_ties(score: Score) -> int:
    return sum(
        len(note_pieces(one.start, one.end, steps_of(score.metres.metre_of(number))))
        - 1
        + one.tied_on
        for number, inside in notes_by_bar(score).items()
        for one in inside
    )


@pytest.mark.parametrize("sign", [COMMON, COMPOUND, metre(3, 4), metre(7, 8)], ids=lambda m: m.name)
@given(SPANS)
def test_a_melody_keeps_its_notes_in_order_and_gets_no_more_ties(
    sign: Metre, spans: list[tuple[int, int]]
) -> None:
    melody, at = [], 0.0
    for gap, length in spans:
        melody.append(Note(at + gap / 4, length / 4, 60))
        at = melody[-1].end
    score = Score("", tuple(melody), (), Metres.steady(sign), beats_per_minute=60.0)
    plain = plain_rhythm(score)
    assert len(plain.melody) == len(melody)  # nothing is an ornament at 60
    for before, after in zip(melody, plain.melody, strict=True):
        assert 0 <= after.start - before.start <= 0.25 and after.length > 0
    assert all(one.end <= after.start + 1e-6 for one, after in pairwise(plain.melody))
    assert n_ties(plain) <= n_ties(score)
    assert plain_rhythm(plain).melody == plain.melody
