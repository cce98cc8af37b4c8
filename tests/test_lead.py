"""What a track plays of a score's melody."""

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.types import Note

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from lead import lead

MELODY = [Note(float(2 * k), 2.0, 60 + (0, 2, 4, 5, 7)[k % 5]) for k in range(10)]


@given(octave=st.sampled_from((-12, 0, 12)), late=st.floats(-0.5, 0.2))
def test_a_melody_played_anywhere_is_found_whole(octave: int, late: float) -> None:
    played = [Note(note.start + late, 1.0, note.pitch + octave) for note in MELODY]
    assert lead(played, MELODY) == (tuple(played), ())


def test_chords_of_the_same_player_are_left_out() -> None:
    chords = [Note(note.start, 1.0, note.pitch - part) for note in MELODY for part in (3, 7, 24)]
    assert lead(sorted([*chords, *MELODY]), MELODY) == (tuple(MELODY), ())


def test_approach_notes_and_octaves_are_ornaments() -> None:
    approach, octave = Note(3.6, 0.3, 63), Note(6.0, 2.0, 77)
    assert lead(sorted([*MELODY, approach, octave]), MELODY) == (
        tuple(MELODY),
        (approach, octave),
    )


def test_other_notes_are_none_of_it() -> None:
    others = [Note(0.9, 0.3, 61), Note(5.0, 0.3, 63), Note(7.0, 0.5, 60)]
    assert lead(sorted([*MELODY, *others]), MELODY) == (tuple(MELODY), ())
    assert lead(others, []) == ((), ())
