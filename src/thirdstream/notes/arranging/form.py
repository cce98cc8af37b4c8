"""The form of a cover: which bars are thinner, which fuller."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SECTION_BARS = 8
USUAL, THIN_HEAD, COMES_AGAIN, LAST = 0.5, -0.25, 0.2, 0.15  # of sections
MOST_TURNS = 2  # that make a section that comes again fuller still
LOUDNESS = 100.0  # of MIDI velocity, from thinnest to fullest
SECTIONS = 3  # from which on the first is thin


def fullness(repetitions: Sequence[int], loudness: Array) -> Array:
    """(n_bars,) how full each bar is, 0 to 1.

    The first section is thin, one that comes again is fuller each time, and so is the last; bars
    that are louder in the recording are fuller. repetitions: for each section of SECTION_BARS,
    how many before it were the same. loudness: (n_bars,), of each bar against the piece.
    """
    n = len(repetitions)
    sections = [USUAL + COMES_AGAIN * min(turn, MOST_TURNS) for turn in repetitions]
    if n >= SECTIONS:
        sections[0] += THIN_HEAD
        sections[-1] += LAST
    numbers = np.minimum(np.arange(len(loudness)) // SECTION_BARS, n - 1)
    return np.clip(np.array(sections)[numbers] + loudness / LOUDNESS, 0.0, 1.0)
