"""Beats that a known bar line is one of: the pulse moves to it, and bars are counted from it."""

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.timing import along

Array = NDArray[np.float64]

NEAR = 1 / 8  # of a beat; a bar line farther from the pulse moves all of it


def anchored(beats: Array, at: float) -> tuple[Array, int]:
    """The beats with one at `at`, and that one's number.

    The nearest beat moves there. The others stay where their onsets are, unless it moves by more
    than NEAR of a beat: then all move by as much of theirs. Beats that end before, or begin after,
    are prolonged in their tempo.
    """
    beats = _reaching(beats, at)
    number = np.arange(len(beats), dtype=np.float64)
    place = float(np.interp(at, beats, number))
    nearest = round(place)
    if abs(place - nearest) > NEAR:
        by = place - nearest
        beats = along(number + by, number, beats)
    found = beats.copy()
    found[nearest] = at
    return found, nearest


def _reaching(beats: Array, at: float) -> Array:
    """The beats, prolonged so that `at` lies between two of them."""
    first, last = beats[1] - beats[0], beats[-1] - beats[-2]
    n_before = max(0, int(np.ceil((beats[0] - at) / first)))
    n_after = max(0, int(np.ceil((at - beats[-1]) / last)))
    before = beats[0] - first * np.arange(n_before, 0, -1)
    return np.concatenate([before, beats, beats[-1] + last * np.arange(1, n_after + 1)])
