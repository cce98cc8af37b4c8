"""How well each chord suits a beat, by what sounds in it and in the beats around.

A network of one hidden layer, and a linear one, see two beats before and after, from every root up.
A bass that walks, or a soloist's passing note, is told from a change of chord by what comes next.
`recipes/chord_context.py` trained it, on clean recordings and on such as real ones are.
"""

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.weights import ContextWeights

Array = NDArray[np.float64]

REACH = 2  # beats before and after one
AT_ONCE = 1 << 10  # beats: 18 MB


def around(chroma: Array) -> Array:
    """(n_beats, 3, 12) -> (n_beats, 3 * (2 * REACH + 1), 12): the beats around each, in order;
    none sounds before the first and after the last."""
    padded = np.pad(chroma, [(REACH, REACH), (0, 0), (0, 0)])
    return np.concatenate(
        [padded[step : step + len(chroma)] for step in range(2 * REACH + 1)], axis=1
    )


def suits(chroma: Array, places: NDArray[np.int_], of: ContextWeights) -> Array:
    """(n_beats, 12 * n_kinds), logarithms of odds, root by root.

    chroma: as of `beat_chroma`. places: (n_beats,) in the bar, of PLACES.
    """
    seen = around(chroma)
    above = (np.arange(12)[:, None] + np.arange(12)) % 12  # pitch classes, from each root up
    found = [np.zeros((0, 12 * len(of.kinds)))]
    for first in range(0, len(seen), AT_ONCE):
        part = np.moveaxis(seen[first : first + AT_ONCE][:, :, above], 2, 1)
        rows = part.reshape(len(part), 12, -1)
        here = (of.place.T + of.bias)[places[first : first + AT_ONCE]]
        hidden = np.tanh(rows @ of.hidden.T + here[:, None])
        found.append((rows @ of.linear.T + hidden @ of.out.T + of.kinds).reshape(len(part), -1))
    return np.concatenate(found)
