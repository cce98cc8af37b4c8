"""The parts of a cover: what each plays of the melody, of the style and of the recording.

The style's notes come in by rank as the strength rises. The recording's other notes are added where
neither melody nor style plays them, those first that would be missed most.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, compress
from operator import attrgetter

from thirdstream.notes.arranging.coverage import Onsets, by_salience
from thirdstream.notes.arranging.lines import folded
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.phrasing import Feel, quantised, sources
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.metre import Metres
from thirdstream.notes.styles import Style
from thirdstream.notes.styles.entries import Entrance, Instrument
from thirdstream.notes.types import Note, Score

TOGETHER = 0.3  # quarter notes within which one player does not begin two notes
START = attrgetter("start")


@dataclass
class Part:
    """An instrument, and what it plays.

    role: "melody", "harmony", "bass", "drums", "brass" or "section". polyphonic: it can play chords
    beside other notes. melody, styled, added: notes of the melody, of the style (in even eighths)
    and of the recording. transcribed: of each styled note, whether the recording has it too.
    is_timed: whether the style's notes are placed as they sound, not in even eighths.
    """

    instrument: Instrument
    role: str
    melody: list[Note] = field(default_factory=list)
    styled: list[Note] = field(default_factory=list)
    added: list[Note] = field(default_factory=list)
    transcribed: list[bool] = field(default_factory=list)
    polyphonic: bool = False
    is_timed: bool = False


def thin(
    parts: Sequence[Part], piece: Piece, score: Score, style: Style, options: ArrangementOptions
) -> None:
    """Leave out of the style's notes what the strength does not reach, what gives way to the
    recording's own, and what would sound where the recording rests or has ended.
    """
    onsets, rests = Onsets(piece.notes), _rests(piece, score)
    end, last = ending(piece, score)
    own_share = 1 - max(0.0, options.keep_content - 0.5)  # ranks beyond it give way
    for part in parts:
        pitched = part.role != "drums"
        entrance = style.entrances.of(part.role)
        kept = []
        for note in part.styled:
            rank = _rank(note, entrance, score.metres)
            transcribed = pitched and onsets.cover(note)
            if rank > options.style_strength or (pitched and not transcribed and rank > own_share):
                continue
            if score.metres.bar(note.start + 0.02) in rests or note.start > last + 0.3:
                continue
            ringing = pitched and note.start >= last - 0.05
            length = max(end - note.start, 0.3) if ringing else note.length
            kept.append((replace(note, length=length), transcribed))
        part.styled = [note for note, _ in kept]
        part.transcribed = [transcribed for _, transcribed in kept]


def ending(piece: Piece, score: Score) -> tuple[float, float]:
    """Where the piece ends, and where its last chord begins, which rings until then."""
    end = max([note.end for note in (*piece.notes, *score.melody)], default=score.n_beats)
    if piece.score.length and end > piece.score.length - 1:  # it is cut off, no ending
        return end, score.n_beats
    last = max([chord.start for chord in score.chords if chord.start < end - 0.5], default=0.0)
    return end, max(last, end - score.metres.metre_at(end).length)


def _rank(note: Note, entrance: Entrance, metres: Metres) -> float:
    """When a styled note comes in: those on bar lines first, off-beats last; below 1."""
    one = metres.metre_at(note.start)
    place = round(metres.within(note.start), 1) % one.length
    beats = [round(at, 1) for at in one.places]
    halves = (one.length / 2, *(beats[n] for n in accumulate(one.cells[:-1])))
    weight = 0.0 if place == 0 else 0.35 if place in halves else 0.6 if place in beats else 1.0
    tie = (note.pitch * 7 + int(note.start) * 3) % 11 / 11
    return min(entrance.first + entrance.spread * (0.8 * weight + 0.2 * tie), 0.99)


def _rests(piece: Piece, score: Score) -> set[int]:
    """Bars in which the recording plays nothing."""
    if not piece.notes:
        return set()
    sounding: set[int] = set()
    for note in (*piece.notes, *score.melody):
        first, last = score.metres.bar(note.start), score.metres.bar(note.end - 0.1)
        sounding.update(range(first, last + 1))
    return set(range(score.n_bars + 1)) - sounding


def add_content(
    parts: Sequence[Part],
    piece: Piece,
    score: Score,
    feel: Feel,
    style: Style,
    options: ArrangementOptions,
) -> None:
    """Give the parts notes of the recording that nobody plays, the most salient first.

    All of them where all content is kept or there is no style; where there is all style, as large a
    share as content is kept.
    """
    missing = _missing(parts, piece, feel)
    ranked = by_salience([*missing], score)
    share = 1 - options.style_strength * (1 - options.keep_content)
    able = [part for part in parts if part.role in ("harmony", "bass")] or list(parts[:1])
    for note in sorted(ranked[: round(share * len(ranked))]):
        own = missing[note]
        start = max(feel.place(own.start, note.start), 0.0)
        part = _taker(able, note, start, style.bass_below)
        pitch = folded(own.pitch, part.instrument.lowest, part.instrument.highest)
        part.added.append(Note(start, max(own.length, 0.15), pitch, own.velocity))
    for part in able:
        if style.walks_on and not part.polyphonic:
            _walk_on(part)
        else:
            _give_way(part)


def _missing(parts: Sequence[Part], piece: Piece, feel: Feel) -> dict[Note, Note]:
    """The recording's notes that nobody plays, each by what it is in even eighths."""
    found = sources(piece.score.melody, piece.notes)
    used = {id(source) for source in found if source is not None}
    even = {id(note): replace(note, start=quantised(feel.even(note.start))) for note in piece.notes}
    played = [
        note if source is None else even[id(source)]
        for note, source in zip(piece.score.melody, found, strict=True)
    ]
    for part in parts:
        played += compress(part.styled, part.transcribed)
    onsets = Onsets(played)
    unused = {even[id(note)]: note for note in piece.notes if id(note) not in used}
    return {placed: note for placed, note in unused.items() if not onsets.cover(placed)}


