"""SVG of Verovio's on the pages of a PDF file: what it writes, and no more of SVG.

A glyph is drawn once in a file and then named. Letters are those of Times, which every reader of
PDF files has; accidentals are DejaVu's, which matplotlib brings along.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from thirdstream.notes.io.lead_sheet import FLAT, SHARP, engraved
from thirdstream.packages import deja_vu

SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
BOLD, ITALIC = {"ending", "fing", "reh", "tempo"}, {"dir", "dynam", "mNum"}  # groups with text
FONTS = ("Times-Roman", "Times-Italic", "Times-Bold", "Times-BoldItalic")
CAPS, JOINS = {"butt": 0, "round": 1, "square": 2}, {"miter": 0, "round": 1, "bevel": 2}
NON_ZERO = 1  # rule of what is inside a path, as SVG has it
TRANSFORM = re.compile(r"(translate|scale|rotate)\(([^)]*)\)")
NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")
COMMAND = re.compile(r"([MmLlHhVvCcSsZz])([^A-Za-z]*)")
N_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4}  # of a path's commands
LATER = {"M": "L", "m": "l"}  # what a command without its letter is
EM, LARGEST = 1000, 5000  # units of a glyph: its height, and what the largest ones reach
PLAIN = {0xEA64: "b", 0xEA65: "", 0xEA66: "#"}  # accidentals of Verovio's own font


@cache
def sans() -> str:
    """The name of a font of more signs than those of every reader, which goes into the file."""
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    font = deja_vu()
    registerFont(TTFont(font.stem, str(font)))
    return font.stem


class Pen:
    """Draws SVG on the current page of a reportlab canvas."""

    def __init__(self, canvas: Any) -> None:
        self._canvas = canvas
        self._names: dict[str, str] = {}  # of glyphs in the file, by their outlines
        self._glyphs: dict[str, str] = {}  # the same by what a page calls them

    def draw(self, page: Element, *, width: float, top: float) -> None:
        """A page as wide as `width` points, its upper edge at `top` from the lower one's."""
        (inner,) = page.iterfind(f"{SVG}svg")
        share = width / float(inner.get("viewBox", "").split()[2])
        for glyph in page.iterfind(f"{SVG}defs/*"):
            (path,) = glyph.iter(f"{SVG}path")
            self._glyphs[f"#{glyph.get('id')}"] = self._named(path)
        self._canvas.saveState()
        self._canvas.transform(share, 0, 0, -share, 0, top)
        self._draw(inner, 0)
        self._canvas.restoreState()

    def _named(self, outline: Element) -> str:
        data = outline.get("d", "")
        if data not in self._names:
            self._names[data] = f"glyph{len(self._names)}"
            self._canvas.beginForm(self._names[data], -LARGEST, -LARGEST, LARGEST, LARGEST)
            self._draw(outline, 0)
            self._canvas.endForm()
        return self._names[data]

    def _draw(self, element: Element, font: int) -> None:
        """font: of FONTS."""
        canvas, tag = self._canvas, element.tag.removeprefix(SVG)
        kinds = set(element.get("class", "").split())
        if "placeholder" in kinds:
            return
        font |= 2 * bool(kinds & BOLD) + bool(kinds & ITALIC)
        transforms = _transforms(element)
        if transforms:
            canvas.saveState()
        for name, values in transforms:
            getattr(canvas, name)(*values)
        if tag in ("g", "svg"):
            for child in element:
                self._draw(child, font)
        elif tag == "use":
            canvas.doForm(self._glyphs[element.get(LINK, "")])
        elif tag == "text":
            self._write(element, FONTS[font])
        elif tag in SHAPES:
            self._paint(element, SHAPES[tag])
        if transforms:
            canvas.restoreState()

    def _paint(self, element: Element, trace: Any) -> None:
        canvas, width = self._canvas, element.get("stroke-width")
        if width:
            canvas.setLineWidth(float(width))
            canvas.setLineCap(CAPS[element.get("stroke-linecap", "butt")])
            canvas.setLineJoin(JOINS[element.get("stroke-linejoin", "miter")])
        path = canvas.beginPath()
        n_points = trace(path, element)
        is_clear = element.get("fill") == "none" or float(element.get("fill-opacity", 1)) == 0
        filled = n_points > 2 and not is_clear
        canvas.drawPath(path, stroke=int(width is not None), fill=int(filled), fillMode=NON_ZERO)

    def _write(self, text: Element, font: str) -> None:
        """A text, as one: chord symbols are several, in letters and accidentals."""
        written = "".join(part.strip() for part in text.itertext()).translate(PLAIN)
        sizes = [_numbers(one.get("font-size", "0"))[0] for one in text.iter()]
        canvas, size = self._canvas, next(filter(None, sizes), 0.0)
        runs = [
            (run, sans() if run in (FLAT, SHARP) else font)
            for run in re.split(f"([{FLAT}{SHARP}])", engraved(written))
            if run
        ]
        widths = [canvas.stringWidth(run, name, size) for run, name in runs]
        share = {"middle": 0.5, "end": 1.0}.get(text.get("text-anchor", ""), 0.0)
        at = -share * sum(widths)
        canvas.saveState()
        canvas.translate(*(float(text.get(name, 0)) for name in ("x", "y")))
        canvas.scale(1, -1)
        for (run, name), width in zip(runs, widths, strict=True):
            canvas.setFont(name, size)
            canvas.drawString(at, 0, run)
            at += width
        canvas.restoreState()


