"""What is played -> which units and grains of a collection play it (unit selection).

As in Hunt and Black (1996): the cheapest path, where a unit costs what it differs from what is
wanted (target cost), and what it does not go on from the one before (concatenation cost).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.mosaicing.grains import Grains
from thirdstream.notes.mosaicing.units import (
    EDGES,
    N_KEYS,
    Units,
    attacks_of,
    segments_of,
    window_attacks,
    window_means,
)
from thirdstream.notes.transcription.features import FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.transcriber import LOWEST

SHIFTS = np.arange(-3, 4)  # semitones by which a unit may be moved
N_CANDIDATES = 40  # units, and 60 grains, that are considered for each place
N_GRAINS = 60
ROWS = 32  # segments whose costs are computed at a time
NEAR = 4  # frames that a unit's place may differ from where the one before ends
NOISE = 0.02  # deviation of what a seed adds to a unit's cost
UNPLAYABLE = 9.0
MOST_SHORT_S = 0.6  # that count of what a grain is too short

Array = NDArray[np.float32]
Ints = NDArray[np.int_]


@dataclass(frozen=True)
class Costs:
    """Chosen on the benchmark's validation recordings."""

    melody: float = 6.0  # how much more the melody's notes count than others
    chroma: float = 0.7  # how much pitch classes count beside pitches
    attack: float = 0.15  # of each attack that is missing or too much
    shift: float = 0.02  # of a semitone
    cut: float = 0.6  # where a unit does not go on from the one before
    recording: float = 0.2  # and is of another recording
    timbre: float = 0.3  # of a deviation of timbre
    change: float = 0.05  # where the shift is another
    grain_shift: float = 0.04
    grain_short: float = 1.0  # of a second that a grain is too short
    grain_recording: float = 0.3


class Wanted(NamedTuple):
    """What each segment of a recording should sound like; edges: (n + 1,) in frames. See `Units`;
    weights: (n, N_WINDOWS), how much of the segment each window is."""

    edges: Ints
    notes: Array
    attacks: Array
    levels: Array
    weights: Array


class Chosen(NamedTuple):
    """units: (n,) for each segment; shifts: (n,) in semitones."""

    units: Ints
    shifts: Ints


def wanted(features: FrameFeatures, costs: Costs = Costs()) -> Wanted:
    """A recording, as a query."""
    attacks = attacks_of(features)
    edges = segments_of(attacks)
    starts, lengths = edges[:-1], np.diff(edges)[:, None]
    notes = window_means(_emphasised(features, costs.melody), starts)
    weights = np.clip(np.minimum(lengths, EDGES[1:]) - EDGES[:-1], 0, None).astype(np.float32)
    power = np.concatenate([[0.0], np.cumsum(np.square(features.level, dtype=np.float64))])
    levels = np.sqrt((power[edges[1:]] - power[edges[:-1]]) / lengths[:, 0])
    return Wanted(
        edges,
        notes,
        window_attacks(attacks, starts),
        levels.astype(np.float32),
        weights / weights.sum(axis=1, keepdims=True),
    )


def _emphasised(features: FrameFeatures, melody: float) -> Array:
    """(n_frames, N_KEYS): posteriors of notes, the melody's the louder."""
    notes = features.posteriors.notes.astype(np.float32)
    louder = 1 + melody * features.melody.astype(np.float32)
    return (notes * louder).astype(np.float32)


def described(notes: Array, chroma: float) -> Array:
    """Notes and pitch classes: (n, N_WINDOWS, N_KEYS) -> (n, N_WINDOWS, N_KEYS + 12)."""
    folded = np.zeros((*notes.shape[:2], 12), np.float32)
    for key in range(N_KEYS):
        folded[..., (key + LOWEST) % 12] += notes[..., key]
    return np.concatenate([notes, chroma * folded], axis=2, dtype=np.float32)


def moved(notes: Array, shift: int) -> Array:
    """Notes some semitones higher; those that leave the keyboard are lost."""
    rolled = np.roll(notes, shift, axis=-1)
    if shift > 0:
        rolled[..., :shift] = 0
    elif shift < 0:
        rolled[..., shift:] = 0
    return rolled


class Targets:
    """The target costs of a collection's units."""

    def __init__(self, units: Units, seed: int, costs: Costs) -> None:
        self.units, self.costs = units, costs
        notes = (units.notes / np.float32(255)).astype(np.float32)
        vectors = described(notes, costs.chroma)
        self.powers = np.square(vectors).sum(axis=2)
        self.vectors = vectors.reshape(len(vectors), -1)
        noise = np.random.default_rng(seed).standard_normal(len(vectors))
        self.noise = (NOISE * noise).astype(np.float32)

    def of(self, query: Wanted, rows: slice) -> Array:
        """(n_rows, n_units * n_shifts) of some segments of a query."""
        weights, attacks = query.weights[rows], query.attacks[rows]
        norms = np.sqrt(weights @ self.powers.T) + 1e-3
        beyond = np.zeros(norms.shape, np.float32)
        for window in range(weights.shape[1]):
            apart = np.abs(attacks[:, window, None] - self.units.attacks[:, window])
            beyond += weights[:, window, None] * np.minimum(apart, 2)
        fixed = 1 + self.noise + self.costs.attack * beyond
        found = []
        for shift in SHIFTS.tolist():
            notes = described(moved(query.notes[rows], -shift), self.costs.chroma)
            own = np.sqrt((weights * np.square(notes).sum(axis=2)).sum(axis=1)) + 1e-3
            products = (notes * weights[..., None]).reshape(len(notes), -1) @ self.vectors.T
            likeness = products / (own[:, None] * norms)
            found.append(fixed - likeness + self.costs.shift * abs(shift))
        return np.stack(found, axis=2).reshape(len(weights), -1).astype(np.float32)


