"""Who plays: instruments with their ranges, ensembles, grooves; and what all arrangers share.

Ranges are comfortable ones, as MIDI pitches. Programs are General MIDI's, counted from 0.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from thirdstream.notes.types import Note, Song, Span, Track


@dataclass(frozen=True)
class Instrument:
    """A General MIDI program with the range it is written in; `pan` 0 (left) to 127 (right)."""

    name: str
    program: int
    lowest: int
    highest: int
    pan: int = 64


@dataclass(frozen=True)
class Arrangement:
    """A piece in a style: tracks at one tempo, and what was chosen for them."""

    style: str
    ensemble: str
    groove: str
    song: Song
    n_bars: int

    @property
    def seconds(self) -> float:
        """From the first bar line to the end of the last bar."""
        return self.song.metres.line(self.n_bars) * 60 / self.song.beats_per_minute


VIOLIN = Instrument("violin 1", 40, 55, 98, 40)
SECOND_VIOLIN = Instrument("violin 2", 40, 55, 88, 54)
VIOLA = Instrument("viola", 41, 48, 81, 74)
CELLO = Instrument("cello", 42, 36, 67, 88)
FLUTE = Instrument("flute", 73, 60, 94, 44)
OBOE = Instrument("oboe", 68, 58, 86, 56)
CLARINET = Instrument("clarinet", 71, 50, 84, 70)
HORN = Instrument("horn", 60, 41, 72, 84)
BASSOON = Instrument("bassoon", 70, 34, 62, 78)
PIANO = Instrument("piano", 0, 28, 100)
DOUBLE_BASS = Instrument("double bass", 32, 28, 55)

# Classical: melody first, bass last. The keyboards play all their voices on one track.
CLASSICAL: dict[str, tuple[Instrument, ...]] = {
    "string quartet": (VIOLIN, SECOND_VIOLIN, VIOLA, CELLO),
    "string orchestra": (
        Instrument("violins 1", 48, 55, 98, 36),
        Instrument("violins 2", 48, 55, 88, 52),
        Instrument("violas", 48, 48, 81, 76),
        Instrument("cellos", 48, 36, 67, 90),
    ),
    "wind quintet": (FLUTE, OBOE, CLARINET, HORN, BASSOON),
    "piano": (
        PIANO,
        Instrument("piano", 0, 52, 79),
        Instrument("piano", 0, 48, 74),
        Instrument("piano", 0, 36, 60),
    ),
    "organ": (
        Instrument("organ", 19, 55, 96),
        Instrument("organ", 19, 52, 84),
        Instrument("organ", 19, 48, 76),
        Instrument("organ", 19, 36, 60),
    ),
    "harpsichord": (
        Instrument("harpsichord", 6, 53, 89),
        Instrument("harpsichord", 6, 52, 81),
        Instrument("harpsichord", 6, 48, 74),
        Instrument("harpsichord", 6, 34, 60),
    ),
}
KEYBOARDS = frozenset(["piano", "organ", "harpsichord"])


@dataclass(frozen=True)
class Doubling:
    """Who plays along with others of an ensemble, at `parts` of it, by so much velocity softer."""

    instrument: Instrument
    parts: tuple[int, ...]
    softer: int


# In covers the string orchestra's melody and bass are doubled by who can be heard to begin: bowed
# strings alone blur where notes, and so beats, are.
HARP = Instrument("harp", 46, 31, 100, 32)
CONTINUO = Instrument("harpsichord", 6, 34, 89, 46)
DOUBLINGS: dict[str, tuple[Doubling, ...]] = {
    "strings and harp": (Doubling(HARP, (0, 3), 15),),
    "strings and harpsichord": (Doubling(CONTINUO, (0, 3), 15),),
    "chamber orchestra": (Doubling(FLUTE, (0,), 25), Doubling(HARP, (0, 3), 15)),
}

TENOR = Instrument("tenor saxophone", 66, 46, 76, 58)
ALTO = Instrument("alto saxophone", 65, 51, 82, 58)
TRUMPET = Instrument("trumpet", 56, 55, 84, 60)
MUTED_TRUMPET = Instrument("muted trumpet", 59, 55, 84, 60)
VIBRAPHONE = Instrument("vibraphone", 11, 53, 89, 70)
JAZZ_GUITAR = Instrument("jazz guitar", 26, 45, 79, 80)
LEADS = (TENOR, TENOR, TENOR, ALTO, TRUMPET, MUTED_TRUMPET, VIBRAPHONE)
# Of General MIDI's, those whose slow and soft lines a tagger takes for jazz: 14 of 14 ballads with
# trumpets, 7 of 10 with a tenor saxophone or a vibraphone (training pieces, two soundfonts).
SOFT_LEADS = (TRUMPET, MUTED_TRUMPET, MUTED_TRUMPET)
SAXOPHONES = (
    Instrument("alto saxophone 1", 65, 51, 82, 44),
    Instrument("alto saxophone 2", 65, 49, 80, 52),
    Instrument("tenor saxophone 1", 66, 44, 76, 60),
    Instrument("tenor saxophone 2", 66, 42, 74, 68),
)
TRUMPETS = Instrument("trumpets", 61, 50, 84, 84)
TROMBONES = Instrument("trombones", 57, 40, 72, 92)


@dataclass(frozen=True)
class Groove:
    """How the rhythm section plays.

    ensemble: what the group is called. tempo: beats a minute, from and to. in_three: for
    bars of three. kit: General MIDI drum kit. straight: even eighths instead of swung ones. weight:
    how often it is drawn, against the others. leads: who may play the melody.
    """

    ensemble: str
    tempo: tuple[float, float]
    in_three: bool = False
    kit: int = 0
    straight: bool = False
    weight: float = 1.0
    leads: tuple[Instrument, ...] = LEADS


GROOVES: dict[str, Groove] = {
    "swing": Groove("swing quartet", (120.0, 190.0)),
    "trio swing": Groove("piano trio", (110.0, 180.0), kit=40),
    "big band": Groove("big band", (120.0, 185.0)),
    "bossa nova": Groove(
        "bossa nova quartet", (110.0, 145.0), straight=True, weight=0.5, leads=SOFT_LEADS
    ),
    "ballad": Groove("ballad quartet", (66.0, 92.0), kit=40, leads=SOFT_LEADS),
    "jazz waltz": Groove("waltz quartet", (110.0, 165.0), in_three=True),
    "trio waltz": Groove("piano trio", (105.0, 155.0), in_three=True, kit=40),
}


def into_range(notes: Sequence[Note], lowest: int, highest: int) -> tuple[Note, ...]:
    """The melody in the octave in which most of its notes fit; the others are moved by octaves."""
    if not notes:
        return ()
    middle = (lowest + highest) / 2

    def cost(shift: int) -> tuple[int, float]:
        pitches = [note.pitch + shift for note in notes]
        outside = sum(not lowest <= pitch <= highest for pitch in pitches)
        return outside, abs(sum(pitches) / len(pitches) - middle)

    best = min(range(-48, 49, 12), key=cost)
    return tuple(replace(n, pitch=folded(n.pitch + best, lowest, highest)) for n in notes)


def during(line: Sequence[Note], start: float, end: float) -> Sequence[Note]:
    """The notes of a line, in order and never two at a time, that sound between two places."""
    first = bisect_right(line, start, key=lambda note: note.end)
    return line[first : bisect_left(line, end, key=lambda note: note.start)]


def outside(notes: Sequence[Note], spans: Sequence[Span]) -> list[Note]:
    """Notes that begin in no span; what sounds into one is cut where it begins."""
    starts, kept = [span.start for span in spans], []
    for note in notes:
        at = bisect_right(starts, note.start + 1e-3)
        if at and note.start < spans[at - 1].end - 1e-3:
            continue
        over = at < len(spans) and note.end > starts[at]
        kept.append(replace(note, length=starts[at] - note.start) if over else note)
    return kept


def folded(pitch: int, lowest: int, highest: int) -> int:
    """The same pitch class within a range of at least an octave, as near as can be."""
    if pitch < lowest:
        pitch += 12 * math.ceil((lowest - pitch) / 12)
    if pitch > highest:
        pitch -= 12 * math.ceil((pitch - highest) / 12)
    return pitch


def nearest(pitch_class: int, to: float, lowest: int = 0, highest: int = 127) -> int:
    """The pitch of a class nearest to `to` within a range of at least an octave."""
    inside = range(lowest + (pitch_class - lowest) % 12, highest + 1, 12)
    return min(inside, key=lambda pitch: abs(pitch - to))


def loudness(value: float) -> int:
    """A MIDI velocity, 1-127."""
    return max(1, min(127, round(value)))


def within(notes: Iterable[Note], n_beats: float) -> tuple[Note, ...]:
    """Notes in order that start at zero or later and end with the last bar."""
    kept = []
    for note in notes:
        start = max(note.start, 0.0)
        end = min(note.end, n_beats)
        if end - start > 0.01:
            kept.append(Note(start, end - start, note.pitch, note.velocity))
    return tuple(sorted(kept))


def track(
    instrument: Instrument, notes: Iterable[Note], n_beats: float, *, is_drums: bool = False
) -> Track:
    """The track of an instrument, cut to the piece; a pitch never sounds twice at a time."""
    last: dict[int, int] = {}
    kept: list[Note] = []
    for note in within(notes, n_beats):
        before = last.get(note.pitch)
        if before is not None and kept[before].end > note.start:
            one = kept[before]
            if note.start - one.start < 0.02:  # struck twice: once is enough
                kept[before] = replace(one, length=max(one.length, note.length))
                continue
            kept[before] = replace(one, length=note.start - one.start)
        last[note.pitch] = len(kept)
        kept.append(note)
    return Track(instrument.name, instrument.program, tuple(kept), is_drums, instrument.pan)
