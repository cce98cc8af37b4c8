"""A lead sheet as PDF, engraved by Verovio."""

import io
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from thirdstream.files import ThirdstreamError, whole_file

PAGE = {"pageWidth": 2100, "pageHeight": 2750, "scale": 40}  # a tenth of a millimetre: A4, a title
TITLE_POINTS, TEMPO_POINTS, MARGIN_POINTS = 16, 9, 30
SVG = "{http://www.w3.org/2000/svg}"
PLAIN = {0xEA64: "b", 0xEA65: "", 0xEA66: "#"}  # accidentals of the font's own
UNITS = {"eighth": "\N{EIGHTH NOTE}", "16th": "\N{BEAMED SIXTEENTH NOTES}"}  # of a tempo
SVG_SHARE = 0.75  # of its size at which svglib draws what is in an SVG inside another


def can_engrave() -> bool:
    """Whether what it needs is installed."""
    return all(find_spec(name) for name in ("reportlab", "svglib", "verovio"))


def engrave(sheet: Path, out: Path, *, title: str) -> None:
    """Write a MusicXML file as PDF, whole or not at all.

    Raises ThirdstreamError without the extra `pdf`, and where the sheet cannot be read.
    """
    if not can_engrave():
        raise ThirdstreamError(f"{out}: needs Verovio; pip install 'thirdstream[pdf]'")
    import matplotlib
    from reportlab.graphics import renderPDF
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas
    from svglib.svglib import svg2rlg

    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    registerFont(TTFont(font.stem, str(font)))
    width, height = A4
    tempo, pages = _pages(sheet)
    with whole_file(out) as temporary:
        canvas = Canvas(str(temporary), pagesize=A4)
        canvas.setTitle(title)
        for number, page in enumerate(pages):
            if number == 0:
                at = height - MARGIN_POINTS - TITLE_POINTS / 2
                canvas.setFont(font.stem, TITLE_POINTS)
                canvas.drawCentredString(width / 2, at, title)
                canvas.setFont(font.stem, TEMPO_POINTS)
                canvas.drawString(MARGIN_POINTS, at - 2 * TEMPO_POINTS, tempo)
            drawing = svg2rlg(io.StringIO(page))
            assert drawing is not None
            share = width / (SVG_SHARE * drawing.width)
            drawing.scale(share, share)
            top = height - MARGIN_POINTS * (2.0 if number == 0 else 1.0)
            renderPDF.draw(drawing, canvas, 0, top - share * drawing.height)
            canvas.showPage()
        canvas.save()


def _pages(sheet: Path) -> tuple[str, list[str]]:
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
    return tempo, [_with_plain_symbols(page) for page in pages]


def _without_tempo(text: str) -> tuple[str, str]:
    """What is said of the tempo, as text, and MusicXML without it."""
    root, said = ElementTree.fromstring(text), list[str]()
    for measure in root.iter("measure"):
        for direction in measure.findall("direction"):
            mark, words = (direction.find(f".//{tag}") for tag in ("metronome", "words"))
            if mark is not None:
                unit = UNITS.get(mark.findtext("beat-unit", ""), "\N{QUARTER NOTE}")
                dot = "." if mark.find("beat-unit-dot") is not None else ""
                said.append(f"{unit}{dot} = {mark.findtext('per-minute')}")
            elif words is not None:
                said.append(words.text or "")
            if mark is not None or words is not None:
                measure.remove(direction)
    return "   ".join(said), ElementTree.tostring(root, encoding="unicode")


def _with_plain_symbols(svg: str) -> str:
    """Chord symbols as one text each, flats as b: Verovio's are of a font that PDF files lack."""
    ElementTree.register_namespace("", SVG[1:-1])  # or what reads it finds no glyphs
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)
    for group in root.iter(f"{SVG}g"):
        text = group.find(f"{SVG}text") if group.get("class") == "harm" else None
        if text is None:
            continue
        symbol = "".join(part.strip() for part in text.itertext()).translate(PLAIN)
        sizes = [one.get("font-size") for one in text.iter(f"{SVG}tspan")]
        for one in list(text):
            text.remove(one)
        text.text, text.attrib["font-size"] = symbol, next(filter(None, sizes))
    return ElementTree.tostring(root, encoding="unicode")
