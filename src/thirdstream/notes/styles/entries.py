"""What entries of style files are made of: pitches by name, and names of other entries."""

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
NARROWEST = 19  # semitones: a bass line needs as many
T = TypeVar("T")


class Entry(BaseModel):
    """A table of a style file: no other keys than its fields, and no changes once it is read."""

    model_config = STRICT


PLAIN = {
    "Input should": "must",
    "a valid tuple": "a list",
    "Tuple": "the list",
    " after validation": "",
}  # of pydantic's words


def fault_in(error: ValidationError) -> str:
    """The first fault of a style file: which entry, what is wrong with it, and what to do."""
    first: Any = error.errors()[0]
    entry = ".".join(str(part) for part in first["loc"] if part != "[key]")
    if first["type"] == "missing":
        return f"{entry} is missing; write it"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{entry} is no entry; correct its name or remove it"
    fault = str(first.get("ctx", {}).get("error", first["msg"]))
    for word, plain in PLAIN.items():
        fault = fault.replace(word, plain)
    return f"{entry}: {fault}" if entry else fault


def midi_pitch(name: object) -> object:
    """The MIDI pitch of a note's name: "C4", middle C, is 60. What is no text stays as it is."""
    if not isinstance(name, str):
        return name
    match = re.fullmatch(r"([A-G])([#b]?)(-?\d)", name)
    if match is None:
        raise ValueError('write a note and its octave, such as "Bb3"; "C4" is middle C')
    letter, accidental, octave = match.groups()
    return 12 * int(octave) + 12 + NATURALS[letter] + {"": 0, "#": 1, "b": -1}[accidental]


MidiNumber = Annotated[int, Field(ge=0, le=127)]
Pitch = Annotated[MidiNumber, BeforeValidator(midi_pitch)]
Share = Annotated[float, Field(ge=0, le=1)]
Tempo = Annotated[float, Field(gt=0, le=600)]  # beats a minute


@dataclass(frozen=True)
class Instrument:
    """A General MIDI program, counted from 0, and its comfortable range as MIDI pitches.

    pan: from 0, left, to 127. comping_pan: where it accompanies a recording's melody.
    """

    __pydantic_config__ = STRICT

    name: str
    program: MidiNumber
    lowest: Pitch
    highest: Pitch
    pan: MidiNumber = 64
    comping_pan: MidiNumber = 42

    def __post_init__(self) -> None:
        if self.highest - self.lowest < NARROWEST:
            raise ValueError(
                f"the range is less than {NARROWEST} semitones, an octave and a fifth; set lowest "
                "and highest further apart"
            )


def _tables(info: ValidationInfo) -> dict[str, Any]:
    """The tables that were read, by their names."""
    assert info.context is not None
    return info.context


def table(kind: str) -> AfterValidator:
    """Marks a table whose entries are named by later ones: `named(kind)` finds them."""

    def keep(entries: dict[str, T], info: ValidationInfo) -> dict[str, T]:
        _tables(info)[kind] = entries
        return entries

    return AfterValidator(keep)


def found(name: object, info: ValidationInfo, *kinds: str) -> Any:
    """The entry of that name in the first of these tables that has it; what is no text stays as it
    is. Raises ValueError where there is none.
    """
    if not isinstance(name, str):
        return name
    tables = [_tables(info).get(kind, {}) for kind in kinds]
    for entries in tables:
        if name in entries:
            return entries[name]
    known = ", ".join(one for entries in tables for one in entries) or "none"
    where = " or ".join(f"[{kind}]" for kind in kinds)
    raise ValueError(f'there is no "{name}" in {where}; add it, or name one of: {known}')


def named(kind: str) -> BeforeValidator:
    """An entry that is given by its name in a table further up."""
    return BeforeValidator(lambda name, info: found(name, info, kind))


def known(*kinds: str) -> AfterValidator:
    """A name that one of these tables has."""

    def check(name: str, info: ValidationInfo) -> str:
        found(name, info, *kinds)
        return name

    return AfterValidator(check)


def _own_names(instruments: object) -> object:
    """Instruments with their keys as names."""
    if not isinstance(instruments, dict):
        return instruments
    return {key: {"name": key, **one} if isinstance(one, dict) else one
            for key, one in instruments.items()}  # fmt: skip


