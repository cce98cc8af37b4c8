"""Metrics by closed forms, known values, invariances, and good input crossed with bad."""

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from conftest import music, tone
from thirdstream.evaluation import metrics
from thirdstream.evaluation.metrics import MetricError, Notes
from thirdstream.files import ThirdstreamError

SR = 22_050
WAVE = music(0, 3 * SR, sr=SR)
OTHER = music(1, 3 * SR, sr=SR)
ROLL = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
NOTES = Notes(np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]), np.array([60.0, 64.0, 67.0]))
BEATS = np.arange(0.5, 10, 0.5)
ROWS = np.random.default_rng(0).standard_normal((40, 3))


def chord(*hz: float, seconds: float = 3.0) -> np.ndarray:
    return sum(tone(int(seconds * SR), hz=one, sr=SR) for one in hz)  # type: ignore[return-value]


# --- content ------------------------------------------------------------------------------------


def test_chroma_of_the_same_music_is_one_whatever_its_level_or_octave() -> None:
    assert metrics.chroma_cosine(reference=WAVE, estimate=WAVE, sr=SR) == pytest.approx(1)
    assert metrics.chroma_cosine(reference=WAVE, estimate=WAVE / 9, sr=SR) == pytest.approx(1)
    low, high = chord(220.0), chord(440.0)
    assert metrics.chroma_cosine(reference=low, estimate=high, sr=SR) > 0.97


