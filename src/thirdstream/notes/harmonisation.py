"""Chords for notes that have none named: for a tune alone, and for any texture below it.

A hidden Markov model over the beats of the metre. What sounds in a beat speaks for the chords that
hold it, the more so the more of a chord is there; a change costs little at a bar line and much off
the strong beats; where little sounds, the key decides: its chords, its fifths falling, its tonic at
both ends.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.key import Key, key_of_notes
from thirdstream.notes.metre import Metres
from thirdstream.notes.types import CHORDS, Chord, Note, without_gaps
from thirdstream.notes.viterbi import best_path

Array = NDArray[np.float64]

KINDS = tuple(CHORDS.values())
NAMES = tuple(CHORDS)
N_STATES = 12 * len(KINDS)
BARE = "is a melody alone: the chords are guessed; write chord symbols for others"
UNNAMED = "has no chord symbols: the chords are found from its notes"
EVIDENCE = (0.0, 1.0, 2.0, 4.5, 7.0)  # what a beat counts by how many notes sound at a time in it
LEAD = 0.5  # what a note of the melody counts against one below it
BASS = 60  # MIDI pitch below which the lowest note is a bass
MISSING, ROOT_BELOW = 0.2, 0.15  # a chord's note that is not there; its root in the bass
BAR, STRONG, WEAK = 0.6, 1.8, 3.2  # costs of a change at a bar line, at a group of beats, elsewhere
FOREIGN = -0.5  # a chord that the key does not have
FALLING = 0.3  # a change of the root by a falling fifth
HOME, ENDS_HOME = 0.4, 1.0  # the tonic's chord on the first beat, and on the last
# Semitones above the tonic and kind of the key's chords, and what speaks for each in a beat.
IN_MAJOR = {
    (0, "major"): 0.15, (7, "major"): 0.1, (5, "major"): 0.1, (7, "dominant seventh"): 0.15,
    (2, "minor"): 0.0, (9, "minor"): 0.05, (4, "minor"): -0.15, (2, "minor seventh"): 0.0,
}  # fmt: skip
IN_MINOR = {
    (0, "minor"): 0.15, (7, "major"): 0.05, (7, "dominant seventh"): 0.15, (5, "minor"): 0.1,
    (8, "major"): 0.0, (3, "major"): 0.0, (10, "major"): -0.1, (2, "half-diminished"): 0.0,
}  # fmt: skip


def harmonised(parts: Sequence[Sequence[Note]], metres: Metres, *, end: float) -> tuple[Chord, ...]:
    """The likeliest chords of CHORDS for what sounds until `end`, changing on beats, without gaps;
    none where no note sounds. parts: the melody first.

    Time and memory grow with the number of notes and beats.
    """
    notes = [note for part in parts for note in part if note.start < end]
    if not notes:
        return ()
    edges, costs = _beats(metres, end)
    weights, lowest = _sounding(parts, edges)
    key = key_of_notes(notes)
    suits = _suits(weights, lowest) + _of_key(key)
    home = 12 * NAMES.index("minor" if key.is_minor else "major") + key.tonic
    suits[0, home] += HOME
    suits[-1, home] += ENDS_HOME
    roots = np.arange(N_STATES) % 12
    falls = FALLING * ((roots[:, None] - roots[None]) % 12 == 7)
    path = best_path(suits, falls, -costs[:, None])
    return _chords(path, edges, lowest, end)


def is_bare(parts: Sequence[Sequence[Note]]) -> bool:
    """Whether hardly ever two notes sound together: a tune without accompaniment."""
    notes = [note for part in parts for note in part]
    edges = sorted({edge for note in notes for edge in (note.start, note.end)})
    if len(edges) < 2:
        return True
    change = np.zeros(len(edges))
    np.add.at(change, np.searchsorted(edges, [note.start for note in notes]), 1)
    np.add.at(change, np.searchsorted(edges, [note.end for note in notes]), -1)
    sounding, lengths = np.cumsum(change)[:-1], np.diff(edges)
    return bool(lengths[sounding > 1.5].sum() <= 0.1 * lengths[sounding > 0.5].sum())


def _beats(metres: Metres, end: float) -> tuple[Array, Array]:
    """Where beats begin (n + 1,), the last at `end` or later; what a change costs there (n,)."""
    edges, costs = [], []
    n_bars = max(metres.n_bars(end), 1)
    for number in range(n_bars):
        one, line = metres.metre_of(number), metres.line(number)
        strong = {0, len(one.beats) // 2 if len(one.beats) % 2 == 0 else 0}
        strong |= set(itertools.accumulate(one.cells[:-1]))
        edges += [line + place for place in one.places]
        costs += [BAR, *(STRONG if k in strong else WEAK for k in range(1, len(one.beats)))]
    return np.array([*edges, metres.line(n_bars)]), np.array(costs)


def _sounding(parts: Sequence[Sequence[Note]], edges: Array) -> tuple[Array, NDArray[np.int_]]:
    """How long each pitch class sounds in each beat, as shares of the beat (n, 12); and the lowest
    pitch (n,), 128 where none does."""
    n_beats = len(edges) - 1
    weights, lowest = np.zeros((n_beats, 12)), np.full(n_beats, 128)
    lead = parts[0] if sum(map(bool, parts)) > 1 else ()
    for weight, note in ((LEAD if of is lead else 1.0, n) for of in parts for n in of):
        first = int(np.searchsorted(edges, note.start + 1e-6, side="right")) - 1
        for beat in range(max(first, 0), n_beats):
            shared = min(note.end, edges[beat + 1]) - max(note.start, edges[beat])
            if shared <= 1e-6:
                break
            share = shared / (edges[beat + 1] - edges[beat])
            weights[beat, note.pitch % 12] += weight * share
            lowest[beat] = min(lowest[beat], note.pitch)
    return weights, lowest


def _suits(weights: Array, lowest: NDArray[np.int_]) -> Array:
    """(n, N_STATES): how well each chord suits what sounds in a beat; states are kind by kind."""
    total = weights.sum(axis=1, keepdims=True)
    at_a_time = np.minimum(total, (weights > 0).sum(axis=1, keepdims=True))
    evidence = np.interp(at_a_time, range(len(EVIDENCE)), EVIDENCE)
    result = np.empty((len(weights), N_STATES))
    for kind, intervals in enumerate(KINDS):
        members = (np.arange(12)[:, None] + np.array(intervals)) % 12  # (root, note)
        inside = weights[:, members]
        fit = (2 * inside.sum(axis=2) - total) / np.maximum(total, 1e-9)
        fit -= MISSING * (inside == 0).sum(axis=2)
        fit += ROOT_BELOW * (lowest[:, None] % 12 == np.arange(12))
        result[:, 12 * kind : 12 * kind + 12] = evidence * fit
    return result


def _of_key(key: Key) -> Array:
    """(N_STATES,): what speaks for each chord in a key."""
    prior = np.full(N_STATES, FOREIGN)
    for (degree, name), value in (IN_MINOR if key.is_minor else IN_MAJOR).items():
        prior[12 * NAMES.index(name) + (key.tonic + degree) % 12] = value
    return prior


def _chords(
    path: Sequence[int], edges: Array, lowest: NDArray[np.int_], end: float
) -> tuple[Chord, ...]:
    found = []
    for beat, state in enumerate(path):
        if beat and state == path[beat - 1]:
            continue
        kind, root = divmod(state, 12)
        below = int(lowest[beat]) % 12
        members = {(root + interval) % 12 for interval in KINDS[kind]}
        bass = below if lowest[beat] < BASS and below in members else root
        found.append(Chord(float(edges[beat]), 0.0, root, KINDS[kind], bass))
    return without_gaps([chord for chord in found if chord.start < end], end)
