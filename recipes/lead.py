"""Which notes of an arrangement's first track are the melody, as its player phrases it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from thirdstream.notes.types import Note

EARLY, LATE = 0.55, 0.3  # quarter notes that a melody's note is anticipated by, or late, at most
TOGETHER = 0.06  # quarter notes
GRACE = (0.15, 0.55)  # quarter notes from an approach note to its melody note


class Lead(NamedTuple):
    """melody: one note for each of the score's, wherever it is played. ornaments: octaves that
    double them, and approach notes, a semitone below and just before."""

    melody: tuple[Note, ...]
    ornaments: tuple[Note, ...]


def lead(track: Sequence[Note], melody: Sequence[Note]) -> Lead:
    """What a track, which may play chords too, plays of a score's melody.

    A note of the melody may come in any octave; that in which most of them come is preferred.
    """
    near = [
        [
            note
            for note in track
            if -EARLY < note.start - wanted.start < LATE and (note.pitch - wanted.pitch) % 12 == 0
        ]
        for wanted in melody
    ]
    octaves = Counter(
        octave
        for notes, wanted in zip(near, melody, strict=True)
        for octave in {note.pitch - wanted.pitch for note in notes}
    )
    usual = max(octaves, key=lambda octave: (octaves[octave], octave), default=0)
    played: list[Note] = []
    for notes, wanted in zip(near, melody, strict=True):
        aim = wanted.pitch + usual
        free = [note for note in notes if note not in played]
        free.sort(key=lambda n: (abs(n.pitch - aim), abs(n.start - wanted.start)))
        played += free[:1]
    around = [note for note in track if note not in played]
    ornaments = [note for note in around if any(_adorns(note, one) for one in played)]
    return Lead(tuple(sorted(played)), tuple(sorted(ornaments)))


def _adorns(note: Note, melody: Note) -> bool:
    early = melody.start - note.start
    doubles = abs(early) < TOGETHER and abs(note.pitch - melody.pitch) == 12
    approaches = GRACE[0] < early < GRACE[1] and note.pitch == melody.pitch - 1
    return doubles or (approaches and note.length < GRACE[1])
