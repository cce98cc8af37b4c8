"""The drums of a recording: what strikes in the low, middle and high bands beside its notes.

A stroke is a peak of a band's flux. Drums are sure where the high band is struck often and is
bright then, and the low band is struck hard: a harpsichord does the first, a piano the last. Drums
without cymbals are told by resynthesis.py.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, median_filter
from scipy.signal import stft

from thirdstream.audio import SR, Wave

Array = NDArray[np.float64]

N_FFT, HOP = 1024, 512
FPS = SR / HOP
COMPRESSION = 1000.0
BANDS_HZ = ((30.0, 110.0), (1500.0, 5000.0), (7000.0, 16_000.0))  # of drum, snare, cymbals
KICK, SNARE, CLOSED_HAT, RIDE = 36, 38, 42, 51
LEAST = (0.9, 0.55, 0.7)  # flux from which a band's peak is a stroke
PEAK_S = (0.25, 0.1, 0.08)  # width of a peak in each band
BACKGROUND_S = 1.0
OFTEN, HARD = 0.55, 1.2  # high strokes a second, and the low band's strongest flux, of drums
BRIGHT_DB = -19.5  # the high band over the middle one where it is struck, of cymbals
STRONGEST = 99.5  # percentile of a band's flux
SHORT_S, SHORT = 0.15, 0.5  # when a closed hi-hat has lost this share of its rise
AT_ONCE = 30 * SR


class Stroke(NamedTuple):
    """A stroke: when, which drum (General MIDI key), how hard (MIDI velocity)."""

    at_s: float
    drum: int
    velocity: int


@dataclass(frozen=True)
class _Bands:
    """(3, n_frames): compressed level of each band, and how much it rises, less what is usual."""

    level: Array
    flux: Array


class Strokes(NamedTuple):
    """What may be drum strokes of a recording, in order, and whether it has drums for sure."""

    strokes: list[Stroke]
    is_sure: bool


def strokes_of(wave: Wave) -> Strokes:
    """Those of a mono wave at 44,100 Hz and -20 dB."""
    bands = _bands(wave)
    low, middle, high = (_peaks(*band) for band in zip(bands.flux, LEAST, PEAK_S, strict=True))
    often = len(high) >= OFTEN * bands.flux.shape[1] / FPS
    hard = np.percentile(bands.flux[0], STRONGEST) >= HARD
    strokes = [_stroke(bands, 0, at, KICK) for at in low]
    strokes += [_stroke(bands, 1, at, SNARE) for at in middle if _is_noise(bands, at)]
    strokes += [_stroke(bands, 2, at, _cymbal(bands, at)) for at in high]
    return Strokes(sorted(strokes), bool(often and hard and _is_bright(bands, high)))


def _is_bright(bands: _Bands, strokes: NDArray[np.int_]) -> bool:
    """Whether the high band is as strong as cymbals make it, beside the middle one: a piano's
    attacks reach it, too, but softly."""
    around = np.minimum(strokes[:, None] + np.arange(3), bands.level.shape[1] - 1)
    middle, high = (np.expm1(bands.level[k][around].max(axis=1)) for k in (1, 2))
    over_db = 20 * np.log10((high + 1e-4) / (middle + 1e-3))
    return bool(np.median(over_db) >= BRIGHT_DB)


def _bands(wave: Wave) -> _Bands:
    starts = range(0, max(len(wave), 1), AT_ONCE)
    level = np.concatenate([_levels(wave[start : start + AT_ONCE]) for start in starts], axis=1)
    rise = np.maximum(np.diff(level, axis=1, prepend=level[:, :1]), 0)
    usual = median_filter(rise, size=(1, round(BACKGROUND_S * FPS)))
    return _Bands(level, np.maximum(rise - 2 * usual, 0))


def _levels(wave: Wave) -> Array:
    padded = np.pad(wave, (0, -len(wave) % HOP))
    hz, _, spectrum = stft(padded, SR, nperseg=N_FFT, noverlap=N_FFT - HOP, boundary="zeros")
    power = np.square(np.abs(spectrum))
    rows = [power[(hz >= low) & (hz < high)].sum(axis=0) for low, high in BANDS_HZ]
    return np.log1p(COMPRESSION * np.sqrt(rows))[:, : len(padded) // HOP]


def _peaks(flux: Array, least: float, width_s: float) -> NDArray[np.int_]:
    size = 2 * round(width_s * FPS / 2) + 1
    return np.flatnonzero((flux >= least) & (flux == maximum_filter1d(flux, size)))


def _is_noise(bands: _Bands, at: int) -> bool:
    """Whether the middle band rises at least as much as the high one: a snare, not a cymbal."""
    around = slice(max(at - 1, 0), at + 2)
    return bool(bands.flux[1, around].max() >= 0.8 * bands.flux[2, around].max())


def _cymbal(bands: _Bands, at: int) -> int:
    later = min(at + round(SHORT_S * FPS), bands.level.shape[1] - 1)
    peak = bands.level[2, at : at + 3].max()
    fallen = peak - bands.level[2, later]
    return CLOSED_HAT if fallen > SHORT * bands.flux[2, at] + 0.3 else RIDE


def _stroke(bands: _Bands, band: int, at: int, drum: int) -> Stroke:
    strength = bands.flux[band, at] / max(float(np.percentile(bands.flux[band], STRONGEST)), 1e-6)
    return Stroke(at / FPS, drum, int(np.clip(40 + 50 * min(strength, 1.2), 1, 110)))
