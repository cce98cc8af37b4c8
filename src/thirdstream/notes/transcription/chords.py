"""The chords of a recording, from what sounds in each beat: a linear-chain random field.

A state is a root and one of CHORDS. What sounds is weighed by its interval above the root, for each
kind of chord, above and in the bass: the ninths and thirteenths of jazz speak for a chord whose
root is left out. A change costs the less the stronger its place in the bar, and the bass likes to
mark it by the root. Where bar lines are looked for, weights are those of
`recipes/transcription_weights.py`, and a beat speaks for itself; once there are bars, the beats
around it speak too (`context`), and the same bars of other choruses (`choruses`).
"""

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.metre import Metres
from thirdstream.notes.transcription import context
from thirdstream.notes.transcription.choruses import with_other_times
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors
from thirdstream.notes.transcription.weights import chord_weights, context_weights
from thirdstream.notes.types import CHORDS, Chord, Note, without_gaps
from thirdstream.notes.viterbi import best_path

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

KINDS = tuple(CHORDS.values())
N_STATES = 12 * len(KINDS)
ABOVE, BELOW = 48, 55  # MIDI pitch: of chords from the one up, of basses up to the other
ROWS = 1 << 16  # of beats or frames that are worked on side by side: 85 MB at most
N_LOW = 48  # pitches, of which the lowest note is found
STEPS = 4096  # of a posterior from 0 to 1, when many are summed
SEVENTH_AT = 0.8  # of what the triad's notes sound on average, a seventh sounds at least
PLACES = ("bar", "half", "other")


def _members() -> NDArray[np.int_]:
    """(n_kinds, 12): 0 for no member, 1 root, 2 third, 3 fifth, 4 seventh."""
    found = np.zeros((len(KINDS), 12), int)
    for kind, intervals in enumerate(KINDS):
        found[kind, list(intervals)] = range(1, len(intervals) + 1)
    return found


def _alike() -> NDArray[np.bool_]:
    """(N_STATES, N_STATES): which chords have one triad; a seventh more or less is no other."""
    triads = [kind[:3] for kind in KINDS]
    same = np.array([[one == other for other in triads] for one in triads])
    return np.kron(np.eye(12, dtype=bool), same)


MEMBERS, ALIKE = _members(), _alike()
ABOVE_ROOT = (np.arange(12)[:, None] - np.arange(12)) % 12  # of each pitch class, from each root


def states_of(chord: Chord) -> list[int]:
    """Those with its root and triad, a seventh more or less; none where no KINDS have the triad."""
    kinds = (number for number, kind in enumerate(KINDS) if kind[:3] == chord.intervals[:3])
    return [chord.root * len(KINDS) + number for number in kinds]


class ChromaSums(NamedTuple):
    """Running sums over frames of the posteriors of notes: any span's mean is of two rows.

    upper, bass: (n_frames + 1, 12) by pitch class, of the pitches from ABOVE on, and below BELOW.
    low: (n_frames + 1, N_LOW), of the lowest pitches, in steps of 1 / STEPS: these sums are exact,
    and may overflow, for differences of them do not.
    """

    upper: Array
    bass: Array
    low: NDArray[np.uint32]

    @classmethod
    def of(cls, posteriors: Posteriors) -> "ChromaSums":
        """Those of a recording."""
        notes = posteriors.notes
        pitches = np.arange(notes.shape[1]) + LOWEST
        fold = np.eye(12, dtype=np.float32)[pitches % 12]
        upper, bass = (
            np.cumsum(np.pad(notes @ (fold * kept[:, None]), ((1, 0), (0, 0))), 0, np.float64)
            for kept in (pitches >= ABOVE, pitches < BELOW)
        )
        low = np.zeros((len(notes) + 1, N_LOW), np.uint32)
        for first in range(0, len(notes), ROWS):  # of an hour, all at once would be 60 MB more
            steps = np.rint(notes[first : first + ROWS, :N_LOW] * np.float32(STEPS))
            own = low[first + 1 :][: len(steps)]
            np.cumsum(steps, axis=0, dtype=np.uint32, out=own)
            own += low[first]
        return cls(upper, bass, low)


