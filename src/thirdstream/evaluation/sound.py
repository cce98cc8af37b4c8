"""How does a result sound, by itself? Loudness range, noise, spectral balance and attacks.

What compares with real recordings has to be read beside theirs: copies of the target's recordings
are a row of every table.
"""

import librosa
import numpy as np
import pyloudnorm
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from thirdstream.audio import spectral_balance
from thirdstream.audio.spectral_balance import N_FFT, third_octaves
from thirdstream.evaluation.metrics import Array, MetricError, checked_waves

BLOCK_S, OVERLAP = 3.0, 1 - 0.1 / 3.0  # of loudness: every 0.1 s
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -20.0  # LUFS, LU
RANGE = (10, 95)  # percentiles

LEAST_RATE = 36_000  # Hz, so that the last third octave is there

NOISE_FROM = 9  # the first third octave with bins enough beside a partial: 400 Hz
QUIETEST = 10  # per cent of the time
MEDIAN = np.log(2)  # of noise's power, in its mean
NOISE_FLOOR_DB = -120.0  # the lowest answer

ENVELOPE_S, ENVELOPE_HOP_S = 0.006, 0.0015
AROUND_S = 0.15  # on each side of an onset, where an attack begins and ends
RISE_DB, RISE_S = 6.0, 0.05  # of an onset, at least, and how quickly
LEAST_ATTACKS = 3


def loudness_range_lu(wave: ArrayLike, sr: int) -> float:
    """The loudness range LRA: between the 10th and the 95th percentile of short-term loudness.

    Blocks of 3 s, every 0.1 s, K-weighted; those below -70 LUFS, and 20 LU below the mean of the
    others, are left out. Range 0 (always as loud) up; unit LU. 0 of silence. Raises MetricError on
    waves shorter than 3 s. Source: EBU Tech 3342; pyloudnorm's filters.
    """
    (found,) = checked_waves(wave=wave)
    if len(found) < BLOCK_S * sr:
        raise MetricError(f"a loudness range needs {BLOCK_S:g} s (got {len(found) / sr:.1f})")
    meter = pyloudnorm.Meter(sr, block_size=BLOCK_S, overlap=OVERLAP)
    meter.integrated_loudness(found)
    blocks = np.array(meter.blockwise_loudness)
    blocks = blocks[blocks >= ABSOLUTE_GATE]
    if not len(blocks):
        return 0.0
    mean = 10 * np.log10(np.mean(10 ** (blocks / 10)))
    low, high = np.percentile(blocks[blocks >= mean + RELATIVE_GATE], RANGE)
    return float(high - low)


def third_octaves_db(wave: ArrayLike, sr: int) -> Array:
    """The long-term average spectrum by third octaves, (26,), as of `audio.spectral_balance`.

    Raises MetricError on rates below 36 kHz.
    """
    (found,) = checked_waves(wave=wave)
    if sr < LEAST_RATE:
        raise MetricError(f"third octaves up to 16 kHz need 36 kHz (got {sr}); resample first")
    return spectral_balance.third_octaves_db(found, sr)


def noise_floor_db(wave: ArrayLike, sr: int) -> float:
    """The noise between the notes: its power below that of the whole, in dB.

    Of each third octave from 400 Hz to 16 kHz the median power of its bins, which a few partials do
    not raise, in the quietest tenth of the time; as a share of the median that white noise has, all
    summed, by the power in these bands. Range -120 (no noise) to about 0 (nothing else); silence
    has -120; what leaks from partials has about -50. Raises MetricError on rates below 36 kHz.
    After the minimum statistics of Martin (2001).
    """
    (found,) = checked_waves(wave=wave)
    if sr < LEAST_RATE:
        raise MetricError(f"a noise floor needs 36 kHz (got {sr}); resample first")
    powers, noise, total = _powers(found, N_FFT), 0.0, 0.0
    for inside in third_octaves(sr, N_FFT)[NOISE_FROM:]:
        medians = np.median(powers[inside], axis=0) / MEDIAN
        noise += float(np.percentile(medians, QUIETEST)) * int(inside.sum())
        total += float(powers[inside].sum(axis=0).mean())
    if total == 0 or noise / total < 10 ** (NOISE_FLOOR_DB / 10):
        return NOISE_FLOOR_DB
    return float(10 * np.log10(noise / total))


def attack_ms(wave: ArrayLike, sr: int) -> float | None:
    """How sharp onsets are: the median time of their rises from 10 % to 90 %, in ms.

    An onset is where the level (RMS of 6 ms, every 1.5 ms) rises by 6 dB or more within 50 ms, more
    than at any other place 0.15 s around; its rise goes from the least amplitude 0.15 s before to
    the largest 0.15 s after. About 1 ms (clicks) up. None with fewer than three onsets, as in
    noise. Source: the attack time of Peeters et al., The Timbre Toolbox (2011).
    """
    (found,) = checked_waves(wave=wave)
    hop = max(1, round(ENVELOPE_HOP_S * sr))
    mean = uniform_filter1d(np.square(found), max(1, round(ENVELOPE_S * sr)), mode="constant")
    envelope = np.sqrt(np.maximum(mean[::hop], 0))
    levels = 20 * np.log10(np.maximum(envelope, max(float(envelope.max()), 1e-9) * 1e-4))
    reach, lag = (round(seconds * sr / hop) for seconds in (AROUND_S, RISE_S))
    rising = levels - np.pad(levels, (lag, 0), mode="edge")[: len(levels)]
    onsets, _ = find_peaks(rising, height=RISE_DB, distance=reach)
    rises = [_rise(envelope[max(0, at - reach) : at + reach], min(at, reach)) for at in onsets]
    return float(np.median(rises) * 1000 * hop / sr) if len(rises) >= LEAST_ATTACKS else None


def _rise(part: Array, onset: int) -> float:
    """Frames between 10 % and 90 % of the way from a part's least value before an onset to its
    largest after it."""
    end = onset + int(part[onset:].argmax())
    start = onset - int(part[onset::-1].argmin())
    heights = (part[start : end + 1] - part[start]) / max(float(part[end] - part[start]), 1e-12)
    first = len(heights) - 1 - int((heights[::-1] <= 0.1).argmax())  # the last below
    return _crossing(heights, first, 0.9) - _crossing(heights, first, 0.1)


def _crossing(heights: Array, first: int, height: float) -> float:
    """Where after `first` a height is first passed, between frames."""
    after = first + int((heights[first:] > height).argmax())
    below, above = heights[after - 1], heights[after]
    return after - 1 + float((height - below) / max(above - below, 1e-12))


def _powers(wave: Array, n_fft: int) -> Array:
    """Power (n_bins, n_frames) of windows inside a wave, one at least; hop a quarter of n_fft."""
    whole = np.pad(wave, (0, max(0, n_fft - len(wave))))
    return np.square(np.abs(librosa.stft(whole, n_fft=n_fft, hop_length=n_fft // 4, center=False)))
