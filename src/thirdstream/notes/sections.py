"""The sections of a piece: blocks of bars that have one letter where they are alike, as in A B A.

Blocks of 8 or 12 bars are laid over the piece, after introductions of several lengths. Of all these
the one is taken in which most bars come back.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.types import Score, Timed

Array = NDArray[np.float64]

SIZES = (8, 12)  # bars of a block; a blues has 12
INTRODUCTIONS = (0, 1, 4, 2, 8)  # bars before the first block; one is an upbeat with chords
MISSING = 2  # bars by which the last block may be shorter
MIN_BARS, MAX_BARS = 16, 2000
ALIKE = 0.5  # similarity from which blocks have one letter
AHEAD = 0.15  # by which it is higher than that of most bars
CLEARLY = 1.1  # by which more comes back in blocks that are laid less simply
LEAST = 0.15  # of all bars come back
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def sections_of(score: Score) -> dict[int, str]:
    """The letters of sections at the numbers of the bars, from 0, with which they begin.

    None of a piece shorter than 16 bars, or in which little comes back. The same music in another
    key is another section.
    """
    first = score.metres.bar(score.beats_per_bar) if score.pickup else 0
    n_bars = score.n_bars
    if not MIN_BARS <= n_bars - first <= MAX_BARS:
        return {}
    alike = similarities(score)
    shown = max(ALIKE, float(np.median(alike)) + AHEAD)
    best, found = 0.0, {}
    for size in SIZES:
        for introduction in INTRODUCTIONS:
            starts = range(first + introduction, n_bars - size + MISSING + 1, size)
            saved, letters = _lettered(alike, starts, size, shown)
            if saved > CLEARLY * best:
                best, found = saved, letters
    return found if best >= LEAST * n_bars else {}


def similarities(score: Score) -> Array:
    """(n_bars, n_bars): the share of half beats at which two bars have the same chord, and of those
    at which they have the same note of the melody, in any octave; 0 to 1."""
    n_bars = score.n_bars
    n_slots = max(round(2 * one.length) for _, one in score.metres.changes)
    sounding = np.zeros((n_bars, n_slots, 12 + 24), np.float32)
    for slot, note in _slots(score, score.melody):
        sounding[*slot, note.pitch % 12] = 1
    for slot, chord in _slots(score, score.chords):
        sounding[*slot, 12 + chord.root + 12 * chord.is_minor] = 1
    shared, counts = np.zeros((n_bars, n_bars)), np.zeros((n_bars, n_bars))
    for layer in (sounding[..., :12], sounding[..., 12:]):
        flat = layer.reshape(n_bars, -1)
        shared += flat @ flat.T
        counts += np.maximum.outer(flat.sum(axis=1), flat.sum(axis=1))
    return shared / np.maximum(counts, 1)


def _slots(score: Score, spans: Iterable[Timed]) -> Iterator[tuple[tuple[int, int], Timed]]:
    """Bar and half beat of all those that each note or chord fills."""
    n_bars = score.n_bars
    for one in spans:
        for half in range(round(2 * one.start), round(2 * one.end)):
            bar = score.metres.bar(half / 2)
            if 0 <= bar < n_bars:
                yield (bar, int(2 * score.metres.within(half / 2))), one


def _lettered(
    alike: Array, starts: Sequence[int], size: int, shown: float
) -> tuple[float, dict[int, str]]:
    """How many bars come back in blocks of a size, each as far as it is alike, and the letters of
    the blocks."""
    saved, letters = 0.0, list[int]()
    for number, start in enumerate(starts):
        before = [_likeness(alike, one, start, size) for one in starts[:number]]
        best = int(np.argmax(before)) if before else 0
        if before and before[best] >= shown:
            saved += size * before[best]
            letters.append(letters[best])
        else:
            letters.append(max(letters, default=-1) + 1)
    if max(letters, default=0) >= len(LETTERS):
        return 0.0, {}
    return saved, {at: LETTERS[n] for at, n in zip(starts, letters, strict=True)}


def _likeness(alike: Array, one: int, other: int, size: int) -> float:
    """How alike two blocks are, in the half in which they are less so."""
    n = min(size, len(alike) - other)
    bars = alike[np.arange(one, one + n), np.arange(other, other + n)]
    return float(min(bars[: size // 2].mean(), bars[size // 2 :].mean()))
