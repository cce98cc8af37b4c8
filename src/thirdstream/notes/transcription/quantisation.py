"""Note events on the grid of beats and their divisions, as one would write them: swung eighths
even, triplets and sixteenths where the notes ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.timing import Timing
from thirdstream.notes.types import Note

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """How beats are divided.

    costs: of each number of parts; it counts parts of which the beats without one consist, where
    notes end. usual: the parts in which notes end where none begins. after: of a number of parts
    the places, from 0, that are rarely without a note on the place before.
    """

    costs: dict[int, float]
    usual: int
    after: dict[int, tuple[int, ...]] = field(default_factory=dict)
    may_swing: bool = False


QUARTERS = Grid({1: 0.0, 2: 0.3, 4: 2.0, 3: 2.0}, 2, {4: (1,), 3: (1, 2)}, may_swing=True)
DOTTED = Grid({1: 0.0, 3: 0.3, 6: 2.0, 2: 2.0}, 3, {6: (1,)})
SHORTER = Grid({1: 0.0, 2: 0.3, 3: 2.0}, 1, {3: (1, 2)})  # eighths as beats
ALONE = 3.0  # cost of a note on one of `after` without one before
CROWDED = 3.0  # cost of two notes on one place
SWUNG_SIXTEENTHS = 1.0  # what four parts cost more where eighths are swung
BLUR_S = 0.06  # how far notes lie from where they belong
LATEST_S = 0.05  # by which all onsets of a melody may be late
SWUNG = (0.56, 0.74)  # where second eighths lie in the beat if they are swung
FILLED = 0.4  # beats of rest between two notes that are not kept
LONG = 2.0  # beats; where longer notes end between beats, before a rest, is not written


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
    line: Sequence[Note], timing: Timing, grid: Grid = QUARTERS, swing: float = 0.5
) -> tuple[Note, ...]:
    """The melody on a grid: each beat is divided by one of its numbers, as the notes suggest.

    All in beats, timing too. swing: as `swing_of` finds it. A note ends on a division of its last
    beat, a long one before a rest on a beat; it lasts until the next begins where less than FILLED
    is left; never two at a time.
    """
    starts, ends = (np.array([getattr(n, side) for n in line]) for side in ("start", "end"))
    beat_s = np.diff(timing.seconds(np.stack([np.floor(starts), np.floor(starts) + 1])), axis=0)[0]
    late = _lateness(evened(starts, swing), beat_s) / beat_s
    places, parts = _placed(starts - late, BLUR_S / beat_s, grid, swing)
    places = np.maximum(places, 0)
    result: list[Note] = []
    played_end = 0.0
    for note, start, end in zip(line, places.tolist(), evened(ends, swing).tolist(), strict=True):
        if result and start <= result[-1].start + 1e-6:
            continue  # the first of two at one place stays
        if result:
            result[-1] = _ended(result[-1], played_end, start)
        n_start, n = (parts.get(int(np.floor(at + 1e-6)), grid.usual) for at in (start, end))
        length = max(round(n * end) / n - start, 1 / n_start)
        result.append(replace(note, start=start, length=length))
        played_end = end
    return (*result[:-1], *(_ended(last, played_end, np.inf) for last in result[-1:]))


def _ended(note: Note, played_end: float, following: float) -> Note:
    """A note that lasts until the following one begins, where the rest between them is short; else
    a long one that ends on the beat nearest to where it was played to, if that leaves no short one.
    """
    if following - note.end < FILLED:
        return replace(note, length=following - note.start)
    beat = float(round(played_end))
    beat -= beat > following
    short = 0 < following - beat < FILLED
    return note if note.length <= LONG or short else replace(note, length=beat - note.start)


def _lateness(starts: Array, beat_s: Array) -> float:
    """Seconds by which onsets come after the nearest half beat, as a rule."""
    late_s = (starts - np.round(2 * starts) / 2) * beat_s
    return float(np.clip(np.median(late_s), -LATEST_S, LATEST_S))


def _placed(starts: Array, blur: Array, grid: Grid, swing: float) -> tuple[Array, dict[int, int]]:
    """Each start on the division of its beat that costs least, and the parts of each beat in which
    a note begins, `usual` at least; blur in beats.

    Triplets are played alike where eighths are swung.
    """
    even = evened(starts, swing)
    placed, parts = starts.copy(), {}
    beats = np.floor(even + 0.1)  # what comes just before a beat belongs to it
    for beat in np.unique(beats):
        inside = np.flatnonzero(beats == beat)
        options = []
        for n, cost in grid.costs.items():
            phases = (starts if n == 3 and swing != 0.5 else even)[inside] - beat
            places = np.round(phases * n)
            misses = float((((phases - places / n) / blur[inside]) ** 2).sum() / 2)
            taken = set(places.tolist())
            alone = sum(k in taken and k - 1 not in taken for k in grid.after.get(n, ()))
            crowd = len(places) - len(taken)
            dear = SWUNG_SIXTEENTHS if n == 4 and swing != 0.5 else 0.0
            total = misses + cost + dear + ALONE * alone + CROWDED * crowd
            options.append((total, n, places / n))
        _, best, places = min(options, key=lambda option: option[0])
        placed[inside] = beat + places
        parts[int(beat)] = best if best % grid.usual and best > 1 else grid.usual
    return placed, parts
