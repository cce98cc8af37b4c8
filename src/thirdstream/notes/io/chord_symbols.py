"""Chord symbols of MusicXML as notes: its kinds, its degrees, and what programs write as text.

Outcomes where a kind is no plain chord:
- `none`, and a text such as N.C.: no chord; nothing accompanies the melody until the next symbol.
- `other`: the root and the degrees that are added, as the format has it; without degrees its text
  is read as a lead sheet's ("7alt"), as is that of kinds the format does not have. What cannot be
  read is the bare root and fifth, and is said.
- `pedal`: the root alone. `power`: root and fifth. `Tristan`: F B D sharp G sharp, on its root.
- `Neapolitan`, `Italian`, `French`, `German`: functions, so the root that is written is the key's.
- Numerals and functions without a root are no symbols that can be played; they are left out, said.
"""

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from thirdstream.notes.io.elements import FormatError, number_of, step_of
from thirdstream.notes.types import Chord

SCALE = (0, 2, 4, 5, 7, 9, 10)  # against which added degrees count: a dominant chord's

Degrees = dict[int, int]  # degree of a chord: semitones above its root

MAJOR: Degrees = {1: 0, 3: 4, 5: 7}
MINOR = MAJOR | {3: 3}
DIMINISHED = MINOR | {5: 6}
DOMINANT, MAJOR_7, MINOR_7 = MAJOR | {7: 10}, MAJOR | {7: 11}, MINOR | {7: 10}
NINTH, ELEVENTH, THIRTEENTH = {9: 14}, {9: 14, 11: 17}, {9: 14, 11: 17, 13: 21}
KINDS: dict[str, Degrees] = {
    "major": MAJOR, "minor": MINOR, "augmented": MAJOR | {5: 8}, "diminished": DIMINISHED,
    "dominant": DOMINANT, "major-seventh": MAJOR_7, "minor-seventh": MINOR_7,
    "diminished-seventh": DIMINISHED | {7: 9}, "augmented-seventh": DOMINANT | {5: 8},
    "half-diminished": DIMINISHED | {7: 10}, "major-minor": MINOR | {7: 11},
    "major-sixth": MAJOR | {6: 9}, "minor-sixth": MINOR | {6: 9},
    "dominant-ninth": DOMINANT | NINTH, "major-ninth": MAJOR_7 | NINTH,
    "minor-ninth": MINOR_7 | NINTH, "dominant-11th": DOMINANT | ELEVENTH,
    "major-11th": MAJOR_7 | ELEVENTH, "minor-11th": MINOR_7 | ELEVENTH,
    "dominant-13th": DOMINANT | THIRTEENTH, "major-13th": MAJOR_7 | THIRTEENTH,
    "minor-13th": MINOR_7 | THIRTEENTH, "suspended-second": {1: 0, 2: 2, 5: 7},
    "suspended-fourth": {1: 0, 4: 5, 5: 7}, "pedal": {1: 0}, "power": {1: 0, 5: 7},
    "Tristan": {1: 0, 4: 6, 6: 10, 9: 15},
}  # fmt: skip
OFTEN = {"minor-major": "major-minor", "dominant-seventh": "dominant"}  # what is written instead
# Functional sixths: where the chord's root and bass lie above the key's, and its degrees.
FUNCTIONS: dict[str, tuple[int, int, Degrees]] = {
    "Neapolitan": (1, 5, MAJOR),
    "Italian": (8, 8, {1: 0, 3: 4, 6: 10}),
    "French": (8, 8, {1: 0, 3: 4, 4: 6, 6: 10}),
    "German": (8, 8, {1: 0, 3: 4, 5: 7, 6: 10}),
}
NO_CHORD = re.compile(r"\(?(n\.?\s*c\.?|no[ -]chords?|tacet)\)?", re.IGNORECASE)
QUALITIES = (  # of a text; the first that fits
    ("minor", r"min|Min|MIN|mi|MI|m(?!aj|a(?!dd))|-(?!5)"),
    ("major", r"maj|Maj|MAJ|ma|Ma|MA|M|\^|Δ|△"),
    ("half-diminished", r"ø7?|Ø7?|h7"),
    ("diminished", r"dim|o(?!mit)|°"),
    ("augmented", r"aug|\+(?!5)"),
)
CHANGES = re.compile(
    r"(?P<suspended>sus(?P<by>24|2|4)?)|add(?P<added>[b#]?\d+)|(?:no|omit)(?P<without>\d+)"
    r"|(?P<altered>alt)|(?:maj|Maj|ma|M|Δ|△)(?P<major>7|9|13)|(?P<sign>[b#+-])(?P<degree>5|9|11|13)"
    r"|(?P<sharp>\+|aug)"
)


class Symbol(NamedTuple):
    """What a harmony element says: chord, None for no chord; remark: what could not be read."""

    chord: Chord | None
    remark: str = ""


Tones = list[tuple[int, int]]  # degrees and semitones; a degree may be there twice, as in 7(b9,#9)


