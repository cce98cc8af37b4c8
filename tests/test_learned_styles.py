"""Learned styles: what must hold of bars, of notes over another harmony, and of the command."""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import thirdstream
from test_arranging import tune
from test_cover import played, transcribed
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.cli.styles import learned_from
from thirdstream.files import ThirdstreamError, sha256
from thirdstream.notes.arranging import Setting, arrange
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.coverage import content_coverage
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.piece import metrical_level
from thirdstream.notes.arranging.repitching import Harmony, mapped, repitched
from thirdstream.notes.arranging.retrieval import Wanted, retrieved
from thirdstream.notes.io.midi import read_midi, write_midi
from thirdstream.notes.learning import learn as learning
from thirdstream.notes.learning import percussion, resynthesis
from thirdstream.notes.learning.agreement import Candidates
from thirdstream.notes.learning.bars import bars_of, source_of
from thirdstream.notes.learning.percussion import CLOSED_HAT, KICK, RIDE, SNARE, strokes_of
from thirdstream.notes.learning.performance import performance_of
from thirdstream.notes.learning.phrasing import STACCATO
from thirdstream.notes.learning.resynthesis import Programs, costs_of
from thirdstream.notes.learning.timbre import Sounded
from thirdstream.notes.rendering import ORCHESTRA, Room, Scene, play
from thirdstream.notes.rendering.room import FLAT, in_room
from thirdstream.notes.styles.learned import (
    LONGEST,
    Bar,
    LearnedStyle,
    Player,
    Reverberation,
    Role,
    Source,
    read_learned,
    write_learned,
)
from thirdstream.notes.timing import Timing
from thirdstream.notes.types import CHORDS, Chord, Note, Song, Track

ROOTS = st.integers(0, 11)
KINDS = st.sampled_from(list(CHORDS.values()))


def chord(root: int, intervals: tuple[int, ...], start: float = 0.0, length: float = 4.0) -> Chord:
    return Chord(start, length, root, intervals, root)


