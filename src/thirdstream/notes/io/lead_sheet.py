"""Lead sheets: melody and chord symbols, as text and as MusicXML, through music21."""

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.notes.key import C_MAJOR, Key, key_of_notes, root_name, sharps_of, spelt
from thirdstream.notes.metre import Metres
from thirdstream.notes.types import Chord, Note, Score

KINDS = {  # of chords, by their intervals: music21's, and what is written after the root
    (0, 4, 7): ("major", ""),
    (0, 3, 7): ("minor", "m"),
    (0, 4, 7, 10): ("dominant-seventh", "7"),
    (0, 3, 7, 10): ("minor-seventh", "m7"),
    (0, 4, 7, 11): ("major-seventh", "maj7"),
    (0, 3, 6, 10): ("half-diminished-seventh", "m7b5"),
    (0, 3, 6): ("diminished", "dim"),
    (0, 3, 6, 9): ("diminished-seventh", "dim7"),
    (0, 4, 8): ("augmented", "+"),
    (0, 4, 8, 10): ("augmented-seventh", "+7"),
    (0, 4, 7, 9): ("major-sixth", "6"),
    (0, 3, 7, 9): ("minor-sixth", "m6"),
    (0, 5, 7): ("suspended-fourth", "sus4"),
    (0, 2, 7): ("suspended-second", "sus2"),
    (0, 7): ("power", "5"),
}
NO_CHORD = "N.C."
Keys = Sequence[tuple[float, Key]]  # from which quarter note on


def _kind(chord: Chord) -> tuple[str, str]:
    """Of KINDS, the largest that the chord holds; major where it holds none."""
    inside = [kind for kind in KINDS if set(kind) <= set(chord.intervals)]
    return KINDS[max(inside, key=len, default=(0, 4, 7))]


def symbol(chord: Chord, key: Key = C_MAJOR) -> str:
    """As written above the staff in a key: Cm7, G7/B. A flat is a small b."""
    text = root_name(chord.root, key) + _kind(chord)[1]
    return text + (f"/{root_name(chord.bass, key)}" if chord.bass != chord.root else "")


def chords_of_bars(score: Score, key: Key = C_MAJOR) -> tuple[str, ...]:
    """The symbols of the chords that begin in each bar; one that goes on is a percent sign."""
    end = max((c.start + c.length for c in score.chords), default=0.0)
    n_bars = math.ceil(score.metres.number(end) - 0.01)
    bars: list[list[str]] = [[] for _ in range(n_bars)]
    named = [(chord.start, symbol(chord, key)) for chord in score.chords]
    for start, text in [*named, *_rests(score.chords)]:
        bar = int(score.metres.number(start) + 0.01)
        if bar < n_bars:
            bars[bar].append(text)
    return tuple(" ".join(bar) or "%" for bar in bars)


def _rests(chords: Sequence[Chord]) -> list[tuple[float, str]]:
    """Where there is no chord: at the beginning, and after a chord that no other follows."""
    starts = {0.0, *(round(chord.start + chord.length, 3) for chord in chords)}
    return [(at, NO_CHORD) for at in sorted(starts - {round(chord.start, 3) for chord in chords})]


