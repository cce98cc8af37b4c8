"""Classical arrangements: the melody over led voices, in textures and keyboard figures.

Every accompaniment is the same four or five led voices (voicing.py), held, repeated or broken; a
voice never strays from its line, so a figure cannot bring in a parallel the voices do not have.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from thirdstream.notes.arranging.ensembles import (
    CLASSICAL,
    KEYBOARDS,
    Arrangement,
    Instrument,
    folded,
    into_range,
    loudness,
    track,
)
from thirdstream.notes.arranging.voicing import Slot, lead_voices, slots
from thirdstream.notes.midi import Song, Track
from thirdstream.notes.score import Note, Score

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
    song = Song(tuple(tracks), beats_per_minute, score.beats_per_bar)
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
    stretches = slots(score.chords, melody, score.beats_per_bar)
    led = lead_voices(stretches, instruments)
    length = SECTION_BARS * score.beats_per_bar
    names = textures or [
        rng.choice(TEXTURES[ensemble]) for _ in range(math.ceil(score.n_beats / length) + 1)
    ]
    lines: list[list[Note]] = [[] for _ in instruments]
    for number, (slot, pitches) in enumerate(zip(stretches, led, strict=True)):
        texture = FIGURES[names[int(slot.start // length)]]
        is_last = number == len(stretches) - 1
        for start, long, pitch, voice in (held if is_last else texture)(slot, pitches):
            lines[voice].append(Note(start, long, pitch))
    return [_shaped(_tied(line), score, 0.0, rng) for line in lines]


def held(slot: Slot, pitches: Sequence[int]) -> Iterator[Struck]:
    """Every voice sounds all the time."""
    for voice, pitch in enumerate(pitches):
        yield slot.start, slot.length, pitch, voice


def pulse(slot: Slot, pitches: Sequence[int]) -> Iterator[Struck]:
    """Inner voices repeat eighths, the bass quarters."""
    for voice, pitch in enumerate(pitches):
        step = 1.0 if voice == len(pitches) - 1 else 0.5
        for start in _grid(slot, step):
            yield start, step * 0.8, pitch, voice


def afterbeats(slot: Slot, pitches: Sequence[int]) -> Iterator[Struck]:
    """The bass where a chord begins, the inner voices on the other beats, short."""
    beats = list(_grid(slot, 1.0))
    yield slot.start, min(1.0, slot.length) * 0.9, pitches[-1], len(pitches) - 1
    for voice, pitch in enumerate(pitches[:-1]):
        for start in beats[1:] or beats:
            yield start, 0.6, pitch, voice


def alberti(slot: Slot, pitches: Sequence[int]) -> Iterator[Struck]:
    """Broken in eighths: low, high, middle, high."""
    *_, high, middle, low = range(len(pitches))
    yield from _broken(slot, pitches, (low, high, middle, high), pedal=False)


def arpeggio(slot: Slot, pitches: Sequence[int]) -> Iterator[Struck]:
    """Broken upwards and back in eighths that sound on, as with the pedal."""
    *_, high, middle, low = range(len(pitches))
    yield from _broken(slot, pitches, (low, middle, high, middle), pedal=True)


def _broken(
    slot: Slot, pitches: Sequence[int], order: Sequence[int], *, pedal: bool
) -> Iterator[Struck]:
    for number, start in enumerate(_grid(slot, 0.5)):
        voice = order[number % len(order)]
        length = slot.start + slot.length - start if pedal else 0.5
        yield start, length, pitches[voice], voice


def chords(slot: Slot, pitches: Sequence[int]) -> Iterator[Struck]:
    """The bass sounds on, the other voices strike on the beats after it."""
    yield slot.start, slot.length, pitches[-1], len(pitches) - 1
    beats = list(_grid(slot, 1.0))
    for start in beats[1:] or beats:
        for voice, pitch in enumerate(pitches[:-1]):
            yield start, 0.75, pitch, voice


def spread(slot: Slot, pitches: Sequence[int]) -> Iterator[Struck]:
    """Every half bar a chord, rolled from the bass up."""
    for start in _grid(slot, 2.0):
        end = min(start + 2.0, slot.start + slot.length)
        for rank, (voice, pitch) in enumerate(reversed(list(enumerate(pitches)))):
            late = min(0.07 * rank, (end - start) / 4)
            yield start + late, end - start - late, pitch, voice


FIGURES: dict[str, Callable[[Slot, Sequence[int]], Iterator[Struck]]] = {
    "sustained": held,
    "pulse": pulse,
    "afterbeats": afterbeats,
    "alberti": alberti,
    "arpeggio": arpeggio,
    "chords": chords,
    "spread": spread,
}


def _grid(slot: Slot, step: float) -> Iterator[float]:
    for number in range(math.ceil(slot.length / step - 1e-6)):
        yield slot.start + number * step


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


def swell(beat: float, beats_per_bar: float) -> float:
    """How far into its phrase a beat lies, as loudness: 0 at both ends, 1 in the middle."""
    return math.sin(math.pi * (beat / (PHRASE_BARS * beats_per_bar) % 1.0))


def _shaped(
    line: Sequence[Note], score: Score, louder: float, rng: random.Random
) -> tuple[Note, ...]:
    """Loudness by phrase and bar, ends a little early; no two players are exactly together."""
    shaped = []
    for note in line:
        velocity = LEVEL + louder + SWELL * swell(note.start, score.beats_per_bar)
        velocity += 4.0 * (note.start % score.beats_per_bar < 1e-6) + rng.uniform(-3, 3)
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
