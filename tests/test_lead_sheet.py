"""Lead sheets and the other files of a transcription."""

import json
import re
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import music21
import numpy as np
import pytest
from PIL import Image

from pieces import rubato
from thirdstream.files import ThirdstreamError
from thirdstream.notes.io import chord_symbols
from thirdstream.notes.io.lead_sheet import chords_of_bars, symbol, write_lead_sheet
from thirdstream.notes.io.score import read_score
from thirdstream.notes.key import C_MAJOR, Key
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import roll
from thirdstream.notes.transcription.confidence import BarConfidence
from thirdstream.notes.transcription.known import read_metre
from thirdstream.notes.transcription.sheets import write_sheets
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.transcription.upbeat import begun, pickup_of
from thirdstream.notes.types import CHORDS, Chord, Note, Score


def lead_sheet() -> Score:
    tune = [
        *(Note(2 + k / 2, 0.5, 60 + k) for k in range(4)),
        *(Note(4 + k / 3, 1 / 3, 67 + k) for k in range(3)),
        Note(5.25, 0.5, 70),
        Note(5.75, 3.25, 72),
        Note(9 + 1 / 3, 2 / 3, 74),
        Note(10.5, 0.5 + 1 / 3, 75),
        Note(11 + 1 / 3, 2 + 2 / 3, 61),
    ]
    kinds = list(CHORDS.values())
    harmony = tuple(
        Chord(2.0 * k if k < 7 else 13.0, 2.0 if k < 6 else 1.0, (5 * k + 1) % 12, kind,
              (5 * k + 1 + kind[k % len(kind)]) % 12)
        for k, kind in enumerate(kinds)
    )  # fmt: skip
    return Score("A sheet", tuple(tune), harmony, beats_per_minute=96.0)


def test_a_lead_sheet_is_read_as_it_was_written(tmp_path: Path) -> None:
    score = lead_sheet()
    write_lead_sheet(tmp_path / "sheet.musicxml", score)
    again = read_score(tmp_path / "sheet.musicxml")
    rounded = [
        [(round(n.start, 4), round(n.length, 4), n.pitch) for n in one.melody]
        for one in (score, again)
    ]
    assert rounded[0] == rounded[1]
    harmonies = [
        [(c.start, c.root, c.intervals, c.bass) for c in one.chords] for one in (score, again)
    ]
    assert harmonies[0] == harmonies[1]
    assert (again.beats_per_bar, again.title) == (4.0, "A sheet")


@pytest.mark.parametrize(
    ("chord", "text"),
    [
        (Chord(0, 4, 0, (0, 4, 7), 0), "C"),
        (Chord(0, 4, 10, (0, 3, 7, 10), 1), "Bbm7/Db"),
        (Chord(0, 4, 6, (0, 3, 6, 10), 6), "F#m7b5"),
    ],
)
def test_symbols(chord: Chord, text: str) -> None:
    assert symbol(chord) == text


@pytest.mark.parametrize("degrees", chord_symbols.KINDS.values(), ids=chord_symbols.KINDS)
def test_every_chord_that_is_read_can_be_written(degrees: dict[int, int], tmp_path: Path) -> None:
    """As itself, or as one that it holds."""
    chord = Chord(0, 12, 5, tuple(sorted({step % 12 for step in degrees.values()})), 5)
    tune = tuple(Note(float(k), 1.0, 60 + k) for k in range(12))
    write_lead_sheet(tmp_path / "a.musicxml", Score("", tune, (chord,)))
    (again,) = read_score(tmp_path / "a.musicxml").chords
    assert (again.root, again.bass) == (5, 5)
    if chord.third is not None and chord.fifth in chord.intervals:
        assert set(again.intervals) <= set(chord.intervals)


def with_pickup(sign: str, pickup: float) -> Score:
    """Sixteen bars of a metre after a pickup of eighths."""
    metres = Metres.steady(read_metre(sign))
    bar = metres.changes[0][1].length
    starts = np.arange(bar - pickup, 17 * bar, 0.5).tolist()
    tune = tuple(Note(at, 0.5, 60 + k % 12) for k, at in enumerate(starts))
    chords = tuple(Chord(bar * k, bar, k % 12, (0, 4, 7), k % 12) for k in range(1, 17))
    return Score("Upbeat", tune, chords, metres=metres, pickup=pickup, beats_per_minute=120.0)


