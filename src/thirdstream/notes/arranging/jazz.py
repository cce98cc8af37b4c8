"""Jazz arrangements: swung melody with ornaments, comping, bass and drums.

Everything is laid out in even eighths, and swung at the end: the first eighth of a beat takes
`swing_ratio` times as long as the second (Friberg and Sundstrom 2002: about 2 at slow tempi, nearly
even at fast ones).
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from thirdstream.notes.arranging import bass as basses
from thirdstream.notes.arranging.drums import drums
from thirdstream.notes.arranging.ensembles import (
    DOUBLE_BASS,
    GROOVES,
    JAZZ_GUITAR,
    PIANO,
    SAXOPHONES,
    TROMBONES,
    TRUMPETS,
    Arrangement,
    Instrument,
    into_range,
    loudness,
    outside,
    track,
)
from thirdstream.notes.arranging.harmony import Change, changes
from thirdstream.notes.arranging.pulse import Cell, Pulse
from thirdstream.notes.arranging.voicing import comping_pitches
from thirdstream.notes.types import Note, Score, Song, Span

DRUM_SET = Instrument("drums", 0, 0, 127)
# Where so many beats are struck, and for how long; in beats, before swing.
Rhythm = tuple[tuple[float, float], ...]
COMPING: dict[int, tuple[Rhythm, ...]] = {
    4: (
        ((0.0, 1.4), (1.5, 0.5)),
        ((0.5, 0.5), (2.5, 1.0)),
        ((1.5, 0.4), (3.5, 0.5)),
        ((0.0, 0.4), (2.5, 0.4)),
        ((1.0, 0.4), (2.5, 0.4), (3.0, 0.8)),
        ((1.5, 2.0),),
        ((0.0, 0.3), (1.5, 0.3), (3.0, 0.3)),
    ),
    3: (
        ((0.0, 1.4), (1.5, 1.0)),
        ((1.0, 0.4), (2.0, 0.4)),
        ((0.5, 0.4), (1.5, 1.2)),
        ((1.5, 0.4),),
        ((0.0, 2.5),),
    ),
    2: (
        ((0.0, 1.4), (1.5, 0.5)),
        ((0.0, 0.4), (1.5, 0.4)),
        ((1.0, 0.4),),
        ((0.5, 0.4), (1.5, 0.4)),
    ),
    1: (((0.0, 0.8),), ((0.5, 0.4),)),
}
BOSSA: dict[int, tuple[Rhythm, ...]] = COMPING | {
    4: (
        ((0.0, 0.8), (1.0, 0.4), (1.5, 1.0), (3.0, 0.8)),
        ((0.0, 0.4), (1.5, 0.8), (2.5, 0.4), (3.5, 0.5)),
        ((0.5, 0.8), (1.5, 0.4), (2.0, 0.8), (3.5, 0.5)),
    ),
}
STABS: dict[int, tuple[Rhythm, ...]] = {
    4: (
        ((0.0, 0.3), (1.5, 0.3)),
        ((2.5, 0.3), (3.5, 0.3)),
        ((1.5, 0.3), (3.0, 0.5)),
        ((3.5, 0.3),),
        (),
    ),
    3: (((0.0, 0.3), (1.5, 0.3)), ((1.5, 0.3), (2.5, 0.3)), ()),
    2: (((0.0, 0.3), (1.5, 0.3)), ((1.5, 0.3),), ()),
    1: ((),),
}

BassLine = Callable[[Sequence[Change], Sequence[Cell], random.Random], Iterator[Note]]
BASS_LINES: dict[str, BassLine] = {
    "ballad": basses.in_two,
    "bossa nova": basses.bossa,
    "jazz waltz": basses.waltz,
    "trio waltz": basses.waltz,
}


def jazz(score: Score, *, groove: str, beats_per_minute: float, rng: random.Random) -> Arrangement:
    """Arrange a piece in one of GROOVES; the key is the score's."""
    how, pulse = GROOVES[groove], Pulse(score)
    harmony = changes(pulse.score)
    ratio = 1.0 if how.straight else swing_ratio(beats_per_minute / pulse.length)
    n_beats = score.n_beats
    horns = (_head if groove == "big band" else _lead)(pulse, harmony, groove, rng)
    parts = [*horns, *rhythm_section(pulse, harmony, groove, rng)]
    tracks = [track(i, _swung(notes, pulse, ratio, rng), n_beats) for i, notes in _merged(parts)]
    kit = replace(DRUM_SET, program=how.kit)
    strokes = _swung(list(drums(groove, pulse.bars, rng)), pulse, ratio, rng)
    tracks.append(track(kit, strokes, n_beats, is_drums=True))
    song = Song(tuple(tracks), beats_per_minute, metres=score.metres)
    return Arrangement("jazz", how.ensemble, groove, song, score.n_bars)


