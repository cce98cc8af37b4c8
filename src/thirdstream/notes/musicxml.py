"""MusicXML -> Score.

What sounds is read: transposing instruments at their sounding pitch, repeats and endings as they
are played (repeats.py), chord symbols by their notes (symbols.py). Cue and grace notes, slashes of
a rhythm section and drums are no melody. Time grows with the number of elements.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from thirdstream.notes.envelope import opened
from thirdstream.notes.harmonising import harmonised, is_bare
from thirdstream.notes.metre import Metre, Metres, metre, of_length
from thirdstream.notes.repeats import Endless, Marks, played
from thirdstream.notes.score import (
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
from thirdstream.notes.symbols import NO_CHORD, STEPS, Symbol, read_symbol

N_PARTS = 3  # from so many on, the parts below the melody are voices
NEAR = 0.02  # quarter notes by which a bar may be longer or shorter than its metre
MAX_BEATS_PER_BAR = 64
UNITS = (1, 2, 4, 8, 16, 32, 64)
DRUMS = "10"  # the percussion channel
BEAT_UNITS = {"breve": 8.0, "half": 2.0, "whole": 4.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
TEMPI = (10.0, 1000.0)  # quarter notes a minute that can be meant
BACK = re.compile(r"\bd\.? ?c\b|\bda capo\b"), re.compile(r"\bd\.? ?s\b|\bdal segno\b")
TO_CODA = re.compile(r"\bto coda\b")
Staff = tuple[int, int]  # the numbers of a part and of its staff


class Written(NamedTuple):
    """A note in its bar: quarter notes from the bar line, sounding pitch; whether it is tied to the
    one before and the one after, and begins a beam."""

    start: float
    length: float
    pitch: int
    tied_from: bool
    tied_on: bool
    beamed: bool


@dataclass
class Bar:
    """A bar of all parts. sign: its time signature, None where there is none."""

    sign: Metre | None = None
    length: float = 0.0
    marks: Marks = field(default_factory=Marks)
    notes: dict[Staff, list[Written]] = field(default_factory=dict)
    symbols: dict[float, Chord | None] = field(default_factory=dict)


def read_musicxml(path: Path) -> Score:
    """Read a lead sheet, or a score of any parts; chords that are not named are found.

    Raises ScoreError where it is no MusicXML, or more than a piece of music.
    """
    root = opened(path)
    sheet = _Sheet(path)
    drums = {
        one.get("id")
        for one in root.iterfind("part-list/score-part")
        if DRUMS in [(channel.text or "").strip() for channel in one.iter("midi-channel")]
    }
    for number, part in enumerate(root.iterfind("part")):
        _Part(sheet, number, is_drums=part.get("id") in drums).read(part)
    titles = (root.findtext(place) or "" for place in ("work/work-title", "movement-title"))
    return sheet.score(next((title for title in map(str.strip, titles) if title), path.stem))


class _Sheet:
    """All that is read of a file, bar by bar."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bars: list[Bar] = []
        self.tempo: float | None = None
        self.remarks: list[str] = []
        self.odd_codas: list[int] = []  # bars with a coda's sign that does not say which

    def remark(self, text: str) -> None:
        """Something that the user should know, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def score(self, title: str) -> Score:
        """The Score. Raises ScoreError where it is more, or less, than a piece of music."""
        order = self._order()
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
            self.remarks.append(BARE if is_bare(sounding) else UNNAMED)
        return Score(
            title=title,
            melody=lines[0],
            chords=chords,
            pickup=pickup,
            beats_per_minute=self.tempo,
            voices=voices if len(lines) >= N_PARTS else (),
            metres=metres,
            remarks=tuple(self.remarks),
            tacet=tacet,
        )

    def _order(self) -> list[int]:
        """The bars as they are played."""
        marks = [bar.marks for bar in self.bars]
        if self.odd_codas:  # the last sign is the coda, those before lead to it
            known = any(bar.to_coda is not None for bar in marks)
            for number in self.odd_codas if known else self.odd_codas[-1:]:
                marks[number].coda = marks[number].coda or ""
            for number in () if known else self.odd_codas[:-1]:
                marks[number].to_coda = ""
        try:
            order, remarks = played(marks)
        except Endless:
            order, remarks = [], []
        n_notes = sum(len(notes) for n in order for notes in self.bars[n].notes.values())
        if (self.bars and not order) or n_notes > MAX_NOTES:
            raise ScoreError(
                f"{self.path}: its repeats make it longer than a piece of music; at most "
                f"{MAX_NOTES} notes are read, cut it"
            )
        self.remarks += remarks
        return order

    def _signed(self, order: Sequence[int]) -> list[tuple[Metre, float]]:
        """Of each bar that is played its metre and its length, in quarter notes."""
        lengths = [min(bar.length, MAX_BEATS + 1.0) for bar in self.bars]
        signs = [bar.sign for bar in self.bars]
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
        for number, start in zip(order, starts, strict=False):
            for staff, notes in self.bars[number].notes.items():
                for one in notes:
                    line, key = found[staff], (staff, one.pitch)
                    at, before = start + one.start, tied.pop(key, None) if one.tied_from else None
                    if before is not None and abs(line[before].end - at) < NEAR:
                        first = line[before]
                        line[before] = Note(first.start, at + one.length - first.start, one.pitch)
                    else:
                        before = len(line)
                        line.append(Note(at, one.length, one.pitch))
                    if one.tied_on:
                        tied[key] = before
        return [sorted(notes) for notes in found.values() if notes]

    def _staves(self) -> list[Staff]:
        return sorted({staff for bar in self.bars for staff in bar.notes})

    def _harmony(
        self, order: Sequence[int], starts: Sequence[float], end: float
    ) -> tuple[tuple[Chord, ...], tuple[Span, ...]]:
        """The chords without gaps, and where there is none, so that the one before only goes on in
        name."""
        symbols = [
            (start + place, chord)
            for number, start in zip(order, starts, strict=False)
            for place, chord in sorted(self.bars[number].symbols.items())
            if start + place < end - 1e-6
        ]
        ends = [*(start for start, _ in symbols[1:]), end]
        chords: list[Chord] = []
        tacet: list[Span] = []
        for (start, chord), stop in zip(symbols, ends, strict=True):
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
            for notes in self.bars[number].notes.values():
                for note in notes:
                    yield start + note.start, min(note.length, 2.0) + 2.0 * note.beamed


class _Part:
    """One part of a score, on its way through the bars."""

    def __init__(self, sheet: _Sheet, number: int, *, is_drums: bool) -> None:
        self.sheet, self.number, self.is_drums = sheet, number, is_drums
        self.divisions = 1.0  # of a quarter note
        self.sign: Metre | None = None
        self.transposition: dict[str, int] = {}  # semitones, by staff; "" for all
        self.drum_staves: set[str] = set()
        self.at = self.last = 0.0  # where the next note begins, and where the last one did
        self.bar = Bar()

    def read(self, part: Element) -> None:
        """Read all bars."""
        for number, measure in enumerate(part.iterfind("measure")):
            if number == len(self.sheet.bars):
                self.sheet.bars.append(Bar())
            self.bar = self.sheet.bars[number]
            self.at = self.last = 0.0
            self.symbols: dict[float, Chord | None] = {}
            self.marks = Marks()
            try:
                self._read_bar(measure, number)
            except (ValueError, OverflowError) as error:
                raise ScoreError(
                    f"{self.sheet.path}: has {error} in bar {number + 1}; export it again"
                ) from error
            for place, chord in self.symbols.items():
                self.bar.symbols.setdefault(place, chord)
            self.bar.marks.add(self.marks)

    def _read_bar(self, measure: Element, number: int) -> None:
        readers = {"attributes": self._attributes, "note": self._note, "backup": self._backup,
                   "forward": self._forward, "harmony": self._symbol, "barline": self._barline,
                   "direction": self._direction, "sound": self._sound}  # fmt: skip
        self.bar_number = number
        for element in measure:
            if element.tag in readers:
                readers[element.tag](element)
        if self.bar.sign is None:
            self.bar.sign = self.sign

    # --- time -----------------------------------------------------------------------------------

    def _attributes(self, element: Element) -> None:
        if (divisions := _number(element, "divisions")) is not None:
            if divisions <= 0:
                raise ValueError(f"{divisions:g} divisions of a quarter note")
            self.at *= divisions / self.divisions
            self.last *= divisions / self.divisions
            self.divisions = divisions
        if (time := element.find("time")) is not None:
            before, self.sign = self.sign, _sign(time)
            if self.at and self.bar.sign is None:  # it holds from the next bar on
                self.bar.sign = before
        for transpose in element.iterfind("transpose"):
            octaves = _number(transpose, "octave-change") or 0
            semitones = (_number(transpose, "chromatic") or 0) + 12 * octaves
            self.transposition[transpose.get("number", "")] = round(semitones)
        for clef in element.iterfind("clef"):
            staff = clef.get("number", "1")
            is_drums = (clef.findtext("sign") or "").strip() == "percussion"
            (self.drum_staves.add if is_drums else self.drum_staves.discard)(staff)

    def _duration(self, element: Element) -> float:
        duration = _number(element, "duration") or 0.0
        if duration < 0:
            raise ValueError(f"the duration {duration:g}")
        return duration

    def _backup(self, element: Element) -> None:
        self.at = max(self.at - self._duration(element), 0.0)

    def _forward(self, element: Element) -> None:
        self._go(self._duration(element))

    def _go(self, duration: float) -> None:
        self.at += duration
        self.bar.length = max(self.bar.length, self.at / self.divisions)

    # --- notes ----------------------------------------------------------------------------------

    def _note(self, element: Element) -> None:
        if element.find("grace") is not None:
            return
        duration = self._duration(element)
        if element.find("chord") is None:
            self.last = self.at
            rest = element.find("rest")
            whole = self.sign.length * self.divisions if self.sign else duration
            self._go(min(duration, whole) if rest is not None and rest.get("measure") == "yes"
                     and self.last == 0 else duration)  # fmt: skip
        pitch = element.find("pitch")
        staff = (element.findtext("staff") or "1").strip()
        if pitch is None or duration <= 0 or self.is_drums or staff in self.drum_staves:
            return
        if _is_silent(element):
            return
        ties = {one.get("type") for tag in ("tie", "notations/tied")
                for one in element.iterfind(tag)}  # fmt: skip
        beam = element.find("beam")
        key = self.number, int(staff) if staff.isdecimal() and len(staff) < 4 else 1
        self.bar.notes.setdefault(key, []).append(Written(
            self.last / self.divisions, duration / self.divisions,
            _pitch(pitch) + self._transposed(staff), "stop" in ties, "start" in ties,
            beam is not None and (beam.text or "").strip() == "begin",
        ))  # fmt: skip

    def _transposed(self, staff: str) -> int:
        return self.transposition.get(staff, self.transposition.get("", 0))

    # --- chords ---------------------------------------------------------------------------------

    def _symbol(self, element: Element) -> None:
        staff = (element.findtext("staff") or "1").strip()
        place = (self.at + (_number(element, "offset") or 0.0)) / self.divisions
        found = read_symbol(element, self._transposed(staff))
        if found is None:
            self.sheet.remark("has chords by their function (I, V) without a root; left out")
            return
        if found.remark:
            self.sheet.remark(f"bar {self.bar_number + 1}: {found.remark}")
        self._set(place, found)

    def _set(self, place: float, symbol: Symbol) -> None:
        self.symbols[round(max(place, 0.0), 6)] = symbol.chord

    # --- the way through the bars ---------------------------------------------------------------

    def _barline(self, element: Element) -> None:
        marks = self.marks
        for repeat in element.iterfind("repeat"):
            if repeat.get("direction") == "forward":
                marks.forward = True
            elif repeat.get("direction") == "backward":
                times = repeat.get("times", "2")
                marks.backward = int(times) if re.fullmatch(r"[0-9]{1,4}", times) else 2
                marks.after_jump = repeat.get("after-jump") == "yes"
        for ending in element.iterfind("ending"):
            if ending.get("type") == "start":
                marks.endings = _endings(ending.get("number", ""))
            else:
                marks.ends = True
        self._signs(element)

    def _direction(self, element: Element) -> None:
        words = " ".join(one.text or "" for one in element.iterfind("direction-type/words"))
        words = re.sub(r"\s+", " ", words).strip()
        marks = self.marks
        text = words.lower()
        if BACK[0].search(text):
            marks.da_capo = True
        elif BACK[1].search(text):
            marks.dal_segno = marks.dal_segno or ""
        elif TO_CODA.search(text):
            marks.to_coda = marks.to_coda or ""
        elif text == "coda":
            marks.coda = marks.coda or ""
        elif text == "fine":
            marks.fine = True
        elif NO_CHORD.fullmatch(words):
            self._set(self.at / self.divisions, Symbol(None))
        if self.sheet.tempo is None:
            self.sheet.tempo = _tempo(element)
        before = marks.coda, marks.to_coda
        for sound in element.iterfind("sound"):
            self._sound(sound)
        says = TO_CODA.search(text) or (marks.coda, marks.to_coda) != before or text == "coda"
        for kind in element.iterfind("direction-type"):
            self._signs(kind, is_coda=not says)

    def _signs(self, element: Element, *, is_coda: bool = True) -> None:
        """Signs of segno and coda; of the latter those that do not say which it is."""
        if element.find("segno") is not None:
            self.marks.segno = self.marks.segno or ""
        odd = self.sheet.odd_codas
        if is_coda and element.find("coda") is not None and self.bar_number not in odd[-1:]:
            odd.append(self.bar_number)
            odd.sort()

    def _sound(self, element: Element) -> None:
        marks, get = self.marks, element.get
        marks.segno = get("segno", marks.segno)
        marks.coda = get("coda", marks.coda)
        marks.to_coda = get("tocoda", marks.to_coda)
        marks.dal_segno = get("dalsegno", marks.dal_segno)
        marks.da_capo |= get("dacapo") == "yes"
        marks.fine |= get("fine", "no") != "no"
        marks.forward |= get("forward-repeat") == "yes"
        if self.sheet.tempo is None:
            self.sheet.tempo = _meant(get("tempo", ""))


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


def _sign(time: Element) -> Metre | None:
    """The metre of a time signature; None for music without one. Raises ValueError."""
    if time.find("senza-misura") is not None:
        return None
    counts = [(one.text or "").strip() for one in time.iterfind("beats")]
    units = [(one.text or "").strip() for one in time.iterfind("beat-type")]
    groups: list[tuple[int, int]] = []
    for count, unit in zip(counts, units, strict=False):
        numbers = re.fullmatch(r"[0-9]{1,3}(\s*\+\s*[0-9]{1,3})*", count)
        if numbers is None or unit not in map(str, UNITS):
            raise ValueError(f"bars of {count[:20]} beats of 1/{unit[:20]}")
        groups += [(int(one), int(unit)) for one in re.findall(r"[0-9]+", count)]
    shortest = max((unit for _, unit in groups), default=4)
    in_shortest = [count * shortest // unit for count, unit in groups]
    if not in_shortest or min(in_shortest) < 1 or sum(in_shortest) > MAX_BEATS_PER_BAR:
        raise ValueError(f"bars of {sum(in_shortest)} beats")
    return metre(sum(in_shortest), shortest, in_shortest if len(in_shortest) > 1 else ())


def _is_silent(note: Element) -> bool:
    """Whether a written note is not played by who reads it: a cue, or a slash for the rhythm."""
    kind = note.find("type")
    small = kind is not None and kind.get("size") in ("cue", "grace-cue")
    return small or note.find("cue") is not None or _text(note, "notehead") == "slash"


def _pitch(pitch: Element) -> int:
    """The MIDI pitch that is written. Raises ValueError."""
    step = _text(pitch, "step")
    octave, alter = _number(pitch, "octave"), _number(pitch, "alter") or 0.0
    if step not in STEPS or octave is None or not -100 < octave < 100 or abs(alter) > 100:
        raise ValueError(f"the pitch {step[:20]!r} of octave {octave}")
    return STEPS[step] + 12 * (round(octave) + 1) + math.floor(alter + 0.5)


def _endings(text: str) -> tuple[int, ...]:
    """The numbers of an ending: "1, 2", "1-3"; none where there are none."""
    numbers: list[int] = []
    for first, last in re.findall(r"([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?", text)[:99]:
        numbers += range(int(first), min(int(last or first), int(first) + 99) + 1)
    return tuple(numbers)


def _tempo(direction: Element) -> float | None:
    """Quarter notes a minute of a metronome mark."""
    mark = direction.find("direction-type/metronome")
    unit = BEAT_UNITS.get(_text(mark, "beat-unit")) if mark is not None else None
    if mark is None or unit is None:
        return None
    for _ in mark.findall("beat-unit-dot")[:1]:
        unit *= 1.5
    number = re.search(r"[0-9]+(\.[0-9]+)?", _text(mark, "per-minute"))
    return _meant(number.group(), unit) if number else None


def _meant(text: str, unit: float = 1.0) -> float | None:
    """A tempo, None where nobody can mean it."""
    try:
        tempo = float(text) * unit
    except ValueError:
        return None
    return tempo if TEMPI[0] <= tempo <= TEMPI[1] else None


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _number(element: Element, tag: str) -> float | None:
    """The number in a child, None without one. Raises ValueError on what is none."""
    text = _text(element, tag)
    if not text:
        return None
    try:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError
    except ValueError:
        raise ValueError(f"the {tag} {text[:20]!r}") from None
    return number

