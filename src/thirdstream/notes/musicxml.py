"""MusicXML -> Score, through music21 (the extra `scores`)."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thirdstream.files import ThirdstreamError
from thirdstream.notes.envelope import opened
from thirdstream.notes.score import (
    Chord,
    Note,
    Score,
    ScoreError,
    bounded,
    fitted_chords,
    without_gaps,
)

N_PARTS = 3  # from so many on, the harmony is found from the parts


def read_musicxml(path: Path) -> Score:
    """Read a lead sheet with chord symbols, or a score of three or more parts.

    Raises ScoreError where music21 cannot read it or the metre changes; ThirdstreamError without
    music21.
    """
    try:
        import music21  # noqa: F401  # its absence is said here, once
        from music21.musicxml.xmlToM21 import MusicXMLImporter
    except ImportError as error:
        raise ThirdstreamError(
            f"{path}: reading scores needs music21; pip install 'thirdstream[scores]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            root, importer = opened(path), MusicXMLImporter()
            if root.tag != "score-partwise":
                raise ScoreError(f"{path}: is no score by parts; export it again as MusicXML")
            # Not through `converter`, which keeps pickles in a folder that others may write to.
            importer.xmlRootToScore(root, importer.stream)
            return from_music21(importer.stream, path)
        except ThirdstreamError:
            raise
        except Exception as error:  # music21 raises whatever it likes on odd files
            raise ScoreError(
                f"{path}: is not MusicXML that music21 reads ({type(error).__name__}: {error}); "
                "export it again from a notation program"
            ) from error


def from_music21(stream: Any, path: Path) -> Score:
    """A Score of a music21 score; `path` is for the title and for errors."""
    parts = list(stream.parts) or [stream]
    beats_per_bar = _metre(parts[0], path)
    pickup = _pickup(parts[0], beats_per_bar)
    shift = beats_per_bar - pickup if pickup else 0.0
    lines = [_line(part, shift) for part in parts]
    lines = [line for line in lines if line]
    bounded(lines, path)
    end = max(note.end for line in lines for note in line)
    chords = _symbols(stream, shift, end)
    voices: tuple[tuple[Note, ...], ...] = ()
    if not chords and len(lines) >= N_PARTS:
        chords, voices = fitted_chords(lines, end=end), tuple(lines[1:])
    title = stream.metadata.bestTitle if stream.metadata is not None else None
    return Score(
        title=title or path.stem,
        melody=lines[0],
        chords=chords,
        beats_per_bar=beats_per_bar,
        pickup=pickup,
        beats_per_minute=_tempo(stream),
        voices=voices,
    )


def _metre(part: Any, path: Path) -> float:
    """Quarter notes a bar; ScoreError where that changes."""
    metres = [
        (sign.barDuration.quarterLength, sign.ratioString)
        for sign in part.recurse().getElementsByClass("TimeSignature")
    ]
    if len({length for length, _ in metres}) > 1:
        names = ", ".join(dict.fromkeys(name for _, name in metres))
        raise ScoreError(f"{path}: changes its metre ({names}); give scores in one metre")
    return float(metres[0][0]) if metres else 4.0


def _pickup(part: Any, beats_per_bar: float) -> float:
    """Quarter notes before the first bar line."""
    bars = list(part.getElementsByClass("Measure"))
    length = float(bars[0].duration.quarterLength) if bars else beats_per_bar
    return length if 0 < length < beats_per_bar - 1e-6 else 0.0


def _line(part: Any, shift: float) -> tuple[Note, ...]:
    """The highest notes of a part, ties joined; never two at a time."""
    starts: dict[float, Note] = {}
    for element in part.stripTies().flatten().notes:
        if "ChordSymbol" in element.classes or element.quarterLength <= 0:
            continue
        pitch = max(p.midi for p in element.pitches) if element.pitches else None
        start = float(element.offset) + shift
        if pitch is not None and (start not in starts or starts[start].pitch < pitch):
            starts[start] = Note(start, float(element.quarterLength), pitch)
    return monophonic([starts[start] for start in sorted(starts)])


def monophonic(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Each note ends at the latest where the next one begins; `notes` in order of their starts."""
    ends = [*(note.start for note in notes[1:]), float("inf")]
    return tuple(
        Note(note.start, min(note.end, end) - note.start, note.pitch, note.velocity)
        for note, end in zip(notes, ends, strict=True)
        if min(note.end, end) > note.start + 1e-6
    )


def _symbols(stream: Any, shift: float, end: float) -> tuple[Chord, ...]:
    chords = []
    for symbol in stream.flatten().getElementsByClass("ChordSymbol"):
        root = symbol.root() if symbol.pitches else None
        start = float(symbol.offset) + shift
        if root is None or start >= end:  # "no chord" has no notes
            continue
        bass = symbol.bass() or root
        above = {(pitch.pitchClass - root.pitchClass) % 12 for pitch in symbol.pitches}
        above.discard((bass.pitchClass - root.pitchClass) % 12 if _foreign(symbol, bass) else -1)
        intervals = tuple(sorted(above | {0}))
        chords.append(Chord(start, 0.0, root.pitchClass, intervals, bass.pitchClass))
    return without_gaps(chords, end) if chords else ()


def _foreign(symbol: Any, bass: Any) -> bool:
    """Whether the bass is only written below the chord, not a note of it."""
    return sum(pitch.pitchClass == bass.pitchClass for pitch in symbol.pitches) < 2 and (
        (bass.pitchClass - symbol.root().pitchClass) % 12 in (1, 2, 5, 8)
    )


def _tempo(stream: Any) -> float | None:
    for mark in stream.flatten().getElementsByClass("MetronomeMark"):
        if mark.number:
            return float(mark.getQuarterBPM() or mark.number)
    return None
