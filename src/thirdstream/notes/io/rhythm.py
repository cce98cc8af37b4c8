"""A transcribed melody's rhythm as a copyist writes it: what was played short is not written so.

A recording tells when a note ends, and a lead sheet only when it is struck: singers and players end
notes as the style has it. So short rests are closed, what is left of a note after a bar line is
not, and ornaments that nobody counts are left out.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from thirdstream.notes.io.bars import exact
from thirdstream.notes.io.note_values import Piece, note_pieces, steps_of
from thirdstream.notes.metre import Metres
from thirdstream.notes.types import Note, Score

ORNAMENT_S = 0.08  # shorter notes before a longer one are ornaments
HEAD, TAIL = Fraction(1, 4), Fraction(1, 2)  # quarter notes: ends of tied notes, at most, left out
FOREVER = float("inf")


def plain_rhythm(score: Score) -> Score:
    """The score with its melody's rhythm as plain as one that is written by hand.

    - A note before a rest lasts to the next half of a beat, or beat, where it becomes at most twice
      as long and needs no more ties.
    - The last value of a tied note, an eighth at most, is left out before a rest. The first one, a
      sixteenth at most, is, too: the note begins on the beat.
    - Notes shorter than 0.08 s that lead to a longer one are left out. Their time is that of the
      note before; of the one after, where they stand on a beat.
    """
    melody = _on_beats(_without_ornaments(sorted(score.melody), score), score.metres)
    following = [*(note.start for note in melody[1:]), FOREVER]
    ended = (_ended(note, at, score.metres) for note, at in zip(melody, following, strict=True))
    return replace(score, melody=tuple(ended))


def _without_ornaments(melody: Sequence[Note], score: Score) -> list[Note]:
    least = ORNAMENT_S * (score.beats_per_minute or 0.0) / 60  # quarter notes
    kept: list[Note] = []
    early: float | None = None  # where an ornament on a beat gave its time to the note after it
    for note, after in [*pairwise(melody), *((last, None) for last in melody[-1:])]:
        start = note.start if early is None else early
        leads = after is not None and after.start - note.end < 1e-6 and after.length > note.length
        if early is None and leads and note.length < least:
            if not kept or _is_beat(note.start, score.metres):
                early = note.start
            elif note.start - kept[-1].end < 1e-6:
                kept[-1] = replace(kept[-1], length=note.end - kept[-1].start)
            continue
        kept.append(replace(note, start=start, length=note.end - start))
        early = None
    return kept


def _is_beat(at: float, metres: Metres) -> bool:
    places = metres.metre_of(metres.bar(at)).places
    return min(abs(metres.within(at) - place) for place in places) < 1e-6


def _on_beats(melody: Sequence[Note], metres: Metres) -> list[Note]:
    """The notes without first values too short to be tied; what touched them still does."""
    moved: list[Note] = []
    for note in melody:
        (_, head), *after = _pieces(exact(note.start), exact(note.end), metres)
        is_early = bool(moved and after) and head - exact(note.start) <= HEAD
        start = float(head) if is_early else note.start
        if moved and note.start - moved[-1].end < 1e-6:
            moved[-1] = replace(moved[-1], length=start - moved[-1].start)
        moved.append(replace(note, start=start, length=note.end - start))
    return moved


def _ended(note: Note, following: float, metres: Metres) -> Note:
    """The note with the end that is written, at `following` at the latest."""
    start, end = exact(note.start), exact(min(note.end, following))
    limit = exact(following) if following < FOREVER else None
    if end == limit or start >= end:
        return note
    *before, (last, _) = _pieces(start, end, metres)
    if before and end - last <= TAIL:
        end = last
    n_pieces = len(_pieces(start, end, metres))
    for place in _halves_and_beats(end, metres):
        if (limit is not None and place > limit) or place - end > end - start:
            break
        if len(_pieces(start, place, metres)) > n_pieces:
            break
        end = place
    return replace(note, length=float(end) - note.start)


def _pieces(start: Fraction, end: Fraction, metres: Metres) -> list[Piece]:
    """The values in which a note is written, in quarter notes."""
    pieces: list[Piece] = []
    for number in range(metres.bar(float(start)), metres.bar(float(end)) + 1):
        line, bar = exact(metres.line(number)), metres.metre_of(number)
        first, last = max(start, line), min(end, line + exact(bar.length))
        if first < last:
            inside = note_pieces(first - line, last - line, steps_of(bar))
            pieces += [(line + begin, line + stop) for begin, stop in inside]
    return pieces


def _halves_and_beats(end: Fraction, metres: Metres) -> list[Fraction]:
    """The next half of a beat, where `end` lies before one, and the next beat; none on a beat."""
    number = metres.bar(float(end))
    line, bar = exact(metres.line(number)), metres.metre_of(number)
    edges = [line + exact(place) for place in (*bar.places, bar.length)]
    for beat, after in pairwise(edges):
        if beat < end < after:
            halves = [(beat + after) / 2] if (after - beat).numerator % 3 else []
            return [place for place in (*halves, after) if place > end]
    return []