def test_chroma_of_a_tritone_is_near_zero_and_of_silence_zero() -> None:
    a, e_flat = chord(440.0), chord(440.0 * 2**0.5)
    assert metrics.chroma_cosine(reference=a, estimate=e_flat, sr=SR) < 0.1
    assert metrics.chroma_cosine(reference=a, estimate=np.zeros_like(a), sr=SR) == 0
    half = np.concatenate([a[: len(a) // 2], np.zeros(len(a) - len(a) // 2)])
    assert metrics.chroma_cosine(reference=a, estimate=half, sr=SR) == pytest.approx(0.5, abs=0.06)
    assert metrics.chroma_cosine(reference=half, estimate=half, sr=SR) == pytest.approx(1)
    with pytest.raises(MetricError, match="nothing sounds"):
        metrics.chroma_cosine(reference=0 * a, estimate=0 * a, sr=SR)


def test_jaccard_by_hand() -> None:
    other = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
    # frames: same; {0, 1} against {1}: a half; both empty: left out; nothing in common
    assert metrics.pitch_jaccard_distance(reference=ROLL, estimate=other) == 0.5
    assert metrics.pitch_jaccard_distance(reference=0 * ROLL, estimate=0 * ROLL) == 0
    assert metrics.pitch_jaccard_distance(reference=ROLL, estimate=0 * ROLL) == 1
    with pytest.raises(MetricError, match="threshold"):
        metrics.pitch_jaccard_distance(reference=ROLL * 0.3, estimate=ROLL)


@given(seed=st.integers(0, 1000))
def test_jaccard_is_a_symmetric_share(seed: int) -> None:
    first, second = np.random.default_rng(seed).random((2, 5, 7)) < 0.3
    distance = metrics.pitch_jaccard_distance(reference=first, estimate=second)
    assert 0 <= distance <= 1
    assert metrics.pitch_jaccard_distance(reference=second, estimate=first) == distance
    assert metrics.pitch_jaccard_distance(reference=first, estimate=first) == 0


@pytest.mark.parametrize(
    ("onset_s", "cents", "expected"),
    [(0.0, 0, 1.0), (0.049, 0, 1.0), (0.051, 0, 0.0), (0.0, 49, 1.0), (0.0, 51, 0.0)],
)
def test_a_note_counts_within_50_ms_and_50_cents(
    onset_s: float, cents: float, expected: float
) -> None:
    moved = Notes(NOTES.intervals + onset_s, NOTES.pitches + cents / 100)
    assert metrics.note_scores(reference=NOTES, estimate=moved) == (expected, expected, expected)


def test_note_scores_by_hand() -> None:
    longer = Notes(NOTES.intervals * [1, 1] + [0, 5], NOTES.pitches)
    assert metrics.note_scores(reference=NOTES, estimate=longer).f1 == 1  # offsets are ignored
    fewer = Notes(NOTES.intervals[:1], NOTES.pitches[:1])
    none = Notes(np.zeros((0, 2)), np.zeros(0))
    assert metrics.note_scores(reference=NOTES, estimate=fewer) == pytest.approx((1, 1 / 3, 0.5))
    assert metrics.note_scores(reference=NOTES, estimate=none) == (0, 0, 0)
    assert metrics.note_scores(reference=none, estimate=none) == (1, 1, 1)


def test_beats_of_a_click_train_are_heard() -> None:
    wave = np.zeros(12 * SR, np.float32)
    clicks = np.arange(0.5, 11.5, 0.5)
    for at in clicks:
        wave[int(at * SR) : int(at * SR) + 200] = tone(200, hz=1000, sr=SR)
    assert metrics.beat_f_measure(reference=clicks, estimate=metrics.beat_times(wave, SR)) > 0.9
    assert len(metrics.beat_times(np.zeros(3 * SR), SR)) == 0


def test_beat_f_measure_by_hand() -> None:
    assert metrics.beat_f_measure(reference=BEATS, estimate=BEATS + 0.06) == 1
    assert metrics.beat_f_measure(reference=BEATS, estimate=BEATS + 0.08) == 0
    every_other = metrics.beat_f_measure(reference=BEATS[::2], estimate=BEATS)
    assert every_other == pytest.approx(2 * 10 / (10 + 19))
    assert metrics.beat_f_measure(reference=BEATS, estimate=[]) == 0
    assert metrics.beat_f_measure(reference=[], estimate=[]) == 1


def test_melody_recall_by_hand() -> None:
    melody = Notes(
        np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]), np.array([60, 62, 64, 71])
    )
    same = Notes(melody.intervals + 0.09, melody.pitches - 12)
    assert metrics.melody_recall(melody=melody, estimate=same) == 1
    late = Notes(melody.intervals + 0.11, melody.pitches)
    assert metrics.melody_recall(melody=melody, estimate=late) == 0
    half = Notes(melody.intervals[:2], melody.pitches[:2] + 24)
    assert metrics.melody_recall(melody=melody, estimate=half) == 0.5
    once = Notes(melody.intervals[[0, 0, 0]], np.array([48, 60, 72]))  # one note is found once
    assert metrics.melody_recall(melody=melody, estimate=once) == 0.25
    nothing = Notes(np.zeros((0, 2)), np.zeros(0))
    assert metrics.melody_recall(melody=melody, estimate=nothing) == 0
    with pytest.raises(MetricError, match="no notes"):
        metrics.melody_recall(melody=nothing, estimate=melody)


# --- style and sets -----------------------------------------------------------------------------


def test_timbre_knows_no_level_and_tells_bright_from_dark() -> None:
    noise = np.random.default_rng(0).standard_normal(SR) * 0.1
    dark = np.convolve(noise, np.ones(30) / 30, mode="same")
    assert metrics.timbre(noise, SR) == pytest.approx(metrics.timbre(noise / 7, SR), abs=1e-2)
    assert np.linalg.norm(metrics.timbre(noise, SR) - metrics.timbre(dark, SR)) > 30


def test_timbre_distances_by_hand() -> None:
    reference = [[0.0, 0.0], [2.0, 0.0]]
    distances = metrics.timbre_distances(reference=reference, estimate=[[1.0, 0.0], [4.0, 4.0]])
    assert distances == pytest.approx([0, 5])
    assert metrics.timbre_floor(reference) == 2


def test_fad_of_known_gaussians() -> None:
    means = np.zeros(3), np.array([1.0, 2.0, 2.0])
    scales = np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 4.0, 1.0])
    # commuting covariances: |m1 - m2|^2 + sum of squared differences of the deviations
    expected = 9 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2
    assert metrics.gaussian_frechet_distance(means=means, covariances=scales) == pytest.approx(14)
    assert expected == 14
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    turned = turn @ scales[0] @ turn.T, turn @ scales[1] @ turn.T
    moved = turn @ means[0], turn @ means[1]
    assert metrics.gaussian_frechet_distance(means=moved, covariances=turned) == pytest.approx(14)


