"""Lead sheets: melody and chord symbols, as text and as MusicXML, through music21."""

import math
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.notes.io.bars import exact, notes_by_bar, written
from thirdstream.notes.key import C_MAJOR, Key, bass_name, key_of_notes, root_name, sharps_of
from thirdstream.notes.metre import Metre
from thirdstream.notes.metre import metre as usual
from thirdstream.notes.types import Chord, Score

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
FLAT, SHARP = "\N{MUSIC FLAT SIGN}", "\N{MUSIC SHARP SIGN}"
BARS_OF_A_LINE = 4
Keys = Sequence[tuple[float, Key]]  # from which quarter note on


def _inside(chord: Chord) -> tuple[int, ...]:
    """The largest of KINDS that the chord holds; major where it holds none."""
    inside = [kind for kind in KINDS if set(kind) <= set(chord.intervals)]
    return max(inside, key=len, default=(0, 4, 7))


def _kind(chord: Chord) -> tuple[str, str]:
    return KINDS[_inside(chord)]


def symbol(chord: Chord, key: Key = C_MAJOR) -> str:
    """As written above the staff in a key: Cm7, G7/B. A flat is a small b."""
    text = root_name(chord.root, key) + _kind(chord)[1]
    return text + (f"/{bass_name(chord, key)}" if chord.bass != chord.root else "")


def engraved(text: str) -> str:
    """A chord's symbol with the signs of its accidentals: B\N{MUSIC FLAT SIGN} for Bb."""
    return re.sub(r"(?<=[A-G])b|b(?=\d)", FLAT, text).replace("#", SHARP)


