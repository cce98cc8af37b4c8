"""A performance -> bars: what accompanied the melody in each, in beats from its bar line."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thirdstream.notes.arranging.phrasing import swing_of
from thirdstream.notes.arranging.pulse import Pulse, in_thirds
from thirdstream.notes.arranging.retrieval import ANTICIPATED, energies_of
from thirdstream.notes.learning.performance import Performance, Played
from thirdstream.notes.learning.phrasing import phrasing_of
from thirdstream.notes.styles.learned import LONGEST, Bar, Player, Source, Stroke, Symbol
from thirdstream.notes.timing import moved
from thirdstream.notes.types import Chord, Note

TOGETHER = 0.06  # beats within which a part's notes are one stroke
LONGEST_BAR = 16  # beats


def source_of(performance: Performance) -> Source:
    """Who played in a performance, how quickly, and how its melody was phrased."""
    pulse = Pulse(performance.score)
    usual = performance.score.metres.usual(performance.score.n_beats)
    notes = [note for part in performance.parts if part.role != "drums" for note in part.notes]
    swing = swing_of(notes)
    return Source(
        name=performance.name,
        beats_per_bar=len(usual.beats),
        thirds=in_thirds(pulse.length),
        tempo=round(performance.beats_per_minute / pulse.length, 2),
        swing=round(swing, 3) if performance.score.metres.is_plain else 1.0,
        reverberation=performance.reverberation,
        balance_db=performance.balance_db,
        players=tuple(_player(part) for part in performance.parts),
        **phrasing_of(performance, swing).model_dump(),
    )


def _player(part: Played) -> Player:
    velocities = sorted(note.velocity for note in part.notes)
    pitches = sorted(note.pitch for note in part.notes)
    return Player(
        role=part.role,
        program=part.programs[0],
        doubled_by=part.programs[1:],
        velocity=velocities[len(velocities) // 2],
        lowest=pitches[0],
        highest=pitches[-1],
    )


def bars_of(performance: Performance) -> list[Bar]:
    """The bars of a performance, with what was played in them but the melody.

    Bars in which nothing accompanies stay out. Two bars of two beats are one. The recording has
    number 0 until there are others.
    """
    pulse = Pulse(performance.score)
    bars = pulse.spans
    lines = [_in_beats(part, pulse) for part in performance.parts]
    parts = {number: line for number, line in enumerate(lines)
             if performance.parts[number].role != "melody"}  # fmt: skip
    everything = sorted(note for line in lines for note in line)
    if not everything or not performance.score.chords:
        return []
    energies = energies_of(everything, bars)
    chords = moved(performance.score.chords, pulse.linear)
    last = bisect_right([start for start, _ in bars], everything[-1].start) - 1
    found = []
    for number, (start, length) in enumerate(bars[: last + 1]):
        notes = {
            part: strokes for part, line in parts.items()
            if (strokes := _strokes(line, start, length))
        }  # fmt: skip
        if notes and length <= LONGEST_BAR:
            found.append(Bar(
                recording=0, number=number, length=length, last=number == last,
                energy=round(float(energies[number]), 3),
                chords=_symbols(chords, start, length), notes=notes,
            ))  # fmt: skip
    return found


def _in_beats(part: Played, pulse: Pulse) -> list[Note]:
    """A part's notes in beats, in order; those that are struck together begin at one place."""
    placed = moved(part.notes, pulse.linear)
    notes = sorted(replace(note, length=max(note.length, 0.05)) for note in placed)
    if part.role == "drums":
        return notes
    together: list[list[Note]] = []
    for note in notes:
        if together and note.start - together[-1][0].start < TOGETHER:
            together[-1].append(note)
        else:
            together.append([note])
    return [
        replace(note, start=float(np.mean([one.start for one in group])))
        for group in together
        for note in group
    ]


def _strokes(line: Sequence[Note], start: int, length: int) -> tuple[Stroke, ...]:
    first = bisect_left(line, start - ANTICIPATED, key=lambda note: note.start)
    end = bisect_left(line, start + length - ANTICIPATED, key=lambda note: note.start)
    return tuple(
        (round(note.start - start, 3), round(min(max(note.length, 0.05), LONGEST), 3), note.pitch,
         note.velocity)
        for note in line[first:end]
    )  # fmt: skip


def _symbols(chords: Sequence[Chord], start: int, length: int) -> tuple[Symbol, ...]:
    """The chords of a bar, the first from its start; before the piece's first, that one."""
    first = max(bisect_right(chords, start + 0.05, key=lambda chord: chord.start) - 1, 0)
    end = bisect_left(chords, start + length - 0.05, key=lambda chord: chord.start)
    inside = chords[first : max(end, first + 1)]
    starts = [0.0, *(one.start - start for one in inside[1:])]
    return tuple(
        (round(at, 3), one.root, one.intervals, one.bass)
        for at, one in zip(starts, inside, strict=True)
    )
