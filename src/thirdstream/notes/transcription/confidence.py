"""How far a transcription may be trusted, bar by bar: its beats, chords and melody, 0 to 1.

These are not calibrated: 0.8 does not mean that eight of ten such bars are right. They tell better
bars of a recording from worse ones.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from thirdstream.notes.transcription.beats import Bars
from thirdstream.notes.transcription.chords import ChordBeats, states_of
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.hypotheses import LATE_S
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.pulse import NEAR, onset_strength
from thirdstream.notes.transcription.transcriber import LOWEST

Array = NDArray[np.float64]

PRESENT = 0.5  # posterior of a pitch being the melody's, from which a rest is doubtful


@dataclass(frozen=True)
class BarConfidence:
    """Of the bar that begins at `start_s`: how far its beats, chords and melody may be trusted,
    each 0 to 1, by `beats_of`, `chords_of` and `melody_of`."""

    start_s: float
    beats: float
    chords: float
    melody: float


def confidence_of(
    features: FrameFeatures, bars: Bars, harmony: ChordBeats, *, melody: NoteEvents
) -> tuple[BarConfidence, ...]:
    """Of each bar. melody: its notes, as they are played."""
    starts_s = [bars.beats_s[first] for first, _ in _spans(bars)]
    found = (beats_of(features, bars), chords_of(harmony, bars), melody_of(features, bars, melody))
    return tuple(BarConfidence(*map(float, one)) for one in zip(starts_s, *found, strict=True))


def beats_of(features: FrameFeatures, bars: Bars) -> Array:
    """(n_bars,): sqrt(met * ahead).

    met = 1 - all / on, at least 0: `on` is the onset strength at the bar's beats, the highest
    within 35 ms of each, on average; `all` is the same of all moments of the bar, on and between.
    ahead = tanh(lead / 2), the difference of probability between the best reading and the best one
    of another metre or tempo, where these two are all there is (see `Bars.lead`).
    """
    near = maximum_filter1d(onset_strength(features), NEAR)
    frames = np.round((bars.beats_s + LATE_S) * FPS).astype(int)
    inside = (frames >= 0) & (frames < len(near))
    met = []
    for first, last in _spans(bars):
        here = frames[first:last][inside[first:last]]
        on = float(near[here].mean()) if len(here) else 0.0
        everywhere = near[max(frames[first], 0) : max(frames[last], 0)]
        met.append(max(0.0, 1 - float(everywhere.mean()) / on) if on > 0 else 0.0)
    return np.sqrt(np.array(met) * math.tanh(bars.lead / 2))


def chords_of(harmony: ChordBeats, bars: Bars) -> Array:
    """(n_bars,): the mean over the bar's beats of the probability that the chord has the triad that
    is written, given the whole recording (forward-backward, see `ChordBeats`).

    Sevenths are left open, as they were when the model was trained. A beat without a chord counts 1
    where no note sounds, else 0.
    """
    found = np.where(harmony.sounding, 0.0, 1.0)
    for chord in harmony.chords:
        inside = slice(round(chord.start), round(chord.end))
        found[inside] = harmony.posterior[inside][:, states_of(chord)].sum(axis=1)
    means = [found[first:last].mean() for first, last in _spans(bars)]
    return np.minimum(means, 1.0)  # rounding


def melody_of(features: FrameFeatures, bars: Bars, melody: NoteEvents) -> Array:
    """(n_bars,): the mean over the bar's frames of the posterior that the pitch which is written is
    the melody's; a frame in a rest counts 1 where no pitch has one of PRESENT or more, else 0."""
    n_frames = features.n_frames
    key = np.full(n_frames, -1)
    for (start, end), pitch in zip(melody.intervals * FPS, melody.pitches, strict=True):
        key[round(start) : round(end)] = int(pitch) - LOWEST
    sung, rests = np.flatnonzero(key >= 0), np.flatnonzero(key < 0)
    found = np.empty(n_frames)
    found[sung] = features.melody[sung, key[sung]]
    found[rests] = (features.melody[rests] < PRESENT).all(axis=1)
    edges = np.clip(np.round(bars.beats_s * FPS).astype(int), 0, n_frames)
    spans = ((edges[first], edges[last]) for first, last in _spans(bars))
    return np.array([found[a:b].mean() if b > a else 0.0 for a, b in spans])


def _spans(bars: Bars) -> Iterator[tuple[int, int]]:
    """The first beat of each bar and that of the next."""
    return itertools.pairwise(bars.lines.tolist())
