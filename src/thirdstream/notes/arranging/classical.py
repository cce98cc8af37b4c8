"""Classical arrangements: the melody over led voices, in textures and keyboard figures.

Figures fall on the beats of the metre and on their parts, halves or thirds.

Every accompaniment is the same four or five led voices (voicing.py), held, repeated or broken; a
voice never strays from its line, so a figure cannot bring in a parallel the voices do not have.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from thirdstream.notes.arranging.ensembles import (
    CLASSICAL,
    KEYBOARDS,
    Arrangement,
    Instrument,
    folded,
    into_range,
    loudness,
    outside,
    track,
)
from thirdstream.notes.arranging.pulse import in_thirds
from thirdstream.notes.arranging.voicing import Slot, lead_voices, slots
from thirdstream.notes.metre import Metres
from thirdstream.notes.types import Note, Score, Song, Track

MELODY_LOWEST = {  # room for the voices below it
    "string quartet": 64,
    "string orchestra": 64,
    "wind quintet": 68,
    "piano": 64,
    "organ": 62,
    "harpsichord": 62,
}
TEXTURES = {
    "string quartet": ("sustained", "sustained", "pulse", "afterbeats"),
    "string orchestra": ("sustained", "sustained", "pulse"),
    "wind quintet": ("sustained", "sustained", "afterbeats"),
    "piano": ("alberti", "arpeggio", "chords"),
    "organ": ("sustained",),
    "harpsichord": ("spread", "alberti", "arpeggio"),
}
DOUBLE_BASSES = Instrument("double basses", 48, 28, 55, 96)
SECTION_BARS, PHRASE_BARS = 8, 4
LEVEL = 68.0  # velocity of the voices where a phrase begins
SWELL = 16.0  # how much louder its middle is

# A note before it has a loudness: start, length, pitch, voice (0 the highest below the melody).
Struck = tuple[float, float, int, int]


def classical(
    score: Score, *, ensemble: str, beats_per_minute: float, rng: random.Random
) -> Arrangement:
    """Arrange a piece for one of CLASSICAL's ensembles; the key is the score's."""
    instruments = CLASSICAL[ensemble]
    if len(score.voices) == len(instruments) - 1:
        melody, voices = _as_written(score, instruments, rng)
    else:
        lead = instruments[0]
        melody = into_range(score.melody, MELODY_LOWEST[ensemble], lead.highest)
        voices = accompaniment(score, melody, ensemble, rng)
    melody = _shaped(melody, score, 12.0, rng)
    if ensemble == "harpsichord":
        melody = ornamented(melody, score, rng)
    lines = [melody, *voices]
    if ensemble in KEYBOARDS:
        tracks = _keyboard(instruments[0], lines, score.n_beats, pedal=ensemble == "organ")
    else:
        tracks = [track(i, line, score.n_beats) for i, line in zip(instruments, lines, strict=True)]
    if ensemble == "string orchestra":
        tracks.append(track(DOUBLE_BASSES, octave_below(voices[-1]), score.n_beats))
    song = Song(tuple(tracks), beats_per_minute, metres=score.metres)
    return Arrangement("classical", ensemble, "straight", song, score.n_bars)


def _as_written(
    score: Score, instruments: Sequence[Instrument], rng: random.Random
) -> tuple[tuple[Note, ...], list[tuple[Note, ...]]]:
    """The parts of a four-part score, kept in range."""
    lines = [
        tuple(replace(n, pitch=folded(n.pitch, i.lowest, i.highest)) for n in part)
        for i, part in zip(instruments, (score.melody, *score.voices), strict=True)
    ]
    return lines[0], [_shaped(line, score, 0.0, rng) for line in lines[1:]]


def accompaniment(
    score: Score,
    melody: Sequence[Note],
    ensemble: str,
    rng: random.Random,
    *,
    textures: Sequence[str] = (),
) -> list[tuple[Note, ...]]:
    """The voices below the melody, one texture a section; `textures` of each, else drawn."""
    instruments = CLASSICAL[ensemble][1:]
    stretches = slots(score.chords, melody, score.metres)
    led = lead_voices(stretches, instruments)
    n_sections = math.ceil(score.n_bars / SECTION_BARS)
    names = textures or [rng.choice(TEXTURES[ensemble]) for _ in range(n_sections + 1)]
    lines: list[list[Note]] = [[] for _ in instruments]
    for number, (slot, pitches) in enumerate(zip(stretches, led, strict=True)):
        bar = score.metres.bar(slot.start)
        figure = FIGURES[names[bar // SECTION_BARS]]
        is_last = number == len(stretches) - 1
        for start, long, pitch, voice in (held if is_last else figure)(
            slot, pitches, Grid(score.metres, bar)
        ):
            lines[voice].append(Note(start, long, pitch))
    return [_shaped(outside(_tied(line), score.tacet), score, 0.0, rng) for line in lines]


class Grid:
    """Where figures strike in a bar. In bars of quarters they count from where a chord begins, in
    all others from beat to beat; each place with how long it is to the next.
    """

    def __init__(self, metres: Metres, bar: int) -> None:
        self.metre, self.line = metres.metre_of(bar), metres.line(bar)
        self.in_thirds = all(map(in_thirds, self.metre.beats))
        self.in_quarters = set(self.metre.beats) == {1.0} and len(set(self.metre.cells)) == 1
        firsts = accumulate(self.metre.cells[:-1], initial=0)
        in_cells = self.metre.is_even and not self.in_thirds
        places = self.metre.places
        self.groups = [places[first] for first in firsts] if in_cells else places

    def begins(self, slot: Slot, start: float) -> bool:
        """Whether a figure begins anew: with the slot, or a group of the metre's notes."""
        groups = () if self.in_quarters else self.groups
        return start - slot.start < 1e-6 or any(
            abs(start - self.line - place) < 1e-6 for place in groups
        )

    def beats(self, slot: Slot) -> list[tuple[float, float]]:
        """The beats of a slot."""
        return self._steps(slot, 1.0, [*zip(self.metre.places, self.metre.beats, strict=True)])

    def parts(self, slot: Slot) -> list[tuple[float, float]]:
        """Halves, or thirds, of beats."""
        return self._steps(slot, 0.5, [
            (place + part * length / n, length / n)
            for place, length in zip(self.metre.places, self.metre.beats, strict=True)
            for n in [3 if in_thirds(length) else 2]
            for part in range(n)
        ])  # fmt: skip

    def pairs(self, slot: Slot) -> list[tuple[float, float]]:
        """Every second beat; of beats of three parts each."""
        beats = [*zip(self.metre.places, self.metre.beats, strict=True)]
        if self.in_thirds:
            return self._steps(slot, 2.0, beats)
        pairs = [
            (beats[k][0], sum(length for _, length in beats[k : min(k + 2, first + n)]))
            for first, n in zip(accumulate((0, *self.metre.cells)), self.metre.cells, strict=False)
            for k in range(first, first + n, 2)
        ]  # fmt: skip
        return self._steps(slot, 2.0, pairs)

    def _steps(
        self, slot: Slot, step: float, places: Sequence[tuple[float, float]]
    ) -> list[tuple[float, float]]:
        if self.in_quarters:
            n_steps = math.ceil(slot.length / step - 1e-6)
            return [(slot.start + number * step, step) for number in range(n_steps)]
        end = slot.start + slot.length
        inside = [(self.line + at, length) for at, length in places
                  if slot.start - 1e-6 < self.line + at < end - 1e-6]  # fmt: skip
        if not inside or inside[0][0] > slot.start + 1e-6:
            first = inside[0][0] if inside else end
            inside.insert(0, (slot.start, first - slot.start))
        return inside


