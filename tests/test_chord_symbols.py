"""Chord symbols of MusicXML: every kind, degree and odd case of its specification."""

import re
from pathlib import Path
from xml.etree import ElementTree

import music21
import pytest

from partwise import CHORD, note, part, read, sheet
from thirdstream.notes.arranging import STYLES, arrange, draw_setting
from thirdstream.notes.io.chord_symbols import FUNCTIONS, KINDS, Symbol, read_symbol
from thirdstream.notes.io.elements import FormatError
from thirdstream.notes.types import Score, ScoreError

KIND_VALUES = {  # of the specification, version 4.0: the notes of each on C, by name
    "major": "C E G",
    "minor": "C Eb G",
    "augmented": "C E G#",
    "diminished": "C Eb Gb",
    "dominant": "C E G Bb",
    "major-seventh": "C E G B",
    "minor-seventh": "C Eb G Bb",
    "diminished-seventh": "C Eb Gb A",
    "augmented-seventh": "C E G# Bb",
    "half-diminished": "C Eb Gb Bb",
    "major-minor": "C Eb G B",
    "major-sixth": "C E G A",
    "minor-sixth": "C Eb G A",
    "dominant-ninth": "C E G Bb D",
    "major-ninth": "C E G B D",
    "minor-ninth": "C Eb G Bb D",
    "dominant-11th": "C E G Bb D F",
    "major-11th": "C E G B D F",
    "minor-11th": "C Eb G Bb D F",
    "dominant-13th": "C E G Bb D F A",
    "major-13th": "C E G B D F A",
    "minor-13th": "C Eb G Bb D F A",
    "suspended-second": "C D G",
    "suspended-fourth": "C F G",
    "Neapolitan": "Db F Ab",  # functional: the root that is written is the key's
    "Italian": "Ab C F#",
    "French": "Ab C D F#",
    "German": "Ab C Eb F#",
    "pedal": "C",
    "power": "C G",
    "Tristan": "C F# A# D#",
}
DEGREES = [  # kind, degrees as (value, alter, type), the notes on C
    ("suspended-fourth", [(7, 0, "add")], "C F G Bb"),
    ("suspended-second", [(7, 0, "add")], "C D G Bb"),
    ("suspended-fourth", [(7, 0, "add"), (9, 0, "add")], "C F G Bb D"),
    ("suspended-fourth", [(7, 0, "add"), (9, -1, "add")], "C F G Bb Db"),
    ("minor", [(7, 0, "add")], "C Eb G Bb"),
    ("minor", [(7, 1, "add")], "C Eb G B"),
    ("major", [(7, 0, "add")], "C E G Bb"),
    ("major", [(7, 1, "add")], "C E G B"),
    ("major", [(9, 0, "add")], "C E G D"),
    ("major", [(2, 0, "add")], "C D E G"),
    ("major", [(6, 0, "add"), (9, 0, "add")], "C E G A D"),
    ("major", [(11, 1, "add")], "C E G F#"),
    ("diminished", [(7, -1, "add")], "C Eb Gb A"),
    ("augmented", [(7, 0, "add")], "C E G# Bb"),
    ("dominant", [(9, -1, "add")], "C E G Bb Db"),
    ("dominant", [(9, -1, "add"), (9, 1, "add")], "C E G Bb Db D#"),
    ("dominant", [(13, -1, "add")], "C E G Bb Ab"),
    ("dominant", [(11, 1, "add")], "C E G Bb F#"),
    ("dominant", [(5, -1, "alter")], "C E Gb Bb"),
    ("dominant", [(5, 1, "alter"), (9, 1, "add")], "C E G# Bb D#"),
    ("dominant-ninth", [(9, -1, "alter")], "C E G Bb Db"),
    ("dominant-13th", [(11, 1, "alter"), (9, -1, "alter")], "C E G Bb Db F# A"),
    ("dominant-13th", [(11, 0, "subtract")], "C E G Bb D A"),
    ("major-seventh", [(7, -1, "alter")], "C E G Bb"),
    ("major-seventh", [(5, 1, "alter")], "C E G# B"),
    ("minor-seventh", [(5, -1, "alter")], "C Eb Gb Bb"),
    ("minor-seventh", [(5, -1, "add")], "C Eb Gb Bb"),  # as music21 writes it
    ("dominant", [(9, -1, "alter")], "C E G Bb Db"),  # altered and not there: added
    ("major", [(3, 0, "subtract")], "C G"),
    ("dominant", [(5, 0, "subtract")], "C E Bb"),
    ("dominant", [(3, 0, "subtract"), (4, 0, "add")], "C F G Bb"),
    ("dominant", [(1, 0, "subtract")], "E G Bb"),
    ("other", [(3, -1, "add"), (5, 0, "add"), (9, 0, "add")], "C Eb G D"),  # all added
    ("power", [(9, 0, "add")], "C G D"),
]
TEXTS = {
    "7": "C E G Bb", "m7b5": "C Eb Gb Bb", "-7": "C Eb G Bb", "maj7": "C E G B", "Δ7": "C E G B",
    "ma9": "C E G B D", "mMaj7": "C Eb G B", "m(maj7)": "C Eb G B", "ø": "C Eb Gb Bb",
    "o7": "C Eb Gb A", "dim": "C Eb Gb", "+": "C E G#", "+7": "C E G# Bb", "7+": "C E G# Bb",
    "9#5": "C E G# Bb D", "7(b9,#9)": "C E G Bb D#", "7sus4": "C F G Bb", "13sus": "C F G Bb D A",
    "sus": "C F G", "sus2": "C D G", "69": "C E G A D", "6/9": "C E G A D", "m6": "C Eb G A",
    "add9": "C E G D", "madd9": "C Eb G D", "5": "C G", "7alt": "C E G# Bb Db D#",
    "7♭5": "C E Gb Bb", "maj7#11": "C E G B F#", "7no3": "C G Bb", "13b9": "C E G Bb Db F A",
    "mi7": "C Eb G Bb", "min": "C Eb G", "7-9": "C E G Bb Db", "-7-5": "C Eb Gb Bb",
}  # fmt: skip


