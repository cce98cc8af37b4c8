"""Slaney's mel scale: frequencies that lie evenly for ears."""

import numpy as np
from numpy.typing import NDArray


def mel_places_hz(n: int, f_min: float, f_max: float) -> NDArray[np.float64]:
    """`n` frequencies that lie evenly in the mel scale, from f_min to f_max, in Hz.

    As librosa's `mel_frequencies`, which takes more than a second to import.
    """
    linear, step = 1000.0, np.log(6.4) / 27  # up to 1 kHz, 15 mel; then 27 mel for a factor of 6.4
    ends = np.array([f_min, f_max])
    low, high = np.minimum(ends * 0.015, 15) + np.log(np.maximum(ends / linear, 1)) / step
    mels = np.linspace(low, high, n)
    return np.where(mels < 15, mels / 0.015, linear * np.exp(step * (mels - 15)))