def held(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Every voice sounds all the time."""
    for voice, pitch in enumerate(pitches):
        yield slot.start, slot.length, pitch, voice


def pulse(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Inner voices repeat the parts of beats, the bass beats."""
    for voice, pitch in enumerate(pitches):
        steps = grid.beats if voice == len(pitches) - 1 else grid.parts
        for start, length in steps(slot):
            yield start, length * 0.8, pitch, voice


def afterbeats(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """The bass where a chord begins, and where the metre's groups do; the inner voices on the
    other beats, or their other parts where they have three, short."""
    beats = grid.parts(slot) if grid.in_thirds else grid.beats(slot)
    firsts = [(start, length) for start, length in beats if grid.begins(slot, start)]
    for start, length in firsts:
        yield start, min(length, slot.length) * 0.9, pitches[-1], len(pitches) - 1
    others = [beat for beat in beats if beat not in firsts]
    for voice, pitch in enumerate(pitches[:-1]):
        for start, length in others or beats:
            yield start, 0.6 * length, pitch, voice


def alberti(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Broken: low, high, middle, high; in beats of three parts, low, middle, high."""
    *_, high, middle, low = range(len(pitches))
    orders = {2: (low, high, middle, high), 3: (low, middle, high)}
    yield from _broken(slot, pitches, orders, grid, pedal=False)


def arpeggio(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Broken upwards and back, or up in beats of three parts; all sounds on, as with the pedal."""
    *_, high, middle, low = range(len(pitches))
    orders = {2: (low, middle, high, middle), 3: (low, middle, high)}
    yield from _broken(slot, pitches, orders, grid, pedal=True)


def _broken(
    slot: Slot,
    pitches: Sequence[int],
    orders: Mapping[int, Sequence[int]],
    grid: Grid,
    *,
    pedal: bool,
) -> Iterator[Struck]:
    order, number = orders[3 if grid.in_thirds else 2], -1
    for start, long in grid.parts(slot):
        number = 0 if grid.begins(slot, start) else number + 1
        voice = order[number % len(order)]
        length = slot.start + slot.length - start if pedal else long
        yield start, length, pitches[voice], voice


def chords(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """The bass sounds on, the other voices strike on the beats after it."""
    yield slot.start, slot.length, pitches[-1], len(pitches) - 1
    beats = grid.beats(slot)
    for start, length in beats[1:] or beats:
        for voice, pitch in enumerate(pitches[:-1]):
            yield start, 0.75 * length, pitch, voice


def spread(slot: Slot, pitches: Sequence[int], grid: Grid) -> Iterator[Struck]:
    """Every two beats a chord, rolled from the bass up."""
    for start, length in grid.pairs(slot):
        end = min(start + length, slot.start + slot.length)
        for rank, (voice, pitch) in enumerate(reversed(list(enumerate(pitches)))):
            late = min(0.07 * rank, (end - start) / 4)
            yield start + late, end - start - late, pitch, voice


FIGURES: dict[str, Callable[[Slot, Sequence[int], Grid], Iterator[Struck]]] = {
    "sustained": held,
    "pulse": pulse,
    "afterbeats": afterbeats,
    "alberti": alberti,
    "arpeggio": arpeggio,
    "chords": chords,
    "spread": spread,
}


def _tied(line: Sequence[Note]) -> tuple[Note, ...]:
    """Long notes of one pitch that touch become one, up to two bars of four."""
    joined: list[Note] = []
    for note in sorted(line):
        last = joined[-1] if joined else None
        touches = last is not None and last.pitch == note.pitch and note.start - last.end < 1e-6
        if last and touches and note.length >= 2 and last.length + note.length <= 8:
            joined[-1] = replace(last, length=last.length + note.length)
        else:
            joined.append(note)
    return tuple(joined)


def swell(beat: float, metres: Metres) -> float:
    """How far into its phrase a beat lies, as loudness: 0 at both ends, 1 in the middle."""
    return math.sin(math.pi * (metres.number(beat) / PHRASE_BARS % 1.0))


def _shaped(
    line: Sequence[Note], score: Score, louder: float, rng: random.Random
) -> tuple[Note, ...]:
    """Loudness by phrase and bar, ends a little early; no two players are exactly together."""
    shaped = []
    for note in line:
        velocity = LEVEL + louder + SWELL * swell(note.start, score.metres)
        velocity += 4.0 * (score.metres.within(note.start) < 1e-6) + rng.uniform(-3, 3)
        late = rng.uniform(0.0, 0.012)
        length = max(note.length * 0.97 - late, 0.04)
        shaped.append(Note(note.start + late, length, note.pitch, loudness(velocity)))
    return tuple(shaped)


def ornamented(
    melody: Sequence[Note], score: Score, rng: random.Random, *, share: float = 0.35
) -> tuple[Note, ...]:
    """Mordents with the upper neighbour of the scale on a share of the longer notes."""
    used = [sum(note.pitch % 12 == c for note in score.melody) for c in range(12)]
    played: list[Note] = []
    for note in melody:
        if note.length < 0.9 or rng.random() > share:
            played.append(note)
            continue
        above = note.pitch + (1 if used[(note.pitch + 1) % 12] > used[(note.pitch + 2) % 12] else 2)
        played.append(replace(note, length=0.11))
        played.append(replace(note, start=note.start + 0.12, length=0.11, pitch=above))
        played.append(replace(note, start=note.start + 0.24, length=note.length - 0.24))
    return tuple(played)


def _keyboard(
    lead: Instrument, lines: Sequence[Sequence[Note]], n_beats: float, *, pedal: bool
) -> list[Track]:
    """All voices on one track; the organ's bass sounds an octave lower too."""
    notes = [note for line in lines for note in line]
    if pedal:
        notes += [replace(note, pitch=note.pitch - 12) for note in lines[-1]]
    return [track(lead, notes, n_beats)]


def octave_below(cellos: Sequence[Note]) -> list[Note]:
    """What double basses play with the cellos."""
    lowest, highest = DOUBLE_BASSES.lowest, DOUBLE_BASSES.highest
    return [replace(n, pitch=folded(n.pitch - 12, lowest, highest)) for n in cellos]
