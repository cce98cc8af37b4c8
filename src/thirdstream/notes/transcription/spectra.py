"""What the transcriber is given: spectra whose frequencies lie like the keys of a piano.

Three bins a semitone from A0 up. Two window lengths, since one cannot have both: 372 ms tells low
pitches apart, 93 ms tells when they begin. The short one is twice as often, so that a column holds
one long and two short spectra.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import sparse

from thirdstream.audio import Wave, melscale

SR, HOP = 22_050, 256  # Hz, samples
COLUMN = 2 * HOP  # samples from one long spectrum to the next
N_LONG, N_SHORT = 8192, 2048  # samples of a window
PER_SEMITONE = 3
N_SEMITONES = 103  # up to 10.5 kHz
N_BINS = PER_SEMITONE * N_SEMITONES
LOWEST_HZ = 27.5  # A0, in the middle of its three bins
COMPRESSION = 1000.0  # log(1 + this * magnitude), where a sine's magnitude is its amplitude
CACHED = 1 << 17  # samples that are transformed at a time, so that they stay in the cache
REACH = N_LONG // 2  # samples before and after a column's centre that it covers

Array = NDArray[np.float32]
fft: Any = scipy.fft  # its types are not those of arrays


def columns(wave: Wave, n_columns: int, *, tuning: float = 0.0) -> Array:
    """A wave (n_samples,) at 22,050 Hz -> (3, N_BINS, n_columns), compressed.

    tuning: semitones above A = 440 Hz at which its keys lie; the bins lie with them.

    Column t is centred on sample REACH + t * COLUMN; rows of the first axis are the long spectrum,
    the short one there, and the short one HOP later. The wave reaches REACH beyond the last centre.
    """
    found = np.empty((3, N_BINS, n_columns), np.float32)
    short = np.empty((N_BINS, 2 * n_columns), np.float32)
    _magnitudes(wave, N_LONG, COLUMN, tuning, found[0])
    _magnitudes(wave[REACH - N_SHORT // 2 :], N_SHORT, HOP, tuning, short)
    found[1], found[2] = short[:, ::2], short[:, 1::2]
    found *= np.float32(COMPRESSION)
    return np.log1p(found, out=found)


def _magnitudes(wave: Wave, n_fft: int, hop: int, tuning: float, out: NDArray[np.float32]) -> None:
    """Into `out`, (N_BINS, n_frames)."""
    n_frames = out.shape[1]
    frames = np.lib.stride_tricks.sliding_window_view(wave, n_fft)[::hop][:n_frames]
    window, bank = _window_and_bank(n_fft, tuning)
    at_once = CACHED // n_fft
    for first in range(0, n_frames, at_once):
        part = slice(first, min(first + at_once, n_frames))
        out[:, part] = bank @ power_of(fft.rfft(frames[part] * window)).T
    np.sqrt(out, out=out)


def power_of(spectrum: NDArray[np.complex64]) -> Array:
    """Its squared magnitude."""
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


@lru_cache(4)
def _window_and_bank(n_fft: int, tuning: float) -> tuple[Array, Any]:
    """A Hann window under which a sine's power is its squared amplitude, and the filters."""
    window = np.hanning(n_fft + 1)[:-1] / (n_fft / 4)
    places = (np.arange(N_BINS + 2) - 2) / (12 * PER_SEMITONE) + tuning / 12
    bank = triangles(LOWEST_HZ * 2.0**places, n_fft)
    return window.astype(np.float32), sparse.csr_matrix(bank)


def triangles(places_hz: NDArray[np.float64], n_fft: int) -> Array:
    """Filters (n_places - 2, n_fft // 2 + 1), none narrower than the transform can tell apart."""
    places = places_hz * (n_fft / SR)
    return melscale.triangles(places, n_fft // 2 + 1, narrowest=1.0).astype(np.float32)
