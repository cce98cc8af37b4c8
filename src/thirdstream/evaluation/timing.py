"""Does a result keep time with its original? Drift over the whole, bar lines, and tempo.

No beats are needed, so no tracker can mistake the pulse. Onsets of the same pitch class fall
together in both recordings, apart from a lag; how that lag changes from the start to the end is the
drift.
"""

from functools import cache
from typing import NamedTuple

import librosa
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import convolve1d, map_coordinates

from thirdstream.evaluation.metrics import (
    ANALYSIS_SR,
    Array,
    MetricError,
    Notes,
    at_analysis_rate,
    checked_array,
    checked_waves,
)

N_FFT, HOP = 2048, 256  # samples at ANALYSIS_SR: 93 ms, 11.6 ms
FRAMES_PER_S = ANALYSIS_SR / HOP
WINDOW_S, STEP_S = 8.0, 1.0  # what a lag is measured in, and how often
LEAST_S = 3.0
MAX_LAG_MS = 200.0  # in the middle of the recording
MAX_DRIFT_MS = 400.0  # from the first window to the last
GRID_MS = 5.0
LAGS_MS = np.arange(-MAX_LAG_MS, MAX_LAG_MS + 1, GRID_MS)
REACH = int(np.ceil((MAX_LAG_MS + MAX_DRIFT_MS / 2) / 1000 * FRAMES_PER_S)) + 1  # frames
LOG_GAIN = 100.0
TEMPO_TOLERANCE = 0.04
BAR_TOLERANCE_S = 0.07  # as of beats
BARS_AROUND = 2  # on each side of a bar line
ONSET_FRAMES = 7  # over which an onset of the score is spread: 81 ms


class Drift(NamedTuple):
    """drift_ms: by how much the estimate's lag grows from start to end. lag_ms: in the middle.
    agreement: of the onsets along that line, a correlation; unrelated music has about 0.1."""

    drift_ms: float
    lag_ms: float
    agreement: float


def drift(*, reference: ArrayLike, estimate: ArrayLike, sr: int) -> Drift:
    """How far the estimate runs away from the reference; positive where it becomes late.

    In windows of 8 s, every second, the onsets of both (rises of log chroma, hop 11.6 ms) are
    correlated over all lags. Of all straight lines of lag over time, that with the highest mean
    correlation is taken: its rise over the whole recording is the drift. A constant lag is none.

    Range: 0 is in time; lines of up to 400 ms between the middles of the first window and the last
    are looked for, so unrelated music has some hundred milliseconds. Where one of both has no
    onsets, the drift is the largest there is. Unit: milliseconds. Precision: the other versions of
    the benchmark's test pieces (30 s, n = 14) have 3 ms in the median and 21 ms at most. Raises
    MetricError on waves shorter than 3 s, of different lengths, or not finite.
    """
    waves = checked_waves(reference=reference, estimate=estimate)
    if len(waves[0]) < LEAST_S * sr:
        raise MetricError(f"a drift needs {LEAST_S:g} s (got {len(waves[0]) / sr:.1f}); give more")
    duration_s = len(waves[0]) / sr
    first, second = (_onsets(wave, sr) for wave in waves)
    correlations, times = _correlogram(first, second)
    span_s = float(times[-1] - times[0])
    drifts = np.arange(-MAX_DRIFT_MS, MAX_DRIFT_MS + 1, GRID_MS) if span_s else np.zeros(1)
    if not correlations.any():
        return Drift(MAX_DRIFT_MS * duration_s / max(span_s, STEP_S), 0.0, 0.0)
    along = np.array([_along(correlations, times, one) for one in drifts])
    row, column = np.unravel_index(along.argmax(), along.shape)
    found = drifts[row] + GRID_MS * _vertex(along[:, column], int(row))
    lag = LAGS_MS[column] + GRID_MS * _vertex(along[row], int(column))
    return Drift(
        float(found * duration_s / span_s) if span_s else 0.0, float(lag), float(along.max())
    )


def bar_lines_kept(
    *, melody: Notes, bars_s: ArrayLike, wave: ArrayLike, sr: int
) -> NDArray[np.bool_]:
    """Which bar lines of a score a recording keeps: one answer for each that has melody around it.

    melody: the score's, in seconds. bars_s: its bar lines (n_lines,), at least two. Of each line,
    the melody of two bars before and after it, by pitch class, is looked for among the recording's
    onsets, up to half a bar too early and too late. The line is kept if the best place is within
    70 ms of its own. So it says that the score's bars are where they were; whether a drum accents
    them is not asked. Unrelated music keeps about a tenth. Raises MetricError on fewer lines, lines
    that do not rise, and waves that are empty or not finite.
    """
    lines = checked_array(bars_s, "bars_s", ndim=1)
    if len(lines) < 2 or (np.diff(lines) <= 0).any():
        raise MetricError("bar lines must be two or more, and rise; leave shorter excerpts out")
    (found,) = checked_waves(wave=wave)
    onsets, bar_s = _onsets(found, sr), float(np.median(np.diff(lines)))
    wanted, reach = _onsets_of(melody, onsets.shape[1]), round(bar_s / 2 * FRAMES_PER_S)
    lags = np.arange(-reach, reach + 1) / FRAMES_PER_S
    padded = np.pad(onsets, [(0, 0), (reach, reach)])
    kept = []
    for line in lines:
        ends = np.round((line + bar_s * np.array([-BARS_AROUND, BARS_AROUND])) * FRAMES_PER_S)
        first, last = np.clip(ends.astype(int), 0, onsets.shape[1])
        here, there = wanted[:, first:last], padded[:, first : last + 2 * reach]
        if here.any():
            kept.append(abs(lags[_agreement(here, there).argmax()]) <= BAR_TOLERANCE_S)
    return np.array(kept, bool)