CHORD = st.builds(chord, ROOTS, KINDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tunes in swing as MIDI files."""
    made = tmp_path_factory.mktemp("swing")
    for seed in (1, 2):
        song = arrange(tune(4, seed), "jazz", Setting("0", 0, 140.0, "piano", "swing")).song
        write_midi(made / f"tune {seed}.mid", song, Timing.steady(140.0))
    return made


@pytest.fixture(scope="module")
def style(folder: Path) -> LearnedStyle:
    paths, out = learning.find_music([folder]), folder.parent / "swing.style"
    assert [one.fault for one in learning.learn(paths, out)] == [None, None]
    return learning.style_of(paths, out, name="swing")


# --- notes over another harmony -----------------------------------------------------------------


@given(CHORD, CHORD)
def test_root_third_and_fifth_stay_what_they_are(one: Chord, other: Chord) -> None:
    assert mapped(0, one, other) == 0
    assert mapped(one.third or 0, one, other) == other.third
    assert mapped(one.fifth, one, other) == other.fifth


@given(CHORD, st.lists(st.integers(30, 90), min_size=1, max_size=6))
def test_over_the_same_harmony_all_stays(one: Chord, pitches: list[int]) -> None:
    harmony = Harmony((one,), chord((one.root + 5) % 12, (0, 4, 7), 4.0))
    strokes = [(0.5, 1.0, pitch, 80) for pitch in pitches]
    assert repitched(strokes, harmony, harmony) == strokes


@given(CHORD, CHORD, st.integers(0, 11), st.lists(st.integers(30, 90), min_size=1, max_size=6))
def test_a_harmony_that_is_transposed_transposes_the_notes(
    one: Chord, other: Chord, by: int, pitches: list[int]
) -> None:
    strokes = [(float(k % 4), 1.0, pitch, 80) for k, pitch in enumerate(pitches)]

    def over(target: Chord, after: int) -> list[int]:
        now = Harmony((target,), chord(after % 12, (0, 4, 7), 4.0))
        before = Harmony((one,), chord((one.root + 5) % 12, (0, 4, 7), 4.0))
        return [pitch for _, _, pitch, _ in repitched(strokes, before, now)]

    here = over(other, other.root + 5)
    moved = replace(other, root=(other.root + by) % 12, bass=(other.bass + by) % 12)
    there = over(moved, other.root + 5 + by)
    assert [(pitch + by) % 12 for pitch in here] == [pitch % 12 for pitch in there]
    # and nothing leaves its register by more than the harmony asks for
    assert all(abs(new - old) <= 12 for new, old in zip(here, pitches, strict=True))


def test_a_note_that_leads_into_the_next_chord_leads_into_the_one_that_comes_now() -> None:
    before = Harmony((chord(0, (0, 4, 7)),), chord(5, (0, 4, 7), 4.0))  # C, then F
    now = Harmony((chord(2, (0, 3, 7)),), chord(7, (0, 4, 7), 4.0))  # D minor, then G
    strokes = [(0.0, 1.0, 36, 80), (3.0, 1.0, 42, 80), (3.0, 1.0, 40, 80)]  # C, F sharp, E
    classes = [pitch % 12 for _, _, pitch, _ in repitched(strokes, before, now)]
    assert classes == [2, 8, 5]  # D, A flat above G, and E stays the third


# --- which bars ---------------------------------------------------------------------------------


def wanted(style: LearnedStyle, recording: int) -> list[Wanted]:
    """The bars of one of the style's own recordings."""
    bars = [bar for bar in style.bars if bar.recording == recording]
    chords = [Harmony.of_symbols(bar.chords, None, bar.length).chords for bar in bars]
    afters = [*(one[0] for one in chords[1:]), chords[-1][0]]
    tempo = zip(bars, chords, afters, strict=True)
    return [
        Wanted(bar.number, 4 * bar.number, bar.length, own, after, bar.energy, bar.last, False)
        for bar, own, after in tempo
    ]


def test_a_recordings_own_harmony_gets_its_own_bars(style: LearnedStyle) -> None:
    for recording in (0, 1):
        asked = wanted(style, recording)
        found = retrieved(style, asked, tempo=140.0, rng=random.Random(0))
        right = [bar.number == one.number and bar.recording == recording
                 for bar, one in zip(found, asked, strict=True)]  # fmt: skip
        assert np.mean(right) > 0.9


def test_a_recordings_accompaniment_is_in_its_bars(folder: Path) -> None:
    performance = performance_of(folder / "tune 1.mid")
    kept = Counter(
        pitch for bar in bars_of(performance) for line in bar.notes.values()
        for _, _, pitch, _ in line
    )  # fmt: skip
    played_notes = Counter(
        note.pitch for part in performance.parts if part.role != "melody" for note in part.notes
    )
    assert kept == played_notes
    assert {part.role for part in performance.parts} == {"melody", "bass", "harmony", "drums"}


def test_the_first_chord_of_a_bar_begins_with_it(tmp_path: Path) -> None:
    """Also where the piece's first one is still to come."""
    bass = tuple(Note(float(k), 0.9, 36 + k % 5, 80) for k in range(32))
    made = performance_of(band(tmp_path / "late.mid", bass))
    later = replace(made.score, chords=(chord(0, (0, 4, 7), 6.0, 26.0),))
    found = bars_of(replace(made, score=later))
    assert len(found) == 8
    assert all(bar.chords[0][0] == 0 for bar in found)
    assert all(0 <= start < bar.length for bar in found for start, *_ in bar.chords)


def band(path: Path, bass: tuple[Note, ...], melody_length: float = 0.9) -> Path:
    """A MIDI file of a melody, chords and a bass."""
    melody = tuple(Note(k / 2, melody_length / 2, 72 + 2 * (k % 5), 90) for k in range(64))
    chords = tuple(Note(k, 0.9, p, 70) for k in range(0, 32, 2) for p in (60, 64, 67))
    tracks = (Track("flute", 73, melody), Track("piano", 0, chords), Track("bass", 32, bass))
    write_midi(path, Song(tracks, 120.0), Timing.steady(120.0))
    return path


def test_noises_of_a_midi_file_are_no_part_of_it(tmp_path: Path) -> None:
    song = read_midi(band(tmp_path / "band.mid", (Note(0.0, 4.0, 36, 80),)))
    applause = Track("crowd", 126, tuple(Note(float(k), 0.5, 100, 90) for k in range(32)))
    drums = Track("drums", 0, (Note(0.0, 0.5, 36, 90),), is_drums=True)
    for name, tracks in (("loud.mid", (*song.tracks, applause)), ("only.mid", (applause, drums))):
        write_midi(tmp_path / name, Song(tracks, 120.0), Timing.steady(120.0))
    parts = performance_of(tmp_path / "loud.mid").parts
    assert {part.programs for part in parts} == {(73,), (0,), (32,)}
    with pytest.raises(ThirdstreamError, match="has only drums or noises; give music with pitches"):
        performance_of(tmp_path / "only.mid")


def test_a_note_that_is_held_all_the_time_is_learned(tmp_path: Path) -> None:
    made = performance_of(band(tmp_path / "drone.mid", (Note(0.0, 400.0, 36, 80),)))
    first = bars_of(made)[0]
    assert (0.0, LONGEST, 36, 80) in [note for line in first.notes.values() for note in line]


def test_notes_of_no_length_are_not_how_a_melody_is_phrased(tmp_path: Path) -> None:
    bass = tuple(Note(float(k), 0.9, 36 + k % 5, 80) for k in range(32))
    for length in (0.01, 0.5):
        source = source_of(performance_of(band(tmp_path / f"{length}.mid", bass, length)))
        assert source.short == pytest.approx(max(length, STACCATO), abs=0.01)


# --- covers -------------------------------------------------------------------------------------


def learned_cover(style_file: Path, metre: int = 4, **options: Any) -> tuple[Any, Any]:
    piece = transcribed("classical", metre)
    asked = ArrangementOptions(str(style_file), **options)
    piece = piece.scaled(metrical_level(piece, asked.read_style()))
    return piece, cover(piece, asked)


@pytest.fixture(scope="module")
def style_file(style: LearnedStyle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("learned") / "swing.style"
    write_learned(path, style)
    assert read_learned(path) == style
    return path


@pytest.mark.parametrize("metre", [2, 3, 4])
def test_covers_have_the_styles_players_and_end_with_the_piece(
    style_file: Path, metre: int
) -> None:
    piece, made = learned_cover(style_file, metre)
    names = {track.name for track in made.song.tracks if track.notes}
    assert {"double bass", "drums"} <= names
    assert all(note.end <= piece.score.n_beats + 1e-6 for note in played(made))
    assert learned_cover(style_file, metre)[1] == made
    other = learned_cover(style_file, metre, seed=1)[1]
    assert other.song != made.song


def test_all_content_is_played_where_it_is_asked_for(style_file: Path) -> None:
    piece, made = learned_cover(style_file, keep_content=1.0)
    assert content_coverage(piece.notes, played(made)) > 0.97


def test_without_strength_nothing_of_the_style_is_played(style_file: Path) -> None:
    _, made = learned_cover(style_file, style_strength=0.0, keep_content=1.0)
    drums = [track for track in made.song.tracks if track.is_drums]
    assert sum(len(track.notes) for track in drums) < 0.1 * len(played(made))


def test_a_recording_is_asked_for_by_its_name(style_file: Path) -> None:
    learned_cover(style_file, ensemble="tune 2")
    with pytest.raises(
        ThirdstreamError, match=r"is no recording of swing; choose .*tune 1, tune 2"
    ):
        learned_cover(style_file, ensemble="string quartet")


def test_players_that_are_not_there_are_refused_before_anything_is_heard(
    style_file: Path,
) -> None:
    score = thirdstream.load("score")
    assert score.choose(to=str(style_file), ensemble="tune 2").ensemble == "tune 2"
    with pytest.raises(
        ThirdstreamError, match=r"nobody: is no recording of swing; choose .*tune 1"
    ):
        score.choose(to=str(style_file), ensemble="nobody")
    for style, other in (("jazz", "string quartet"), ("classical", "swing")):
        with pytest.raises(ThirdstreamError, match=f"{other}: is nothing that plays {style}; choo"):
            score.choose(to=style, ensemble=other)


# --- files --------------------------------------------------------------------------------------


def rewritten(path: Path, to: Path, change: Any) -> Path:
    content = json.loads(path.read_text())
    change(content)
    to.write_text(json.dumps(content))
    return to


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format="other"), "is no style file"),
        (lambda c: c.pop("bars"), "bars is missing; write it"),
        (lambda c: c.update(bars=[]), "bars: the list should have at least 1 item"),
        (lambda c: c["recordings"][0].pop("players"), "recordings.0.players is missing; write it"),
        (
            lambda c: c["recordings"][0]["players"][1].update(lowest=80, highest=60),
            "recordings.0.players.1: lowest is 80 and highest 60; exchange or correct them",
        ),
        (
            lambda c: c["recordings"][0]["players"][0].update(doubled_by=[73]),
            "players.0: doubled_by is for bass and harmony, and the role is melody; take it out",
        ),
        (
            lambda c: c["recordings"][0]["players"][1].update(program=60, doubled_by=[60]),
            "players.1: program and doubled_by have a number twice",
        ),
        (lambda c: c["recordings"][0]["players"][1].update(doubled_by=[3, 4, 3]), "a number twice"),
        (
            lambda c: c["recordings"][0]["players"][1].update(doubled_by=60),
            "recordings.0.players.1.doubled_by: must be a list ",
        ),
        (lambda c: c["bars"][0].update(recording=9), "bar 0 .* is of recording 9"),
        (lambda c: c["bars"][0]["notes"].update({"7": []}), "player beyond the 4"),
        (lambda c: c["bars"][0]["notes"].update({"0": [[0, 1, 60, 80]]}), "player of the melody"),
        (lambda c: c["recordings"][0]["players"][1].update(role="melody"), "player of the melody"),
        (lambda c: c["recordings"][0].update(tempo=-1), "recordings.0.tempo: must be greater"),
        (lambda c: c["recordings"][0].update(tempo=1e308), "recordings.0.tempo: must be less"),
        (lambda c: c["recordings"][0].update(temp=1), "recordings.0.temp is no entry; correct its"),
        (
            lambda c: c["bars"][0].update(chords=[[2, 5, [0, 4], 5], [0, 0, [0, 4], 0]]),
            "bars.0: chords begin at 2, 0; write them in order",
        ),
    ],
)
def test_faults_of_a_file_are_named(
    style_file: Path, tmp_path: Path, change: Any, said: str
) -> None:
    path = rewritten(style_file, tmp_path / "mine.style", change)
    with pytest.raises(ThirdstreamError, match=f"mine.style: .*{said}"):
        read_learned(path)


