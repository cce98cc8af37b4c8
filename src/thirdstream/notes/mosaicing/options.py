"""The options of concatenative synthesis, beside those that every system takes."""

from dataclasses import dataclass

from thirdstream.system import Options


@dataclass(frozen=True)
class ConcatenativeOptions(Options):
    """How the collection's recordings are put together."""

    melody_level: float = 1.0
    """How loud the notes are that play the melody, from 0, without them, to 2."""
