"""What was played over one harmony, over another: note by note, by what each is in its chord.

Notes of the chord become those of the other chord: the third stays the third. Others of its scale
move to the other's scale. A note that leads into the next chord by a step leads into the one that
comes now. Registers stay where they were.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from thirdstream.notes.arranging.harmony import scale_of
from thirdstream.notes.styles.learned import Stroke, Symbol
from thirdstream.notes.types import Chord

EARLY = 0.3  # beats before a chord at which its notes may begin already
STEP = 2  # semitones by which a note leads into the next chord


@dataclass(frozen=True)
class Harmony:
    """The chords of a bar, starting in beats from its bar line, the first at 0; and the next."""

    chords: tuple[Chord, ...]
    after: Chord | None

    @classmethod
    def of_symbols(cls, symbols: Sequence[Symbol], after: Symbol | None, length: int) -> "Harmony":
        """As a style file has them."""
        ends = [*(start for start, *_ in symbols[1:]), float(length)]
        chords = tuple(
            Chord(start, max(end - start, 0.0), root, intervals, bass)
            for (start, root, intervals, bass), end in zip(symbols, ends, strict=True)
        )
        return cls(chords, None if after is None else Chord(length, 1.0, *after[1:]))

    def at(self, beat: float) -> tuple[Chord, Chord | None]:
        """The chord that sounds, and the one after it."""
        starts = [chord.start for chord in self.chords]
        number = max(bisect_right(starts, beat + 1e-6) - 1, 0)
        later = self.chords[number + 1] if number + 1 < len(self.chords) else self.after
        return self.chords[number], later

    def end_of(self, chord: Chord) -> float:
        """Where the harmony changes after a chord of it."""
        number = self.chords.index(chord)
        more = number + 1 < len(self.chords)
        return self.chords[number + 1].start if more else self.chords[-1].end


def repitched(strokes: Sequence[Stroke], played_over: Harmony, now: Harmony) -> list[Stroke]:
    """Strokes of a part that were played over some chords, over those of now."""
    first, wanted = played_over.chords[0], now.chords[0]
    shift = (wanted.root - first.root + 5) % 12 - 5
    return [_moved(one, played_over, now, shift) for one in strokes]


def _moved(stroke: Stroke, played_over: Harmony, now: Harmony, shift: int) -> Stroke:
    at, length, pitch, velocity = stroke
    (chord, after), (target, coming) = played_over.at(at), now.at(at)
    if after is not None and after.start - at < EARLY and pitch % 12 in after.pitch_classes:
        if coming is not None and abs(coming.start - after.start) < EARLY:
            chord, target = after, coming
    elif _leads(pitch, chord, after) and after is not None and coming is not None:
        step = (pitch - after.bass + 6) % 12 - 6
        return at, length, _near((coming.bass + step) % 12, pitch + shift), velocity
    interval = mapped((pitch - chord.root) % 12, chord, target)
    pitch_class = (target.root + interval) % 12
    return at, length, _near(pitch_class, pitch + shift), velocity


def _leads(pitch: int, chord: Chord, after: Chord | None) -> bool:
    """Whether a note is foreign to its chord, and a step from the bass of the next."""
    if after is None or after.root == chord.root or pitch % 12 in chord.pitch_classes:
        return False
    step = (pitch - after.bass + 6) % 12 - 6
    return 0 < abs(step) <= STEP


def mapped(interval: int, chord: Chord, target: Chord) -> int:
    """What an interval above a chord's root, in semitones, is above the root of another.

    Root, third, fifth and seventh stay what they are; a seventh that the other chord has not is
    that of its scale. What else is in the scale of the first is the nearest of the second's.
    """
    scale = sorted((pitch_class - target.root) % 12 for pitch_class in scale_of(target))
    seventh = next((one for one in scale if one in (10, 11)), 9)
    same = {0: 0, chord.third: target.third or 4, chord.seventh: target.seventh or seventh}
    if chord.fifth in chord.intervals:
        same[chord.fifth] = target.fifth
    if interval in same:
        return same[interval]
    if interval in {(pitch_class - chord.root) % 12 for pitch_class in scale_of(chord)}:
        return min(scale, key=lambda one: (abs(one - interval), -one))
    return interval


def _near(pitch_class: int, pitch: int) -> int:
    """The pitch of a class that is nearest to another."""
    return pitch + (pitch_class - pitch + 5) % 12 - 5
