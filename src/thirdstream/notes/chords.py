"""The chords of a recording, from what sounds in each beat: a linear-chain random field.

A state is a root and one of CHORDS. What sounds is weighed by its role in the chord (root, third,
fifth, seventh, or none), above and in the bass, alike for all roots; a change costs the less the
stronger its place in the bar, and the bass likes to mark it by the root. The weights are maximum
likelihood on the beats of 22 rendered pieces, each in both styles.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.score import CHORDS, Chord, Note, without_gaps
from thirdstream.notes.transcription import LOWEST, Posteriors

Array = NDArray[np.float64]

KINDS = tuple(CHORDS.values())
N_STATES = 12 * len(KINDS)
ABOVE, BELOW = 48, 55  # MIDI pitch: chords are heard from the one up, basses up to the other
# Weights of what sounds: of no member, root, third, fifth and seventh.
ROLES = np.array(
    [
        [-0.96, 0.84, 1.42, 1.05, -0.13],  # above
        [-0.49, 0.80, 0.49, 0.63, -0.50],  # in the bass
        [-0.97, 0.88, 0.01, -0.01, 0.62],  # as the lowest note at the beat's beginning
    ]
)
KIND_BIAS = np.array([1.12, 0.58, -0.02, -0.24, -0.25, -1.08, -0.62, -0.77])  # in CHORDS' order
CHANGE_COST = {"bar": 2.53, "half": 4.04, "other": 5.53}
CHANGE_BASS = np.array(
    [-0.93, 1.26, -1.18, -1.06, -1.03]
)  # of the lowest note, where a chord begins
MOTION = np.array(  # of the root, by semitones up
    [-0.79, -0.66, -0.75, -1.18, -0.85, 1.25, -0.86, 0.20, -1.05, -0.59, -1.13, -0.73]
)
SEVENTH_AT = 0.8  # of what the triad's notes sound on average, a seventh sounds at least
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)


def _members() -> NDArray[np.int_]:
    """(n_kinds, 12): 0 for no member, 1 root, 2 third, 3 fifth, 4 seventh."""
    found = np.zeros((len(KINDS), 12), int)
    for kind, intervals in enumerate(KINDS):
        found[kind, list(intervals)] = range(1, len(intervals) + 1)
    return found


MEMBERS = _members()


def beat_chroma(posteriors: Posteriors, edges: Array) -> Array:
    """What sounds between edges (n_beats + 1,) in frames: (n_beats, 3, 12) pitch classes.

    Of the pitches above, of the bass, both as log(1 + 5 * sum of posteriors), and of the lowest
    note at each beat's beginning, 0 to 1.
    """
    n_beats, n_frames = len(edges) - 1, len(posteriors.sounds)
    whole, early = np.zeros((2, n_beats, 88))
    for beat, (start, end) in enumerate(itertools.pairwise(edges)):
        first = min(max(round(start + 3), 0), n_frames - 1)
        last, soon = round(end), round(start + 2 + 0.6 * (end - start))
        whole[beat] = posteriors.sounds[first : max(last, first + 1)].mean(0, dtype=np.float32)
        early[beat] = posteriors.sounds[first : max(soon, first + 1)].mean(0, dtype=np.float32)
    pitches = np.arange(88) + LOWEST
    fold = np.eye(12)[pitches % 12]
    free, lowest = np.ones(n_beats), np.zeros((n_beats, 12))
    for pitch in range(48):
        there = np.clip((early[:, pitch] - 0.15) / 0.35, 0, 1)
        lowest[:, (pitch + LOWEST) % 12] += free * there
        free = free * (1 - there)
    upper = np.log1p(5 * (whole * (pitches >= ABOVE)) @ fold)
    bass = np.log1p(5 * (whole * (pitches < BELOW)) @ fold)
    return np.stack([upper, bass, lowest], axis=1)


def _potentials(chroma: Array) -> tuple[Array, Array]:
    """How well each chord suits each beat, and how well it begins there; (n_beats, N_STATES)."""
    rolled = np.stack([np.roll(chroma, -root, axis=2) for root in range(12)], axis=1)
    weights = ROLES[:, MEMBERS]  # (3, n_kinds, 12)
    suits = np.einsum("brfp,fkp->brk", rolled, weights) + KIND_BIAS
    begins = np.einsum("brp,kp->brk", rolled[:, :, 2], CHANGE_BASS[MEMBERS])
    return suits.reshape(len(chroma), -1), begins.reshape(len(chroma), -1)


def _motion() -> Array:
    """What a change of the root is worth, (N_STATES, N_STATES); -inf from a chord to itself."""
    roots = np.arange(N_STATES) // len(KINDS)
    found = MOTION[(roots[None] - roots[:, None]) % 12]
    np.fill_diagonal(found, -np.inf)
    return found


def change_probability(chroma: Array) -> Array:
    """(n_beats,): how likely a chord begins at each beat, wherever the bar lines are; first 1."""
    suits, begins = _potentials(chroma)
    suits = np.exp(suits - suits.max(axis=1, keepdims=True))
    moved = np.exp(_motion() - CHANGE_COST["half"])
    entered = np.exp(begins)
    forward = np.empty_like(suits)
    forward[0] = suits[0] / suits[0].sum()
    for beat in range(1, len(suits)):
        reached = (forward[beat - 1] @ moved) * entered[beat] + forward[beat - 1]
        forward[beat] = reached * suits[beat]
        forward[beat] /= forward[beat].sum()
    stays = np.zeros(len(suits))
    later = np.ones(N_STATES)
    for beat in range(len(suits) - 1, 0, -1):
        after = suits[beat] * later
        kept = forward[beat - 1] * after
        later = moved @ (entered[beat] * after) + after
        stays[beat] = kept.sum() / (forward[beat - 1] @ later)
        later /= later.sum()
    return 1 - stays


def decode(chroma: Array, beats_per_bar: int) -> tuple[Chord, ...]:
    """The best sequence of chords (Viterbi), inverted as the bass has it; beat 0 is a bar line."""
    suits, begins = _potentials(chroma)
    motion, states = _motion(), np.arange(N_STATES)
    score, back = suits[0], np.zeros(suits.shape, int)
    for beat in range(1, len(suits)):
        reached = score[:, None] + motion
        best = reached.argmax(axis=0)
        change = reached[best, states] + begins[beat] - CHANGE_COST[_place(beat, beats_per_bar)]
        back[beat] = np.where(change > score, best, states)
        score = np.maximum(change, score) + suits[beat]
    path = [int(score.argmax())]
    for row in back[:0:-1]:
        path.append(int(row[path[-1]]))
    return _chords(path[::-1], chroma)


def _place(beat: int, beats_per_bar: int) -> str:
    if beat % beats_per_bar == 0:
        return "bar"
    return (
        "half"
        if beats_per_bar % 2 == 0 and 2 * (beat % beats_per_bar) == beats_per_bar
        else "other"
    )


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
        heard = lowest.sum(axis=0) + lowest[0]
        members = [(root + interval) % 12 for interval in intervals]
        heard[root] += 0.5
        bass = max(members, key=heard.__getitem__)
        found.append(Chord(float(start), float(end - start), root, intervals, bass))
    return without_gaps(found, float(len(path)))


def key_of(chords: Sequence[Chord], melody: Sequence[Note]) -> tuple[int, bool]:
    """Tonic and whether the key is minor.

    The scale must hold the melody and the chords' triads (sevenths leave it readily), and its
    chord be at home: long, last, and reached from its dominant.
    """
    sounding, home = np.zeros(12), np.zeros((12, 2))
    for note in melody:
        sounding[note.pitch % 12] += note.length
    for chord in chords:
        for interval in chord.intervals[:3]:
            sounding[(chord.root + interval) % 12] += chord.length
    for before, chord in itertools.pairwise([chords[-1], *chords]):
        falls = (before.root - chord.root) % 12 == 7 and not before.is_minor
        home[chord.root, int(chord.is_minor)] += min(chord.length, 8.0) * (2.0 if falls else 1.0)
    home[chords[-1].root, int(chords[-1].is_minor)] += 0.1 * home.sum()
    scores = {
        (tonic, is_minor): float(
            sounding[[(tonic + step) % 12 for step in scale]].sum() / sounding.sum()
            + 0.6 * home[tonic, int(is_minor)] / home.sum()
            + 0.4 * sounding[(tonic + 7) % 12] / sounding.sum()
        )
        for tonic in range(12)
        for is_minor, scale in ((False, MAJOR), (True, MINOR))
    }
    return max(scores, key=lambda key: scores[key])
