"""Note events on the grid of beats and their divisions, swung eighths written even."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.timing import Timing
from thirdstream.notes.types import Note

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """How beats are divided. costs: of each number of parts; parts: those that lengths are rounded
    to, the first of which a note's start is a multiple."""

    costs: dict[int, float]
    parts: tuple[int, ...]
    may_swing: bool = False


QUARTERS = Grid({1: 0.0, 2: 0.3, 4: 1.2, 3: 1.4}, (4, 3), may_swing=True)
DOTTED = Grid({1: 0.0, 3: 0.3, 6: 1.2, 2: 1.4}, (6,))
SHORTER = Grid({1: 0.0, 2: 0.3, 3: 1.4}, (2, 3))  # eighths as beats
BLUR_S = 0.035  # how far notes lie from where they belong
SWUNG = (0.56, 0.74)  # where second eighths lie in the beat if they are swung
FILLED = 0.4  # quarter notes of rest between two notes that are not kept


def swing_of(phases: Array) -> float:
    """Where second eighths lie in a beat, given all notes' phases from 0 to 1: 0.5 is even.

    Swung pieces have notes around two thirds of the beat and few at one third.
    """
    late = phases[(phases > SWUNG[0]) & (phases < SWUNG[1])]
    even = ((phases > 0.44) & (phases < 0.56)).sum()
    early = ((phases > 0.26) & (phases < 0.40)).sum()
    if len(late) < 8 or len(late) < 1.5 * even or len(late) < 2 * early:
        return 0.5
    return float(np.median(late))


def evened(beats: Array, swing: float) -> Array:
    """Positions with swung eighths moved to where even ones are."""
    whole = np.floor(beats)
    phase = beats - whole
    first, second = 0.5 * phase / swing, 0.5 + 0.5 * (phase - swing) / (1 - swing)
    return whole + np.where(phase < swing, first, second)


def quantised(
    line: list[Note], notes: list[Note], timing: Timing, grid: Grid = QUARTERS
) -> tuple[Note, ...]:
    """The melody on a grid: each beat is divided by 1, 2, 3 or 4, as its notes suggest.

    All in beats, timing too. notes: all of them, to find out whether eighths are swung. A note
    lasts until the next begins where less than FILLED is left; never two at a time.
    """
    swing = swing_of(np.array([note.start % 1.0 for note in notes])) if grid.may_swing else 0.5
    starts = evened(np.array([note.start for note in line]), swing)
    ends = evened(np.array([note.end for note in line]), swing)
    beat_s = np.diff(timing.seconds(np.stack([np.floor(starts), np.floor(starts) + 1])), axis=0)[0]
    placed = np.maximum(_placed(starts, BLUR_S / beat_s, grid.costs), 0)
    result: list[Note] = []
    for note, start, end in zip(line, placed.tolist(), ends.tolist(), strict=True):
        if result and start <= result[-1].start + 1e-6:
            continue  # the first of two at one place stays
        if result and (result[-1].end > start or start - result[-1].end < FILLED):
            before = result[-1]
            result[-1] = Note(before.start, start - before.start, before.pitch, before.velocity)
        n = next((n for n in grid.parts if abs(n * start - round(n * start)) < 1e-3), grid.parts[0])
        length = max(round(n * end) / n - start, 1 / n)
        result.append(Note(start, length, note.pitch, note.velocity))
    return tuple(result)


def _placed(starts: Array, blur: Array, costs: dict[int, float]) -> Array:
    """Each start on the division of its beat that costs least; blur in beats."""
    placed = starts.copy()
    beats = np.floor(starts + 0.1)  # what comes just before a beat belongs to it
    for beat in np.unique(beats):
        inside = np.flatnonzero(beats == beat)
        phases, width = starts[inside] - beat, blur[inside]

        def cost(n: int, phases: Array = phases, width: Array = width) -> float:
            grid = np.round(phases * n) / n
            crowd = len(grid) - len(np.unique(grid))
            return float((((phases - grid) / width) ** 2).sum() / 2 + costs[n] + 3 * crowd)

        best = min(costs, key=cost)
        placed[inside] = beat + np.round(phases * best) / best
    return placed
