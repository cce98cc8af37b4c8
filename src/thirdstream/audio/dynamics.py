"""The dynamics of a recording, for what was made of it: how loud it is when.

A band that plays from a sheet, or a model that retrieves from an index, does not know how loudly
the recording plays: it goes on through fades and rests. Levels over some seconds, which are the
piece's, are taken from the recording; what is shorter, the accents of the style, is left alone.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import Wave, mapped

HOP = 2048  # samples: 46 ms at 44.1 kHz
WINDOW = 87  # hops over which a level is taken: 4 s, 2 s of them at more than half weight
FLOOR_DB = -60.0  # below the mean: what is softer counts as so soft
MOST_UP_DB = 6.0  # further up comes what should not be heard, such as echoes
REST_DB = -55.0  # below the mean: a rest
BEFORE, AFTER = 1, 6  # hops around the music that are no rest yet: 46 ms, 0.28 s
FADE = 128  # samples at both ends: 3 ms

Array = NDArray[np.float64]


class Contour:
    """The mean power of every `HOP` samples of a stream, noted as its blocks pass."""

    def __init__(self) -> None:
        self._powers: list[Array] = []

    @property
    def powers(self) -> Array:
        """(n_hops,): of the whole stream, once it has passed."""
        return np.concatenate(self._powers)

    def of(self, stream: Iterable[Wave]) -> Iterator[Wave]:
        """Pass on (n_channels, n_samples) blocks."""
        rest: Wave | None = None  # less than a hop
        for block in stream:
            rest = block[:, :0] if rest is None else rest
            n_first = -rest.shape[1] % HOP
            rest, left = np.concatenate([rest, block[:, :n_first]], axis=1), block[:, n_first:]
            if rest.shape[1] in (0, HOP):
                n_whole = left.shape[1] // HOP * HOP
                self._powers += [_powers(rest), _powers(left[:, :n_whole])]
                rest = left[:, n_whole:].copy()
            yield block
        if rest is not None and rest.shape[1]:
            self._powers.append(_powers(rest))


def gains(*, recording: Array, made: Array) -> Array:
    """(n_hops,): what brings the contour of `made` to the recording's; 0 in its rests.

    Both are powers of as many hops; how loud either is as a whole does not matter.
    """
    ours, theirs = (power / max(power.mean(), 1e-30) for power in (made, recording))
    change_db = _level_db(theirs) - _level_db(ours)
    both = _smooth(theirs) * _smooth(ours) + 1e-9
    change_db -= np.average(change_db, weights=both)  # what is loud in both stays as it is
    music = np.convolve(theirs > 10 ** (REST_DB / 10), np.ones(BEFORE + AFTER + 1)) > 0
    music = music[BEFORE:][: len(theirs)]
    return 10 ** (np.clip(change_db, FLOOR_DB, MOST_UP_DB) / 20) * music


def share(*, recording: Array, made: Array) -> float:
    """Of the recording's power, what falls where `made` sounds: applause after a piece does not.

    Both are powers of as many hops. Seconds without a sound count, short rests do not.
    """
    sounds = _smooth(made) > 10 ** (REST_DB / 10) * made.mean()
    return float(recording[sounds].sum() / max(recording.sum(), 1e-30)) if sounds.any() else 1.0


def _powers(wave: Wave) -> Array:
    """(n_hops,) mean powers of whole hops, or of less than one."""
    hops = wave.reshape(len(wave), -1, min(HOP, max(wave.shape[1], 1)))
    total = np.einsum("chs,chs->h", hops, hops, dtype=np.float64)  # no copy in double precision
    return total / (len(wave) * hops.shape[2])


def _level_db(power: Array) -> Array:
    return 10 * np.log10(np.maximum(_smooth(power), 10 ** (FLOOR_DB / 10)))


def _smooth(power: Array) -> Array:
    """The mean over a window, or so much of it as lies inside."""
    window = np.hanning(WINDOW + 2)[1:-1]

    def around(values: Array) -> Array:
        return np.convolve(values, window)[WINDOW // 2 :][: len(values)]

    return around(power) / around(np.ones_like(power))


def followed(stream: Iterable[Wave], gains: Array, *, n_samples: int) -> Iterator[Wave]:
    """A stream of `n_samples` samples with these gains, straight lines between hops, faded in and
    out so briefly that it is no more than no click.
    """
    curve = _Curve(gains)

    def turned(one: tuple[int, Wave]) -> Wave:
        start, block = one
        gain = curve.between(start, start + block.shape[1])
        return block * (gain * _fade(start, block.shape[1], n_samples)).astype(np.float32)

    return mapped(turned, _placed(stream))


def faded(stream: Iterable[Wave], *, n_samples: int) -> Iterator[Wave]:
    """A stream of `n_samples` samples, faded in and out so briefly that it is no more than no
    click."""
    for start, block in _placed(stream):
        yield block * np.asarray(_fade(start, block.shape[1], n_samples), np.float32)


def _placed(stream: Iterable[Wave]) -> Iterator[tuple[int, Wave]]:
    """Each block behind the sample that it begins with."""
    at = 0
    for block in stream:
        yield at, block
        at += block.shape[1]


def _fade(start: int, n: int, n_samples: int) -> Array | float:
    """The factors of so many samples of a stream from `start` on: 1 but near its ends."""
    if start >= FADE and start + n <= n_samples - FADE:
        return 1.0
    times = np.arange(start, start + n)
    return np.minimum(1.0, np.minimum(times + 1, n_samples - times) / FADE)


class _Curve:
    """Straight lines between values that lie in the middle of their hops, level before and after.

    As np.interp, which looks for the place of every sample.
    """

    def __init__(self, values: Array) -> None:
        self._values = np.concatenate([values[:1], values])
        self._slopes = np.diff(self._values, append=values[-1:]) / HOP

    def between(self, start: int, end: int) -> Array:
        """At samples `start` to `end`: (end - start,)."""
        first, last = (at + HOP // 2 for at in (start, end))
        hops = np.minimum(np.arange(first // HOP, -(-last // HOP)), len(self._values) - 1)
        lines = self._values[hops, None] + self._slopes[hops, None] * np.arange(HOP)
        return lines.ravel()[first % HOP :][: end - start]
