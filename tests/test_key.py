"""Spelling by the key: in the lead sheet, of chords, and which key notes suggest."""

from pathlib import Path
from xml.etree import ElementTree

import music21
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_metre import named
from thirdstream.notes.io.lead_sheet import symbol, write_lead_sheet
from thirdstream.notes.io.score import read_score
from thirdstream.notes.key import Key, bass_name, key_of_notes, root_name, sharps_of, spelt
from thirdstream.notes.metre import Metres
from thirdstream.notes.types import CHORDS, Chord, Note, Score

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)
TUNE = (0, 2, 4, 2, 0, 4, 5, 6, 4, 1, 2, 0)  # degrees; ends at home


def tune(key: Key) -> tuple[Note, ...]:
    scale = MINOR if key.is_minor else MAJOR
    return tuple(Note(float(k), 1.0, 60 + key.tonic + scale[d]) for k, d in enumerate(TUNE))


@pytest.mark.parametrize("is_minor", [False, True])
@pytest.mark.parametrize("tonic", range(12))
def test_every_key_is_found_and_has_its_signature(tonic: int, is_minor: bool) -> None:
    key = Key(tonic, is_minor)
    assert key_of_notes(tune(key)) == key
    theirs = music21.key.Key(*key.name.replace("b", "-").split())
    assert theirs.tonic.pitchClass == tonic
    assert theirs.sharps == sharps_of(key)
    own = {pitch.name for pitch in theirs.pitches}
    natural = MAJOR if not is_minor else (0, 2, 3, 5, 7, 8, 10)
    assert {spelt(60 + tonic + s, key)[0].replace("b", "-") for s in natural} == own


@settings(deadline=None, max_examples=200)
@given(pitch=st.integers(12, 127), tonic=st.integers(0, 11), is_minor=st.booleans())
def test_spelt_notes_sound_as_they_should(pitch: int, tonic: int, is_minor: bool) -> None:
    name, octave = spelt(pitch, Key(tonic, is_minor))
    assert music21.pitch.Pitch(name.replace("b", "-"), octave=octave).midi == pitch
    root = root_name(pitch % 12, Key(tonic, is_minor)).replace("b", "-")
    assert music21.pitch.Pitch(root).pitchClass == pitch % 12


@pytest.mark.parametrize(
    ("key", "pitch", "name"),
    [
        (Key(0, False), 68, ("Ab", 4)),  # the minor subdominant's third
        (Key(9, True), 68, ("G#", 4)),  # the leading note
        (Key(3, False), 68, ("Ab", 4)),
        (Key(4, False), 68, ("G#", 4)),
        (Key(6, False), 65, ("E#", 4)),
        (Key(8, True), 59, ("B", 3)),
        (Key(6, False), 60, ("B#", 3)),
        (Key(1, False), 71, ("Cb", 5)),
    ],
)
def test_notes_are_spelt_by_the_key(key: Key, pitch: int, name: tuple[str, int]) -> None:
    assert spelt(pitch, key) == name


def test_chords_are_spelt_by_the_key() -> None:
    chord = Chord(0.0, 4.0, 8, CHORDS["dominant seventh"], 0)
    assert symbol(chord) == "Ab7/C"
    assert symbol(chord, Key(4, False)) == "G#7/C"
    assert symbol(chord, Key(3, False)) == "Ab7/C"


@pytest.mark.parametrize(
    ("key", "root", "kind", "bass", "text"),
    [
        (Key(5, False), 2, "dominant seventh", 6, "D7/F#"),
        (Key(0, False), 9, "dominant seventh", 1, "A7/C#"),
        (Key(0, False), 4, "major", 8, "E/G#"),
        (Key(4, False), 0, "dominant seventh", 10, "C7/Bb"),
        (Key(0, False), 11, "diminished seventh", 8, "Bdim7/Ab"),
        (Key(0, False), 5, "minor", 8, "Fm/Ab"),
        (Key(1, False), 8, "minor", 11, "Abm/Cb"),
        (Key(0, False), 0, "major", 10, "C/Bb"),  # no note of the chord
    ],
)
def test_basses_are_spelt_by_the_chord(
    key: Key, root: int, kind: str, bass: int, text: str, tmp_path: Path
) -> None:
    chord = Chord(0.0, 4.0, root, CHORDS[kind], bass)
    assert symbol(chord, key) == text
    write_lead_sheet(tmp_path / "a.musicxml", Score("", (Note(0.0, 4.0, 60),), (chord,)), key)
    (written,) = ElementTree.parse(tmp_path / "a.musicxml").iter("bass")
    sharps = int(written.findtext("bass-alter", "0"))
    sign = "#" * sharps if sharps > 0 else "b" * -sharps
    assert f"{written.findtext('bass-step')}{sign}" == text.partition("/")[2]


@settings(deadline=None, max_examples=200)
@given(
    root=st.integers(0, 11), kind=st.sampled_from(sorted(CHORDS)), bass=st.integers(0, 11),
    tonic=st.integers(0, 11), is_minor=st.booleans(),
)  # fmt: skip
def test_spelt_basses_sound_as_they_should(
    root: int, kind: str, bass: int, tonic: int, is_minor: bool
) -> None:
    intervals = (*CHORDS[kind], 1)  # with a flat ninth
    name = bass_name(Chord(0.0, 4.0, root, intervals, bass), Key(tonic, is_minor))
    assert music21.pitch.Pitch(name.replace("b", "-")).pitchClass == bass


@pytest.mark.parametrize("given_key", [True, False])
def test_the_sheet_has_its_key(given_key: bool, tmp_path: Path) -> None:
    """A flat major: a signature of four flats, and no sharp in it."""
    key = Key(8, False)
    score = Score("", tune(key), (Chord(0.0, 12.0, 8, (0, 4, 7), 8),))
    write_lead_sheet(tmp_path / "a.musicxml", score, key if given_key else None)
    text = (tmp_path / "a.musicxml").read_text("utf-8")
    assert "<fifths>-4</fifths>" in text
    assert "<alter>-1</alter>" in text
    assert "<alter>1</alter>" not in text
    assert [n.pitch for n in read_score(tmp_path / "a.musicxml").melody] == [
        n.pitch for n in score.melody
    ]


@pytest.mark.parametrize(
    "signs", [("6/8",) * 6, ("5/4",) * 4, ("7/8",) * 5, ("4/4", "2/4", "6/8") * 3]
)
def test_sheets_in_any_metre_come_back(signs: tuple[str, ...], tmp_path: Path) -> None:
    metres = Metres.of_bars([named(sign) for sign in signs])
    end = metres.line(len(signs))
    melody = tuple(Note(k * 1.5, 1.5 if k % 3 else 1.0, 60 + k % 12) for k in range(int(end / 1.5)))
    chords = tuple(
        Chord(metres.line(k), metres.metre_of(k).length, k % 12, (0, 4, 7), k % 12)
        for k in range(len(signs))
    )
    write_lead_sheet(tmp_path / "a.musicxml", Score("", melody, chords, metres=metres))
    again = read_score(tmp_path / "a.musicxml")
    assert [(n.start, n.length, n.pitch) for n in again.melody] == [
        (n.start, n.length, n.pitch) for n in melody
    ]
    assert [(c.start, c.root) for c in again.chords] == [(c.start, c.root) for c in chords]
    assert [(at, one.name) for at, one in again.metres.changes] == [
        (at, one.name) for at, one in metres.changes
    ]