@pytest.mark.parametrize(("sign", "pickup"), [("4/4", 1.0), ("4/4", 1.5), ("3/4", 1.0),
                                              ("6/8", 0.5), ("5/4", 2.0)])  # fmt: skip
def test_a_pickup_is_a_short_bar_and_comes_back(sign: str, pickup: float, tmp_path: Path) -> None:
    score = with_pickup(sign, pickup)
    write_lead_sheet(tmp_path / "a.musicxml", score)
    bars = list(ElementTree.parse(tmp_path / "a.musicxml").iter("measure"))
    assert (bars[0].get("number"), bars[0].get("implicit")) == ("0", "yes")
    assert [one.get("number") for one in bars[1:]] == [str(k) for k in range(1, 17)]
    assert bars[0].find("note/rest") is None and bars[0].find("harmony") is None
    again = read_score(tmp_path / "a.musicxml")
    assert again.pickup == pickup
    assert [(n.start, n.length, n.pitch) for n in again.melody] == [
        (n.start, n.length, n.pitch) for n in score.melody
    ]
    assert [(c.start, c.length, c.root) for c in again.chords] == [
        (c.start, c.length, c.root) for c in score.chords
    ]
    assert again.tacet == ()


def test_what_sounds_before_a_pickup_makes_it_a_whole_bar(tmp_path: Path) -> None:
    score = with_pickup("4/4", 1.0)
    chords = (Chord(0.0, 4.0, 7, (0, 4, 7), 7), *score.chords)
    write_lead_sheet(tmp_path / "a.musicxml", replace(score, chords=chords))
    again = read_score(tmp_path / "a.musicxml")
    assert (again.pickup, again.melody[0].start, again.chords[0].start) == (0.0, 3.0, 0.0)


def test_sections_and_swing_are_marked(tmp_path: Path) -> None:
    score = with_pickup("4/4", 1.0)
    write_lead_sheet(tmp_path / "a.musicxml", score, sections={1: "A", 7: "B"}, swung=True)
    bars = list(ElementTree.parse(tmp_path / "a.musicxml").iter("measure"))
    marks = {bar.get("number"): bar.findtext(".//rehearsal") for bar in bars}
    assert {bar: mark for bar, mark in marks.items() if mark} == {"1": "A", "7": "B"}
    lines = [bar.get("number") for bar in bars if bar.find("print[@new-system='yes']") is not None]
    assert lines == ["5", "7", "11", "15"]
    assert "Swing" in [one.text for one in bars[0].iter("words")]
    assert len(read_score(tmp_path / "a.musicxml").melody) == len(score.melody)


@pytest.mark.parametrize(("sign", "unit", "tempo"), [("4/4", "quarter", "120"),
                         ("6/8", "quarter.", "80"), ("7/8", "eighth", "240"),
                         ("3/8", "eighth", "240"), ("2/2", "half", "60"), ("3/2", "half", "60"),
                         ("1/1", "whole", "30"), ("6/16", "eighth.", "160")])  # fmt: skip
def test_the_tempo_is_that_of_the_beats(sign: str, unit: str, tempo: str, tmp_path: Path) -> None:
    write_lead_sheet(tmp_path / "a.musicxml", with_pickup(sign, 0.5))
    [mark] = ElementTree.parse(tmp_path / "a.musicxml").iter("metronome")
    dot = "." if mark.find("beat-unit-dot") is not None else ""
    assert (f"{mark.findtext('beat-unit')}{dot}", mark.findtext("per-minute")) == (unit, tempo)
    assert read_score(tmp_path / "a.musicxml").beats_per_minute == pytest.approx(120)


