"""The drums: ride and hi-hat, brushes, bossa nova and waltz, with a fill at the end of phrases.

Starts are even halves of beats; swing is laid over them later. A pattern is given where its cell
begins, how many beats it has, and the number of the bar.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from thirdstream.notes.arranging.ensembles import loudness
from thirdstream.notes.arranging.pulse import Cell
from thirdstream.notes.types import Note

KICK, RIM, SNARE, LOW_TOM, CLOSED_HAT, PEDAL_HAT, MIDDLE_TOM, HIGH_TOM, CRASH, RIDE = (
    36, 37, 38, 43, 42, 44, 47, 50, 49, 51
)  # fmt: skip
BRUSH_SWIRL = 40  # in General Standard's brush kit, the other snare
PHRASE_BARS = 4


def drums(name: str, bars: Sequence[Sequence[Cell]], rng: random.Random) -> Iterator[Note]:
    """A groove for the whole piece, in beats; every second phrase ends with a fill."""
    for number, bar in enumerate(bars):
        phrase_end = number % (2 * PHRASE_BARS) == 2 * PHRASE_BARS - 1 or (
            number % PHRASE_BARS == PHRASE_BARS - 1 and rng.random() < 0.3
        )
        if number and number % (2 * PHRASE_BARS) == 0 and name != "ballad":
            yield _hit(float(bar[0].start), CRASH, 72, rng)
        for cell in bar:
            start, length = float(cell.start), cell.length
            filled = phrase_end and number < len(bars) - 1 and cell is bar[-1] and length > 1
            fill_from = length - 2 if filled else length
            for note in _pattern(name, length)(start, length, number, rng):
                if note.start < start + fill_from:
                    yield note
            if filled:
                yield from _fill(start + fill_from, soft=name in ("ballad", "bossa nova"), rng=rng)


Pattern = Callable[[float, int, int, random.Random], Iterator[Note]]


def _pattern(name: str, length: int) -> Pattern:
    """The groove's pattern for a cell; a waltz has none for others than three."""
    pattern = PATTERNS[name]
    return _swing if pattern is _waltz and length != 3 else pattern


def _hit(start: float, drum: int, velocity: float, rng: random.Random) -> Note:
    return Note(start, 0.2, drum, loudness(velocity + rng.uniform(-7, 7)))


def _swing(start: float, bar: int, number: int, rng: random.Random) -> Iterator[Note]:
    """Ride on every beat and before the strong ones, hi-hat on two and four, soft kick."""
    for beat in range(bar):
        at = start + beat
        yield _hit(at, RIDE, 84 if beat % 2 else 76, rng)
        yield _hit(at, KICK, 34, rng)
        if beat % 2:
            yield _hit(at, PEDAL_HAT, 84, rng)
            yield _hit(at + 0.5, RIDE, 62, rng)
        if rng.random() < 0.22:
            yield _hit(at + 0.5, SNARE, rng.choice([34, 42, 62]), rng)


def _ballad(start: float, bar: int, number: int, rng: random.Random) -> Iterator[Note]:
    """Brushes: a sweep on every beat, a tap before two and four, hi-hat on two and four."""
    for beat in range(bar):
        at = start + beat
        yield _hit(at, BRUSH_SWIRL, 52, rng)
        if beat % 2:
            yield _hit(at, PEDAL_HAT, 66, rng)
            yield _hit(at + 0.5, RIDE, 44, rng)
        yield _hit(at, RIDE, 58, rng)
    yield _hit(start, KICK, 42, rng)


def _bossa(start: float, bar: int, number: int, rng: random.Random) -> Iterator[Note]:
    """Even eighths on the closed hat, the clave on the rim over two bars, kick like the bass."""
    for eighth in range(2 * bar):
        yield _hit(start + eighth / 2, CLOSED_HAT, 62 if eighth % 2 == 0 else 48, rng)
    for at in (1.0, 2.5) if number % 2 else (0.0, 1.5, 3.0):
        if at < bar:
            yield _hit(start + at, RIM, 74, rng)
    for half in range(0, bar, 2):
        yield _hit(start + half, KICK, 66, rng)
        if half + 1.5 < bar:
            yield _hit(start + half + 1.5, KICK, 48, rng)


def _waltz(start: float, bar: int, number: int, rng: random.Random) -> Iterator[Note]:
    """Ride on one, two, before three, and three; hi-hat on two, sometimes on three too."""
    for at, velocity in ((0.0, 84), (1.0, 72), (1.5, 58), (2.0, 74)):
        yield _hit(start + at, RIDE, velocity, rng)
    yield _hit(start, KICK, 50, rng)
    yield _hit(start + 1, PEDAL_HAT, 80, rng)
    if rng.random() < 0.5:
        yield _hit(start + 2, PEDAL_HAT, 64, rng)
    if rng.random() < 0.4:
        yield _hit(start + rng.choice([0.5, 1.5, 2.5]), SNARE, rng.choice([36, 58]), rng)


def _fill(start: float, *, soft: bool, rng: random.Random) -> Iterator[Note]:
    """Two beats of triplets over snare and toms."""
    around = rng.choice([
        (SNARE, SNARE, HIGH_TOM, HIGH_TOM, MIDDLE_TOM, LOW_TOM),
        (SNARE, HIGH_TOM, SNARE, MIDDLE_TOM, SNARE, LOW_TOM),
        (SNARE, SNARE, SNARE, SNARE, HIGH_TOM, LOW_TOM),
    ])  # fmt: skip
    for number, drum in enumerate(around):
        if number in (0, 5) or rng.random() < 0.8:
            velocity = 56 + 5 * number - (24 if soft else 0)
            whole, part = divmod(number, 3)
            at = (0.0, 0.25, 0.5)[part] if not soft else (0.0, 0.5, 0.5)[part]
            yield _hit(start + whole + at, drum, velocity, rng)
    yield _hit(start + 1, PEDAL_HAT, 78, rng)


PATTERNS: dict[str, Pattern] = {
    "swing": _swing,
    "trio swing": _swing,
    "big band": _swing,
    "ballad": _ballad,
    "bossa nova": _bossa,
    "jazz waltz": _waltz,
    "trio waltz": _waltz,
}
