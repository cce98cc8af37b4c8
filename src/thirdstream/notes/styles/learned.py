"""A style that was learned from recordings: who played, and each bar of what they played.

A .style file is JSON that can be read and edited: bars may be taken out, instruments changed. Its
numbers are counted in beats from the bar line, whatever note the metre counts in.
"""

import json
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from thirdstream.audio.spectral_balance import CENTRES_HZ, FLOOR_DB
from thirdstream.files import ThirdstreamError, json_in, whole_file
from thirdstream.notes.styles.entries import (
    STRICT,
    Entrance,
    Entrances,
    Levels,
    MidiNumber,
    Phrasing,
    Share,
    Style,
    Tempo,
    fault_in,
)

SUFFIX = ".style"
FORMAT, VERSION = "thirdstream style", 1
SEE = "docs/learned-styles.md explains it"
MOST_BYTES = 256_000_000
LONGEST = 256.0  # beats of a note
BASS_BELOW = 50  # MIDI pitch up to which what is heard goes to the bass, whatever can play it

Role = Literal["melody", "bass", "harmony", "drums"]
Beats = Annotated[float, Field(ge=0, le=64)]
PitchClass = Annotated[int, Field(ge=0, lt=12)]
Stroke = tuple[
    Annotated[float, Field(ge=-1, le=64)],
    Annotated[float, Field(gt=0, le=LONGEST)],
    MidiNumber,
    MidiNumber,
]
"""Where a note begins in the bar and how long it is, in beats; its pitch and velocity."""
Symbol = tuple[Beats, PitchClass, tuple[PitchClass, ...], PitchClass]
"""Where a chord begins in the bar, in beats; its root, intervals above it, and its bass."""

Balance = Annotated[
    tuple[Annotated[float, Field(ge=FLOOR_DB, le=0)], ...],
    Field(min_length=len(CENTRES_HZ), max_length=len(CENTRES_HZ)),
]
"""The share of the power in each third octave, in dB."""


class Entry(BaseModel):
    """A part of a .style file: no other keys than its fields, and no changes once it is read."""

    model_config = STRICT


class Player(Entry):
    """A part of a recording: its role, and its instrument as a General MIDI program (of drums, the
    kit). doubled_by: others that play the same notes, of bass or harmony. velocity: its median.
    lowest, highest: the pitches that it played.
    """

    role: Role
    program: MidiNumber
    doubled_by: tuple[MidiNumber, ...] = ()
    velocity: MidiNumber
    lowest: MidiNumber
    highest: MidiNumber

    @property
    def programs(self) -> tuple[int, ...]:
        """All that play its notes."""
        return (self.program, *self.doubled_by)

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(
                f"lowest is {self.lowest} and highest {self.highest}; exchange or correct them"
            )
        return self

    @model_validator(mode="after")
    def _is_doubled_by_others(self) -> Self:
        if self.doubled_by and self.role not in ("bass", "harmony"):
            raise ValueError(
                f"doubled_by is for bass and harmony, and the role is {self.role}; take it out"
            )
        if len({*self.programs}) < len(self.programs):
            raise ValueError(
                "program and doubled_by have a number twice; each instrument plays once, take one "
                "of the two out"
            )
        return self


class Reverberation(Entry):
    """Of a room. decay_s: until the sound is 60 dB weaker. wet: room against direct sound, as
    amplitudes.
    """

    decay_s: Annotated[float, Field(ge=0.05, le=10)]
    wet: Annotated[float, Field(ge=0, le=2)]


def middle_of(rooms: Sequence[Reverberation]) -> Reverberation:
    """The median decay and the median strength, to a thousandth."""
    decay_s, wet = (median(getattr(one, name) for one in rooms) for name in ("decay_s", "wet"))
    return Reverberation(decay_s=round(decay_s, 3), wet=round(wet, 3))


class Source(Entry):
    """A recording that the style was learned from.

    beats_per_bar: of most bars. thirds: whether its beats divide in three, as in 6/8. tempo: beats
    a minute. swing: length of a beat's first eighth over its second; 1 is even. short: how much of
    the way to the next a short note of the melody is held. approach, anticipation: the shares of
    the melody's notes that are approached by a semitone, or come an eighth early. reverberation:
    its room's; balance_db: its spectral balance, by third octaves from 50 Hz to 16 kHz; of a MIDI
    file there is neither.
    """

    name: str
    beats_per_bar: Annotated[int, Field(ge=1, le=64)]
    thirds: bool = False
    tempo: Tempo
    swing: Annotated[float, Field(ge=1, le=4)] = 1.0
    short: Share = 0.97
    approach: Share = 0.0
    anticipation: Share = 0.0
    reverberation: Reverberation | None = None
    balance_db: Balance | None = None
    players: tuple[Player, ...]


class Bar(Entry):
    """A bar of a recording, with all that accompanied the melody in it.

    recording: the number of its source. number: its own there, from 0; the first is 0 even where
    it is no longer the recording's first. last: whether the recording ends with it. energy: its
    loudness among the recording's bars, from 0, the softest, to 1. chords: the first from 0. notes:
    by the number of the player.
    """

    recording: Annotated[int, Field(ge=0)]
    number: Annotated[int, Field(ge=0)]
    length: Annotated[int, Field(ge=1, le=64)]
    last: bool = False
    energy: Share
    chords: Annotated[tuple[Symbol, ...], Field(min_length=1)]
    notes: dict[int, tuple[Stroke, ...]]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        starts = [start for start, *_ in self.chords]
        if starts != sorted(set(starts)):
            places = ", ".join(f"{at:g}" for at in starts)
            raise ValueError(
                f"chords begin at {places}; write them in order, each later than the one before it"
            )
        return self