@pytest.mark.parametrize(("sign", "beat"), [("6/8", 1.5), ("5/4", 1.0), ("3/4", 1.0)])
def test_beams_end_with_their_beat(sign: str, beat: float, tmp_path: Path) -> None:
    write_lead_sheet(tmp_path / "a.musicxml", with_pickup(sign, 0.5))
    bar = list(ElementTree.parse(tmp_path / "a.musicxml").iter("measure"))[1]
    kinds = [note.findtext("beam[@number='1']") for note in bar.iter("note")]
    n = round(2 * beat)
    assert kinds == ["begin", *["continue"] * (n - 2), "end"] * (len(kinds) // n)


def test_the_groups_of_a_metre_are_written(tmp_path: Path) -> None:
    write_lead_sheet(tmp_path / "a.musicxml", with_pickup("2+2+3/8", 0.5))
    again = read_score(tmp_path / "a.musicxml")
    assert again.metres.changes[0][1].beats == (1.0, 1.0, 1.5)
    write_lead_sheet(tmp_path / "b.musicxml", with_pickup("3+2+2/8", 0.5))
    assert "<beats>3+2+2</beats>" in (tmp_path / "b.musicxml").read_text()


@pytest.mark.parametrize("key", [C_MAJOR, Key(6, False), Key(8, True)])
@pytest.mark.parametrize("number", range(4))
def test_an_inversion_is_the_place_of_the_bass_in_its_chord(
    number: int, key: Key, tmp_path: Path
) -> None:
    """However it is spelt."""
    kind = (0, 4, 7, 10)
    for root in range(12):
        chord = Chord(0.0, 4.0, root, kind, (root + kind[number]) % 12)
        write_lead_sheet(tmp_path / "a.musicxml", Score("a", (Note(0, 4, 60),), (chord,)), key)
        text = (tmp_path / "a.musicxml").read_text(encoding="utf-8")
        said = re.findall(r"<inversion>(\d)</inversion>", text)
        assert said == ([str(number)] if number else [])


def test_silence_in_a_lead_sheet_has_no_chord(tmp_path: Path) -> None:
    triad = (0, 4, 7)
    score = Score("gap", tuple(Note(float(k), 1.0, 60 + k, 80) for k in range(12)),
                  (Chord(4, 2, 0, triad, 0), Chord(8, 4, 7, triad, 7)))  # fmt: skip
    assert chords_of_bars(score) == ("N.C.", "C N.C.", "G")
    write_lead_sheet(tmp_path / "a.musicxml", score)
    assert (tmp_path / "a.musicxml").read_text().count("<kind") == 4


def test_rests_are_to_be_seen(tmp_path: Path) -> None:
    """Within bars, at their ends, and over several of them."""
    starts = (1.0, 3.0, 14.0, 16.0, 20.0, 23.5, 24.5, 26.0)
    melody = tuple(Note(start, 0.5, 60 + k) for k, start in enumerate(starts))
    write_lead_sheet(tmp_path / "a.musicxml", Score("rests", melody, ()))
    text = (tmp_path / "a.musicxml").read_text()
    assert 'print-object="no"' not in text
    assert text.count("<rest") >= 10
    assert "<beam" not in text  # of quavers between rests
    again = read_score(tmp_path / "a.musicxml").melody
    assert [(n.start, n.length, n.pitch) for n in again] == [
        (n.start, n.length, n.pitch) for n in melody
    ]


def test_notes_that_overlap_are_written_as_one_voice(tmp_path: Path) -> None:
    melody = tuple(Note(0.5 * k, 0.5 + 0.2 * (k % 3), 60 + k) for k in range(16))
    chords = Chord(2, 2, 0, (0, 4, 7), 0), Chord(6, 1, 7, (0, 4, 7), 7)  # and rests between them
    write_lead_sheet(tmp_path / "a.musicxml", Score("overlaps", melody, chords))
    text = (tmp_path / "a.musicxml").read_text()
    assert "<backup>" not in text and "<rest" not in text
    again = read_score(tmp_path / "a.musicxml").melody
    assert [(n.start, n.length) for n in again] == [(0.5 * k, 0.5) for k in range(16)]


def test_symbols_within_notes_keep_their_places_and_make_no_voice(tmp_path: Path) -> None:
    melody = tuple(Note(2.0 * k, 2.0, 60 + k) for k in range(12))
    starts = (0.0, 3.0, 5.5, 9.0, 24.0, 30.0)  # the last two after the melody
    chords = tuple(Chord(start, 1.0, k, (0, 4, 7), k) for k, start in enumerate(starts))
    write_lead_sheet(tmp_path / "a.musicxml", Score("within", melody, chords))
    text = (tmp_path / "a.musicxml").read_text()
    assert "<voice>2" not in text
    found = music21.musicxml.xmlToM21.MusicXMLImporter().scoreFromFile(str(tmp_path / "a.musicxml"))
    found = found.flatten()
    symbols = found.getElementsByClass(music21.harmony.ChordSymbol)
    named = [one for one in symbols if not isinstance(one, music21.harmony.NoChord)]
    assert [(one.offset, one.root().pitchClass) for one in named] == list(
        zip(starts, range(len(starts)), strict=True)
    )
    lengths = [one.quarterLength for one in found.getElementsByClass(music21.note.Note)]
    assert lengths == [2.0] * 12


@pytest.mark.parametrize(("length", "n_bars"), [(2.0, 3), (3.0, 3), (4.5, 4), (6.0, 4), (7.0, 5)])
def test_there_are_bars_as_long_as_the_last_chord(
    length: float, n_bars: int, tmp_path: Path
) -> None:
    """A waltz whose melody ends in its third bar, where the chord begins."""
    melody = tuple(Note(float(k), 1.0, 60) for k in range(7))
    chord = Chord(6.0, length, 0, (0, 4, 7), 0)
    score = Score("end", melody, (chord,), Metres.steady(metre(3, 4)))
    write_lead_sheet(tmp_path / "a.musicxml", score)
    bars = ElementTree.parse(tmp_path / "a.musicxml").findall(".//measure")
    assert len(bars) == n_bars
    assert [bar.find("barline") is not None for bar in bars] == [False] * (n_bars - 1) + [True]


def test_sheets_are_whole_and_kept(tmp_path: Path) -> None:
    import mido

    score = lead_sheet()
    timing = rubato(16)
    transcription = Transcription(score, timing, score.melody, C_MAJOR, float(timing.seconds(16)))
    paths = write_sheets(transcription, tmp_path, "a.b")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    assert {p.suffix for p in paths} == {".mid", ".musicxml", ".png", ".json", ".pdf"}
    with pytest.raises(ThirdstreamError, match=r"a\.b\.mid: exists already; add --force"):
        write_sheets(transcription, tmp_path, "a.b")
    write_sheets(transcription, tmp_path, "a.b", force=True)
    now, starts = 0.0, []
    for message in mido.MidiFile(tmp_path / "a.b.mid"):
        now += message.time
        if message.type == "note_on" and message.velocity:
            starts.append(now)
    expected = timing.seconds([n.start for n in score.melody])
    np.testing.assert_allclose(starts, expected, atol=0.002)


def test_the_picture_has_each_note_where_it_sounds(tmp_path: Path) -> None:
    """Thirty seconds are two rows; the melody is drawn over all notes."""
    timing, heights = Timing(tuple(0.5 * beat for beat in range(61))), (40, 60, 80)
    notes = tuple(Note(4.0 * k, 2.0, heights[k % 3]) for k in range(15))
    score = Score("a title", notes[1:], (), Metres.steady(metre(4, 4)))
    roll.draw_roll(tmp_path / "a.png", Transcription(score, timing, notes, C_MAJOR, 30.0))
    with Image.open(tmp_path / "a.png") as picture:
        colours = np.array(picture)
    wide, high = roll.RIGHT - roll.LEFT, roll.HIGH
    melody, others = ((colours == colour).all(axis=-1) for colour in [(194, 87, 26), (166,) * 3])
    for row, start_s in enumerate((0.0, 15.0)):
        top = roll.UPPER + row * (high + roll.BETWEEN)
        for note, drawn in [(notes[0], others), *((one, melody) for one in notes[1:])]:
            middle_s = 0.5 * (note.start + 1.0) - start_s
            if 0 < middle_s < 15:
                column = drawn[top : top + high, roll.LEFT + round(middle_s / 15 * wide)]
                assert 2 <= column.sum() <= 5
                share = 1 - np.flatnonzero(column).mean() / high
                low, top_pitch = 40 - 3 - roll.STRIP, 80 + 8 + roll.LINE
                assert share == pytest.approx((note.pitch - low) / (top_pitch - low), abs=0.02)
    assert abs(melody.sum() / others.sum() - 14) < 3  # as many as there are notes


@pytest.mark.parametrize("step", [0.02, 0.5, 1.0, 20.0, 1000.0])
@pytest.mark.parametrize("reach", [1.0, 2.1, 4.5, 7.7])
def test_ticks_are_round_and_few(step: float, reach: float) -> None:
    low, high = 3.3 * step, (3.3 + reach) * step
    ticks = roll._ticks(low, high)
    assert 4 <= len(ticks) <= 11
    assert low <= ticks[0] <= ticks[-1] <= high
    assert all(len(f"{tick:g}") <= 6 for tick in ticks)


def test_the_same_music_is_the_same_bytes(tmp_path: Path) -> None:
    """In all files, whenever they are written."""
    score, timing = lead_sheet(), rubato(16)
    found = Transcription(score, timing, score.melody, C_MAJOR, float(timing.seconds(16)))
    first, again = (write_sheets(found, tmp_path / name, "a") for name in ("first", "again"))
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
        assert str(date.today()).encode() not in one.read_bytes(), one.name
        assert time.strftime("D:%Y%m").encode() not in one.read_bytes(), one.name  # as PDF has it


def test_a_sheet_names_no_composer(tmp_path: Path) -> None:
    write_lead_sheet(tmp_path / "a.musicxml", lead_sheet())
    root = ElementTree.parse(tmp_path / "a.musicxml").getroot()
    assert root.find(".//creator") is None
    assert root.findtext("work/work-title") == "A sheet"
    assert [one.get("id") for one in root.iter("score-part")] == ["P1"]


def test_the_data_have_the_keys_and_when_they_begin(tmp_path: Path) -> None:
    keys = ((0.0, C_MAJOR), (8.0, Key(3, False)))
    score, timing = lead_sheet(), rubato(16)
    write_sheets(Transcription(score, timing, score.melody, C_MAJOR, 8.0, keys=keys), tmp_path, "a")
    data = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert data["key"] == "C major"
    starts_s = [round(max(float(timing.seconds(at)), 0.0), 3) for at, _ in keys]
    assert data["keys"] == [
        {"start_s": starts_s[0], "key": "C major"},
        {"start_s": starts_s[1], "key": "Eb major"},
    ]


def test_chords_are_spelt_by_the_key_at_their_place(tmp_path: Path) -> None:
    """In the data, the picture, the web page's bars and the sheet alike: E major, then A flat."""
    tune = tuple(Note(float(k), 1.0, 68) for k in range(16))
    chords = tuple(Chord(8.0 * k, 8.0, 8, (0, 4, 7), 0) for k in range(2))
    keys = ((0.0, Key(4, False)), (8.0, Key(8, False)))
    score, timing = Score("", tune, chords), Timing.steady(120)
    found = Transcription(score, timing, tune, Key(4, False), 8.0, keys=keys)
    write_sheets(found, tmp_path, "a")
    data = json.loads((tmp_path / "a.json").read_text("utf-8"))
    spelt = ["G#/C", "Ab/C"]
    assert [chord["symbol"] for chord in data["chords"]] == spelt
    assert [text for _, text in roll._Roll.of(found).symbols] == spelt
    assert chords_of_bars(score, keys)[::2] == tuple(spelt)
    sheet = ElementTree.parse(tmp_path / "a.musicxml")
    assert [one.findtext("root/root-step") for one in sheet.iter("harmony")] == ["G", "A"]


def test_of_sheets_that_fail_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object, **more: object) -> None:
        raise ValueError("music21 fails")

    score = lead_sheet()
    transcription = Transcription(score, rubato(16), score.melody, C_MAJOR, 8.0)
    monkeypatch.setattr("thirdstream.notes.transcription.sheets.write_lead_sheet", broken)
    with pytest.raises(ValueError, match="music21 fails"):
        write_sheets(transcription, tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_where_the_melody_begins_late_in_the_first_bar_it_is_an_upbeat() -> None:
    metres = Metres.steady(metre(4, 4))
    assert pickup_of([Note(3.0, 1.0, 60), Chord(4.0, 4.0, 0, (0, 4, 7), 0)], metres) == 1.0
    assert pickup_of([Note(1.0, 1.0, 60)], metres) == 3.0
    assert pickup_of([Note(0.5, 1.0, 60)], metres) == 0.0  # an eighth's rest is written
    assert pickup_of([Note(3.0, 1.0, 60), Chord(0.0, 4.0, 0, (0, 4, 7), 0)], metres) == 0.0
    assert pickup_of([Note(5.0, 1.0, 60)], metres) == 0.0
    assert pickup_of([], metres) == 0.0


def test_the_chord_of_an_upbeat_begins_with_it() -> None:
    chords = (Chord(2.0, 2.0, 7, (0, 4, 7), 7), Chord(4.0, 4.0, 0, (0, 4, 7), 0))
    tune = (Note(2.5, 0.5, 67), Note(3.0, 1.0, 69))
    moved = begun(chords, tune, [Note(2.53, 0.4, 67)])
    assert [(one.start, one.end) for one in moved] == [(2.5, 4.0), (4.0, 8.0)]
    assert begun(chords, tune, [Note(2.0, 1.0, 48), Note(2.53, 0.4, 67)]) == chords


def test_the_json_says_pickup_swing_and_sections(tmp_path: Path) -> None:
    score = with_pickup("4/4", 1.0)
    timing = Timing.steady(120)
    found = Transcription(score, timing, score.melody, C_MAJOR, 34.0, swing=0.66)
    write_sheets(found, tmp_path, "a")
    said = json.loads((tmp_path / "a.json").read_text())
    assert (said["pickup"], said["swing"]) == (1.0, 0.66)
    for one in said["sections"]:
        assert one["start_s"] == pytest.approx(float(timing.seconds(one["start"])))
    assert said["melody"][0]["start"] == 3.0


def test_no_zero_of_the_json_is_negative(tmp_path: Path) -> None:
    """Where the first beat is at -0.0 s, as where times before it are cut off or rounded."""
    score, beats_s = with_pickup("4/4", 1.0), (-0.0, *(0.5 * np.arange(1, 69)).tolist())
    bar = BarConfidence(-1e-5, 1.0, 1.0, 1.0)
    found = Transcription(score, Timing(beats_s), score.melody, C_MAJOR, 34.0, -0.0, (bar,))
    write_sheets(found, tmp_path, "a")
    text = (tmp_path / "a.json").read_text()
    assert re.findall(r"-0\.0\b", text) == []
    assert json.loads(text)["keys"] == [{"start_s": 0.0, "key": "C major"}]


def test_every_field_of_the_json_is_in_the_docs(tmp_path: Path) -> None:
    score = with_pickup("4/4", 1.0)
    confidence = (BarConfidence(0.0, 1.0, 1.0, 1.0),)
    found = Transcription(score, Timing.steady(120), score.melody, C_MAJOR, 34.0,
                          confidence=confidence, keys=((0.0, C_MAJOR),))  # fmt: skip
    write_sheets(found, tmp_path, "a")
    said = json.loads((tmp_path / "a.json").read_text())
    lists = [rows for rows in said.values() if isinstance(rows, list) and rows]
    named = {*said, *(name for rows in lists if isinstance(rows[0], dict) for name in rows[0])}
    page = (Path(__file__).parents[1] / "docs" / "scripting.md").read_text("utf-8")
    _, _, section = page.partition("### The JSON of `listen`\n")
    written = re.findall(r"`(\w+)`", section.partition("\n## ")[0])
    assert {"symbol", "start_s", "velocity"} < named
    assert named <= {*written}
