"""Scores: what is read from MusicXML and MIDI, and what is refused."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mido
import music21
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_metre import named
from thirdstream.cli.scores import _left_out
from thirdstream.data.pairs import Left, Made
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import STYLES, arrange, draw_setting
from thirdstream.notes.harmonisation import harmonised
from thirdstream.notes.io import midi
from thirdstream.notes.io.midi import TICKS, read_midi, write_midi
from thirdstream.notes.io.score import read_score
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.types import (
    CHORDS,
    Chord,
    Note,
    Score,
    ScoreError,
    Song,
    Track,
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


@pytest.mark.parametrize("metre", ["4/64", "7/128"])
def test_beats_that_are_too_short_are_refused(metre: str, tmp_path: Path) -> None:
    path = written(lead_sheet(metre), tmp_path / "a.musicxml")
    with pytest.raises(ScoreError, match=f"bars of {metre}, whose beats are too short") as caught:
        read_score(path)
    assert str(path) in str(caught.value)


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


def test_missing_parts_are_named_with_their_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mid").write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(ThirdstreamError, match=r"mido; pip install 'thirdstream\[scores\]'"):
        read_score(tmp_path / "a.mid")


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
    return Song(tuple(tracks), 120.0, Metres.steady(metre(draw(st.integers(2, 4)), 4)))


@settings(deadline=None, max_examples=25)
@given(song=songs())
def test_midi_comes_back_as_it_was(song: Song, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    write_midi(path, song)
    assert read_midi(path) == song


def test_midi_scores_have_melody_and_harmony(tmp_path: Path) -> None:
    melody = tuple(Note(float(i), 1.0, 72 + i % 2) for i in range(16))
    below = tuple(Note(4.0 * b, 4.0, p) for b in range(4) for p in (48, 52, 55))
    song = Song((Track("chords", 0, below), Track("tune", 73, melody)), 100.0)
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


@pytest.mark.parametrize(
    ("sign", "bar", "beats"),
    [
        ("6/8", 3.0, (1.5, 1.5)),
        ("3/8", 1.5, (0.5, 0.5, 0.5)),
        ("5/4", 5.0, (1.0,) * 5),
        ("7/8", 3.5, (1.0, 1.0, 1.5)),
        ("9/8", 4.5, (1.5, 1.5, 1.5)),
        ("12/8", 6.0, (1.5,) * 4),
        ("2/2", 4.0, (1.0,) * 4),
    ],
)
@pytest.mark.parametrize("kind", ["musicxml", "mid"])
def test_any_metre_is_read(
    sign: str, bar: float, beats: tuple[float, ...], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "mid":
        one = named(sign)
        notes = tuple(Note(float(i), 1.0, 72 + i % 3) for i in range(24))
        write_midi(path, Song((Track("tune", 0, notes),), 120.0, metres=Metres.steady(one)))
    else:
        written(lead_sheet(sign), path)
    score = read_score(path)
    assert score.beats_per_bar == bar
    assert [(at, one.name, one.beats) for at, one in score.metres.changes] == [(0.0, sign, beats)]


def bars_of(signs: Sequence[str]) -> music21.stream.Score:
    """A bar for each sign, a quarter note on each of its quarters, and a chord on each bar line."""
    part, before = music21.stream.Part(), ""
    for number, sign in enumerate(signs):
        bar = music21.stream.Measure(number=number + 1)
        if sign != before:
            bar.insert(0, music21.meter.TimeSignature(sign))
        before = sign
        bar.insert(0, music21.harmony.ChordSymbol("CFGA"[number % 4]))
        for beat in range(int(sign[0])):
            bar.insert(beat, music21.note.Note("CEGB"[beat % 4] + "5"))
        part.append(bar)
    return music21.stream.Score([part])


def test_a_bar_of_two_in_four(tmp_path: Path) -> None:
    signs = ["4/4"] * 2 + ["2/4"] + ["4/4"] * 2
    score = read_score(written(bars_of(signs), tmp_path / "a.musicxml"))
    assert [(at, one.name) for at, one in score.metres.changes] == [
        (0.0, "4/4"), (8.0, "2/4"), (10.0, "4/4")
    ]  # fmt: skip
    assert [c.start for c in score.chords] == [0.0, 4.0, 8.0, 10.0, 14.0]
    assert (score.n_bars, score.n_beats) == (5, 18.0)


def test_bars_that_are_split_at_a_repeat_are_one(tmp_path: Path) -> None:
    """Three quarters before the repeat's bar line and one after it: no change of metre."""
    part = music21.stream.Part([music21.meter.TimeSignature("4/4")])
    for number, length in enumerate((4, 3, 1, 4, 2)):
        bar = music21.stream.Measure(number=number)
        for beat in range(length):
            bar.insert(beat, music21.note.Note("C5"))
        if number == 0:
            bar.insert(0, music21.harmony.ChordSymbol("C"))
        if length < 4:
            bar.paddingRight = 4 - length
        part.append(bar)
    score = read_score(written(music21.stream.Score([part]), tmp_path / "a.musicxml"))
    assert [(at, one.name) for at, one in score.metres.changes] == [(0.0, "4/4")]
    assert score.n_bars == 4


