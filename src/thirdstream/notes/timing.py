"""When the beats of a piece sound: between quarter notes and seconds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Timing:
    """A tempo map: quarter note k sounds at `beats_s[k]` seconds; between, and beyond both ends,
    the tempo is steady.

    Raises ValueError unless there are two beats or more, and each is later than the one before.
    """

    beats_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.beats_s) < 2 or not (np.diff(self.beats_s) > 0).all():
            raise ValueError("a tempo map needs two beats or more, each later than the one before")

    @classmethod
    def steady(cls, beats_per_minute: float, *, start_s: float = 0.0) -> "Timing":
        """One tempo throughout; quarter note 0 sounds at `start_s`."""
        return cls((start_s, start_s + 60 / beats_per_minute))

    def seconds(self, beats: ArrayLike) -> NDArray[np.float64]:
        """Quarter notes -> seconds, of any shape."""
        return _along(np.arange(len(self.beats_s)), np.array(self.beats_s), np.asarray(beats))

    def beats(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Seconds -> quarter notes, of any shape."""
        return _along(np.array(self.beats_s), np.arange(len(self.beats_s)), np.asarray(seconds))


def _along(xs: NDArray, ys: NDArray, at: NDArray) -> NDArray[np.float64]:
    """Straight lines through the points, the first and the last prolonged."""
    piece = np.clip(np.searchsorted(xs, at, side="right") - 1, 0, len(xs) - 2)
    slope = (ys[piece + 1] - ys[piece]) / (xs[piece + 1] - xs[piece])
    return ys[piece] + (at - xs[piece]) * slope