def test_a_learned_style_takes_no_other_styles_file(style_file: Path, tmp_path: Path) -> None:
    mine = tmp_path / "jazz.toml"
    mine.write_text("")
    with pytest.raises(ThirdstreamError, match=r"jazz\.toml: .*swing\.style is a style's file"):
        thirdstream.load("score").choose(to=str(style_file), style_file=mine)


def test_a_style_that_is_not_there_is_said_with_what_may_be_given(tmp_path: Path) -> None:
    said = r"knows classical and jazz, and the \.style files"
    for wrong in (str(tmp_path / "tangoes"), tmp_path / "tangoes", 3):
        with pytest.raises(ThirdstreamError, match=said):
            thirdstream.load("score").choose(to=wrong)


def test_a_style_may_be_given_as_a_path(style_file: Path) -> None:
    assert thirdstream.load("score").choose(to=style_file).to == str(style_file)


def test_what_is_no_file_or_no_json_is_said(tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError, match=r"gone\.style: cannot be read"):
        thirdstream.load("score").choose(to=str(tmp_path / "gone.style"))
    (tmp_path / "text.style").write_text("swing, please")
    with pytest.raises(ThirdstreamError, match=r"is no style file \(no JSON at line 1, column"):
        read_learned(tmp_path / "text.style")
    (tmp_path / "sound.style").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ThirdstreamError, match=r"is no style file \(it is no text\); correct"):
        read_learned(tmp_path / "sound.style")


# --- the command --------------------------------------------------------------------------------


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main.main([str(one) for one in arguments])
    return int(ended.value.code or 0)


def clip(path: Path, seconds: float = 12.0) -> Path:
    """A tune with chords, as sound."""
    song = arrange(tune(4, 5), "classical", Setting("0", 0, 120.0, "piano", "swing")).song
    wave = play(song, ORCHESTRA, round(seconds * SR))
    soundfile.write(path, 0.1 * wave.T / np.sqrt(np.square(wave).mean()), SR)
    return path


def test_a_folder_becomes_a_style_and_a_recording_is_covered_in_it(
    folder: Path, tmp_path: Path
) -> None:
    out, song = tmp_path / "mine.style", clip(tmp_path / "song.wav")
    main.main(["learn-style", str(folder), "--out", str(out)])
    assert not learning.parts_of(out).exists()
    assert len(read_learned(out).recordings) == 2
    main.main(["transfer", str(song), "--to", str(out), "--out", str(tmp_path / "a")])
    main.main(["transfer", str(song), "--to", str(folder), "--out", str(tmp_path / "b")])
    waves = [soundfile.read(tmp_path / one / "song.wav")[0] for one in "ab"]
    before = soundfile.read(song)[0]
    assert [len(wave) for wave in waves] == [len(before)] * 2
    assert np.isclose(
        np.sqrt(np.square(waves[0]).mean()), np.sqrt(np.square(before).mean()), rtol=0.1
    )
    assert (tmp_path / "b" / f"{folder.name}.style").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("gone.wav", "--to", "{}"), "gone.wav: there is no such file"),
        (("song.wav", "--to", "{}", "--model", "twin-cnn"), "does not know the style"),
        (("song.wav", "--to", "{}", "--style-strength", "3"), "style_strength|style-strength"),
        (("song.wav", "--to", ""), "--to: is empty"),
    ],
)
def test_what_is_wrong_beside_the_folder_is_said_before_it_is_learned(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "song.wav").write_bytes(b"")
    (tmp_path / "tune.mid").write_bytes((folder / "tune 1.mid").read_bytes())
    assert run("transfer", *(one.format(folder) for one in given), "--out", tmp_path / "out") == 1
    assert re.search(said, capsys.readouterr().err)
    assert not list(tmp_path.rglob("*.style"))