def test_groups_as_they_are_beamed(tmp_path: Path) -> None:
    part = music21.stream.Part([music21.meter.TimeSignature("7/8")])
    part.insert(0, music21.harmony.ChordSymbol("C"))
    for number in range(4):
        for eighth in range(7):
            note = music21.note.Note("C5", quarterLength=0.5)
            kinds = {0: "start", 1: "continue", 2: "stop", 3: "start", 4: "stop", 5: "start"}
            note.beams.fill("eighth", type=kinds.get(eighth, "stop"))
            part.insert(3.5 * number + 0.5 * eighth, note)
    score = read_score(written(music21.stream.Score([part]), tmp_path / "a.musicxml"))
    assert score.metres.changes[0][1].beats == (1.5, 1.0, 1.0)


def midi_of(
    path: Path,
    parts: Sequence[Sequence[tuple[float, float, int]]],
    signs: Sequence[tuple[int, int, float]] = (),
    *,
    is_ended: bool = True,
) -> Path:
    """Notes as (start, length, pitch); time signatures as (count, unit, quarter notes)."""
    file = mido.MidiFile(ticks_per_beat=480)
    head, now = mido.MidiTrack(), 0
    for count, unit, at in signs:
        message = mido.MetaMessage("time_signature", numerator=count, denominator=unit)
        head.append(message.copy(time=round(at * 480) - now))
        now = round(at * 480)
    file.tracks.append(head)
    for channel, notes in enumerate(parts):
        events = [(round(s * 480), 1, p) for s, _, p in notes]
        events += [(round((s + length) * 480), 0, p) for s, length, p in notes] * is_ended
        track, now = mido.MidiTrack(), 0
        for tick, is_on, pitch in sorted(events):
            kind = "note_on" if is_on else "note_off"
            track.append(mido.Message(kind, channel=channel, note=pitch, time=tick - now))
            now = tick
        file.tracks.append(track)
    file.save(path)
    return path


MELODY = ((72, 76, 79, 76), (76, 72, 69, 72), (77, 76, 74, 72), (71, 74, 77, 74), (72, 76, 79, 84),
          (81, 79, 77, 74), (79, 77, 74, 71), (72, 72, 72, 72))  # fmt: skip
LOW = ((48, 52, 55), (45, 48, 52), (53, 57, 60), (43, 47, 53), (48, 52, 55), (53, 57, 60),
       (43, 47, 53), (48, 52, 55))  # fmt: skip
LINE = [
    (4.0 * bar + k, 1.0, p) for bar, pitches in enumerate(MELODY) for k, p in enumerate(pitches)
]
BLOCKS = [(4.0 * bar, 4.0, p) for bar, pitches in enumerate(LOW) for p in pitches]
ROOTS = [0, 9, 5, 7, 0, 5, 7, 0]


@pytest.mark.parametrize("pickup", [1, 2, 3])
def test_a_pickup_written_as_a_short_bar(pickup: int, tmp_path: Path) -> None:
    tune = [(float(k), 1.0, 67) for k in range(pickup)]
    later = [[(start + pickup, length, pitch) for start, length, pitch in of]
             for of in (LINE, BLOCKS)]  # fmt: skip
    signs = [(pickup, 4, 0.0), (4, 4, float(pickup))]
    score = read_score(midi_of(tmp_path / "a.mid", [tune + later[0], later[1]], signs))
    assert (score.pickup, score.beats_per_bar, score.n_bars) == (pickup, 4.0, 9)
    assert [one.name for _, one in score.metres.changes] == ["4/4"]
    assert [note.start for note in score.melody] == [4.0 - pickup + k for k in range(32 + pickup)]
    assert [score.chord_at(4.0 * bar + 4).root for bar in range(8)] == ROOTS


