"""Cover retrieval: is a transfer still heard as its original, among the originals of others?

Each transfer is a query; the recordings of a gallery are ranked by how well they match it, and the
rank of its original says how much of the piece is left. The matcher has no weights and needs no
beats: it correlates chroma, freed of what lasts, over all delays and transpositions (Ellis and
Poliner, Identifying cover songs with chroma features and dynamic programming beat tracking, ICASSP
2007), and over tempi instead of their beats. So another key, tempo or place in the excerpt does no
harm.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thirdstream.evaluation.metrics import Array, Chroma, MetricError

POOLED = 5  # frames of metrics.chroma: 464 ms
TEMPI = 2 ** (np.arange(-6, 7) / 24)  # of the query by the candidate's: 0.84 to 1.19
MIN_OVERLAP = 0.5  # of the shorter recording
AT_ONCE = 8192  # frames of a gallery that go side by side


class Match(NamedTuple):
    """score: correlation, from 0 to 1 (the same). transposition: semitones (0 to 11) by which the
    candidate has to be raised to be in the query's key."""

    score: float
    transposition: int


def pooled_chroma(chroma: Chroma) -> Array:
    """Chroma at 2.2 frames a second, (n_frames, 12), each frame of unit length or silent.

    The mean of every five frames that `metrics.chroma` has found; a rest at the end is left out,
    unless it is all.
    """
    frames = chroma.frames.T[: max(1, chroma.frames.shape[1] // POOLED * POOLED)]
    groups = np.array_split(frames, max(1, len(frames) // POOLED))
    return _unit(np.stack([group.mean(axis=0) for group in groups]))


def match(*, query: ArrayLike, candidate: ArrayLike) -> Match:
    """How well a candidate matches a query, both (n_frames, 12) as `pooled_chroma` gives them.

    The sum of the inner products of frames, over the root of how many overlap times how many the
    shorter recording has; the best of all tempi, delays and transpositions. Raises MetricError on
    other shapes, and on what is not finite.
    """
    return matches(query=query, gallery={"": candidate})[""]


def matches(*, query: ArrayLike, gallery: Mapping[str, ArrayLike]) -> dict[str, Match]:
    """`match` of a query with each recording of a gallery, by its name: those of one length go
    side by side.
    """
    first = _free(_chroma(query, "query"))
    read = [_read_at(first, tempo) for tempo in TEMPI]
    freed = {name: _free(_chroma(one, "candidate")) for name, one in gallery.items()}
    by_length = sorted(freed, key=lambda name: len(freed[name]))
    found: dict[str, Match] = {}
    for n_frames, names in itertools.groupby(by_length, lambda name: len(freed[name])):
        alike, step = list(names), max(1, AT_ONCE // n_frames)
        for some in (alike[k : k + step] for k in range(0, len(alike), step)):
            candidates = np.stack([freed[name] for name in some])
            by_tempo = [correlation(one, candidates) for one in read]
            found |= zip(some, map(_best, zip(*by_tempo, strict=True)), strict=True)
    return {name: found[name] for name in gallery}


def _best(by_tempo: Sequence[Array]) -> Match:
    """Of correlations (n_delays, 12) at each tempo."""
    best = max(by_tempo, key=lambda one: one.max())
    shift = int(np.unravel_index(best.argmax(), best.shape)[1])
    return Match(float(np.clip(best.max(), 0, 1)), shift)


def correlation(query: Array, candidate: Array) -> Array:
    """Of frames (n, 12) and (..., m, 12), by delay and transposition, (..., n_delays, 12).

    Delays are those at which half of the shorter one overlaps, or more.
    """
    n, m = len(query), candidate.shape[-2]
    size = n + m - 1  # so that the ends do not meet
    spectra = [np.fft.rfft2(one, (size, 12)) for one in (query, candidate)]
    products = np.fft.irfft2(spectra[0] * spectra[1].conj(), (size, 12))
    delays = np.arange(size)
    delays[n:] -= size  # by how many frames the query is later
    overlap = np.minimum(n, m + delays) - np.maximum(0, delays)
    enough = overlap >= max(1, MIN_OVERLAP * min(n, m))
    return products[..., enough, :] / np.sqrt(overlap[enough, None] * min(n, m))


def rank(name: str, query: ArrayLike, gallery: Mapping[str, ArrayLike]) -> int:
    """The place, from 1, of the recording `name` of a gallery among all that match a query.

    What matches as well as it counts as better, so a silent query is last. Raises KeyError where
    the gallery has no such recording.
    """
    scores = {key: one.score for key, one in matches(query=query, gallery=gallery).items()}
    return sum(score >= scores[name] for score in scores.values())


def mean_reciprocal_rank(ranks: Iterable[int]) -> float:
    """MRR: the mean of 1 / rank, from 0 to 1. Source: Voorhees, TREC-8 (1999)."""
    return float(np.mean([1 / one for one in ranks]))


def chance(n_gallery: int) -> float:
    """The MRR of ranks that are drawn: (1 + 1/2 + ... + 1/n) / n. Hit@1 is 1/n then."""
    return mean_reciprocal_rank(range(1, n_gallery + 1))


def _chroma(value: ArrayLike, name: str) -> NDArray[np.float64]:
    found = np.asarray(value, np.float64)
    if found.ndim != 2 or found.shape[1] != 12 or not len(found) or not np.isfinite(found).all():
        raise MetricError(f"{name}: is no chroma (n_frames, 12) (got shape {found.shape})")
    return found


def _unit(rows: Array) -> Array:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _free(chroma: Array) -> Array:
    """Without the mean over time, which a key has more than a piece; silent frames stay silent."""
    sounds = chroma.any(axis=1, keepdims=True)
    mean = chroma.sum(axis=0) / max(1, sounds.sum())
    return _unit((chroma - mean) * sounds)


def _read_at(chroma: Array, tempo: float) -> Array:
    """As if it had been played at another tempo, by linear interpolation."""
    at = np.linspace(0, len(chroma) - 1, max(1, round(len(chroma) * tempo)))
    before = np.floor(at).astype(int)
    after, share = np.minimum(before + 1, len(chroma) - 1), (at - before)[:, None]
    return (1 - share) * chroma[before] + share * chroma[after]
