"""MusicXML as it sounds: staves without notes, transposing instruments, voices, cues, odd files."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partwise import CHORD, TIME, back, note, part, read, rest, sheet
from thirdstream.notes.arranging import STYLES, arrange, draw_setting
from thirdstream.notes.harmonisation import UNNAMED
from thirdstream.notes.types import Note, ScoreError, skyline

PITCHES = (72, 76, 79, 76, 74, 71, 67, 71)
TUNE = [CHORD + "".join(note(p) for p in PITCHES[:4]), "".join(note(p) for p in PITCHES[4:])] * 2
HEARD = [*PITCHES, *PITCHES]
REST = rest(4, more=' measure="yes"')
DRUM = (
    "<note><unpitched><display-step>E</display-step><display-octave>4</display-octave></unpitched>"
    "<duration>4</duration></note>"
)
PITCHED_DRUMS = '<midi-instrument id="P1-I1"><midi-channel>10</midi-channel></midi-instrument>'
PERCUSSION = "<clef><sign>percussion</sign></clef>"

# --- staves without a tune ----------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("other", "head"),
    [
        (part([REST] * 4), ""),
        (part([""] * 4), ""),
        (part([REST]), ""),
        (part([DRUM * 4] * 4), ""),
        (part([note(38) * 4] * 4), PITCHED_DRUMS),
        (part([note(38) * 4] * 4, attributes=PERCUSSION), ""),
        ("", ""),
    ],
    ids=["rests", "empty", "short", "drums", "channel 10", "percussion clef", "no bars"],
)
def test_a_staff_without_pitches_is_no_melody_and_no_fault(
    place: int, other: str, head: str, tmp_path: Path
) -> None:
    parts, heads = [part(TUNE)], [""]
    parts.insert(place, other)
    heads.insert(place, head)
    score = read(sheet(*parts, heads=heads), tmp_path)
    assert [n.pitch for n in score.melody] == HEARD
    assert (score.n_bars, score.pickup) == (4, 0.0)
    for style in STYLES:
        arrange(score, style, draw_setting(score, seed="1"))


def test_a_score_of_rests_alone_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=r"sheet\.musicxml: holds no notes; leave it out"):
        read(sheet(part([REST] * 4)), tmp_path)


@pytest.mark.parametrize("n_lower", [1, 2])
def test_an_empty_staff_above_others_without_chord_symbols(n_lower: int, tmp_path: Path) -> None:
    tune = part([bar.replace(CHORD, "") for bar in TUNE])
    lower = [part([note(p, 4)] * 4) for p in (52, 48)[:n_lower]]
    score = read(sheet(part([REST] * 4), tune, *lower), tmp_path)
    assert [n.pitch for n in score.melody] == HEARD
    assert score.remarks == (UNNAMED,)
    assert len(score.voices) == (2 if n_lower == 2 else 0)


# --- transposing instruments --------------------------------------------------------------------

# What is written, less what sounds, in semitones: chromatic steps and octaves of <transpose>.
INSTRUMENTS = {
    "piccolo": (0, 1), "glockenspiel": (0, 2), "clarinet in E flat": (3, 0),
    "clarinet in B flat": (-2, 0), "clarinet in A": (-3, 0), "alto clarinet": (-9, 0),
    "bass clarinet": (-2, -1), "cor anglais": (-7, 0), "alto flute": (-5, 0),
    "contrabassoon": (0, -1), "soprano saxophone": (-2, 0), "alto saxophone": (-9, 0),
    "tenor saxophone": (-2, -1), "baritone saxophone": (-9, -1), "trumpet in B flat": (-2, 0),
    "trumpet in D": (2, 0), "horn in F": (-7, 0), "flugelhorn": (-2, 0), "double bass": (0, -1),
    "guitar": (0, -1), "celesta": (0, 1), "baritone in B flat, whole": (-14, 0),
}  # fmt: skip


def transposed(chromatic: int, octaves: int, number: str = "") -> str:
    octave = f"<octave-change>{octaves}</octave-change>" if octaves else ""
    return f"<transpose{number}><chromatic>{chromatic}</chromatic>{octave}</transpose>"


def written(pitches: tuple[int, ...], up: int) -> list[str]:
    """The tune with its chord of C, written higher than it sounds."""
    step = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")[up % 12]
    chord = CHORD.replace(
        "<root-step>C</root-step>",
        f"<root-step>{step[0]}</root-step><root-alter>{step.count('#')}</root-alter>",
    )
    bars = ["".join(note(p + up) for p in pitches[:4]), "".join(note(p + up) for p in pitches[4:])]
    return [chord + bars[0], bars[1]] * 2


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_instruments_are_read_as_they_sound(name: str, tmp_path: Path) -> None:
    """As a lead sheet: melody and chords."""
    chromatic, octaves = INSTRUMENTS[name]
    bars = written(PITCHES, -chromatic - 12 * octaves)
    score = read(sheet(part(bars, attributes=transposed(chromatic, octaves))), tmp_path)
    assert [n.pitch for n in score.melody] == HEARD
    assert [(c.root, c.bass, c.pitch_classes) for c in score.chords] == [(0, 0, (0, 4, 7))]


def test_a_part_among_others_is_read_as_it_sounds(tmp_path: Path) -> None:
    tune = [bar.partition("</harmony>")[2] or bar for bar in written(PITCHES, 2)]
    lower = [part([note(p, 4)] * 4) for p in (64, 60, 48)]
    score = read(sheet(part(tune, attributes=transposed(-2, 0)), *lower), tmp_path)
    assert [n.pitch for n in score.melody] == HEARD
    assert [v[0].pitch for v in score.voices] == [64, 60, 48]
    assert score.chords[0].root == 0


def test_an_instrument_may_change_in_the_middle(tmp_path: Path) -> None:
    """Clarinet in B flat, then in A; and symbols of the moment."""
    change = f"<attributes>{transposed(-3, 0)}</attributes>"
    first, second = written(PITCHES, 2), written(PITCHES, 3)
    bars = [*first[:2], change + second[0], second[1]]
    score = read(sheet(part(bars, attributes=transposed(-2, 0))), tmp_path)
    assert [n.pitch for n in score.melody] == HEARD
    assert [c.root for c in score.chords] == [0]


def test_one_staff_of_a_part_may_transpose(tmp_path: Path) -> None:
    """The number says which."""
    bars = ["".join(note(p + 2, staff=1) for p in PITCHES[:4]) + back(4) + note(48, 4, staff=2)] * 4
    score = read(sheet(part(bars, attributes=transposed(-2, 0, ' number="1"'))), tmp_path)
    assert [n.pitch for n in score.melody] == [*PITCHES[:4]] * 4
    assert {c.root for c in score.chords} == {0}


# --- voices, cues and what is not played --------------------------------------------------------


def test_the_lower_voice_takes_nothing_from_a_held_note(tmp_path: Path) -> None:
    tops = (72, 76, 79, 77)
    bars = [CHORD + note(p, 4) + back(4) + "".join(note(q, 0.5, voice=2) for q in (60, 64) * 4)
            for p in tops * 2]  # fmt: skip
    score = read(sheet(part(bars)), tmp_path)
    assert [(n.start, n.length, n.pitch) for n in score.melody] == [
        (4.0 * k, 4.0, p) for k, p in enumerate(tops * 2)
    ]


def test_a_higher_voice_may_be_the_second(tmp_path: Path) -> None:
    bars = [CHORD + "".join(note(q) for q in (60, 64, 62, 65)) + back(4) + note(72 + k, 4, voice=2)
            for k in range(8)]  # fmt: skip
    assert [n.pitch for n in read(sheet(part(bars)), tmp_path).melody] == list(range(72, 80))


def test_the_highest_of_chords_is_the_melody(tmp_path: Path) -> None:
    chord = note(64) + note(72, before="<chord/>") + note(60, before="<chord/>")
    score = read(sheet(part([CHORD + chord * 4] * 2)), tmp_path)
    assert [(n.start, n.pitch) for n in score.melody] == [(float(k), 72) for k in range(8)]


@pytest.mark.parametrize(
    "silent",
    [
        note(84, before="<cue/>"),
        note(84, more='<type size="cue">quarter</type>'),
        note(84, more="<notehead>slash</notehead>"),
    ],
)
def test_cues_and_slashes_are_not_played(silent: str, tmp_path: Path) -> None:
    bars = [TUNE[0], rest(1) + silent * 2 + rest(1), *TUNE[1:]]
    score = read(sheet(part(bars)), tmp_path)
    assert [n.pitch for n in score.melody] == HEARD
    assert [n.start for n in score.melody if n.start < 9] == [0.0, 1.0, 2.0, 3.0, 8.0]
    with pytest.raises(ScoreError, match="holds no notes"):
        read(sheet(part([silent * 4] * 4)), tmp_path)


def test_grace_notes_take_no_time(tmp_path: Path) -> None:
    grace = "<note><grace/><pitch><step>B</step><octave>5</octave></pitch></note>"
    score = read(sheet(part([CHORD + grace + bar for bar in TUNE])), tmp_path)
    assert [(n.start, n.pitch) for n in score.melody] == [
        (float(k), p) for k, p in enumerate(HEARD)
    ]


@settings(deadline=None, max_examples=50)
@given(notes=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 24), st.integers(40, 90))))
def test_a_skyline_is_one_line_of_the_highest(notes: list[tuple[int, int, int]]) -> None:
    given_notes = [Note(start / 4, length / 4, pitch) for start, length, pitch in notes]
    line = skyline(given_notes)
    assert all(one.end <= after.start + 1e-9 for one, after in pairwise(line))
    for one in line:  # nothing higher begins with it, nor is held above it in the line
        assert all(n.pitch <= one.pitch for n in given_notes if n.start == one.start)
    for one in given_notes:  # what is left out begins under what is held
        kept = [n for n in line if n.start <= one.start < n.end]
        assert kept
        assert kept[0].start < one.start or kept[0].pitch >= one.pitch


# --- time ---------------------------------------------------------------------------------------


def test_ties_are_joined_across_bars_and_staves_apart(tmp_path: Path) -> None:
    on, off = ('<notations><tied type="start"/></notations>', '<tie type="stop"/>')
    bars = [CHORD + note(72, 4, more=on), note(72, 2, more=off) + note(71, 2)] * 4
    score = read(sheet(part(bars)), tmp_path)
    assert [(n.start, n.length, n.pitch) for n in score.melody[:3]] == [
        (0.0, 6.0, 72), (6.0, 2.0, 71), (8.0, 6.0, 72)
    ]  # fmt: skip


def test_other_divisions_in_the_middle_of_a_bar(tmp_path: Path) -> None:
    finer = "<attributes><divisions>8</divisions></attributes>"
    bars = [CHORD + note(60) + note(62) + finer + note(64, 2) + note(65, 2)]
    bars += ["".join(note(60 + k, 2) for k in range(4))] * 2
    score = read(sheet(part(bars)), tmp_path)
    assert [n.start for n in score.melody] == [float(k) for k in range(12)]


def test_a_rest_of_a_whole_bar_is_no_longer_than_the_bar(tmp_path: Path) -> None:
    three = TIME.replace("<beats>4", "<beats>3")
    tune = [CHORD + "".join(note(60 + k) for k in range(3))] * 3
    bars = [*tune, rest(4, more=' measure="yes"'), *tune]
    score = read(sheet(part(bars, time=three)), tmp_path)
    assert [one.name for _, one in score.metres.changes] == ["3/4"]
    assert score.melody[9].start == 12.0


def test_parts_stay_together_where_one_lacks_time(tmp_path: Path) -> None:
    """The lower part stops in the middle of its second bar."""
    lower = part([note(48, 4), note(50, 2), *[note(52, 4)] * 2])
    score = read(sheet(part([bar.replace(CHORD, "") for bar in TUNE]), lower, lower), tmp_path)
    assert [n.start for n in score.voices[0]] == [0.0, 4.0, 8.0, 12.0]


@pytest.mark.parametrize(
    ("mark", "tempo"),
    [
        ('<sound tempo="96.5"/>', 96.5),
        ("<beat-unit>quarter</beat-unit><per-minute>c. 80</per-minute>", 80.0),
        ("<beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>60</per-minute>", 90.0),
        ("<beat-unit>half</beat-unit><per-minute>60</per-minute>", 120.0),
        ('<sound tempo="0"/>', None),
        ('<sound tempo="1e300"/>', None),
        ("<beat-unit>quarter</beat-unit><per-minute>fast</per-minute>", None),
    ],
)
def test_the_tempo(mark: str, tempo: float | None, tmp_path: Path) -> None:
    kind = "<words>x</words>" if "sound" in mark else f"<metronome>{mark}</metronome>"
    sound = mark if "sound" in mark else ""
    direction = f"<direction><direction-type>{kind}</direction-type>{sound}</direction>"
    score = read(sheet(part([direction + TUNE[0], *TUNE[1:]])), tmp_path)
    assert score.beats_per_minute == tempo


# --- odd files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("<step>C</step>", "<step>H</step>", "the step 'H' in bar 1"),
        ("<octave>5</octave>", "<octave/>", "a pitch without an octave"),
        ("<octave>5</octave>", "<octave>nan</octave>", "the octave 'nan'"),
        ("<duration>4</duration>", "<duration>-4</duration>", "the duration -4"),
        ("<duration>4</duration>", "<duration>4,0</duration>", "the duration '4,0'"),
        ("<divisions>4</divisions>", "<divisions>0</divisions>", "0 divisions of a quarter"),
        ("<beats>4</beats>", "<beats>four</beats>", "bars of four beats of 1/4"),
        ("<beat-type>4</beat-type>", "<beat-type>5</beat-type>", "bars of 4 beats of 1/5"),
        ("<beats>4</beats>", "<beats>0</beats>", "bars of 0 beats"),
    ],
)
def test_what_is_against_the_format_is_named(
    old: str, new: str, fault: str, tmp_path: Path
) -> None:
    text = sheet(part(TUNE)).replace(old, new)
    with pytest.raises(ScoreError, match=rf"sheet\.musicxml: has {fault}.*; export it again"):
        read(text, tmp_path)


def test_a_fault_of_ours_is_not_the_file_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what is known to be against the format becomes a ScoreError."""

    def broken(*_: object) -> None:
        raise ValueError("zip() argument 2 is longer than argument 1")

    for name in ("measures.PartReader._note", "musicxml.metres_of", "musicxml.skyline"):
        with monkeypatch.context() as patched:
            patched.setattr(f"thirdstream.notes.io.{name}", broken)
            with pytest.raises(ValueError, match="zip") as caught:
                read(sheet(part(TUNE)), tmp_path)
            assert not isinstance(caught.value, ScoreError)


def test_reading_needs_no_music21(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "music21", None)
    assert len(read(sheet(part(TUNE)), tmp_path).melody) == 16
