"""Style files: an edit is obeyed, a fault is named with its remedy, every entry is explained."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import BaseModel

from test_arranging import tune
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.styles import FOLDER, STYLES, StyleError, read_style
from thirdstream.notes.styles.classical import ClassicalStyle
from thirdstream.notes.styles.entries import Entry, Instrument, midi_pitch
from thirdstream.notes.styles.jazz import JazzStyle

ROOT = Path(__file__).parents[1]


def edited(folder: Path, style: str, old: str, new: str) -> Path:
    """A copy of a style's file with one place changed."""
    text = (FOLDER / f"{style}.toml").read_text(encoding="utf-8")
    assert old in text
    path = folder / "my.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize("style", STYLES)
def test_a_copy_is_the_same_style(tmp_path: Path, style: str) -> None:
    assert read_style(style, edited(tmp_path, style, "style =", "style  =")) == read_style(style)


@pytest.mark.parametrize(
    ("name", "pitch"), [("C4", 60), ("A4", 69), ("Bb3", 58), ("F#2", 42), ("C-1", 0), ("G9", 127)]
)
def test_pitches_have_names(name: str, pitch: int) -> None:
    assert midi_pitch(name) == pitch


@pytest.mark.parametrize(
    ("style", "old", "new", "said"),
    [
        ("jazz", 'style = "jazz"', 'style = "rock"', "style is 'rock', not \"jazz\"; write style"),
        ("jazz", "4 = [", "4 [", "is not TOML: .*line .*; correct that place"),
        ("jazz", 'lowest = "E1"', 'lowest = "H1"', "instruments.piano.lowest: write a note and"),
        ("jazz", "program = 0,", "", "instruments.piano.program is missing; write it"),
        ("jazz", "program = 0,", "program = 128,", "instruments.piano.program: must be less than"),
        ("jazz", "kit = 40", "kitt = 40", "grooves.trio swing.kitt is no entry; correct its name"),
        ("jazz", '"piano" = 2', '"pinao" = 2', 'no "pinao" in .instruments.; add it, or name one'),
        ("jazz", '"piano" = 2', '"piano" = 0', "comping.instruments: after each name write how"),
        ("jazz", 'soloists = { "piano" = 1 }\n', "", "grooves.trio swing: nobody plays the mel"),
        ("jazz", '["bossa nova", "swing"]', '["bossa nova"]', "rhythms: no rhythm lasts 1 beats"),
        ("jazz", 'bass = "waltz"', 'bass = "polka"', "jazz waltz.bass: must be 'walking', 'two-b"),
        ("jazz", '"sixth" =', '"sixt" =', 'voicings: "sixt" is no type of chord; remove it'),
        ("jazz", 'slow = "ballad"', 'slow = "balad"', 'defaults.slow: there is no "balad" in'),
        ("jazz", 'highest = "G3" }', 'highest = "Bb2" }', "double bass: the range is less than 19"),
        ("jazz", '["D4", "E6"]', '["D4", "C5"]', "trio swing: melody_range is less than an oct"),
        ("classical", '"E3", highest = "G5"', '"E3", hihgest = "G5"', "parts.1.hihgest is no ent"),
        (
            "classical",
            '"clarinet", "horn"',
            '"horn", "clarinet"',
            "parts: clarinet has a high",
        ),
        ("classical", '"E4"\ntextures', '"E7"\ntextures', "string quartet: there is less than an"),
    ],
)
def test_a_fault_is_named_with_its_remedy(
    tmp_path: Path, style: str, old: str, new: str, said: str
) -> None:
    path = edited(tmp_path, style, old, new)
    with pytest.raises(StyleError, match=rf"my\.toml: .*{said}|my\.toml: {said}"):
        read_style(style, path)


def test_no_such_file_or_style(tmp_path: Path) -> None:
    with pytest.raises(StyleError, match=r"gone\.toml: cannot be read: .*; check the path"):
        read_style("jazz", tmp_path / "gone.toml")
    with pytest.raises(ThirdstreamError, match="no such style; there are classical, jazz"):
        read_style("rock")


def test_an_edited_style_is_played(tmp_path: Path) -> None:
    score = tune()
    piece = Piece(score, (), 120.0)
    path = edited(tmp_path, "jazz", '"piano" = { program = 0,', '"piano" = { program = 4,')
    plain = cover(piece, ArrangementOptions("jazz", "trio swing"))
    own = cover(piece, ArrangementOptions("jazz", "trio swing", style_file=path))
    programs = [[track.program for track in one.song.tracks] for one in (plain, own)]
    assert programs == [[0, 32, 40], [4, 32, 40]]
    assert [t.notes for t in plain.song.tracks] == [t.notes for t in own.song.tracks]


def test_a_new_groove_can_be_asked_for(tmp_path: Path) -> None:
    mine = """[grooves.stroll]
ensemble = "vibraphone trio"
tempo = [100, 120]
soloists = { "vibraphone" = 1 }
comping = { instruments = { "piano" = 1 }, rhythms = ["swing"] }
bass = "two-beat"
drums = "swing"

[bass]
"""
    path = edited(tmp_path, "jazz", "[bass]\n", mine)
    made = cover(Piece(tune(), (), 110.0), ArrangementOptions("jazz", "stroll", style_file=path))
    assert made.ensemble == "vibraphone trio"
    assert made.song.tracks[0].name == "vibraphone"


def entries() -> set[str]:
    """The names of all entries of style files."""
    found = {field.name for field in fields(Instrument)} - {"name"}
    left: list[type[BaseModel]] = [ClassicalStyle, JazzStyle, *Entry.__subclasses__()]
    for kind in left:
        found |= set(kind.model_fields)
    return found


def test_every_entry_is_explained() -> None:
    page = (ROOT / "docs" / "styles.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`([a-z_]+)[`.]", page))
    assert entries() - explained == set()


def test_a_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    text = (FOLDER / "jazz.toml").read_text(encoding="utf-8")
    (tmp_path / "my.toml").write_text(text, encoding="utf-8-sig")
    assert read_style("jazz", tmp_path / "my.toml") == read_style("jazz")
