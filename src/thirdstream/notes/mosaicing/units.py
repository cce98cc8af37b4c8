"""A recording -> units: places where something begins, and what sounds from there on.

A unit is described by the mean posteriors of notes in four windows after its start, by how much is
struck in each, by its level, and by its timbre (MFCC). Frames are those of `features`, 86 a second.
"""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from thirdstream.audio import SR, Wave
from thirdstream.notes.transcription.features import FrameFeatures
from thirdstream.notes.transcription.spectra import HOP
from thirdstream.notes.transcription.spectra import SR as FRAME_SR

EDGES = np.array([0, 8, 16, 32, 64])  # frames after a unit's start, between which it is described
N_WINDOWS = len(EDGES) - 1
N_KEYS = 88
N_MFCC = 13
STRUCK_AT = 0.8  # of `attacks`, from which something begins
SHORTEST = 11  # frames from one beginning to the next that is played apart
APART = 6  # frames between two places of a collection's recording
HELD = 30  # frames from one to the next where nothing begins
LONGEST = HELD + HELD // 2  # of a segment
MOST_STRUCK = 6.0
LOUD = 4.0  # medians of flux that are one attack
SAMPLES = HOP * SR // FRAME_SR  # of a frame at 44.1 kHz

Array = NDArray[np.float32]


class Units(NamedTuple):
    """Some recordings' units, in order. recordings, frames: (n,) of which one, and where in it.

    notes: (n, N_WINDOWS, N_KEYS), 0 to 255 = 1. attacks, levels: (n, N_WINDOWS). timbres:
    (n, N_MFCC).
    """

    recordings: NDArray[np.int32]
    frames: NDArray[np.int32]
    notes: NDArray[np.uint8]
    attacks: Array
    levels: Array
    timbres: Array


def attacks_of(features: FrameFeatures) -> Array:
    """(n_frames,): how many things begin in each, by flux and by onsets of notes."""
    flux = features.flux / (LOUD * float(np.median(features.flux)) + 1e-6)
    struck = features.posteriors.onsets.sum(axis=1, dtype=np.float32)
    return np.minimum(flux + struck, MOST_STRUCK).astype(np.float32)


def struck_places(attacks: Array, apart: int) -> NDArray[np.int_]:
    """Frames in which something begins, at least so many frames apart."""
    highest = maximum_filter1d(attacks, 2 * apart + 1, mode="nearest")
    places = np.flatnonzero((attacks >= STRUCK_AT) & (attacks == highest))
    return places[np.diff(places, prepend=-apart - 1) >= apart]


def _with_held(struck: list[int]) -> NDArray[np.int_]:
    """Some places and the end after them -> the places, and where nothing begins for long, more of
    them, HELD frames apart."""
    return np.array([
        at
        for first, last in itertools.pairwise(struck)
        for at in range(first, max(last - HELD // 2, first + 1), HELD)
    ])  # fmt: skip


def segments_of(attacks: Array) -> NDArray[np.int_]:
    """Edges (n_segments + 1,) of what is played as one: from one beginning to the next, and what is
    longer in parts, which are those of a collection (`starts_of`)."""
    n_frames = len(attacks)
    struck = struck_places(attacks, SHORTEST)
    struck = struck[(struck >= SHORTEST) & (struck < n_frames - SHORTEST)]
    return np.append(_with_held([0, *struck.tolist(), n_frames]), n_frames)


def starts_of(attacks: Array) -> NDArray[np.int_]:
    """Frames at which a unit of a collection may start: where something begins, and where nothing
    does for long."""
    struck = struck_places(attacks, APART)
    return _with_held([0, *struck[struck > 0].tolist(), len(attacks)])


def window_means(rows: NDArray[np.floating], starts: NDArray[np.int_]) -> Array:
    """Means over the windows after each start: (n_frames, d) -> (n, N_WINDOWS, d); what lies behind
    the end counts as nothing."""
    sums = np.zeros((len(rows) + 1, rows.shape[1]))
    np.cumsum(rows, axis=0, dtype=np.float64, out=sums[1:])
    at = np.minimum(starts[:, None] + EDGES, len(rows))
    found = (sums[at[:, 1:]] - sums[at[:, :-1]]) / np.diff(EDGES)[:, None]
    return found.astype(np.float32)


def window_attacks(attacks: Array, starts: NDArray[np.int_]) -> Array:
    """(n, N_WINDOWS): the most that begins in each window; the start's own is in the first."""
    padded = np.pad(attacks, (2, int(EDGES[-1])))
    around = padded[starts[:, None] + np.arange(EDGES[-1])]  # from two frames before
    parts = [around[:, a:b].max(axis=1) for a, b in itertools.pairwise(EDGES)]
    return np.stack(parts, axis=1)


def units_of(features: FrameFeatures, wave: Wave) -> Units:
    """The units of one recording, as number 0. wave: (n_samples,) at 44.1 kHz, of -20 dB."""
    attacks = attacks_of(features)
    starts = starts_of(attacks)
    notes = window_means(features.posteriors.notes.astype(np.float32), starts)
    power = window_means(np.square(features.level)[:, None], starts)[..., 0]
    return Units(
        np.zeros(len(starts), np.int32),
        starts.astype(np.int32),
        np.round(255 * np.clip(notes, 0, 1)).astype(np.uint8),
        window_attacks(attacks, starts),
        np.sqrt(power),
        _timbres(wave, starts),
    )


def _timbres(wave: Wave, starts: NDArray[np.int_]) -> Array:
    """(n, N_MFCC) of the first two windows, without the first coefficient, the level."""
    import librosa  # half a second

    rows = librosa.feature.mfcc(y=wave, sr=SR, n_mfcc=N_MFCC + 1, n_fft=2048, hop_length=SAMPLES)
    return window_means(rows[1:].T, starts)[:, :2].mean(axis=1)
