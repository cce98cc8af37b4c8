"""What is written in the bars of a lead sheet: notes cut at bar lines, and the rests between them,
as music21 has them."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from thirdstream.notes.io.note_values import Step, note_pieces, rest_pieces, steps_of
from thirdstream.notes.key import Key, spelt
from thirdstream.notes.metre import Metre
from thirdstream.notes.types import Note, Score

TIES = {(False, True): "start", (True, True): "continue", (True, False): "stop"}  # from, on


class Piece(NamedTuple):
    """Of a note, from and to in quarter notes from the bar line; whether it is tied to the piece
    before, and to the one after."""

    start: Fraction
    end: Fraction
    pitch: int
    tied_from: bool
    tied_on: bool


def notes_by_bar(score: Score) -> dict[int, list[Piece]]:
    """The notes of each bar that has some, cut at bar lines."""
    metres, found = score.metres, defaultdict[int, list[Piece]](list)
    for start, end, pitch in _one_by_one(score.melody):
        for number in range(metres.bar(float(start)), metres.bar(float(end)) + 1):
            line = exact(metres.line(number))
            after = line + exact(metres.metre_of(number).length)
            inside = max(start, line), min(end, after)
            if inside[0] < inside[1]:
                first, last = (at - line for at in inside)
                found[number].append(Piece(first, last, pitch, start < line, end > after))
    return found


def _one_by_one(melody: Sequence[Note]) -> Iterator[tuple[Fraction, Fraction, int]]:
    """From and to, and pitch; each note ends where the next begins, at the latest: else they are
    written as two voices."""
    for one, after in itertools.zip_longest(melody, melody[1:]):
        start, end = exact(one.start), exact(one.end)
        end = end if after is None else min(end, exact(after.start))
        if start < end:
            yield start, end, one.pitch


def exact(beats: float) -> Fraction:
    """A position as the fraction it stands for: 24ths hold triplets and 32nds."""
    return Fraction(round(24 * beats), 24)


def written(
    notes: Sequence[Piece], silent: Fraction, metre: Metre, key: Key
) -> Iterator[tuple[Fraction, Any]]:
    """The notes of a bar and the rests between them, from `silent` on, each with its place."""
    from music21 import duration, note

    steps, length = steps_of(metre), exact(metre.length)
    if not notes and not silent:
        rest = note.Rest()
        rest.duration = duration.Duration(length)
        rest.fullMeasure = True
        yield Fraction(0), rest
        return
    at = silent
    for one in (*notes, None):
        until = length if one is None else one.start
        for start, end in rest_pieces(at, until, steps) if until > at else ():
            rest = note.Rest(quarterLength=end - start)
            rest.fullMeasure = "auto" if not notes else False  # or music21 looks for its bar
            yield start, rest
        if one is not None:
            yield from _tied(one, steps, key)
            at = one.end


def _tied(one: Piece, steps: Sequence[Step], key: Key) -> Iterator[tuple[Fraction, Any]]:
    """A note as music21 writes it, in tied pieces where it must be, each with its place."""
    from music21 import note, pitch, tie

    pieces = note_pieces(one.start, one.end, steps)
    name, octave = spelt(one.pitch, key)
    for number, (start, end) in enumerate(pieces):
        spelling = pitch.Pitch(name.replace("b", "-"), octave=octave)
        piece = note.Note(spelling, quarterLength=end - start)
        tied = (number > 0 or one.tied_from, number < len(pieces) - 1 or one.tied_on)
        if any(tied):
            piece.tie = tie.Tie(TIES[tied])
        yield start, piece