def _numbers(text: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(text)]


def _transforms(element: Element) -> list[tuple[str, list[float]]]:
    """In order; older versions of Verovio place a glyph by its corner and its width."""
    if element.get("width") and element.tag == f"{SVG}use":
        x, y, width = (_numbers(element.get(name, "0"))[0] for name in ("x", "y", "width"))
        return [("translate", [x, y]), ("scale", [width / EM, width / EM])]
    found = TRANSFORM.findall(element.get("transform", ""))
    return [(name, _numbers(values)) for name, values in found]


def _path(path: Any, element: Element) -> int:
    """Traces a path of lines and cubic curves; how many points it goes through."""
    n_points, first, last, control = 0, 0j, 0j, 0j
    for command, numbers in _commands(element.get("d", "")):
        kind, base = command.upper(), last if command.islower() else 0j
        if kind == "Z":
            path.close()
            last = control = first
            continue
        if kind in "HV":
            place = numbers[0] * (1 if kind == "H" else 1j) + base
            points = [complex(place.real, last.imag) if kind == "H" else
                      complex(last.real, place.imag)]  # fmt: skip
        else:
            points = [base + complex(*pair) for pair in zip(*[iter(numbers)] * 2, strict=True)]
        if kind == "S":
            points.insert(0, 2 * last - control)
        places = [value for point in points for value in (point.real, point.imag)]
        draw = path.moveTo if kind == "M" else path.lineTo if len(points) == 1 else path.curveTo
        draw(*places)
        first = points[0] if kind == "M" else first
        last, control = points[-1], points[-2] if len(points) == 3 else points[-1]
        n_points += 1
    return n_points


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Each command of a path with its numbers; a repeated one has but one letter."""
    for command, text in COMMAND.findall(data):
        numbers, n = _numbers(text), N_NUMBERS.get(command.upper(), 1)
        for start in range(0, max(len(numbers), 1), n):
            yield (LATER.get(command) or command if start else command), numbers[start : start + n]


def _polygon(path: Any, element: Element) -> int:
    n_points = _polyline(path, element)
    path.close()
    return n_points


def _polyline(path: Any, element: Element) -> int:
    numbers = _numbers(element.get("points", ""))
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    return len(points)


def _ellipse(path: Any, element: Element) -> int:
    x, y, wide, high = (float(element.get(name, 0)) for name in ("cx", "cy", "rx", "ry"))
    path.ellipse(x - wide, y - high, 2 * wide, 2 * high)
    return 4


def _rectangle(path: Any, element: Element) -> int:
    path.rect(*(float(element.get(name, 0)) for name in ("x", "y", "width", "height")))
    return 4


SHAPES = {"path": _path, "polygon": _polygon, "polyline": _polyline, "ellipse": _ellipse,
          "rect": _rectangle}  # fmt: skip
