"""Weights of the decoders of chords and beats; `recipes/transcription_weights.py` found them."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PATH = Path(__file__).parent / "weights.json"
Array = NDArray[np.float64]


class ChordWeights(NamedTuple):
    """What speaks for a chord, as logarithms of odds.

    chroma: (3, n_kinds, 12) of what `beat_chroma` finds, by semitones above the root. kinds:
    (n_kinds,) in CHORDS' order. A change costs `change` by its place in the bar (bar line, half of
    it, other); it brings `change_bass` by the role of its lowest note (none, root, third, fifth,
    seventh), and `motion` (12,) by the semitones that the root goes up.
    """

    chroma: Array
    kinds: Array
    change: Array
    change_bass: Array
    motion: Array


class BeatWeights(NamedTuple):
    """downbeats: of the first `downbeat_features`. The rest: a network of one hidden layer over
    the evidence of a hypothesis, which is taken from its `mean`, in units of its `deviation`.
    """

    downbeats: Array
    mean: Array
    deviation: Array
    hidden: Array
    bias: Array
    linear: Array
    out: Array

    def rank(self, evidence: Array) -> Array:
        """(n, n_evidence) -> (n,): the higher, the better."""
        standard = (evidence - self.mean) / self.deviation
        return standard @ self.linear + np.tanh(standard @ self.hidden.T + self.bias) @ self.out


@lru_cache
def chord_weights() -> ChordWeights:
    """Those of weights.json."""
    return ChordWeights(**_arrays("chords"))


@lru_cache
def beat_weights() -> BeatWeights:
    """Those of weights.json."""
    return BeatWeights(**_arrays("beats"))


def _arrays(of: str) -> dict[str, Any]:
    found = json.loads(PATH.read_text(encoding="utf-8"))[of]
    return {name: np.array(values) for name, values in found.items()}
