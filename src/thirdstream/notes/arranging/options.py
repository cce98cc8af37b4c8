"""What can be asked of an arrangement."""

from dataclasses import dataclass
from pathlib import Path

from thirdstream.notes.styles import ClassicalStyle, JazzStyle, LearnedStyle, read_style


@dataclass(frozen=True)
class ArrangementOptions:
    """How to arrange a recording's piece.

    ensemble: an ensemble or a groove of the style; by default as suits the piece. style_strength,
    keep_content: shares of the style and of the recording's own notes, 0 to 1. style_file: a style
    of your own instead of the one that comes along.
    """

    style: str
    ensemble: str | None = None
    style_strength: float = 1.0
    keep_content: float = 0.5
    seed: int = 0
    style_file: Path | None = None

    def read_style(self) -> ClassicalStyle | JazzStyle | LearnedStyle:
        """The style; raises ThirdstreamError where it is not there, or its file has a fault."""
        return read_style(self.style, self.style_file)
