"""The horns of a big band: block chords in saxophones, brass that answers."""

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from thirdstream.notes.arranging.arrangement import Line
from thirdstream.notes.arranging.comping import Voicings, comping_pitches, drawn_strokes
from thirdstream.notes.arranging.harmony import Change
from thirdstream.notes.arranging.lines import midi_velocity, outside
from thirdstream.notes.arranging.pulse import Pulse
from thirdstream.notes.styles.jazz import Horns
from thirdstream.notes.types import Note, Span


def saxophones(
    melody: Sequence[Note], harmony: Sequence[Change], horns: Horns, tacet: Sequence[Span]
) -> list[Line]:
    """The melody in four-part saxophones, the lead first; alone where the others are tacet."""
    lines: list[list[Note]] = [[] for _ in horns.saxophones]
    for note in melody:
        chord = _change_at(harmony, note.start + 0.5 * (note.start % 1.0 > 0.4))
        voices = zip(lines, horns.saxophones, block(note.pitch, chord), strict=True)
        for line, saxophone, pitch in voices:
            if saxophone.lowest <= pitch <= saxophone.highest:
                line.append(replace(note, pitch=pitch))
    lines[1:] = [outside(line, tacet) for line in lines[1:]]
    return list(zip(horns.saxophones, lines, strict=True))


def block(pitch: int, change: Change) -> tuple[int, ...]:
    """Four-part block chord below a melody note, highest first, the second voice an octave lower.

    The voices take the chord's notes below the melody; a melody note foreign to the chord stands
    for the chord's note nearest to it ("drop two").
    """
    chord = change.chord
    intervals = (chord.third, chord.fifth, chord.seventh, 0)
    classes = {(chord.root + i) % 12 for i in intervals if i is not None}
    below = [p for p in range(pitch - 1, pitch - 38, -1) if p % 12 in classes]
    own = pitch % 12 in classes
    start = 0 if own or pitch - below[0] > 2 else 1
    second, third, fourth = below[start : start + 3]
    return (pitch, third, fourth, second - 12)


def brass(
    pulse: Pulse,
    harmony: Sequence[Change],
    melody: Sequence[Note],
    horns: Horns,
    voicings: Voicings,
    rng: random.Random,
) -> list[Line]:
    """Trumpets and trombones, which answer the melody; all in even beats."""
    strokes = drawn_strokes(horns.rhythms, pulse.bars, rng)
    stabs = list(_stabs(strokes, harmony, melody, voicings, rng))
    stabs = outside(stabs, pulse.score.tacet)
    high, low = ([n for n in stabs if (n.pitch >= 60) == is_high] for is_high in (True, False))
    return list(zip(horns.brass, (high, low), strict=True))


def _stabs(
    strokes: Sequence[tuple[float, float]],
    harmony: Sequence[Change],
    melody: Sequence[Note],
    voicings: Voicings,
    rng: random.Random,
) -> Iterator[Note]:
    """Short brass chords where the melody rests or holds."""
    busy = {round(2 * note.start) for note in melody}
    pitches: tuple[int, ...] = ()
    for start, length in strokes:
        if round(2 * start) in busy:
            continue
        change = _change_at(harmony, start + 0.5 * (start % 1.0 > 0))
        pitches = comping_pitches(change, pitches, voicings)
        for pitch in pitches:
            yield Note(start, length, pitch, midi_velocity(86 + rng.uniform(-6, 6)))


def _change_at(harmony: Sequence[Change], beat: float) -> Change:
    return harmony[max(bisect_right(harmony, beat + 1e-6, key=lambda c: c.chord.start) - 1, 0)]
