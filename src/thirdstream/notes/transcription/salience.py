"""How likely each note of a recording is the melody's.

Two small networks over the notes. The first sees a note alone: its posteriors, and what sounds with
it. The second also sees how it suits what, by the first, is probably the melody around it. Found by
`recipes/melody_weights.py`, on rendered pieces.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents, onset_confidence
from thirdstream.notes.transcription.transcriber import LOWEST

Array = NDArray[np.float64]

PATH = Path(__file__).parent / "salience.json"
TOGETHER_S = 0.06  # notes that begin within it begin together
LED_S = 0.15  # of a note over which the melody's posterior is averaged
LOW, MIDDLE = 57, 69  # MIDI pitches: a melody seldom lies below LOW
NEAR_S = (2.0, 6.0)  # seconds around a note in which the melody is looked at
FARTHEST = 4.0  # standard deviations to which all that is observed is limited


class Network(NamedTuple):
    """One hidden layer; its inputs less `mean`, in deviations. Shapes: (n,), (n,), (n, n_hidden),
    (n_hidden,), (n_hidden,), ()."""

    mean: Array
    deviation: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    bias: Array

    def __call__(self, observed: Array) -> Array:
        """(n_notes, n) -> logarithm of the odds, (n_notes,)."""
        inputs = np.clip((observed - self.mean) / self.deviation, -FARTHEST, FARTHEST)
        return np.maximum(inputs @ self.hidden + self.hidden_bias, 0) @ self.out + self.bias


@lru_cache(1)
def networks() -> tuple[Network, Network]:
    """That of a note alone, and that of a note among others."""
    read = json.loads(PATH.read_text())
    first, second = (
        Network(**{name: np.array(part[name], float) for name in Network._fields})
        for part in (read["alone"], read["among"])
    )
    return first, second


def log_odds(notes: NoteEvents, features: FrameFeatures) -> Array:
    """Of each note, that it is the melody's, (n_notes,)."""
    first, second = networks()
    seen = alone(notes, features)
    return second(np.column_stack([seen, among(notes, 1 / (1 + np.exp(-first(seen))))]))


def alone(notes: NoteEvents, features: FrameFeatures) -> Array:
    """What is observed of each note: (n_notes, 19)."""
    starts, ends = notes.intervals.T
    keys = notes.pitches.astype(int) - LOWEST
    beginning = _beginnings(notes, features)
    rows = np.arange(len(keys))
    led = beginning[rows, keys]
    beginning[rows, keys] = 0
    best = beginning.max(axis=1, initial=0)
    above = np.where(np.arange(88) > keys[:, None], beginning, 0).max(axis=1, initial=0)
    whole = np.array([
        features.melody[a : max(b, a + 1), key].mean(dtype=np.float64)
        for (a, b), key in zip(_frames(notes, features), keys, strict=True)
    ])  # fmt: skip
    partial = _partials(notes)
    lengths = ends - starts
    return np.column_stack([
        notes.confidences, onset_confidence(notes, features.posteriors),
        led, whole, _logit(led), _logit(whole), _logit(led) - _logit(best),
        _logit(led) - _logit(above), _covered(notes, partial), partial.astype(float),
        _beside(notes, led), _loudness(notes, features),
        np.log(np.maximum(lengths, 0.1)), np.minimum(lengths, 1.5),
        np.maximum(LOW - notes.pitches, 0) / 12, (notes.pitches - MIDDLE) / 12,
    ])  # fmt: skip


def among(notes: NoteEvents, likely: Array) -> Array:
    """How each note suits its neighbours, of which each is the melody's with the probability
    `likely`: its height and confidence against theirs, and what of them sounds with it.
    (n_notes, 10)."""
    starts, pitches = notes.intervals[:, 0], notes.pitches
    weights, found = np.square(likely), []
    total = weights
    for reach_s in NEAR_S:
        height, total = _mean_around(pitches, weights, starts, reach_s)
        apart = np.clip((pitches - height) / 12, -2, 2)
        confidence, _ = _mean_around(notes.confidences, weights, starts, reach_s)
        found += [apart, np.abs(apart), notes.confidences - confidence]
    return np.column_stack([*found, np.log1p(total), _rivals(notes, likely), likely])


def _mean_around(
    values: Array, weights: Array, starts: Array, reach_s: float
) -> tuple[Array, Array]:
    """Of each note, the weighted mean of the others around it, and their weights' sum."""
    first, last = (np.searchsorted(starts, starts + side * reach_s) for side in (-1, 1))
    sums, totals = (
        np.diff(np.pad(np.cumsum(part), (1, 0))[[first, last]], axis=0)[0] - part
        for part in (weights * values, weights)
    )
    return sums / np.maximum(totals, 1e-3), np.maximum(totals, 0)