def read_symbol(harmony: Element, transposition: int) -> Symbol | None:
    """The chord of a harmony element, sounding `transposition` semitones above what is written.

    Its start and length are 0. None for numerals and functions. Raises FormatError.
    """
    kind = harmony.find("kind")
    name = (kind.text or "").strip() if kind is not None else ""
    text = (kind.get("text") or "").strip() if kind is not None else ""
    if NO_CHORD.fullmatch(text) or (name == "none" and _degrees_of(text) is None):
        return Symbol(None)
    root = harmony.find("root")
    if root is None:
        return None
    written = (_pitch_class(root, "root") + transposition) % 12
    up, below, tones = FUNCTIONS.get(name, (0, 0, None))
    remark = ""
    if tones is None:
        tones = _kind(name, text, has_degrees=harmony.find("degree") is not None)
    if tones is None:
        tones = KINDS["power"]
        remark = f"{text or name or 'a chord of no kind'}: is no chord we know; taken as a fifth"
    changed = _changed(list(tones.items()), harmony)
    root_class = (written + up) % 12
    intervals = tuple(sorted({semitones % 12 for _, semitones in changed})) or (0,)
    bass = harmony.find("bass")
    if bass is not None:
        low = (_pitch_class(bass, "bass") + transposition) % 12
    elif inversion := _whole(harmony, "inversion"):
        heights = sorted(semitones for _, semitones in changed)
        low = (root_class + heights[inversion]) % 12 if inversion < len(heights) else root_class
    else:
        low = (written + below) % 12
    return Symbol(Chord(0.0, 0.0, root_class, intervals, low), remark)


def _kind(name: str, text: str, *, has_degrees: bool) -> Degrees | None:
    """The degrees of a kind, or of its text; None where neither can be read."""
    name = OFTEN.get(name, name)
    if name in KINDS:
        return KINDS[name]
    if name == "other" and has_degrees:
        return {1: 0}
    if text:
        return _degrees_of(text)
    return MAJOR if not name else _degrees_of(name)


def _changed(tones: Tones, harmony: Element) -> Tones:
    """Tones after all degree elements. A degree that is added takes the place of the kind's own."""
    own = frozenset(tones)
    for element in harmony.findall("degree"):
        degree = _whole(element, "degree-value")
        if not 1 <= degree <= 20:
            raise FormatError(f"a chord with the degree {degree}")
        alter = _whole(element, "degree-alter")
        kind = (element.findtext("degree-type") or "").strip()
        same = [tone for tone in tones if tone[0] == degree]
        same = same or [tone for tone in tones if (tone[0] - degree) % 7 == 0]
        if kind == "subtract":
            tones = [tone for tone in tones if tone not in same]
        elif kind == "alter" and same:
            tones = [(d, s + alter) if (d, s) in same else (d, s) for d, s in tones]
        else:  # what is altered and not there is added; what is there twice is not written so
            tones = [tone for tone in tones if tone[0] != degree or tone not in own]
            tones = [*tones, (degree, _dominant(degree) + alter)]
    return tones


def _dominant(degree: int) -> int:
    """Semitones of a degree in a dominant chord."""
    octave, step = divmod(degree - 1, 7)
    return 12 * octave + SCALE[step]


def _degrees_of(text: str) -> Degrees | None:
    """The degrees of a lead sheet's text after the root: "m7b5", "13sus", "7alt"; None for what is
    none. Of two ninths the last is kept, except of "alt"."""
    text = re.sub(r"[\s(),]", "", text.partition("/")[0] if "6/9" not in text else text)
    text = text.replace("6/9", "69").replace("♭", "b").replace("♯", "#")
    if not text:
        return None
    quality = "dominant"
    for name, pattern in QUALITIES:
        if found := re.match(pattern, text):
            quality, text = name, text[found.end() :]
            break
    number = re.match(r"69|13|11|9|7|6|5|4|2", text)
    text = text[number.end() :] if number else text
    tones = _stacked(quality, number.group() if number else "")
    while text:
        found = CHANGES.match(text)
        if found is None:
            return None
        _change(tones, found)
        text = text[found.end() :]
    return tones


def _stacked(quality: str, number: str) -> Degrees:
    """A triad of a quality, and what a number adds to it."""
    tones = dict(KINDS["major" if quality == "dominant" else quality])
    if number in ("7", "9", "11", "13"):
        tones.setdefault(7, {"major": 11, "diminished": 9}.get(quality, 10))
        tones |= {degree: _dominant(degree) for degree in range(9, int(number) + 1, 2)}
    elif number in ("6", "69"):
        tones |= {6: 9} | (NINTH if number == "69" else {})
    elif number == "5":
        del tones[3]
    elif number == "4":
        del tones[3]
        tones[4] = 5
    elif number == "2":
        tones[9] = 14
    return tones


def _change(tones: Degrees, found: re.Match[str]) -> None:
    """One change of a text, made."""
    if found["suspended"]:
        tones.pop(3, None)
        tones |= {int(by): SCALE[int(by) - 1] for by in found["by"] or "4"}
    elif found["added"]:
        sign, degree = re.sub(r"\d", "", found["added"]), int(re.sub(r"\D", "", found["added"]))
        tones[degree] = _dominant(max(degree, 1)) + {"b": -1, "#": 1}.get(sign, 0)
    elif found["without"]:
        tones.pop(int(found["without"]), None)
    elif found["altered"]:
        tones |= {5: 8, 7: 10, 9: 13, 16: 15}
    elif found["major"]:
        tones[7] = 11
        tones |= {degree: _dominant(degree) for degree in range(9, int(found["major"]) + 1, 2)}
    else:
        degree = int(found["degree"] or 5)
        tones[degree] = _dominant(degree) + (-1 if found["sign"] in ("b", "-") else 1)


def _pitch_class(element: Element, of: str) -> int:
    return step_of(element, f"{of}-step") + _whole(element, f"{of}-alter")


def _whole(element: Element, tag: str) -> int:
    """The number in a child, to the nearest whole one."""
    return round(number_of(element, tag, most=100) or 0)
