"""Lead sheets as PDF."""

import io
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.pathobject import PDFPathObject

from pieces import KINDS, ROOTS
from thirdstream.files import ThirdstreamError
from thirdstream.notes.io import engraving, svg
from thirdstream.notes.io.lead_sheet import write_lead_sheet
from thirdstream.notes.key import Key
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.types import Chord, Note, Score


def sheet(tmp_path: Path, n_bars: int) -> Path:
    """A MusicXML file of so many bars."""
    melody = tuple(Note(beat, 1.0, 60 + beat % 12) for beat in range(4 * n_bars))
    chords = tuple(
        Chord(4.0 * bar, 4.0, ROOTS[bar % 4], KINDS[bar % 4], ROOTS[bar % 4])
        for bar in range(n_bars)
    )
    path = tmp_path / "sheet.musicxml"
    write_lead_sheet(path, Score("sheet", melody, chords))
    return path


@pytest.mark.parametrize("title", ["A song", "Élégie à 3 — \N{MUSIC SHARP SIGN} 東京", ""])
def test_a_lead_sheet_becomes_a_pdf(title: str, tmp_path: Path) -> None:
    out = tmp_path / "sheet.pdf"
    engraving.engrave(sheet(tmp_path, 4), out, title=title)
    assert out.read_bytes().startswith(b"%PDF")
    assert out.read_bytes().count(b"/Type /Page\n") == 1


def test_long_ones_have_several_pages(tmp_path: Path) -> None:
    out = tmp_path / "sheet.pdf"
    engraving.engrave(sheet(tmp_path, 80), out, title="long")
    assert out.read_bytes().count(b"/Type /Page\n") > 1


def drawn(page: Element) -> str:
    """What is on a PDF page that it was drawn on, in the language of PDF files."""
    canvas = Canvas(io.BytesIO(), pageCompression=0)
    svg.Pen(canvas).draw(page, width=100, top=200)
    canvas.showPage()
    return canvas.getpdfdata().decode("latin-1")


class Recorder(Canvas):
    """A canvas that also says what was written on it, in which font and from where."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), pageCompression=0)
        self.said: list[tuple[float, str, str]] = []

    def drawString(self, x: float, y: float, text: str, *of: Any, **how: Any) -> None:
        self.said.append((x, self._fontname, text))
        super().drawString(x, y, text, *of, **how)


def test_symbols_have_signs_for_accidentals(tmp_path: Path) -> None:
    """Of a font that goes into the file; Verovio's own does not. One glyph is all notes' head."""
    melody = tuple(Note(float(beat), 1.0, 60) for beat in range(16))
    kinds = ((3, (0, 4, 7)), (10, (0, 4, 7, 11)), (6, (0, 3, 6, 10)), (2, (0, 3, 7)))
    chords = [
        Chord(4.0 * k, 4.0, root, kind, (root + 4 * k) % 12) for k, (root, kind) in enumerate(kinds)
    ]
    chords.append(Chord(14.0, 2.0, 9, (0, 4, 7), 1))
    path = tmp_path / "sheet.musicxml"
    write_lead_sheet(
        path, Score("sheet", melody, tuple(chords)), Key(10, False), changes=[(12, Key(2, False))]
    )
    _, (page,) = engraving._pages(path)
    canvas = Recorder()
    svg.Pen(canvas).draw(page, width=100, top=200)
    glyphs = re.findall(r"/(\S+) Do\b", canvas.getCurrentPageContent())
    assert max(map(glyphs.count, glyphs)) == 16
    lines = "".join(("\n" if x == 0 else "") + text for x, _, text in canvas.said).split("\n")[1:]
    assert lines == ["E♭", "B♭maj7/D", "G♭m7♭5/D", "Dm", "A/C♯"]
    assert {font for _, font, text in canvas.said if text in "♭♯"} == {"DejaVuSans"}
    assert {font for _, font, text in canvas.said if text not in "♭♯"} == {"Times-Roman"}


def test_runs_of_a_symbol_follow_each_other_without_a_gap() -> None:
    page = ElementTree.fromstring(
        '<svg xmlns="http://www.w3.org/2000/svg"><svg viewBox="0 0 50 80">'
        '<text x="9" y="9" text-anchor="end"><tspan font-size="10px">Bb7</tspan></text></svg></svg>'
    )
    canvas = Recorder()
    svg.Pen(canvas).draw(page, width=100, top=200)
    (first, _, _), (second, font, sign), (third, _, _) = canvas.said
    assert second - first == pytest.approx(canvas.stringWidth("B", "Times-Roman", 10))
    assert third - second == pytest.approx(canvas.stringWidth(sign, font, 10))
    assert third + canvas.stringWidth("7", "Times-Roman", 10) == pytest.approx(0)


@pytest.mark.parametrize(
    ("data", "same"),
    [
        ("M20 30 L30 30 L30 40 L20 40 Z", "m20 30l10 0 0 10-10 0z"),
        ("M20 30 L30 30 L30 40 L20 40 Z", "M20 30H30v10h-10z"),
        ("M0 0 C1 0 2 1 2 2 C2 3 3 4 4 4", "M0 0c1 0 2 1 2 2s1 2 2 2"),
        ("M0 0 C1 0 2 1 2 2 L3 2 L3 2.5", "M0,0 C1,0,2,1,2,2 H3V2.5"),
    ],
)
def test_a_path_is_what_its_commands_say(data: str, same: str) -> None:
    traced = []
    for one in (data, same):
        path = PDFPathObject()
        svg.SHAPES["path"](path, Element("path", {"d": one}))
        traced.append(path.getCode())
    assert traced[0] == traced[1] and traced[0].count(" ") > 10


@pytest.mark.parametrize(
    "place",
    ['transform="translate(20, 30) scale(0.01, 0.01)"', 'x="20" y="30" width="10px" height="10px"'],
)
def test_a_glyph_is_drawn_where_it_stands(place: str) -> None:
    """As Verovio writes it, and as it did."""
    page = ElementTree.fromstring(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<defs><g id="one"><path transform="scale(1,-1)" d="M0 0h1000v-1000h-1000z"/></g></defs>'
        f'<svg viewBox="0 0 50 80"><use xlink:href="#one" {place}/></svg></svg>'
    )
    written = drawn(page)
    assert "2 0 0 -2 0 200 cm\nq\n.01 0 0 .01 20 30 cm\n/FormXob" in written
    assert "1 0 0 -1 0 0 cm" in written and "0 0 m 1000 0 l 1000 -1000 l" in written


@pytest.mark.parametrize(
    ("look", "painted"), [("", "B"), ('fill="none"', "S"), ('fill-opacity="0"', "S")]
)
def test_a_frame_does_not_hide_what_is_in_it(look: str, painted: str) -> None:
    """As the one around a section's letter."""
    page = ElementTree.fromstring(
        '<svg xmlns="http://www.w3.org/2000/svg"><svg viewBox="0 0 50 80">'
        f'<rect stroke-width="2" {look} x="1" y="2" width="9" height="5"/></svg></svg>'
    )
    assert f"n 1 2 9 5 re\n{painted}\n" in drawn(page)


