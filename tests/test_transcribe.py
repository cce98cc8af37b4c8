"""Transcription of what is known by construction, and of what has no music."""

import difflib
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from conftest import music
from pieces import KINDS, ROOTS, piece, rubato, sounding
from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.files import ThirdstreamError
from thirdstream.notes.io.score import read_score
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.features import frame_features
from thirdstream.notes.transcription.transcribe import Transcription, transcribe, transcribe_file
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.notes.types import Chord, Note


@pytest.fixture(scope="module")
def transcriber() -> None:
    Transcriber()


def played(
    metre: int, timing: Timing, n_bars: int
) -> tuple[Transcription, list[Note], list[Chord]]:
    tune, rest, harmony = piece(metre, n_bars)
    notes = tune + rest
    seconds = timing.seconds([[n.start, n.end] for n in notes])
    wave = sounding(notes, seconds, float(timing.seconds(n_bars * metre)) + 0.5)
    return transcribe([wave], title="piece"), tune, harmony


@pytest.mark.parametrize(
    ("metre", "timing"),
    [(4, Timing.steady(112)), (3, Timing.steady(126)), (4, rubato(64)), (3, rubato(64))],
)
def test_beats_chords_and_melody_of_a_known_piece(
    transcriber: None, metre: int, timing: Timing
) -> None:
    transcription, tune, harmony = played(metre, timing, 16)
    assert transcription.score.beats_per_bar == metre
    beats_s = timing.seconds(np.arange(2, 16 * metre - 1))
    nearest = np.abs(beats_s[:, None] - np.array(transcription.timing.beats_s)).min(axis=1)
    assert (nearest < 0.06).mean() > 0.9
    lines_s = timing.seconds(np.arange(1, 16) * metre)
    ours = np.array(transcription.timing.beats_s[::metre])
    assert (np.abs(lines_s[:, None] - ours).min(axis=1) < 0.1).mean() > 0.9
    middles = [timing.seconds((c.start + c.end) / 2) for c in harmony]
    found = [transcription.score.chord_at(float(transcription.timing.beats(at))) for at in middles]
    roots = [a.root == b.root for a, b in zip(found, harmony, strict=True)]
    assert np.mean(roots) > 0.8
    line = [
        (float(transcription.timing.seconds(n.start)), n.pitch) for n in transcription.score.melody
    ]
    hits = [
        any(abs(at - float(timing.seconds(n.start))) < 0.1 and p == n.pitch for at, p in line)
        for n in tune
    ]
    assert np.mean(hits) > 0.8
    assert transcription.key == (0, False)


def test_the_notes_follow_the_loudness(transcriber: None) -> None:
    notes = [Note(float(k), 0.8, 60 + k % 5, 30 if k < 12 else 120) for k in range(24)]
    timing = Timing.steady(100)
    wave = sounding(notes, timing.seconds([[n.start, n.end] for n in notes]), 15.0)
    transcription = transcribe([wave])
    half = float(transcription.timing.beats(12 * 0.6 - 0.1))
    soft, loud = (
        np.mean([n.velocity for n in transcription.notes if (n.start > half) == later])
        for later in (False, True)
    )
    assert loud > 1.5 * soft


def test_off_beats_are_no_beats(transcriber: None) -> None:
    # As in a bossa nova: even eighths, the loud ones off the beat; bass and harmony tell the beats.
    notes = []
    for bar in range(16):
        root, kind = ROOTS[bar % 4], KINDS[bar % 4]
        for beat in range(4):
            at = float(4 * bar + beat)
            notes.append(Note(at, 0.45, 60 + (root + kind[beat % 3]) % 12, 60))
            notes += [Note(at + 0.5, 0.4, 60 + (root + step) % 12, 100) for step in kind]
        notes += [Note(4.0 * bar, 1.9, 36 + root, 110), Note(4.0 * bar + 2, 1.9, 36 + root, 110)]
    timing = Timing.steady(120)
    transcription = transcribe(
        [sounding(notes, timing.seconds([[n.start, n.end] for n in notes]), 32.5)]
    )
    ours = np.array(transcription.timing.beats_s)
    beats_s = timing.seconds(np.arange(4, 60))
    assert (np.abs(beats_s[:, None] - ours).min(axis=1) < 0.06).mean() > 0.9