def classes(names: str) -> set[int]:
    """The pitch classes of names like C, F# and Eb."""
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    return {(steps[n[0]] + n.count("#") - n[1:].count("b")) % 12 for n in names.split()}


def symbol(kind: str, more: str = "", *, root: str = "C", transposition: int = 0) -> Symbol | None:
    """What a harmony element says; `kind` may have attributes."""
    name = re.sub(r" .*", "", kind)
    text = (
        f"<harmony><root><root-step>{root[0]}</root-step><root-alter>{root.count('#')}</root-alter>"
        f"</root><kind{kind[len(name) :]}>{name}</kind>{more}</harmony>"
    )
    return read_symbol(ElementTree.fromstring(text), transposition)


def degree(value: int, alter: int, kind: str) -> str:
    return (
        f"<degree><degree-value>{value}</degree-value><degree-alter>{alter}</degree-alter>"
        f"<degree-type>{kind}</degree-type></degree>"
    )


def notes_of(found: Symbol | None) -> set[int]:
    assert found is not None
    assert found.chord is not None
    assert not found.remark
    return set(found.chord.pitch_classes)


def test_every_kind_is_known() -> None:
    assert {*KIND_VALUES, "none", "other"} == {*KINDS, *FUNCTIONS, "none", "other"}


@pytest.mark.parametrize("kind", list(KIND_VALUES))
@pytest.mark.parametrize("transposition", [0, -2])
def test_the_notes_of_every_kind(kind: str, transposition: int) -> None:
    wanted = {(pitch + transposition) % 12 for pitch in classes(KIND_VALUES[kind])}
    assert notes_of(symbol(kind, transposition=transposition)) == wanted


PLAIN = sorted(set(KIND_VALUES) - {"Neapolitan", "Italian", "French", "German"})


@pytest.mark.parametrize("kind", PLAIN)
def test_kinds_agree_with_music21(kind: str) -> None:
    theirs = music21.harmony.ChordSymbol(root="C", kind=kind)
    assert notes_of(symbol(kind)) == {pitch.pitchClass for pitch in theirs.pitches}


@pytest.mark.parametrize(("kind", "degrees", "names"), DEGREES)
def test_degrees(kind: str, degrees: list[tuple[int, int, str]], names: str) -> None:
    found = symbol(kind, "".join(degree(*one) for one in degrees))
    assert notes_of(found) == classes(names)


@pytest.mark.parametrize("text", list(TEXTS))
def test_other_chords_are_read_from_their_text(text: str) -> None:
    wanted = classes(TEXTS[text])
    assert notes_of(symbol(f'other text="{text}"')) == wanted
    assert notes_of(symbol(f'of-its-own text="{text}"')) == wanted  # a kind the format lacks