def write_lead_sheet(
    path: Path,
    score: Score,
    key: Key | None = None,
    *,
    changes: Keys = (),
) -> None:
    """Write melody and chord symbols as MusicXML, whole or not at all, spelt by the key; by the one
    that the notes suggest, where none is given.

    changes: later keys, each with the quarter note, a bar line, where its signature stands.

    Raises ThirdstreamError without music21.
    """
    try:
        from music21 import metadata, meter, note, stream, tempo
        from music21.key import KeySignature
    except ImportError as error:
        raise ThirdstreamError(
            f"{path}: lead sheets need music21; pip install 'thirdstream[scores]'"
        ) from error
    part = stream.Part()
    key = key or (key_of_notes(score.melody) if score.melody else C_MAJOR)
    keys = ((0.0, key), *changes)
    for start, sharps in _signatures(keys):
        part.insert(start, KeySignature(sharps))
    for start, one in score.metres.changes:
        part.insert(_exact(start), meter.TimeSignature(one.name))
    if score.beats_per_minute:
        part.insert(0, tempo.MetronomeMark(number=score.beats_per_minute))
    for one in _one_by_one(score.melody):
        for start, written in _tied(one, score.metres, _key_at(keys, one.start)):
            part.insert(start, written)
    last = max((chord.start for chord in score.chords), default=0.0)
    if last >= max((one.end for one in score.melody), default=0.0):
        part.insert(_exact(last), note.Rest(quarterLength=1.0))  # for a bar to hold the chord
    whole = stream.Score([part])
    whole.metadata = metadata.Metadata(title=without_controls(score.title or path.stem))
    with whole_file(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        part.makeNotation(inPlace=True)
        _finish(list(part.getElementsByClass(stream.Measure)), score, keys)
        whole.write("musicxml", fp=str(temporary))


def _key_at(keys: Keys, quarter: float) -> Key:
    """The one that holds there."""
    return [key for start, key in keys if start <= quarter or start == 0.0][-1]


def _signatures(keys: Keys) -> Iterator[tuple[Fraction, int]]:
    """Sharps of the keys, but for those that have the signature before: a relative minor."""
    before = None
    for start, key in keys:
        if sharps_of(key) != before:
            before = sharps_of(key)
            yield _exact(start), before


def _finish(measures: Sequence[Any], score: Score, keys: Keys) -> None:
    """Give the bars visible rests, beams that end at rests, and the chord symbols.

    In bars that are not finished, a symbol within a note would make a second voice.
    """
    for measure in measures:
        measure.makeRests(fillGaps=True, timeRangeFromBarDuration=True, inPlace=True)
        measure.makeBeams(inPlace=True)
    for start, named in _symbols(score, keys):
        measure = [one for one in measures if one.offset <= start][-1]
        measure.insert(start - measure.offset, named)


def _symbols(score: Score, keys: Keys) -> Iterator[tuple[Fraction, Any]]:
    """The chords, and the N.C. before the last note, as music21 has them, each with its place."""
    from music21 import harmony

    for chord in score.chords:
        key = _key_at(keys, chord.start)
        root, bass = (root_name(c, key).replace("b", "-") for c in (chord.root, chord.bass))
        named = harmony.ChordSymbol(root=root, bass=bass, kind=_kind(chord)[0])
        yield _exact(chord.start), named
    for start, text in _rests(score.chords):
        if any(note.end > start for note in score.melody):
            yield _exact(start), harmony.NoChord(text)


def without_controls(title: str) -> str:
    """Without what a file's name may hold and XML may not: control characters, bytes of no text."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in title)


def _tied(one: Note, metres: Metres, key: Key) -> Iterator[tuple[Fraction, Any]]:
    """A note as music21 writes it, in tied pieces where it must be, each with its place."""
    from music21 import note, pitch, tie

    pieces = _pieces(_exact(one.start), _exact(one.end), metres)
    kinds = ("start", *["continue"] * (len(pieces) - 2), "stop")
    name, octave = spelt(one.pitch, key)
    for number, (start, end) in enumerate(pieces):
        spelling = pitch.Pitch(name.replace("b", "-"), octave=octave)
        written = note.Note(spelling, quarterLength=end - start)
        if len(pieces) > 1:
            written.tie = tie.Tie(kinds[number])
        yield start, written


def _one_by_one(melody: Sequence[Note]) -> Iterator[Note]:
    """Each note ends where the next begins, at the latest: else they are written as two voices."""
    for one, after in itertools.zip_longest(melody, melody[1:]):
        end = one.end if after is None else min(one.end, max(after.start, one.start + 1 / 12))
        yield replace(one, length=end - one.start)


def _exact(beats: float) -> Fraction:
    """A position as the fraction it stands for: twelfths hold triplets and sixteenths."""
    return Fraction(round(12 * beats), 12)


def _pieces(start: Fraction, end: Fraction, metres: Metres) -> list[tuple[Fraction, Fraction]]:
    """A note cut where it must be tied: at bar lines, and between whole beats and parts of one."""
    bars = range(metres.bar(float(start)), metres.bar(float(end)) + 1)
    lines = [Fraction(metres.line(bar)) for bar in bars]
    beats = [line + Fraction(place)
             for line, bar in zip(lines, bars, strict=True)
             for place in metres.metre_of(bar).places
             if start <= line + Fraction(place) <= end]  # fmt: skip
    cuts = {start, *beats[:1], *lines[1:], *beats[-1:], end}
    return list(itertools.pairwise(sorted(cuts)))
