"""A piece as notes: melody and chords, or four parts.

Conventions: `start` and `length` in quarter notes from the first bar line; a piece with a pickup
begins with the rest before it. Pitches are MIDI numbers, velocities 1-127. Chord intervals are
semitones above the root, within one octave.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from thirdstream.files import ThirdstreamError
from thirdstream.notes.metre import UNSAID, Metres, of_length

SHORTEST_BEAT = 0.25  # quarter notes, where a bar has several
MIN_NOTES = 8
MAX_NOTES, MAX_BEATS = 50_000, 6_000  # of a file; an act of an opera has less
MAX_SOUNDING = 400_000  # quarter notes, of all notes together
BARE = "is a melody alone: the chords are guessed; write chord symbols for others"
UNNAMED = "has no chord symbols: the chords are found from its notes"
SUFFIXES = frozenset([".mxl", ".musicxml", ".xml", ".mid", ".midi"])
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


class ScoreError(ThirdstreamError):
    """A score that cannot be read or arranged."""


@dataclass(frozen=True, order=True)
class Note:
    """A sounding note: start and length in quarter notes, MIDI pitch, velocity."""

    start: float
    length: float
    pitch: int
    velocity: int = 80

    @property
    def end(self) -> float:
        return self.start + self.length


@dataclass(frozen=True)
class Chord:
    """A chord symbol: root and bass as pitch classes, intervals in semitones above the root."""

    start: float
    length: float
    root: int
    intervals: tuple[int, ...]
    bass: int

    @property
    def end(self) -> float:
        return self.start + self.length

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
class Span:
    """A stretch of a piece: start and length in quarter notes."""

    start: float
    length: float

    @property
    def end(self) -> float:
        return self.start + self.length


@dataclass(frozen=True)
class Score:
    """A piece. Chords follow each other without gaps; `voices` are the parts below the melody.

    beats_per_bar: quarter notes of the first bar. pickup: quarter notes before the first bar line.
    beats_per_minute: quarter notes a minute, where the score says. voices: highest first; empty
    where only melody and chords are known. length: quarter notes that the piece lasts, where it
    goes on after its last note. metres: by default bars of `beats_per_bar` throughout. remarks:
    what a user should know of how it was read. tacet: where nothing accompanies the melody
    ("N.C."); the chord before goes on in name only.
    """

    title: str
    melody: tuple[Note, ...]
    chords: tuple[Chord, ...]
    beats_per_bar: float = 4.0
    pickup: float = 0.0
    beats_per_minute: float | None = None
    voices: tuple[tuple[Note, ...], ...] = ()
    length: float = 0.0
    metres: Metres = UNSAID
    remarks: tuple[str, ...] = ()
    tacet: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if self.metres.changes:
            object.__setattr__(self, "beats_per_bar", self.metres.changes[0][1].length)
        else:
            object.__setattr__(self, "metres", Metres.steady(of_length(self.beats_per_bar)))

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


def read_score(path: Path, *, repeats: bool = True) -> Score:
    """Read a lead sheet or a score of three or more parts: MusicXML (.mxl, .musicxml) or MIDI.

    Bars come as they are played: repeats, endings, D.C., D.S. and coda are played out, unless
    `repeats` is false: then each bar comes once, in the order written. Pitches are those that
    sound. Where chords are not named they are found from the notes, and `remarks` says so. Raises
    ScoreError on a file that is missing, damaged, or without a melody.
    """
    if not path.is_file():
        raise ScoreError(f"{path}: there is no such file; check the path")
    if path.suffix.lower() not in SUFFIXES:
        raise ScoreError(f"{path}: is no score we read; give {', '.join(sorted(SUFFIXES))}")
    if path.suffix.lower() in (".mid", ".midi"):
        from thirdstream.notes.io.midi import read_score_midi

        score = read_score_midi(path)
    else:
        from thirdstream.notes.io.musicxml import read_musicxml

        score = read_musicxml(path, repeats=repeats)
    return checked(score, path)


def checked(score: Score, path: Path) -> Score:
    """The score, if it can be arranged. Raises ScoreError that names the fault and the remedy."""
    if len(score.melody) < MIN_NOTES:
        raise ScoreError(
            f"{path}: has a melody of {len(score.melody)} notes; give one of at least {MIN_NOTES}"
        )
    if not score.chords:
        raise ScoreError(f"{path}: names no chords, and none are found in it; add chord symbols")
    return score


def bounded(parts: Sequence[Sequence[Note]], metres: Metres, path: Path) -> None:
    """Raise ScoreError where notes are more, or longer, than a piece of music has, or none; or
    beats too short to be counted."""
    for _, one in metres.changes:
        if len(one.beats) > 1 and min(one.beats) < SHORTEST_BEAT:
            raise ScoreError(
                f"{path}: has bars of {one.name}, whose beats are too short to be played; write it "
                "in longer notes"
            )
    if not any(parts):
        raise ScoreError(f"{path}: holds no notes; leave it out")
    notes = [note for part in parts for note in part]
    longest = max(note.end for note in notes)
    if len(notes) > MAX_NOTES or not longest <= MAX_BEATS:
        raise ScoreError(
            f"{path}: has {len(notes)} notes in {longest:g} quarter notes; at most {MAX_NOTES} in "
            f"{MAX_BEATS} are read, cut it"
        )
    if sum(note.length for note in notes) > MAX_SOUNDING:
        raise ScoreError(f"{path}: its notes sound for longer than a piece's do; export it again")
    if not all(0 <= note.pitch <= 127 for note in notes):
        raise ScoreError(f"{path}: has notes that no instrument plays; transpose it")


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
