"""Content coverage: which notes of a recording an arrangement plays, and which matter most."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from thirdstream.notes.arranging.harmony import scale_of
from thirdstream.notes.types import Chord, Note, Score

COVERED = 0.2  # quarter notes


class Onsets:
    """Where each pitch class begins, for looking notes up; in quarter notes."""

    def __init__(self, notes: Iterable[Note]) -> None:
        self.by_class: list[list[float]] = [[] for _ in range(12)]
        for note in notes:
            self.by_class[note.pitch % 12].append(note.start)
        for starts in self.by_class:
            starts.sort()

    def distance(self, note: Note) -> float:
        """From a note to the nearest place where its pitch class begins, in quarter notes."""
        starts = self.by_class[note.pitch % 12]
        at = bisect_left(starts, note.start)
        near = starts[max(at - 1, 0) : at + 1]
        return min((abs(start - note.start) for start in near), default=math.inf)

    def cover(self, note: Note) -> bool:
        """Whether the note's pitch class begins within COVERED of it."""
        return self.distance(note) <= COVERED


def content_coverage(
    notes: Sequence[Note], played: Iterable[Note], *, within: float = 0.5
) -> float:
    """The share of notes whose pitch class begins in `played` within so many quarter notes."""
    onsets = Onsets(played)
    return sum(onsets.distance(note) <= within for note in notes) / max(len(notes), 1)


def mean_displacement(notes: Sequence[Note], played: Iterable[Note], *, most: float = 0.5) -> float:
    """How far notes are on average, in quarter notes, from where their pitch class begins in
    `played`; what is not played, or further away than `most`, counts as `most`.
    """
    onsets = Onsets(played)
    return sum(min(onsets.distance(note), most) for note in notes) / max(len(notes), 1)


def by_salience(notes: Sequence[Note], score: Score) -> list[Note]:
    """Notes, those first that a listener would miss most: loud, long, low or high, of the harmony.

    What lies above the melody counts as an overtone, and what lies beside its chord's scale as an
    error of the transcription: they come late.
    """
    starts = [chord.start for chord in score.chords]
    onsets = [note.start for note in score.melody]

    def salience(note: Note) -> tuple[float, Note]:
        value = note.velocity * min(note.length, 2.0) ** 0.5
        if score.chords:
            chord = score.chords[max(bisect_right(starts, note.start + 0.1) - 1, 0)]
            value *= _fit(note, chord)
        at = bisect_right(onsets, note.start + 0.1) - 1
        if at >= 0:
            lead = score.melody[at]
            value *= 0.4 if lead.end > note.start and note.pitch > lead.pitch else 1.0
        return -value * (1.3 if note.pitch < 52 else 1.0), note

    return sorted(notes, key=salience)


def _fit(note: Note, chord: Chord) -> float:
    """How well a note goes with its chord."""
    if note.pitch % 12 in chord.pitch_classes:
        return 1.0
    return 0.6 if note.pitch % 12 in scale_of(chord) else 0.25
