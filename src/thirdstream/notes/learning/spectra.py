"""Mel spectra of whole waves, as what tells instruments and drums sees them."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from thirdstream.audio import SR, Wave
from thirdstream.audio.melscale import mel_places_hz, triangles

AT_ONCE = 4096  # frames


def mel_magnitudes(
    wave: Wave, *, n_fft: int, hop_length: int, n_mels: int, f_min: float, f_max: float
) -> NDArray[np.float64]:
    """Roots of the power in mel bands of a mono wave at 44,100 Hz: (n_mels, n_frames), centred.

    A sine of amplitude 1 in the middle of a band has about a half.
    """
    windows = sliding_window_view(np.pad(wave, n_fft // 2), n_fft)[::hop_length]
    hann = np.hanning(n_fft).astype(np.float32)
    hann /= hann.sum()
    places = mel_places_hz(n_mels + 2, f_min, f_max) * n_fft / SR
    bands = triangles(places, n_fft // 2 + 1, narrowest=1.0)
    parts = []
    for first in range(0, len(windows), AT_ONCE):
        power = np.square(np.abs(np.fft.rfft(windows[first : first + AT_ONCE] * hann, axis=1)))
        parts.append(np.sqrt(bands @ power.T))
    return np.concatenate(parts, axis=1)
