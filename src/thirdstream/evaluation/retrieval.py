"""Cover retrieval: is a transfer still heard as its original, among the originals of others?

Each transfer is a query; the recordings of a gallery are ranked by how well they match it, and the
rank of its original says how much of the piece is left. The matcher has no weights and needs no
beats: chroma, brought to one key by the optimal transposition index (Serra, Gomez and Herrera
2008), a cross recurrence plot of stacked frames, and in it the longest alignment, Qmax (Serra,
Serra and Andrzejak, Cross recurrence quantification for cover song identification, New Journal of
Physics 11, 2009). So another key, tempo or place in the excerpt does no harm.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import librosa
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from thirdstream.evaluation import metrics
from thirdstream.evaluation.metrics import Array, MetricError

# Stack, neighbours and penalties are the defaults of Essentia's implementation of Qmax.
POOLED = 5  # frames of metrics.chroma: 464 ms
STACK = 9  # pooled frames, a state of 4.2 s; of half a recording where that is shorter
NEIGHBOURS = 0.095  # share of the other recording's states that count as near
GAP_ONSET, GAP_EXTEND = 0.5, 0.5


class Match(NamedTuple):
    """score: Qmax by the square root of the candidate's length, from 0 up. transposition: semitones
    (0 to 11) by which the candidate has to be raised to be in the query's key."""

    score: float
    transposition: int


def pooled_chroma(wave: ArrayLike, sr: int) -> Array:
    """Chroma at 2.2 frames a second, (n_frames, 12), each frame of unit length or silent.

    The mean of every five frames of `metrics.chroma`; a rest at the end is left out, unless it is
    all. Raises MetricError as that does.
    """
    found, _ = metrics.chroma(wave, sr)
    frames = found.T[: max(1, found.shape[1] // POOLED * POOLED)]
    groups = np.array_split(frames, max(1, len(frames) // POOLED))
    return _unit(np.stack([group.mean(axis=0) for group in groups]))


def match(*, query: ArrayLike, candidate: ArrayLike) -> Match:
    """How well a candidate matches a query, both (n_frames, 12) as `pooled_chroma` gives them.

    Not symmetric. Raises MetricError on other shapes, and on what is not finite.
    """
    first, second = _chroma(query, "query"), _chroma(candidate, "candidate")
    shift = transposition(query=first, candidate=second)
    size = max(1, min(STACK, len(first) // 2, len(second) // 2))
    states = _stacked(first, size), _stacked(np.roll(second, shift, axis=1), size)
    plot = np.pad(recurrence(*states), (0, 1))  # librosa 0.11 reads beyond a plot of one state
    alignment = librosa.sequence.rqa(
        plot, gap_onset=GAP_ONSET, gap_extend=GAP_EXTEND, backtrack=False
    )
    return Match(float(alignment.max() / np.sqrt(len(second))), shift)


def transposition(*, query: Array, candidate: Array) -> int:
    """The optimal transposition index: semitones that bring the candidate's mean chroma nearest to
    the query's, by their inner product."""
    mean, other = query.mean(axis=0), candidate.mean(axis=0)
    return int(np.argmax([mean @ np.roll(other, shift) for shift in range(12)]))


def recurrence(query: Array, candidate: Array) -> Array:
    """The cross recurrence plot of states (n, d) and (m, d): 1 where each of two states is among
    the other's nearest, by Euclidean distance, and neither is silent; else 0. (n, m)"""
    distances = cdist(query, candidate)
    near = [
        distances <= np.quantile(distances, NEIGHBOURS, axis=axis, keepdims=True) for axis in (0, 1)
    ]
    sound = query.any(axis=1)[:, None] & candidate.any(axis=1)
    return (near[0] & near[1] & sound).astype(np.float64)


def rank(name: str, query: ArrayLike, gallery: Mapping[str, ArrayLike]) -> int:
    """The place, from 1, of the recording `name` of a gallery among all that match a query.

    What matches as well as it counts as better, so a silent query is last. Raises KeyError where
    the gallery has no such recording.
    """
    scores = {key: match(query=query, candidate=one).score for key, one in gallery.items()}
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


def _stacked(chroma: Array, size: int) -> Array:
    """Each frame with those after it, (n_frames - size + 1, 12 * size)."""
    windows = np.lib.stride_tricks.sliding_window_view(chroma, size, axis=0)
    return windows.reshape(len(windows), -1)