def _instrument(value: object, info: ValidationInfo) -> object:
    """By name, or as a table of `instrument`, its name, and what is otherwise than there."""
    if isinstance(value, dict) and "instrument" in value:
        base = found(value["instrument"], info, "instruments")
        changed = {key: one for key, one in value.items() if key != "instrument"}
        return asdict(base) | changed if isinstance(base, Instrument) else value
    return found(value, info, "instruments")


def _drawn(value: object) -> object:
    """A table of names and how often each, as the list to draw from."""
    if not isinstance(value, dict):
        return value
    if not all(isinstance(n, int) and 0 < n <= 100 for n in value.values()):
        raise ValueError("after each name write how often it is drawn, from 1 to 100")
    return [name for name, number in value.items() for _ in range(number)]


def _several(value: object) -> object:
    """One value as a list of one."""
    return value if isinstance(value, (list, tuple)) else (value,)


def draw(options: Sequence[T], rng: random.Random) -> T:
    """One of several; where there is only one, nothing is drawn."""
    return options[0] if len(options) == 1 else rng.choice(options)


Instruments = Annotated[dict[str, Instrument], BeforeValidator(_own_names), table("instruments")]
Named = Annotated[Instrument, BeforeValidator(_instrument)]  # an instrument by its name
Drawn = BeforeValidator(_drawn)
Several = BeforeValidator(_several)


class Phrasing(Entry):
    """How a soloist phrases: shares of the notes that could be anticipated by an eighth, or
    approached from a semitone below; and how much of its length a short note is held.
    """

    anticipation: Share = 0.0
    approach: Share = 0.0
    short: Share = 0.97


class Levels(Entry):
    """Velocities in covers, of the melody and of notes that are added from the recording; and by
    what the drums' are multiplied.
    """

    melody: MidiNumber
    added: MidiNumber
    drums: Annotated[float, Field(gt=0, le=4)] = 1.0


class Entrance(Entry):
    """From which style strength on a part plays its notes on bar lines, and how much later its
    weakest off-beats.
    """

    first: Share
    spread: Share


class Entrances(Entry):
    """By the roles of parts; where one is missing, harmony's."""

    harmony: Entrance
    bass: Entrance
    drums: Entrance | None = None
    brass: Entrance | None = None

    def of(self, role: str) -> Entrance:
        """A role's entrance."""
        return getattr(self, role, None) or self.harmony


class Expression(Entry):
    """How a part of a cover is played. All but the last two are velocities that are added.

    phrase: by which the middle of four bars is louder than its ends; form: the fullest bar than the
    thinnest. high: an octave above the part's middle. first, strong, weak, off: on the bar line, on
    the bar's other strong beats, on its weak ones, and between beats. short: of notes up to half a
    beat. drawn: deviation of what is drawn. late: quarter notes that the part is behind. apart:
    deviation, in quarter notes, of what is drawn of its timing.
    """

    phrase: float = 0.0
    form: float = 0.0
    high: float = 0.0
    first: float = 0.0
    strong: float = 0.0
    weak: float = 0.0
    off: float = 0.0
    short: float = 0.0
    drawn: Annotated[float, Field(ge=0, le=40)] = 0.0
    late: Annotated[float, Field(ge=-0.2, le=0.2)] = 0.0
    apart: Annotated[float, Field(ge=0, le=0.1)] = 0.0


class Expressions(Entry):
    """By the roles of parts."""

    melody: Expression = Expression()
    harmony: Expression = Expression()
    bass: Expression = Expression()
    drums: Expression = Expression()

    def of(self, role: str) -> Expression:
        """A role's: the melody's of those who play it in a section, harmony's of brass."""
        same = {"section": "melody", "brass": "harmony"}
        return getattr(self, same.get(role, role))


class Style(Entry):
    """What both arrangers ask of a style file.

    accents: where the melody is stressed. bass_below: the highest note of a recording that goes to
    the bass, in a group in which one part has all the others. walks_on: whether notes of the
    recording end where the bass plays on, instead of silencing it.
    """

    style: str
    accents: Literal["off-beats", "bar lines"]
    instruments: Instruments
    levels: Levels
    entrances: Entrances
    tritone_substitution: bool = False
    bass_below: Pitch | None = None
    walks_on: bool = False
    expression: Expressions = Expressions()
