"""Judges of any styles: the nearest of recordings whose styles are known, of learned_styles.py.

One compares sound (the published tagger's embeddings), the other notes (those of a published
transcriber). Nothing that makes music uses either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import Wave
from thirdstream.evaluation.metrics import Notes, beat_times

Array = NDArray[np.float64]

K = 5  # neighbours
REGISTERS = (0, 36, 44, 52, 60, 68, 76, 84, 128)  # MIDI pitches
LOW, HIGH = 52, 68  # below is the bass, from here on the tune
LENGTHS_S = (0.0, 0.18, 0.27, 0.4, 0.6, 0.9, 1e9)
TOGETHER_S = 0.03
CYMBALS_HZ = 7000.0


@dataclass(frozen=True)
class Judge:
    """k nearest neighbours. rows: (n_recordings, n_dimensions), in units in which they compare."""

    rows: Array
    styles: Sequence[str]
    mean: Array
    scale: Array

    @classmethod
    def of(cls, rows: Sequence[Sequence[float]], styles: Sequence[str]) -> "Judge":
        """Each dimension counts by its standard deviation."""
        table = np.array(rows)
        mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-9
        return cls((table - mean) / scale, styles, mean, scale)

    def style(self, row: Array) -> str:
        """That of most of the K nearest; of the nearest of them where as many are of another."""
        distances = np.linalg.norm(self.rows - (row - self.mean) / self.scale, axis=1)
        near = [self.styles[at] for at in np.argsort(distances)[:K]]
        return max(near, key=lambda one: (near.count(one), -near.index(one)))


def statistics(wave: Wave, sr: int, notes: Notes) -> Array:
    """A recording's notes in numbers: registers, density, lengths, places in the beat, how many
    together, and how much strikes above all pitches (cymbals)."""
    starts, ends = notes.intervals.T
    seconds = len(wave) / sr
    parts = [notes.pitches < LOW, (notes.pitches >= LOW) & (notes.pitches < HIGH),
             notes.pitches >= HIGH]  # fmt: skip
    together = np.diff(np.sort(starts)) < TOGETHER_S
    found = [
        _shares(notes.pitches, REGISTERS),
        [np.log1p(part.sum() / seconds) for part in parts],
        *(_shares((ends - starts)[part], LENGTHS_S) for part in parts[:2]),
        *(_places(starts[part], beat_times(wave, sr)) for part in parts[:2]),
        [together.mean() if len(together) else 0.0, (ends - starts).sum() / seconds],
        _cymbals(wave, sr),
    ]
    return np.concatenate([np.asarray(one, np.float64) for one in found])


def _shares(values: Array, edges: Sequence[float]) -> Array:
    return np.histogram(values, edges)[0] / max(len(values), 1)


def _places(starts: Array, beats: Array) -> Array:
    """(4,): the shares of onsets on the beat, and a quarter, a half, three quarters after it."""
    if len(beats) < 2 or not len(starts):
        return np.zeros(4)
    places = np.interp(starts, beats, np.arange(len(beats)))
    return np.bincount(np.round(4 * places).astype(int) % 4, minlength=4) / len(starts)


def _cymbals(wave: Wave, sr: int) -> list[float]:
    """Of the flux above CYMBALS_HZ: its mean, and how much its peaks stand out, in decibels."""
    power = np.square(np.abs(librosa.stft(wave, n_fft=1024, hop_length=512)))
    high = librosa.power_to_db(power[round(CYMBALS_HZ * 1024 / sr) :].sum(axis=0) + 1e-9)
    flux = np.maximum(np.diff(high), 0)
    return [float(flux.mean()), float(np.percentile(flux, 95))]
