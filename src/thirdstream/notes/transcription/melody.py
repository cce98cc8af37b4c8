"""The melody of a recording: one line through the notes that were transcribed.

Each note has a salience: how confident, how loud, how high among what sounds with it. The line is
the path of most salience, in which leaps and rests cost (dynamic programming over the notes).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents, onset_confidence
from thirdstream.notes.transcription.transcriber import LOWEST

Array = NDArray[np.float64]

REACH_S = 4.0  # the longest rest within a phrase
TOGETHER_S = 0.06  # notes that begin within it begin together
LED_S = 0.15  # of a note over which the melody's posterior is averaged
N_BEFORE = 48  # notes from which the line may come


@dataclass(frozen=True)
class Weights:
    """What makes a note belong to the melody, and what a step of the line costs.

    Found by random search on 44 rendered pieces, each in both styles.
    """

    note: float = 0.4
    confidence: float = 0.9
    melody: float = 4.0  # posterior of being the melody's
    onset: float = 2.8
    above: float = -0.8  # a note that sounds above it
    height: float = 0.12  # a semitone above the middle of the notes
    partial: float = -0.25  # a note that begins with one an octave or a twelfth below
    low: float = -0.035  # a semitone below LOW
    length: float = 0.24
    leap: float = -0.11  # a semitone
    rest: float = -0.16  # a second


LOW = 57  # MIDI pitch below which a melody seldom lies


def melody_of(
    notes: NoteEvents,
    features: FrameFeatures,
    weights: Weights = Weights(),
) -> NDArray[np.int_]:
    """Which notes are the melody, in order: indices of `notes`, none where there are none."""
    n_notes = len(notes.pitches)
    if n_notes == 0:
        return np.zeros(0, int)
    salience = _salience(notes, features, weights)
    starts, pitches = notes.intervals[:, 0], notes.pitches
    ends = notes.intervals[:, 1]
    score, back = salience.copy(), np.full(n_notes, -1)
    for note in range(1, n_notes):
        first = max(0, note - N_BEFORE)
        earlier = slice(first, note)
        gap = starts[note] - starts[earlier]
        rest = np.clip(starts[note] - ends[earlier], 0, REACH_S)
        leap = np.minimum(np.abs(pitches[note] - pitches[earlier]), 18)
        reached = score[earlier] + weights.leap * leap + weights.rest * rest
        reached = np.where(gap >= TOGETHER_S, reached, -np.inf)
        best = int(reached.argmax())
        if reached[best] > 0:
            back[note] = first + best
            score[note] += reached[best]
    at = int(score.argmax())
    path = []
    while at >= 0:
        path.append(at)
        at = int(back[at])
    return _lower_octave(np.array(path[::-1]), notes)


def _lower_octave(line: NDArray[np.int_], notes: NoteEvents) -> NDArray[np.int_]:
    """The line's lower octave, where most of it is doubled in octaves: those are often partials."""
    starts, pitches = notes.intervals[:, 0], notes.pitches
    lower = line.copy()
    for place, note in enumerate(line):
        first, last = np.searchsorted(starts, starts[note] + np.array([-1.5, 1.5]) * TOGETHER_S)
        below = first + np.flatnonzero(pitches[first:last] == pitches[note] - 12)
        if len(below):
            lower[place] = below[0]
    return lower if (lower != line).mean() > 0.5 else line


def _salience(notes: NoteEvents, features: FrameFeatures, weights: Weights) -> Array:
    starts, ends = notes.intervals.T
    onset, partial = onset_confidence(notes, features.posteriors), _partials(notes)
    lengths = np.minimum(ends - starts, 1.0)
    middle = np.median(notes.pitches[notes.pitches >= LOW]) if (notes.pitches >= LOW).any() else LOW
    return (
        weights.note
        + weights.confidence * (notes.confidences - 0.6)
        + weights.melody * (_melody_posterior(notes, features) - 0.4)
        + weights.onset * (onset - 0.5)
        + weights.above * _covered(notes, partial)
        + weights.partial * partial
        + weights.height * np.clip(notes.pitches - middle, -12, 12)
        + weights.low * np.maximum(LOW - notes.pitches, 0)
        + weights.length * (lengths - 0.3)
    )


def _melody_posterior(notes: NoteEvents, features: FrameFeatures) -> Array:
    """Of each note, 0 to 1: the mean over its first LED_S."""
    frames = np.round(notes.intervals[:, 0] * FPS).astype(int)
    keys = notes.pitches.astype(int) - LOWEST
    inside = np.clip(frames[:, None] + np.arange(round(LED_S * FPS)), 0, features.n_frames - 1)
    return features.melody[inside, keys[:, None]].mean(axis=1, dtype=np.float64)


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
