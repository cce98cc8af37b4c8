"""The options of the score system, beside those that every system takes."""

from dataclasses import dataclass
from pathlib import Path

from thirdstream.notes.transcription.known import Known
from thirdstream.system import Options


@dataclass(frozen=True)
class ScoreOptions(Options):
    """How a recording's notes are arranged and played."""

    style_strength: float = 0.75
    keep_content: float = 1.0
    ensemble: str | None = None
    """An ensemble (strings and harp, strings and harpsichord, chamber orchestra, string quartet,
    string orchestra, wind quintet, piano, organ, harpsichord) or a groove (swing, trio swing, big
    band, bossa nova, ballad, jazz waltz, trio waltz); of a learned style, the recording whose
    players play. By default one that suits the recording."""
    score: Path | None = None
    """A corrected lead sheet (MusicXML or MIDI) to arrange instead of the transcription; its first
    bar line is the recording's first."""
    tempo: float | None = None
    """The recording's beats a minute, where you know them; it may sway around them. By default they
    are detected. A beat is a dotted note in 6/8, 9/8 and 12/8, else the metre's lower number."""
    metre: str | None = None
    """The recording's metre, such as 3/4, 6/8 or 7/8. By default three, four, five or seven quarter
    notes are detected, or 6/8, 9/8 or 12/8."""
    start_bar: float | None = None
    """Seconds in the recording at which a bar begins, any of them. By default bar lines are
    detected."""
    style_file: Path | None = None
    """An edited copy of the target style's file (jazz.toml, classical.toml), to arrange by it."""
    soundfont: Path | None = None
    """A soundfont (.sf2, .sf3) of your own to play with, instead of the one that comes along."""

    @property
    def known(self) -> Known:
        """What they say of the recording's beats. Raises ThirdstreamError where none are so."""
        return Known(self.tempo, self.metre, self.start_bar)
