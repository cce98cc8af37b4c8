"""What was heard, on paper: MIDI, a lead sheet, a piano roll, and JSON.

NAME.mid has every note, as played, over the tempo map; it begins when the recording does, so its
first bar may be a short one. NAME.musicxml is melody and chord symbols.
"""

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thirdstream.files import ThirdstreamError, whole_file, write_json
from thirdstream.notes.harmonising import C_MAJOR, Key, key_of_notes
from thirdstream.notes.io.midi import Song, Track, write_midi
from thirdstream.notes.io.spelling import root_name, sharps_of, spelt, tonic_name
from thirdstream.notes.metre import Metres
from thirdstream.notes.transcription.listening import Heard
from thirdstream.notes.types import CHORDS, Chord, Note, Score

FIGURES = {  # of chords: music21's kind, and what is written after the root
    "major": ("major", ""),
    "minor": ("minor", "m"),
    "dominant seventh": ("dominant-seventh", "7"),
    "minor seventh": ("minor-seventh", "m7"),
    "major seventh": ("major-seventh", "maj7"),
    "half-diminished": ("half-diminished-seventh", "m7b5"),
    "diminished": ("diminished", "dim"),
    "diminished seventh": ("diminished-seventh", "dim7"),
}
NO_CHORD = "N.C."
KINDS = {CHORDS[name]: figure for name, figure in FIGURES.items()}
ENDINGS = (".mid", ".musicxml", ".png", ".json")
ROW_S, MAX_ROWS = 20.0, 40  # seconds a row of the piano roll has at least; rows it has at most


def write_sheets(heard: Heard, out: Path, name: str, *, force: bool = False) -> list[Path]:
    """Write NAME.mid, .musicxml, .png and .json into the folder `out`: all four, whole, or none.

    Raises ThirdstreamError without the extra `scores`, or where one exists without `force`.
    """
    paths = [out / f"{name}{ending}" for ending in ENDINGS]
    for path in paths:
        if path.exists() and not force:
            raise ThirdstreamError(f"{path}: exists already; add --force to replace it")
    score = heard.score
    tempo = score.beats_per_minute or 120.0
    song = Song((Track("heard", 0, heard.notes),), tempo, metres=score.metres)
    with ExitStack() as stack:  # what went wrong with one leaves none
        midi, sheet, roll, data = (stack.enter_context(whole_file(path)) for path in paths)
        write_midi(midi, song, heard.timing)
        write_lead_sheet(sheet, score, Key(heard.key, heard.is_minor))
        draw_roll(roll, heard)
        write_json(data, _data(heard))
    return paths


def _data(heard: Heard) -> dict[str, Any]:
    key = Key(heard.key, heard.is_minor)
    return {
        "duration_s": heard.duration_s,
        "key": f"{tonic_name(key)} {'minor' if heard.is_minor else 'major'}",
        "tuning_semitones": round(heard.tuning, 3),
        "beats_per_bar": heard.score.beats_per_bar,
        "beats_per_minute": heard.score.beats_per_minute,
        "beats_s": [round(beat, 4) for beat in heard.timing.beats_s],
        "chords": [asdict(c) | {"symbol": symbol(c, key)} for c in heard.score.chords],
        "melody": [asdict(note) for note in heard.score.melody],
    }


def symbol(chord: Chord, key: Key = C_MAJOR) -> str:
    """As written above the staff in a key: Cm7, G7/B. A flat is a small b."""
    text = root_name(chord.root, key) + KINDS[chord.intervals][1]
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
    """Where no chord is heard: at the beginning, and after a chord that no other follows."""
    starts = {0.0, *(round(chord.start + chord.length, 3) for chord in chords)}
    return [(at, NO_CHORD) for at in sorted(starts - {round(chord.start, 3) for chord in chords})]


def write_lead_sheet(path: Path, score: Score, key: Key | None = None) -> None:
    """Write melody and chord symbols as MusicXML, whole or not at all, spelt by the key; by the one
    that the notes suggest, where none is given.

    Raises ThirdstreamError without music21.
    """
    try:
        from music21 import harmony, metadata, meter, stream, tempo
        from music21.key import KeySignature
    except ImportError as error:
        raise ThirdstreamError(
            f"{path}: lead sheets need music21; pip install 'thirdstream[scores]'"
        ) from error
    part = stream.Part()
    key = key or (key_of_notes(score.melody) if score.melody else C_MAJOR)
    part.insert(0, KeySignature(sharps_of(key)))
    for start, one in score.metres.changes:
        part.insert(_exact(start), meter.TimeSignature(one.name))
    if score.beats_per_minute:
        part.insert(0, tempo.MetronomeMark(number=score.beats_per_minute))
    for one in score.melody:
        for start, written in _tied(one, score.metres, key):
            part.insert(start, written)
    for chord in score.chords:
        root, bass = (root_name(c, key).replace("b", "-") for c in (chord.root, chord.bass))
        named = harmony.ChordSymbol(root=root, bass=bass, kind=KINDS[chord.intervals][0])
        part.insert(_exact(chord.start), named)
    for start, text in _rests(score.chords):
        if any(note.end > start for note in score.melody):
            part.insert(_exact(start), harmony.NoChord(text))
    whole = stream.Score([part])
    whole.metadata = metadata.Metadata(title=_in_xml(score.title or path.stem))
    with whole_file(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        part.makeNotation(inPlace=True)
        whole.write("musicxml", fp=str(temporary))


def _in_xml(title: str) -> str:
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


def draw_roll(path: Path, heard: Heard) -> None:
    """Draw all notes over time, the melody in colour, with bar lines, beats and chord symbols."""
    n_rows = min(MAX_ROWS, max(1, int(np.ceil(heard.duration_s / ROW_S))))
    row_s = max(heard.duration_s / n_rows, 1e-3)
    figure = Figure(figsize=(12, 2.2 * n_rows + 0.6), layout="constrained")
    rows = figure.subplots(n_rows, 1, squeeze=False, sharey=True)[:, 0]
    for number, axes in enumerate(rows):
        _draw_row(axes, heard, number * row_s, (number + 1) * row_s)
    rows[-1].set_xlabel("time (s)")
    figure.suptitle(_in_xml(heard.score.title), parse_math=False)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _draw_row(axes: Axes, heard: Heard, start_s: float, end_s: float) -> None:
    for number, beat_s in enumerate(heard.timing.beats_s):
        if start_s <= beat_s <= end_s:
            is_line = heard.score.metres.within(number) == 0
            axes.axvline(beat_s, color="0.5" if is_line else "0.9", lw=0.8, zorder=0)
    layers: tuple[tuple[Sequence[Note], str], ...] = (
        (heard.notes, "0.65"),
        (heard.score.melody, "#c2571a"),
    )
    for notes, colour in layers:
        spans = heard.timing.seconds(np.array([[n.start, n.end] for n in notes]).reshape(-1, 2))
        inside = (spans[:, 1] > start_s) & (spans[:, 0] < end_s)
        pitches = np.array([n.pitch for n in notes])[inside]
        axes.hlines(pitches, *spans[inside].T, color=colour, lw=3)
    low, high = (f(n.pitch for n in heard.notes) for f in (min, max))
    axes.set(xlim=(start_s, end_s), ylim=(low - 2, high + 8), ylabel="MIDI pitch")
    for chord in heard.score.chords:
        at = float(heard.timing.seconds(chord.start))
        if start_s <= at < end_s:
            text = symbol(chord, Key(heard.key, heard.is_minor))
            axes.text(at, high + 3, text, fontsize=8, clip_on=True)