class Joins:
    """The concatenation costs of a collection's units."""

    def __init__(self, units: Units, costs: Costs) -> None:
        self.units, self.costs = units, costs
        self.places = units.recordings.astype(np.int64) * 10**8 + units.frames
        spread = units.timbres.std(axis=0) + 1e-3
        self.timbres = units.timbres / spread

    def ends(self, states: Ints, n_frames: int) -> NDArray[np.float64]:
        """Where a unit ends that is played for so many frames, on the line of `places`."""
        units, shifts = _parts(states)
        return self.places[units] + np.round(n_frames * 2.0 ** (shifts / 12))

    def following(self, states: Ints, n_frames: int) -> Ints:
        """The units that go on where these end."""
        ends, index = self.ends(states, n_frames), states % len(SHIFTS)
        after = np.searchsorted(self.places, ends)
        found = []
        for beside in (after - 1, after):
            units = np.clip(beside, 0, len(self.places) - 1)
            near = np.abs(self.places[units] - ends) <= NEAR
            found.append((units * len(SHIFTS) + index)[near])
        return np.concatenate(found)

    def between(self, before: Ints, after: Ints, n_frames: int) -> Array:
        """(n_before, n_after): costs of each of `after` behind each of `before`."""
        (units, shifts), (others, other_shifts) = _parts(before), _parts(after)
        ends = self.ends(before, n_frames)
        same = shifts[:, None] == other_shifts
        goes_on = (np.abs(self.places[others] - ends[:, None]) <= NEAR) & same
        apart = self.timbres[units][:, None] - self.timbres[others]
        recordings = self.units.recordings
        cost = (
            self.costs.cut
            + self.costs.recording * (recordings[units][:, None] != recordings[others])
            + self.costs.timbre * np.sqrt(np.square(apart).mean(axis=2))
            + self.costs.change * ~same
        )
        return np.where(goes_on, 0, cost).astype(np.float32)


def _parts(states: Ints) -> tuple[Ints, Ints]:
    """Units and shifts of numbers that stand for both."""
    return states // len(SHIFTS), SHIFTS[states % len(SHIFTS)]


class Lattice:
    """Columns of states, and the cheapest path through them."""

    def __init__(self) -> None:
        self.states: list[Ints] = []
        self.costs: list[Array] = []
        self.back: list[Ints] = []
        self.total: NDArray[np.floating] = np.zeros(0)

    def add(self, states: Ints, costs: Array, between: Array | None) -> None:
        """A column of states, what each costs, and what it costs behind each of the last ones."""
        if between is None:
            self.total = costs.astype(np.float64)
        else:
            reached = self.total[:, None] + between
            self.back.append(reached.argmin(axis=0))
            self.total = reached.min(axis=0) + costs
        self.states.append(states)
        self.costs.append(costs)

    def cheapest(self) -> tuple[Ints, Array]:
        """The states of the cheapest path, and their own costs."""
        path = [int(self.total.argmin())]
        for row in reversed(self.back):
            path.append(int(row[path[-1]]))
        path.reverse()
        states = [column[at] for column, at in zip(self.states, path, strict=True)]
        costs = [column[at] for column, at in zip(self.costs, path, strict=True)]
        return np.array(states), np.array(costs)


def _least(row: Array, n_most: int) -> Ints:
    """Where its least values are."""
    n_most = min(n_most, len(row))
    return np.argpartition(row, n_most - 1)[:n_most]


def choose(query: Wanted, units: Units, *, seed: int = 0, costs: Costs = Costs()) -> Chosen:
    """For each segment of a query its unit, and by how many semitones that is moved."""
    targets, joins, lattice = Targets(units, seed, costs), Joins(units, costs), Lattice()
    lengths = np.diff(query.edges).tolist()
    for first in range(0, len(lengths), ROWS):
        block = targets.of(query, slice(first, first + ROWS))
        for number, row in enumerate(block, first):
            here, between = _least(row, N_CANDIDATES), None
            if number:
                last, length = lattice.states[-1], lengths[number - 1]
                here = np.union1d(here, joins.following(last, length))
                between = joins.between(last, here, length)
            lattice.add(here, row[here], between)
    states, _ = lattice.cheapest()
    return Chosen(*_parts(states))


def choose_grains(melody: NoteEvents, grains: Grains, costs: Costs = Costs()) -> Ints:
    """For each note of a melody the grain that plays it, -1 where there is none."""
    if not len(melody.pitches) or not len(grains.pitches):
        return np.full(len(melody.pitches), -1)
    lengths, lattice = grains.ends - grains.starts, Lattice()
    for (start, end), pitch in zip(melody.intervals, melody.pitches, strict=True):
        shifts = np.abs(np.float32(pitch) - grains.pitches)
        missing = np.clip(np.float32(end - start) - lengths, 0, MOST_SHORT_S)
        row = grains.costs + costs.grain_shift * shifts + costs.grain_short * missing
        row = np.where(shifts <= SHIFTS[-1], row, UNPLAYABLE).astype(np.float32)
        here, between = _least(row, N_GRAINS), None
        if lattice.states:
            before = grains.recordings[lattice.states[-1]][:, None]
            other = before != grains.recordings[here]
            between = np.float32(costs.grain_recording) * other
        lattice.add(here, row[here], between)
    found, own = lattice.cheapest()
    return np.where(own < UNPLAYABLE, found, -1)
