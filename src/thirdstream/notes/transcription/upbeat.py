"""The upbeat of a piece: what sounds of the bar before its first whole one."""

from collections.abc import Iterable

from thirdstream.notes.metre import Metres
from thirdstream.notes.types import Span


def pickup_of(sounding: Iterable[Span], metres: Metres) -> float:
    """Quarter notes from where melody and chords begin to the next bar line, where that is in the
    first bar and at least its first beat is silent; else 0."""
    first = metres.changes[0][1]
    start = min((one.start for one in sounding), default=0.0)
    silent = first.places[1] if len(first.places) > 1 else first.length
    return first.length - start if silent - 1e-6 <= start < first.length - 1e-6 else 0.0
