"""The linear chain of chords that random fields of them share, for training; and what is right."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pair_features import score_of  # a script beside this one
from thirdstream.notes.arranging.harmony import changes
from thirdstream.notes.transcription.chords import KINDS, N_STATES, states_of

ROOTS = torch.arange(N_STATES) // len(KINDS)
STEPS = (ROOTS[None] - ROOTS[:, None]) % 12  # by which the root goes up from a chord to another


def log_sum(motion: Tensor, suits: Tensor, enters: Tensor, there: Tensor) -> Tensor:
    """The logarithm of the sum over all sequences of chords, (n,), by the forward algorithm.

    motion: (12,), what a change is worth, by how far the root goes up. suits, enters: (n_beats, n,
    N_STATES), how well each chord suits a beat, and begins there. there: (n_beats, n), which beats
    a sequence has.
    """
    moved = motion[STEPS].exp() * (1 - torch.eye(N_STATES))
    reached = suits[0]
    for now, enter, is_there in zip(suits[1:], enters[1:], there[1:], strict=True):
        top = reached.max(dim=1, keepdim=True).values
        changed = ((reached - top).exp() @ moved + 1e-30).log() + enter + top
        after = torch.logaddexp(changed, reached) + now
        reached = torch.where(is_there[:, None], after, reached)
    return reached.logsumexp(dim=1)


def played(record: dict[str, Any], style: str, n_beats: int) -> np.ndarray:
    """(n_beats, N_STATES): which have the triad that is played, in jazz the arranger's; all where
    it is none of KINDS."""
    score, right = score_of(record), np.ones((n_beats, N_STATES), bool)
    for chord in score.chords if style == "classical" else [c.chord for c in changes(score)]:
        inside = slice(int(np.ceil(chord.start - 1e-6)), int(np.ceil(chord.end - 1e-6)))
        if states := states_of(chord):
            right[inside] = False
            right[inside, states] = True
    return right