def _taker(able: Sequence[Part], note: Note, start: float, bass_below: int | None) -> Part:
    """Who plays an added note: in whose range it lies, and who is free; or by register alone."""
    if bass_below is not None:
        role = "bass" if note.pitch <= bass_below else "harmony"
        return next((part for part in able if part.role == role), able[0])

    def cost(part: Part) -> tuple[bool, bool, float]:
        lowest, highest = part.instrument.lowest, part.instrument.highest
        busy = bool(part.added) and part.added[-1].end > start + 0.1
        out = not lowest <= note.pitch <= highest
        return out, busy, abs(note.pitch - (lowest + highest) / 2)

    return min(able, key=cost)


def _give_way(part: Part) -> None:
    """The styled notes make room for added ones: a part of one line rests meanwhile, a polyphonic
    one leaves out what would be dissonant with them.
    """
    if not part.added:
        return
    spans, added = _joined(part.added), sorted(part.added)
    kept: list[Note] = []
    for note, transcribed in zip(part.styled, part.transcribed, strict=True):
        if part.polyphonic:
            first = bisect_right(added, note.start - 0.3, key=START)
            near = added[first : bisect_left(added, note.start + 0.3, key=START)]
            if transcribed or all(abs(n.pitch - note.pitch) > 2 for n in near):
                kept.append(note)
            continue
        pieces = _without(note, spans)
        kept += pieces or ([replace(note, length=min(note.length, 0.5))] if transcribed else [])
    part.styled = kept


def _walk_on(part: Part) -> None:
    """A part of one line plays added notes until the style's next one, which begins only where none
    of them does."""
    starts = sorted(note.start for note in part.added)

    def after(places: Sequence[float], at: float) -> float:
        number = bisect_right(places, at)
        return places[number] if number < len(places) else math.inf

    kept = [
        (note, transcribed)
        for note, transcribed in zip(part.styled, part.transcribed, strict=True)
        if transcribed or after(starts, note.start - TOGETHER) > note.start + TOGETHER
    ]
    part.transcribed = [transcribed for _, transcribed in kept]
    part.styled = [
        replace(note, length=min(note.length, max(after(starts, note.start) - note.start, 0.1)))
        for note, _ in kept
    ]
    styled = sorted(note.start for note in part.styled)
    part.added = [
        replace(note, length=min(note.length, after(styled, note.start + 0.1) - note.start))
        for note in part.added
    ]


def _joined(notes: Iterable[Note]) -> list[tuple[float, float]]:
    """Where notes sound, short gaps included; in order."""
    spans: list[tuple[float, float]] = []
    for note in sorted(notes):
        if spans and note.start < spans[-1][1] + 0.5:
            spans[-1] = spans[-1][0], max(spans[-1][1], note.end)
        else:
            spans.append((note.start, note.end))
    return spans


def _without(note: Note, spans: Sequence[tuple[float, float]]) -> list[Note]:
    """What is left of a note outside of some spans that are in order, in pieces of half a beat or
    more."""
    first = bisect_right(spans, note.start, key=lambda span: span[1])
    inside = spans[first : bisect_left(spans, note.end, key=lambda span: span[0])]
    edges = [note.start, *(at for span in inside for at in span), note.end]
    shortest = min(0.5, note.length)
    return [
        replace(note, start=start, length=end - start)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start >= shortest
    ]
