"""A recording -> grains: its notes, each of which may be cut out and played elsewhere."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.melody import melody_of
from thirdstream.notes.transcription.note_events import NoteEvents, clear_notes, onset_confidence
from thirdstream.notes.transcription.transcriber import LOWEST

CLEAR_ONSET = 0.4  # posterior from which a note's beginning is worth playing
HIDDEN, UNCLEAR = 0.6, 0.6  # costs of a note that is no melody, and that sounds among others
ENOUGH = 1.5  # times its share of what sounds: from 1 on it is clear

Array = NDArray[np.float32]


class Grains(NamedTuple):
    """Some recordings' notes, (n,) each: which recording, start and end in seconds, pitch as MIDI
    number, and a cost: how little it stands out."""

    recordings: NDArray[np.int32]
    starts: Array
    ends: Array
    pitches: NDArray[np.int32]
    costs: Array


def melody(features: FrameFeatures) -> NoteEvents:
    """The notes that are the melody; each ends where the next begins, or before."""
    found = clear_notes(features.posteriors, features.flux)
    line = melody_of(found, features)
    intervals = found.intervals[line]
    if len(line) > 1:
        intervals[:-1, 1] = np.minimum(intervals[:-1, 1], intervals[1:, 0] + 0.05)
    return NoteEvents(intervals, found.pitches[line], found.confidences[line])


def grains_of(features: FrameFeatures) -> Grains:
    """The notes of one recording, as number 0, that begin clearly."""
    found = clear_notes(features.posteriors, features.flux)
    clear = onset_confidence(found, features.posteriors) >= CLEAR_ONSET
    found = NoteEvents(*(part[clear] for part in found))
    frames = np.round(found.intervals * FPS).astype(int)
    costs = [
        _cost(features, first, max(last, first + 4), pitch - LOWEST)
        for (first, last), pitch in zip(frames, found.pitches.astype(int), strict=True)
    ]
    return Grains(
        np.zeros(len(costs), np.int32),
        found.intervals[:, 0].astype(np.float32),
        found.intervals[:, 1].astype(np.float32),
        found.pitches.astype(np.int32),
        np.array(costs, np.float32),
    )


def _cost(features: FrameFeatures, first: int, last: int, key: int) -> float:
    """How little a note stands out, by the melody's posteriors and by what sounds beside it."""
    sounds = features.posteriors.notes[first:last].astype(np.float32)
    leads = float(features.melody[first:last, key].astype(np.float32).mean())
    share = float(sounds[:, key].mean() / max(sounds.sum(axis=1).mean(), 1e-3))
    return HIDDEN * (1 - leads) + UNCLEAR * (1 - min(ENOUGH * share, 1.0))