def _onsets_of(melody: Notes, n_frames: int) -> Array:
    """The onsets of notes by pitch class, as `_onsets` has those of a wave."""
    found = np.zeros((12, n_frames))
    frames = np.round(melody.intervals[:, 0] * FRAMES_PER_S).astype(int)
    inside = (frames >= 0) & (frames < n_frames)
    classes = np.round(melody.pitches[inside]).astype(int) % 12
    np.add.at(found, (classes, frames[inside]), 1.0)
    return convolve1d(found, np.hanning(ONSET_FRAMES), axis=1, mode="constant")


def _agreement(here: Array, there: Array) -> Array:
    """The cosine of `here` (12, n) with each stretch as long of `there` (12, n + n_lags - 1)."""
    products = sum(np.correlate(b, a, "valid") for a, b in zip(here, there, strict=True))
    powers = np.cumsum(np.pad(np.square(there).sum(axis=0), (1, 0)))
    size = here.shape[1]
    return products / np.sqrt(np.maximum(powers[size:] - powers[:-size], 1e-12))


@cache
def _filters() -> Array:
    return librosa.filters.chroma(sr=ANALYSIS_SR, n_fft=N_FFT, tuning=0.0)


def _onsets(wave: Array, sr: int) -> Array:
    """Rises of log chroma, (12, n_frames): where a note of a pitch class begins."""
    low = at_analysis_rate(wave, sr)
    magnitudes = np.abs(librosa.stft(low, n_fft=N_FFT, hop_length=HOP))
    chroma = np.log1p(LOG_GAIN * _filters() @ (magnitudes / max(float(magnitudes.max()), 1e-9)))
    return np.maximum(0.0, np.diff(chroma, axis=1))


def _correlogram(first: Array, second: Array) -> tuple[Array, Array]:
    """Correlation of windows by time and lag, (n_windows, n_lags), and their middles in seconds.

    Lags in frames, from the largest that is looked for before to that after.
    """
    n_frames = first.shape[1]
    size = min(round(WINDOW_S * FRAMES_PER_S), max(1, n_frames // 2))
    rows, times = [], []
    taper = np.hanning(size)
    for start in range(0, n_frames - size + 1, round(STEP_S * FRAMES_PER_S)):
        parts = [one[:, start : start + size] for one in (first, second)]
        parts = [(one - one.mean(axis=1, keepdims=True)) * taper for one in parts]
        spectra = [np.fft.rfft(one, size + REACH, axis=1) for one in parts]
        product = (spectra[1] * spectra[0].conj()).sum(axis=0)
        whole = np.fft.irfft(product, size + REACH)
        size_of_both = np.prod([np.linalg.norm(one) for one in parts])
        rows.append(np.concatenate([whole[-REACH:], whole[: REACH + 1]]) / max(size_of_both, 1e-9))
        times.append((start + size / 2) / FRAMES_PER_S)
    return np.array(rows), np.array(times)


def _along(correlations: Array, times: Array, drift_ms: float) -> Array:
    """The mean correlation along lines of one drift, by their lag in the middle, (n_lags,)."""
    span = max(float(times[-1] - times[0]), 1e-9)
    shifts = drift_ms * ((times - times[0]) / span - 0.5)
    lags = (LAGS_MS[None] + shifts[:, None]) / 1000 * FRAMES_PER_S + REACH
    rows = np.broadcast_to(np.arange(len(times))[:, None], lags.shape)
    return map_coordinates(correlations, [rows, lags], order=1).mean(axis=0)


def _vertex(values: Array, at: int) -> float:
    """Where between -1 and 1 the parabola through a peak and its neighbours is highest."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, peak, after = values[at - 1 : at + 2]
    bend = before - 2 * peak + after
    return float(np.clip(0.5 * (before - after) / bend, -1, 1)) if bend < 0 else 0.0


def tempo_of(beats: ArrayLike) -> float:
    """Beats a minute of beat times in seconds, by the mean interval; 0 of fewer than two."""
    times = checked_array(beats, "beats", ndim=1, empty=True)
    if (np.diff(times) < 0).any():
        raise MetricError("beat times must rise; sort them")
    if len(times) < 2 or times[-1] == times[0]:
        return 0.0
    return float(60 * (len(times) - 1) / (times[-1] - times[0]))


def tempo_kept(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """Whether two rows of beat times have one tempo, within 4 %, or double or half of it: 1 or 0.

    Accuracy 2 without thirds: Gouyon et al., An experimental comparison of audio tempo induction
    algorithms (2006). Without beats on one side 0, on both 1. Raises MetricError on falling times.
    """
    first, second = tempo_of(reference), tempo_of(estimate)
    if not first or not second:
        return float(first == second)
    ratios = (second / first / factor for factor in (0.5, 1, 2))
    return float(any(abs(one - 1) <= TEMPO_TOLERANCE for one in ratios))