def test_a_chord_that_nobody_knows_is_a_fifth_and_said() -> None:
    found = symbol('other text="hmm"')
    assert found is not None
    assert found.chord is not None
    assert set(found.chord.pitch_classes) == {0, 7}
    assert "hmm: is no chord we know; taken as a fifth" in found.remark


@pytest.mark.parametrize("kind", ["none", 'none text="N.C."', 'other text="N. C."',
                                  'major text="NC"', 'other text="No Chord"'])  # fmt: skip
def test_no_chord(kind: str) -> None:
    assert symbol(kind) == Symbol(None)


def test_functions_without_a_root_are_none() -> None:
    for what in ("<function>V</function>", "<numeral><numeral-root>5</numeral-root></numeral>"):
        element = ElementTree.fromstring(f"<harmony>{what}<kind>major</kind></harmony>")
        assert read_symbol(element, 0) is None


@pytest.mark.parametrize(
    ("more", "bass"),
    [
        ("", 2),
        ("<inversion>0</inversion>", 2),
        ("<inversion>1</inversion>", 6),
        ("<inversion>3</inversion>", 0),
        ("<inversion>9</inversion>", 2),
        ("<bass><bass-step>E</bass-step><bass-alter>-1</bass-alter></bass>", 3),
    ],
)
def test_the_bass(more: str, bass: int) -> None:
    found = symbol("dominant", more, root="D")
    assert found is not None
    assert found.chord is not None
    assert (found.chord.root, found.chord.bass) == (2, bass)
    assert set(found.chord.pitch_classes) == {2, 6, 9, 0}  # a bass is no note of the chord


@pytest.mark.parametrize(
    ("root", "more"),
    [
        ("H", ""),
        ("C", "<bass><bass-step/></bass>"),
        ("C", degree(0, 0, "add")),
        ("C", "<degree><degree-value>7</degree-value><degree-alter>x</degree-alter></degree>"),
        ("C", "<inversion>nan</inversion>"),
    ],
)
def test_what_is_against_the_format(root: str, more: str) -> None:
    with pytest.raises(FormatError, match=r"the (root|bass|degree|inversion)"):
        symbol("major", more, root=root)


# --- in a score ---------------------------------------------------------------------------------

TUNE = [note(72 + k % 5) for k in range(4)]
NO_CHORD = "<harmony><root><root-step>C</root-step></root><kind>none</kind></harmony>"
WORDS = "<direction><direction-type><words>{}</words></direction-type></direction>"


@pytest.fixture(params=[NO_CHORD, WORDS.format("N.C."), WORDS.format("(no chord)")])
def stopping(request: pytest.FixtureRequest, tmp_path: Path) -> Score:
    """Six bars of four; the third and fourth have no chord."""
    bars = ["".join(TUNE)] * 6
    bars[0] = CHORD + bars[0]
    bars[2] = request.param + bars[2]
    bars[4] = CHORD + bars[4]
    return read(sheet(part(bars)), tmp_path)


def test_where_there_is_no_chord_only_the_melody_sounds(stopping: Score) -> None:
    assert [(span.start, span.length) for span in stopping.tacet] == [(8.0, 8.0)]
    assert [chord.start for chord in stopping.chords] == [0.0]
    setting = draw_setting(stopping, seed="1")
    tune = {note.start for note in stopping.melody}
    for style in STYLES:
        tracks = [t for t in arrange(stopping, style, setting).song.tracks if not t.is_drums]
        inside = [(t.name, n) for t in tracks for n in t.notes if 8.05 < n.start < 15.3]
        assert len({name for name, _ in inside}) == 1
        assert all(min(abs(n.start - at) for at in tune) < 0.6 for _, n in inside)
        assert all(n.end < 8.3 for t in tracks for n in t.notes if n.start < 7.4)


def test_a_symbol_against_the_format_is_named(tmp_path: Path) -> None:
    bad = CHORD.replace(">C<", ">H<")
    with pytest.raises(ScoreError, match=r"sheet\.musicxml: has the root-step 'H' in bar 2"):
        read(sheet(part([CHORD + "".join(TUNE), bad + "".join(TUNE)])), tmp_path)


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    bars = ["".join(TUNE)] * 4
    bars[1] = CHORD.replace(">major<", ' text="hmm">other<') + bars[1]
    bars[2] = "<harmony><function>V</function><kind>major</kind></harmony>" + bars[2]
    score = read(sheet(part(bars)), tmp_path)
    assert score.remarks == (
        "bar 2: hmm: is no chord we know; taken as a fifth",
        "has chords by their function (I, V) without a root; left out",
    )