def _rivals(notes: NoteEvents, likely: Array) -> Array:
    """The most likely of the notes that sound as each begins, and of those above it. (n, 2)."""
    (starts, ends), pitches = notes.intervals.T, notes.pitches
    found = np.zeros((len(starts), 2))
    order_ends = np.maximum.accumulate(ends)
    for note, start in enumerate(starts):
        first = int(np.searchsorted(order_ends, start + 0.03))
        last = int(np.searchsorted(starts, min(start + 0.08, ends[note]), side="right"))
        others = np.arange(first, last)
        others = others[(others != note) & (ends[others] > start + 0.03)]
        found[note, 0] = likely[others].max(initial=0)
        found[note, 1] = likely[others[pitches[others] > pitches[note]]].max(initial=0)
    return found


def _frames(notes: NoteEvents, features: FrameFeatures) -> NDArray[np.int_]:
    """First frame and end of each note, within the recording."""
    return np.clip(np.round(notes.intervals * FPS).astype(int), 0, features.n_frames - 1)


def _beginnings(notes: NoteEvents, features: FrameFeatures) -> Array:
    """The melody's posterior at all pitches, (n_notes, 88): the mean over LED_S of each note."""
    first, n = _frames(notes, features)[:, 0], round(LED_S * FPS)
    total = np.zeros((len(first), 88))
    for frame in range(n):
        total += features.melody[np.minimum(first + frame, features.n_frames - 1)]
    return total / n


def _beside(notes: NoteEvents, led: Array) -> Array:
    """Of the notes that begin together with each: how many, and how many are higher, how many more
    likely the melody by `led`; and how much more confident it is than their median. (n, 4)."""
    starts = notes.intervals[:, 0]
    spans = [np.searchsorted(starts, starts + side * TOGETHER_S) for side in (-1, 1)]
    return np.array([
        (
            min(last - first - 1, 6),
            min((notes.pitches[first:last] > notes.pitches[note]).sum(), 4),
            notes.confidences[note] - _median(notes.confidences[first:last]),
            min((led[first:last] > led[note]).sum(), 4),
        )
        for note, (first, last) in enumerate(zip(*spans, strict=True))
    ], float).reshape(-1, 4)  # fmt: skip


def _median(values: Array) -> float:
    """Of a few, for which numpy takes twenty times as long."""
    ordered = sorted(values.tolist())
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _loudness(notes: NoteEvents, features: FrameFeatures) -> Array:
    """The highest flux as each note begins, in medians of the recording's."""
    around = _frames(notes, features)[:, :1] + np.arange(-3, 5)
    flux = features.flux[np.clip(around, 0, features.n_frames - 1)].max(axis=1)
    return np.minimum(flux / (float(np.median(features.flux)) + 1e-6), 4).astype(float)


def _partials(notes: NoteEvents) -> NDArray[np.bool_]:
    """Which notes begin together with one an octave or a twelfth below: mostly its partials."""
    starts, pitches = notes.intervals[:, 0], notes.pitches
    firsts, lasts = (np.searchsorted(starts, starts + side * TOGETHER_S) for side in (-1.5, 1.5))
    return np.array(
        [
            bool(np.isin(pitches[first:last], (pitch - 12, pitch - 19)).any())
            for pitch, first, last in zip(pitches, firsts, lasts, strict=True)
        ]
    )


def _covered(notes: NoteEvents, partial: NDArray[np.bool_]) -> Array:
    """How much of each note's beginning (0.25 s) sounds below another, partials aside, 0 to 1."""
    starts, ends = notes.intervals.T
    found = np.zeros(len(starts))
    order_ends = np.maximum.accumulate(ends)
    for note, start in enumerate(starts):
        stop = min(start + 0.25, ends[note])
        first = int(np.searchsorted(order_ends, start))
        last = int(np.searchsorted(starts, stop))
        others = np.arange(first, last)
        higher = others[(notes.pitches[others] > notes.pitches[note]) & ~partial[others]]
        if len(higher):
            shared = np.minimum(ends[higher], stop) - np.maximum(starts[higher], start)
            found[note] = np.clip(shared.max() / (stop - start), 0, 1)
    return found


def _logit(posterior: Array) -> Array:
    odds = np.clip(posterior, 1e-3, 1 - 1e-3)
    return np.log(odds / (1 - odds))