def beat_chroma(sums: ChromaSums, edges: Array) -> Array:
    """What sounds between edges (n_beats + 1,) in frames: (n_beats, 3, 12) pitch classes.

    Of the pitches above, of the bass, both as log(1 + 5 * sum of posteriors), and of the lowest
    note at each beat's beginning, 0 to 1.
    """
    starts, ends, n_frames = edges[:-1], edges[1:], len(sums.low) - 1
    first = np.clip(np.round(starts + 3), 0, n_frames - 2).astype(int)
    last, soon = (
        np.clip(np.round(end), first + 1, n_frames - 1).astype(int)
        for end in (ends, starts + 2 + 0.6 * (ends - starts))
    )
    upper, bass = (
        np.log1p(5 * np.maximum(part[last] - part[first], 0) / (last - first)[:, None])
        for part in (sums.upper, sums.bass)
    )
    lows = (sums.low[soon] - sums.low[first]) / (STEPS * (soon - first)[:, None])
    there = np.clip((lows - 0.15) / 0.35, 0, 1)
    free = np.cumprod(1 - there, axis=1)
    free = np.hstack([np.ones((len(free), 1)), free[:, :-1]])  # no lower note
    lowest = (free * there) @ np.eye(12)[(np.arange(there.shape[1]) + LOWEST) % 12]
    return np.stack([upper, bass, lowest], axis=1)


def _potentials(chroma: Array) -> tuple[Array, Array]:
    """How well each chord suits each beat, and how well it begins there; (n_beats, N_STATES)."""
    of = chord_weights()
    suits = np.moveaxis(of.chroma[:, :, ABOVE_ROOT], 1, 3).reshape(-1, N_STATES)
    found = chroma.reshape(len(chroma), -1) @ suits + np.tile(of.kinds, 12)
    return found, chroma[:, 2] @ _begins(of.change_bass)


def _begins(by_role: Array) -> Array:
    """(12, N_STATES): what a lowest note brings a chord that begins there, by its role."""
    return np.moveaxis(by_role[MEMBERS][:, ABOVE_ROOT], 0, 2).reshape(-1, N_STATES)


def _motion(by_root: Array) -> Array:
    """What a change of the root is worth, (N_STATES, N_STATES); -inf from a chord to itself.

    by_root: (12,), by the semitones that it goes up.
    """
    roots = np.arange(N_STATES) // len(KINDS)
    found = by_root[(roots[None] - roots[:, None]) % 12]
    np.fill_diagonal(found, -np.inf)
    return found


def together(n_beats: Sequence[int]) -> Iterator[slice]:
    """Lists of so many beats, in runs of as many as have ROWS beats together, or of one."""
    sums, at = np.cumsum(n_beats), 0
    while at < len(sums):
        before = sums[at - 1] if at else 0
        end = max(int(np.searchsorted(sums, before + ROWS, side="right")), at + 1)
        yield slice(at, end)
        at = end


def change_probabilities(chroma: Sequence[Array]) -> list[Array]:
    """For each list of beats, (n_beats,): how likely another triad begins at each beat, wherever
    bar lines are; at the first 1. Lists go side by side, as many as `together` says."""
    runs = together([len(one) for one in chroma])
    return [found for run in runs for found in _side_by_side(chroma[run])]


def _side_by_side(chroma: Sequence[Array]) -> list[Array]:
    n_beats = np.array([len(one) for one in chroma])
    order = np.argsort(-n_beats, kind="stable")  # the longest first
    counts = (n_beats > np.arange(n_beats.max())[:, None]).sum(axis=1)  # of lists, at each beat
    starts = np.concatenate([[0], np.cumsum(counts)])  # of each beat's rows, one for each list
    rows = {int(k): starts[: n_beats[k]] + column for column, k in enumerate(order)}
    suits, entered = np.empty((2, int(starts[-1]), N_STATES), np.float32)
    for k, at in rows.items():
        suits[at], entered[at] = _potentials(chroma[k])
    suits -= suits.max(axis=1, keepdims=True)
    for part in (suits, entered):
        np.exp(part, out=part)
    stays = _stays(suits, entered, starts)
    return [1 - stays[rows[k]] for k in range(len(chroma))]


