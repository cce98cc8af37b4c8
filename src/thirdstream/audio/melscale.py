"""Slaney's mel scale, frequencies that lie evenly for ears, and filters over such places."""

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


def triangles(
    places: NDArray[np.float64], n_bins: int, *, narrowest: float = 0.0
) -> NDArray[np.float64]:
    """Filters (n_places - 2, n_bins), each from one place over the next, where it is 1, to the one
    after. Places are in bins of the transform; no side is narrower than `narrowest` bins.
    """
    below, centre, above = (places[k : len(places) - 2 + k, None] for k in range(3))
    offset = np.arange(n_bins) - centre
    rising = 1 + offset / np.maximum(centre - below, narrowest)
    falling = 1 - offset / np.maximum(above - centre, narrowest)
    return np.clip(np.minimum(rising, falling), 0, None)