def well_formed(found: Transcription) -> None:
    beats_s, score = np.array(found.timing.beats_s), found.score
    assert beats_s[0] <= 0
    assert beats_s[-1] >= found.duration_s
    assert (len(beats_s) - 1) % score.beats_per_bar == 0
    assert score.melody
    for chord in score.chords:
        assert 0 <= chord.start < chord.end <= len(beats_s) - 1
    for one, after in pairwise(score.chords):
        assert one.end <= after.start
    for one, after in pairwise(score.melody):
        assert one.end <= after.start + 1e-6
    for note in (*score.melody, *found.notes):
        assert note.start >= 0
        assert note.length > 0
        assert 1 <= note.velocity <= 127
    assert score.voices == ()


def noise(n_samples: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(n_samples)


def click(n_samples: int) -> np.ndarray:
    wave = np.zeros(n_samples)
    wave[n_samples // 2] = 1
    return wave


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(5 * SR),
        noise(8 * SR),
        click(6 * SR),
        np.ones(1),
        music(0, 2),
        music(0, 400),
        music(0, SR),
        music(0, 2 * SR),
        music(1, 9 * SR),
        np.sin(2 * np.pi * 440 * np.arange(12 * SR) / SR),
        noise(6 * SR) * (1 + np.sin(2 * np.pi * 4 * np.arange(6 * SR) / SR)),
    ],
)
def test_anything_is_either_transcribed_or_refused_in_words(
    transcriber: None, wave: np.ndarray
) -> None:
    blocks = [(0.1 * wave / max(np.sqrt((wave**2).mean()), 1e-9))[None].astype(np.float32)]
    try:
        well_formed(transcribe(blocks))
    except ThirdstreamError as error:
        assert "no notes are found" in str(error)


def test_silence_and_clicks_have_no_notes(transcriber: None, tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError, match="no notes are found"):
        transcribe([np.zeros((1, 5 * SR), np.float32)])
    sf.write(tmp_path / "silent.wav", np.zeros(SR), SR)
    with pytest.raises(ThirdstreamError, match=r"silent\.wav: is silent"):
        transcribe_file(tmp_path / "silent.wav")


