"""How a sound's power is spread over frequency, by third octaves."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

CENTRES_HZ = 1000 * 2.0 ** (np.arange(-13, 13) / 3)  # of third octaves: 50 Hz to 16 kHz
N_FFT = 8192  # 5.4 Hz at 44.1 kHz
HOP = N_FFT // 4
TOGETHER = 256  # windows of which the spectra are in memory at a time
FLOOR_DB = -80.0  # of a band, below the whole


def third_octaves_db(wave: ArrayLike, sr: int) -> NDArray[np.float64]:
    """The long-term average spectrum of a mono wave by third octaves, 50 Hz to 16 kHz: (26,), dB.

    The share of each band in the power of all, so the level does not count; at least -80 dB. Hann
    windows of 8192 samples, hop 2048 (Welch's method), in flat memory. Silence has -80 dB
    everywhere, and bands above half the rate have. Source: bands of IEC 61260-1, base 2.
    """
    from scipy.signal import welch  # a second

    found = np.asarray(wave)
    whole = np.pad(found, (0, max(0, N_FFT - len(found))))
    powers, n_windows = np.zeros(N_FFT // 2 + 1), (len(whole) - N_FFT) // HOP + 1
    for first in range(0, n_windows, TOGETHER):
        n = min(TOGETHER, n_windows - first)
        part = whole[first * HOP :][: (n - 1) * HOP + N_FFT].astype(np.float64)
        _, mean = welch(part, sr, nperseg=N_FFT, noverlap=N_FFT - HOP, scaling="spectrum")
        powers += mean * n / n_windows
    bands = np.array([powers[inside].sum() for inside in third_octaves(sr, N_FFT)])
    shares = bands / max(float(bands.sum()), 1e-30)
    return 10 * np.log10(np.maximum(shares, 10 ** (FLOOR_DB / 10)))


def third_octaves(sr: int, n_fft: int) -> list[NDArray[np.bool_]]:
    """Which bins of a Fourier transform are in each third octave."""
    hz = np.fft.rfftfreq(n_fft, 1 / sr)
    half = 2 ** (1 / 6)
    return [(hz >= centre / half) & (hz < centre * half) for centre in CENTRES_HZ]
