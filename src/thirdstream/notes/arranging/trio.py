"""A rhythm section in rhythms of real trios: whole phrases of theirs, at about their tempo.

What is played in them is the arranger's: the bass walks, and the drums have the groove's pattern.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.arranging.lines import midi_velocity
from thirdstream.notes.arranging.pulse import Cell
from thirdstream.notes.styles.trios import Trio, trios
from thirdstream.notes.types import Note

Array = NDArray[np.float64]

PHRASE = 8  # bars
STEP = 4  # bars between phrases that may be drawn
TEMPO, DENSITY, DULL, NOISE = 1.0, 2.0, 0.5, 0.4  # costs: TEMPO an octave
LONGEST = 3.0  # beats that a bass note sounds
SKIP, RAKE, PUSH = -18, -14, 6  # velocities of notes between beats
DRUMS = (38, 38, 36)  # snare and bass drum, which comment
COMMENT = (40.0, 52.0)  # velocities of thin and full bars


class TrioBar(NamedTuple):
    """Where bass and drums begin notes, in even beats of the piece."""

    start: int
    bass: tuple[float, ...]
    drums: tuple[float, ...]


class _Phrases(NamedTuple):
    """Phrases of one metre. density: rank of the bass's notes a beat, 0 to 1. variety: share of
    its bars that are different."""

    at: list[tuple[Trio, int]]
    tempo: Array
    density: Array
    variety: Array


@lru_cache(4)
def _phrases(beats: int) -> _Phrases:
    at = [(one, first) for one in trios() if one.beats == beats
          for first in range(0, len(one.bass) - PHRASE + 1, STEP)]  # fmt: skip
    bars = [one.bass[first : first + PHRASE] for one, first in at]
    notes = np.array([sum(map(len, phrase)) for phrase in bars])
    return _Phrases(
        at,
        np.array([one.tempo for one, _ in at]),
        np.argsort(np.argsort(notes, kind="stable")) / max(len(at) - 1, 1),
        np.array([len(set(phrase)) / PHRASE for phrase in bars]),
    )


def trio_bars(
    bars: Sequence[Sequence[Cell]], *, tempo: float, fullness: Array, rng: random.Random
) -> list[TrioBar]:
    """A bar of a trio for each of the piece's; of lengths that no trio has, each beat of the bass.

    tempo: beats a minute. fullness: (n_bars,) or more, 0 to 1: how many notes the bass has.
    """
    drawn = np.random.default_rng(rng.getrandbits(32))
    found: list[TrioBar] = []
    for first in range(0, len(bars), PHRASE):
        wanted = float(fullness[first : first + PHRASE].mean())
        picked: dict[int, tuple[Trio, int]] = {}
        for number, bar in enumerate(bars[first : first + PHRASE]):
            start, length = bar[0].start, sum(cell.length for cell in bar)
            phrases = _phrases(length)
            if not phrases.at:
                found.append(TrioBar(start, tuple(start + k for k in range(length)), ()))
                continue
            if length not in picked:
                picked[length] = phrases.at[_cheapest(phrases, tempo, wanted, drawn)]
            trio, at = picked[length]
            own = (trio.bass[at + number], trio.drums[at + number])
            found.append(TrioBar(start, *(tuple(start + place for place in one) for one in own)))
    return found


def _cheapest(phrases: _Phrases, tempo: float, wanted: float, drawn: np.random.Generator) -> int:
    cost = TEMPO * np.abs(np.log2(phrases.tempo / tempo))
    cost += DENSITY * np.abs(phrases.density - wanted) + DULL * (1 - phrases.variety)
    return int((cost + NOISE * drawn.gumbel(size=len(cost))).argmin())


def bass_line(
    walked: Sequence[Note],
    rows: Sequence[TrioBar],
    changes: Sequence[float],
    rng: random.Random,
    *,
    pushes: bool = True,
) -> list[Note]:
    """A walking line in the rhythm of trios' bars; what begins with a chord is always played.

    walked: a note on every beat. changes: where chords begin. pushes: whether the note between
    beats before a chord may stand for its beginning, as in the trios' metres. A note between beats
    is that of the beat to come, where that has none, or else repeats the one before, softly.
    """
    of_beat = {round(note.start): note for note in walked}
    last = max(of_beat, default=-1)
    places = {place for row in rows for place in row.bass if int(place) in of_beat}
    for change in map(round, changes):
        if change in of_beat and not (pushes and change - 0.5 in places):
            places.add(float(change))
    ordered = sorted(places)
    ends = [*ordered, float(last + 1)][1:]
    return [
        _note(place, end, of_beat, places, rng) for place, end in zip(ordered, ends, strict=True)
    ]


def _note(
    place: float, end: float, of_beat: Mapping[int, Note], places: set[float], rng: random.Random
) -> Note:
    """What a bass plays at a place until the next."""
    beat = int(place)
    here, coming = of_beat[beat], of_beat.get(beat + 1)
    length = 0.93 * min(end - place, LONGEST)
    if place == beat:
        return Note(place, length, here.pitch, here.velocity)
    if place - beat == 0.5 and coming is not None and beat + 1 not in places:
        return Note(place, length, coming.pitch, midi_velocity(coming.velocity + PUSH))
    softer = SKIP if place - beat == 0.5 else RAKE
    pitch = rng.choice((here, here, here, coming or here)).pitch
    return Note(place, min(length, 0.4), pitch, midi_velocity(here.velocity + softer))


def comments(
    rows: Sequence[TrioBar], pattern: Sequence[Note], fullness: Array, rng: random.Random
) -> Iterator[Note]:
    """What trios' drummers play beside their pattern, on snare and bass drum; the fuller the bar,
    the more of it. pattern: what the drums play anyway.
    """
    busy = {round(4 * note.start) for note in pattern}
    for number, row in enumerate(rows):
        if number % PHRASE == PHRASE - 1:  # which has a fill
            continue
        full = float(fullness[min(number, len(fullness) - 1)])
        for place in row.drums:
            if round(4 * place) in busy or rng.random() > 0.3 + 0.6 * full:
                continue
            velocity = COMMENT[0] + full * (COMMENT[1] - COMMENT[0]) + rng.uniform(-10, 14)
            yield Note(place, 0.2, rng.choice(DRUMS), midi_velocity(velocity))
