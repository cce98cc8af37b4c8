"""MusicXML -> Score: what is written (written.py), as it is played (repeats.py).

Time grows with the number of elements.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from thirdstream.notes.harmonising import harmonised, is_bare
from thirdstream.notes.io.envelope import opened
from thirdstream.notes.io.repeats import MAX_BARS, Endless, played
from thirdstream.notes.io.symbols import Odd
from thirdstream.notes.io.written import MAX_BEATS_PER_BAR, Part, Sheet, Staff
from thirdstream.notes.metre import Metre, Metres, metre, of_length
from thirdstream.notes.types import (
    BARE,
    MAX_BEATS,
    MAX_NOTES,
    UNNAMED,
    Chord,
    Note,
    Score,
    ScoreError,
    Span,
    bounded,
    skyline,
    without_gaps,
)

N_PARTS = 3  # from so many on, the parts below the melody are voices
NEAR = 0.02  # quarter notes by which a bar may be longer or shorter than its metre
DRUMS = "10"  # the percussion channel


def read_musicxml(path: Path, *, repeats: bool = True) -> Score:
    """Read a lead sheet, or a score of any parts; chords that are not named are found.

    repeats: whether they are played out. Raises ScoreError where it is no MusicXML, or more than a
    piece of music.
    """
    root = opened(path)
    sheet = Sheet()
    drums = {
        one.get("id")
        for one in root.iterfind("part-list/score-part")
        if DRUMS in [(channel.text or "").strip() for channel in one.iter("midi-channel")]
    }
    try:
        for number, part in enumerate(root.iterfind("part")):
            Part(sheet, number, is_drums=part.get("id") in drums).read(part)
    except Odd as error:
        raise ScoreError(f"{path}: has {error}; export it again") from error
    titles = (root.findtext(place) or "" for place in ("work/work-title", "movement-title"))
    return _Played(sheet, path, repeats=repeats).score(
        next((title for title in map(str.strip, titles) if title), path.stem)
    )


class _Played:
    """A sheet, as it is played."""

    def __init__(self, sheet: Sheet, path: Path, *, repeats: bool) -> None:
        self.sheet, self.path, self.repeats = sheet, path, repeats

    def score(self, title: str) -> Score:
        """The Score. Raises ScoreError where it is more, or less, than a piece of music."""
        order = self._order() if self.repeats else list(range(len(self.sheet.bars)))
        signed, length = self._signed(order), 0.0
        for _, one in signed:
            length += one
        if not length <= MAX_BEATS:
            raise ScoreError(
                f"{self.path}: lasts {length:g} quarter notes; at most {MAX_BEATS} are read, cut it"
            )
        metres, pickup = metres_of(signed)
        shift = metres.changes[0][1].length - pickup if pickup else 0.0
        starts = [shift]
        for _, one in signed:
            starts.append(starts[-1] + one)
        sounding = self._sounding(order, starts)
        bounded(sounding, metres, self.path)
        end = max(note.end for part in sounding for note in part)
        chords, tacet = self._harmony(order, starts, end)
        metres = metres.fitted(self._begins(order, starts, chords))
        lines = [skyline(part) for part in sounding]
        voices: tuple[tuple[Note, ...], ...] = ()
        if not chords:
            chords, voices = harmonised(sounding, metres, end=end), tuple(lines[1:])
            self.sheet.remarks.append(BARE if is_bare(sounding) else UNNAMED)
        return Score(
            title=title,
            melody=lines[0],
            chords=chords,
            pickup=pickup,
            beats_per_minute=self.sheet.tempo,
            voices=voices if len(lines) >= N_PARTS else (),
            length=end,
            metres=metres,
            remarks=tuple(self.sheet.remarks),
            tacet=tacet,
        )

    def _order(self) -> list[int]:
        """The bars as they are played."""
        marks = [bar.marks for bar in self.sheet.bars]
        codas = sorted(self.sheet.codas)
        known = any(bar.to_coda is not None for bar in marks)
        for number in codas if known else codas[-1:]:
            marks[number].coda = marks[number].coda or ""
        for number in () if known else codas[:-1]:  # the last sign is the coda, others lead to it
            marks[number].to_coda = ""
        try:
            order, remarks = played(marks)
        except Endless:
            order, remarks = [], []
        n_notes = sum(len(notes) for n in order for notes in self.sheet.bars[n].notes.values())
        if (self.sheet.bars and not order) or n_notes > MAX_NOTES:
            raise ScoreError(
                f"{self.path}: is longer than a piece of music, with its repeats played out; at "
                f"most {MAX_NOTES} notes in {MAX_BARS} bars are read, cut it"
            )
        self.sheet.remarks += remarks
        return order

    def _signed(self, order: Sequence[int]) -> list[tuple[Metre, float]]:
        """Of each bar that is played its metre and its length, in quarter notes."""
        lengths = [min(bar.length, MAX_BEATS + 1.0) for bar in self.sheet.bars]
        signs = [bar.sign for bar in self.sheet.bars]
        usual = Counter(length for length in lengths if length > NEAR).most_common(1)
        usual_length = min(usual[0][0], MAX_BEATS_PER_BAR) if usual else 4.0
        whole = of_length(usual_length)  # where no time signature is written
        return [
            (sign, lengths[n] if lengths[n] > NEAR else sign.length)
            for n in order
            for sign in (signs[n] or whole,)
        ]

    def _sounding(self, order: Sequence[int], starts: Sequence[float]) -> list[list[Note]]:
        """All notes of each staff that has some, in order, ties joined."""
        found: dict[Staff, list[Note]] = {staff: [] for staff in self._staves()}
        tied: dict[tuple[Staff, int], int] = {}  # where the last tied note of a pitch is
        for place, (number, start) in enumerate(zip(order, starts, strict=False)):
            goes_on = place > 0 and order[place - 1] == number - 1
            for staff, notes in self.sheet.bars[number].notes.items():
                line = found[staff]
                for one in notes:
                    at, key = start + one.start, (staff, one.pitch)
                    before = tied.pop(key, len(line))
                    joins = before < len(line) and abs(line[before].end - at) < NEAR
                    if joins and (one.tied_from or goes_on or one.start > 0):
                        first = line[before]
                        line[before] = Note(first.start, at + one.length - first.start, one.pitch)
                    else:
                        before = len(line)
                        line.append(Note(at, one.length, one.pitch))
                    if one.tied_on:
                        tied[key] = before
        return [sorted(notes) for notes in found.values() if notes]

    def _staves(self) -> list[Staff]:
        return sorted({staff for bar in self.sheet.bars for staff in bar.notes})

    def _harmony(
        self, order: Sequence[int], starts: Sequence[float], end: float
    ) -> tuple[tuple[Chord, ...], tuple[Span, ...]]:
        """The chords without gaps, and where there is none, so that the one before only goes on in
        name."""
        symbols = [
            (start + place, chord)
            for number, start in zip(order, starts, strict=False)
            for place, chord in sorted(self.sheet.bars[number].symbols.items())
            if start + place < end - 1e-6
        ]
        edges = [*(start for start, _ in symbols), end]
        chords: list[Chord] = []
        tacet: list[Span] = []
        for (start, chord), stop in zip(symbols, edges[1:], strict=False):
            if chord is not None:
                chords.append(Chord(start, 0.0, chord.root, chord.intervals, chord.bass))
            elif stop > start:
                tacet.append(Span(start, stop - start))
        return without_gaps(chords, end) if chords else (), tuple(tacet)

    def _begins(
        self, order: Sequence[int], starts: Sequence[float], chords: Sequence[Chord]
    ) -> Iterator[tuple[float, float]]:
        """Where notes, beams and chords begin, and how much that says of the metre's groups."""
        yield from ((chord.start, 4.0) for chord in chords)
        for number, start in zip(order, starts, strict=False):
            for notes in self.sheet.bars[number].notes.values():
                for note in notes:
                    yield start + note.start, min(note.length, 2.0) + 2.0 * note.beamed


def metres_of(signed: Sequence[tuple[Metre, float]]) -> tuple[Metres, float]:
    """Metres from the first bar line on, and the quarter notes before it, of bars with their time
    signatures and their lengths.

    Short bars that fill one together, as where a repeat begins in the middle, are one; others that
    are shorter or longer than their time signature have a metre of their own, except the last.
    """
    if not signed:
        return Metres.steady(metre(4, 4)), 0.0
    first, length = signed[0]
    pickup = length if 0 < length < first.length - NEAR else 0.0
    if pickup:
        signed = [(first, first.length), *signed[1:]]
    return Metres.of_bars(list(_filled(signed))), pickup


def _filled(signed: Sequence[tuple[Metre, float]]) -> Iterator[Metre]:
    """The metre of each bar, given its time signature's and its length."""
    number = 0
    while number < len(signed):
        sign, length = signed[number]
        together, after = length, number + 1
        while together < sign.length - NEAR and after < len(signed) and signed[after][0] == sign:
            together += signed[after][1]
            after += 1
        if abs(together - sign.length) <= NEAR or number == len(signed) - 1:
            yield sign
            number = after
        else:
            if length > NEAR:
                yield of_length(length)
            number += 1