def test_fad_of_samples_nears_the_closed_form() -> None:
    generator = np.random.default_rng(0)
    first = generator.standard_normal((20_000, 2))
    second = 1.0 + 2.0 * generator.standard_normal((20_000, 2))
    found = metrics.frechet_audio_distance(reference=first, estimate=second)
    assert found == pytest.approx(2 + 2, rel=0.05)
    assert metrics.frechet_audio_distance(reference=first, estimate=first) < 1e-9


def test_kad_by_hand() -> None:
    reference, estimate = [[0.0], [1.0]], [[0.0], [2.0]]
    b = 1.0  # the only distance within the reference
    k = {d: math.exp(-(d**2) / (2 * b**2)) for d in (0, 1, 2)}
    expected = k[1] + k[2] - 2 * (k[0] + k[2] + k[1] + k[1]) / 4
    assert metrics.median_bandwidth(reference) == b
    found = metrics.kernel_audio_distance(reference=reference, estimate=estimate)
    assert found == pytest.approx(expected)


def test_kad_of_one_distribution_is_zero_on_average_and_often_below() -> None:
    generator = np.random.default_rng(0)
    values = []
    for _ in range(200):
        first, second = generator.standard_normal((2, 20, 3))
        values.append(metrics.kernel_audio_distance(reference=first, estimate=second))
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))
    assert 0.3 < np.mean(np.less(values, 0)) < 0.8
    far = generator.standard_normal((20, 3)) + 100
    assert metrics.kernel_audio_distance(reference=ROWS, estimate=far) > 0.5


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.01, 100), shift=st.floats(-50, 50), seed=st.integers(0, 99))
def test_set_distances_move_as_they_should(scale: float, shift: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = generator.standard_normal((12, 4)), generator.standard_normal((9, 4)) + 0.5
    kad = metrics.kernel_audio_distance(reference=first, estimate=second)
    fad = metrics.frechet_audio_distance(reference=first, estimate=second)
    moved = {"reference": scale * first + shift, "estimate": (scale * second + shift)[::-1]}
    assert metrics.kernel_audio_distance(**moved) == pytest.approx(kad, abs=1e-6)
    assert metrics.frechet_audio_distance(**moved) == pytest.approx(scale**2 * fad, rel=1e-4)
    assert fad >= 0


def test_the_floor_keeps_recordings_together() -> None:
    groups = [ROWS[start : start + 5] for start in range(0, 40, 5)]
    floor = metrics.reference_floor(groups, seed=0)
    assert floor == metrics.reference_floor(groups, seed=0)
    assert abs(floor.kad) < 0.1
    assert floor.fad > 0
    apart = [rows + 10 * at for at, rows in enumerate(groups)]  # each recording is its own world
    assert metrics.reference_floor(apart, seed=0).kad > floor.kad
    with pytest.raises(MetricError, match="halved"):
        metrics.reference_floor(groups[:1], seed=0)


# --- sound --------------------------------------------------------------------------------------


def test_mel_error_and_consistency_by_hand() -> None:
    mel = np.array([[1.0, 4.0], [9.0, 0.0]])
    assert metrics.mel_error(reference=mel, estimate=mel + 0.5) == 0.5
    assert metrics.mel_consistency(reference=mel, estimate=mel) == 0
    assert metrics.mel_consistency(reference=mel, estimate=0 * mel) == 1
    assert metrics.mel_consistency(reference=mel, estimate=4 * mel) == pytest.approx(1)
    with pytest.raises(MetricError, match="silent"):
        metrics.mel_consistency(reference=0 * mel, estimate=mel)


@pytest.mark.parametrize("db", [-12.0, -3.0, 0.0, 6.0])
def test_a_change_of_level_is_its_log_spectral_distance(db: float) -> None:
    noise = np.random.default_rng(0).standard_normal(SR)  # nothing of it is near the floor
    louder = noise * 10 ** (db / 20)
    found = metrics.log_spectral_distance_db(reference=noise, estimate=louder)
    assert found == pytest.approx(abs(db), abs=0.01)


def test_multi_resolution_stft_of_the_same_is_zero_and_grows_with_noise() -> None:
    noise = np.random.default_rng(0).standard_normal(len(WAVE))
    values = [
        metrics.multi_resolution_stft(reference=WAVE, estimate=WAVE + level * noise)
        for level in (0, 0.01, 0.1)
    ]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[0] < values[1] < values[2]


def test_shares_by_hand() -> None:
    wave = np.concatenate([np.ones(50), 0.5 * np.ones(50), np.zeros(100)])
    assert metrics.clipping_share(wave) == 0.25
    assert metrics.dc_offset(wave) == pytest.approx(0.375)
    assert metrics.silence_share(wave, 200) == 0.5  # frames of 10 samples
    assert metrics.silence_share(wave[:3], 200) == 0


# --- summary ------------------------------------------------------------------------------------


def test_the_bootstrap_covers_the_mean_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "N_RESAMPLES", 500)
    generator, hits = np.random.default_rng(0), 0
    for seed in range(200):
        found = metrics.bootstrap(generator.standard_normal(40), seed=seed)
        assert found.low <= found.mean <= found.high
        hits += found.low <= 0 <= found.high
    assert 0.88 < hits / 200 < 0.99
    assert metrics.bootstrap([3.0], seed=0) == (3.0, 3.0, 3.0, 1, 1)
    assert metrics.bootstrap([1, 2, 5], seed=7) == metrics.bootstrap([1, 2, 5], seed=7)


