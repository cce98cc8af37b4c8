"""Frame features -> how likely each moment is a beat, and a bar line, by a convolutional network.

The network is ours: activations.onnx beside this file, a temporal convolutional network (Davies and
Boeck 2019) over the posteriors of notes. `recipes/beat_activations.py` trained it.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.features import FrameFeatures
from thirdstream.notes.transcription.transcriber import Posteriors, session

WEIGHTS = Path(__file__).parent / "activations.onnx"
POOLED = 2  # frames that the network sees as one
CONTEXT = 2048  # of its frames before and after one that its answer depends on: 48 s
KEPT = 16_384  # of its frames at a time: 6 minutes

Array = NDArray[np.float32]


class Activations(NamedTuple):
    """(n_frames,) each, 0 to 1, on the frames of the features: that a beat is there, a bar line."""

    beats: NDArray[np.float64]
    downbeats: NDArray[np.float64]


def activations_of(features: FrameFeatures, weights: Path = WEIGHTS) -> Activations:
    """Of a whole recording, in flat memory; weights: an ONNX file of such a network."""
    network, n_frames = session(weights), -(-features.n_frames // POOLED)
    parts = []
    for first in range(0, n_frames, KEPT):
        span = slice(max(first - CONTEXT, 0), min(first + KEPT + CONTEXT, n_frames))
        seen = stacked(pooled(features, span))
        (found,) = network.run(None, {"features": seen.T[None]})
        parts.append(found[0, :, first - span.start :][:, :KEPT])
    beats, downbeats = np.concatenate(parts, axis=1)
    at = np.arange(features.n_frames) / POOLED
    return Activations(*(np.interp(at, np.arange(n_frames), one) for one in (beats, downbeats)))


def pooled(features: FrameFeatures, span: slice = slice(None)) -> FrameFeatures:
    """Each of the network's frames, of this span of them, is POOLED of those of the features."""
    start, stop, _ = span.indices(-(-features.n_frames // POOLED))
    frames = slice(start * POOLED, stop * POOLED)

    def groups(rows: NDArray[np.floating]) -> list[Array]:
        part = rows[frames].astype(np.float32)
        part = np.pad(part, [(0, -len(part) % POOLED), *[(0, 0)] * (part.ndim - 1)])
        return [part[first::POOLED] for first in range(POOLED)]

    posteriors = features.posteriors
    notes = np.sum(groups(posteriors.notes), axis=0) / np.float32(POOLED)
    onsets, flux, bass_flux, level = (
        np.max(groups(one), axis=0)
        for one in (posteriors.onsets, features.flux, features.bass_flux, features.level)
    )
    return replace(
        features,
        posteriors=Posteriors(notes, onsets),
        melody=features.melody[frames][::POOLED],
        flux=flux,
        bass_flux=bass_flux,
        level=level,
    )


def stacked(seen: FrameFeatures) -> Array:
    """(n_frames, 180), what the network sees: onsets and notes of 88 pitches, flux, bass flux, how
    many onsets, and the level."""
    onsets, notes = seen.posteriors.onsets, seen.posteriors.notes
    number, level = onsets.sum(axis=1) / 3, np.log(seen.level + 1e-3) / 3 + 1
    numbers = np.stack([5 * seen.flux, 5 * seen.bass_flux, number, level], axis=1)
    return np.concatenate([onsets, notes, numbers], axis=1, dtype=np.float32)
