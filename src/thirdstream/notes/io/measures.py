"""What is written in the bars of a MusicXML file, as it sounds.

Transposing instruments are read at their sounding pitch. Cue and grace notes, slashes of a rhythm
section and drums are left out.
"""

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element

from thirdstream.notes.io.chord_symbols import NO_CHORD, read_symbol
from thirdstream.notes.io.elements import FormatError, number_of, step_of, text_of
from thirdstream.notes.io.repeats import Marks
from thirdstream.notes.metre import Metre, metre
from thirdstream.notes.types import Chord

MAX_BEATS_PER_BAR = 64
UNITS = (1, 2, 4, 8, 16, 32, 64, 128)
BEAT_UNITS = {"breve": 8.0, "half": 2.0, "whole": 4.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
TEMPI = (10.0, 1000.0)  # quarter notes a minute that can be meant
TO_CODA, CODA = Marks(to_coda=""), Marks(coda="")
WORDS = (  # of a direction, in small letters; the first that fits
    (re.compile(r"\bd\.? ?c\b|\bda capo\b"), Marks(da_capo=True)),
    (re.compile(r"\bd\.? ?s\b|\bdal segno\b"), Marks(dal_segno="")),
    (re.compile(r"\bto coda\b"), TO_CODA),
    (re.compile(r"\Acoda\Z"), CODA),
    (re.compile(r"\Afine\Z"), Marks(fine=True)),
)
Staff = tuple[int, int]  # the numbers of a part and of its staff


class WrittenNote(NamedTuple):
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
    notes: dict[Staff, list[WrittenNote]] = field(default_factory=dict)
    symbols: dict[float, Chord | None] = field(default_factory=dict)


@dataclass
class Sheet:
    """All that is written in a file. tempo: quarter notes a minute. remarks: what the user should
    know of it. codas: the numbers of the bars with a coda's sign that does not say which it is."""

    bars: list[Bar] = field(default_factory=list)
    tempo: float | None = None
    remarks: list[str] = field(default_factory=list)
    codas: set[int] = field(default_factory=set)

    def remark(self, text: str) -> None:
        """Add a remark, once."""
        if text not in self.remarks:
            self.remarks.append(text)


class PartReader:
    """Reads one part of a score, measure by measure. is_drums: nothing of it is a pitch."""

    def __init__(self, sheet: Sheet, number: int, *, is_drums: bool) -> None:
        self.sheet, self.number, self.is_drums = sheet, number, is_drums
        self.divisions = 1.0  # of a quarter note
        self.sign: Metre | None = None
        self.transposition: dict[str, int] = {}  # semitones, by staff; "" for all
        self.drum_staves: set[str] = set()
        self.at = self.last = 0.0  # where the next note begins, and where the last one did
        self.bar, self.bar_number = Bar(), 0
        self.symbols: dict[float, Chord | None] = {}
        self.marks = Marks()

    def read(self, part: Element) -> None:
        """Read all bars into the sheet. Raises FormatError that names the bar."""
        readers = {"attributes": self._attributes, "note": self._note, "backup": self._backup,
                   "forward": self._forward, "harmony": self._symbol, "barline": self._barline,
                   "direction": self._direction, "sound": self._sound}  # fmt: skip
        for self.bar_number, measure in enumerate(part.iterfind("measure")):
            if self.bar_number == len(self.sheet.bars):
                self.sheet.bars.append(Bar())
            self.bar = self.sheet.bars[self.bar_number]
            self.at = self.last = 0.0
            self.symbols, self.marks = {}, Marks()
            try:
                for element in measure:
                    if element.tag in readers:
                        readers[element.tag](element)
            except FormatError as error:
                raise FormatError(f"{error} in bar {self.bar_number + 1}") from error
            self.bar.sign = self.bar.sign or self.sign
            self.bar.symbols = self.symbols | self.bar.symbols
            self.bar.marks.add(self.marks)

    # --- time -----------------------------------------------------------------------------------

    def _attributes(self, element: Element) -> None:
        if (divisions := number_of(element, "divisions")) is not None:
            if divisions < 1e-6:
                raise FormatError(f"{divisions:g} divisions of a quarter note")
            self.at *= divisions / self.divisions
            self.last *= divisions / self.divisions
            self.divisions = divisions
        if (time := element.find("time")) is not None:
            before, self.sign = self.sign, _sign(time)
            if self.at and self.bar.sign is None:  # it holds from the next bar on
                self.bar.sign = before
        for transpose in element.iterfind("transpose"):
            octaves = number_of(transpose, "octave-change") or 0
            semitones = (number_of(transpose, "chromatic") or 0) + 12 * octaves
            self.transposition[transpose.get("number", "")] = round(semitones)
        for clef in element.iterfind("clef"):
            staff = clef.get("number", "1")
            is_drums = text_of(clef, "sign") == "percussion"
            (self.drum_staves.add if is_drums else self.drum_staves.discard)(staff)

    def _duration(self, element: Element) -> float:
        duration = number_of(element, "duration") or 0.0
        if duration < 0:
            raise FormatError(f"the duration {duration:g}")
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
            is_whole_bar = rest is not None and rest.get("measure") == "yes" and self.at == 0
            limit = self.sign.length * self.divisions if self.sign and is_whole_bar else duration
            self._go(min(duration, limit))
        pitch, staff = element.find("pitch"), text_of(element, "staff") or "1"
        if pitch is None or duration <= 0 or self.is_drums or staff in self.drum_staves:
            return
        if _is_silent(element):
            return
        ties = {one.get("type") for tag in ("tie", "notations/tied")
                for one in element.iterfind(tag)}  # fmt: skip
        key = self.number, int(staff) if staff.isdecimal() and len(staff) < 4 else 1
        note = WrittenNote(
            start=self.last / self.divisions,
            length=duration / self.divisions,
            pitch=_pitch(pitch) + self._transposed(staff),
            tied_from="stop" in ties,
            tied_on="start" in ties,
            beamed=text_of(element, "beam") == "begin",
        )
        self.bar.notes.setdefault(key, []).append(note)

    def _transposed(self, staff: str) -> int:
        return self.transposition.get(staff, self.transposition.get("", 0))

    # --- chords ---------------------------------------------------------------------------------

    def _symbol(self, element: Element) -> None:
        place = (self.at + (number_of(element, "offset") or 0.0)) / self.divisions
        found = read_symbol(element, self._transposed(text_of(element, "staff") or "1"))
        if found is None:
            self.sheet.remark("has chords by their function (I, V) without a root; left out")
            return
        if found.remark:
            self.sheet.remark(f"bar {self.bar_number + 1}: {found.remark}")
        self._set(place, found.chord)

    def _set(self, place: float, chord: Chord | None) -> None:
        self.symbols[round(max(place, 0.0), 6)] = chord

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
        said = [marks for pattern, marks in WORDS if pattern.search(words.lower())]
        if said:
            self.marks.add(said[0])
        elif NO_CHORD.fullmatch(words):
            self._set(self.at / self.divisions, None)
        if self.sheet.tempo is None:
            self.sheet.tempo = _tempo(element)
        before = self.marks.coda, self.marks.to_coda
        for sound in element.iterfind("sound"):
            self._sound(sound)
        is_known = (
            (self.marks.coda, self.marks.to_coda) != before or TO_CODA in said or CODA in said
        )
        for kind in element.iterfind("direction-type"):
            self._signs(kind, is_coda=not is_known)

    def _signs(self, element: Element, *, is_coda: bool = True) -> None:
        """Signs of segno and coda; of the latter those that do not say which it is."""
        if element.find("segno") is not None:
            self.marks.segno = self.marks.segno or ""
        if is_coda and element.find("coda") is not None:
            self.sheet.codas.add(self.bar_number)

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


def _sign(time: Element) -> Metre | None:
    """The metre of a time signature; None for music without one. Raises FormatError."""
    if time.find("senza-misura") is not None:
        return None
    counts = [(one.text or "").strip() for one in time.iterfind("beats")]
    units = [(one.text or "").strip() for one in time.iterfind("beat-type")]
    groups: list[tuple[int, int]] = []
    for count, unit in zip(counts, units, strict=False):
        numbers = re.fullmatch(r"[0-9]{1,3}(\s*\+\s*[0-9]{1,3})*", count)
        if numbers is None or unit not in map(str, UNITS):
            raise FormatError(f"bars of {count[:20]} beats of 1/{unit[:20]}")
        groups += [(int(one), int(unit)) for one in re.findall(r"[0-9]+", count)]
    shortest = max((unit for _, unit in groups), default=4)
    in_shortest = [count * shortest // unit for count, unit in groups]
    if not in_shortest or min(in_shortest) < 1 or sum(in_shortest) > MAX_BEATS_PER_BAR:
        raise FormatError(f"bars of {sum(in_shortest)} beats")
    return metre(sum(in_shortest), shortest, in_shortest if len(in_shortest) > 1 else ())


def _is_silent(note: Element) -> bool:
    """Whether a written note is not played by who reads it: a cue, or a slash for the rhythm."""
    kind = note.find("type")
    small = kind is not None and kind.get("size") in ("cue", "grace-cue")
    return small or note.find("cue") is not None or text_of(note, "notehead") == "slash"


def _pitch(pitch: Element) -> int:
    """The MIDI pitch that is written. Raises FormatError."""
    octave = number_of(pitch, "octave", most=99)
    if octave is None:
        raise FormatError("a pitch without an octave")
    alter = math.floor((number_of(pitch, "alter", most=100) or 0.0) + 0.5)
    return step_of(pitch, "step") + 12 * (round(octave) + 1) + alter


def _endings(text: str) -> tuple[int, ...]:
    """The numbers of an ending: "1, 2", "1-3"; none where there are none."""
    numbers: list[int] = []
    for first, last in re.findall(r"([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?", text[:400]):
        numbers += range(int(first), min(int(last or first), int(first) + 99) + 1)
    return tuple(numbers)


def _tempo(direction: Element) -> float | None:
    """Quarter notes a minute of a metronome mark."""
    mark = direction.find("direction-type/metronome")
    unit = BEAT_UNITS.get(text_of(mark, "beat-unit")) if mark is not None else None
    if mark is None or unit is None:
        return None
    if mark.find("beat-unit-dot") is not None:
        unit *= 1.5
    found = re.search(r"[0-9]+(\.[0-9]+)?", text_of(mark, "per-minute"))
    return _meant(found.group(), unit) if found else None


def _meant(text: str, unit: float = 1.0) -> float | None:
    """A tempo, None where nobody can mean it."""
    try:
        tempo = float(text) * unit
    except ValueError:
        return None
    return tempo if TEMPI[0] <= tempo <= TEMPI[1] else None
