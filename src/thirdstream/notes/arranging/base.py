"""A cover in the making: the melody on its way from the recording's rhythm to the style's, and the
parts mixed. Each kind of style adds what accompanies it.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.arranging.arrangement import Arrangement, merged, track
from thirdstream.notes.arranging.dynamics import Mixer, contour
from thirdstream.notes.arranging.expression import Performer
from thirdstream.notes.arranging.form import SECTION_BARS, fullness
from thirdstream.notes.arranging.harmony import reharmonised
from thirdstream.notes.arranging.lines import placed
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.parts import Part, add_content, thin
from thirdstream.notes.arranging.phrasing import (
    Feel,
    evened,
    performed,
    quantised,
    sources,
    swing_of,
)
from thirdstream.notes.arranging.piece import Piece, repetitions
from thirdstream.notes.harmonisation import harmonised
from thirdstream.notes.styles import Style
from thirdstream.notes.styles.entries import Instrument, Phrasing
from thirdstream.notes.types import Chord, Note, Score, Song, Track, without_gaps

S = TypeVar("S", bound=Style)
FREE = 0.3  # below this share of kept content, chords are replaced too


def prepared(piece: Piece) -> Score:
    """The score in even eighths, with chords from its first bar line to its end."""
    score, even = piece.score, _evening(piece)
    end = max([score.n_beats, *(note.start for note in piece.notes)])
    melody: list[Note] = []
    for note in sorted(score.melody):
        start, stop = even(note.start), even(note.end)
        if stop - start <= 0.05:
            continue
        if melody and melody[-1].end > start:
            melody[-1] = replace(melody[-1], length=start - melody[-1].start)
        melody.append(replace(note, start=start, length=stop - start))
    chords: Sequence[Chord] = score.chords
    if not chords:
        chords = harmonised([sorted(piece.notes or score.melody)], score.metres, end=end)
    if inside := [chord for chord in chords if chord.start < end]:
        chords = without_gaps([replace(inside[0], start=0.0), *inside[1:]], end)
    line = tuple(note for note in melody if note.length > 0.05)
    return replace(score, melody=line, chords=tuple(chords), length=end)


def _evening(piece: Piece) -> Callable[[float], float]:
    """From places of the piece's melody to those in even eighths."""
    score = piece.score
    swing = swing_of(score.melody) if score.metres.is_plain else 1.0
    return lambda beat: quantised(evened(beat, swing))


class BaseCover(ABC, Generic[S]):
    """A cover in the making: the score in even eighths, its harmony in the style, the rhythm."""

    phrasing = Phrasing()

    def __init__(self, piece: Piece, style: S, options: ArrangementOptions) -> None:
        self.piece, self.style, self.options = piece, style, options
        self.rng = random.Random(f"cover {options.style} {options.seed}")
        self.score = prepared(piece)
        self.repetitions = repetitions(self.score)
        free = max(0.0, 1 - options.keep_content / FREE)
        chords = reharmonised(self.score, free, tritone=style.tritone_substitution)
        self.harmony = replace(self.score, chords=chords)
        self.is_plain = self.score.metres.is_plain
        swing = swing_of(piece.notes) if self.is_plain else 1.0
        self.feel = Feel(swing, 1.0, options.style_strength)
        self.fullness = self._fullness()

    def _fullness(self) -> NDArray[np.float64]:
        """How full each bar is to be, and the one after the last, 0 to 1."""
        n_bars = self.score.n_bars + 1
        loudness = contour(self.piece.notes or self.score.melody, self.score.metres, n_bars)
        return fullness(self.repetitions, loudness)

    @abstractmethod
    def parts(self) -> list[Part]:
        """The melody's and the style's notes, by part."""

    @abstractmethod
    def arrangement(self) -> Arrangement:
        """The cover."""

    def tracks(self) -> list[Track]:
        """All parts: styled as far as is asked for, with the recording's own notes, mixed."""
        parts = self.parts()
        thin(parts, self.piece, self.score, self.style, self.options)
        add_content(parts, self.piece, self.score, self.feel, self.style, self.options)
        strength, rng = self.options.style_strength, random.Random(f"mix {self.options.seed}")
        performer = Performer(self.score.metres, self.fullness, strength=strength, rng=rng)
        mixer = Mixer(self.piece, self.score, self.feel, self.style, performer)
        drums = {part.instrument.name for part in parts if part.role == "drums"}
        return [
            track(instrument, notes, self.score.n_beats, is_drums=instrument.name in drums)
            for instrument, notes in merged((part.instrument, mixer.mixed(part)) for part in parts)
        ]

    def song(self, tracks: Sequence[Track]) -> Song:
        """Tracks in the piece's tempo and metres."""
        return Song(tuple(tracks), self.piece.beats_per_minute, metres=self.score.metres)

    def performed(self, melody: Sequence[Note]) -> list[Note]:
        """The score's melody, in any octave, as a soloist plays it."""
        transcribed, even = self.piece.score.melody, _evening(self.piece)
        own = {
            (round(even(note.start), 3), note.pitch): source or note
            for note, source in zip(
                transcribed, sources(transcribed, self.piece.notes), strict=True
            )
        }
        found = [own.get((round(note.start, 3), note.pitch)) for note in self.score.melody]
        return performed(melody, found, self.feel, self.phrasing, self.rng)

    def solos(self, players: Sequence[Instrument]) -> list[Part]:
        """The melody, section by section: the next player has what comes again."""
        parts = {player.name: Part(player, "melody") for player in players}
        for note in self.performed(self.score.melody):
            section = self.score.metres.bar(note.start + 0.5) // SECTION_BARS
            turn = self.repetitions[min(max(section, 0), len(self.repetitions) - 1)]
            parts[players[turn % len(players)].name].melody.append(note)
        for part in parts.values():
            lowest, highest = part.instrument.lowest + 2, part.instrument.highest
            part.melody = list(placed(part.melody, lowest, highest))
        return list(parts.values())