def applause(n_samples: int) -> np.ndarray:
    """300 claps a second: short bursts of noise, each hand with a pitch of its own."""
    rng = np.random.default_rng(1)
    wave, t = np.zeros(n_samples + SR), np.arange(SR // 50) / SR
    for start in (rng.random(n_samples * 300 // SR) * n_samples).astype(int):
        burst = rng.standard_normal(len(t)) * np.exp(-t / 0.003) * rng.random()
        hand = np.sin(2 * np.pi * rng.uniform(700, 2500) * t) * np.exp(-t / 0.002) * rng.random()
        wave[start : start + len(t)] += burst + 0.5 * hand
    return wave[:n_samples] / wave.std()


@pytest.mark.parametrize("sound", [np.zeros, applause, noise])
@pytest.mark.parametrize("level_db", [-14, -26])
def test_before_and_after_the_music_there_is_none(
    transcriber: None, sound: Callable[[int], np.ndarray], level_db: float
) -> None:
    """No notes, and no chords, in silence, applause or noise around a piece of -20 dB."""
    tune, rest, _ = piece(4, 8)
    seconds = Timing.steady(120).seconds([[n.start, n.end] for n in tune + rest])
    around = sound(8 * SR)
    around = around / max(float(np.std(around)), 1e-9) * 10 ** (level_db / 20)
    wave = np.concatenate([around, sounding(tune + rest, seconds, 16.2)[0], around])
    wave = wave * audio.level_of([wave[None]]).gain
    transcription = transcribe([wave[None].astype(np.float32)])
    onsets = transcription.timing.seconds([note.start for note in transcription.notes])
    assert ((onsets < 7.9) | (onsets > 24.3)).sum() <= 2
    assert len(onsets) > 100
    spans = transcription.timing.seconds(
        [[c.start, c.start + c.length] for c in transcription.score.chords]
    )
    assert spans.min() == pytest.approx(8, abs=0.6)
    assert spans.max() == pytest.approx(24, abs=0.6)
    assert [(c.root, c.intervals[:3]) for c in transcription.score.chords[:4]] == [
        (root, kind[:3]) for root, kind in zip(ROOTS, KINDS, strict=True)
    ]


@pytest.mark.parametrize("pitch", [50, 62, 74])
def test_one_pitch_is_no_chord(transcriber: None, pitch: int) -> None:
    t = np.arange(8 * SR) / SR
    hz = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * hz * h * t) / h**1.2 for h in range(1, 7))
    wave = wave * np.minimum(1, t / 0.05) * np.minimum(1, (8 - t) / 0.3)
    transcription = transcribe(
        [(wave * audio.level_of([wave[None]]).gain)[None].astype(np.float32)]
    )
    assert transcription.score.chords == ()
    assert {note.pitch for note in transcription.notes} == {pitch}
    assert transcription.key.tonic == pitch % 12


def test_blocks_and_channels_make_no_difference(transcriber: None) -> None:
    wave = music(3, 6 * SR)
    cut = [part[None].repeat(2, 0) for part in np.split(wave, [1, 5_000, 5_001, 100_000])]
    one, other = frame_features([wave[None]]), frame_features(cut)
    assert one.n_frames == other.n_frames
    np.testing.assert_allclose(one.posteriors.notes, other.posteriors.notes, atol=2e-3)
    np.testing.assert_allclose(one.flux, other.flux, atol=1e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text exist on Linux alone")
def test_awkward_names_in_a_folder_harm_no_others(
    transcriber: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune, rest, _ = piece(4, 4)
    seconds = Timing.steady(120).seconds([[n.start, n.end] for n in tune + rest])
    wave = sounding(tune + rest, seconds, 8.2)[0]
    songs = tmp_path / "songs"
    songs.mkdir()
    names = [b"a.wav", b"b" * 248 + b".wav", b"c$x^{.wav", b"caf\xe9.wav", b"d\x1b[31m.wav"]
    for name in names:
        sf.write(songs / "one.wav", wave, SR)
        (songs / "one.wav").rename(songs / os.fsdecode(name))
    with pytest.raises(SystemExit) as stop:
        main.main(["listen", str(songs), "--out", str(tmp_path / "out")])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "shorten the name" in said and "1 of 5 recordings could not" in said
    made = [name.decode("latin-1").rpartition(".")[0] for name in names if len(name) < 99]
    found = {os.fsencode(path.name).decode("latin-1") for path in (tmp_path / "out").iterdir()}
    endings = (".mid", ".musicxml", ".png", ".json", ".pdf")
    assert found == {name + ending for name in made for ending in endings}
    for path in (tmp_path / "out").glob("*.musicxml"):
        assert len(read_score(path).melody) > 6


def test_the_command(transcriber: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune, rest, _ = piece(4, 6)
    seconds = Timing.steady(120).seconds([[n.start, n.end] for n in tune + rest])
    sf.write(tmp_path / "song.wav", sounding(tune + rest, seconds, 12.5)[0], SR)
    (tmp_path / "text.wav").write_text("no music")
    for force in ([], ["--force"]):
        command = ["listen", str(tmp_path / "song.wav"), str(tmp_path / "text.wav")]
        with pytest.raises(SystemExit) as stop:
            main.main([*command, "--out", str(tmp_path / "out"), *force])
        assert stop.value.code == 1
        assert "text.wav: is not audio" in capsys.readouterr().err
    again = read_score(tmp_path / "out" / "song.musicxml")
    assert len(again.melody) > 12


@pytest.mark.usefixtures("transcriber")
@pytest.mark.parametrize("semitones", [-0.4, 0.45])
def test_a_recording_between_the_keys_is_heard_as_one_on_them(semitones: float) -> None:
    """A record that runs too fast or too slow: the same notes, and how far they lie off."""
    tune, rest, _ = piece(4, 8)
    wave = sounding(tune + rest, Timing.steady(112).seconds(
        [[n.start, n.end] for n in tune + rest]), 18.0)  # fmt: skip
    off = np.asarray(soxr.resample(wave[0], SR * 2 ** (semitones / 12), SR), np.float32)[None]
    plain, found = transcribe([wave]), transcribe([off])
    assert found.tuning == pytest.approx(semitones, abs=0.05)
    one, other = ([note.pitch for note in of.score.melody] for of in (plain, found))
    assert difflib.SequenceMatcher(None, one, other).ratio() > 0.95
    assert abs(len(found.notes) - len(plain.notes)) < 0.1 * len(plain.notes)
