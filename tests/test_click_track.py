"""Beats and chords to listen to: on time, as long as the recording, never too loud."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from pieces import piece, sounding
from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.files import ThirdstreamError
from thirdstream.notes import click_track
from thirdstream.notes.click_track import clicks, levels_of, together, write_checks
from thirdstream.notes.key import C_MAJOR
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.notes.types import Chord, Score

CEILING = 10 ** (-1 / 20)
DURATION_S = 5.3
RATES = [8000, 22_050, 44_100, 48_000, 96_000]


def transcription(one: str = "3/4", *, beat: float = 1.0, end_s: float = 7.0) -> Transcription:
    """Beats that sway, from before the recording to after it; a chord each bar and a half."""
    count, unit = map(int, one.split("/"))
    gaps = 0.4 + 0.05 * np.sin(np.arange(40))
    beats_s = np.cumsum([-0.3, *gaps])
    beats_s = beats_s[beats_s < end_s]
    chords = tuple(Chord(4.5 * k, 4.5, 5 * k % 12, (0, 4, 7, 10), 5 * k % 12) for k in range(5))
    score = Score("", (), chords, Metres.steady(metre(count, unit)))
    return Transcription(score, Timing(tuple(beats_s.tolist()), beat), (), C_MAJOR, DURATION_S)


def recorded(path: Path, *, sr: int, n_channels: int, level: float = 0.3) -> np.ndarray:
    """A recording in a file, as (n_samples, n_channels)."""
    rng = np.random.default_rng(0)
    wave = rng.uniform(-level, level, (round(DURATION_S * sr), n_channels))
    sf.write(path, wave, sr, subtype="FLOAT")
    return wave


def added(path: Path, recording: Path, name: str) -> np.ndarray:
    """What a result has beside the recording, (n_samples, n_channels)."""
    level = audio.measure(recording, mono=False)
    wave, _ = sf.read(recording, always_2d=True)
    made, _ = sf.read(path / f"{name}_clicks.flac", always_2d=True)
    return made - levels_of(level).recording * wave


@pytest.mark.parametrize("sr", RATES)
@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_both_are_as_long_as_the_recording(tmp_path: Path, sr: int, n_channels: int) -> None:
    path = tmp_path / "a.wav"
    wave = recorded(path, sr=sr, n_channels=n_channels)
    for made in write_checks(path, transcription(), tmp_path, "a"):
        info = sf.info(made)
        assert (info.samplerate, info.channels, info.frames) == (sr, n_channels, len(wave))
        assert np.abs(sf.read(made)[0]).max() <= CEILING


@pytest.mark.parametrize("sr", RATES)
@pytest.mark.parametrize(("sign", "beat", "per_bar"), [("3/4", 1.0, 3), ("6/8", 1.5, 2)])
def test_clicks_begin_where_beats_do(
    tmp_path: Path, sr: int, sign: str, beat: float, per_bar: int
) -> None:
    """Within a sample, so within 1 ms; those on bar lines are an octave higher."""
    path, found = tmp_path / "a.wav", transcription(sign, beat=beat)
    wave = recorded(path, sr=sr, n_channels=2)
    write_checks(path, found, tmp_path, "a")
    rest = added(tmp_path, path, "a")[:, 0]
    beats_s = np.array(found.timing.beats_s)
    inside = np.flatnonzero((beats_s >= 0) & (np.round(beats_s * sr) < len(wave)))
    loud = np.abs(rest) > 1e-4
    starts = [k for k in np.flatnonzero(loud).tolist() if not loud[max(k - sr // 20, 0) : k].any()]
    assert np.abs(starts - beats_s[inside] * sr).max() <= 0.5 + 1e-6
    for number, start in zip(inside.tolist(), starts, strict=True):
        click = rest[start : start + round(0.01 * sr)]
        hz = np.abs(np.fft.rfft(click, 8 * sr)).argmax() / 8
        assert hz == pytest.approx(2000 if number % per_bar == 0 else 1000, rel=0.1)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clicks go on from block to block."""
    found, shape = transcription(), {"n_samples": 200_001, "sr": SR, "n_channels": 1}
    whole = np.concatenate(list(clicks(found, 0.4, **shape)), axis=1)
    monkeypatch.setattr(audio, "BLOCK", 2000)
    parts = list(clicks(found, 0.4, **shape))
    assert max(part.shape[1] for part in parts) == 2000
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_sums_are_cut_as_the_recording_is() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.standard_normal((2, 1000)).astype(np.float32) for _ in range(2))
    summed = list(together(np.split(one, [1, 500], axis=1), np.split(other, [300], axis=1), 0.5))
    assert [part.shape[1] for part in summed] == [1, 499, 500]
    np.testing.assert_allclose(np.concatenate(summed, axis=1), 0.5 * one + other, rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.3, 1.0, 30.0])
