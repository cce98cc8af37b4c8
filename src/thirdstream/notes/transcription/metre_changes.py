"""Where the metre changes: bars of three quarters among bars of four, and the other way.

The beats stay. Which of them are bar lines, the accents tell, as in a steady metre: a change is one
more step that a path of places may take, from the end of a bar to the next bar line.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.hypotheses import SLIP, Hypothesis
from thirdstream.notes.viterbi import traced

Array = NDArray[np.float64]

CHANGING = (3, 4)  # quarter notes of bars that may follow one another
CHANGE = 5.2  # cost of a change; of two more than SLIP: a single bar of another length is a slip
OTHER = 2.6  # cost of beginning in the other metre
STATES = [(metre, place) for metre in CHANGING for place in range(metre)]


def with_changes(of: Hypothesis) -> Hypothesis:
    """The hypothesis with other bar lines and `lengths`, where its metre changes; else itself."""
    if of.parts != 2 or of.beats_per_bar not in CHANGING:
        return of
    lengths, places = np.array(_best_path(of.accents, of.beats_per_bar)).T
    first_line = int((places == 0).argmax())
    lengths[:first_line] = lengths[first_line]  # an upbeat
    if (lengths == lengths[0]).all():
        return of
    return replace(of, places=places, lengths=lengths)


def _best_path(accents: Array, beats_per_bar: int) -> list[tuple[int, int]]:
    """Of STATES: for each beat, how many its bar has, and its place there."""
    is_line = np.array([place == 0 for _, place in STATES])
    is_usual = np.array([metre == beats_per_bar for metre, _ in STATES])
    total = np.where(is_usual, 0.0, -OTHER) + accents[0] * is_line
    moves, back = _moves(), []
    for accent in accents[1:].tolist():
        reached = total[:, None] + moves
        back.append(reached.argmax(axis=0))
        total = reached.max(axis=0) + accent * is_line
    return [STATES[state] for state in traced(back, int(total.argmax()))]


def _moves() -> Array:
    """What it is worth that one of STATES, the column, comes after another."""
    found = np.full((len(STATES), len(STATES)), -np.inf)
    for row, (metre, place) in enumerate(STATES):
        for column, (other, begun) in enumerate(STATES):
            if metre == other:
                found[row, column] = 0.0 if begun == (place + 1) % metre else -SLIP
            elif place == metre - 1 and begun == 0:
                found[row, column] = -CHANGE
    return found
