"""Posteriors -> note events: when each note begins and ends, and how confident that is."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.spectra import HOP, SR
from thirdstream.notes.transcription.transcriber import LOWEST, NOTE_AT, Posteriors

ONSET_AT = 0.5  # posterior from which a note begins
GAP = 11  # frames (0.13 s) without sound that do not end a note
SHORTEST = 11  # frames; shorter notes are left out
FAINT = 0.12  # onset posterior below which nothing begins
SOUNDING = 0.25  # mean note posterior before an onset from which its pitch sounds already
AGAIN_AT = 0.4  # probability from which a pitch that sounds is struck again
SHORTEST_STRUCK = 8  # frames, where flux tells what is struck
LOUDEST = 8.0  # medians of flux to which it is limited
CONFIDENT_AT = 0.75  # a note's confidence and half that of its onset, from which it is kept
NOISE = 0.2  # share of what sounds that is notes, below which it is noise (applause: at most 0.13)
NOISE_S = 2.0  # seconds over which that is taken
ROWS = 1 << 14  # frames, 3 minutes, of which there are float32 at a time


class NoteEvents(NamedTuple):
    """Notes in order of their onsets: intervals (n_notes, 2) in seconds, pitches (n_notes,) as MIDI
    numbers, and the mean note posterior while each sounds, 0 to 1."""

    intervals: NDArray[np.float64]
    pitches: NDArray[np.float64]
    confidences: NDArray[np.float64]


class Again(NamedTuple):
    """What an onset that strikes a sounding pitch again is told by: its logit, the mean note
    posteriors after it and somewhat later, their minimum around it, and flux: drums make onsets
    of notes that only go on. Weights of the logarithm of the odds, by logistic regression
    (`recipes/melody_weights.py`)."""

    bias: float
    onset: float
    after: float
    later: float
    least: float
    flux: float


AGAIN = Again(0.11, 1.23, -0.03, 1.65, -1.71, -1.4)


def notes_of(posteriors: Posteriors) -> NoteEvents:
    """Posteriors as notes.

    Each pitch by itself: it sounds from 0.3 on, and gaps up to 0.13 s are closed. A stretch of
    sound is cut where its onset posterior peaks at 0.5 or more; notes under 0.13 s are left out.
    """

    def begins(note: NDArray[np.floating], onset: NDArray[np.floating]) -> NDArray[np.int_]:
        places = onset_peaks(onset)
        return places[onset[places] >= ONSET_AT]

    return _notes(posteriors, begins, SHORTEST)


def struck_notes(posteriors: Posteriors, flux: NDArray[np.floating]) -> NoteEvents:
    """Posteriors as notes, as `notes_of`, but where a pitch sounds already, the onset's course and
    the flux (n_frames,) tell whether it is struck again; notes under 0.09 s are left out."""
    loud = loudness(flux)

    def begins(note: NDArray[np.floating], onset: NDArray[np.floating]) -> NDArray[np.int_]:
        places = onset_peaks(onset)
        before, evidence = struck(note, onset, loud, places)
        odds = AGAIN.bias + evidence @ np.array(AGAIN[1:])
        again = odds >= np.log(AGAIN_AT / (1 - AGAIN_AT))
        return places[np.where(before > SOUNDING, again, onset[places] >= ONSET_AT)]

    return _notes(posteriors, begins, SHORTEST_STRUCK)


def clear_notes(posteriors: Posteriors, flux: NDArray[np.floating]) -> NoteEvents:
    """Posteriors as the notes of a transcription: `struck_notes`, but for those that are not
    `confident` and those amid noise."""
    found = confident(struck_notes(posteriors, flux), posteriors)
    return without_noise(found, posteriors)


def loudness(flux: NDArray[np.floating]) -> NDArray[np.float64]:
    """Flux around each frame in its medians, at most 1 = LOUDEST of them."""
    padded = np.pad(flux.astype(np.float64), 3)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 7).max(axis=1)
    return np.minimum(highest / (float(np.median(flux)) + 1e-6) / LOUDEST, 1)


def onset_peaks(onset: NDArray[np.floating]) -> NDArray[np.int_]:
    """Frames in which an onset posterior (n_frames,) peaks, high or low."""
    beside = np.pad(onset, 1)
    return np.flatnonzero((onset >= FAINT) & (onset > beside[:-2]) & (onset >= beside[2:]))


def struck(
    note: NDArray[np.floating],
    onset: NDArray[np.floating],
    loud: NDArray[np.float64],
    places: NDArray[np.int_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of a pitch's onset peaks: the mean note posterior before each, and the evidence that they
    strike it, (n_peaks, 5), which `Again` weighs."""
    high = np.clip(onset[places].astype(np.float64), 0.002, 0.998)
    around = np.clip(places[:, None] + np.arange(-8, 14), 0, len(note) - 1)
    near = note[around].astype(np.float64)  # 8 frames before, itself, 13 after
    before, after, later = (
        near[:, first:last].mean(axis=1) for first, last in ((0, 7), (9, 17), (14, 22))
    )
    least = near[:, :11].min(axis=1, initial=1)
    return before, np.column_stack([np.log(high / (1 - high)), after, later, least, loud[places]])


def _notes(
    posteriors: Posteriors,
    begins: Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.int_]],
    shortest: int,
) -> NoteEvents:
    """begins: note and onset posteriors of a pitch -> the frames in which it begins."""
    found: list[tuple[float, ...]] = []
    for pitch in range(posteriors.notes.shape[1]):
        note, onset = (np.ascontiguousarray(part[:, pitch]) for part in posteriors)
        places = begins(note, onset)
        sounds = note >= NOTE_AT
        sounds[places] = True
        for start, end in _stretches(sounds):
            inside = places[(places > start) & (places < end)].tolist()
            for first, last in itertools.pairwise([start, *inside, end]):
                if last - first >= shortest:
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
    sums = np.empty((2, len(inside)), np.float32)  # of all that sounds, and of notes
    for at in range(0, len(inside), ROWS):
        sounds = posteriors.notes[at : at + ROWS].astype(np.float32)
        sums[0, at : at + ROWS] = sounds.sum(axis=1)
        sums[1, at : at + ROWS] = (sounds * inside[at : at + ROWS]).sum(axis=1)
    total, of_notes = (np.pad(np.cumsum(part, dtype=np.float64), (1, 0)) for part in sums)
    reach = round(NOISE_S / 2 * SR / HOP)
    middle = spans.mean(axis=1).astype(int)
    first, last = (np.clip(middle + side * reach, 0, len(inside)) for side in (-1, 1))
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