def _stays(suits: Array32, entered: Array32, starts: NDArray[np.int_]) -> Array:
    """(n_rows,): how likely the triad of the beat before goes on, forwards and backwards.

    suits, entered: (n_rows, N_STATES), odds of chords and of their beginnings. Rows of a beat begin
    at its `starts`; each goes on from the row of the same number of the beat before.
    """
    of = chord_weights()
    moved = np.exp(_motion(of.motion) - of.change[PLACES.index("half")]).astype(np.float32)
    within = moved * ALIKE
    beats = [slice(*pair) for pair in itertools.pairwise(starts.tolist())]
    forward = suits.copy()
    for before, now in itertools.pairwise(beats):
        past = forward[before][: now.stop - now.start]
        forward[now] *= (past @ moved) * entered[now] + past
        forward[now] /= forward[now].sum(axis=1, keepdims=True)
    stays, later = np.zeros(len(suits)), np.ones((int(starts[1]), N_STATES), np.float32)
    for now, before in itertools.pairwise(beats[::-1]):
        n = now.stop - now.start
        past, after = forward[before][:n], suits[now] * later[:n]
        begun = entered[now] * after
        ended = begun @ moved.T + after
        kept = (past @ within) * begun + past * after
        stays[now] = kept.sum(axis=1) / (past * ended).sum(axis=1)
        later[:n] = ended / ended.sum(axis=1, keepdims=True)
    return stays


class ChordBeats(NamedTuple):
    """Chords over beats. posterior: (n_beats, N_STATES) of each chord, given all beats; sounding:
    (n_beats,) whether a note does."""

    chords: tuple[Chord, ...]
    posterior: Array
    sounding: NDArray[np.bool_]


def decode(
    chroma: Array,
    metres: Metres,
    *,
    sounding: NDArray[np.bool_] | None = None,
    alone: bool = False,
) -> tuple[Chord, ...]:
    """The best sequence of chords (Viterbi), inverted as the bass has it.

    metres: in beats. sounding: (n_beats,) whether there are notes; the other beats say nothing. By
    default all have. alone: each beat speaks for itself alone, as where bar lines are looked for.
    """
    suits, changes, motion = _field(chroma, metres, sounding, alone=alone)
    return _chords(best_path(suits, motion, changes), chroma)


def _field(
    chroma: Array, metres: Metres, sounding: NDArray[np.bool_] | None, *, alone: bool = False
) -> tuple[Array, Array, Array]:
    """What each chord is worth at each beat, and a change into it there, (n_beats, N_STATES); and
    one from each chord to each, as of `_motion`."""
    beats = range(len(chroma))
    places = np.array([place_of(metres.within(k), metres.metre_at(k).length) for k in beats], int)
    if alone:
        of, (suits, begins) = chord_weights(), _potentials(chroma)
    else:
        of = context_weights()
        suits, begins = context.suits(chroma, places, of), chroma[:, 2] @ _begins(of.change_bass)
    if sounding is not None:
        suits, begins = suits * sounding[:, None], begins * sounding[:, None]
    if not alone:
        suits = with_other_times(suits, round(metres.usual(len(chroma)).length))
    return suits, begins - of.change[places][:, None], _motion(of.motion)


def posterior_of(
    chroma: Array, metres: Metres, *, sounding: NDArray[np.bool_] | None = None
) -> Array:
    """(n_beats, N_STATES): how likely each chord is at each beat, given all of them (forwards and
    backwards through the random field that `decode` finds the best path of)."""
    suits, changes, motion = _field(chroma, metres, sounding)
    suits = np.exp(suits - suits.max(axis=1, keepdims=True))
    moved, entered = np.exp(motion), np.exp(changes)
    forward, backward = np.empty_like(suits), np.ones_like(suits)
    forward[0] = suits[0] / suits[0].sum()
    for beat in range(1, len(suits)):
        reached = (forward[beat - 1] @ moved) * entered[beat] + forward[beat - 1]
        forward[beat] = reached * suits[beat]
        forward[beat] /= forward[beat].sum()
    for beat in range(len(suits) - 2, -1, -1):
        after = suits[beat + 1] * backward[beat + 1]
        backward[beat] = moved @ (entered[beat + 1] * after) + after
        backward[beat] /= backward[beat].sum()
    both = forward * backward
    return both / both.sum(axis=1, keepdims=True)