class LearnedStyle(Entry):
    """The whole of a .style file. learning: the version of what learned it; 0 is not known."""

    format: Literal["thirdstream style"] = FORMAT
    version: Literal[1] = VERSION
    learning: Annotated[int, Field(ge=0)] = 0
    name: str
    recordings: Annotated[tuple[Source, ...], Field(min_length=1)]
    bars: Annotated[tuple[Bar, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        for number, bar in enumerate(self.bars):
            if bar.recording >= len(self.recordings):
                raise ValueError(
                    f"bar {number} (of bars, from 0) is of recording {bar.recording}, and there "
                    f"are {len(self.recordings)}, counted from 0; correct its number"
                )
            players = self.recordings[bar.recording].players
            if any(not 0 <= player < len(players) for player in bar.notes):
                raise ValueError(
                    f"bar {number} (of bars, from 0) has notes of a player beyond the "
                    f"{len(players)} of its recording, counted from 0; correct their number"
                )
            if any(players[player].role == "melody" for player in bar.notes):
                raise ValueError(
                    f"bar {number} (of bars, from 0) has notes of a player of the melody, and "
                    "bars have what accompanies it; take them out, or change the player's role"
                )
        return self

    @property
    def tempo(self) -> float:
        """Beats a minute, the median of its recordings."""
        return median(one.tempo for one in self.recordings)

    def swing(self, tempo: float) -> float:
        """That of the recordings nearest in tempo: the median of a quarter of them."""
        ordered = sorted(self.recordings, key=lambda one: abs(math.log(one.tempo / tempo)))
        return median(one.swing for one in ordered[: math.ceil(len(ordered) / 4)])

    @property
    def phrasing(self) -> Phrasing:
        """How its soloists phrase a melody, in the median of its recordings."""
        names = ("anticipation", "approach", "short")
        return Phrasing(**{n: median(getattr(one, n) for one in self.recordings) for n in names})

    @property
    def has_drums(self) -> bool:
        """Whether most of its recordings have."""
        n = sum(any(p.role == "drums" for p in one.players) for one in self.recordings)
        return 2 * n > len(self.recordings)

    @property
    def reverberation(self) -> Reverberation | None:
        """The median of its recordings; None where all are MIDI files."""
        rooms = [one.reverberation for one in self.recordings if one.reverberation is not None]
        return middle_of(rooms) if rooms else None

    @property
    def balance_db(self) -> tuple[float, ...] | None:
        """Band by band the median of its recordings; None where all are MIDI files."""
        known = [one.balance_db for one in self.recordings if one.balance_db is not None]
        return tuple(map(median, zip(*known, strict=True))) if known else None

    @property
    def in_covers(self) -> Style:
        """What covers ask of any style."""
        entrance = Entrance(first=0.0, spread=0.5)  # all of a bar from a strength of a half on
        return Style.model_construct(
            style=self.name,
            accents="off-beats" if self.swing(self.tempo) > 1 else "bar lines",
            instruments={},
            levels=Levels(melody=94, added=62),
            bass_below=BASS_BELOW,
            entrances=Entrances(harmony=entrance, bass=entrance),
        )

    def source(self, bar: Bar) -> Source:
        """The recording of a bar."""
        return self.recordings[bar.recording]


def _content(path: Path) -> dict[str, Any]:
    """Of a .style file, unchecked but for its format."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ThirdstreamError(
                f"{path}: has more than {MOST_BYTES // 1_000_000} MB; learn from fewer recordings"
            )
        content = json_in(path)
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: cannot be read: {error.strerror}; check the path"
        ) from error
    except ValueError as error:
        raise ThirdstreamError(
            f"{path}: is no style file ({error}); correct that place, or make one with "
            "`thirdstream learn-style`"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ThirdstreamError(
            f"{path}: is no style file (its format is not {FORMAT!r}); make one with "
            "`thirdstream learn-style`"
        )
    return content


@lru_cache(maxsize=4)
def _read(path: Path, modified: float) -> LearnedStyle:
    content = _content(path)
    try:
        return LearnedStyle.model_validate(content)
    except ValidationError as error:
        raise ThirdstreamError(f"{path}: {fault_in(error)} ({SEE})") from error


def read_learned(path: Path) -> LearnedStyle:
    """A .style file. Raises ThirdstreamError that names the file, the entry and the remedy."""
    try:
        modified = path.stat().st_mtime
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: cannot be read: {error.strerror}; give a style file of `thirdstream "
            "learn-style`"
        ) from error
    return _read(path, modified)


def learning_of(path: Path) -> Any:
    """The `learning` of a .style file, even if its entries are those of another version."""
    return _content(path).get("learning", LearnedStyle.model_fields["learning"].default)


def write_learned(path: Path, style: LearnedStyle) -> None:
    """Write a .style file, a recording or a bar a line, whole or not at all."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(_lines(style))


def _lines(style: LearnedStyle) -> Iterator[str]:
    content = style.model_dump(mode="json", exclude_defaults=True)
    head = {"format": FORMAT, "version": VERSION, "learning": style.learning, "name": style.name}
    yield "{" + json.dumps(head, ensure_ascii=False)[1:-1] + ",\n"
    for name, end in (("recordings", ",\n"), ("bars", "\n}\n")):
        rows = (json.dumps(one, ensure_ascii=False) for one in content[name])
        yield f'"{name}": [\n' + ",\n".join(rows) + "\n]" + end
