"""The sections of a piece."""

import random
from dataclasses import replace

import numpy as np
import pytest

from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.sections import sections_of, similarities
from thirdstream.notes.types import Chord, Note, Score

THREES = Metres.steady(metre(3, 4))


def block(letter: str, n_bars: int, beats: int) -> tuple[list[Note], list[Chord]]:
    """Bars of quarter notes, and a chord each, that no other letter has."""
    rng = random.Random(letter)
    tune = [Note(float(at), 1.0, rng.randint(60, 79)) for at in range(n_bars * beats)]
    roots = [rng.randrange(12) for _ in range(n_bars)]
    return tune, [Chord(float(beats * k), beats, root, (0, 4, 7), root)
                  for k, root in enumerate(roots)]  # fmt: skip


def form(letters: str, *, n_bars: int = 8, metres: Metres | None = None, first: int = 0) -> Score:
    """A piece of blocks, after so many bars of an introduction."""
    metres = metres or Metres.steady(metre(4, 4))
    beats = round(metres.changes[0][1].length)
    tune, chords = block("introduction", first, beats)
    for number, letter in enumerate(letters):
        at = beats * (first + n_bars * number)
        notes, harmony = block(letter, n_bars, beats)
        tune += [replace(one, start=one.start + at) for one in notes]
        chords += [replace(one, start=one.start + at) for one in harmony]
    return Score(letters, tuple(tune), tuple(chords), metres=metres)


@pytest.mark.parametrize("letters", ["AABA", "ABAC", "AABAAABA", "ABAB"])
@pytest.mark.parametrize("metres", [None, THREES])
def test_what_comes_back_has_its_letter(letters: str, metres: Metres | None) -> None:
    found = sections_of(form(letters, metres=metres))
    assert "".join(found.values()) == letters
    assert list(found) == list(range(0, 8 * len(letters), 8))


def test_choruses_of_a_blues_have_twelve_bars() -> None:
    assert sections_of(form("AAA", n_bars=12)) == {0: "A", 12: "A", 24: "A"}


@pytest.mark.parametrize("first", [1, 4])
def test_sections_begin_after_an_introduction(first: int) -> None:
    found = sections_of(form("AABA", first=first))
    assert found == {first: "A", first + 8: "A", first + 16: "B", first + 24: "A"}


def test_a_pickup_belongs_to_no_section() -> None:
    score = form("ABA")
    tune = (Note(3.0, 1.0, 67), *(replace(one, start=one.start + 4) for one in score.melody))
    chords = tuple(replace(one, start=one.start + 4) for one in score.chords)
    assert sections_of(replace(score, melody=tune, chords=chords, pickup=1.0)) == {
        1: "A", 9: "B", 17: "A"
    }  # fmt: skip


@pytest.mark.parametrize("letters", ["A", "ABCD", "ABCDEFGHIJKLMA"])
def test_where_little_comes_back_nothing_is_marked(letters: str) -> None:
    assert sections_of(form(letters)) == {}


def test_short_pieces_and_monotonous_ones_have_no_sections_of_several_letters() -> None:
    assert sections_of(form("AB", n_bars=7)) == {}
    assert set(sections_of(form("AAAA")).values()) <= {"A"}


def test_another_key_is_another_section() -> None:
    first, other = form("ABA"), form("ABA").transposed(5)
    end = first.n_beats
    both = replace(
        first,
        melody=(*first.melody, *(replace(n, start=n.start + end) for n in other.melody)),
        chords=(*first.chords, *(replace(c, start=c.start + end) for c in other.chords)),
    )
    assert "".join(sections_of(both).values()) == "ABACDC"


def test_mistakes_of_a_transcriber_do_not_hide_them() -> None:
    rng, score = random.Random(3), form("AABA")
    heard = tuple(
        replace(note, pitch=note.pitch + rng.choice((0, 0, 0, 0, 2, -5)))
        for note in score.melody
        if rng.random() > 0.2
    )
    assert "".join(sections_of(replace(score, melody=heard)).values()) == "AABA"


def test_bars_are_most_like_themselves() -> None:
    alike = similarities(form("AB"))
    np.testing.assert_allclose(np.diag(alike), 1.0)
    np.testing.assert_allclose(alike, alike.T)
    assert alike.min() >= 0
