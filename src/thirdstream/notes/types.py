"""A piece as notes: melody and chords, or four parts.

Conventions: `start` and `length` in quarter notes from the first bar line; a piece with a pickup
begins with the rest before it. Pitches are MIDI numbers, velocities 1-127. Chord intervals are
semitones above the root, within one octave.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from thirdstream.files import ThirdstreamError
from thirdstream.notes.metre import COMMON_TIME, Metres

CHORDS: dict[str, tuple[int, ...]] = {  # those looked for where a score names none
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "dominant seventh": (0, 4, 7, 10),
    "minor seventh": (0, 3, 7, 10),
    "major seventh": (0, 4, 7, 11),
    "half-diminished": (0, 3, 6, 10),
    "diminished": (0, 3, 6),
    "diminished seventh": (0, 3, 6, 9),
}
NOISES = 119  # General MIDI's programs from here on have no pitch


class ScoreError(ThirdstreamError):
    """A score that cannot be read or arranged."""


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of a piece: start and length in quarter notes."""

    start: float
    length: float

    @property
    def end(self) -> float:
        return self.start + self.length


Timed = TypeVar("Timed", bound=Span)


def stretched(parts: Iterable[Timed], factor: float) -> tuple[Timed, ...]:
    """Parts that begin so many times as late, and are as many times as long."""
    return tuple(replace(p, start=p.start * factor, length=p.length * factor) for p in parts)


@dataclass(frozen=True, order=True)
class Note(Span):
    """A sounding note: MIDI pitch and velocity."""

    pitch: int
    velocity: int = 80


@dataclass(frozen=True)
class Chord(Span):
    """A chord symbol: root and bass as pitch classes, intervals in semitones above the root."""

    root: int
    intervals: tuple[int, ...]
    bass: int

    @property
    def third(self) -> int | None:
        """3 or 4; for suspended chords 5 or 2; None for a bare fifth."""
        return next((i for i in (4, 3, 5, 2) if i in self.intervals), None)

    @property
    def seventh(self) -> int | None:
        """11 or 10; 9 for a sixth or a diminished seventh; None for a triad."""
        return next((i for i in (10, 11, 9) if i in self.intervals), None)

    @property
    def fifth(self) -> int:
        """7, or what stands for it: 6 or 8."""
        return next((i for i in (7, 6, 8) if i in self.intervals), 7)

    @property
    def is_minor(self) -> bool:
        return 3 in self.intervals and 4 not in self.intervals

    @property
    def is_dominant(self) -> bool:
        """Major third (or fourth) and minor seventh."""
        return self.third in (4, 5) and 10 in self.intervals

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Of the chord's notes from the root up; a foreign bass is not among them."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)


@dataclass(frozen=True)
class Score:
    """A piece. Chords follow each other without gaps; `voices` are the parts below the melody.

    metres: by default 4/4 throughout. pickup: quarter notes before the first bar line.
    beats_per_minute: quarter notes a minute, where the score says. voices: highest first; empty
    where only melody and chords are known. length: quarter notes that the piece lasts, where it
    goes on after its last note. remarks: what a user should know of how it was read. tacet: where
    nothing accompanies the melody ("N.C."); the chord before goes on in name only.
    """

    title: str
    melody: tuple[Note, ...]
    chords: tuple[Chord, ...]
    metres: Metres = COMMON_TIME
    pickup: float = 0.0
    beats_per_minute: float | None = None
    voices: tuple[tuple[Note, ...], ...] = ()
    length: float = 0.0
    remarks: tuple[str, ...] = ()
    tacet: tuple[Span, ...] = ()

    @property
    def beats_per_bar(self) -> float:
        """Quarter notes of the first bar."""
        return self.metres.changes[0][1].length

    @property
    def n_bars(self) -> int:
        """Whole bars that hold every note."""
        ends = [note.end for part in (self.melody, *self.voices) for note in part]
        return self.metres.n_bars(max([*ends, self.length]))

    @property
    def n_beats(self) -> float:
        """Length in quarter notes, to the end of the last bar."""
        return self.metres.line(self.n_bars)

    def chord_at(self, beat: float) -> Chord:
        """The chord that sounds at a beat; the first one also before it begins."""
        starts = [chord.start for chord in self.chords]
        return self.chords[max(0, bisect_right(starts, beat + 1e-6) - 1)]

    def transposed(self, semitones: int) -> "Score":
        """The piece in another key."""

        def moved(notes: Iterable[Note]) -> tuple[Note, ...]:
            return tuple(replace(note, pitch=note.pitch + semitones) for note in notes)

        chords = tuple(
            replace(c, root=(c.root + semitones) % 12, bass=(c.bass + semitones) % 12)
            for c in self.chords
        )
        voices = tuple(moved(voice) for voice in self.voices)
        return replace(self, melody=moved(self.melody), chords=chords, voices=voices)


@dataclass(frozen=True)
class Track:
    """Notes that one instrument plays: General MIDI program 0-127, pan 0 (left) to 127.

    pedals: quarter notes from and to which the sustain pedal is down. bends: quarter notes, and how
    many semitones the instrument bends from then on, at most BEND.
    """

    name: str
    program: int
    notes: tuple[Note, ...]
    is_drums: bool = False
    pan: int = 64
    pedals: tuple[tuple[float, float], ...] = ()
    bends: tuple[tuple[float, float], ...] = ()

    @property
    def is_pitched(self) -> bool:
        """Neither drums nor one of General MIDI's noises, such as applause."""
        return not self.is_drums and self.program < NOISES


@dataclass(frozen=True)
class Song:
    """Tracks at one tempo (quarter notes a minute).

    metres: by default 4/4 throughout. tuning: semitones above A = 440 Hz, at most BEND of them.
    """

    tracks: tuple[Track, ...]
    beats_per_minute: float
    metres: Metres = COMMON_TIME
    tuning: float = 0.0

    @property
    def beats_per_bar(self) -> float:
        """Quarter notes of the first bar."""
        return self.metres.changes[0][1].length


def skyline(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The highest note of each moment at which one begins; never two at a time. What begins below a
    note that is held is left out."""
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.start, -note.pitch)):
        if line and note.start < line[-1].start + 0.05:
            continue
        if line and note.start < line[-1].end:
            last = line[-1]
            if note.pitch < last.pitch and note.start < last.end - 0.1:
                continue
            line[-1] = Note(last.start, note.start - last.start, last.pitch, last.velocity)
        line.append(note)
    return tuple(line)


def without_gaps(chords: Iterable[Chord], end: float) -> tuple[Chord, ...]:
    """Chords in order, each until the next begins, the last until `end`; repetitions are joined."""
    joined: list[Chord] = []
    for chord in sorted(chords, key=lambda chord: chord.start):
        if joined and chord.start <= joined[-1].start + 1e-6:
            joined.pop()
        if joined and _harmony(chord) == _harmony(joined[-1]):
            continue
        joined.append(chord)
    ends = [*(chord.start for chord in joined[1:]), end]
    return tuple(replace(c, length=e - c.start) for c, e in zip(joined, ends, strict=True))


def _harmony(chord: Chord) -> tuple[int, tuple[int, ...], int]:
    return chord.root, chord.intervals, chord.bass
