"""The upbeat of a piece: what sounds of the bar before its first whole one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from thirdstream.notes.metre import Metres
from thirdstream.notes.types import Chord, Note, Span

NEAR = 0.3  # quarter notes by which a note is early


def pickup_of(sounding: Iterable[Span], metres: Metres) -> float:
    """Quarter notes from where melody and chords begin to the next bar line, where that is in the
    first bar and at least its first beat is silent; else 0."""
    first = metres.changes[0][1]
    start = min((one.start for one in sounding), default=0.0)
    silent = first.places[1] if len(first.places) > 1 else first.length
    return first.length - start if silent - 1e-6 <= start < first.length - 1e-6 else 0.0


def begun(
    chords: Sequence[Chord], melody: Sequence[Note], notes: Iterable[Note]
) -> tuple[Chord, ...]:
    """The chords, which are those of whole beats, from the melody's first note on, if no other is
    before it. notes: all, as they are played."""
    start = melody[0].start
    if any(note.start < start - NEAR for note in notes):
        return tuple(chords)
    ends = ((chord, chord.end) for chord in chords if chord.end > start)
    return tuple(
        replace(chord, start=max(chord.start, start), length=end - max(chord.start, start))
        for chord, end in ends
    )
