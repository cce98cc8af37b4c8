"""The drums of a recording: small networks over its mel spectrogram find their strokes.

The networks are ours: drums.onnx beside this file is the mean of two dilated convolutional networks
over time. They were trained on ensembles with drums and without (`recipes/drum_weights.py`).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from thirdstream.audio import SR, Wave
from thirdstream.notes.learning.spectra import mel_magnitudes
from thirdstream.notes.transcription.transcriber import session

Array = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "drums.onnx"
N_FFT, HOP_LENGTH, N_MELS, F_MIN, F_MAX = 1024, 512, 48, 30.0, 16_000.0
FPS = SR / HOP_LENGTH
COMPRESSION = 1000.0
KICK, SNARE, TOM, CLOSED_HAT, RIDE = 36, 38, 45, 42, 51
KINDS = (KICK, SNARE, TOM, CLOSED_HAT, RIDE)  # that the networks tell apart, as General MIDI keys
SURE = 0.4  # how sure the networks are of a stroke at least
PEAK = 7  # frames in which a kind has one stroke
DECISIVE = (SNARE, CLOSED_HAT, RIDE)  # a plucked bass is taken for the others
OFTEN = 0.55  # strokes a second of these, of drums at least
KEPT, CONTEXT = 4096, 64  # frames at a time, and those around them that their answers depend on
USUAL = 90  # percentile of a kind's strokes that is hard


class Stroke(NamedTuple):
    """A stroke: when, which drum (General MIDI key), how hard (MIDI velocity)."""

    at_s: float
    drum: int
    velocity: int


def strokes_of(wave: Wave) -> list[Stroke]:
    """Drum strokes of a mono wave at 44,100 Hz and -20 dB, in order; none where it has no drums."""
    mels = mel_frames(wave)
    found = _activations(mels)
    is_peak = (found >= SURE) & (found == maximum_filter1d(found, PEAK, axis=1))
    decisive = is_peak[[drum in DECISIVE for drum in KINDS]]
    if decisive.sum() < OFTEN * len(wave) / SR:
        return []
    strokes = []
    for drum, row in zip(KINDS, is_peak, strict=True):
        at = np.flatnonzero(row)
        strokes += [Stroke(float(one) / FPS, drum, velocity)
                    for one, velocity in zip(at, _velocities(mels, at), strict=True)]  # fmt: skip
    return sorted(strokes)


def mel_frames(wave: Wave) -> Array:
    """(N_MELS, n_frames): what the networks see of a mono wave, compressed magnitudes."""
    magnitudes = mel_magnitudes(
        wave, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS, f_min=F_MIN, f_max=F_MAX
    )
    return np.log1p(COMPRESSION * magnitudes).astype(np.float32)


def _activations(mels: Array) -> Array:
    """(kinds, n_frames): how sure the networks are of each stroke, in flat memory."""
    network, parts = session(WEIGHTS), []
    for first in range(0, mels.shape[1], KEPT):
        start = max(first - CONTEXT, 0)
        (found,) = network.run(None, {"mels": mels[None, :, start : first + KEPT + CONTEXT]})
        parts.append(found[0, :, first - start :][:, :KEPT])
    return np.concatenate(parts, axis=1)


def _velocities(mels: Array, at: NDArray[np.int_]) -> list[int]:
    """How hard each stroke of a kind is, by how much the bands rise there."""
    if not len(at):
        return []
    before, after = np.maximum(at - 2, 0), np.minimum(at + 1, mels.shape[1] - 1)
    rises = np.maximum(mels[:, after] - mels[:, before], 0).mean(axis=0)
    strength = rises / max(float(np.percentile(rises, USUAL)), 1e-6)
    return np.clip(40 + 50 * np.minimum(strength, 1.2), 1, 110).astype(int).tolist()
