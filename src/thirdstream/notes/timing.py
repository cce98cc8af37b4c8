"""When the beats of a piece sound: between quarter notes and seconds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thirdstream.notes.types import Song, Timed, Track

CLOCK = 240.0  # quarter notes a minute of a song that follows a tempo map: a tick is 0.26 ms


@dataclass(frozen=True)
class Timing:
    """A tempo map: beat k sounds at `beats_s[k]` seconds; between, and beyond both ends, the tempo
    is steady. beat: how many quarter notes a beat is, 1.5 in 6/8.

    Raises ValueError unless there are two beats or more, and each is later than the one before.
    """

    beats_s: tuple[float, ...]
    beat: float = 1.0

    def __post_init__(self) -> None:
        if len(self.beats_s) < 2 or not (np.diff(self.beats_s) > 0).all():
            raise ValueError("a tempo map needs two beats or more, each later than the one before")

    @classmethod
    def steady(cls, beats_per_minute: float, *, start_s: float = 0.0) -> "Timing":
        """One tempo throughout; quarter note 0 sounds at `start_s`."""
        return cls((start_s, start_s + 60 / beats_per_minute))

    def seconds(self, beats: ArrayLike) -> NDArray[np.float64]:
        """Quarter notes -> seconds, of any shape."""
        return along(np.asarray(beats), self._quarters, np.array(self.beats_s))

    def beats(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Seconds -> quarter notes, of any shape."""
        return along(np.asarray(seconds), np.array(self.beats_s), self._quarters)

    @property
    def _quarters(self) -> NDArray[np.float64]:
        return self.beat * np.arange(len(self.beats_s), dtype=np.float64)


def along(at: NDArray, xs: NDArray, ys: NDArray) -> NDArray[np.float64]:
    """Straight lines through the points (xs, ys), at any places; prolonged at both ends."""
    piece = np.clip(np.searchsorted(xs, at, side="right") - 1, 0, len(xs) - 2)
    slope = (ys[piece + 1] - ys[piece]) / (xs[piece + 1] - xs[piece])
    return ys[piece] + (at - xs[piece]) * slope


def moved(
    parts: Iterable[Timed], at: Callable[[ArrayLike], NDArray[np.float64]]
) -> tuple[Timed, ...]:
    """Parts whose starts and ends become what `at` makes of them."""
    parts = tuple(parts)
    edges = at(np.array([(one.start, one.end) for one in parts]).reshape(-1, 2))
    return tuple(
        replace(one, start=float(start), length=float(end - start))
        for one, (start, end) in zip(parts, edges, strict=True)
    )


def timed(song: Song, timing: Timing, *, duration_s: float) -> Song:
    """The song along a tempo map, as one of a steady tempo: each note sounds at its own second.

    What sounds before 0 s or after `duration_s` is cut away.
    """
    clock = CLOCK / 60

    def at(beats: ArrayLike) -> NDArray[np.float64]:
        return np.clip(timing.seconds(beats), 0, duration_s) * clock

    tracks = (_mapped(track, at) for track in song.tracks)
    audible = (
        replace(track, notes=tuple(note for note in track.notes if note.length > 0.01 * clock))
        for track in tracks
    )
    return replace(song, tracks=tuple(audible), beats_per_minute=CLOCK)


def from_zero(song: Song, timing: Timing) -> tuple[Song, Timing]:
    """The song and its tempo map so that quarter note 0 sounds at 0 s, and all else when it did.

    The first bar, which may begin before the recording does, is as much shorter; two bars are where
    less than half of it would be left. What sounds before 0 s begins there.
    """
    beats_s, bar = np.array(timing.beats_s), max(1, round(song.beats_per_bar / timing.beat))
    if beats_s[0] == 0:
        return song, timing
    ends = range(bar, len(beats_s), bar)
    half = (end for end in ends if beats_s[end] > (beats_s[end] - beats_s[0]) / 2)
    first = next(half, len(beats_s) - 1)
    spread = np.linspace(0, beats_s[first], first, endpoint=False)
    begun = Timing((*spread.tolist(), *beats_s[first:].tolist()), timing.beat)

    def at(beats: ArrayLike) -> NDArray[np.float64]:
        return np.maximum(begun.beats(timing.seconds(beats)), 0)

    return replace(song, tracks=tuple(_mapped(track, at) for track in song.tracks)), begun


def _mapped(track: Track, at: Callable[[ArrayLike], NDArray[np.float64]]) -> Track:
    """A track whose every moment, in quarter notes, becomes what `at` makes of it."""
    pedals = tuple((float(down), float(up)) for down, up in (at(pair) for pair in track.pedals))
    bends = tuple((float(at(beat)), semitones) for beat, semitones in track.bends)
    return replace(track, notes=moved(track.notes, at), pedals=pedals, bends=bends)
