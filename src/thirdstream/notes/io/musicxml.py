"""MusicXML -> Score: what is written (measures.py), as it is played (repeats.py).

Time grows with the number of elements.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from thirdstream.notes.harmonisation import BARE, UNNAMED, harmonised, is_bare
from thirdstream.notes.io.container import opened
from thirdstream.notes.io.elements import FormatError
from thirdstream.notes.io.limits import MAX_BEATS, MAX_NOTES, bounded
from thirdstream.notes.io.measures import MAX_BEATS_PER_BAR, Bar, PartReader, Sheet, Staff
from thirdstream.notes.io.repeats import MAX_BARS, Endless, played
from thirdstream.notes.metre import Metre, Metres, metre, of_length
from thirdstream.notes.types import Chord, Note, Score, ScoreError, Span, skyline, without_gaps

N_PARTS = 3  # from so many on, the parts below the melody are voices
NEAR = 0.02  # quarter notes by which a bar may be longer or shorter than its metre
DRUMS = "10"  # the percussion channel
Placed = Sequence[tuple[int, Bar, float]]  # bars as they are played: number, bar, start


def read_musicxml(path: Path, *, repeats: bool = True) -> Score:
    """Read a lead sheet, or a score of any parts; chords that are not named are found.

    repeats: whether they are played out. Raises ScoreError where it is no MusicXML, or more or less
    than a piece of music.
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
            PartReader(sheet, number, is_drums=part.get("id") in drums).read(part)
    except FormatError as error:
        raise ScoreError(f"{path}: has {error}; export it again") from error
    titles = (root.findtext(place) or "" for place in ("work/work-title", "movement-title"))
    title = next((title for title in map(str.strip, titles) if title), path.stem)
    return _score(sheet, path, title, _order(sheet, path) if repeats else range(len(sheet.bars)))


def _score(sheet: Sheet, path: Path, title: str, order: Sequence[int]) -> Score:
    """The Score of a sheet whose bars are played in this order."""
    signed = _signed(sheet, order)
    if not (length := sum(one for _, one in signed)) <= MAX_BEATS:
        raise ScoreError(
            f"{path}: lasts {length:g} quarter notes; at most {MAX_BEATS} are read, cut it"
        )
    metres, pickup = metres_of(signed)
    shift = metres.changes[0][1].length - pickup if pickup else 0.0
    starts = accumulate((one for _, one in signed), initial=shift)
    bars = [
        (number, sheet.bars[number], start) for number, start in zip(order, starts, strict=False)
    ]
    parts = _parts(bars)
    bounded(parts, metres, path)
    end = max(note.end for part in parts for note in part)
    chords, tacet = _harmony(bars, end)
    metres = metres.fitted(_begins(bars, chords))
    lines = [skyline(part) for part in parts]
    voices: tuple[tuple[Note, ...], ...] = ()
    if not chords:
        chords, voices = harmonised(parts, metres, end=end), tuple(lines[1:])
        sheet.remarks.append(BARE if is_bare(parts) else UNNAMED)
    return Score(
        title=title,
        melody=lines[0],
        chords=chords,
        metres=metres,
        pickup=pickup,
        beats_per_minute=sheet.tempo,
        voices=voices if len(lines) >= N_PARTS else (),
        length=end,
        remarks=tuple(sheet.remarks),
        tacet=tacet,
    )


def _order(sheet: Sheet, path: Path) -> list[int]:
    """The numbers of the bars as they are played."""
    marks = [bar.marks for bar in sheet.bars]
    codas = sorted(sheet.codas)
    known = any(bar.to_coda is not None for bar in marks)
    for number in codas if known else codas[-1:]:
        marks[number].coda = marks[number].coda or ""
    for number in () if known else codas[:-1]:  # the last sign is the coda, others lead to it
        marks[number].to_coda = ""
    try:
        order, remarks = played(marks)
    except Endless:
        order, remarks = [], []
    n_notes = sum(len(notes) for n in order for notes in sheet.bars[n].notes.values())
    if (sheet.bars and not order) or n_notes > MAX_NOTES:
        raise ScoreError(
            f"{path}: is longer than a piece of music, with its repeats played out; at most "
            f"{MAX_NOTES} notes in {MAX_BARS} bars are read, cut it"
        )
    sheet.remarks += remarks
    return order


def _signed(sheet: Sheet, order: Sequence[int]) -> list[tuple[Metre, float]]:
    """Of each bar that is played its metre and its length, in quarter notes."""
    lengths = [min(bar.length, MAX_BEATS + 1.0) for bar in sheet.bars]
    usual = Counter(length for length in lengths if length > NEAR).most_common(1)
    # Where no time signature is written:
    whole = of_length(min(usual[0][0], MAX_BEATS_PER_BAR) if usual else 4.0)
    signs = [bar.sign or whole for bar in sheet.bars]
    return [(signs[n], lengths[n] if lengths[n] > NEAR else signs[n].length) for n in order]


def _parts(bars: Placed) -> list[list[Note]]:
    """All notes of each staff that has some, in order, ties joined."""
    found: dict[Staff, list[Note]] = {
        staff: [] for staff in sorted({staff for _, bar, _ in bars for staff in bar.notes})
    }
    tied: dict[tuple[Staff, int], int] = {}  # where the last tied note of a pitch is
    last = -1
    for number, bar, start in bars:
        goes_on, last = last == number - 1 >= 0, number
        for staff, notes in bar.notes.items():
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


def _harmony(bars: Placed, end: float) -> tuple[tuple[Chord, ...], tuple[Span, ...]]:
    """The chords without gaps, and where there is none, so that the one before only goes on in
    name."""
    symbols = [
        (start + place, chord)
        for _, bar, start in bars
        for place, chord in sorted(bar.symbols.items())
        if start + place < end - 1e-6
    ]
    edges = [*(start for start, _ in symbols), end]
    chords: list[Chord] = []
    tacet: list[Span] = []
    for (start, chord), stop in zip(symbols, edges[1:], strict=True):
        if chord is not None:
            chords.append(replace(chord, start=start))
        elif stop > start:
            tacet.append(Span(start, stop - start))
    return without_gaps(chords, end) if chords else (), tuple(tacet)


def _begins(bars: Placed, chords: Sequence[Chord]) -> Iterator[tuple[float, float]]:
    """Where notes, beams and chords begin, and how much that speaks for the metre's groups."""
    yield from ((chord.start, 4.0) for chord in chords)
    for _, bar, start in bars:
        for notes in bar.notes.values():
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
