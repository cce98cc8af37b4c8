"""MusicXML for tests, by hand: what programs write, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

from thirdstream.notes.io.score import read_score
from thirdstream.notes.types import Score

STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
CHORD = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"


def note(pitch: int, quarters: float = 1.0, *, voice: int = 1, staff: int = 1, more: str = "",
         before: str = "") -> str:  # fmt: skip
    """A note of a MIDI pitch; `before` its pitch and behind its voice `more`."""
    name = STEPS[pitch % 12]
    alter = "<alter>1</alter>" if len(name) > 1 else ""
    return (
        f"<note>{before}<pitch><step>{name[0]}</step>{alter}<octave>{pitch // 12 - 1}</octave>"
        f"</pitch><duration>{round(quarters * 4)}</duration><voice>{voice}</voice>{more}"
        f"<staff>{staff}</staff></note>"
    )


def rest(quarters: float, *, more: str = "") -> str:
    return f"<note><rest{more}/><duration>{round(quarters * 4)}</duration></note>"


def back(quarters: float) -> str:
    return f"<backup><duration>{round(quarters * 4)}</duration></backup>"


def part(bars: Sequence[str], *, attributes: str = "", time: str = TIME) -> str:
    """A part; a quarter note has four divisions."""
    first = f"<attributes><divisions>4</divisions>{time}{attributes}</attributes>"
    return "".join(
        f'<measure number="{number + 1}">{first if number == 0 else ""}{bar}</measure>'
        for number, bar in enumerate(bars)
    )


def sheet(*parts: str, heads: Sequence[str] = ()) -> str:
    """A whole file; `heads`: what is said of each part in the list of parts."""
    listed = "".join(
        f'<score-part id="P{k}"><part-name>x</part-name>{heads[k] if k < len(heads) else ""}'
        "</score-part>"
        for k in range(len(parts))
    )
    body = "".join(f'<part id="P{k}">{one}</part>' for k, one in enumerate(parts))
    return f'<score-partwise version="4.0"><part-list>{listed}</part-list>{body}</score-partwise>'


def read(text: str, folder: Path) -> Score:
    """The score of a file with this text."""
    path = folder / "sheet.musicxml"
    path.write_text(text, encoding="utf-8")
    return read_score(path)