def test_nothing_is_learned_where_all_results_are_left_as_they_are(
    folder: Path, tmp_path: Path
) -> None:
    song, out = tmp_path / "song.wav", tmp_path / "out"
    clip(song)
    out.mkdir()
    (out / "song.wav").write_bytes(b"mine")
    main.main(["transfer", str(song), "--to", str(folder), "--skip-existing", "--out", str(out)])
    assert (out / "song.wav").read_bytes() == b"mine"
    assert [path.name for path in out.iterdir()] == ["song.wav"]


def test_a_folders_style_is_learned_again_if_it_changes_and_never_from_results(
    folder: Path, tmp_path: Path
) -> None:
    inner = tmp_path / "tangos" / "inner"
    inner.mkdir(parents=True)
    (inner / "one.mid").write_bytes((folder / "tune 1.mid").read_bytes())
    results = tmp_path / "tangos" / "results.v2"
    results.mkdir()
    made = learned_from(tmp_path / "tangos", results)
    assert made == results / "tangos.style"
    first = made.stat().st_mtime_ns
    clip(results / "song.wav")
    learned_from(tmp_path / "tangos", results)
    assert made.stat().st_mtime_ns == first
    added = inner / "two.mid"
    added.write_bytes((folder / "tune 2.mid").read_bytes())
    os.utime(added, (0, 0))  # as of a file that is moved
    learned_from(tmp_path / "tangos", results)
    assert [one.name for one in read_learned(made).recordings] == ["one", "two"]


@pytest.mark.parametrize("entries", [{}, {"learning": 10**6, "rubato": 0.1}])
def test_a_folders_style_of_another_version_is_learned_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], entries: dict[str, float]
) -> None:
    made = learned_from(folder, tmp_path)
    learned = made.read_text()

    def of_another(content: dict[str, Any]) -> None:
        content.pop("learning")
        content.update(entries)

    rewritten(made, made, of_another)
    learned_from(folder, tmp_path)
    assert made.read_text() == learned
    assert "another version of thirdstream" in capsys.readouterr().err


def test_learning_goes_on_where_it_stopped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, paths = tmp_path / "mine.style", learning.find_music([folder])
    next(iter(learning.learn(paths, out)))  # and then interrupted
    heard: list[Path] = []

    def noted(path: Path, **given: Any) -> Any:
        heard.append(path)
        return performance_of(path, **given)

    monkeypatch.setattr(learning, "performance_of", noted)
    list(learning.learn(paths, out))
    assert heard == paths[1:]


def test_what_tells_nothing_is_left_out_and_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "all").mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 8 * SR)
    soundfile.write(tmp_path / "all" / "noise.wav", noise, SR)
    soundfile.write(tmp_path / "all" / "silence.wav", np.zeros(8 * SR), SR)
    (tmp_path / "all" / "text.mp3").write_text("no sound")
    out = tmp_path / "none.style"
    assert run("learn-style", tmp_path / "all", "--out", out) == 1
    said = capsys.readouterr().err
    for name in ("noise.wav", "silence.wav", "text.mp3"):
        assert f"left out: {tmp_path / 'all' / name}" in said
    assert "none of the 3 recordings tells a style" in said
    assert not out.exists()
    assert not learning.parts_of(out).exists()
    (tmp_path / "all" / "tune.mid").write_bytes((folder / "tune 1.mid").read_bytes())
    main.main(["learn-style", str(tmp_path / "all"), "--out", str(out)])
    assert len(read_learned(out).recordings) == 1


def test_what_is_left_out_for_its_metre_is_counted(
    style: LearnedStyle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = tuple(bar for bar in style.bars if bar.recording == 0)
    waltz = style.recordings[0].model_copy(update={"beats_per_bar": 3})
    parts = part_of(style.recordings[0], bars), part_of(waltz, bars[: learning.SURE - 1])
    paths, out = kept(tmp_path, *parts)
    (tmp_path / "2.mid").write_text("no music")
    main.main(["learn-style", *map(str, paths), str(tmp_path / "2.mid"), "--out", str(out)])
    assert "2 of 3 recordings were left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("inputs", "out", "made", "said"),
    [
        (("song.wav",), "out", "song.wav", "song.wav: exists already; add --force"),
        (("-",), "out", "stdin.wav", "stdin.wav: exists already; add --force"),
        (("-",), "out/a.wav", "a.wav", "a.wav: exists already; add --force"),
        (("-", "song.wav"), "out", "a.wav", "- stands for a single recording"),
    ],
)
def test_a_result_that_cannot_be_is_said_before_a_folder_is_learned(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    inputs: tuple[str, ...],
    out: str,
    made: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", np.zeros(SR), SR)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / made).write_bytes(b"mine")
    assert run("transfer", *inputs, "--to", folder, "--out", out) == 1
    told = capsys.readouterr().err
    assert said in told and "bars" not in told
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / made]
    assert (tmp_path / "out" / made).read_bytes() == b"mine"


def test_info_says_who_plays_what_in_a_few_lines(
    style_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def second(content: Any) -> None:
        other = content["recordings"][1]
        other.update(tempo=100.0, beats_per_bar=3, reverberation={"decay_s": 1.24, "wet": 0.2})
        other["players"] = [{"role": "bass", "program": 58, "velocity": 80,
                             "lowest": 30, "highest": 50}]  # fmt: skip
        content["bars"] = [bar for bar in content["bars"] if bar.get("recording", 0) == 0]

    main.main(["info", str(rewritten(style_file, tmp_path / "two.style", second))])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) < 20
    for said in (
        "learned from 2 recordings, 16 bars", "tempo 120 beats a minute (100 to 140)",
        "metre 4 beats a bar (1 recording); 3 beats a bar (1 recording)",
        "room 1.2 s of reverberation", "drums in 1 of 2 recordings",
        "│ bass │ tuba │ 1 of 2 │", "│ bass │ double bass │ 1 of 2 │",
    ):  # fmt: skip
        assert said in lines


