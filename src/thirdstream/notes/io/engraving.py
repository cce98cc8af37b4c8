"""A lead sheet as PDF, engraved by Verovio."""

from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.notes.io.svg import Pen, sans

PAGE = {"pageWidth": 2100, "pageHeight": 2750, "scale": 40}  # a tenth of a millimetre: A4, a title
TITLE_POINTS, TEMPO_POINTS, MARGIN_POINTS = 16, 9, 30
UNITS = {  # of a tempo; fonts have signs for few
    "quarter": "\N{QUARTER NOTE}",
    "eighth": "\N{EIGHTH NOTE}",
    "16th": "\N{BEAMED SIXTEENTH NOTES}",
}


def can_engrave() -> bool:
    """Whether what it needs is installed."""
    return all(find_spec(name) for name in ("reportlab", "verovio"))


def engrave(sheet: Path, out: Path, *, title: str) -> None:
    """Write a MusicXML file as PDF, whole or not at all.

    Raises ThirdstreamError without the extra `pdf`, and where the sheet cannot be read.
    """
    if not can_engrave():
        raise ThirdstreamError(f"{out}: needs Verovio; pip install 'thirdstream[pdf]'")
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    width, height = A4
    tempo, pages = _pages(sheet)
    with whole_file(out) as temporary:
        canvas = Canvas(str(temporary), pagesize=A4, invariant=1)  # without the date
        canvas.setTitle(title)
        pen = Pen(canvas)
        for number, page in enumerate(pages):
            if number == 0:
                at = height - MARGIN_POINTS - TITLE_POINTS / 2
                canvas.setFont(sans(), TITLE_POINTS)
                canvas.drawCentredString(width / 2, at, title)
                canvas.setFont(sans(), TEMPO_POINTS)
                canvas.drawString(MARGIN_POINTS, at - 2 * TEMPO_POINTS, tempo)
            top = height - MARGIN_POINTS * (2.0 if number == 0 else 1.0)
            pen.draw(page, width=width, top=top)
            canvas.showPage()
        canvas.save()


def _pages(sheet: Path) -> tuple[str, list[Element]]:
    """What is said of the tempo, and each page as SVG without it: its note is of a font that PDF
    files lack."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(PAGE | {"header": "none", "footer": "none", "breaks": "line"})
    try:
        tempo, text = _without_tempo(sheet.read_text(encoding="utf-8"))
    except ElementTree.ParseError:
        tempo, text = "", ""
    if not text or not toolkit.loadData(text):
        raise ThirdstreamError(f"{sheet}: is no MusicXML that can be engraved")
    pages = (toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount()))
    return tempo, [ElementTree.fromstring(page) for page in pages]


def _without_tempo(text: str) -> tuple[str, str]:
    """What is said of the tempo, as text, and MusicXML without it."""
    root, said = ElementTree.fromstring(text), list[str]()
    for measure in root.iter("measure"):
        for direction in measure.findall("direction"):
            mark, words = (direction.find(f".//{tag}") for tag in ("metronome", "words"))
            if mark is not None:
                name = mark.findtext("beat-unit", "quarter")
                unit = UNITS.get(name, f"{name} note")
                dot = "." if mark.find("beat-unit-dot") is not None else ""
                said.append(f"{unit}{dot} = {mark.findtext('per-minute')}")
            elif words is not None:
                said.append(words.text or "")
            if mark is not None or words is not None:
                measure.remove(direction)
    return "   ".join(said), ElementTree.tostring(root, encoding="unicode")
