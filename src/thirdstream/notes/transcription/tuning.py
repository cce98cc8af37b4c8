"""How far a recording lies from A = 440 Hz, by the partials that stand out of its spectra.

Every partial lies some share of a semitone beside the nearest key; as semitones go round, shares
are averaged as angles (circular mean). Old recordings that ran too fast lie anywhere between.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from thirdstream.audio import Wave
from thirdstream.notes.transcription.spectra import SR

N_FFT = 4096  # samples, 0.19 s
LOWEST_HZ, HIGHEST_HZ = 100.0, 2000.0  # of partials: lower ones are told apart too coarsely
LOUD = 0.1  # of a frame's loudest partial
CLEAR = 0.3  # length of the mean angle, 0 to 1, from which on there is a tuning at all
BESIDE = 0.15  # semitones; nearer than this it is the players' intonation

Array = NDArray[np.complex64]


def shares(wave: Wave) -> Array:
    """(2,) of a stretch at SR: the sum of its partials' angles, and of their magnitudes."""
    if len(wave) < N_FFT:
        wave = np.pad(wave, (0, N_FFT - len(wave)))
    frames = np.lib.stride_tricks.sliding_window_view(wave, N_FFT)[::N_FFT]
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    size = np.abs(np.asarray(scipy.fft.rfft(frames * window))) + 1e-9
    first, last = (round(hz * N_FFT / SR) for hz in (LOWEST_HZ, HIGHEST_HZ))
    left, here, right = (np.log(size[:, first + k : last + k]) for k in (-1, 0, 1))
    loud = here > here.max(axis=1, keepdims=True) + np.log(LOUD)
    row, place = np.nonzero((here > left) & (here >= right) & loud)
    before, peak, after = (part[row, place] for part in (left, here, right))
    bend = before - 2 * peak + after
    hz = (first + place + 0.5 * (before - after) / bend) * SR / N_FFT
    weight = np.exp(peak)
    angles = weight * np.exp(2j * np.pi * 12 * np.log2(hz / 440))
    return np.array([angles.sum(), weight.sum()], np.complex64)


def tuning_of(parts: Array) -> float:
    """Semitones from A = 440 Hz, -0.5 to 0.5, of the `shares` (n, 2) of a recording's stretches.

    0 where it is nearer than BESIDE, or where nothing is clear.
    """
    angles, weight = parts.sum(axis=0)
    found = float(np.angle(angles) / (2 * np.pi))
    clear = np.abs(angles) > CLEAR * max(weight.real, 1e-6)
    return found if clear and abs(found) > BESIDE else 0.0
