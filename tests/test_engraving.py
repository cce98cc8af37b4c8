"""Lead sheets as PDF."""

import re
from pathlib import Path

import pytest

from pieces import KINDS, ROOTS
from thirdstream.files import ThirdstreamError
from thirdstream.notes.io import engraving
from thirdstream.notes.io.lead_sheet import write_lead_sheet
from thirdstream.notes.key import Key
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


def test_symbols_are_of_letters_alone(tmp_path: Path) -> None:
    """No glyph of Verovio's own font, which a PDF file lacks."""
    melody = tuple(Note(float(beat), 1.0, 60) for beat in range(16))
    kinds = ((3, (0, 4, 7)), (10, (0, 4, 7, 11)), (6, (0, 3, 6, 10)), (2, (0, 3, 7)))
    chords = tuple(
        Chord(4.0 * k, 4.0, root, kind, (root + 4 * k) % 12) for k, (root, kind) in enumerate(kinds)
    )
    path = tmp_path / "sheet.musicxml"
    write_lead_sheet(path, Score("sheet", melody, chords), Key(10, False))
    _, (page,) = engraving._pages(path)
    assert page.startswith("<svg") and page.count('<use xlink:href="#') > 16  # the notes' heads
    assert not any(0xE000 <= ord(one) <= 0xF8FF for one in page)
    symbols = re.findall(r'class="harm".*?<[^>]*text [^>]*>([^<]*)<', page, re.DOTALL)
    assert [one.lower() for one in symbols] == ["eb", "bbmaj7/d", "gbm7b5/d", "dm"]


def test_the_tempo_is_said_once(tmp_path: Path) -> None:
    melody = tuple(Note(float(beat), 1.0, 60) for beat in range(8))
    path = tmp_path / "sheet.musicxml"
    write_lead_sheet(path, Score("sheet", melody, (), beats_per_minute=96))
    tempo, (page,) = engraving._pages(path)
    assert tempo == "\N{QUARTER NOTE} = 96"
    assert "96" not in "".join(re.findall(r">([^<]+)</tspan>", page))


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
