"""The bass: walking, in two, bossa nova and waltz; each leads into the next root."""

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from thirdstream.notes.arranging.ensembles import DOUBLE_BASS, loudness, nearest
from thirdstream.notes.arranging.harmony import Change
from thirdstream.notes.arranging.pulse import Cell
from thirdstream.notes.types import Chord, Note

LOWEST, HIGHEST = DOUBLE_BASS.lowest, DOUBLE_BASS.highest
CENTRE = 40.0


def scale_of(chord: Chord) -> tuple[int, ...]:
    """Semitones above the root that suit a chord: its notes, filled up from the likeliest scale."""
    if chord.is_minor:
        base = {0, 2, 3, 5, 7, 9, 10} if chord.fifth == 7 else {0, 2, 3, 5, 6, 8, 10}
    else:
        base = {0, 2, 4, 5, 7, 9, 10 if 10 in chord.intervals else 11}
    wrong = {6: {7}, 8: {7}}.get(chord.fifth, set())
    return tuple(sorted((base - wrong) | set(chord.intervals)))


def walking(changes: Sequence[Change], cells: Sequence[Cell], rng: random.Random) -> Iterator[Note]:
    """A note on every beat: the bass of each new chord on its first, a lead on its last.

    The lead is a semitone above or below the coming root, a step of the scale, or its fifth.
    """
    pitch = nearest(changes[0].chord.bass, CENTRE, LOWEST, HIGHEST)
    for change, after in zip(changes, [*changes[1:], None], strict=True):
        chord = change.chord
        target = _target(after.chord if after else chord, pitch, rng)
        n_beats = round(chord.length)
        for beat in range(n_beats):
            if beat > 0:
                last = beat == n_beats - 1
                pitch = (
                    _lead(target, pitch, chord, rng)
                    if last
                    else _between(pitch, target, n_beats - beat, chord, rng)
                )
            yield Note(chord.start + beat, 0.93, pitch, rng.randint(88, 102))
        pitch = target


def _target(chord: Chord, pitch: int, rng: random.Random) -> int:
    """The next bass note: near, mostly, and drawn back to the middle of the range."""
    choices = [p for p in range(LOWEST + 1, HIGHEST - 5) if p % 12 == chord.bass]
    return min(
        choices, key=lambda p: abs(p - pitch) + 0.5 * abs(p - CENTRE) + rng.uniform(0.0, 6.0)
    )


def _lead(target: int, pitch: int, chord: Chord, rng: random.Random) -> int:
    """The note before a root."""
    scale = {(chord.root + step) % 12 for step in scale_of(chord)}
    steps = [target + step for step in (-2, 2) if (target + step) % 12 in scale]
    choices = [(p, 1.0) for p in (target - 1, target + 1)] + [(p, 0.8) for p in steps]
    choices += [(p, 0.35) for p in (target + 7, target - 5)]
    usable = [(p, w) for p, w in choices if LOWEST <= p <= HIGHEST and p != pitch]
    pitches = [p for p, _ in usable]
    return rng.choices(pitches, [w / (1 + 0.25 * abs(p - pitch)) for p, w in usable])[0]


def _between(pitch: int, target: int, n_left: int, chord: Chord, rng: random.Random) -> int:
    """A note of the chord or its scale on the way to the target, never the one before again."""
    tones = {*chord.pitch_classes}
    scale = {(chord.root + step) % 12 for step in scale_of(chord)}
    wanted = pitch + (target - pitch) / (n_left + 1) + rng.choice([-4, -2, 2, 4])
    near = range(max(LOWEST, pitch - 7), min(HIGHEST, pitch + 7) + 1)
    choices = [p for p in near if p % 12 in scale and p != pitch]
    return min(
        choices,
        key=lambda p: abs(p - wanted) + 1.5 * (p % 12 not in tones) + rng.uniform(0.0, 2.0),
    )


def _halves(chord: Chord, cells: Sequence[Cell]) -> list[tuple[int, int]]:
    """Steps of two beats through a chord, from its start and from each cell of three: where they
    begin, from there, and how long they are."""
    first, last = round(chord.start), round(chord.end)
    at = bisect_right(cells, first, key=lambda cell: cell.start + cell.length)
    lines = {first, last}
    for cell in cells[at:]:
        if cell.start >= last:
            break
        if cell.length % 2:
            lines |= {cell.start, cell.start + cell.length}
    edges = sorted(line for line in lines if first <= line <= last)
    return [
        (beat - first, min(2, end - beat))
        for start, end in pairwise(edges)
        for beat in range(start, end, 2)
    ]


def in_two(changes: Sequence[Change], cells: Sequence[Cell], rng: random.Random) -> Iterator[Note]:
    """Half notes, root and fifth, with a lead on the last beat of some chords: for ballads."""
    pitch = nearest(changes[0].chord.bass, CENTRE, LOWEST, HIGHEST)
    for change, after in zip(changes, [*changes[1:], None], strict=True):
        chord = change.chord
        fifth = nearest((chord.root + chord.fifth) % 12, pitch + 3, LOWEST, HIGHEST)
        n_beats = round(chord.length)
        target = _target(after.chord if after else chord, pitch, rng)
        for number, (beat, length) in enumerate(_halves(chord, cells)):
            lead = beat + 2 >= n_beats and length == 2 and rng.random() < 0.5
            note = fifth if number % 2 else pitch
            velocity = rng.randint(78, 92)
            yield Note(chord.start + beat, (1.0 if lead else length) * 0.95, note, velocity)
            if lead:
                where = chord.start + beat + 1
                yield Note(where, 0.9, _lead(target, note, chord, rng), velocity - 6)
        pitch = target


def bossa(changes: Sequence[Change], cells: Sequence[Cell], rng: random.Random) -> Iterator[Note]:
    """Root for a beat and a half, fifth on the eighth before the next half bar, and on it."""
    pitch = CENTRE
    for change in changes:
        chord = change.chord
        root = nearest(chord.bass, 0.5 * pitch + 0.5 * CENTRE, LOWEST, HIGHEST - 8)
        fifth = nearest((chord.root + chord.fifth) % 12, root + 3, LOWEST, HIGHEST)
        n_beats = round(chord.length)
        for number, (beat, length) in enumerate(_halves(chord, cells)):
            note = fifth if number % 2 else root
            yield Note(chord.start + beat, min(1.4, length), note, rng.randint(86, 98))
            if length == 2:
                pickup = fifth if number % 2 == 0 and n_beats - beat > 2 else note
                yield Note(chord.start + beat + 1.5, 0.45, pickup, rng.randint(72, 84))
        pitch = float(root)


def waltz(changes: Sequence[Change], cells: Sequence[Cell], rng: random.Random) -> Iterator[Note]:
    """Walks in some bars, and holds the root for two beats in the others."""
    notes = list(walking(changes, cells, rng))
    starts = {round(change.chord.start) for change in changes}
    threes = {cell.start for cell in cells if cell.length == 3}
    held: Note | None = None
    for note in notes:
        beat = round(note.start)
        if held is not None:
            held = None
            continue
        if beat in threes and beat + 1 not in starts and rng.random() < 0.45:
            held = note
            yield Note(note.start, 1.9, note.pitch, loudness(note.velocity + 3))
        else:
            yield note