Part = tuple[Instrument, list[Note]]


def rhythm_section(
    pulse: Pulse, harmony: Sequence[Change], groove: str, rng: random.Random
) -> list[Part]:
    """Who comps, and the bass; in even beats."""
    comping = list(_comp(pulse, harmony, groove, rng))
    line = BASS_LINES.get(groove, basses.walking)
    parts = [(_comper(groove, rng), comping)]
    parts.append((DOUBLE_BASS, list(line(harmony, pulse.cells, rng))))
    return [(instrument, outside(notes, pulse.score.tacet)) for instrument, notes in parts]


def _merged(parts: Sequence[Part]) -> list[Part]:
    """A pianist's two hands on one track."""
    merged: dict[str, Part] = {}
    for instrument, notes in parts:
        merged.setdefault(instrument.name, (instrument, []))[1].extend(notes)
    return list(merged.values())


def swing_ratio(beats_per_minute: float) -> float:
    """Length of a beat's first eighth over that of its second, by tempo."""
    return max(1.2, min(2.2, 2.2 - (beats_per_minute - 90) * 0.008))


def _swung(notes: Sequence[Note], pulse: Pulse, ratio: float, rng: random.Random) -> list[Note]:
    """Notes in swing and in quarter notes, each up to a fiftieth of one late."""
    result = []
    for note in notes:
        late = rng.uniform(0.0, 0.02)
        start, end = pulse.quarters(note.start, ratio), pulse.quarters(note.end, ratio)
        result.append(Note(start + late, max(end - start - late, 0.05), note.pitch, note.velocity))
    return result


def _comper(groove: str, rng: random.Random) -> Instrument:
    if groove == "bossa nova":
        return rng.choice([PIANO, PIANO, Instrument("nylon guitar", 24, 40, 79, 80)])
    if groove in ("trio swing", "trio waltz"):
        return PIANO
    return rng.choice([PIANO, PIANO, JAZZ_GUITAR])


def _lead(pulse: Pulse, harmony: Sequence[Change], groove: str, rng: random.Random) -> list[Part]:
    """The melody for one player, phrased."""
    score = pulse.score
    if groove in ("trio swing", "trio waltz"):
        melody = phrased(into_range(score.melody, 62, 88), rng, even=False)
        return [(PIANO, melody + _octaves(melody, rng))]
    lead = rng.choice(GROOVES[groove].leads)
    melody = into_range(score.melody, lead.lowest + 3, lead.highest)
    return [(lead, phrased(melody, rng, even=groove == "bossa nova"))]


def _octaves(melody: Sequence[Note], rng: random.Random) -> list[Note]:
    """The octave above some of the longer notes, as pianists play the head."""
    return [
        replace(note, pitch=note.pitch + 12, velocity=loudness(note.velocity - 12))
        for note in melody
        if note.length >= 0.9 and note.pitch <= 82 and rng.random() < 0.5
    ]


def phrased(melody: Sequence[Note], rng: random.Random, *, even: bool) -> list[Note]:
    """A melody as a jazz player phrases it.

    Some notes on the beat come an eighth early where there is room, long ones get an approach note
    a semitone below, short ones before long ones are cut, off-beats are accented.
    """
    played: list[Note] = []
    for number, note in enumerate(melody):
        before_end = played[-1].end if played else 0.0
        start, room = note.start, note.start - (melody[number - 1].start if number else 0.0)
        on_beat = abs(start - round(start)) < 1e-6
        if on_beat and room >= 1.0 and start >= 0.5 and note.length >= 1 and rng.random() < 0.3:
            start -= 0.5
        length = note.end - start
        length *= 0.95 if length >= 1 else (0.8 if even else rng.choice([0.9, 0.9, 0.55]))
        if played and before_end > start:
            played[-1] = replace(played[-1], length=max(start - played[-1].start, 0.1))
        velocity = 92 + (8 if start % 1.0 else 0) + rng.uniform(-8, 8)
        if start == note.start and room >= 1.5 and note.length >= 1 and rng.random() < 0.35:
            grace = start - 0.5
            played[-1:] = [replace(p, length=max(min(p.end, grace) - p.start, 0.1))
                           for p in played[-1:]]  # fmt: skip
            played.append(Note(grace, 0.45, note.pitch - 1, loudness(velocity - 14)))
        played.append(Note(start, length, note.pitch, loudness(velocity)))
    return played


