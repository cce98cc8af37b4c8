"""Recording -> score, notes and tempo map."""

from collections.abc import Iterable
from dataclasses import dataclass

from thirdstream.audio import Wave
from thirdstream.files import ThirdstreamError
from thirdstream.notes.score import Note, Score
from thirdstream.notes.timing import Timing


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording.

    score: melody, chords, metre, on the beat grid. timing: when its quarter notes sound. notes:
    every transcribed note, in quarter notes through the timing, not quantised. key: pitch class of
    the tonic.
    """

    score: Score
    timing: Timing
    notes: tuple[Note, ...]
    key: int
    is_minor: bool
    duration_s: float


def listen(blocks: Iterable[Wave]) -> Heard:
    """Listen to blocks (n_channels, n_samples), 44.1 kHz, -20 dB RMS."""
    raise ThirdstreamError("not there yet")