def test_no_recording_makes_them_clip(tmp_path: Path, level: float) -> None:
    """Silent ones neither: then there are the clicks, softly; and some files go beyond 1."""
    path = tmp_path / "a.wav"
    recorded(path, sr=SR, n_channels=2, level=level)
    for made in write_checks(path, transcription(), tmp_path, "a"):
        peak = np.abs(sf.read(made)[0]).max()
        assert 0.01 < peak <= CEILING


def test_chords_sound_where_they_are(tmp_path: Path) -> None:
    """By their pitch classes, over silence, each bar anew."""
    path, found = tmp_path / "a.wav", transcription()
    recorded(path, sr=SR, n_channels=1, level=0.0)
    write_checks(path, found, tmp_path, "a")
    wave, _ = sf.read(tmp_path / "a_chords.flac")
    hz = np.fft.rfftfreq(SR // 2, 1 / SR)
    heard = (hz > 190) & (hz < 420)
    pitches = np.round(12 * np.log2(hz[heard] / 440) + 69).astype(int) % 12
    for chord in found.score.chords[:3]:
        at = round(float(found.timing.seconds(chord.start + 0.2)) * SR)
        part = wave[max(at, 0) :][: SR // 2] * np.hanning(SR // 2)
        power = np.bincount(pitches, np.abs(np.fft.rfft(part))[heard] ** 2, minlength=12)
        assert power[list(chord.pitch_classes)].sum() > 0.8 * power.sum()
    starts = sorted({note.start for note in click_track.chord_track(found).notes})
    assert starts[:6] == [0, 3, 4.5, 6, 9, 12]


def test_without_chords_there_is_the_recording_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wave = recorded(path, sr=SR, n_channels=1)
    found = transcription()
    write_checks(path, replace(found, score=replace(found.score, chords=())), tmp_path, "a")
    made, _ = sf.read(tmp_path / "a_chords.flac", always_2d=True)
    np.testing.assert_allclose(made, 0.5 * wave, atol=1e-6)


def test_none_is_left_where_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    recorded(path, sr=SR, n_channels=1)
    out = tmp_path / "out"

    def broken(*of: object, **how: object) -> None:
        raise ThirdstreamError("broken")
        yield

    monkeypatch.setattr(click_track, "chords", broken)
    with pytest.raises(ThirdstreamError, match="broken"):
        write_checks(path, transcription(), out, "a")
    assert list(out.iterdir()) == []


def test_what_exists_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    recorded(path, sr=SR, n_channels=1)
    (tmp_path / "a_chords.flac").write_text("mine")
    with pytest.raises(ThirdstreamError, match=r"a_chords\.flac: exists already; add --force"):
        write_checks(path, transcription(), tmp_path, "a")
    assert (tmp_path / "a_chords.flac").read_text() == "mine"
    assert not (tmp_path / "a_clicks.flac").exists()
    write_checks(path, transcription(), tmp_path, "a", force=True)
    assert sf.info(tmp_path / "a_chords.flac").frames == round(DURATION_S * SR)


@pytest.mark.parametrize("ending", [".mid", ".musicxml", ".png", ".json", "_clicks.flac"])
def test_the_command_does_nothing_where_a_result_exists(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording is not even read: it is none."""
    (tmp_path / "song.wav").write_text("no recording")
    result = tmp_path / f"song{ending}"
    result.write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main.main(["listen", str(tmp_path / "song.wav"), "--out", str(tmp_path), "--clicks"])
    assert stop.value.code == 1
    assert f"song{ending}: exists already; add --force" in capsys.readouterr().err
    assert result.read_text() == "mine"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Transcriber()
    tune, rest, _ = piece(4, 6)
    seconds = Timing.steady(120).seconds([[n.start, n.end] for n in tune + rest])
    sf.write(tmp_path / "song.wav", sounding(tune + rest, seconds, 12.5)[0], SR)
    sf.write(tmp_path / "silent.wav", np.zeros(SR), SR)
    command = ["listen", str(tmp_path / "song.wav"), "--out", str(tmp_path / "out"), "--clicks"]
    main.main(command)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"song_clicks.flac", "song_chords.flac", "song.mid", "song.json"} <= names
    (tmp_path / "out" / "song.mid").unlink()
    for given in (command, ["listen", str(tmp_path / "silent.wav"), *command[2:]]):
        with pytest.raises(SystemExit) as stop:
            main.main(given)
        assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "song_clicks.flac: exists already" in said and "silent.wav: is silent" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == names - {"song.mid"}
