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


class ContextWeights(NamedTuple):
    """What speaks for a chord in a beat, of a network over `n_seen` numbers: what `around` finds,
    by semitones above the root (see `context.suits`).

    hidden: (n_hidden, n_seen). place: (n_hidden, 3), of the place in the bar. bias: (n_hidden,).
    out: (n_kinds, n_hidden). linear: (n_kinds, n_seen). kinds, change, change_bass, motion: as of
    `ChordWeights`.
    """

    hidden: Array
    place: Array
    bias: Array
    out: Array
    linear: Array
    kinds: Array
    change: Array
    change_bass: Array
    motion: Array


class RankWeights(NamedTuple):
    """A network of one hidden layer over the evidence of a hypothesis, which is taken from its
    `mean`, in units of its `deviation`. constant: added to all."""

    mean: Array
    deviation: Array
    hidden: Array
    bias: Array
    linear: Array
    out: Array
    constant: Array = np.zeros(())

    def rank(self, evidence: Array) -> Array:
        """(n, n_evidence) -> (n,): the higher, the better."""
        standard = (evidence - self.mean) / self.deviation
        hidden = np.tanh(standard @ self.hidden.T + self.bias)
        return standard @ self.linear + hidden @ self.out + self.constant


@lru_cache
def downbeat_weights() -> Array:
    """Of the `downbeat_features`."""
    return np.array(_read("downbeats"))


@lru_cache
def rank_weights(of: str) -> RankWeights:
    """Those of `beats` (hypotheses in quarters), or of `rare` (others, from their best on)."""
    return RankWeights(**_arrays(of))


@lru_cache
def chord_weights() -> ChordWeights:
    """Those by which bar lines are found."""
    return ChordWeights(**_arrays("chords"))


@lru_cache
def context_weights() -> ContextWeights:
    """Those by which chords are found, once there are bars."""
    return ContextWeights(**_arrays("context"))


def _arrays(of: str) -> dict[str, Any]:
    return {name: np.array(values) for name, values in _read(of).items()}


def _read(of: str) -> Any:
    return json.loads(PATH.read_text(encoding="utf-8"))[of]