def chords_of_bars(score: Score, keys: Keys = ((0.0, C_MAJOR),)) -> tuple[str, ...]:
    """The symbols of the chords that begin in each bar, spelt by the keys; one that goes on is a
    percent sign."""
    end = max((c.start + c.length for c in score.chords), default=0.0)
    n_bars = math.ceil(score.metres.number(end) - 0.01)
    bars: list[list[str]] = [[] for _ in range(n_bars)]
    named = [(chord.start, symbol(chord, key_at(keys, chord.start))) for chord in score.chords]
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
    sections: Mapping[int, str] = MappingProxyType({}),
    swung: bool = False,
) -> None:
    """Write melody and chord symbols as MusicXML, whole or not at all, spelt by the key; by the one
    that the notes suggest, where none is given.

    changes: later keys, each with the quarter note, a bar line, where its signature stands.
    sections: a letter for each bar, counted from 0, with which one begins. swung: whether eighths
    are; the sheet says so. Lines have four bars, the first of a section begins one. A pickup is a
    short bar with the number 0. There are bars as long as a note or a chord lasts.
    Raises ThirdstreamError without music21.
    """
    try:
        from music21 import metadata, stream
    except ImportError as error:
        raise ThirdstreamError(
            f"{path}: lead sheets need music21; pip install 'thirdstream[scores]'"
        ) from error
    key = key or (key_of_notes(score.melody) if score.melody else C_MAJOR)
    whole = stream.Score([_part(score, ((0.0, key), *changes), sections, swung=swung)])
    whole.metadata = metadata.Metadata(title=without_controls(score.title or path.stem))
    with whole_file(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        temporary.write_bytes(_musicxml(whole))


def _musicxml(whole: Any) -> bytes:
    """The same music is the same bytes: music21 names the day, and its parts at random; and itself
    as the composer, whom a recording does not tell."""
    from music21.musicxml.m21ToXml import ScoreExporter

    exporter = ScoreExporter(whole, makeNotation=False)
    root = exporter.parse()
    for above, name in (("identification", "creator"), (".//encoding", "encoding-date")):
        for parent in root.findall(above):
            for one in parent.findall(name):
                parent.remove(one)
    for place in ("part-list/score-part", "part"):
        for number, one in enumerate(root.findall(place), start=1):
            one.set("id", f"P{number}")
    return exporter.asBytes()


def key_at(keys: Keys, quarter: float) -> Key:
    """The one that holds there."""
    return [key for start, key in keys if start <= quarter or start == 0.0][-1]


def _signatures(keys: Keys) -> Iterator[tuple[Fraction, int]]:
    """Sharps of the keys, but for those that have the signature before: a relative minor."""
    before = None
    for start, key in keys:
        if sharps_of(key) != before:
            before = sharps_of(key)
            yield exact(start), before


def _part(score: Score, keys: Keys, sections: Mapping[int, str], *, swung: bool) -> Any:
    """The part, as music21 has it.

    Chord symbols come last: to music21 they are notes, and would be beamed.
    """
    from music21 import clef, stream

    symbols: dict[int, list[tuple[Fraction, Any]]] = defaultdict(list)
    for start, named in _symbols(score, keys):
        number = score.metres.bar(float(start))
        symbols[number].append((start - exact(score.metres.line(number)), named))
    last = score.metres.n_bars(max((chord.end for chord in score.chords), default=0.0))
    measures = list(_measures(score, keys, max(1 + max(symbols, default=0), last)))
    _direct(measures[0], score, swung=swung)
    _mark(measures, sections, has_pickup=_silence(score) > 0)
    part = stream.Part()
    part.append(measures)
    measures[0].clef = clef.bestClef(part, recurse=True)
    _beam(measures, measures[0].clef)
    part.makeAccidentals(inPlace=True)
    for number, inside in symbols.items():
        for start, named in inside:
            measures[number].insert(start - exact(measures[number].paddingLeft), named)
    _bracket(measures)
    return part


def _beam(measures: Sequence[Any], clef: Any) -> None:
    """Write beams, with their stems in one direction.

    Bar by bar, with its time signature there: music21 takes seconds to look for it, and for a clef.
    """
    from music21.stream import makeNotation

    sign = None
    for measure in measures:
        own = measure.timeSignature
        sign = own or sign
        if own is None:
            measure.insert(0, sign)
        makeNotation.makeBeams(measure, inPlace=True, setStemDirections=False)
        if own is None:
            measure.remove(sign)
        for group in makeNotation.iterateBeamGroups(measure):
            pitches = [pitch for one in group for pitch in one.pitches]
            direction = clef.getStemDirectionForPitches(pitches)
            for one in group:
                one.stemDirection = direction


def _bracket(measures: Sequence[Any]) -> None:
    """Write triplets in values that complete them, with brackets."""
    from music21.stream import makeNotation

    for measure in measures:
        for one in measure.notesAndRests:
            if not one.duration.tuplets:  # or it is cut where a triplet before lacks something
                one.duration.expressionIsInferred = False
        makeNotation.splitElementsToCompleteTuplets(measure)
        makeNotation.consolidateCompletedTuplets(measure)
        makeNotation.makeTupletBrackets(measure, inPlace=True)


def _measures(score: Score, keys: Keys, n_bars: int) -> Iterator[Any]:
    """At least `n_bars` bars with their notes and rests."""
    from music21 import stream
    from music21.key import KeySignature

    notes = notes_by_bar(score)
    n_bars = max(n_bars, 1 + max(notes, default=0))
    silence, sign = _silence(score), None
    signatures = dict(_signatures(keys))
    for number in range(n_bars):
        metre = score.metres.metre_of(number)
        silent = silence if number == 0 else Fraction(0)
        measure = stream.Measure(number=number + (silence == 0))
        if silent:
            measure.paddingLeft = silent
            measure.showNumber = stream.enums.ShowNumber.NEVER
        line = exact(score.metres.line(number))
        if line in signatures:
            measure.insert(0, KeySignature(signatures[line]))
        if metre != sign:
            measure.insert(0, _time_signature(metre))
            sign = metre
        for start, one in written(notes.get(number, []), silent, metre, key_at(keys, float(line))):
            measure.insert(start - silent, one)
        if number == n_bars - 1:
            measure.rightBarline = "final"
        yield measure


def _time_signature(metre: Metre) -> Any:
    """With its groups, where they are not those that are usual; quarters are beamed one by one."""
    from music21 import meter

    groups = metre.cells if metre.unit <= 4 else metre.beats  # in quarter notes
    counts = [group * metre.unit / 4 for group in groups]
    is_plain = metre == usual(metre.count, metre.unit) or any(count % 1 for count in counts)
    count = metre.count if is_plain else "+".join(f"{count:g}" for count in counts)
    sign = meter.TimeSignature(f"{count}/{metre.unit}")
    if metre.unit == 4:
        sign.beamSequence.partition(metre.count)
        for number in range(metre.count):
            sign.beamSequence[number] = sign.beamSequence[number].subdivide(2)
    return sign


def _direct(measure: Any, score: Score, *, swung: bool) -> None:
    """Write the tempo, in the beats that are counted, and whether eighths are swung."""
    from music21 import duration, expressions, tempo

    metre = score.metres.changes[0][1]
    beat = metre.beats[0] if metre.is_even and metre.unit > 4 else 4 / metre.unit
    if score.beats_per_minute:
        mark = tempo.MetronomeMark(
            number=round(score.beats_per_minute / beat),
            referent=duration.Duration(beat),
        )
        measure.insert(0, mark)
    if swung:
        words: Any = expressions.TextExpression("Swing")
        words.placement = "above"
        words.style.fontWeight = "bold"
        measure.insert(0, words)


def _mark(measures: Sequence[Any], sections: Mapping[int, str], *, has_pickup: bool) -> None:
    """Write the letters of sections, and begin lines."""
    from music21 import expressions, layout

    first = int(has_pickup)
    for number, measure in enumerate(measures):
        if number in sections:
            letter: Any = expressions.RehearsalMark(sections[number])
            letter.style.enclosure = "square"
            letter.placement = "above"
            measure.insert(0, letter)
        begins = number in sections or (number - first) % BARS_OF_A_LINE == 0
        if begins and number > int(has_pickup):
            measure.insert(0, layout.SystemLayout(isNew=True))
            first = number


def _symbols(score: Score, keys: Keys) -> Iterator[tuple[Fraction, Any]]:
    """The chords, and the N.C. before the last note, as music21 has them, each with its place."""
    from music21 import harmony

    for chord in score.chords:
        yield exact(chord.start), _named(chord, key_at(keys, chord.start))
    silence = _silence(score)
    is_upbeat = silence > 0 and all(
        chord.start <= score.beats_per_bar for chord in score.chords[:1]
    )
    last = max((note.end for note in score.melody), default=0.0)
    for start, text in _rests(score.chords):
        if start < last and not (start == 0 and is_upbeat):
            yield max(exact(start), silence), harmony.NoChord(text)


def _named(chord: Chord, key: Key) -> Any:
    """A chord's symbol as music21 has it; that finds no pitches for it, which takes it 10 ms."""
    from music21 import harmony

    symbol: Any = harmony.ChordSymbol()
    names = root_name(chord.root, key), bass_name(chord, key)
    root, bass = (name.replace("b", "-") for name in names)
    symbol.root(root)
    symbol.bass(bass, allow_add=True)
    symbol.chordKind, symbol.chordKindStr = _kind(chord)
    above = (chord.bass - chord.root) % 12
    if above in _inside(chord)[1:]:
        symbol.inversion(_inside(chord).index(above), transposeOnSet=False)
    return symbol


def _silence(score: Score) -> Fraction:
    """What a pickup leaves of the first bar; 0 without one, or where something sounds before it."""
    silence = exact(score.beats_per_bar - score.pickup)
    first = min((exact(one.start) for one in (*score.melody, *score.chords)), default=silence)
    return silence if score.pickup and 0 < silence <= first else Fraction(0)


def without_controls(title: str) -> str:
    """Without what a file's name may hold and XML may not: control characters, bytes of no text."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in title)
