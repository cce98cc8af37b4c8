"""How a performance's melody is phrased: held notes, approaches from below, anticipations."""

from itertools import pairwise

from thirdstream.notes.arranging.pulse import evened
from thirdstream.notes.learning.performance import Performance
from thirdstream.notes.styles.entries import Phrasing

LONG, SHORT = 0.9, 0.4  # quarter notes: of notes that are approached, and of those that do it
STACCATO = 0.25  # share of the way to the next that a note is held at least; triggers are not


def phrasing_of(performance: Performance, swing: float) -> Phrasing:
    """Of the melody as it was played."""
    line = sorted(next((p.notes for p in performance.parts if p.role == "melody"), ()))
    steps = [(one, after, after.start - one.start) for one, after in pairwise(line)]
    held = sorted(min(one.length / step, 1.0) for one, _, step in steps if 0.1 < step < 0.8)
    long = [(one, after) for one, after, _ in steps if after.length >= LONG]
    approached = sum(
        one.length <= SHORT and after.pitch - one.pitch == 1 and after.start - one.end < 0.15
        for one, after in long
    )
    early = sum(
        abs(evened(after.start, swing) % 1 - 0.5) < 0.1 and after.length >= LONG
        for _, after in long
    )
    n_long = max(len(long), 1)
    return Phrasing(
        short=max(round(held[len(held) // 2], 3), STACCATO) if held else 0.97,
        approach=round(approached / n_long, 3),
        anticipation=round(early / n_long, 3),
    )