def test_ten_of_ten_are_no_certainty() -> None:
    """Wilson's bounds of n of n are n / (n + z^2) and 1; of none, mirrored."""
    z2 = 1.959964**2
    assert metrics.proportion([1] * 10) == pytest.approx((1, 10 / (10 + z2), 1, 10, 10))
    assert metrics.proportion([0] * 10) == pytest.approx((0, 0, z2 / (10 + z2), 10, 10))
    with pytest.raises(MetricError, match="must be 0 or 1"):
        metrics.proportion([0.5])


def test_recordings_of_one_piece_tell_as_much_as_one() -> None:
    """A second take of each piece that comes out the same makes no interval narrower."""
    values, pieces = [0.1, 0.4, 0.5, 0.9], ["a", "b", "c", "d"]
    twice = metrics.bootstrap(2 * values, seed=3, pieces=2 * pieces)
    assert twice[:3] == pytest.approx(metrics.bootstrap(values, seed=3)[:3])
    assert (twice.n, twice.n_pieces) == (8, 4)
    assert metrics.bootstrap(values, seed=3, pieces=4 * ["a"]).n_pieces == 1  # says nothing
    alone = metrics.bootstrap(2 * values, seed=3)
    assert alone.high - alone.low < twice.high - twice.low
    shares = metrics.proportion([1, 0, 1, 1] * 2, pieces=2 * pieces)
    assert (shares.n, shares.n_pieces) == (8, 4)
    assert shares[:3] == pytest.approx(metrics.proportion([1, 0, 1, 1])[:3])
    with pytest.raises(MetricError, match="give one for each"):
        metrics.bootstrap(values, seed=3, pieces=pieces[:2])


def test_a_share_has_the_interval_of_scipy() -> None:
    for n_right in range(8):
        expected = binomtest(n_right, 7).proportion_ci(method="wilson")
        found = metrics.proportion([1] * n_right + [0] * (7 - n_right))
        assert found[1:3] == pytest.approx((expected.low, expected.high))


# --- good x bad ---------------------------------------------------------------------------------