def test_later_metres_of_a_midi_file(tmp_path: Path) -> None:
    signs = [(4, 4, 0.0), (3, 4, 8.0), (6, 8, 14.0), (4, 4, 21.0)]  # the last one in the middle
    score = read_score(midi_of(tmp_path / "a.mid", [LINE, BLOCKS], signs))
    assert [(at, one.name) for at, one in score.metres.changes] == [
        (0.0, "4/4"), (8.0, "3/4"), (14.0, "6/8"), (20.0, "1/4"), (21.0, "4/4")
    ]  # fmt: skip


@pytest.mark.parametrize("lap", [0.0, 0.05, 0.13, 0.4, 0.5])
@pytest.mark.parametrize("step", [1.0, 0.5])
def test_legato_keeps_the_melody(lap: float, step: float, tmp_path: Path) -> None:
    line = [(step * start, step * length + lap, pitch) for start, length, pitch in LINE]
    blocks = [(step * start, step * length, pitch) for start, length, pitch in BLOCKS]
    score = read_score(midi_of(tmp_path / "a.mid", [line, blocks]))
    assert [note.pitch for note in score.melody] == [pitch for _, _, pitch in LINE]
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(score.melody))


def test_an_accompaniment_below_the_tune_is_no_legato(tmp_path: Path) -> None:
    """One track: quarters above, off-beat eighths below them."""
    below = [(start + 0.5, 0.5, 60) for start, _, _ in LINE]
    score = read_score(midi_of(tmp_path / "a.mid", [LINE + below]))
    assert [note.pitch for note in score.melody] == [pitch for _, _, pitch in LINE]


@pytest.mark.parametrize("kind", ["musicxml", "mid"])
def test_a_melody_alone_is_harmonised_and_it_says_so(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "mid":
        midi_of(path, [LINE])
    else:
        part = music21.stream.Part([music21.meter.TimeSignature("4/4")])
        for start, length, pitch in LINE:
            part.insert(start, music21.note.Note(pitch, quarterLength=length))
        written(music21.stream.Score([part]), path)
    score = read_score(path)
    assert "melody alone" in score.remarks[0]
    assert 5 <= len(score.chords) <= 12  # one a bar, hardly more
    assert score.chords[0].root == score.chords[-1].root == 0
    assert all(chord.start % 2 == 0 for chord in score.chords)
    inside = sum(n.pitch % 12 in score.chord_at(n.start).pitch_classes for n in score.melody)
    assert inside > 0.75 * len(LINE)
    key: dict[tuple[int, ...], set[int]] = {(0, 4, 7): {0, 5, 7}, (0, 3, 7): {2, 4, 9}}  # of C
    assert all(c.root in key[c.intervals[:3]] for c in score.chords)


@pytest.mark.parametrize("broken", [False, True])
def test_a_piano_score_has_its_chords_found(broken: bool, tmp_path: Path) -> None:
    right, left = music21.stream.Part(), music21.stream.Part()
    right.insert(0, music21.meter.TimeSignature("4/4"))
    for start, length, pitch in LINE:
        right.insert(start, music21.note.Note(pitch, quarterLength=length))
    for bar, pitches in enumerate(LOW):
        if broken:
            for k, which in enumerate((0, 2, 1, 2) * 2):
                left.insert(4.0 * bar + k / 2, music21.note.Note(pitches[which], quarterLength=0.5))
        else:
            left.insert(4.0 * bar, music21.chord.Chord(list(pitches), quarterLength=4.0))
    score = read_score(written(music21.stream.Score([right, left]), tmp_path / "a.musicxml"))
    assert [note.pitch for note in score.melody] == [pitch for _, _, pitch in LINE]
    assert [score.chord_at(4.0 * bar).root for bar in range(8)] == ROOTS
    assert len(score.chords) <= 9
    assert "no chord symbols" in score.remarks[0]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("cut", "it was cut short, in the middle of a track"),
        ("text", "what is in it is no MIDI"),
        ("riff", "wrapped in RIFF"),
        ("smpte", "video frames"),
        ("endless", "none of its notes ends"),
        ("many", "more than 1 MB"),
        ("no beats", "bars of no beats"),
    ],
)
def test_each_fault_of_a_midi_file_has_its_sentence(
    fault: str, sentence: str, tmp_path: Path
) -> None:
    path = midi_of(tmp_path / "a.mid", [LINE, BLOCKS], [(4, 4, 0)], is_ended=fault != "endless")
    data = path.read_bytes()
    sign = data.index(b"\xff\x58\x04") + 3
    path.write_bytes({
        "cut": data[:-60],
        "text": b"[notes]",
        "riff": b"RIFF\x00\x00\x00\x00RMIDdata" + data,
        "smpte": data[:12] + bytes([256 - 25, 40]) + data[14:],
        "many": data + bytes(1_000_000),
        "no beats": data[:sign] + b"\x00" + data[sign + 1 :],
    }.get(fault, data))  # fmt: skip
    with pytest.raises(ScoreError, match=sentence) as caught:
        read_score(path)
    assert str(path) in str(caught.value)