def _comp(
    pulse: Pulse, harmony: Sequence[Change], groove: str, rng: random.Random
) -> Iterator[Note]:
    """Chords in varied rhythms; what is struck an eighth before a new chord belongs to that one."""
    rhythms = BOSSA if groove == "bossa nova" else COMPING
    strokes = _strokes(rhythms, pulse.bars, rng)
    pitches: tuple[int, ...] = ()
    level = 56 if groove == "big band" else 62
    for change in harmony:
        chord = change.chord
        pitches = comping_pitches(chord, pitches, to_minor=change.to_minor)
        own = [s for s in strokes if chord.start - 0.5 <= s[0] < chord.end - 0.5]
        for start, length in own or [(chord.start, 0.8)]:
            velocity = level + rng.uniform(-8, 8)
            for pitch in pitches:
                yield Note(max(start, 0.0), length, pitch, loudness(velocity + rng.uniform(-3, 3)))


def _strokes(
    rhythms: Mapping[int, Sequence[Rhythm]], bars: Sequence[Sequence[Cell]], rng: random.Random
) -> list[tuple[float, float]]:
    """Starts and lengths of strokes, a rhythm a cell; one rhythm is kept for two bars at a time."""
    strokes = []
    kept: dict[int, Rhythm] = {}
    for number, bar in enumerate(bars):
        anew = number % 2 == 0 or rng.random() < 0.5
        for cell in bar:
            if anew or cell.length not in kept:
                kept[cell.length] = rng.choice(rhythms[cell.length])
            strokes += [(cell.start + start, length) for start, length in kept[cell.length]]
    return strokes


def _head(pulse: Pulse, harmony: Sequence[Change], groove: str, rng: random.Random) -> list[Part]:
    """Big band: the melody phrased, in saxophones, and brass that answers."""
    melody = phrased(into_range(pulse.score.melody, 62, SAXOPHONES[0].highest), rng, even=False)
    section = saxophones(melody, harmony, pulse.score.tacet)
    return [*section, *brass(pulse, harmony, melody, rng)]


def saxophones(
    melody: Sequence[Note], harmony: Sequence[Change], tacet: Sequence[Span]
) -> list[Part]:
    """The melody in four-part saxophones, the lead first; alone where the others are tacet."""
    lines: list[list[Note]] = [[] for _ in SAXOPHONES]
    for note in melody:
        chord = _change_at(harmony, note.start + 0.5 * (note.start % 1.0 > 0.4))
        for line, saxophone, pitch in zip(lines, SAXOPHONES, block(note.pitch, chord), strict=True):
            if saxophone.lowest <= pitch <= saxophone.highest:
                line.append(replace(note, pitch=pitch))
    lines[1:] = [outside(line, tacet) for line in lines[1:]]
    return list(zip(SAXOPHONES, lines, strict=True))


def brass(
    pulse: Pulse, harmony: Sequence[Change], melody: Sequence[Note], rng: random.Random
) -> list[Part]:
    """Trumpets and trombones, which answer the melody; all in even beats."""
    stabs = outside(list(_stabs(pulse, harmony, melody, rng)), pulse.score.tacet)
    high = [note for note in stabs if note.pitch >= 60]
    return [(TRUMPETS, high), (TROMBONES, [note for note in stabs if note.pitch < 60])]


def _change_at(harmony: Sequence[Change], beat: float) -> Change:
    return harmony[max(bisect_right(harmony, beat + 1e-6, key=lambda c: c.chord.start) - 1, 0)]


def block(pitch: int, change: Change) -> tuple[int, ...]:
    """Four-part block chord below a melody note, highest first, the second voice an octave lower.

    The voices take the chord's notes below the melody; a melody note foreign to the chord stands
    for the chord's note nearest to it ("drop two").
    """
    chord = change.chord
    classes = {(chord.root + i) % 12 for i in (chord.third, chord.fifth, chord.seventh, 0)
               if i is not None}  # fmt: skip
    below = [p for p in range(pitch - 1, pitch - 38, -1) if p % 12 in classes]
    own = pitch % 12 in classes
    start = 0 if own or pitch - below[0] > 2 else 1
    second, third, fourth = below[start : start + 3]
    return (pitch, third, fourth, second - 12)


def _stabs(
    pulse: Pulse, harmony: Sequence[Change], melody: Sequence[Note], rng: random.Random
) -> Iterator[Note]:
    """Short brass chords where the melody rests or holds."""
    busy = {round(2 * note.start) for note in melody}
    pitches: tuple[int, ...] = ()
    for start, length in _strokes(STABS, pulse.bars, rng):
        if round(2 * start) in busy:
            continue
        change = _change_at(harmony, start + 0.5 * (start % 1.0 > 0))
        pitches = comping_pitches(change.chord, pitches, to_minor=change.to_minor)
        for pitch in pitches:
            yield Note(start, length, pitch, loudness(86 + rng.uniform(-6, 6)))
