"""Comping: the pianist's voicings, in varied rhythms."""

import random
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

from thirdstream.notes.arranging.harmony import Change
from thirdstream.notes.arranging.lines import midi_velocity, nearest
from thirdstream.notes.arranging.pulse import Cell, Pulse
from thirdstream.notes.styles.jazz import Comping, Rhythm, Rhythms, Voicing
from thirdstream.notes.types import Chord, Note

Voicings = Mapping[str, Sequence[Voicing]]
Struck = tuple[float, float]  # start and length, in even beats

KEPT, ANSWERS = 0.2, 3  # share of bars in the rhythm before; rhythms of which the fittest is played
EARLY, LATE = 0.2, 0.1  # shares of strokes that come an eighth earlier or later
THIN, GHOST = 0.35, 0.35  # in the thinnest bars, of strokes left out; in the fullest, more of them


def comp(
    pulse: Pulse,
    harmony: Sequence[Change],
    comping: Comping,
    voicings: Voicings,
    rng: random.Random,
) -> Iterator[Note]:
    """Chords in varied rhythms."""
    strokes = drawn_strokes(comping.rhythms, pulse.bars, rng)
    return voiced(strokes, harmony, comping, voicings, rng)


def voiced(
    strokes: Sequence[Struck],
    harmony: Sequence[Change],
    comping: Comping,
    voicings: Voicings,
    rng: random.Random,
) -> Iterator[Note]:
    """Chords at given strokes; what is struck an eighth before a new chord belongs to that one."""
    pitches: tuple[int, ...] = ()
    strokes = sorted(strokes, key=itemgetter(0))
    starts = [start for start, _ in strokes]
    for change in harmony:
        chord = change.chord
        pitches = comping_pitches(change, pitches, voicings)
        first, last = (bisect_left(starts, at - 0.5) for at in (chord.start, chord.end))
        for start, length in strokes[first:last] or [(chord.start, 0.8)]:
            velocity = comping.velocity + rng.uniform(-8, 8)
            for pitch in pitches:
                struck = midi_velocity(velocity + rng.uniform(-3, 3))
                yield Note(max(start, 0.0), length, pitch, struck)


def drawn_strokes(
    rhythms: Rhythms, bars: Sequence[Sequence[Cell]], rng: random.Random
) -> list[Struck]:
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


def answering_strokes(
    rhythms: Rhythms,
    bars: Sequence[Sequence[Cell]],
    melody: Sequence[Note],
    fullness: Sequence[float],
    rng: random.Random,
) -> list[Struck]:
    """Strokes of someone who listens: of some rhythms the one that strikes least with the melody,
    with strokes moved, left out or added as the bar's fullness, 0 to 1, asks."""
    busy = {round(2 * note.start) for note in melody}
    strokes: list[Struck] = []
    before: dict[int, Rhythm] = {}
    for number, bar in enumerate(bars):
        for cell in bar:
            drawn = [rng.choice(rhythms[cell.length]) for _ in range(ANSWERS)]
            if cell.length in before and rng.random() < KEPT:
                drawn = [before[cell.length]]
            rhythm = min(drawn, key=lambda one, at=cell.start: _clashes(one, at, busy))
            before[cell.length] = rhythm
            full = fullness[min(number, len(fullness) - 1)]
            strokes += [(cell.start + at, length)
                        for at, length in _varied(rhythm, cell.length, full, rng)]  # fmt: skip
    return strokes


def _clashes(rhythm: Rhythm, start: int, busy: set[int]) -> float:
    """The share of strokes that come with a note of the melody."""
    return sum(round(2 * (start + at)) in busy for at, _ in rhythm) / max(len(rhythm), 1)


def _varied(rhythm: Rhythm, length: int, full: float, rng: random.Random) -> list[Struck]:
    """A rhythm as it is played this time."""
    found: dict[float, float] = {}
    for at, long in rhythm:
        drawn = rng.random()
        moved = at - 0.5 if drawn < EARLY else at + 0.5 if drawn < EARLY + LATE else at
        if len(rhythm) > 1 and rng.random() < THIN * (1 - full):
            continue
        found[moved if 0 <= moved <= length - 0.5 else at] = long
    if rng.random() < GHOST * full:
        found.setdefault(rng.randrange(2 * length) / 2, 0.3)
    ordered = sorted(found)
    ends = [*ordered, float(length)][1:]
    return [(at, min(found[at], end - at)) for at, end in zip(ordered, ends, strict=True)]


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
