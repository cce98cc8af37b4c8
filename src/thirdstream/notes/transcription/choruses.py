"""What comes again some bars later speaks for the chords of both times.

In jazz, one chorus follows another, and a verse comes back: chords that one time hides are clear in
another (Mauch et al. 2009). Which beats are alike is told by what speaks for their chords.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

Array = NDArray[np.float64]

FEWEST, MOST = 8, 128  # bars from one time to another
OVER = 33  # beats, over which they are alike
ALIKE = 0.3  # 0 as chance is, 1 the same; from which on another time counts
SHARED = 0.85  # 1 is the mean of both times, less is surer than it


def with_other_times(suits: Array, beats_per_bar: int) -> Array:
    """(n_beats, n_states), what speaks for each chord at each beat, as logarithms of odds; with
    what does so at other times that are alike, all together at most as much as that beat."""
    lags = np.arange(FEWEST, MOST + 1) * beats_per_bar
    lags = lags[lags < len(suits) - OVER // 2]
    if not len(lags):
        return suits
    odds = np.exp(suits - suits.max(axis=1, keepdims=True))
    odds /= np.sqrt(np.square(odds).sum(axis=1, keepdims=True))
    rows = [_alike(odds, lag) for lag in lags.tolist()]
    chance = float(np.median([row.mean() for row in rows]))
    others, counts = np.zeros_like(suits), np.zeros((len(suits), 1))
    for lag, row in zip(lags.tolist(), rows, strict=True):
        more = (row - chance) / max(1 - chance, 0.1)
        count = np.clip((more - ALIKE) / (1 - ALIKE), 0, 1)[:, None]
        if count.any():
            for here, there in (
                (slice(None, -lag), slice(lag, None)),
                (slice(lag, None), slice(None, -lag)),
            ):
                others[here] += count * suits[there]
                counts[here] += count
    share = np.minimum(counts, 1)
    return (suits + share * others / np.maximum(counts, 1e-9)) / (1 + SHARED * share)


def _alike(odds: Array, lag: int) -> Array:
    """(n_beats - lag,): how alike each beat is to the one so many later, 0 to 1, around it."""
    same = np.einsum("bs,bs->b", odds[lag:], odds[:-lag])
    return uniform_filter1d(same, OVER, mode="nearest")
