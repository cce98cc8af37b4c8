"""What speaks for the chords of a beat: the beats around it, and other choruses."""

import numpy as np
import pytest

from thirdstream.notes.transcription import chords, context
from thirdstream.notes.transcription.choruses import SHARED, with_other_times
from thirdstream.notes.transcription.weights import context_weights

RNG = np.random.default_rng(0)
CHROMA = RNG.random((20, 3, 12))
PLACES = np.array([chords.place_of(beat, 4) for beat in range(len(CHROMA))])
N_KINDS = len(chords.KINDS)


def suits(chroma: np.ndarray) -> np.ndarray:
    return context.suits(chroma, PLACES[: len(chroma)], context_weights())


@pytest.mark.parametrize("up", [1, 5, 11])
def test_what_sounds_higher_speaks_for_higher_chords(up: int) -> None:
    found = suits(np.roll(CHROMA, up, axis=2))
    np.testing.assert_allclose(found, np.roll(suits(CHROMA), up * N_KINDS, axis=1), atol=1e-9)


def test_a_chord_is_told_by_two_beats_before_and_after() -> None:
    other = CHROMA.copy()
    other[10] += 1
    changed = np.abs(suits(other) - suits(CHROMA)).max(axis=1) > 1e-6
    assert np.flatnonzero(changed).tolist() == [8, 9, 10, 11, 12]


def test_how_many_beats_go_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = suits(CHROMA)
    monkeypatch.setattr(context, "AT_ONCE", 7)
    np.testing.assert_allclose(suits(CHROMA), whole, atol=1e-9)
    assert suits(CHROMA[:0]).shape == (0, chords.N_STATES)


def chorus(n_bars: int) -> np.ndarray:
    """A chord a bar, each another one."""
    found = np.zeros((4 * n_bars, chords.N_STATES))
    states = np.random.default_rng(1).permutation(chords.N_STATES)[:n_bars]
    found[np.arange(4 * n_bars), np.repeat(states, 4)] = 5.0
    return found


def test_what_one_chorus_hides_another_shows() -> None:
    one = chorus(16)
    twice = np.concatenate([one, one])
    hidden = slice(64 + 20, 64 + 24)
    twice[hidden] = 0.0
    found = with_other_times(twice, 4)
    assert (found[hidden].argmax(axis=1) == one[20:24].argmax(axis=1)).all()
    assert (found.argmax(axis=1) == np.concatenate([one, one]).argmax(axis=1)).all()


def test_the_same_twice_is_a_little_surer() -> None:
    twice = np.concatenate([chorus(16), chorus(16)])
    inside = np.r_[20:44, 84:108]  # within whose reach all is the same
    found = with_other_times(twice, 4)[inside]
    np.testing.assert_allclose(found, twice[inside] * 2 / (1 + SHARED), rtol=1e-3)


@pytest.mark.parametrize("n_bars", [1, 7, 24])
def test_without_a_second_time_nothing_changes(n_bars: int) -> None:
    one = chorus(n_bars)
    np.testing.assert_array_equal(with_other_times(one, 4), one)
