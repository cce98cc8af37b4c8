"""Who plays a recording's piece, chosen from what was heard in it.

The defaults are the ensembles that an independent tagger hears as their style: it takes a string
quartet, string orchestra, wind quintet, organ or harpsichord for classical, but hardly a piano; a
wind lead over a rhythm section for jazz, but hardly a big band, a piano trio or a bossa nova. Of
the former, those whose notes are heard to begin: strings with a harp or a harpsichord. The others
are there by name.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging.ensembles import (
    ALTO,
    CLASSICAL,
    DOUBLINGS,
    GROOVES,
    MUTED_TRUMPET,
    PIANO,
    TENOR,
    TRUMPET,
    Instrument,
    folded,
)
from thirdstream.notes.arranging.pulse import Pulse, suits
from thirdstream.notes.metre import Metres, of_length
from thirdstream.notes.types import Note, Score

SLOW, DENSE, QUICK = 92.0, 4.0, 3.5  # beats a minute; notes at a time; melody notes a second
HALVED, DOUBLED = 235.0, 62.0  # beats a minute beyond which a jazz group counts otherwise
SOLOISTS = (TENOR, TRUMPET, MUTED_TRUMPET, ALTO)  # the first two before the others


@dataclass(frozen=True)
class Piece:
    """What was heard: a score, every note (not quantised), and the usual quarter notes a minute.

    All positions in quarter notes.
    """

    score: Score
    notes: tuple[Note, ...]
    beats_per_minute: float

    @property
    def density(self) -> float:
        """How many notes sound at a time, while any does."""
        grid = np.zeros(int(4 * max((n.end for n in self.notes), default=0.0)) + 1)
        for note in self.notes:
            grid[int(4 * note.start) : max(int(4 * note.end), int(4 * note.start) + 1)] += 1
        return float(grid[grid > 0].mean()) if grid.any() else 0.0

    @property
    def quickness(self) -> float:
        """Notes a second of the melody, while it plays."""
        beats = sum(note.length for note in self.score.melody)
        return len(self.score.melody) / max(beats, 1e-6) * self.beats_per_minute / 60

    def counted(self, factor: float) -> "Piece":
        """The same piece with `factor` times as many quarter notes."""

        def moved(notes: Sequence[Note]) -> tuple[Note, ...]:
            return tuple(replace(n, start=n.start * factor, length=n.length * factor)
                         for n in notes)  # fmt: skip

        score = self.score
        chords = tuple(replace(c, start=c.start * factor, length=c.length * factor)
                       for c in score.chords)  # fmt: skip
        bar = score.beats_per_bar * factor
        bar = next((b for b in (4.0, 3.0, 2.0) if bar % b == 0), score.beats_per_bar)
        counted = replace(score, melody=moved(score.melody), chords=chords,
                          metres=Metres.steady(of_length(bar)),
                          length=score.length * factor, voices=(),
                          tacet=tuple(replace(s, start=s.start * factor, length=s.length * factor)
                                      for s in score.tacet))  # fmt: skip
        return Piece(counted, moved(self.notes), self.beats_per_minute * factor)


def counting(piece: Piece, style: str) -> float:
    """How many quarter notes the style counts for one of the recording: 1, 2 or a half."""
    if len(piece.score.metres.changes) > 1 or not piece.score.metres.is_plain:
        return 1.0
    if style == "jazz" and piece.beats_per_minute <= DOUBLED:
        return 2.0
    whole = piece.score.beats_per_bar % 2 == 0
    return 0.5 if style == "jazz" and piece.beats_per_minute >= HALVED and whole else 1.0


def choose(piece: Piece, style: str, rng: random.Random) -> str:
    """One of DOUBLINGS, or one of GROOVES, that suits the piece; `rng` breaks ties."""
    if style == "jazz":
        if Pulse(piece.score).in_three:
            return "jazz waltz"
        return "ballad" if piece.beats_per_minute < SLOW else "swing"
    if piece.density >= DENSE:
        return "strings and harp"
    if piece.quickness >= QUICK:
        return "strings and harpsichord"
    return rng.choice(["strings and harp", "chamber orchestra"])


def named(name: str, style: str, score: Score) -> str:
    """The ensemble or groove of that name. Raises ThirdstreamError if the style has none such."""
    table: Sequence[str] = (*CLASSICAL, *DOUBLINGS)
    if style == "jazz":
        pulse = Pulse(score)
        table = [groove for groove in GROOVES if suits(groove, pulse)]
    if name not in table:
        raise ThirdstreamError(
            f"{name}: is nothing that plays {style} in bars of "
            f"{score.metres.usual(score.n_beats).name}; choose one of: {', '.join(table)}"
        )
    return name


def soloists(melody: Sequence[Note], groove: str, rng: random.Random) -> tuple[Instrument, ...]:
    """Who plays the melody, and who plays it the second time: those in whose range it lies best."""
    if groove in ("trio swing", "trio waltz"):
        return (PIANO, PIANO)
    leads = GROOVES[groove].leads
    able = [one for one in SOLOISTS if one in leads]
    ranked = sorted(
        able,
        key=lambda i: (round(5 * outside(melody, i)), able.index(i) // 2, rng.random()),
    )
    return tuple(ranked[:2])


def outside(melody: Sequence[Note], instrument: Instrument) -> float:
    """The share of a melody that an instrument cannot play where it is written."""
    lowest, highest = instrument.lowest + 2, instrument.highest
    return sum(not lowest <= n.pitch <= highest for n in melody) / max(len(melody), 1)


def placed(melody: Sequence[Note], lowest: int, highest: int) -> tuple[Note, ...]:
    """The melody in its own octave, or the nearest in which (nearly) all of it is in range."""

    def cost(shift: int) -> tuple[int, int]:
        out = sum(not lowest <= note.pitch + shift <= highest for note in melody)
        return out // max(len(melody) // 20, 1), abs(shift)

    best = min(range(-48, 49, 12), key=cost)
    return tuple(replace(n, pitch=folded(n.pitch + best, lowest, highest)) for n in melody)


def contour(notes: Sequence[Note], metres: Metres, n_bars: int) -> NDArray[np.float64]:
    """How much louder than the piece each bar is, (n_bars,), as MIDI velocity, smoothed.

    Of a bar the velocities are averaged by length; one without notes is like its neighbours.
    """
    weight, total = np.zeros(n_bars), np.zeros(n_bars)
    for note in notes:
        number = min(max(metres.bar(note.start), 0), n_bars - 1)
        weight[number] += note.length
        total[number] += note.length * note.velocity
    heard = weight > 0
    if not heard.any():
        return np.zeros(n_bars)
    at = np.arange(n_bars)
    levels = np.interp(at, at[heard], total[heard] / weight[heard])
    padded = np.pad(levels, 1, mode="edge")
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return smooth - np.median(smooth)


def repeats(score: Score, *, n_bars: int = 8) -> list[int]:
    """For each section of `n_bars` bars, how many before it were all but the same.

    The same: most chords, and most melody notes within a semitone, at the same place.
    """
    metres = score.metres
    found: list[tuple[set[tuple[int, int]], int]] = []
    n_sections = math.ceil(score.n_bars / n_bars)
    prints: list[set[tuple[int, int]]] = [set() for _ in range(n_sections)]
    for kind, events in ((128, score.chords), (0, score.melody)):
        for event in events:
            number = min(max(metres.bar(event.start) // n_bars, 0), len(prints) - 1)
            where = round(2 * (event.start - metres.line(number * n_bars)))
            value = event.root if hasattr(event, "root") else event.pitch  # type: ignore[union-attr]
            prints[number].add((where, kind + value))
    result = []
    for one in prints:
        alike = [(other, k) for k, (other, _) in enumerate(found) if _alike(one, other)]
        count = found[alike[-1][1]][1] + 1 if alike else 0
        found.append((one, count))
        result.append(count)
    return result


def _alike(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> bool:
    return bool(one) and len(one & other) >= 0.7 * max(len(one), len(other))
