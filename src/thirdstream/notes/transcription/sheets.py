"""A transcription as files: MIDI, a lead sheet, a piano roll, and JSON.

NAME.mid has every note, as played, over the tempo map; it begins when the recording does, so its
first bar may be a short one. NAME.musicxml is melody and chord symbols, NAME.pdf the same on paper.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from thirdstream.files import whole_file, write_json
from thirdstream.notes.io.engraving import engrave
from thirdstream.notes.io.lead_sheet import (
    engraved,
    key_at,
    symbol,
    without_controls,
    write_lead_sheet,
)
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.io.rhythm import plain_rhythm
from thirdstream.notes.sections import sections_of
from thirdstream.notes.transcription.places import sheet_paths
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Chord, Song, Track

Array = NDArray[np.float64]

# Verovio is not among them: it knows its fonts in the thread alone that imports it.
WRITERS = ("mido", "music21", "music21.musicxml.m21ToXml", "reportlab.pdfgen.canvas")
WIDE, LEFT, RIGHT, BAR = 12.0, 0.6, 11.1, 0.24  # inches of the picture, its rows, a bar of colours
UPPER, LOWER, BETWEEN = 0.3, 0.5, 0.16  # inches above and below the rows; between, in their heights
TRUSTED, STRIP, SHADES = ("beats", "chords", "melody"), 7.5, "viridis"  # strips, semitones high
SYMBOL, GAP, LINE = 8, 3, 5.5  # points of a chord's name, between two of them; semitones of a line
ROW_S, MAX_ROWS = 20.0, 40  # seconds a row of the piano roll has at least; rows it has at most


def write_sheets(found: Transcription, out: Path, name: str, *, force: bool = False) -> list[Path]:
    """Write NAME.mid, .musicxml, .png and .json into the folder `out`, and .pdf with the extra
    `pdf`: all, whole, or none.

    Raises ThirdstreamError without the extra `scores`, or where one exists without `force`.
    """
    paths = sheet_paths(out, name, force=force)
    score = found.score
    tempo = score.beats_per_minute or 120.0
    sections = sections_of(score)
    song = Song((Track("transcription", 0, found.notes),), tempo, metres=score.metres)
    with ExitStack() as stack:  # what went wrong with one leaves none
        midi, sheet, roll, data, *pdf = (stack.enter_context(whole_file(path)) for path in paths)
        write_midi(midi, song, found.timing)
        first, *changes = found.keys
        write_lead_sheet(
            sheet, plain_rhythm(score), first[1],
            changes=changes, sections=sections, swung=found.swing != 0.5,
        )  # fmt: skip
        draw_roll(roll, found)
        write_json(data, _unsigned_zeros(_data(found, sections)))
        for one in pdf:
            engrave(sheet, one, title=without_controls(score.title))
    return paths


def _data(found: Transcription, sections: Mapping[int, str]) -> dict[str, Any]:
    beat, metres = found.timing.beat, found.score.metres
    starts = {metres.line(bar): name for bar, name in sections.items()}
    return {
        "duration_s": found.duration_s,
        "key": found.key.name,
        "keys": [
            {"start_s": round(max(float(found.timing.seconds(start)), 0.0), 3), "key": key.name}
            for start, key in found.keys
        ],
        "tuning_semitones": round(found.tuning, 3),
        "metre": metres.changes[0][1].name,
        "beats_per_bar": round(found.score.beats_per_bar / beat),
        "beats_per_minute": round((found.score.beats_per_minute or 120.0) / beat, 1),
        "quarters_per_beat": beat,
        "pickup": round(found.score.pickup, 4),
        "swing": round(found.swing, 3),
        "sections": [
            {"name": name, "start": at, "start_s": round(float(found.timing.seconds(at)), 4)}
            for at, name in starts.items()
        ],
        "beats_s": [round(beat, 4) for beat in found.timing.beats_s],
        "chords": [asdict(chord) | {"symbol": text} for chord, text in _named(found)],
        "melody": [asdict(note) for note in found.score.melody],
        "confidence": [
            {name: round(value, 3) for name, value in asdict(bar).items()}
            for bar in found.confidence
        ],
    }


def _unsigned_zeros(content: Any) -> Any:
    """The same, with 0.0 in place of -0.0."""
    if isinstance(content, dict):
        return {name: _unsigned_zeros(one) for name, one in content.items()}
    if isinstance(content, list | tuple):
        return [_unsigned_zeros(one) for one in content]
    return content + 0.0 if isinstance(content, float) else content


def _named(found: Transcription) -> Iterator[tuple[Chord, str]]:
    """The chords, each with its symbol, spelt by the key at its place."""
    for chord in found.score.chords:
        yield chord, symbol(chord, key_at(found.keys, chord.start))


def draw_roll(path: Path, found: Transcription) -> None:
    """Draw all notes over time, the melody in colour, with bar lines, beats and chord symbols, and
    below them how far the beats, chords and melody of each bar may be trusted."""
    n_rows = min(MAX_ROWS, max(1, int(np.ceil(found.duration_s / ROW_S))))
    row_s = max(found.duration_s / n_rows, 1e-3)
    high = 2.2 * n_rows + 0.6
    figure = Figure(figsize=(WIDE, high))
    below, above = LOWER / high, 1 - UPPER / high
    place = {"left": LEFT / WIDE, "right": RIGHT / WIDE, "bottom": below, "top": above}
    rows = figure.subplots(
        n_rows, 1, squeeze=False, sharey=True, gridspec_kw={**place, "hspace": BETWEEN}
    )[:, 0]
    roll = _Roll.of(found)
    for number, axes in enumerate(rows):
        _draw_row(axes, roll, number * row_s, (number + 1) * row_s)
        _draw_confidence(axes, found, top=roll.low - 1.5, start_s=number * row_s)
    rows[-1].set_xlabel("time (s)")
    shades = ScalarMappable(Normalize(0, 1), SHADES)
    shades.set_array([])
    share = min(above - below, 20 * BAR / high)  # of the figure's height, in its middle
    edges = ((RIGHT + BAR / 2) / WIDE, (above + below - share) / 2, BAR / WIDE, share)
    figure.colorbar(shades, cax=figure.add_axes(edges), label="confidence")
    title = without_controls(found.score.title)
    figure.suptitle(title, y=1 - 0.05 / high, va="top", parse_math=False)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=100)


class _Roll(NamedTuple):
    """What is drawn, in seconds: beats, which of them are bar lines; spans (n_notes, 2) and pitches
    of all notes and of the melody; chord symbols. low, high: the lowest and highest pitch."""

    beats_s: Array
    is_line: NDArray[np.bool_]
    layers: tuple[tuple[Array, Array], ...]
    symbols: list[tuple[float, str]]
    low: int
    high: int

    @classmethod
    def of(cls, found: Transcription) -> "_Roll":
        beat, seconds = found.timing.beat, found.timing.seconds
        beats_s = np.array(found.timing.beats_s)
        is_line = [found.score.metres.within(k * beat) == 0 for k in range(len(beats_s))]
        layers = tuple(
            (seconds(np.array([[n.start, n.end] for n in notes]).reshape(-1, 2)),
             np.array([n.pitch for n in notes], float))
            for notes in (found.notes, found.score.melody)
        )  # fmt: skip
        symbols = [(float(seconds(chord.start)), text) for chord, text in _named(found)]
        low, high = (f(n.pitch for n in found.notes) for f in (min, max))
        return cls(beats_s, np.array(is_line), layers, symbols, low, high)


def _draw_row(axes: Axes, roll: _Roll, start_s: float, end_s: float) -> None:
    low, high = roll.low - 3 - STRIP, roll.high + 8 + LINE
    here = (start_s <= roll.beats_s) & (roll.beats_s <= end_s)
    for lines, colour in ((~roll.is_line, "0.9"), (roll.is_line, "0.5")):
        axes.vlines(roll.beats_s[here & lines], low, high, color=colour, lw=0.8, zorder=0)
    for (spans, pitches), colour in zip(roll.layers, ("0.65", "#c2571a"), strict=True):
        inside = (spans[:, 1] > start_s) & (spans[:, 0] < end_s)
        axes.hlines(pitches[inside], *spans[inside].T, color=colour, lw=3)
    axes.set(xlim=(start_s, end_s), ylim=(low, high), ylabel="MIDI pitch")
    point_s = (end_s - start_s) / (72 * (RIGHT - LEFT))
    symbols = [(at, engraved(text)) for at, text in roll.symbols if start_s <= at < end_s]
    for at, line, text in _apart(symbols, point_s, end_s):
        axes.text(at, high - LINE * (line + 1), text, fontsize=SYMBOL, clip_on=True)


def _apart(
    symbols: Iterable[tuple[float, str]], point_s: float, end_s: float
) -> Iterator[tuple[float, int, str]]:
    """Where symbols go so that none touches another: seconds, line 0 or below it 1, and text.

    One that has room on neither is left out. point_s: seconds that a point is wide.
    """
    free_s = [-np.inf, -np.inf]  # from where on each line is free
    for at, text in symbols:
        wide_s = (_width(text) + GAP) * point_s
        start_s = min(at, end_s - wide_s)  # not over the edge
        line = next((line for line, from_s in enumerate(free_s) if from_s <= start_s), None)
        if line is not None:
            yield start_s, line, text
            free_s[line] = start_s + wide_s


@cache
def _width(text: str) -> float:
    """Of a symbol, in points."""
    return float(TextPath((0, 0), text, size=SYMBOL).get_extents().width)


def _draw_confidence(axes: Axes, found: Transcription, *, top: float, start_s: float) -> None:
    """Three strips, each bar in its shade; top: MIDI pitch below which they lie."""
    bars = found.confidence
    if not bars:
        return
    end_s = float(found.timing.seconds(found.timing.beat * (len(found.timing.beats_s) - 1)))
    edges_s = [*(bar.start_s for bar in bars), end_s]
    shades = np.array([[getattr(bar, name) for bar in bars] for name in TRUSTED])
    heights = top - STRIP / len(TRUSTED) * np.arange(len(TRUSTED) + 1)
    axes.pcolormesh(edges_s, heights, shades, cmap=SHADES, vmin=0, vmax=1, zorder=1)
    for name, above, below in zip(TRUSTED, heights, heights[1:], strict=False):
        middle = (above + below) / 2
        axes.annotate(name, (start_s, middle), (2, 0), textcoords="offset points", va="center",
                      fontsize=5, bbox={"color": "white", "alpha": 0.7, "pad": 0.5})  # fmt: skip
