"""A recording's piece as it was transcribed: its measures, its metrical level, its repetitions."""

import math
from dataclasses import dataclass, replace

import numpy as np

from thirdstream.notes.arranging.form import SECTION_BARS
from thirdstream.notes.metre import Metres, of_length
from thirdstream.notes.styles import Style
from thirdstream.notes.styles.jazz import JazzStyle
from thirdstream.notes.styles.learned import LearnedStyle
from thirdstream.notes.types import Note, Score, stretched

OWN_LEVEL = 0.4  # octaves of tempo that the recording's own level may be further away


@dataclass(frozen=True)
class Piece:
    """What was transcribed: a score, every note (not quantised), and the usual quarter notes a
    minute. All positions in quarter notes.
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

    def scaled(self, factor: float) -> "Piece":
        """The same piece with `factor` times as many quarter notes."""
        score = self.score
        bar = score.beats_per_bar * factor
        bar = next((b for b in (4.0, 3.0, 2.0) if bar % b == 0), score.beats_per_bar)
        counted = replace(
            score,
            melody=stretched(score.melody, factor),
            chords=stretched(score.chords, factor),
            tacet=stretched(score.tacet, factor),
            metres=Metres.steady(of_length(bar)),
            length=score.length * factor,
            voices=(),
        )
        return Piece(counted, stretched(self.notes, factor), self.beats_per_minute * factor)


def metrical_level(piece: Piece, style: Style | LearnedStyle) -> float:
    """How many quarter notes the style counts for one of the recording: 1, 2 or a half."""
    metres = piece.score.metres
    if len(metres.changes) > 1 or not metres.is_plain:
        return 1.0
    if isinstance(style, LearnedStyle):
        return _nearest_level(piece, style)
    if not isinstance(style, JazzStyle):
        return 1.0
    if piece.beats_per_minute <= style.defaults.double_time_up_to:
        return 2.0
    halved = piece.beats_per_minute >= style.defaults.half_time_from
    return 0.5 if halved and piece.score.beats_per_bar % 2 == 0 else 1.0


def _nearest_level(piece: Piece, style: LearnedStyle) -> float:
    """The level whose tempo is nearest to the style's; the piece's own where that is near."""
    levels = (1.0, 2.0, 0.5) if piece.score.beats_per_bar % 2 == 0 else (1.0, 2.0)

    def distance(level: float) -> float:
        away = abs(math.log2(piece.beats_per_minute * level / style.tempo))
        return away + (0.0 if level == 1 else OWN_LEVEL)

    return min(levels, key=distance)


def repetitions(score: Score) -> list[int]:
    """For each section of SECTION_BARS bars, how many before it were all but the same.

    The same: most chords, and most melody notes within a semitone, at the same place.
    """
    metres = score.metres
    n_sections = math.ceil(score.n_bars / SECTION_BARS)
    prints: list[set[tuple[int, int]]] = [set() for _ in range(n_sections)]
    events = [(chord.start, 128 + chord.root) for chord in score.chords]
    events += [(note.start, note.pitch) for note in score.melody]
    for start, value in events:
        number = min(max(metres.bar(start) // SECTION_BARS, 0), n_sections - 1)
        prints[number].add((round(2 * (start - metres.line(number * SECTION_BARS))), value))
    counts: list[int] = []
    for number, one in enumerate(prints):
        alike = [k for k in range(number) if _alike(one, prints[k])]
        counts.append(counts[alike[-1]] + 1 if alike else 0)
    return counts


def _alike(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> bool:
    return bool(one) and len(one & other) >= 0.7 * max(len(one), len(other))