def test_info_says_who_plays_together_whoever_is_named_first(
    style_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def together(content: Any) -> None:
        player = {"role": "harmony", "velocity": 80, "lowest": 30, "highest": 50}
        for one, who in zip(content["recordings"], ((58, 27), (27, 58)), strict=True):
            one["players"] = [{**player, "program": who[0], "doubled_by": who[1:]}]
        for bar in content["bars"]:
            bar["notes"] = {}

    main.main(["info", str(rewritten(style_file, tmp_path / "two.style", together))])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "│ harmony │ clean guitar + tuba │ 2 of 2 │" in lines


@pytest.mark.parametrize(
    ("programs", "room", "kit"),
    [((38, 50, 81), True, 24), ((38, 50, 81), False, 0), ((32, 50, 81), True, 24),
     ((32, 0, 81), True, 0)],
)  # fmt: skip
def test_drums_beside_synthesisers_are_electronic(
    programs: tuple[int, ...], room: bool, kit: int
) -> None:
    """Of recordings: a MIDI file says which kit it is."""
    roles: tuple[Role, ...] = ("bass", "harmony", "melody", "drums")
    players = [Player(role=role, program=0, velocity=80, lowest=36, highest=60) for role in roles]
    known = Reverberation(decay_s=1.0, wet=0.2) if room else None
    source = Source(name="one", beats_per_bar=4, tempo=120.0, players=tuple(players),
                    reverberation=known)  # fmt: skip
    found = learning.played_by(source, [*((one,) for one in programs), (0,)])
    assert [one.program for one in found.players] == [*programs, kit]


def test_info_of_a_style_as_json(style_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["info", str(style_file), "--json"])
    told = json.loads(capsys.readouterr().out)
    drums = {p["instrument"] for p in told["recordings"][0]["players"] if p["role"] == "drums"}
    assert drums == {"drum kit"}
    assert (told["kind"], told["path"], told["n_bars"]) == ("style", str(style_file), 32)
    assert told["balance_db"] is told["reverberation"] is None  # it was learned from MIDI files
    assert [one["n_bars"] for one in told["recordings"]] == [16, 16]
    assert {one["role"]: one["instrument"] for one in told["recordings"][0]["players"]}["bass"] == (
        "double bass"
    )


def test_the_only_recording_is_named_where_it_tells_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    out = tmp_path / "e.style"
    assert run("learn-style", tmp_path / "text.wav", "--out", out) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith(f"thirdstream: {tmp_path / 'text.wav'}: ")
    assert "e.style" not in said
    with pytest.raises(ThirdstreamError, match=r"text\.wav: does not tell a style; give music"):
        learning.style_of([tmp_path / "text.wav"], out, name="e")


def test_a_short_recording_is_told_how_long_is_enough(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(path: Path, **given: Any) -> Any:
        return replace(performance_of(path, **given), duration_s=learning.SHORTEST_S - 1)

    monkeypatch.setattr(learning, "performance_of", short)
    (found,) = learning.learn([folder / "tune 1.mid"], tmp_path / "e.style")
    enough = f"{learning.SHORTEST_S:.0f} s or longer"
    assert found.fault is not None and found.fault.endswith(f"give recordings of {enough}")
    with pytest.raises(ThirdstreamError, match=enough):
        learning.style_of([folder / "tune 1.mid"], tmp_path / "e.style", name="e")


@pytest.mark.parametrize(("n", "warned"), [(1, True), (2, False)])
def test_one_recording_is_no_style(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], n: int, warned: bool
) -> None:
    paths = sorted(folder.glob("*.mid"))[:n]
    main.main(["learn-style", *map(str, paths), "--out", str(tmp_path / "a.style")])
    assert ("for a style give ten to thirty" in capsys.readouterr().err) is warned


def test_places_that_cannot_be_are_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("learn-style", folder, "--out", tmp_path / "mine.json") == 1
    assert "ends in .style" in capsys.readouterr().err
    assert run("learn-style", tmp_path / "gone", "--out", tmp_path / "a.style") == 1
    assert "is not there" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run("learn-style", tmp_path / "empty", "--out", tmp_path / "a.style") == 1
    assert "no recordings and no MIDI files" in capsys.readouterr().err
    assert run("learn-style", "--out", tmp_path / "a.style") == 1
    assert "no recordings to learn from" in capsys.readouterr().err
    (tmp_path / "folder.style").mkdir()
    assert run("learn-style", folder, "--out", tmp_path / "folder.style", "--force") == 1
    assert "folder.style: is a folder; choose another name" in capsys.readouterr().err
    assert not learning.parts_of(tmp_path / "folder.style").exists()
    (tmp_path / "there.style").write_text("")
    assert run("learn-style", folder, "--out", tmp_path / "there.style") == 1
    assert "add --force" in capsys.readouterr().err


def part_of(source: Source, bars: Sequence[Bar]) -> learning.StylePart:
    """A recording whose players are known for sure."""
    parts = [Candidates(name=one.role, costs=(((one.program,), 0.0),)) for one in source.players]
    return learning.StylePart(source=source, bars=tuple(bars), parts=tuple(parts))


def test_a_style_of_many_recordings_has_no_more_bars_than_it_may(
    style: LearnedStyle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "MOST_BARS", 5 * learning.PHRASE)
    bars = tuple(bar for bar in style.bars if bar.recording == 0)
    made_of = part_of(style.recordings[0], bars)
    out, paths = tmp_path / "many.style", [tmp_path / f"{number}.mid" for number in range(9)]
    for path in paths:
        path.write_text(path.name)
        part = learning.parts_of(out) / f"{sha256(path)[:32]}.{learning.LEARNING}.json"
        part.parent.mkdir(exist_ok=True)
        part.write_text(made_of.model_dump_json())
    made = learning.style_of(paths, out, name="many")
    assert len(made.bars) <= learning.MOST_BARS
    assert len(made.recordings) > 3


def kept(folder: Path, *parts: learning.StylePart) -> tuple[list[Path], Path]:
    """Files of which these things were found, and a style's place."""
    out, paths = folder / "any.style", [folder / f"{n}.mid" for n in range(len(parts))]
    for path, one in zip(paths, parts, strict=True):
        path.write_text(path.name)
        part = learning.parts_of(out) / f"{sha256(path)[:32]}.{learning.LEARNING}.json"
        part.parent.mkdir(exist_ok=True)
        part.write_text(one.model_dump_json())
    return paths, out


def test_short_recordings_teach_no_metre_that_no_longer_one_has(
    style: LearnedStyle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bars = tuple(bar for bar in style.bars if bar.recording == 0)
    long = part_of(style.recordings[0], bars)
    waltz = style.recordings[0].model_copy(update={"name": "clip", "beats_per_bar": 3})
    short = part_of(waltz, bars[: learning.SURE - 1])
    same = part_of(style.recordings[1], bars[: learning.SURE - 1])
    paths, out = kept(tmp_path, long, short, same)
    made = learning.style_of(paths, out, name="any")
    assert [one.name for one in made.recordings] == ["tune 1", "tune 2"]
    assert "clip: is left out; it has 9 bars" in caplog.text
    # where nothing is sure, the metre of most bars is kept
    caplog.clear()
    paths, out = kept(tmp_path, short, same, same)
    assert {one.beats_per_bar for one in learning.style_of(paths, out, name="any").recordings} == {
        4
    }
    assert "clip: is left out; it has 9 bars" in caplog.text
    assert "give one of 10 bars or more" in caplog.text


@pytest.mark.parametrize(
    ("names", "apart"),
    [
        (("take", "take (2)", "take"), ["take", "take (2)", "take (3)"]),
        (("take", "take", "take (2)", "take"), ["take", "take (3)", "take (2)", "take (4)"]),
    ],
)
def test_recordings_of_one_name_are_told_apart(
    style: LearnedStyle, tmp_path: Path, names: tuple[str, ...], apart: list[str]
) -> None:
    first = style.recordings[0]
    bars = [bar for bar in style.bars if bar.recording == 0]
    parts = [part_of(first.model_copy(update={"name": name}), bars) for name in names]
    paths, out = kept(tmp_path, *parts)
    assert [one.name for one in learning.style_of(paths, out, name="any").recordings] == apart


def test_results_are_never_put_among_the_recordings_of_their_style(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "one.mid").write_bytes((folder / "tune 1.mid").read_bytes())
    (tmp_path / "song.wav").write_bytes(b"")
    for out in (mine, mine / "result.wav"):
        assert run("transfer", tmp_path / "song.wav", "--to", mine, "--out", out) == 1
        assert "holds the recordings that the style is learned from" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["one.mid"]


def test_one_recording_is_no_recordings(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main(["learn-style", str(folder / "tune 1.mid"), "--out", str(tmp_path / "one.style")])
    assert re.search(r"bars of 1 recording\n", capsys.readouterr().err)


# --- sound --------------------------------------------------------------------------------------


def sounding(path: Path, *tracks: Track, tempo: float = 120.0, seconds: float = 10.0) -> Path:
    wave = play(Song(tracks, tempo), ORCHESTRA, round(seconds * SR)).mean(axis=0)
    soundfile.write(path, 0.1 * wave / np.sqrt(np.square(wave).mean()), SR)
    return path


def wave_of(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0]


def test_drums_are_found_where_they_are_struck_and_nowhere_else(tmp_path: Path) -> None:
    strokes = [Note(float(k), 0.2, KICK if k % 2 == 0 else CLOSED_HAT, 100) for k in range(20)]
    strokes += [Note(k + 0.5, 0.2, CLOSED_HAT, 90) for k in range(20)]
    drums = Track("drums", 0, tuple(sorted(strokes)), is_drums=True)
    found = strokes_of(wave_of(sounding(tmp_path / "drums.wav", drums)))
    at = {drum: np.array([one.at_s for one in found if one.drum == drum]) for drum in (KICK,)}
    assert np.allclose(at[KICK], np.arange(0, 10, 1.0), atol=0.03)
    high = np.array([one.at_s for one in found if one.drum in (CLOSED_HAT, RIDE)])
    hats = np.array([note.start / 2 for note in strokes if note.pitch == CLOSED_HAT])
    assert all(np.abs(high - one).min() < 0.03 for one in hats)
    for program in (19, 48, 6, 0):
        chords = tuple(Note(float(k), 0.9, p, 90) for k in range(20) for p in (48, 60, 64, 67))
        path = sounding(tmp_path / f"{program}.wav", Track("one", program, chords))
        assert strokes_of(wave_of(path)) == []


def test_a_recording_of_one_voice_has_no_accompaniment(tmp_path: Path) -> None:
    """Not even of the notes that the melody as it was found leaves out."""
    rng = np.random.default_rng(1)
    scale = (60, 62, 64, 65, 67, 69, 71, 72)
    line = tuple(Note(k / 2, 0.45, scale[int(rng.integers(8))], 90) for k in range(46))
    path = sounding(tmp_path / "voice.wav", Track("one", 73, line), tempo=60.0, seconds=24.0)
    performance = performance_of(path)
    assert [part.role for part in performance.parts] == ["melody"]
    assert len(performance.parts[0].notes) >= 40
    assert bars_of(performance) == []


def cheapest(costs: Mapping[str, Mapping[Programs, float]]) -> dict[str, Programs]:
    """The programs of each part that cost least."""
    return {name: min(one, key=one.__getitem__) for name, one in costs.items()}


DRY = Scene(Room(0.3, 0.0, 0.004, 4000.0), FLAT, 0)


@pytest.mark.parametrize(
    "program", [0, 16, 19, 21, 24, 25, 32, 33, 38, 48, 50, 52, 56, 58, 73, 80, 81, 105]
)
def test_an_instrument_is_known_by_its_sound(tmp_path: Path, program: int) -> None:
    low = 36 if program in (32, 33, 38, 58) else 60
    notes = tuple(Note(float(k), 0.9, low + 2 * (k % 6), 85) for k in range(18))
    wave = wave_of(sounding(tmp_path / "one.wav", Track("one", program, notes)))
    heard = [Sounded(note.start / 2, note.end / 2, note.pitch, note.velocity) for note in notes]
    assert cheapest(costs_of(wave, {"melody": heard}, DRY)) == {"melody": (program,)}


def test_each_of_an_ensemble_is_known_in_a_hall(tmp_path: Path) -> None:
    """A bass, chords and a melody at once, with notes that were missed."""
    bass = tuple(Note(float(k), 0.9, 36 + 5 * (k % 3), 90) for k in range(22))
    chords = tuple(
        Note(k + 0.5, 0.45, pitch + k % 3, 70) for k in range(22) for pitch in (55, 59, 62)
    )
    melody = tuple(Note(2.0 * k, 1.8, 72 + 2 * (k % 5), 100) for k in range(11))
    truth: dict[Role, tuple[int, tuple[Note, ...]]] = {
        "melody": (71, melody),
        "bass": (58, bass),
        "harmony": (6, chords),
    }
    tracks = [Track(role, program, notes) for role, (program, notes) in truth.items()]
    dry = play(Song(tuple(tracks), 120.0), ORCHESTRA, 12 * SR)
    hall = Scene(Room(1.8, 0.4, 0.02, 4000.0), FLAT, 1)
    wave = np.concatenate(list(in_room([dry], hall, n_channels=1)), axis=1)[0]
    wave *= 0.1 / np.sqrt(np.square(wave).mean())
    heard: dict[Role, list[Sounded]] = {
        role: [
            Sounded(n.start / 2, n.end / 2, n.pitch, n.velocity) for n in notes[: len(notes) - 3]
        ]
        for role, (_, notes) in truth.items()
    }
    other = replace(hall, room=replace(hall.room, decay_s=1.5, wet=0.3), seed=2)
    assert cheapest(costs_of(wave, heard, other)) == {
        role: (program,) for role, (program, _) in truth.items()
    }


@given(st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True), st.integers(0, 999))
def test_who_plays_together_is_told_by_the_sum(together: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = ("melody", "harmony", "bass")
    stems = {part: {one: rng.gamma(0.3, size=(20, 30)) for one in range(6)} for part in parts}
    mixed = sum(stems["harmony"][one] for one in together) + stems["melody"][5] + stems["bass"][5]
    alike = {part: {one: np.zeros(4) for one in range(6)} for part in parts}
    found = cheapest(resynthesis._Fit(mixed, stems, alike).costs())
    assert {part: set(who) for part, who in found.items()} == {
        "melody": {5}, "harmony": set(together), "bass": {5}
    }  # fmt: skip


@pytest.mark.parametrize("together", [(27, 66), (16, 56), (48, 73), (0, 48, 60)])
def test_chords_of_several_are_no_single_instruments(
    tmp_path: Path, together: tuple[int, ...]
) -> None:
    """Who plays them is told in part: the network has not learned from such."""
    melody = tuple(Note(2.0 * k, 1.8, 74 + 2 * (k % 5), 100) for k in range(11))
    chords = tuple(
        Note(k + 0.5, 0.8, pitch + k % 4, 80) for k in range(22) for pitch in (60, 64, 67)
    )
    tracks = [Track("melody", 71, melody), *(Track(str(one), one, chords) for one in together)]
    wave = wave_of(sounding(tmp_path / "band.wav", *tracks, tempo=120.0))
    heard = {
        name: [Sounded(n.start / 2, n.end / 2, n.pitch, n.velocity) for n in notes]
        for name, notes in (("melody", melody), ("harmony", chords))
    }
    found = cheapest(costs_of(wave, heard, DRY))
    assert found["melody"] == (71,)
    assert len(found["harmony"]) > 1
    assert {*together} & {*found["harmony"]}


@pytest.mark.parametrize("program", [0, 40, 60])
@pytest.mark.parametrize("velocity", [100, 70])
def test_drums_without_cymbals_are_heard(program: int, velocity: int) -> None:
    """Loud ones and soft ones."""
    melody = tuple(Note(float(k), 0.9, 67 + 2 * (k % 5), 90) for k in range(22))
    strokes = tuple(Note(k / 2, 0.2, KICK if k % 2 else SNARE, velocity) for k in range(44))
    tracks = (Track("melody", program, melody), Track("drums", 0, strokes, is_drums=True))
    wave = play(Song(tracks, 120.0), ORCHESTRA, 12 * SR).mean(axis=0)
    found = strokes_of((0.1 / np.sqrt(np.square(wave).mean()) * wave).astype(np.float32))
    snares = np.array([one.at_s for one in found if one.drum == SNARE])
    true = [note.start / 2 for note in strokes if note.pitch == SNARE]
    assert sum(np.abs(snares - at).min() < 0.03 for at in true) >= 0.8 * len(true)


@pytest.mark.parametrize("program", [32, 33, 46, 105])
def test_a_plucked_bass_is_no_drum(program: int) -> None:
    bass = tuple(Note(k / 2, 0.45, 31 + 5 * (k % 4) + k % 3, 100) for k in range(48))
    chords = tuple(Note(float(k), 0.8, p + k % 3, 70) for k in range(24) for p in (55, 59, 64))
    tracks = (Track("bass", program, bass), Track("chords", 0, chords))
    wave = play(Song(tracks, 120.0), ORCHESTRA, 12 * SR).mean(axis=0)
    assert strokes_of((0.1 / np.sqrt(np.square(wave).mean()) * wave).astype(np.float32)) == []


@pytest.mark.parametrize("program", [25, 45, 46, 107])
def test_plucked_strings_that_roll_and_strum_are_no_drums(program: int) -> None:
    rolled = (55, 62, 67, 74, 55, 62, 71, 74) * 8
    roll = tuple(Note(k / 2, 0.5, pitch, 82) for k, pitch in enumerate(rolled))
    bass = tuple(Note(2.0 * k, 0.9, 38 + 5 * (k % 2), 92) for k in range(16))
    chords = tuple(Note(2.0 * k + 1, 0.3, p, 78) for k in range(16) for p in (50, 55, 59, 62))
    tracks = (Track("roll", program, roll), Track("bass", 32, bass), Track("chords", 25, chords))
    wave = play(Song(tracks, 150.0), ORCHESTRA, 12 * SR).mean(axis=0)
    assert strokes_of((0.1 / np.sqrt(np.square(wave).mean()) * wave).astype(np.float32)) == []


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0])
def test_silence_has_no_drums(seconds: float) -> None:
    assert strokes_of(np.zeros(round(seconds * SR), np.float32)) == []


def test_strokes_are_the_same_wherever_a_recording_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    strokes = tuple(Note(k / 2, 0.2, KICK if k % 2 else CLOSED_HAT, 90) for k in range(80))
    drums = Track("drums", 0, strokes, is_drums=True)
    wave = play(Song((drums,), 120.0), ORCHESTRA, 20 * SR).mean(axis=0)
    whole = strokes_of(wave)
    monkeypatch.setattr(percussion, "KEPT", 300)
    assert strokes_of(wave) == whole


def test_what_is_learned_does_not_depend_on_a_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chords = tuple(Note(float(k), 0.9, p + k % 4, 80) for k in range(20) for p in (48, 60, 64))
    one = sounding(tmp_path / "one.wav", Track("chords", 42, chords))
    other = tmp_path / "other.wav"
    other.write_bytes(one.read_bytes())
    scenes: list[Scene] = []

    def recording(wave: Any, parts: Any, scene: Scene) -> dict[str, dict[Programs, float]]:
        scenes.append(scene)
        return costs_of(wave, parts, scene)

    monkeypatch.setattr("thirdstream.notes.learning.performance.costs_of", recording)
    assert performance_of(one).parts == performance_of(other).parts
    assert scenes[0] == scenes[1]


def test_drums_are_played_on_their_own_kit(style: LearnedStyle, tmp_path: Path) -> None:
    def on(kit: int) -> LearnedStyle:
        recordings = tuple(
            one.model_copy(update={"players": tuple(
                player.model_copy(update={"program": kit}) if player.role == "drums" else player
                for player in one.players
            )}) for one in style.recordings
        )  # fmt: skip
        return style.model_copy(update={"recordings": recordings})

    for kit in (0, 40):
        write_learned(path := tmp_path / f"{kit}.style", on(kit))
        _, made = learned_cover(path)
        assert {track.program for track in made.song.tracks if track.is_drums} == {kit}


def test_silent_parts_are_given_to_the_likeliest_instruments() -> None:
    notes = [Sounded(k / 2, k / 2 + 0.4, 60 + k % 5, 80) for k in range(20)]
    found = costs_of(np.zeros(12 * SR, np.float32), {"melody": notes}, DRY)
    assert set(found) == {"melody"}


def band_of(style: LearnedStyle, *programs: dict[str, int], bar: dict[int, Any]) -> LearnedStyle:
    """A style of recordings with such players, by name; all bars are the last one's, as given."""
    first = style.recordings[0]
    recordings = tuple(
        first.model_copy(update={"name": str(number), "players": tuple(
            first.players[0].model_copy(update={"role": name.split()[-1], "program": program})
            for name, program in players.items()
        )}) for number, players in enumerate(programs)
    )  # fmt: skip
    last = {"recording": len(programs) - 1, "notes": bar}
    bars = [one.model_copy(update=last) for one in style.bars if one.recording == 0]
    return LearnedStyle(name="any", recordings=recordings, bars=tuple(bars))


STROKES = ((0.0, 1.0, 60, 80),)


def test_a_band_is_what_the_file_says(style: LearnedStyle, tmp_path: Path) -> None:
    """However few recordings have it."""
    others = {"melody": 71, "harmony": 24}
    made = band_of(style, others, others, {"melody": 73, "harmony": 19}, bar={1: STROKES})
    write_learned(path := tmp_path / "any.style", made)
    _, found = learned_cover(path)
    assert {track.program for track in found.song.tracks if track.notes} == {73, 19}


def test_what_is_doubled_is_played_by_each_and_as_loud(style: LearnedStyle, tmp_path: Path) -> None:
    def played(*doubled_by: int) -> dict[int, list[Note]]:
        made = band_of(style, {"melody": 73, "harmony": 19}, bar={1: STROKES})
        (source,) = made.recordings
        lead, harmony = source.players
        harmony = harmony.model_copy(update={"doubled_by": doubled_by})
        source = source.model_copy(update={"players": (lead, harmony)})
        path = tmp_path / f"{len(doubled_by)}.style"
        write_learned(path, made.model_copy(update={"recordings": (source,)}))
        _, found = learned_cover(path, keep_content=0.0)
        return {track.program: list(track.notes) for track in found.song.tracks}

    alone, both = played(), played(60)
    assert set(both) == {*alone, 60}
    for one, each in zip(alone[19], both[60], strict=True):
        assert replace(each, velocity=one.velocity) == one
        assert abs(2 * each.velocity**4 / one.velocity**4 - 1) < 0.1


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        (({"melody": 71, "bass": 32}, {"bass": 32, "melody": 71}), "all recordings of any have"),
        (({"melody": 71},), "all recordings of any have"),
        (({"melody": 71, "bass": 32}, {"melody": 71, "bass": 33}), ""),
        (({"harmony": 0, "other harmony": 6}, {"harmony": 6, "other harmony": 0}), ""),
    ],
)
def test_players_that_all_have_are_not_asked_for_in_vain(
    style: LearnedStyle, tmp_path: Path, bands: tuple[dict[str, int], ...], said: str
) -> None:
    write_learned(path := tmp_path / "any.style", band_of(style, *bands, bar={}))
    refused = pytest.raises(ThirdstreamError, match=f"^0: .*{said}.*leave --ensemble out")
    with refused if said else nullcontext():
        thirdstream.load("score").choose(to=path, ensemble="0")


def test_what_another_recording_played_goes_to_the_same_instrument(
    style: LearnedStyle, tmp_path: Path
) -> None:
    """Or to the one of the same number, where the band has not that instrument."""
    asked = {"melody": 73, "harmony": 0, "held harmony": 42}
    write_learned(path := tmp_path / "any.style", band_of(
        style, asked, {"melody": 73, "held harmony": 42, "harmony": 8}, bar={1: STROKES}
    ))  # fmt: skip
    _, found = learned_cover(path, ensemble="0")
    assert {track.program for track in found.song.tracks if track.notes} == {73, 42}
    write_learned(path, band_of(
        style, asked, {"melody": 73, "harmony": 8, "held harmony": 48}, bar={2: STROKES}
    ))  # fmt: skip
    _, found = learned_cover(path, ensemble="0")
    assert {track.program for track in found.song.tracks if track.notes} == {73, 42}
