"""Slaney's mel scale, frequencies that lie evenly for ears, and filters over such places."""

import math

import numpy as np
from numpy.typing import NDArray

ROWS = 16  # filters that are made at a time: elsewhere they are 0


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
    rise, fall = np.maximum(centre - below, narrowest), np.maximum(above - centre, narrowest)
    found = np.zeros((len(centre), n_bins))
    for first in range(0, len(centre), ROWS):
        rows = slice(first, first + ROWS)
        start = max(math.floor((centre[rows] - rise[rows]).min()), 0)
        bins = np.arange(start, min(math.ceil((centre[rows] + fall[rows]).max()) + 1, n_bins))
        offset = bins - centre[rows]
        sides = np.minimum(1 + offset / rise[rows], 1 - offset / fall[rows])
        found[rows, start : start + len(bins)] = np.clip(sides, 0, None)
    return found