PAIRED: dict[str, tuple[Callable[..., Any], Any]] = {
    "chroma": (lambda **two: metrics.chroma_cosine(**two, sr=SR), WAVE),
    "jaccard": (metrics.pitch_jaccard_distance, ROLL),
    "beats": (metrics.beat_f_measure, BEATS),
    "timbre": (metrics.timbre_distances, ROWS),
    "kad": (metrics.kernel_audio_distance, ROWS),
    "fad": (metrics.frechet_audio_distance, ROWS),
    "mel": (metrics.mel_error, ROWS),
    "consistency": (metrics.mel_consistency, ROWS**2),
    "lsd": (metrics.log_spectral_distance_db, WAVE),
    "mrstft": (metrics.multi_resolution_stft, WAVE),
}
BAD = {
    "empty": lambda good: good[:0],
    "NaN": lambda good: np.where(np.arange(good.size).reshape(good.shape) == 3, np.nan, good),
    "infinite": lambda good: np.where(good == good.flat[3], np.inf, good.astype(float)),
    "axes": lambda good: good[None],
    "text": lambda good: good.astype(str).astype(object) + "x",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", PAIRED)
def test_good_is_good_and_bad_on_either_side_raises(name: str, bad: str) -> None:
    metric, good = PAIRED[name]
    assert np.isfinite(metric(reference=good, estimate=good)).all()
    if (name, bad) == ("beats", "empty"):
        return  # a recording without a pulse has no beats
    for sides in ((good, BAD[bad](good)), (BAD[bad](good), good)):
        with pytest.raises(ThirdstreamError):
            metric(reference=sides[0], estimate=sides[1])


@pytest.mark.parametrize("name", ["chroma", "jaccard", "mel", "consistency", "lsd", "mrstft"])
def test_other_lengths_raise(name: str) -> None:
    metric, good = PAIRED[name]
    with pytest.raises(ValueError):
        metric(reference=good, estimate=good[..., :-1])


@pytest.mark.parametrize("bad", [[], [math.nan], [[1.0]], ["a"]])
@pytest.mark.parametrize(
    "metric",
    [
        metrics.clipping_share,
        metrics.dc_offset,
        lambda wave: metrics.silence_share(wave, SR),
        lambda wave: metrics.timbre(wave, SR),
        lambda wave: metrics.beat_times(wave, SR),
        lambda wave: metrics.bootstrap(wave, seed=0),
        metrics.proportion,
    ],
)
def test_bad_waves_raise(metric: Callable[..., Any], bad: list[Any]) -> None:
    with pytest.raises(MetricError):
        metric(bad)


@pytest.mark.parametrize(
    "bad",
    [
        Notes(np.array([[-0.1, 1.0]]), np.array([60.0])),
        Notes(np.array([[1.0, 1.0]]), np.array([60.0])),
        Notes(np.array([[0.0, 1.0]]), np.array([60.0, 61.0])),
        Notes(np.array([[0.0, math.nan]]), np.array([60.0])),
    ],
)
def test_bad_notes_raise(bad: Notes) -> None:
    with pytest.raises(MetricError):
        metrics.note_scores(reference=bad, estimate=NOTES)
    with pytest.raises(MetricError):
        metrics.note_scores(reference=NOTES, estimate=bad)


def test_rates_beats_sets_and_bandwidths_that_cannot_be_raise() -> None:
    with pytest.raises(MetricError, match="rate"):
        metrics.silence_share(WAVE, 0)
    with pytest.raises(MetricError, match="rise"):
        metrics.beat_f_measure(reference=[2.0, 1.0], estimate=BEATS)
    with pytest.raises(MetricError, match="too small"):
        metrics.kernel_audio_distance(reference=ROWS, estimate=ROWS[:1])
    with pytest.raises(MetricError, match="differ"):
        metrics.frechet_audio_distance(reference=ROWS, estimate=ROWS[:, :2])
    with pytest.raises(MetricError, match="the same"):
        metrics.median_bandwidth(np.ones((4, 2)))
    with pytest.raises(MetricError, match="above 0"):
        metrics.kernel_audio_distance(reference=ROWS, estimate=ROWS, bandwidth=0.0)
    with pytest.raises(MetricError, match="negative"):
        metrics.mel_consistency(reference=-ROWS, estimate=ROWS)


COMPILED = """
import numpy as np
from numba.core.caching import Cache
from thirdstream.evaluation import metrics

asked, load = [], Cache.load_overload  # is asked for whatever a process has not compiled yet
Cache.load_overload = lambda self, *of: asked.append(self._name) or load(self, *of)
metrics.compile_all()
assert asked
asked.clear()
waves = np.random.default_rng(0).uniform(-1, 1, (2, 200_000)).astype("float32")
for wave in waves:
    metrics.beat_times(wave, 44_100)
    metrics.timbre(wave, 44_100)
metrics.chroma_cosine(reference=waves[0], estimate=waves[1], sr=44_100)
metrics.log_spectral_distance_db(reference=waves[0], estimate=waves[1])
assert not asked, asked
"""


def test_nothing_is_left_to_compile_once_all_is_compiled() -> None:
    """Else two processes that measure for the first time could spoil numba's cache."""
    subprocess.run([sys.executable, "-c", COMPILED], check=True, timeout=300)
