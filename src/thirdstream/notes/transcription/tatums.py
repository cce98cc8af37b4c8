"""The shortest steps that the notes of one voice lie on: its tatums (Bilmes 1993).

A line of even notes has no strong ones by which a pulse could be tracked, and follows no clock. Its
notes do follow one another: each lies one, two, three ... steps after one before, and a step is
about as long as the last. The best such reading is found by dynamic programming over onsets and
step lengths; a note may be passed over.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.note_events import NoteEvents

Array = NDArray[np.float64]
Places = NDArray[np.int_]

TOGETHER_S = 0.05  # notes that begin within it are one onset
PERIODS_S = np.geomspace(0.07, 0.7, 48)  # of a step
STEPS = np.array([1, 2, 3, 4, 6, 8, 12])  # from one onset to the next
COSTS = np.array([0.0, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2])  # of each of these, at first
READINGS, COMMON, SEEN = 3, 1.5, 2.0  # times it is read; what of each step's rarity counts; as if
# each had been seen so often
BEFORE = 4  # onsets; one of them is the onset before
EARLY, LATE = 40.0, 15.0  # cost of a squared logarithm of a step over the one before: a line
# pauses now and then, and never hurries so
FURTHEST = 0.6  # of that logarithm
FOLLOWS = 0.25  # how far the step's length follows the last one's
PASSED = 1.2  # cost of an onset that is passed over; one that is not brings 1


class Onsets(NamedTuple):
    """Notes that begin together, in order: when, (n,); their lowest and highest pitch, and how many
    they are."""

    times_s: Array
    lowest: Array
    highest: Array
    numbers: Array


class Tatums(NamedTuple):
    """times_s: (n_tatums,), when each sounds. onsets: those that lie on them; places: on which."""

    times_s: Array
    onsets: Onsets
    places: Places


def onsets_of(notes: NoteEvents) -> Onsets:
    """The notes, in order of their beginnings, as onsets."""
    starts = notes.intervals[:, 0]
    first = np.flatnonzero(np.diff(starts, prepend=-np.inf) >= TOGETHER_S)
    return Onsets(
        starts[first],
        np.minimum.reduceat(notes.pitches, first),
        np.maximum.reduceat(notes.pitches, first),
        np.diff(first, append=len(starts)).astype(float),
    )


def tatums_of(onsets: Onsets) -> Tatums:
    """The best reading; two onsets or more are needed.

    It is read again with the costs of steps that are rare in it: where all notes are even, a longer
    gap is a pause.
    """
    path, steps = _best(onsets.times_s, COSTS)
    for _ in range(READINGS - 1):
        shares = np.array([steps.count(step) for step in STEPS.tolist()]) + SEEN
        path, steps = _best(onsets.times_s, COMMON * np.log(shares.max() / shares))
    places = np.concatenate([[0], np.cumsum(steps)]).astype(int)
    kept = Onsets(*(part[path] for part in onsets))
    return Tatums(np.interp(np.arange(places[-1] + 1), places, kept.times_s), kept, places)


def _best(times_s: Array, costs: Array) -> tuple[list[int], list[int]]:
    """The onsets that are kept, and how many steps lie between them."""
    n, logs = len(times_s), np.log(PERIODS_S)
    score = np.full((n, len(logs)), -np.inf)
    back = np.full((n, len(logs), 3), -1)
    for now in range(n):
        score[now] = 1 - PASSED * now
        before = np.arange(max(0, now - BEFORE), now)
        gaps = times_s[now] - times_s[before]
        before, gaps = before[gaps > 0], gaps[gaps > 0]
        if not len(before):
            continue
        # (n_before, n_steps, n_periods)
        off = np.log(gaps[:, None] / STEPS)[:, :, None] - logs
        reached = score[before][:, None] - PASSED * (now - 1 - before)[:, None, None]
        tight = np.where(off < 0, EARLY, LATE) * np.minimum(STEPS, 2)[:, None]
        reached = reached + 1 - tight * off**2 - costs[:, None]
        reached[np.abs(off) > FURTHEST] = -np.inf
        after = np.round((logs + FOLLOWS * off - logs[0]) / (logs[1] - logs[0])).astype(int)
        after = np.clip(after, 0, len(logs) - 1).ravel()
        order = np.argsort(reached, axis=None, kind="stable")  # the best is written last
        best = np.full(len(logs), -1)
        best[after[order]] = order
        better = best >= 0
        better[better] = reached.ravel()[best[better]] > score[now][better]
        one, step, period = np.unravel_index(best[better], reached.shape)
        score[now][better] = reached[one, step, period]
        back[now][better] = np.stack([before[one], STEPS[step], period], axis=1)
    last = score - PASSED * (n - 1 - np.arange(n))[:, None]
    now, period = np.unravel_index(int(last.argmax()), last.shape)
    path, steps = [int(now)], list[int]()
    while back[now, period, 0] >= 0:
        now, step, period = back[now, period]
        path.append(int(now))
        steps.append(int(step))
    return path[::-1], steps[::-1]
