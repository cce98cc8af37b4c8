"""One note out of a recording: the harmonics of its pitch are kept (score-informed separation,
Ewert et al. 2014), and all else is left out."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT

from thirdstream.audio import SR, Wave

WIDTH_CENTS = 45.0  # around each harmonic
HIGHEST_HZ = 8_000.0
LOW_PITCH = 60  # below it, frames are twice as long
STEPS_CENTS = np.arange(-50, 51, 10)  # around a pitch, among which the true one is looked for
N_SOUGHT = 12  # harmonics by which it is found

Array = NDArray[np.float64]


def one_note(wave: Wave, pitch: float) -> Wave:
    """(n_channels, n_samples) at 44.1 kHz -> the same, of which the note of this pitch, a MIDI
    number, is left."""
    n_fft = 2048 if pitch >= LOW_PITCH else 4096
    n_samples = wave.shape[1]
    padded = np.pad(wave, ((0, 0), (0, max(0, n_fft - n_samples)))).astype(np.float64)
    transform = ShortTimeFFT(np.hanning(n_fft + 1)[:-1], n_fft // 4, SR, scale_to=None)
    spectrum = transform.stft(padded)
    sizes = np.sqrt(np.square(np.abs(spectrum)).mean(axis=(0, 2)))
    mask = _mask(_found(sizes, 440 * 2 ** ((pitch - 69) / 12)), n_fft)
    kept = transform.istft(spectrum * mask[:, None], k1=padded.shape[1])
    return np.asarray(kept)[:, :n_samples].astype(np.float32)


def _harmonics(f0: float) -> NDArray[np.int_]:
    return np.arange(1, max(int(HIGHEST_HZ // f0), 1) + 1)


def _found(sizes: Array, f0: float) -> float:
    """The fundamental around `f0` under whose harmonics the most lies."""
    places = f0 * 2.0 ** (STEPS_CENTS / 1200)
    first = _harmonics(f0)[:N_SOUGHT] * 2 * (len(sizes) - 1) / SR
    bins = np.clip(np.round(places[:, None] * first).astype(int), 0, len(sizes) - 1)
    return float(places[sizes[bins].sum(axis=1).argmax()])


def _mask(f0: float, n_fft: int) -> Array:
    """(n_fft // 2 + 1,), 1 at the harmonics, 0 between them."""
    frequencies = np.fft.rfftfreq(n_fft, 1 / SR)
    places = f0 * _harmonics(f0)
    nearest = places[np.abs(frequencies[:, None] - places).argmin(axis=1)]
    widths = np.maximum(nearest * (2 ** (WIDTH_CENTS / 1200) - 1), 1.6 * SR / n_fft)
    return np.clip(1.5 - np.abs(frequencies - nearest) / widths, 0, 1)
