"""The best path through states, of which one holds at each step (Viterbi)."""

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
    path = [int(total.argmax())]
    for row in back[:0:-1]:
        path.append(int(row[path[-1]]))
    return path[::-1]
