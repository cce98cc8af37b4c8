"""Leaps, repetition and dissonance of notes, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from thirdstream.evaluation import musicality
from thirdstream.evaluation.metrics import Notes

EMPTY = Notes(np.zeros((0, 2)), np.zeros(0))


def tune(pitches: list[int], beat_s: float = 0.5) -> Notes:
    """One note after the other."""
    onsets = beat_s * np.arange(len(pitches))
    return Notes(np.stack([onsets, onsets + beat_s], axis=1), np.array(pitches, float))


def chord(*pitches: int) -> Notes:
    """From 0 s to 1 s."""
    return Notes(np.tile([0.0, 1.0], (len(pitches), 1)), np.array(pitches, float))


def joined(*parts: Notes) -> Notes:
    return Notes(*(np.concatenate(one) for one in zip(*parts, strict=True)))


def test_a_scale_has_no_large_leap_octaves_are_all_and_a_fifth_is_none() -> None:
    assert musicality.large_leap_share(tune([60, 62, 64, 65, 67])) == 0
    assert musicality.large_leap_share(tune([60, 72, 60, 72])) == 1
    assert musicality.large_leap_share(tune([60, 67, 75, 76])) == approx(1 / 3)
    assert musicality.large_leap_share(EMPTY) is None
    assert musicality.large_leap_share(tune([60])) is None


def test_the_melody_is_the_highest_voice_and_rests_make_phrases() -> None:
    melody = tune([72, 74, 76, 77])
    bass = tune([36, 48, 36, 48])
    assert musicality.melody_intervals(joined(melody, bass)) == [[2, 2, 1]]
    held = Notes(np.array([[0.0, 4.0]]), np.array([84.0]))
    assert musicality.melody_intervals(joined(melody, held)) == []  # a note held above it
    later = Notes(melody.intervals + 4.0, melody.pitches)
    assert musicality.melody_intervals(joined(melody, later)) == [[2, 2, 1], [2, 2, 1]]


def test_a_motif_that_comes_again_at_any_pitch_is_repetition() -> None:
    assert musicality.repetition(tune([60, 62, 64, 65] * 1)) == 0
    assert musicality.repetition(tune([60, 61] * 8)) == 1
    first, again = tune([60, 62, 65, 64]), tune([67, 69, 72, 71])
    later = Notes(again.intervals + 10.0, again.pitches)
    assert musicality.repetition(joined(first, later)) == 1
    assert musicality.repetition(tune([60, 61])) is None
    walk = np.cumsum(np.random.default_rng(0).integers(-7, 8, 60)) + 60
    assert (musicality.repetition(tune(walk.tolist())) or 0) < 0.2


@pytest.mark.parametrize(
    ("pitches", "expected"),
    [
        ((60, 64, 67), 0),
        ((60, 63, 67), 0),
        ((60, 61), 1),
        ((60, 71), 1),
        ((60, 66), 1),
        ((60, 67, 79), 0),  # an octave is one pitch class
        ((55, 59, 62, 65), 1 / 3),  # a dominant seventh chord
        ((60, 62, 64), 2 / 3),
    ],
)
def test_dissonance_on_a_beat_by_hand(pitches: tuple[int, ...], expected: float) -> None:
    assert musicality.beat_dissonance(chord(*pitches), [0.2]) == approx(expected)
    assert musicality.beat_dissonance(chord(*pitches), [0.2, 5.0]) == approx(expected)


def test_no_beats_and_single_notes_have_no_dissonance() -> None:
    assert musicality.beat_dissonance(chord(60, 61), []) is None
    assert musicality.beat_dissonance(chord(60), [0.2]) is None
    assert musicality.beat_dissonance(EMPTY, [0.2]) is None


@given(
    pitches=st.lists(st.integers(30, 90), min_size=5, max_size=30),
    by=st.integers(-12, 12),
    slower=st.floats(0.5, 2.0),
)
def test_nothing_depends_on_the_key_and_leaps_not_on_the_tempo(
    pitches: list[int], by: int, slower: float
) -> None:
    notes, moved = tune(pitches), tune([one + by for one in pitches], beat_s=0.5 * slower)
    for metric in (musicality.large_leap_share, musicality.repetition):
        assert metric(moved) == metric(notes)
    raised = Notes(notes.intervals, notes.pitches + by)
    beats = notes.intervals[:, 0]
    assert musicality.beat_dissonance(raised, beats) == musicality.beat_dissonance(notes, beats)
