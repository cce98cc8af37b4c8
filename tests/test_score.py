"""Scores: what is read from MusicXML and MIDI, and what is refused."""

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import music21
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thirdstream.files import ThirdstreamError
from thirdstream.notes.harmonising import harmonised
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.midi import TICKS, Song, Track, read_midi, write_midi
from thirdstream.notes.score import (
    CHORDS,
    Chord,
    Note,
    Score,
    ScoreError,
    read_score,
    without_gaps,
)

FOUR = Metres.steady(metre(4, 4))
TUNE = [music21.pitch.Pitch(p).nameWithOctave for p in (60, 64, 67, 72, 71, 67, 69, 65)] * 2


def lead_sheet(metre: str = "4/4", symbols: tuple[str, ...] = ("C", "F", "G7", "C")) -> object:
    """A tune of quarter notes, with a chord every four of them."""
    part = music21.stream.Part([music21.meter.TimeSignature(metre)])
    for number, name in enumerate(TUNE):
        if symbols and number % 4 == 0:
            part.insert(number, music21.harmony.ChordSymbol(symbols[number // 4]))
        part.insert(number, music21.note.Note(name, quarterLength=1))
    score = music21.stream.Score([part])
    score.insert(0, music21.metadata.Metadata(title="A Tune"))
    return score


def written(stream: object, path: Path) -> Path:
    return Path(stream.write("musicxml", path))  # pyright: ignore


def test_lead_sheet(tmp_path: Path) -> None:
    score = read_score(written(lead_sheet(), tmp_path / "a.musicxml"))
    assert score.title == "A Tune"
    assert [n.pitch for n in score.melody] == [music21.pitch.Pitch(n).midi for n in TUNE]
    assert [n.start for n in score.melody] == [float(i) for i in range(16)]
    assert [(c.start, c.length, c.root, c.bass) for c in score.chords] == [
        (0, 4, 0, 0), (4, 4, 5, 5), (8, 4, 7, 7), (12, 4, 0, 0)
    ]  # fmt: skip
    assert score.chords[2].intervals == (0, 4, 7, 10)
    assert (score.n_bars, score.beats_per_bar, score.pickup) == (4, 4.0, 0.0)


def test_chord_symbols_keep_their_bass_and_colours(tmp_path: Path) -> None:
    sheet = lead_sheet(symbols=("C/E", "Gm7/C", "Bm7b5", "E7b9"))
    chords = read_score(written(sheet, tmp_path / "a.musicxml")).chords
    assert [(c.root, c.bass) for c in chords] == [(0, 4), (7, 0), (11, 11), (4, 4)]
    assert [c.intervals for c in chords[:3]] == [(0, 4, 7), (0, 3, 7, 10), (0, 3, 6, 10)]
    assert {0, 1, 4, 7, 10} == set(chords[3].intervals)
    assert [c.third for c in chords] == [4, 3, 3, 4]
    assert [c.seventh for c in chords] == [None, 10, 10, 10]


def test_a_pickup_ends_at_a_bar_line(tmp_path: Path) -> None:
    part = music21.stream.Part()
    part.append(music21.stream.Measure(number=0))
    part[0].append([music21.meter.TimeSignature("3/4"), music21.note.Note("G4")])
    for number in range(1, 4):
        bar = music21.stream.Measure(number=number)
        bar.insert(0, music21.harmony.ChordSymbol("C" if number % 2 else "G7"))
        for place, name in enumerate("CEG"):
            bar.insert(place, music21.note.Note(f"{name}4"))
        part.append(bar)
    part[0].padAsAnacrusis(useInitialRests=False)
    score = read_score(written(music21.stream.Score([part]), tmp_path / "a.musicxml"))
    assert score.pickup == 1.0
    assert score.melody[0].start == 2.0
    assert [c.start for c in score.chords] == [3.0, 6.0, 9.0]
    assert score.n_bars == 4


def test_four_parts_have_their_harmony_found(tmp_path: Path) -> None:
    harmony = ["C5 G4 E4 C3", "C5 A4 F4 F3", "B4 G4 D4 G3", "C5 G4 E4 C3"] * 3
    parts = [music21.stream.Part() for _ in range(4)]
    for beat, names in enumerate(harmony):
        for part, name in zip(parts, names.split(), strict=True):
            part.insert(float(beat), music21.note.Note(name))
    score = read_score(written(music21.stream.Score(parts), tmp_path / "a.musicxml"))
    assert [c.root for c in score.chords[:4]] == [0, 5, 7, 0]
    assert all(c.intervals == (0, 4, 7) for c in score.chords)
    assert [v[0].pitch for v in score.voices] == [67, 64, 48]


@pytest.mark.parametrize(
    ("metre", "symbols", "fault"),
    [("5/4", ("C", "F", "G7", "C"), "5 quarter notes"), ("4/4", (), "chord symbols")],
)
def test_scores_that_cannot_be_arranged(
    metre: str, symbols: tuple[str, ...], fault: str, tmp_path: Path
) -> None:
    path = written(lead_sheet(metre, symbols), tmp_path / "a.musicxml")
    with pytest.raises(ScoreError, match=fault) as caught:
        read_score(path)
    assert str(path) in str(caught.value)


def test_changing_metre_is_refused(tmp_path: Path) -> None:
    sheet = lead_sheet()
    sheet.parts[0].insert(8.0, music21.meter.TimeSignature("3/4"))  # pyright: ignore
    with pytest.raises(ScoreError, match=r"changes its metre \(4/4, 3/4\)"):
        read_score(written(sheet, tmp_path / "a.musicxml"))


@pytest.mark.parametrize("name", ["a.mxl", "a.musicxml", "a.mid"])
@pytest.mark.parametrize("content", [b"", b"no score at all", b"MThd\x00\x00", b"PK\x03\x04rest"])
def test_bad_files_are_named(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ScoreError, match=name):
        read_score(path)


def test_missing_files_and_other_endings(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="no such file"):
        read_score(tmp_path / "a.mxl")
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(ScoreError, match=r"a\.pdf: is no score we read; give .*\.mxl"):
        read_score(tmp_path / "a.pdf")


@pytest.mark.parametrize(("module", "name"), [("music21", "a.mxl"), ("mido", "a.mid")])
def test_missing_parts_are_named_with_their_extra(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ThirdstreamError, match=rf"{module}; pip install 'thirdstream\[scores\]'"):
        read_score(tmp_path / name)


@st.composite
def songs(draw: st.DrawFn) -> Song:
    """Tracks on whole ticks in which no pitch sounds twice at a time."""
    tracks = []
    for number in range(draw(st.integers(1, 4))):
        at, notes = 0, []
        for _ in range(draw(st.integers(1, 12))):
            at += draw(st.integers(0, 4 * TICKS))
            length = draw(st.integers(1, 4 * TICKS))
            pitch, velocity = draw(st.integers(0, 127)), draw(st.integers(1, 127))
            notes.append(Note(at / TICKS, length / TICKS, pitch, velocity))
            at += length
        program, pan = draw(st.integers(0, 127)), draw(st.integers(0, 127))
        tracks.append(Track(f"t{number}", program, tuple(notes), number == 3, pan))
    return Song(tuple(tracks), 120.0, draw(st.sampled_from([2.0, 3.0, 4.0])))


@settings(deadline=None, max_examples=25)
@given(song=songs())
def test_midi_comes_back_as_it_was(song: Song, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    write_midi(path, song)
    assert read_midi(path) == song


def test_midi_scores_have_melody_and_harmony(tmp_path: Path) -> None:
    melody = tuple(Note(float(i), 1.0, 72 + i % 2) for i in range(16))
    below = tuple(Note(4.0 * b, 4.0, p) for b in range(4) for p in (48, 52, 55))
    song = Song((Track("chords", 0, below), Track("tune", 73, melody)), 100.0, 4.0)
    write_midi(tmp_path / "a.mid", song)
    score = read_score(tmp_path / "a.mid")
    assert [n.pitch for n in score.melody] == [n.pitch for n in melody]
    assert score.chords[0].root == 0
    assert score.beats_per_minute == pytest.approx(100.0, abs=0.01)


@settings(deadline=None, max_examples=25)
@given(
    root=st.integers(0, 11), kind=st.sampled_from(sorted(CHORDS)), semitones=st.integers(-12, 12)
)
def test_chords_name_what_sounds(root: int, kind: str, semitones: int) -> None:
    if kind == "diminished seventh":
        return  # each of its notes may be the root: the bass decides
    pitches = [48 + root + interval + semitones for interval in CHORDS[kind]]
    chords = harmonised([[Note(0.0, 4.0, pitch)] for pitch in pitches], FOUR, end=4.0)
    assert [(c.root, c.intervals) for c in chords] == [((root + semitones) % 12, CHORDS[kind])]


@settings(deadline=None, max_examples=25)
@given(starts=st.lists(st.integers(0, 30), min_size=1), roots=st.randoms(use_true_random=False))
def test_chords_follow_without_gaps(starts: list[int], roots: object) -> None:
    chords = [
        Chord(float(s), 0.0, roots.randrange(12), (0, 4, 7), 0)  # pyright: ignore
        for s in starts
    ]
    joined = without_gaps(chords, 32.0)
    assert joined[0].start == min(starts)
    assert joined[-1].end == 32.0
    assert all(a.end == b.start for a, b in pairwise(joined))
    assert all(c.length > 0 for c in joined)


@settings(deadline=None, max_examples=25)
@given(semitones=st.integers(-24, 24))
def test_transposition_goes_back(semitones: int) -> None:
    chord = Chord(0.0, 4.0, 7, (0, 4, 7, 10), 11)
    score = Score("a", (Note(0.0, 4.0, 60),), (chord,), voices=((Note(0.0, 4.0, 48),),))
    moved = score.transposed(semitones)
    assert moved.melody[0].pitch == 60 + semitones
    assert moved.chords[0].pitch_classes == tuple((p + semitones) % 12 for p in (7, 11, 2, 5))
    assert moved.transposed(-semitones) == score
    assert replace(score, pickup=1.0).n_bars == score.n_bars
