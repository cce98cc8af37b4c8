"""MusicXML -> Score, through music21 (the extra `scores`)."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from thirdstream.files import ThirdstreamError
from thirdstream.notes.envelope import opened
from thirdstream.notes.harmonising import harmonised, is_bare
from thirdstream.notes.metre import Metre, Metres, metre, of_length
from thirdstream.notes.score import (
    BARE,
    MAX_BEATS,
    UNNAMED,
    Chord,
    Note,
    Score,
    ScoreError,
    bounded,
    without_gaps,
)

N_PARTS = 3  # from so many on, the parts below the melody are voices
NEAR = 0.02  # quarter notes by which a bar may be longer or shorter than its metre


def read_musicxml(path: Path) -> Score:
    """Read a lead sheet, or a score of any parts; chords that are not named are found.

    Raises ScoreError where music21 cannot read it; ThirdstreamError without music21.
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
    metres, pickup = metres_of(parts[0])
    shift = metres.changes[0][1].length - pickup if pickup else 0.0
    lines = [_line(part, shift) for part in parts]
    lines = [line for line in lines if line]
    bounded(lines, metres, path)
    end = max(note.end for line in lines for note in line)
    chords = _symbols(stream, shift, end)
    metres = metres.fitted(_begins(stream, chords, shift))
    voices: tuple[tuple[Note, ...], ...] = ()
    remarks: tuple[str, ...] = ()
    if not chords:
        sounding = [_sounding(part, shift) for part in parts]
        chords, voices = harmonised(sounding, metres, end=end), tuple(lines[1:])
        remarks = (BARE if is_bare(sounding) else UNNAMED,)
    title = stream.metadata.bestTitle if stream.metadata is not None else None
    return Score(
        title=title or path.stem,
        melody=lines[0],
        chords=chords,
        pickup=pickup,
        beats_per_minute=_tempo(stream),
        voices=voices if len(lines) >= N_PARTS else (),
        metres=metres,
        remarks=remarks,
    )


def metres_of(part: Any) -> tuple[Metres, float]:
    """Metres from the first bar line on, and the quarter notes before it.

    Short bars that fill one together, as where a repeat begins in the middle, are one; others that
    are shorter or longer than their time signature have a metre of their own, except the last.
    """
    bars = list(part.getElementsByClass("Measure"))
    if not bars:
        signs = [(float(s.offset), _of(s)) for s in part.getElementsByClass("TimeSignature")]
        return Metres(tuple(signs) or ((0.0, metre(4, 4)),)), 0.0
    lengths = [float(after.offset - bar.offset) for bar, after in pairwise(bars)]
    lengths.append(float(bars[-1].duration.quarterLength))
    lengths = [min(length, MAX_BEATS) for length in lengths]  # what is longer is refused later
    sign = of_length(Counter(lengths).most_common(1)[0][0] or 4.0)  # until one is written
    signed = []
    for bar, length in zip(bars, lengths, strict=True):
        sign = _of(bar.timeSignature) if bar.timeSignature is not None else sign
        signed.append((sign, length))
    first, length = signed[0]
    pickup = length if 0 < length < first.length - NEAR else 0.0
    if pickup:
        signed[0] = first, first.length
    return Metres.of_bars(list(_filled(signed))), pickup


def _of(sign: Any) -> Metre:
    """The metre of a time signature; its groups, where it is a sum."""
    parts = list(sign.displaySequence)
    groups = [part.numerator * sign.denominator // part.denominator for part in parts]
    return metre(sign.numerator, sign.denominator, groups if len(groups) > 1 else ())


def _filled(signed: Sequence[tuple[Metre, float]]) -> Iterator[Metre]:
    """The metre of each bar, given its time signature's and its length."""
    number = 0
    while number < len(signed):
        sign, length = signed[number]
        together, after = length, number + 1
        while together < sign.length - NEAR and after < len(signed) and signed[after][0] == sign:
            together += signed[after][1]
            after += 1
        if abs(together - sign.length) <= NEAR or number == len(signed) - 1:
            yield sign
            number = after
        else:
            if length > NEAR:
                yield of_length(length)
            number += 1


def _begins(stream: Any, chords: Sequence[Chord], shift: float) -> Iterator[tuple[float, float]]:
    """Where notes, beams and chords begin, and how much that says of the metre's groups."""
    yield from ((chord.start, 4.0) for chord in chords)
    for note in stream.flatten().notes:
        if "ChordSymbol" not in note.classes:
            beams = note.beams.beamsList if note.beams is not None else []
            begun = 2.0 if beams and beams[0].type == "start" else 0.0
            yield float(note.offset) + shift, min(float(note.quarterLength), 2.0) + begun


def _sounding(part: Any, shift: float) -> list[Note]:
    """Every note of a part, in order."""
    return sorted(
        Note(float(element.offset) + shift, float(element.quarterLength), pitch.midi)
        for element in part.stripTies().flatten().notes
        if "ChordSymbol" not in element.classes and element.quarterLength > 0
        for pitch in element.pitches
    )


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
