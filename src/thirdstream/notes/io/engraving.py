"""A lead sheet as PDF, engraved by Verovio."""

import io
from importlib.util import find_spec
from pathlib import Path

from thirdstream.files import ThirdstreamError, whole_file

PAGE = {"pageWidth": 2100, "pageHeight": 2750, "scale": 40}  # a tenth of a millimetre: A4, a title
TITLE_POINTS, MARGIN_POINTS = 16, 30
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
    with whole_file(out) as temporary:
        canvas = Canvas(str(temporary), pagesize=A4)
        canvas.setTitle(title)
        for number, page in enumerate(_pages(sheet)):
            if number == 0:
                canvas.setFont(font.stem, TITLE_POINTS)
                canvas.drawCentredString(
                    width / 2, height - MARGIN_POINTS - TITLE_POINTS / 2, title
                )
            drawing = svg2rlg(io.StringIO(page))
            assert drawing is not None
            share = width / (SVG_SHARE * drawing.width)
            drawing.scale(share, share)
            top = height - MARGIN_POINTS * (2.0 if number == 0 else 1.0)
            renderPDF.draw(drawing, canvas, 0, top - share * drawing.height)
            canvas.showPage()
        canvas.save()


def _pages(sheet: Path) -> list[str]:
    """Each page as SVG."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(PAGE | {"header": "none", "footer": "none"})
    if not toolkit.loadData(sheet.read_text(encoding="utf-8")):
        raise ThirdstreamError(f"{sheet}: is no MusicXML that can be engraved")
    return [toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount())]
