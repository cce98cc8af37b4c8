"""Posteriors -> note events: when each note begins and ends, and how confident that is."""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.spectra import HOP, SR
from thirdstream.notes.transcription.transcriber import LOWEST, NOTE_AT, Posteriors

ONSET_AT = 0.5  # posterior from which a note begins
GAP = 11  # frames (0.13 s) without sound that do not end a note
SHORTEST = 11  # frames; shorter notes are left out
CONFIDENT_AT = 0.75  # a note's confidence and half that of its onset, from which it is kept
NOISE = 0.2  # share of what sounds that is notes, below which it is noise (applause: at most 0.13)
NOISE_S = 2.0  # seconds over which that is taken


class NoteEvents(NamedTuple):
    """Notes in order of their onsets: intervals (n_notes, 2) in seconds, pitches (n_notes,) as MIDI
    numbers, and the mean note posterior while each sounds, 0 to 1."""

    intervals: NDArray[np.float64]
    pitches: NDArray[np.float64]
    confidences: NDArray[np.float64]


def notes_of(posteriors: Posteriors) -> NoteEvents:
    """Posteriors as notes.

    Each pitch by itself: it sounds from 0.3 on, and gaps up to 0.13 s are closed. A stretch of
    sound is cut where its onset posterior peaks at 0.5 or more; notes under 0.13 s are left out.
    """
    found: list[tuple[float, ...]] = []
    for pitch, (note, onset) in enumerate(
        zip(posteriors.notes.T, posteriors.onsets.T, strict=True)
    ):
        beside = np.pad(onset, 1)
        peaks = (onset >= ONSET_AT) & (onset > beside[:-2]) & (onset >= beside[2:])
        places = np.flatnonzero(peaks)
        for start, end in _stretches((note >= NOTE_AT) | peaks):
            inside = places[(places > start) & (places < end)].tolist()
            for first, last in itertools.pairwise([start, *inside, end]):
                if last - first >= SHORTEST:
                    confidence = float(note[first:last].mean(dtype=np.float64))
                    found.append((first, last, LOWEST + pitch, confidence))
    found.sort()
    rows = np.array(found, np.float64).reshape(-1, 4)
    return NoteEvents(rows[:, :2] * (HOP / SR), rows[:, 2], rows[:, 3])


def onset_confidence(notes: NoteEvents, posteriors: Posteriors) -> NDArray[np.float64]:
    """Of each note, 0 to 1: the highest onset posterior around its beginning."""
    frames = np.round(notes.intervals[:, 0] * (SR / HOP)).astype(int)
    keys = notes.pitches.astype(int) - LOWEST
    around = np.clip(frames[:, None] + np.arange(-3, 4), 0, len(posteriors.onsets) - 1)
    return posteriors.onsets[around, keys[:, None]].max(axis=1).astype(np.float64)


def confident(notes: NoteEvents, posteriors: Posteriors) -> NoteEvents:
    """The notes without those whose note and onset posteriors are low, as in noise."""
    kept = notes.confidences + onset_confidence(notes, posteriors) / 2 >= CONFIDENT_AT
    return NoteEvents(*(part[kept] for part in notes))


def without_noise(notes: NoteEvents, posteriors: Posteriors) -> NoteEvents:
    """The notes without those amid noise, such as applause: there, what sounds is spread over all
    pitches, and little of it is notes.
    """
    inside = np.zeros(posteriors.notes.shape, bool)
    spans = np.round(notes.intervals * (SR / HOP)).astype(int)
    for (start, end), pitch in zip(spans, notes.pitches.astype(int), strict=True):
        inside[start:end, pitch - LOWEST] = True
    sounds = posteriors.notes.astype(np.float32)
    total, of_notes = (
        np.pad(np.cumsum(part.sum(axis=1), dtype=np.float64), (1, 0))
        for part in (sounds, sounds * inside)
    )
    reach = round(NOISE_S / 2 * SR / HOP)
    middle = spans.mean(axis=1).astype(int)
    first, last = (np.clip(middle + side * reach, 0, len(sounds)) for side in (-1, 1))
    share = (of_notes[last] - of_notes[first]) / np.maximum(total[last] - total[first], 1e-9)
    return NoteEvents(*(part[share >= NOISE] for part in notes))


def _stretches(sounds: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First frame and end of each run of True, runs joined over gaps of up to GAP frames."""
    edges = np.flatnonzero(np.diff(np.pad(sounds.astype(np.int8), 1)))
    joined: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if joined and start - joined[-1][1] <= GAP:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