def test_a_sheets_sections_are_framed_and_legible(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    melody = tuple(Note(float(beat), 1.0, 60) for beat in range(64))
    write_lead_sheet(path, Score("sheet", melody, ()), sections={0: "A", 8: "B"})
    _, (page,) = engraving._pages(path)
    frames = [one for one in page.iter() if one.tag.endswith("rect")]
    assert len(frames) == 2
    written = drawn(page)
    assert re.findall(r" re\n(\w)\n", written) == ["S", "S"]


@pytest.mark.parametrize(("sign", "said"), [
    ((4, 4), "\N{QUARTER NOTE} = 96"), ((2, 2), "half note = 48"), ((1, 1), "whole note = 24"),
    ((6, 8), "\N{QUARTER NOTE}. = 64"), ((5, 8), "\N{EIGHTH NOTE} = 192"),
    ((5, 32), "32nd note = 768"),
])  # fmt: skip
def test_the_tempo_is_said_once(sign: tuple[int, int], said: str, tmp_path: Path) -> None:
    melody = tuple(Note(float(beat), 1.0, 60) for beat in range(8))
    path = tmp_path / "sheet.musicxml"
    write_lead_sheet(path, Score("sheet", melody, (), Metres.steady(metre(*sign)), 0.0, 96))
    tempo, (page,) = engraving._pages(path)
    assert tempo == said
    written = (one.text or "" for one in page.iter() if not one.tag.endswith("style"))
    assert "96" not in "".join(written)  # names of the stylesheet are drawn


def test_what_is_no_sheet_is_refused_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "no.musicxml").write_text("nothing")
    with pytest.raises(ThirdstreamError, match=r"no\.musicxml"):
        engraving.engrave(tmp_path / "no.musicxml", tmp_path / "no.pdf", title="no")
    assert not (tmp_path / "no.pdf").exists()


def test_without_verovio_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engraving, "find_spec", lambda name: None)
    with pytest.raises(ThirdstreamError, match=r"thirdstream\[pdf\]"):
        engraving.engrave(tmp_path / "a.musicxml", tmp_path / "a.pdf", title="a")
