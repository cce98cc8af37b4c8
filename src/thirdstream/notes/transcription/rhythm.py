"""The rhythm of beats: where within the beat onsets lie, and after how many beats it comes again.

Five quarters and six eighths are told by these: syncopations come again with the bar, and the parts
of a dotted beat are thirds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS = 12  # of a beat
PLACES = (0, 2, 3, 4, 6, 8, 9, 10)  # steps at which halves, thirds, quarters and sixths lie
LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14)  # beats
MIN_PAIRS = 4  # of beats so far apart


class Rhythm(NamedTuple):
    """profile: (n_curves, len(PLACES)), the mean strength at places of the beat. recurrence:
    (n_kinds, len(LAGS)), how alike beats so far apart are, -1 to 1; 0 where there are too few."""

    profile: Array
    recurrence: Array

    def evidence(self, beats_per_bar: int) -> list[float]:
        """What speaks for bars of so many beats, which are one of METRES."""
        found = [*self.profile.ravel().tolist(), *self.divisions()]
        of_bars = np.array([lag % beats_per_bar == 0 for lag in LAGS])
        others = ~of_bars & (np.array(LAGS) <= 8)
        bar, two = (LAGS.index(n * beats_per_bar) for n in (1, 2))
        for kind in self.recurrence:
            among = kind[others]
            found += [kind[0], kind[bar], kind[two], among.max(), among.mean()]
        return found

    def divisions(self) -> list[float]:
        """How strong the thirds of the beat are, its half, and its quarters, over what is on it,
        and thirds against the half; of the onsets and of the bass."""
        found = []
        for curve in self.profile[:2]:
            at = dict(zip(PLACES, (curve + 0.02).tolist(), strict=True))
            on, half, thirds = at[0] + 0.1, at[6], (at[4] + at[8]) / 2
            ratios = (thirds / on, half / on, min(at[4], at[8]) / on, (at[3] + at[9]) / 2 / on)
            found += [*ratios, (thirds - half) / (thirds + half)]
        return found


def rhythm_of(beats: Array, curves: Sequence[Array], chroma: Array) -> Rhythm:
    """curves: strengths a frame, those of onsets and of the bass first. chroma: (n_beats, n_kinds,
    12), of each beat, of all but the bass and of the bass first."""
    at = beats[:-1, None] + np.diff(beats)[:, None] * (np.arange(STEPS) / STEPS)
    frames = np.clip(np.round(at).astype(int), 0, len(curves[0]) - 1)
    rows = [curve[frames] for curve in curves]
    profile = np.array([row.mean(axis=0)[list(PLACES)] for row in rows])
    kinds = (rows[0], rows[1], chroma[:, 0], chroma[:, 1])
    return Rhythm(profile, np.array([_recurrence(kind) for kind in kinds]))


def _recurrence(rows: Array) -> Array:
    """(len(LAGS),): the correlation of rows so far apart, without what is common to all."""
    rest = rows - rows.mean(axis=0)
    power = float(np.square(rest).mean()) + 1e-6
    return np.array([
        float((rest[lag:] * rest[:-lag]).mean()) / power if len(rest) >= lag + MIN_PAIRS else 0.0
        for lag in LAGS
    ])  # fmt: skip