def test_what_players_read_on_over_is_read(tmp_path: Path) -> None:
    """A key of eight sharps, a velocity above 127."""
    path = midi_of(tmp_path / "a.mid", [LINE, BLOCKS], [(4, 4, 0)])
    data = path.read_bytes()
    sign = data.index(b"\x00\xff\x58\x04")
    size = int.from_bytes(data[18:22], "big") + 6
    data = (
        data[:18]
        + size.to_bytes(4, "big")
        + data[22:sign]
        + b"\x00\xff\x59\x02\x08\x00"
        + data[sign:]
    )
    path.write_bytes(data.replace(b"\x90\x48\x40", b"\x90\x48\xc8", 1))
    assert len(read_score(path).melody) == len(LINE)


def test_notes_without_an_end_last_until_the_next(tmp_path: Path) -> None:
    path = midi_of(tmp_path / "a.mid", [LINE, BLOCKS])
    file = mido.MidiFile(path)
    file.tracks[1] = mido.MidiTrack(m for m in file.tracks[1] if m.type != "note_off")
    for number, message in enumerate(file.tracks[1]):
        message.time = 480 * (number > 0)
    file.save(path)
    score = read_score(path)
    assert [(n.start, n.pitch) for n in score.melody] == [(s, p) for s, _, p in LINE]
    assert "32 notes have no end" in score.remarks[0]


def test_pairing_is_linear_in_overlapping_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of one pitch begin before any ends: first begun, first ended."""
    n = 40_000
    on = [mido.Message("note_on", note=60, time=1)] * n
    track = mido.MidiTrack([*on, *[mido.Message("note_off", note=60, time=1)] * n])
    (found,), n_endless = midi._read_track(track, 1)
    assert n_endless == 0
    assert [(note.start, note.length) for note in found.notes] == [(k + 1.0, n) for k in range(n)]


def test_what_was_guessed_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"remarks": ["is a melody alone"]}
    made = [Made(Path("a.mid"), f"a.{k}", record) for k in (1, 2)]
    other = Made(Path("b.mid"), "b", {})
    assert _left_out([*made, other, Left(Path("c.mid"), "is cut")], n_pairs=4) == {Path("c.mid")}
    err = capsys.readouterr().err
    assert err.count("a.mid: is a melody alone") == 1
    assert "b.mid" not in err
    assert "skipped c.mid: is cut" in err


@pytest.mark.parametrize("suffix", [".mid", ".musicxml"])
def test_a_part_that_goes_on_after_the_melody_is_accompanied(tmp_path: Path, suffix: str) -> None:
    """Its bars are the piece's too."""
    tune = tuple(Note(float(k), 1.0, 72 + k % 5) for k in range(16))
    low = tuple(Note(4.0 * k, 4.0, 48 + 5 * (k % 2)) for k in range(20))
    if suffix == ".mid":
        write_midi(tmp_path / "a.mid", Song((Track("a", 0, tune), Track("b", 0, low)), 100.0))
    else:
        written = [[music21.note.Note(n.pitch, quarterLength=n.length) for n in part]
                   for part in (tune, low)]  # fmt: skip
        parts = [music21.stream.Part(part) for part in written]
        music21.stream.Score(parts).write("musicxml", fp=str(tmp_path / "a.musicxml"))
    score = read_score(tmp_path / f"a{suffix}")
    assert score.n_bars == 20
    for style in STYLES:
        arrangement = arrange(score, style, draw_setting(score, seed="0"))
        assert max(n.end for t in arrangement.song.tracks for n in t.notes) > 70
