"""The key of a piece, and where it goes into another, from its melody and chords.

A logistic regression tells the 24 keys apart. It weighs how long each chord, bass and note of the
melody lasts, by semitones above the tonic, and how long chords that their dominant leads to; then
the first and the last chord. `recipes/key_weights.py` finds the weights, of which major and minor
keys have one set each.
"""

import itertools
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.key import Key, key_of_notes
from thirdstream.notes.types import Chord, Score
from thirdstream.notes.viterbi import best_path

PATH = Path(__file__).parent / "key_weights.json"
KEYS = tuple(Key(tonic, is_minor) for tonic in range(12) for is_minor in (False, True))
KINDS = ("major", "dominant", "minor", "diminished")
COLUMNS = (*KINDS, "bass", "melody", "falls to major", "falls to minor")  # lengths
ENDS = ("first major", "first minor", "last major", "last minor")  # 1 or 0
LONGEST = 4.0  # quarter notes of a chord that its dominant leads to count
STRETCH = 24.0  # quarter notes that speak for a key as a whole piece does
CHANGE = 10.0  # what a change of key costs, as a logarithm of odds
Array = NDArray[np.float64]


class KeyWeights(NamedTuple):
    """What speaks for a key, as logarithms of odds.

    weights: (2, 12, n_columns + n_ends), of major and of minor keys, by semitones above the tonic.
    minor: what a minor key has ahead.
    """

    weights: Array
    minor: float


@lru_cache
def key_weights() -> KeyWeights:
    """Those of key_weights.json."""
    found = json.loads(PATH.read_text(encoding="utf-8"))
    return KeyWeights(np.array([found["major"], found["minor"]]), found["bias"])


def key_of(score: Score) -> Key:
    """The key of melody and chords; of the melody alone where there are no chords."""
    if not score.chords:
        return key_of_notes(score.melody)
    return KEYS[int(_evidence(features(score)[None]).argmax())]


def features(score: Score) -> Array:
    """(12, n_columns + n_ends) by pitch class: shares of the lengths, and the ends."""
    lengths = _lengths_of(score, np.array([0.0, np.inf]))[0]
    ends = np.zeros((12, len(ENDS)))
    for column, chord in ((0, score.chords[0]), (2, score.chords[-1])):
        ends[chord.root, column + chord.is_minor] = 1.0
    return np.hstack([lengths / _totals(lengths), ends])


def _totals(lengths: Array) -> Array:
    """(n_columns,): of all chords, but for the melody's column of the melody."""
    totals = np.full(len(COLUMNS), max(lengths[:, : len(KINDS)].sum(), 1e-9))
    melody = COLUMNS.index("melody")
    totals[melody] = max(lengths[:, melody].sum(), 1e-9)
    return totals


def _lengths_of(score: Score, edges: Array) -> Array:
    """In quarter notes, (n_spans, 12, n_columns) by pitch class, of the spans between edges."""
    found = np.zeros((len(edges) - 1, 12, len(COLUMNS)))
    bass, melody, falls = (COLUMNS.index(c) for c in ("bass", "melody", "falls to major"))
    for chord in score.chords:
        inside = _inside(chord.start, chord.end, edges)
        found[:, chord.root, _kind(chord)] += inside
        found[:, chord.bass, bass] += inside
    for note in score.melody:
        found[:, note.pitch % 12, melody] += _inside(note.start, note.end, edges)
    for before, chord in itertools.pairwise(score.chords):
        if (before.root - chord.root) % 12 == 7 and not before.is_minor:
            end = min(chord.end, chord.start + LONGEST)
            found[:, chord.root, falls + chord.is_minor] += _inside(chord.start, end, edges)
    return found


def _inside(start: float, end: float, edges: Array) -> Array:
    """(n_spans,): how much of the span from start to end lies between each two edges."""
    return np.maximum(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0.0)


def _kind(chord: Chord) -> int:
    """Of KINDS."""
    if chord.is_minor:
        return 3 if chord.fifth == 6 else 2
    return int(10 in chord.intervals)


def _evidence(found: Array, *, bias: float | None = None) -> Array:
    """(n, 12, n_columns [+ n_ends]) -> (n, 24) of KEYS; bias: by default that of minor keys."""
    of = key_weights()
    rolled = np.stack([np.roll(found, -tonic, axis=1) for tonic in range(12)], axis=1)
    spoken = np.einsum("ntpc,mpc->ntm", rolled, of.weights[:, :, : found.shape[2]])
    ahead = of.minor if bias is None else bias
    return (spoken + np.array([0.0, ahead])).reshape(len(found), len(KEYS))


def keys_of(score: Score) -> tuple[tuple[float, Key], ...]:
    """The keys it goes through, each with the quarter note, a bar line, where it begins.

    The best sequence (Viterbi) of keys over bars, with a high cost of a change: a passing chord or
    a few bars elsewhere make none. A piece that stays in one key has its `key_of`.
    """
    home = key_of(score)
    if not score.chords or score.n_bars < 2:
        return ((0.0, home),)
    edges = np.array([score.metres.line(bar) for bar in range(score.n_bars + 1)], float)
    lengths = _lengths_of(score, edges)
    sounding = lengths[:, :, : len(KINDS)].sum() / STRETCH
    shares = lengths / _totals(lengths.sum(axis=0)) * sounding
    moves = np.full((len(KEYS), len(KEYS)), -CHANGE)
    path = best_path(_evidence(shares, bias=0.0), moves)
    begins = [0, *(np.flatnonzero(np.diff(path)) + 1)]
    if len(begins) == 1:
        return ((0.0, home),)
    return tuple((float(edges[bar]), KEYS[path[bar]]) for bar in begins)
