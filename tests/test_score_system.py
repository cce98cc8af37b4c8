"""The score system from note events to sound: length, places, channels, options."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music
from test_cover import transcribed as piece_of
from test_room import DRY
from thirdstream import registry
from thirdstream.audio import SR, Wave
from thirdstream.data.benchmark import find_soundfonts
from thirdstream.files import ThirdstreamError
from thirdstream.notes import rendering
from thirdstream.notes import system as score_system
from thirdstream.notes.arranging.coverage import content_coverage
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.key import C_MAJOR
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.system import ScoreSystem, arranged
from thirdstream.notes.timing import CLOCK, Timing, timed
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Note, Score, Song, Track

DURATION_S = 12.3
WOBBLING = Timing(tuple(float(b) for b in np.cumsum([-0.2, *(0.5 + 0.1 * np.sin(range(40)))])))


def transcription(style: str, timing: Timing = WOBBLING) -> Transcription:
    """The first seconds of the tune, recorded in a style along a tempo map."""
    piece, n_beats = piece_of(style), float(timing.beats(DURATION_S))
    notes = tuple(note for note in piece.notes if note.end < n_beats)
    return Transcription(piece.score, timing, notes, C_MAJOR, DURATION_S)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> ScoreSystem:
    """A score system that finds the tune in whatever it is given."""

    def transcribe(blocks: Iterable[Wave], **known: Any) -> Transcription:
        n_samples = sum(block.shape[1] for block in blocks)
        return replace(transcription("classical"), duration_s=n_samples / SR)

    monkeypatch.setattr(score_system, "transcribe", transcribe)
    return ScoreSystem()


# --- time ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(
    gaps=st.lists(st.floats(0.2, 1.5), min_size=8, max_size=8),
    start=st.floats(-1.0, 0.0),
    beats=st.lists(st.floats(0.0, 7.5), min_size=1, max_size=8),
)
def test_notes_sound_when_the_recordings_beats_do(
    gaps: list[float], start: float, beats: list[float]
) -> None:
    timing = Timing((start, *(start + np.cumsum(gaps)).tolist()))
    notes = tuple(Note(beat, 0.5, 60) for beat in sorted(beats))
    song = timed(Song((Track("flute", 73, notes),), 120.0), timing, duration_s=1e3)
    second = 60 / CLOCK
    wanted = [(s, e) for s, e in zip(timing.seconds(sorted(beats)),
                                     timing.seconds(np.array(sorted(beats)) + 0.5), strict=True)
              if e > max(s, 0) + 0.01]  # fmt: skip
    found = [(n.start * second, n.end * second) for n in song.tracks[0].notes]
    assert np.array(found) == pytest.approx(np.maximum(np.array(wanted), 0.0), abs=1e-9)


def test_nothing_sounds_after_the_recording() -> None:
    notes = tuple(Note(float(k), 1.0, 60) for k in range(10))
    song = timed(Song((Track("flute", 73, notes),), 60.0), Timing.steady(60), duration_s=4.5)
    assert max(note.end for note in song.tracks[0].notes) == pytest.approx(4.5 * CLOCK / 60)
    assert len(song.tracks[0].notes) == 5


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_a_recording_is_followed_to_the_sample(n_channels: int) -> None:
    notes = tuple(Note(float(k), 1.0, 69, 100) for k in range(0, 20, 4))
    song, n_samples = Song((Track("flute", 73, notes, pan=10),), 120.0), round(8.37 * SR)
    blocks = list(rendering.stream(song, WOBBLING, rendering.ORCHESTRA, DRY, n_samples=n_samples,
                                   n_channels=n_channels))  # fmt: skip
    wave = np.concatenate(blocks, axis=1)
    assert wave.shape == (n_channels, n_samples)
    assert np.abs(wave[:, -2:]).max() < 1e-3 * np.abs(wave).max()
    level = np.sqrt(np.square(wave).mean(axis=1))
    assert (level[0] > 1.5 * level[1]) if n_channels == 2 else (level == level[0]).all()
    envelope = np.abs(wave[0])
    for beat in (4.0, 8.0, 12.0):  # quiet before, sounding after
        at = round(float(WOBBLING.seconds(beat)) * SR)
        before, after = envelope[at - 900 : at - 100].max(), envelope[at : at + 4000].max()
        assert after > 1.2 * before
    first = np.flatnonzero(envelope > 0.05 * envelope.max())[0] / SR
    assert first < 0.15  # quarter 0 lies before the recording, and still sounds


# --- the system ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
@pytest.mark.parametrize("to", ["classical", "jazz"])
def test_length_loudness_and_channels_stay(
    system: ScoreSystem, to: str, shape: tuple[int, ...]
) -> None:
    wave = np.broadcast_to(music(0, round(DURATION_S * 22_050), sr=22_050),
                           (*shape, round(DURATION_S * 22_050))).copy()  # fmt: skip
    made = system.transfer(wave, 22_050, to=to)
    assert made.shape == wave.shape
    levels = [20 * np.log10(np.sqrt(np.square(one).mean())) for one in (wave, made)]
    assert levels[1] == pytest.approx(levels[0], abs=0.5)
    assert np.abs(made).max() <= 0.999
    if shape == (2,):
        assert not np.allclose(made[0], made[1], atol=1e-3)


@pytest.mark.parametrize("seconds", [0.05, 0.9, 3.0])
def test_short_recordings_come_back_as_long(system: ScoreSystem, seconds: float) -> None:
    wave = music(0, round(seconds * SR))
    assert system.transfer(wave, SR, to="jazz").shape == wave.shape


def test_where_no_notes_are_found_nothing_is_played(
    system: ScoreSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_notes(blocks: Iterable[Wave], **known: Any) -> Transcription:
        n_samples = sum(block.shape[1] for block in blocks)
        return Transcription(Score("", (), ()), WOBBLING, (), C_MAJOR, n_samples / SR)

    monkeypatch.setattr(score_system, "transcribe", without_notes)
    assert not system.transfer(music(0, SR), SR, to="jazz").any()


def test_its_own_style_is_the_notes_played_back() -> None:
    one = transcription("jazz")
    made, timing = arranged(one, ScoreOptions("classical", source="classical"))
    assert timing == WOBBLING
    played = [note for track in made.song.tracks for note in track.notes]
    assert content_coverage(one.notes, played, within=0.1) > 0.98
    assert content_coverage(played, one.notes, within=0.1) > 0.98


@pytest.mark.parametrize("beat_s", [1.4, 0.22])
def test_other_countings_follow_the_same_seconds(beat_s: float) -> None:
    """A jazz group counts very slow and very fast pieces otherwise; the melody stays in time."""
    beats_s = tuple((beat_s * np.arange(70)).tolist())
    one = transcription("classical", Timing(beats_s))
    made, timing = arranged(one, ScoreOptions("jazz", keep_content=1.0, style_strength=0.0))
    assert len(timing.beats_s) != len(beats_s)
    played = [note for track in made.song.tracks for note in track.notes]
    in_seconds = [
        [replace(n, start=float(by.seconds(n.start))) for n in notes]
        for by, notes in ((one.timing, one.notes), (timing, played))
    ]
    assert content_coverage(*in_seconds, within=0.05) > 0.97


def test_a_corrected_sheet_takes_the_place_of_the_transcription(
    system: ScoreSystem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    song = Song(
        (
            Track("melody", 73, tuple(Note(float(k), 1.0, 78) for k in range(16))),
            Track(
                "chords", 0, tuple(Note(4.0 * k, 4.0, p) for k in range(4) for p in (47, 54, 59))
            ),
        ),
        120.0,
    )
    write_midi(tmp_path / "sheet.mid", song)
    taken: list[Transcription] = []
    whole = score_system.arranged

    def seen(found: Transcription, options: ScoreOptions) -> object:
        taken.append(found)
        return whole(found, options)

    monkeypatch.setattr(score_system, "arranged", seen)
    system.transfer(music(0, 4 * SR), SR, to="jazz", score=tmp_path / "sheet.mid")
    assert {note.pitch for note in taken[0].score.melody} == {78}
    assert taken[0].timing == WOBBLING
    assert not caplog.text
    write_midi(tmp_path / "tune.mid", replace(song, tracks=song.tracks[:1]))
    system.transfer(music(0, 4 * SR), SR, to="jazz", score=tmp_path / "tune.mid")
    assert "tune.mid: is a melody alone: the chords are guessed" in caplog.text
    with pytest.raises(ThirdstreamError, match=r"none\.mxl: there is no such file"):
        system.transfer(music(0, SR), SR, to="jazz", score=tmp_path / "none.mxl")


def test_it_is_found_by_name_and_says_what_it_cannot_do(system: ScoreSystem) -> None:
    assert isinstance(registry.load("score"), ScoreSystem)
    with pytest.raises(ThirdstreamError, match="takes no style_from; leave --style-from out"):
        system.transfer(music(0, SR), SR, to="jazz", style_from=Path("some.wav"))
    with pytest.raises(ThirdstreamError, match="kazoo: is nothing that plays jazz"):
        system.transfer(music(0, SR), SR, to="jazz", ensemble="kazoo")


def test_an_ensemble_is_played_by_name(system: ScoreSystem) -> None:
    wave = music(0, 4 * SR)
    made = [system.transfer(wave, SR, to="jazz", ensemble=name) for name in ("swing", "ballad")]
    assert not np.allclose(*made, atol=1e-3)


def test_a_soundfont_of_ones_own_is_played_and_a_bad_one_refused_first(
    system: ScoreSystem, tmp_path: Path
) -> None:
    wave = music(0, 4 * SR)
    whole = system.transfer(wave, SR, to="jazz")
    same = tmp_path / "same.sf3"
    same.write_bytes(rendering.ORCHESTRA.read_bytes())
    np.testing.assert_array_equal(system.transfer(wave, SR, to="jazz", soundfont=same), whole)
    small = next(path for path in find_soundfonts() if path.name == "TimGM6mb.sf2")
    assert not np.allclose(system.transfer(wave, SR, to="jazz", soundfont=small), whole, atol=1e-2)
    (tmp_path / "bad.sf2").write_bytes(b"RIFF")
    for name, fault in (("bad.sf2", "is no readable soundfont"), ("none.sf2", "cannot be read")):
        with pytest.raises(ThirdstreamError, match=rf"{name}: {fault}"):
            system.choose(to="jazz", soundfont=tmp_path / name)
    with pytest.raises(ThirdstreamError, match="takes no soundfont; leave --soundfont out"):
        registry.load("twin-cnn").accept(ScoreOptions("jazz", soundfont=same))


def test_the_tempo_is_the_usual_one() -> None:
    made, _ = arranged(transcription("classical"), ScoreOptions("jazz"))
    usual = 60 / float(np.median(np.diff(WOBBLING.beats_s)))
    assert math.isclose(made.song.beats_per_minute, usual)
