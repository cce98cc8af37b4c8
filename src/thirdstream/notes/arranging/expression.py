"""How a part is played: louder and softer notes by phrase, form, register and place in the bar, and
how far behind the beat.

Loudness that grows to the middle of a phrase and with the pitch is usual among performers
(Friberg, Bresin and Sundberg 2006, Overview of the KTH rule system for musical performance).
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from numpy.typing import NDArray

from thirdstream.notes.arranging.lines import midi_velocity
from thirdstream.notes.metre import Metres
from thirdstream.notes.styles.entries import Expression
from thirdstream.notes.types import Note

PHRASE_BARS = 4
SHORT = 0.5  # beats
ON = 0.13  # quarter notes from a beat
MOST_HIGH = 1.0  # octaves from the middle that count


def within_phrase(beat: float, metres: Metres) -> float:
    """How far into its phrase of PHRASE_BARS a beat lies, 0 to 1."""
    return metres.number(beat) / PHRASE_BARS % 1.0


class Performer:
    """Plays parts of a cover. fullness: (n_bars,) of each bar, 0 to 1. strength: of the style."""

    def __init__(
        self,
        metres: Metres,
        fullness: NDArray,
        *,
        strength: float,
        rng: random.Random,
    ) -> None:
        self.metres, self.fullness, self.rng = metres, fullness, rng
        self.strength, self.loudly = strength, min(1.0, 2 * strength)

    def played(self, notes: Sequence[Note], own: Sequence[float], how: Expression) -> list[Note]:
        """Notes with their velocities and their timing.

        own: where each stands in the bar, in even quarter notes; what is struck together is drawn
        together.
        """
        if not notes or how == Expression():
            return list(notes)
        middle = median(note.pitch for note in notes)
        drawn: dict[float, tuple[float, float]] = {}
        found = []
        for note, at in zip(notes, own, strict=True):
            place = round(8 * at) / 8
            if place not in drawn:
                drawn[place] = self.rng.gauss(0, how.drawn), self.rng.gauss(0, how.apart)
            louder, later = drawn[place]
            high = min(max((note.pitch - middle) / 12, -MOST_HIGH), MOST_HIGH)
            louder += how.high * high + self._of_place(at, how)
            louder += how.short if note.length <= SHORT else 0.0
            start = max(note.start + self.strength * (how.late + later), 0.0)
            velocity = midi_velocity(max(note.velocity + self.loudly * louder, 18))
            end = max(note.end, start + 0.05)
            found.append(replace(note, start=start, length=end - start, velocity=velocity))
        return found

    def _of_place(self, at: float, how: Expression) -> float:
        """What phrase, form and place in the bar add."""
        number = min(max(self.metres.bar(at + ON), 0), len(self.fullness) - 1)
        phrase = within_phrase(at, self.metres)
        louder = how.phrase * (4 * phrase * (1 - phrase) - 2 / 3)
        louder += how.form * (self.fullness[number] - 0.5)
        metre = self.metres.metre_at(at + ON)
        within = self.metres.within(at + ON) - ON
        beats = [n for n, place in enumerate(metre.places) if abs(within - place) < ON]
        if not beats:
            return louder + how.off
        if beats[0] == 0:
            return louder + how.first
        return louder + (how.strong if beats[0] % 2 == 0 else how.weak)
