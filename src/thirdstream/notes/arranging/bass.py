"""The bass: walking, in two, bossa nova and waltz; each leads into the next root."""

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from thirdstream.notes.arranging.harmony import Change, scale_of
from thirdstream.notes.arranging.lines import nearest
from thirdstream.notes.arranging.pulse import Cell
from thirdstream.notes.styles.jazz import Bass
from thirdstream.notes.types import Chord, Note


class BassPlayer:
    """Bass lines within an instrument's range, around its centre; what varies is drawn."""

    def __init__(self, bass: Bass, rng: random.Random) -> None:
        self.lowest, self.highest = bass.instrument.lowest, bass.instrument.highest
        self.centre, self.rng = float(bass.centre), rng

    def line(self, name: str, changes: Sequence[Change], cells: Sequence[Cell]) -> list[Note]:
        """A groove's bass line for a piece."""
        if name == "walking":
            return list(self.walking(changes))
        lines = {"two-beat": self.two_beat, "bossa nova": self.bossa, "waltz": self.waltz}
        return list(lines[name](changes, cells))

    def walking(self, changes: Sequence[Change]) -> Iterator[Note]:
        """A note on every beat: the bass of each new chord on its first, a lead on its last.

        The lead is a semitone above or below the coming root, a step of the scale, or its fifth.
        """
        pitch = self._nearest(changes[0].chord.bass, self.centre)
        for chord, after in _followed(changes):
            target = self._target(after, pitch)
            n_beats = round(chord.length)
            for beat in range(n_beats):
                if beat == n_beats - 1 > 0:
                    pitch = self._lead(target, pitch, chord)
                elif beat > 0:
                    pitch = self._between(pitch, target, n_beats - beat, chord)
                yield Note(chord.start + beat, 0.93, pitch, self.rng.randint(88, 102))
            pitch = target

    def two_beat(self, changes: Sequence[Change], cells: Sequence[Cell]) -> Iterator[Note]:
        """Half notes, root and fifth, with a lead on the last beat of some chords: for ballads."""
        pitch = self._nearest(changes[0].chord.bass, self.centre)
        for chord, after in _followed(changes):
            fifth = self._nearest(chord.root + chord.fifth, pitch + 3)
            n_beats = round(chord.length)
            target = self._target(after, pitch)
            for number, (beat, length) in enumerate(_halves(chord, cells)):
                lead = beat + 2 >= n_beats and length == 2 and self.rng.random() < 0.5
                note = fifth if number % 2 else pitch
                velocity = self.rng.randint(78, 92)
                start = chord.start + beat
                yield Note(start, (1.0 if lead else length) * 0.95, note, velocity)
                if lead:
                    yield Note(start + 1, 0.9, self._lead(target, note, chord), velocity - 6)
            pitch = target

    def bossa(self, changes: Sequence[Change], cells: Sequence[Cell]) -> Iterator[Note]:
        """Root for a beat and a half, fifth on the eighth before the next half bar, and on it."""
        pitch = self.centre
        for chord, _ in _followed(changes):
            root = nearest(
                chord.bass, 0.5 * pitch + 0.5 * self.centre, self.lowest, self.highest - 8
            )
            fifth = self._nearest(chord.root + chord.fifth, root + 3)
            n_beats = round(chord.length)
            for number, (beat, length) in enumerate(_halves(chord, cells)):
                note, start = fifth if number % 2 else root, chord.start + beat
                yield Note(start, min(1.4, length), note, self.rng.randint(86, 98))
                if length == 2:
                    pickup = fifth if number % 2 == 0 and n_beats - beat > 2 else note
                    yield Note(start + 1.5, 0.45, pickup, self.rng.randint(72, 84))
            pitch = float(root)

    def waltz(self, changes: Sequence[Change], cells: Sequence[Cell]) -> Iterator[Note]:
        """Walks in some bars, and holds the root for two beats in the others."""
        starts = {round(change.chord.start) for change in changes}
        threes = {cell.start for cell in cells if cell.length == 3}
        notes = iter(list(self.walking(changes)))
        for note in notes:
            beat = round(note.start)
            if beat in threes and beat + 1 not in starts and self.rng.random() < 0.45:
                yield replace(note, length=1.9, velocity=note.velocity + 3)
                next(notes, None)
            else:
                yield note

    def _nearest(self, pitch_class: int, to: float) -> int:
        return nearest(pitch_class % 12, to, self.lowest, self.highest)

    def _target(self, chord: Chord, pitch: int) -> int:
        """The next bass note: near, mostly, and drawn back to the middle of the range."""

        def cost(one: int) -> float:
            away = abs(one - pitch) + 0.5 * abs(one - self.centre)
            return away + self.rng.uniform(0.0, 6.0)

        inside = range(self.lowest + 1, self.highest - 5)
        return min((one for one in inside if one % 12 == chord.bass), key=cost)

    def _lead(self, target: int, pitch: int, chord: Chord) -> int:
        """The note before a root."""
        scale = scale_of(chord)
        choices = [(target - 1, 1.0), (target + 1, 1.0)]
        choices += [(p, 0.8) for p in (target - 2, target + 2) if p % 12 in scale]
        choices += [(target + 7, 0.35), (target - 5, 0.35)]
        usable = [
            (p, weight / (1 + 0.25 * abs(p - pitch)))
            for p, weight in choices
            if self.lowest <= p <= self.highest and p != pitch
        ]
        pitches, weights = zip(*usable, strict=True)
        return self.rng.choices(pitches, weights)[0]

    def _between(self, pitch: int, target: int, n_left: int, chord: Chord) -> int:
        """A note of the chord or its scale on the way to the target, never the one before again."""
        tones, scale = set(chord.pitch_classes), scale_of(chord)
        wanted = pitch + (target - pitch) / (n_left + 1) + self.rng.choice([-4, -2, 2, 4])

        def cost(one: int) -> float:
            return abs(one - wanted) + 1.5 * (one % 12 not in tones) + self.rng.uniform(0.0, 2.0)

        near = range(max(self.lowest, pitch - 7), min(self.highest, pitch + 7) + 1)
        return min((one for one in near if one % 12 in scale and one != pitch), key=cost)


def _followed(changes: Sequence[Change]) -> Iterator[tuple[Chord, Chord]]:
    """Each chord with the one after it, the last with itself."""
    chords = [change.chord for change in changes]
    return zip(chords, [*chords[1:], chords[-1]], strict=True)


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
