"""The picture of a transcription: a piano roll with beats, chord symbols and confidence."""

import math
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from thirdstream.files import whole_file
from thirdstream.notes.io.lead_sheet import engraved, key_at, symbol, without_controls
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Chord
from thirdstream.packages import deja_vu

Array = NDArray[np.float64]

WIDE, LEFT, RIGHT, BAR = 1200, 60, 1110, 24  # pixels of the picture, its rows, a bar of colours
UPPER, HIGH, BETWEEN, LOWER = 30, 190, 30, 20  # pixels above, of, between and below the rows
TRUSTED, STRIP, INK = ("beats", "chords", "melody"), 7.5, "black"  # strips, semitones high
SHADES = (68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)  # viridis
SYMBOL, GAP, LINE = 11, 4, 5.5  # pixels of a symbol, between two; semitones of a line more
ROW_S, MAX_ROWS = 20.0, 40  # seconds a row of the piano roll has at least; rows it has at most


def chord_symbols(found: Transcription) -> Iterator[tuple[Chord, str]]:
    """The chords, each with its symbol, spelt by the key at its place."""
    for chord in found.score.chords:
        yield chord, symbol(chord, key_at(found.keys, chord.start))


def draw_roll(path: Path, found: Transcription) -> None:
    """Draw all notes over time, the melody in colour, with bar lines, beats and chord symbols, and
    below them how far the beats, chords and melody of each bar may be trusted."""
    n_rows = min(MAX_ROWS, max(1, int(np.ceil(found.duration_s / ROW_S))))
    row_s = max(found.duration_s / n_rows, 1e-3)
    roll = _Roll.of(found)
    picture = Image.new("RGB", (WIDE, UPPER + n_rows * (HIGH + BETWEEN) + LOWER), "white")
    for number in range(n_rows):
        row = _Row.of(roll, start_s=number * row_s, end_s=(number + 1) * row_s)
        _draw_row(row, roll)
        _draw_confidence(row, found, top=roll.low - 1.5)
        row.frame(picture, top=UPPER + number * (HIGH + BETWEEN))
    pen, middle = ImageDraw.Draw(picture), (LEFT + RIGHT) / 2
    pen.text((middle, picture.height - 4), "time (s)", INK, _font(14), anchor="md")
    title = without_controls(found.score.title)
    pen.text((WIDE / 2, 5), title, INK, _font(17), anchor="ma")
    _draw_shades(picture, middle=UPPER + (n_rows * (HIGH + BETWEEN) - BETWEEN) // 2)
    with whole_file(path) as temporary:
        picture.save(temporary, "png")


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
        symbols = [(float(seconds(chord.start)), text) for chord, text in chord_symbols(found)]
        low, high = (f(n.pitch for n in found.notes) for f in (min, max))
        return cls(beats_s, np.array(is_line), layers, symbols, low, high)


class _Row(NamedTuple):
    """A row of the picture, without its frame; start_s to end_s, and pitches from low to high."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    start_s: float
    end_s: float
    low: float
    high: float

    @classmethod
    def of(cls, roll: _Roll, *, start_s: float, end_s: float) -> "_Row":
        image = Image.new("RGB", (RIGHT - LEFT, HIGH), "white")
        pen = ImageDraw.Draw(image)
        return cls(image, pen, start_s, end_s, roll.low - 3 - STRIP, roll.high + 8 + LINE)

    def x(self, at_s: float) -> int:
        """Of a moment, in pixels."""
        return round((at_s - self.start_s) / (self.end_s - self.start_s) * (RIGHT - LEFT))

    def y(self, pitch: float) -> int:
        """Of a MIDI pitch, in pixels."""
        return round((self.high - pitch) / (self.high - self.low) * HIGH)

    def frame(self, picture: Image.Image, *, top: int) -> None:
        """Put it into the picture, with a frame and what its sides say."""
        picture.paste(self.image, (LEFT, top))
        pen, font = ImageDraw.Draw(picture), _font(14)
        pen.rectangle((LEFT, top, RIGHT, top + HIGH), outline=INK)
        for at_s in _ticks(self.start_s, self.end_s):
            x = LEFT + self.x(at_s)
            pen.line((x, top + HIGH, x, top + HIGH + 4), INK)
            pen.text((x, top + HIGH + 6), f"{at_s:g}", INK, font, anchor="ma")
        for pitch in _ticks(self.low, self.high):
            y = top + self.y(pitch)
            pen.line((LEFT - 4, y, LEFT, y), INK)
            pen.text((LEFT - 7, y), f"{pitch:g}", INK, font, anchor="rm")
        _upright(picture, "MIDI pitch", x=14, middle=top + HIGH // 2)


def _draw_row(row: _Row, roll: _Roll) -> None:
    start_s, end_s, pen = row.start_s, row.end_s, row.pen
    for at, is_line in zip(roll.beats_s, roll.is_line, strict=True):
        if start_s <= at <= end_s:
            pen.line((row.x(at), 0, row.x(at), HIGH), "#7f7f7f" if is_line else "#e6e6e6")
    for (spans, pitches), colour in zip(roll.layers, ("#a6a6a6", "#c2571a"), strict=True):
        inside = (spans[:, 1] > start_s) & (spans[:, 0] < end_s)
        for (begin, end), pitch in zip(spans[inside].tolist(), pitches[inside], strict=True):
            y = row.y(pitch)
            pen.rectangle((row.x(begin), y - 2, max(row.x(end) - 1, row.x(begin)), y + 1), colour)
    symbols = [(row.x(at), engraved(text)) for at, text in roll.symbols if start_s <= at < end_s]
    for x, line, text in _apart(symbols):
        pen.text((x, SYMBOL + (SYMBOL + 1) * line), text, INK, _font(SYMBOL), anchor="ls")


def _apart(symbols: Iterable[tuple[int, str]]) -> Iterator[tuple[float, int, str]]:
    """Where symbols go so that none touches another: pixels, line 0 or below it 1, and text.

    One that has room on neither is left out.
    """
    free = [0.0, 0.0]  # from where on each line is free
    for x, text in symbols:
        wide = _font(SYMBOL).getlength(text) + GAP
        left = min(x, RIGHT - LEFT - wide)  # not over the edge
        line = next((line for line, place in enumerate(free) if place <= left), None)
        if line is not None:
            yield left, line, text
            free[line] = left + wide


def _draw_confidence(row: _Row, found: Transcription, *, top: float) -> None:
    """Three strips, each bar in its shade; top: MIDI pitch below which they lie."""
    bars = found.confidence
    if not bars:
        return
    end_s = float(found.timing.seconds(found.timing.beat * (len(found.timing.beats_s) - 1)))
    edges = [row.x(at_s) for at_s in (*(bar.start_s for bar in bars), end_s)]
    heights = [row.y(top - STRIP / len(TRUSTED) * k) for k in range(len(TRUSTED) + 1)]
    for name, above, below in zip(TRUSTED, heights, heights[1:], strict=False):
        for bar, left, right in zip(bars, edges, edges[1:], strict=False):
            if left < RIGHT - LEFT and right > 0:
                shade = _shade(getattr(bar, name))
                row.pen.rectangle((left, above, right - 1, below - 1), shade)
        middle, wide = (above + below) // 2, _font(7).getlength(name)
        row.pen.rectangle((0, above, wide + 4, below - 1), "white")
        row.pen.text((3, middle), name, INK, _font(7), anchor="lm")


def _draw_shades(picture: Image.Image, *, middle: int) -> None:
    """What the strips' shades stand for, beside the rows."""
    pen, left, long = ImageDraw.Draw(picture), RIGHT + BAR // 2, HIGH
    top = middle - long // 2
    for y in range(long):
        pen.line((left, top + y, left + BAR, top + y), _shade(1 - y / (long - 1)))
    pen.rectangle((left, top, left + BAR, top + long), outline=INK)
    for share in (0.0, 0.5, 1.0):
        y = top + round((1 - share) * long)
        pen.line((left + BAR, y, left + BAR + 4, y), INK)
        pen.text((left + BAR + 6, y), f"{share:g}", INK, _font(14), anchor="lm")
    _upright(picture, "confidence", x=WIDE - 12, middle=middle)


def _shade(share: float) -> tuple[int, ...]:
    """Red, green and blue of a share from 0 to 1."""
    places = np.linspace(0, 1, len(SHADES))
    return tuple(round(np.interp(share, places, one)) for one in zip(*SHADES, strict=True))


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, 4 to 11 of them."""
    power = 10.0 ** math.floor(math.log10((high - low) / 2))
    step = next(k * power for k in (2.0, 1.0, 0.5, 0.2) if high - low >= 4.5 * k * power)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _upright(picture: Image.Image, text: str, *, x: int, middle: int) -> None:
    """Write from below to above, around a place."""
    left, top, right, bottom = map(round, _font(14).getbbox(text))
    flat = Image.new("RGB", (right - left, bottom - top), "white")
    ImageDraw.Draw(flat).text((-left, -top), text, INK, _font(14))
    turned = flat.transpose(Image.Transpose.ROTATE_90)
    picture.paste(turned, (x - turned.width // 2, middle - turned.height // 2))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Of so many pixels."""
    return ImageFont.truetype(str(deja_vu()), size, layout_engine=ImageFont.Layout.BASIC)
