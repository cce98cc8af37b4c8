"""How likely each instrument plays a part, by a small network over its notes.

Each note is described by its first harmonics, by how they begin and how they decay. The network
(`recipes/instrument_weights.py`) tells how likely each of the bundled orchestra's instruments is.
What other instruments play at the same time is in the description too: it was trained on ensembles.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from thirdstream.audio import SR, Wave
from thirdstream.notes.styles import instrument

Array = NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "instruments.json"
N_HARMONICS = 12
N_FFT = 4096
AT_S = (-0.01, 0.05, 0.12, 0.24)  # after a note's onset, where its spectra begin
FLOOR_DB = 60.0  # below the strongest harmonic
N_FEATURES = len(AT_S) * N_HARMONICS + len(AT_S) + 2
MOST_NOTES = 80  # of a part that are described
INSIDE = 0.9  # share of a part's notes that lie in an instrument's range


class Sounded(NamedTuple):
    """A note in seconds, with MIDI pitch and velocity."""

    start_s: float
    end_s: float
    pitch: int
    velocity: int


class InstrumentWeights(NamedTuple):
    """programs: (n,) of General MIDI. The rest: a network of one hidden layer over a note's
    description, which is taken from its `mean`, in units of its `deviation`.
    """

    programs: Array
    mean: Array
    deviation: Array
    hidden: Array
    bias: Array
    out: Array
    out_bias: Array

    def log_probabilities(self, described: Array) -> Array:
        """(n_notes, N_FEATURES) -> (n_notes, n)."""
        standard = (described - self.mean) / self.deviation
        hidden = np.maximum(standard @ self.hidden + self.bias, 0)
        return log_softmax(hidden @ self.out + self.out_bias, axis=1)


@lru_cache(1)
def instrument_weights() -> InstrumentWeights:
    """Those of instruments.json."""
    found = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return InstrumentWeights(**{name: np.array(values) for name, values in found.items()})


def likelihoods(wave: Wave, notes: Sequence[Sounded]) -> dict[int, Array]:
    """Programs that are able to play these notes of a mono wave at 44,100 Hz, each with the log
    likelihoods (n_notes,) of those that are described. None where the wave is too short to tell.
    """
    weights, rows = instrument_weights(), described(wave, spread(notes))
    if not len(rows):
        return {}
    columns = weights.log_probabilities(rows).T
    programs = weights.programs.astype(int).tolist()
    return {
        program: column
        for program, column in zip(programs, columns, strict=True)
        if is_able(program, notes)
    }


def is_able(program: int, notes: Sequence[Sounded]) -> bool:
    """Whether most of the notes lie in an instrument's range."""
    one = instrument(program)
    inside = [one.lowest <= note.pitch <= one.highest for note in notes]
    return sum(inside) >= INSIDE * len(inside)


def spread(notes: Sequence[Sounded]) -> list[Sounded]:
    """The longest note of each stretch of a part, MOST_NOTES in all at most."""
    ordered = sorted(notes)
    step = max(-(-len(ordered) // MOST_NOTES), 1)
    groups = (ordered[at : at + step] for at in range(0, len(ordered), step))
    return [max(group, key=lambda one: one.end_s - one.start_s) for group in groups]


def described(wave: Wave, notes: Sequence[Sounded]) -> Array:
    """(n_notes, N_FEATURES): levels of harmonics at each of AT_S, from the strongest of all, how
    much of the spectrum they are, the pitch and the length; notes that the wave cuts are left out.
    """
    rows = []
    for start, end, pitch, _ in notes:
        firsts = [max(round((start + at_s) * SR), 0) for at_s in AT_S]
        if firsts[-1] + N_FFT > len(wave):
            continue
        spectra = [_spectrum(wave[first : first + N_FFT]) for first in firsts]
        levels = np.array([_harmonics(one, pitch) for one in spectra])
        whole = np.array([10 * np.log10(one.sum() + 1e-9) for one in spectra])
        share = 10 * np.log10((10 ** (levels / 10)).sum(axis=1)) - whole
        levels = np.maximum(levels - levels.max(), -FLOOR_DB)
        rows.append([*levels.ravel(), *share, pitch, np.log(max(end - start, 0.02))])
    return np.array(rows).reshape(-1, N_FEATURES)


def _spectrum(frame: Wave) -> Array:
    """Power (N_FFT // 2 + 1,) of N_FFT samples."""
    return np.square(np.abs(np.fft.rfft(frame * np.hanning(N_FFT)))).astype(np.float64)


def _harmonics(power: Array, pitch: int) -> Array:
    """(N_HARMONICS,) in dB: the strongest bin around each."""
    f0 = 440 * 2 ** ((pitch - 69) / 12) * N_FFT / SR
    levels = np.full(N_HARMONICS, 1e-9)
    for number in range(1, N_HARMONICS + 1):
        middle, reach = round(number * f0), max(1, round(0.015 * number * f0))
        around = power[max(middle - reach, 1) : middle + reach + 1]
        if len(around):
            levels[number - 1] += around.max()
    return 10 * np.log10(levels)
