"""Bar lines: harmony tells them, wherever a recording begins, and a slip is rare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.transcription import beats, hypotheses
from thirdstream.notes.transcription.activations import Activations
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors
from thirdstream.notes.transcription.weights import downbeat_weights

PERIOD = 43  # frames: 120 beats a minute
ROOTS = (0, 5, 7, 2, 9, 4)  # of major triads, one after the other


def combo(n_beats: int, *, upbeat: int, loud: float, bars_a_chord: int) -> FrameFeatures:
    """Clicks on beats, 2 and 4 so much louder; triads that change on bar lines.

    upbeat: beats before the first bar line.
    """
    n_frames = PERIOD * n_beats
    flux, notes = np.zeros(n_frames, np.float32), np.zeros((n_frames, 88), np.float16)
    for beat in range(n_beats):
        at = slice(PERIOD * beat, PERIOD * (beat + 1))
        flux[at.start] = loud if (beat - upbeat) % 2 else 1.0
        root = ROOTS[(beat - upbeat) // (4 * bars_a_chord) % len(ROOTS)]
        notes[at, [[60 - LOWEST + (root + step) % 12] for step in (0, 4, 7)]] = 0.8
    onsets = np.zeros_like(notes)
    return FrameFeatures(Posteriors(notes, onsets), notes, flux, flux, flux, n_frames / FPS)


def bars_heard(features: FrameFeatures) -> list[np.ndarray]:
    """The frames of the bar lines, of each list of as many beats as there are, counted in four."""
    none = np.full(features.n_frames, 0.1)
    of = hypotheses.levels(features, Activations(none, none), downbeat_weights())
    assert of is not None
    beats, bars = [one.beats for one in of.every], hypotheses.level_bars(of.every, 4)
    return [
        at[places == 0]
        for at, (_, places) in zip(beats, bars, strict=True)
        if np.abs(np.diff(at) - PERIOD).max() < 4 and (at[0] + 4) % PERIOD < 8
    ]


@pytest.mark.parametrize("upbeat", range(4))
def test_loud_backbeats_do_not_draw_bar_lines(upbeat: int) -> None:
    every = bars_heard(combo(96, upbeat=upbeat, loud=4.0, bars_a_chord=4))
    assert every
    for lines in every:
        assert set(np.round(lines / PERIOD).astype(int) % 4) == {upbeat}


@pytest.mark.parametrize("upbeat", [1, 3])
def test_the_first_beat_is_no_change_of_harmony(upbeat: int) -> None:
    """Nothing sounded before it that could have been another chord."""
    features = combo(64, upbeat=upbeat, loud=1.0, bars_a_chord=8)
    none = np.full(features.n_frames, 0.1)
    of = hypotheses.levels(features, Activations(none, none), downbeat_weights())
    assert of is not None
    assert all(one.accents[0] < one.accents.max() / 2 for one in of.every)


@given(first=st.integers(4, 20), place=st.integers(1, 3), seed=st.integers(0, 99))
def test_bars_go_on_through_a_passage_with_other_accents(first: int, place: int, seed: int) -> None:
    """Eight bars with theirs elsewhere move no bar line, where sixteen lie before or after."""
    accents = np.random.default_rng(seed).normal(-0.45, 0.1, 4 * 32)
    late = (np.arange(128) >= 4 * first) & (np.arange(128) < 4 * (first + 8))
    accents[np.arange(128) % 4 == place * late] += 1.85
    ((_, places),) = hypotheses.bar_paths([accents], 4)
    np.testing.assert_array_equal(places, np.arange(128) % 4)


@given(
    metre=st.sampled_from([3, 4]),
    n_beats=st.integers(2, 6),
    beat_s=st.floats(0.2, 1.0),
    seed=st.integers(0, 99),
)
def test_beats_stay_in_a_bar_of_another_length(
    metre: int, n_beats: int, beat_s: float, seed: int
) -> None:
    """All of them where beats are added, and none moves where some are left out."""
    places = np.array([*range(metre)] * 3 + [*range(n_beats)] + [*range(metre)] * 3)
    places[3 * metre : 3 * metre + n_beats] = np.minimum(np.arange(n_beats), metre)
    rng = np.random.default_rng(seed)
    at_s = beat_s * (np.arange(len(places)) + rng.uniform(-0.1, 0.1, len(places)))
    found = beats.even_bars(at_s, places, metre)
    assert (np.diff(found) > 0).all()
    lines = at_s[places == 0]
    assert set(lines) <= set(found[::metre])
    n_steps = metre * max(1, round(n_beats / metre))
    kept = np.isin(at_s, found)
    assert kept.sum() == len(at_s) - max(0, n_beats - n_steps)
    assert np.isin(found, at_s).sum() == kept.sum()


def test_a_lost_beat_is_put_where_it_is_missing() -> None:
    at_s = np.delete(np.arange(13.0), 6)
    places = np.array([0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3, 0])
    np.testing.assert_array_equal(beats.even_bars(at_s, places, 4), np.arange(13.0))


def test_of_trackings_that_are_as_good_the_steadiest_counts() -> None:
    rng = np.random.default_rng(0)
    steady, places = 40.0 * np.arange(40), np.arange(40) % 4
    loose = steady + rng.uniform(-3, 3, 40)
    found = [
        hypotheses.Hypothesis(at, places, metre, np.zeros(1))
        for at, metre in ((loose, 4), (steady, 4), (2 * steady, 4), (steady, 3))
    ]
    assert beats.best_of(found, np.array([5.0, 4.9, 4.95, 4.95])) is found[1]
    assert beats.best_of(found, np.array([5.0, 4.0, 4.95, 4.95])) is found[0]
