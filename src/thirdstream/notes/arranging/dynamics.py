"""Dynamics: phrases that swell, accents, and the loudness of a recording bar by bar."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.arranging.expression import Performer, within_phrase
from thirdstream.notes.arranging.lines import midi_velocity
from thirdstream.notes.arranging.parts import Part
from thirdstream.notes.arranging.phrasing import Feel
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.metre import Metres
from thirdstream.notes.styles import Style
from thirdstream.notes.types import Note, Score

NEIGHBOURS, MOST_ACCENT = 4, 8.0  # to each side of a note; what it may stand out by


def swell(beat: float, metres: Metres) -> float:
    """How far into its phrase a beat lies, as loudness: 0 at both ends, 1 in the middle."""
    return math.sin(math.pi * within_phrase(beat, metres))


def contour(notes: Sequence[Note], metres: Metres, n_bars: int) -> NDArray[np.float64]:
    """How much louder than the piece each bar is, (n_bars,), as MIDI velocity, smoothed.

    Of a bar the velocities are averaged by length; one without notes is like its neighbours.
    """
    weight, total = np.zeros(n_bars), np.zeros(n_bars)
    for note in notes:
        number = min(max(metres.bar(note.start), 0), n_bars - 1)
        weight[number] += note.length
        total[number] += note.length * note.velocity
    sounding = weight > 0
    if not sounding.any():
        return np.zeros(n_bars)
    bars = np.arange(n_bars)
    levels = np.interp(bars, bars[sounding], total[sounding] / weight[sounding])
    padded = np.pad(levels, 1, mode="edge")
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return smooth - np.median(smooth)


def accents(melody: Sequence[Note], metres: Metres, *, off_beats: bool) -> list[float]:
    """How much louder each note is than those around it: as it was transcribed, and as its place
    asks: off the beat, or where a bar begins.
    """
    result = []
    for number, note in enumerate(melody):
        around = melody[max(0, number - NEIGHBOURS) : number + NEIGHBOURS + 1]
        mean = sum(one.velocity for one in around) / len(around)
        own = min(max(0.6 * (note.velocity - mean), -MOST_ACCENT), MOST_ACCENT)
        place = (note.start % 1.0) if off_beats else metres.within(note.start + 0.1)
        stressed = 0.25 < place < 0.75 if off_beats else place < 0.2
        result.append(own + (4.0 if stressed else 0.0))
    return result


class Mixer:
    """Velocities of a cover: as loud as the recording is bar by bar, with the melody in front; and
    timing as the style's players have it."""

    def __init__(
        self,
        piece: Piece,
        score: Score,
        feel: Feel,
        style: Style,
        performer: Performer,
    ) -> None:
        self.metres, self.n_bars = score.metres, score.n_bars + 1
        self.contour = contour(piece.notes or score.melody, self.metres, self.n_bars)
        self.performer, self.expression = performer, style.expression
        velocities = sorted(note.velocity for note in piece.notes)
        self.middle = velocities[len(velocities) // 2] if velocities else 64
        self.feel, self.levels = feel, style.levels
        self.off_beats = style.accents == "off-beats"

    def mixed(self, part: Part) -> list[Note]:
        """All that a part plays."""
        lead = self.levels.melody - (0 if part.role == "melody" else 16)
        stress = accents(part.melody, self.metres, off_beats=self.off_beats)
        notes = [
            self._louder(note, lead + 8 * swell(note.start, self.metres) - 4 + more)
            for note, more in zip(part.melody, stress, strict=True)
        ]
        stronger = self.levels.drums if part.role == "drums" else 1.0
        for note in part.styled:
            moved = note if part.is_timed else self._placed(note)
            notes.append(self._louder(moved, stronger * note.velocity))
        for note in part.added:
            own = min(max((note.velocity - self.middle) * 0.5, -14), 14)
            notes.append(self._louder(note, self.levels.added + own))
        places = [note.start for note in (*part.melody, *part.styled, *part.added)]
        how = self.expression.of(part.role)
        return notes if part.is_timed else self.performer.played(notes, places, how)

    def _placed(self, note: Note) -> Note:
        """A note in even eighths, as the style swings it."""
        start, end = (self.feel.place(at, at) for at in (note.start, note.end))
        return replace(note, start=start, length=max(end - start, 0.05))

    def _louder(self, note: Note, base: float) -> Note:
        level = self.contour[min(max(self.metres.bar(note.start), 0), self.n_bars - 1)]
        velocity = max(base + min(max(0.8 * level, -24), 20), 18)
        return replace(note, velocity=midi_velocity(velocity))
