"""Who plays in the recordings of a style, by all of them together.

A single recording tells its instruments uncertainly, and those of a style are often the same. So
how common each instrument is in the style, and who plays in each recording, are found at once: the
weights of a mixture, by expectation maximisation (Dempster, Laird and Rubin 1977).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.styles.learned import Entry

UNCERTAIN = 0.08  # divergence for which an instrument is less likely by a factor of e
FEW = 0.15  # share of the recordings up to which an instrument was misheard
N_STEPS = 30


class Candidates(Entry):
    """A part of a recording by its name ("melody", "bass"), and the General MIDI programs that may
    play it, each with its cost: how unlike the recording it sounds."""

    name: str
    costs: dict[int, float]


def agreed(recordings: Sequence[Sequence[Candidates]]) -> list[list[int]]:
    """For each recording the programs that play its parts."""
    found = [[0] * len(parts) for parts in recordings]
    for name in {one.name for parts in recordings for one in parts}:
        at = [(recording, number) for recording, parts in enumerate(recordings)
              for number, one in enumerate(parts) if one.name == name]  # fmt: skip
        programs = _of_part([recordings[recording][number].costs for recording, number in at])
        for (recording, number), program in zip(at, programs, strict=True):
            found[recording][number] = program
    return found


def _of_part(costs: Sequence[Mapping[int, float]]) -> list[int]:
    """A program for each recording of one part. One that few recordings have plays only where no
    other may."""
    programs = sorted({program for one in costs for program in one})
    table = np.array([[one.get(program, np.inf) for program in programs] for one in costs])
    likely = np.exp((table.min(axis=1, keepdims=True) - table) / UNCERTAIN)
    shares = _shares(likely)
    common = likely * np.where(shares > FEW, shares, 0.0)
    best = np.where(common.any(axis=1, keepdims=True), common, likely * shares).argmax(axis=1)
    return [programs[int(one)] for one in best]


def _shares(likely: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the recordings of each program: (n_recordings, n_programs) to (n_programs,)."""
    shares = np.full(likely.shape[1], 1 / likely.shape[1])
    for _ in range(N_STEPS):
        weighted = likely * shares
        shares = (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares
