"""Best paths (Viterbi): of the states of which one holds at each step, and back along any."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def best_path(scores: Array, moves: Array, changes: Array | None = None) -> list[int]:
    """The states (n_steps,) whose scores and changes add up to the most.

    scores: (n_steps, n_states). moves: (n_states, n_states), added by a change from the row's state
    to the column's. changes: (n_steps, n_states) or (n_steps, 1), added by one into a state there.
    """
    states = np.arange(scores.shape[1])
    total, back = scores[0], np.zeros(scores.shape, int)
    for step in range(1, len(scores)):
        reached = total[:, None] + moves
        best = reached.argmax(axis=0)
        changed = reached[best, states] + (0.0 if changes is None else changes[step])
        back[step] = np.where(changed > total, best, states)
        total = np.maximum(changed, total) + scores[step]
    return traced([*back[1:]], int(total.argmax()))


def traced(back: Sequence[NDArray[np.integer]], last: int) -> list[int]:
    """The path that ends in a state. back: at each step but the first, (n_states,), the state
    before each."""
    path = [last]
    for row in reversed(back):
        path.append(int(row[path[-1]]))
    return path[::-1]


def chained(back: NDArray[np.int_], last: int) -> list[int]:
    """The places that lead to the last, in order. back: (n_places,), the one before each, or -1."""
    path = [last]
    while back[path[-1]] >= 0:
        path.append(int(back[path[-1]]))
    return path[::-1]
