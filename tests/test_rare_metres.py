"""The rhythm of beats: which parts they have, and after how many beats it comes again."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from pieces import sounding
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.notes.io.score import read_score
from thirdstream.notes.transcription import beats, rhythm
from thirdstream.notes.transcription.features import frame_features
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.notes.types import Note

BEAT = 48  # frames
N_BEATS = 40


@pytest.fixture(scope="module")
def transcriber() -> None:
    Transcriber()


def rhythm_of(bar: np.ndarray) -> rhythm.Rhythm:
    """Of bars (n_beats, BEAT) of strengths that come again; as many pitch classes."""
    n = bar.shape[0]
    strength = np.tile(bar.ravel(), N_BEATS // n + 1)
    at = BEAT * np.arange(float(N_BEATS + 1))
    classes = np.tile(np.eye(12)[np.arange(n)], (N_BEATS // n + 1, 1))[:N_BEATS]
    chroma = np.repeat(classes[:, None], 3, axis=1)
    return rhythm.rhythm_of(at, [strength] * 4, chroma)


@pytest.mark.parametrize("metre", [2, 3, 4, 5, 7])
def test_a_rhythm_comes_again_after_a_bar(metre: int) -> None:
    bar = np.random.default_rng(metre).random((metre, BEAT))
    for kind in rhythm_of(bar).recurrence:
        alike = dict(zip(rhythm.LAGS, kind.tolist(), strict=True))
        for lag, value in alike.items():
            if lag % metre == 0:
                assert value == pytest.approx(1, abs=0.1)
            else:
                assert value < 0.75


@given(parts=st.sampled_from([2, 3, 4]), loud=st.floats(0.5, 4))
def test_parts_of_the_beat_are_told(parts: int, loud: float) -> None:
    bar = np.zeros((4, BEAT))
    bar[:, :: BEAT // parts] = loud
    found = rhythm_of(bar)
    profile = dict(zip(rhythm.PLACES, found.profile[0].tolist(), strict=True))
    assert {place for place, value in profile.items() if value > 0} == {
        place for place in rhythm.PLACES if place % (rhythm.STEPS // parts) == 0
    }
    thirds_against_half = found.divisions()[4]
    assert (thirds_against_half > 0.9) == (parts == 3)
    assert (thirds_against_half < -0.9) == (parts != 3)


def song(n_bars: int, beats: int, tune: list[float], chords: list[float]) -> list[Note]:
    """Bars of so many beats: a bass on the first, chords and a tune at these places."""
    notes = []
    for bar in range(n_bars):
        root, at = (0, 5, 7, 0)[bar % 4], float(beats * bar)
        notes.append(Note(at, 0.9 * beats, 36 + root, 110))
        for place, step in itertools.product(chords, (0, 4, 7)):
            notes.append(Note(at + place, 0.3, 48 + (root + step) % 12, 60))
        for number, (place, end) in enumerate(itertools.pairwise([*tune, float(beats)])):
            pitch = 72 + (0, 4, 7, 12, 9, 5)[(number + bar) % 6]
            notes.append(Note(at + place, 0.9 * (end - place), pitch, 110))
    return notes


def heard(notes: list[Note], tempo: float) -> tuple[str, float]:
    """The metre in which it is heard, and beats a minute."""
    seconds = np.array([[n.start, n.end] for n in notes]) * 60 / tempo
    wave = sounding(notes, seconds, float(seconds.max()) + 1)
    found = beats.bars_of(frame_features([wave]))
    assert found is not None
    return found.signature, found.beats_per_minute


THIRD = 1 / 3
JIG = [0.0, 2 * THIRD, 1.0, 1 + THIRD, 1 + 2 * THIRD]  # quarter, eighth, three eighths
SWING = [0.0, 2 * THIRD, 1.0, 2.0, 2 + 2 * THIRD, 3.0, 3 + 2 * THIRD]
FIVE = [0.0, 1.0, 1.5, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("tempo", [84, 100, 116])
def test_a_jig_is_heard_in_dotted_beats(transcriber: None, tempo: float) -> None:
    signature, found = heard(song(18, 2, JIG, [0.0, 2 * THIRD, 1.0, 1 + 2 * THIRD]), tempo)
    assert signature == "6/8"
    assert found == pytest.approx(tempo, rel=0.03)


@pytest.mark.parametrize("tempo", [110, 150, 200, 240])
def test_swing_is_not(transcriber: None, tempo: float) -> None:
    signature, _ = heard(song(14, 4, SWING, [1.0, 2 + 2 * THIRD]), tempo)
    assert signature.endswith("/4")


@pytest.mark.parametrize("tempo", [100, 140])
def test_a_waltz_of_eighths_is_not(transcriber: None, tempo: float) -> None:
    signature, found = heard(song(16, 3, [0.0, 1.0, 1.5, 2.0, 2.5], [1.0, 2.0]), tempo)
    assert signature == "3/4"
    assert found == pytest.approx(tempo, rel=0.03)


@pytest.mark.parametrize("tempo", [120, 160])
def test_syncopated_chords_come_again_in_five(transcriber: None, tempo: float) -> None:
    assert heard(song(14, 5, FIVE, [0.5, 3.0, 4.5]), tempo)[0] == "5/4"


def test_files_of_a_jig_have_dotted_beats(transcriber: None, tmp_path: Path) -> None:
    notes = song(18, 2, JIG, [0.0, 2 * THIRD, 1.0, 1 + 2 * THIRD])
    seconds = np.array([[n.start, n.end] for n in notes]) * 0.6
    sf.write(tmp_path / "jig.wav", sounding(notes, seconds, 22.6)[0], SR)
    main.main(["listen", str(tmp_path / "jig.wav"), "--clicks", "--out", str(tmp_path / "out")])
    data = json.loads((tmp_path / "out" / "jig.json").read_text())
    assert (data["metre"], data["beats_per_bar"], data["quarters_per_beat"]) == ("6/8", 2, 1.5)
    assert data["beats_per_minute"] == pytest.approx(100, rel=0.02)
    beats_s = np.array(data["beats_s"])
    assert np.diff(beats_s[2:-4]) == pytest.approx(0.6, abs=0.06)
    sheet = read_score(tmp_path / "out" / "jig.musicxml")
    assert sheet.metres.changes[0][1].name == "6/8"
    starts = [round(note.start % 3, 3) for note in sheet.melody]
    assert np.isin(starts, [0, 1, 1.5, 2, 2.5]).mean() > 0.9
    clicks, sr = sf.read(tmp_path / "out" / "jig_clicks.flac")
    assert len(clicks) / sr == pytest.approx(22.6, abs=0.1)
