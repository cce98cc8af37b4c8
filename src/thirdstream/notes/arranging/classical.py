"""Classical arrangements: the melody over led voices, in textures and keyboard figures.

Every accompaniment is the same four or five led voices, held, repeated or broken.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from thirdstream.notes.arranging.arrangement import Arrangement, Line, merged, track
from thirdstream.notes.arranging.dynamics import swell
from thirdstream.notes.arranging.figures import FIGURES, Grid, held
from thirdstream.notes.arranging.form import SECTION_BARS
from thirdstream.notes.arranging.lines import folded, into_range, midi_velocity, outside
from thirdstream.notes.arranging.voice_leading import lead_voices, slots
from thirdstream.notes.styles.classical import ClassicalStyle, Ensemble, Voices
from thirdstream.notes.styles.entries import Instrument
from thirdstream.notes.types import Note, Score, Song


def classical(
    score: Score,
    style: ClassicalStyle,
    *,
    ensemble: str,
    beats_per_minute: float,
    rng: random.Random,
) -> Arrangement:
    """Arrange a piece for one of the style's ensembles; the key is the score's."""
    group = style.ensembles[ensemble]
    instruments = group.parts
    if len(score.voices) == len(instruments) - 1:
        parts = zip(instruments, (score.melody, *score.voices), strict=True)
        melody, *voices = (_in_octaves(part, i) for i, part in parts)
        voices = [shaped(voice, score, style.voices, rng) for voice in voices]
    else:
        melody = into_range(score.melody, group.melody_lowest, instruments[0].highest)
        voices = accompaniment(score, melody, group, style.voices, rng)
    melody = shaped(melody, score, style.voices, rng, louder=style.voices.melody)
    if group.ornaments:
        melody = ornamented(melody, score, rng, share=group.ornaments)
    lines: list[Line] = list(zip(instruments, (melody, *voices), strict=True))
    if group.octave_bass:
        lines.append((group.octave_bass, octave_below(voices[-1], group.octave_bass)))
    tracks = [track(i, notes, score.n_beats) for i, notes in merged(lines)]
    song = Song(tuple(tracks), beats_per_minute, metres=score.metres)
    return Arrangement("classical", ensemble, "straight", song, score.n_bars)


def _in_octaves(line: Sequence[Note], instrument: Instrument) -> tuple[Note, ...]:
    """Each note in the octave in which the instrument has it."""
    lowest, highest = instrument.lowest, instrument.highest
    return tuple(replace(note, pitch=folded(note.pitch, lowest, highest)) for note in line)


def octave_below(line: Sequence[Note], instrument: Instrument) -> tuple[Note, ...]:
    """What an instrument plays that doubles a bass at the octave."""
    return _in_octaves([replace(note, pitch=note.pitch - 12) for note in line], instrument)


def accompaniment(
    score: Score,
    melody: Sequence[Note],
    ensemble: Ensemble,
    levels: Voices,
    rng: random.Random,
    *,
    textures: Sequence[str] = (),
) -> list[tuple[Note, ...]]:
    """The voices below the melody, one texture a section; `textures` of each, else drawn."""
    instruments = ensemble.parts[1:]
    stretches = slots(score.chords, melody, score.metres)
    led = lead_voices(stretches, instruments)
    n_sections = math.ceil(score.n_bars / SECTION_BARS)
    names = textures or [rng.choice(ensemble.textures) for _ in range(n_sections + 1)]
    lines: list[list[Note]] = [[] for _ in instruments]
    for slot, pitches in zip(stretches, led, strict=True):
        bar = score.metres.bar(slot.start)
        figure = held if slot is stretches[-1] else FIGURES[names[bar // SECTION_BARS]]
        for start, length, pitch, voice in figure(slot, pitches, Grid(score.metres, bar)):
            lines[voice].append(Note(start, length, pitch))
    return [shaped(outside(_tied(line), score.tacet), score, levels, rng) for line in lines]


def _tied(line: Sequence[Note]) -> list[Note]:
    """Long notes of one pitch that touch become one, up to two bars of four."""
    joined: list[Note] = []
    for note in sorted(line):
        last = joined[-1] if joined else None
        touches = last is not None and last.pitch == note.pitch and note.start - last.end < 1e-6
        if last and touches and note.length >= 2 and last.length + note.length <= 8:
            joined[-1] = replace(last, length=last.length + note.length)
        else:
            joined.append(note)
    return joined


def shaped(
    line: Sequence[Note],
    score: Score,
    levels: Voices,
    rng: random.Random,
    *,
    louder: float = 0.0,
) -> tuple[Note, ...]:
    """Loudness by phrase and bar, ends a little early; no two players are exactly together."""
    played = []
    for note in line:
        velocity = levels.velocity + louder + levels.swell * swell(note.start, score.metres)
        velocity += 4.0 * (score.metres.within(note.start) < 1e-6) + rng.uniform(-3, 3)
        late = rng.uniform(0.0, 0.012)
        length = max(note.length * 0.97 - late, 0.04)
        played.append(Note(note.start + late, length, note.pitch, midi_velocity(velocity)))
    return tuple(played)


def ornamented(
    melody: Sequence[Note], score: Score, rng: random.Random, *, share: float
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
