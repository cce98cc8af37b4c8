"""What is written in the bars of a MusicXML file, as it sounds.

Transposing instruments are read at their sounding pitch. Cue and grace notes, slashes of a rhythm
section and drums are left out.
"""

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element

from thirdstream.notes.io.repeats import Marks
from thirdstream.notes.io.symbols import NO_CHORD, STEPS, Odd, Symbol, read_symbol
from thirdstream.notes.metre import Metre, metre
from thirdstream.notes.types import Chord

MAX_BEATS_PER_BAR = 64
UNITS = (1, 2, 4, 8, 16, 32, 64, 128)
BEAT_UNITS = {"breve": 8.0, "half": 2.0, "whole": 4.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
MOST = 1e12  # what a number may say
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


class Part:
    """One part of a score, on its way through the bars.

    is_drums: nothing of it is a pitch.
    """

    def __init__(self, sheet: Sheet, number: int, *, is_drums: bool) -> None:
        self.sheet, self.number, self.is_drums = sheet, number, is_drums
        self.divisions = 1.0  # of a quarter note
        self.sign: Metre | None = None
        self.transposition: dict[str, int] = {}  # semitones, by staff; "" for all
        self.drum_staves: set[str] = set()
        self.at = self.last = 0.0  # where the next note begins, and where the last one did
        self.bar = Bar()

    def read(self, part: Element) -> None:
        """Read all bars into the sheet. Raises Odd that names the bar."""
        for number, measure in enumerate(part.iterfind("measure")):
            if number == len(self.sheet.bars):
                self.sheet.bars.append(Bar())
            self.bar = self.sheet.bars[number]
            self.at = self.last = 0.0
            self.symbols: dict[float, Chord | None] = {}
            self.marks = Marks()
            try:
                self._read_bar(measure, number)
            except Odd as error:
                raise Odd(f"{error} in bar {number + 1}") from error
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
            if divisions < 1e-6:
                raise Odd(f"{divisions:g} divisions of a quarter note")
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
            raise Odd(f"the duration {duration:g}")
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
    """The metre of a time signature; None for music without one. Raises Odd."""
    if time.find("senza-misura") is not None:
        return None
    counts = [(one.text or "").strip() for one in time.iterfind("beats")]
    units = [(one.text or "").strip() for one in time.iterfind("beat-type")]
    groups: list[tuple[int, int]] = []
    for count, unit in zip(counts, units, strict=False):
        numbers = re.fullmatch(r"[0-9]{1,3}(\s*\+\s*[0-9]{1,3})*", count)
        if numbers is None or unit not in map(str, UNITS):
            raise Odd(f"bars of {count[:20]} beats of 1/{unit[:20]}")
        groups += [(int(one), int(unit)) for one in re.findall(r"[0-9]+", count)]
    shortest = max((unit for _, unit in groups), default=4)
    in_shortest = [count * shortest // unit for count, unit in groups]
    if not in_shortest or min(in_shortest) < 1 or sum(in_shortest) > MAX_BEATS_PER_BAR:
        raise Odd(f"bars of {sum(in_shortest)} beats")
    return metre(sum(in_shortest), shortest, in_shortest if len(in_shortest) > 1 else ())


def _is_silent(note: Element) -> bool:
    """Whether a written note is not played by who reads it: a cue, or a slash for the rhythm."""
    kind = note.find("type")
    small = kind is not None and kind.get("size") in ("cue", "grace-cue")
    return small or note.find("cue") is not None or _text(note, "notehead") == "slash"


def _pitch(pitch: Element) -> int:
    """The MIDI pitch that is written. Raises Odd."""
    step = _text(pitch, "step")
    octave, alter = _number(pitch, "octave"), _number(pitch, "alter") or 0.0
    if step not in STEPS or octave is None or not -100 < octave < 100 or abs(alter) > 100:
        raise Odd(f"the pitch {step[:20]!r} of octave {octave}")
    return STEPS[step] + 12 * (round(octave) + 1) + math.floor(alter + 0.5)


def _endings(text: str) -> tuple[int, ...]:
    """The numbers of an ending: "1, 2", "1-3"; none where there are none."""
    numbers: list[int] = []
    for first, last in re.findall(r"([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?", text[:400]):
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
    """The number in a child, None without one. Raises Odd on what is none."""
    text = _text(element, tag)
    if not text:
        return None
    try:
        number = float(text)
        if not abs(number) <= MOST:
            raise ValueError
    except ValueError:
        raise Odd(f"the {tag} {text[:20]!r}") from None
    return number
