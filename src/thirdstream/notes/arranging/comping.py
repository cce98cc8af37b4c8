"""Comping: the pianist's voicings, in varied rhythms."""

import random
from collections.abc import Iterator, Mapping, Sequence

from thirdstream.notes.arranging.harmony import Change
from thirdstream.notes.arranging.lines import midi_velocity, nearest
from thirdstream.notes.arranging.pulse import Cell, Pulse
from thirdstream.notes.styles.jazz import Comping, Rhythm, Rhythms, Voicing
from thirdstream.notes.types import Chord, Note

Voicings = Mapping[str, Sequence[Voicing]]


def comp(
    pulse: Pulse,
    harmony: Sequence[Change],
    comping: Comping,
    voicings: Voicings,
    rng: random.Random,
) -> Iterator[Note]:
    """Chords in varied rhythms; what is struck an eighth before a new chord belongs to that one."""
    strokes = drawn_strokes(comping.rhythms, pulse.bars, rng)
    pitches: tuple[int, ...] = ()
    for change in harmony:
        chord = change.chord
        pitches = comping_pitches(change, pitches, voicings)
        own = [s for s in strokes if chord.start - 0.5 <= s[0] < chord.end - 0.5]
        for start, length in own or [(chord.start, 0.8)]:
            velocity = comping.velocity + rng.uniform(-8, 8)
            for pitch in pitches:
                struck = midi_velocity(velocity + rng.uniform(-3, 3))
                yield Note(max(start, 0.0), length, pitch, struck)


def drawn_strokes(
    rhythms: Rhythms, bars: Sequence[Sequence[Cell]], rng: random.Random
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


def chord_type(chord: Chord, *, to_minor: bool = False) -> str:
    """The voicings that go with a chord; a dominant that resolves to minor is altered."""
    third, seventh = chord.third, chord.seventh
    if third in (5, 2):
        return "suspended"
    if third == 3 and chord.fifth == 6:
        return "half-diminished" if seventh == 10 else "diminished"
    if third == 3:
        return {11: "minor major", 9: "minor sixth"}.get(seventh or 10, "minor seventh")
    if seventh == 10:
        altered = to_minor or not {1, 8}.isdisjoint(chord.intervals)
        plain = "dominant to minor" if altered else "dominant"
        return {6: "flat fifth", 8: "augmented"}.get(chord.fifth, plain)
    colour = "augmented major" if chord.fifth == 8 else "major seventh"
    return "sixth" if seventh == 9 else colour


def comping_pitches(change: Change, previous: Sequence[int], voicings: Voicings) -> tuple[int, ...]:
    """The voicing of a chord that lies nearest to the one before; lowest note E3 to E flat 4."""
    centre = sum(previous) / len(previous) if previous else 60.0
    centre = 0.7 * centre + 0.3 * 60.0
    root, forms = change.chord.root, []
    for form in voicings[chord_type(change.chord, to_minor=change.to_minor)]:
        low = nearest((root + form[0]) % 12, centre - (form[-1] - form[0]) / 2, 52, 63)
        forms.append(tuple(low + interval - form[0] for interval in form))
    return min(forms, key=lambda pitches: (abs(sum(pitches) / len(pitches) - centre), pitches))