def place_of(beat: float, beats_per_bar: float) -> int:
    """Of PLACES."""
    within = beat % beats_per_bar
    return 0 if within == 0 else 1 if 2 * within == beats_per_bar else 2


def _with_seventh(intervals: tuple[int, ...], sounding: Array) -> tuple[int, ...]:
    """The chord with the seventh that sounds, or without: triads are told from beats together.

    sounding: (12,) from the root up.
    """
    triad = intervals[:3]
    sevenths = [kind[3] for kind in KINDS if kind[:3] == triad and len(kind) > 3]
    best = max(sevenths, key=lambda interval: sounding[interval])
    if sounding[best] > SEVENTH_AT * sounding[list(triad)].mean():
        return (*triad, best)
    return triad


def _chords(path: Sequence[int], chroma: Array) -> tuple[Chord, ...]:
    bounds = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    found = []
    for start, end in itertools.pairwise(bounds):
        root, kind = divmod(path[start], len(KINDS))
        upper, lowest = chroma[start:end, 0].mean(axis=0), chroma[start:end, 2]
        intervals = _with_seventh(KINDS[kind], np.roll(upper, -root))
        basses = lowest.sum(axis=0) + lowest[0]
        basses[root] += 0.5
        bass = max(((root + interval) % 12 for interval in intervals), key=basses.__getitem__)
        found.append(Chord(float(start), float(end - start), root, intervals, bass))
    return without_gaps(found, float(len(path)))


def _joined(before: Chord, after: Chord, metres: Metres) -> list[Chord]:
    """Two chords without the hole between them, one where they are the same; a bar or more stays a
    hole."""
    end = after.end
    if not 0 < after.start - before.end < metres.metre_at(before.end).length:
        return [before, after]
    if replace(after, start=before.start, length=before.length) == before:
        return [replace(before, length=end - before.start)]
    line = before.end if metres.within(before.end) == 0 else after.start
    return [
        replace(before, length=line - before.start),
        replace(after, start=line, length=end - line),
    ]


def with_evidence(
    chords: Sequence[Chord], notes: Sequence[Note], metres: Metres
) -> tuple[Chord, ...]:
    """The chords without what nothing speaks for: where no note sounds for more than a bar, and
    those of which fewer than two pitch classes sound. What these leave between two others, less
    than a bar, is the next one's from a bar line on, else the one's before.
    """
    spans: list[list[float]] = []
    ordered = sorted(notes)
    starts = [note.start for note in ordered]
    reached = list(itertools.accumulate((note.end for note in ordered), max))
    for note in ordered:
        if spans and note.start <= spans[-1][1] + metres.metre_at(spans[-1][1]).length:
            spans[-1][1] = max(spans[-1][1], note.end)
        else:
            spans.append([note.start, note.end])
    found: list[Chord] = []
    for chord in chords:
        members = {(chord.root + interval) % 12 for interval in chord.intervals}
        for first, last in spans:
            start = max(chord.start, math.floor(first + 0.1))
            end = min(chord.start + chord.length, math.ceil(last - 0.1))
            if start >= end:
                continue
            near = ordered[bisect_right(reached, start + 0.1) : bisect_left(starts, end - 0.1)]
            classes = {note.pitch % 12 for note in near if note.end > start + 0.1}
            if len(members & classes) >= 2:
                here = replace(chord, start=float(start), length=float(end - start))
                before = found.pop() if found and found[-1].end >= first else None
                found += [here] if before is None else _joined(before, here, metres)
    return tuple(found)
