"""Beats and bars: from onsets to a tempo map that covers the recording."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from thirdstream.notes.transcription import beats, hypotheses, pulse
from thirdstream.notes.transcription.beats import Bars
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.transcriber import Posteriors


def features_of(n_frames: int, onsets: np.ndarray) -> FrameFeatures:
    flux = np.zeros(n_frames, np.float32)
    flux[np.round(onsets).astype(int)] = 1
    empty = np.zeros((n_frames, 88), np.float16)
    return FrameFeatures(Posteriors(empty, empty), empty, flux, flux, flux, n_frames / FPS)


@pytest.mark.parametrize("tight", pulse.TIGHT)
@pytest.mark.parametrize("tempo", [66, 90, 118, 150, 176])
def test_clicks_are_the_beats(tempo: int, tight: float) -> None:
    onsets = np.arange(20, 30 * FPS, 60 / tempo * FPS)
    strength = pulse.onset_strength(features_of(round(30 * FPS), onsets))
    periods = pulse.tempo_path(pulse.tempogram(strength))
    ratio = np.median(periods) * tempo / 60
    assert np.abs(np.log2(ratio) - np.round(np.log2(ratio))) < 0.05
    found = pulse.track(strength, np.full(len(strength), 60 / tempo * FPS), tight=tight)
    assert np.abs(found[:, None] - onsets).min(axis=1).max() <= 1
    assert abs(len(found) - len(onsets)) <= 1


def test_offbeats_lead_no_pulse_astray_that_is_tight() -> None:
    """Off the beat for eight seconds: the loosest tracking goes along, the tightest does not."""
    period = round(0.4 * FPS)
    true = np.arange(20, 40 * FPS, period)
    late = (true > 12 * FPS) & (true < 20 * FPS)
    strength = pulse.onset_strength(features_of(round(40 * FPS), true + late * (period // 2)))

    def error(tight: float) -> float:
        found = pulse.track(strength, np.full(len(strength), float(period)), tight=tight)
        return float(np.abs(true[:, None] - found).min(axis=1).max())

    assert error(pulse.TIGHT[-1]) <= 2
    assert error(pulse.TIGHT[0]) > 10


def test_trackings_side_by_side_are_those_one_by_one() -> None:
    rng = np.random.default_rng(0)
    strength = rng.random(3000) ** 8
    periods = 40 + 10 * np.sin(np.arange(3000) / 400)
    found = pulse.tracks(strength, periods, pulse.TIGHT)
    assert len({len(one) for one in found}) > 1 or np.ptp(np.stack(found), axis=0).any()
    for one, tight in zip(found, pulse.TIGHT, strict=True):
        np.testing.assert_array_equal(one, pulse.track(strength, periods, tight=tight))


@pytest.mark.parametrize("silence_s", range(8, 40))
def test_silence_after_the_clicks_takes_no_beat_away(silence_s: int) -> None:
    """A running mean over it must not dip below 0, whatever rounding does to its sum."""
    clicks = np.random.default_rng(silence_s).random(round(20 * FPS)) ** 8
    n_frames = round((20 + silence_s) * FPS)
    music = features_of(n_frames, np.array([], int))
    music.flux[: len(clicks)] = clicks
    strength = pulse.onset_strength(music)
    assert np.isfinite(strength).all()
    assert np.isfinite(pulse.tempogram(strength)).all()


@given(
    metre=st.sampled_from(hypotheses.METRES),
    phase=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_bar_lines_are_where_the_accents_are(metre: int, phase: int, seed: int) -> None:
    places = (np.arange(60) - phase) % metre
    accents = 2.0 * (places == 0) + 0.1 * np.random.default_rng(seed).standard_normal(60)
    accents -= accents.mean()
    ((score, path),) = hypotheses.bar_paths([accents], metre)
    np.testing.assert_array_equal(path, places)
    assert all(
        score > hypotheses.bar_paths([accents], m)[0][0] for m in hypotheses.METRES if m != metre
    )


def test_a_lost_beat_costs_one_bar_only() -> None:
    places = np.array([0, 1, 2, 3] * 6 + [0, 1, 2] + [0, 1, 2, 3] * 6)
    ((_, path),) = hypotheses.bar_paths([4.0 * (places == 0) - 1.0], 4)
    np.testing.assert_array_equal(path == 0, places == 0)
    found = beats.even_bars(np.arange(len(places), dtype=float), path, 4)
    assert len(found) % 4 == 0
    assert (np.diff(found) > 0).all()
    assert set(np.arange(27, 51, 4)) <= set(found[::4])


@given(lengths=st.lists(st.integers(4, 40), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_bars_are_found_side_by_side_as_one_by_one(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    accents = [2 * rng.standard_normal(n) for n in lengths]
    for metre in hypotheses.METRES:
        together = hypotheses.bar_paths(accents, metre)
        for one, (score, places) in zip(accents, together, strict=True):
            ((alone, path),) = hypotheses.bar_paths([one], metre)
            assert score == pytest.approx(alone)
            np.testing.assert_array_equal(places, path)


@settings(max_examples=60)
@given(
    start=st.floats(-3, 9),
    beat_s=st.floats(0.2, 1.5),
    n_beats=st.integers(2, 40),
    metre=st.sampled_from([3, 4]),
    rest_s=st.floats(0, 20),
)
def test_the_bars_cover_the_recording(
    start: float, beat_s: float, n_beats: int, metre: int, rest_s: float
) -> None:
    assume(abs(start - beat_s / 4) > 1e-9)  # there, rounding says whether the line is moved
    given_s = start + beat_s * np.arange(n_beats)
    duration_s = max(given_s[-1], 0.1) + rest_s
    found = beats.covering(Bars(given_s, metre), duration_s)
    assert found.beats_s[0] <= 0
    assert found.beats_s[-1] >= duration_s - 1e-9
    assert (len(found.beats_s) - 1) % metre == 0
    assert (np.diff(found.beats_s) > 0).all()
    moved = 0 < start < beat_s / 4
    assert np.abs(found.beats_s[:, None] - given_s[moved:]).min(axis=0).max() < 1e-6


@pytest.mark.parametrize("frame", [0, 1])
def test_a_first_beat_sounds_when_the_recording_begins(frame: int) -> None:
    """Not some milliseconds before it, where no click of it would be."""
    at = frame + np.arange(0, 30 * FPS, 0.5 * FPS)
    places = np.arange(len(at)) % 4
    one = hypotheses.Hypothesis(at, places, 4, np.zeros(1))
    assert beats.as_bars(one, features_of(round(30 * FPS), at)).beats_s[0] == 0
