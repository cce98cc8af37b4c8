"""Which bars of a learned style accompany a piece: the best path through all of its bars.

A bar suits by its metre, its changes of harmony, its energy, its place in the phrase, and its
tempo. What followed a bar in its own recording follows it here at no cost, so that whole phrases
are played as they were; a jump elsewhere costs.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.styles.learned import Bar, LearnedStyle, Symbol
from thirdstream.notes.types import Chord, Note
from thirdstream.notes.viterbi import traced

Array = NDArray[np.float64]

JUMP, OTHER_RECORDING, AGAIN = 1.6, 1.0, 1.2  # costs; of playing a bar twice, beside a jump
OTHER_LENGTH, OTHER_DIVISION = 4.0, 2.0  # of the bar; of its beats, in two or three
CHANGE, QUALITY, MOTION, SHIFT = 0.8, 0.6, 0.4, 0.08  # of harmony; SHIFT a semitone
ENERGY, PLACE, LONG_PLACE, ENDING, TEMPO = 2.0, 0.8, 0.3, 2.0, 1.5  # TEMPO an octave
NO_DRUMS = 2.0  # of a recording without drums, where most have them
NOISE = 0.35  # of what is drawn
PHRASE = 4  # bars
ANTICIPATED = 0.15  # beats before a bar line from which a note belongs to the bar


@dataclass(frozen=True)
class Wanted:
    """A bar of a piece to be accompanied.

    start: its first beat; length in beats. chords: from its bar line, in beats, the first at 0.
    after: the chord that follows it. energy, last: as of `Bar`. thirds: whether its beats divide in
    three.
    """

    number: int
    start: int
    length: int
    chords: tuple[Chord, ...]
    after: Chord
    energy: float
    last: bool
    thirds: bool


def retrieved(
    style: LearnedStyle, wanted: Sequence[Wanted], *, tempo: float, rng: random.Random
) -> list[Bar]:
    """A bar of the style for each that is wanted. tempo: beats a minute.

    Viterbi over the style's bars; what is drawn only sways it. The same arguments give the same.
    """
    library = _Library(style)
    drawn = np.random.default_rng(rng.getrandbits(32))
    costs = library.fixed(tempo) + NOISE * drawn.gumbel(size=(len(wanted), len(style.bars)))
    total, back = np.zeros(len(style.bars)), []
    for number, one in enumerate(wanted):
        if number:
            total, before = library.reached(total)
            back.append(before)
        total = total + costs[number] + library.suits(one)
    return [style.bars[at] for at in traced(back, int(total.argmin()))]


class _Library:
    """The bars of a style, as arrays over them."""

    def __init__(self, style: LearnedStyle) -> None:
        bars = style.bars
        self.length = np.array([bar.length for bar in bars])
        self.number = np.array([bar.number for bar in bars])
        self.recording = np.array([bar.recording for bar in bars])
        self.energy = np.array([bar.energy for bar in bars])
        self.last = np.array([bar.last for bar in bars])
        self.thirds = np.array([style.source(bar).thirds for bar in bars])
        self.tempo = np.array([style.source(bar).tempo for bar in bars])
        drums = [any(p.role == "drums" for p in one.players) for one in style.recordings]
        self.lacks_drums = style.has_drums & ~np.array(drums)[self.recording]
        self.root = np.array([bar.chords[0][1] for bar in bars])
        self.quality = np.array([_quality(bar.chords[0][2]) for bar in bars])
        self.changes = np.array([_changes([c[0] for c in bar.chords]) for bar in bars])
        self.motion = np.array([_motion(bars, number) for number in range(len(bars))])
        follows = (self.recording[1:] == self.recording[:-1]) & (np.diff(self.number) == 1)
        self.follows = np.append([False], follows)

    def fixed(self, tempo: float) -> Array:
        """(n_bars,): what does not depend on the place in the piece."""
        return TEMPO * np.abs(np.log2(self.tempo / tempo)) + NO_DRUMS * self.lacks_drums

    def suits(self, wanted: Wanted) -> Array:
        """(n_bars,): the cost of playing each there; 0 where all is the same."""
        first = wanted.chords[0]
        cost = OTHER_LENGTH * (self.length != wanted.length)
        cost = cost + OTHER_DIVISION * (self.thirds != wanted.thirds)
        changes = _changes([chord.start for chord in wanted.chords])
        cost += CHANGE * np.bitwise_count(self.changes ^ changes)
        cost += QUALITY * (self.quality != _quality(first.intervals))
        motion = (wanted.after.root - first.root) % 12
        cost += MOTION * ((self.motion != motion) & (self.motion >= 0))
        cost += SHIFT * np.abs((first.root - self.root + 5) % 12 - 5)
        cost += ENERGY * np.abs(self.energy - wanted.energy)
        cost += PLACE * (self.number % PHRASE != wanted.number % PHRASE)
        cost += LONG_PLACE * (self.number % (2 * PHRASE) != wanted.number % (2 * PHRASE))
        return cost + ENDING * (self.last != wanted.last)

    def reached(self, total: Array) -> tuple[Array, NDArray[np.int32]]:
        """(n_bars,) each: the least cost so far with which each bar comes next, and after which."""
        n = len(total)
        own = np.arange(n)
        best = int(total.argmin())
        cost = np.full(n, total[best] + JUMP + OTHER_RECORDING)
        back = np.full(n, best)
        order = np.lexsort((total, self.recording))
        firsts = np.unique(self.recording[order], return_index=True)[1]
        nearest = order[firsts][np.searchsorted(self.recording[order][firsts], self.recording)]
        stays = total[nearest] + JUMP + AGAIN * (nearest == own)
        better = stays < cost
        cost[better], back[better] = stays[better], nearest[better]
        goes_on = np.where(self.follows, np.roll(total, 1), np.inf)
        better = goes_on < cost
        cost[better], back[better] = goes_on[better], own[better] - 1
        return cost, back.astype(np.int32)


def _changes(starts: Sequence[float]) -> int:
    """The half beats of a bar on which its harmony changes, a bit each; its bar line is none."""
    return sum(1 << at for at in {round(2 * start) for start in starts} if 0 < at < 32)


def _quality(intervals: Sequence[int]) -> int:
    """Major, dominant, minor, diminished, or another kind of chord."""
    if 4 in intervals:
        return 1 if 10 in intervals else 0
    if 3 in intervals:
        return 2 if 7 in intervals else 3
    return 4


def _motion(bars: Sequence[Bar], number: int) -> int:
    """How far the root moves to the next bar, 0 to 11; -1 where none follows."""
    symbol = following(bars, number)
    return -1 if symbol is None else (symbol[1] - bars[number].chords[0][1]) % 12


def following(bars: Sequence[Bar], number: int) -> Symbol | None:
    """The chord that came after a bar in its recording; None where that is not known."""
    if number + 1 >= len(bars):
        return None
    one, after = bars[number], bars[number + 1]
    is_next = after.recording == one.recording and after.number == one.number + 1
    return after.chords[0] if is_next else None


def energies_of(notes: Sequence[Note], bars: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """(n_bars,) the rank of each bar's loudness among all, 0 to 1: velocities, squared and summed
    over its notes, a beat."""
    starts = np.array([start for start, _ in bars])
    lengths = np.array([length for _, length in bars])
    at = np.searchsorted(starts, [note.start + ANTICIPATED for note in notes], side="right") - 1
    loudness = np.bincount(
        at.clip(0), weights=[note.velocity**2 for note in notes], minlength=len(bars)
    )
    ranks = np.argsort(np.argsort(loudness / lengths))
    return ranks / max(len(bars) - 1, 1)
