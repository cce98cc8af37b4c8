"""Rendering and pairs: rooms and microphones by their physics, pairs by their bytes."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from conftest import tone
from test_arranging import tune
from thirdstream import cli
from thirdstream.audio import SR
from thirdstream.files import ThirdstreamError, sha256
from thirdstream.notes import pairs, rendering
from thirdstream.notes.arranging import STYLES, Arrangement, Setting, arrange
from thirdstream.notes.midi import Song, Track, write_midi
from thirdstream.notes.rendering import (
    COLOUR_HZ,
    Room,
    Scene,
    draw_scene,
    recorded,
    response,
)
from thirdstream.notes.score import Note, Score

pytest.importorskip("mido", reason="MIDI files need mido; it is not installed")
FLAT = (0.0,) * len(COLOUR_HZ)
DRY = Scene(Room(0.3, 0.0, 0.004, 4000.0), FLAT, 0)


@pytest.fixture(scope="session")
def soundfont() -> Path:
    """The smallest soundfont there is: loading is most of the time."""
    inside = rendering.pretty_midi_soundfont()
    found = [inside] if inside else rendering.find_soundfonts()
    if not found:
        pytest.skip("there is no soundfont; pip install pretty-midi")
    try:
        rendering.synthesiser()
    except ThirdstreamError as error:
        pytest.skip(str(error))
    return min(found, key=lambda path: path.stat().st_size)


def short(style: str = "jazz") -> Arrangement:
    """Four bars of the tune."""
    whole = tune()
    melody = tuple(note for note in whole.melody if note.end <= 16)
    score = Score("short", melody, whole.chords[:4])
    return arrange(score, style, Setting("0", 0, 160.0, "string quartet", "swing"))


@pytest.mark.parametrize("decay_s", [0.4, 1.5])
def test_a_room_dies_away_as_it_should(decay_s: float) -> None:
    room = Room(decay_s, 0.5, 0.02, 20_000.0)
    echo = response(room, seed=1)
    assert echo[0] == 1.0
    assert not echo[1 : round(0.02 * SR)].any()
    tail = echo[round(0.02 * SR) :]
    assert np.square(tail).sum() == pytest.approx(0.25, rel=1e-3)
    left_db = 10 * np.log10(np.square(tail[::-1], dtype=np.float64).cumsum()[::-1])
    fall = left_db[0] - left_db
    t60 = 60 / 20 * (np.searchsorted(fall, 25) - np.searchsorted(fall, 5)) / SR  # ISO 3382's T20
    assert t60 == pytest.approx(decay_s, rel=0.15)


def test_highs_die_first() -> None:
    tail = response(Room(1.0, 0.5, 0.0, 3000.0), seed=2)[1:]

    def share_above_6k(part: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(part)) ** 2
        return power[np.fft.rfftfreq(len(part), 1 / SR) > 6000].sum() / power.sum()

    assert share_above_6k(tail[SR // 2 :][: SR // 4]) < share_above_6k(tail[: SR // 4]) / 2


def test_no_room_and_a_flat_microphone_change_nothing() -> None:
    wave = np.random.default_rng(0).standard_normal(SR).astype(np.float32)
    high_pass = butter(2, 20.0, "highpass", fs=SR, output="sos")
    np.testing.assert_allclose(recorded(wave, DRY), sosfilt(high_pass, wave), atol=1e-4)


def test_nothing_below_hearing_is_left() -> None:
    wave = np.full(2 * SR, 0.2, np.float32) + tone(2 * SR, hz=440)
    heard = recorded(wave, DRY)[SR:]
    assert abs(heard.mean()) < 1e-4
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(0.1 / np.sqrt(2), rel=0.01)


def test_a_microphone_colours_as_told() -> None:
    colour = (0.0, 0.0, 0.0, 3.0, -3.0, 0.0, 0.0)
    t = np.arange(SR) / SR
    for hz, gain_db in zip(COLOUR_HZ[2:5], colour[2:5], strict=True):
        wave = np.sin(2 * np.pi * hz * t).astype(np.float32)
        out = recorded(wave, Scene(DRY.room, colour, 0))[SR // 4 : -SR // 4]
        assert 20 * np.log10(out.std() / np.sqrt(0.5)) == pytest.approx(gain_db, abs=0.3)


def test_scenes_are_drawn_by_seed_and_style() -> None:
    assert draw_scene("jazz", seed="1") == draw_scene("jazz", seed="1")
    assert draw_scene("jazz", seed="1") != draw_scene("jazz", seed="2")
    for seed in range(30):
        scene = draw_scene("classical", seed=str(seed))
        assert 1.2 <= scene.room.decay_s <= 2.4
        assert max(map(abs, scene.colour_db)) <= 3.0


def test_both_styles_are_equally_long_and_loud(soundfont: Path) -> None:
    waves = [rendering.render(short(s), soundfont, draw_scene(s, seed="1")) for s in STYLES]
    n_samples = round((4 * 4 * 60 / 160 + rendering.TAIL_S) * SR)
    for wave in waves:
        assert wave.shape == (n_samples,)
        assert wave.dtype == np.float32
        assert np.abs(wave).max() <= rendering.PEAK
        assert 20 * np.log10(np.sqrt(np.square(wave).mean())) == pytest.approx(-20, abs=0.5)


def test_same_seed_same_samples(soundfont: Path) -> None:
    first, second, other = (
        rendering.render(short(), soundfont, draw_scene("jazz", seed=s)) for s in "112"
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("engine", [rendering.play_fluidsynth, rendering.play_symusic])
def test_notes_sound_when_and_as_high_as_written(
    engine: object, soundfont: Path, tmp_path: Path
) -> None:
    if engine is rendering.play_fluidsynth and rendering.fluidsynth() is None:
        pytest.skip("FluidSynth is not installed")
    if engine is rendering.play_symusic:
        pytest.importorskip("symusic", reason="symusic is not installed")
    write_midi(tmp_path / "a.mid", Song((Track("flute", 73, (Note(2.0, 2.0, 69, 100),)),), 60.0))
    wave = engine((tmp_path / "a.mid").read_bytes(), soundfont, 5 * SR)  # pyright: ignore
    assert wave.shape == (2, 5 * SR)
    wave = wave.mean(axis=0)
    assert np.abs(wave[: int(1.95 * SR)]).max() < 0.02 * np.abs(wave).max()
    sounding = wave[round(2.3 * SR) :][:SR]
    peak = np.abs(np.fft.rfft(sounding * np.hanning(SR))).argmax()
    semitones = 12 * np.log2(peak / 440)
    assert abs(semitones - 12 * round(semitones / 12)) < 0.5  # A, or an overtone that is one


@pytest.mark.parametrize("engine", [rendering.play_fluidsynth, rendering.play_symusic])
def test_soft_notes_are_soft(engine: object, soundfont: Path, tmp_path: Path) -> None:
    if engine is rendering.play_fluidsynth and rendering.fluidsynth() is None:
        pytest.skip("FluidSynth is not installed")
    if engine is rendering.play_symusic:
        pytest.importorskip("symusic", reason="symusic is not installed")
    notes = (Note(0.0, 1.0, 69, 110), Note(2.0, 1.0, 69, 40))
    write_midi(tmp_path / "a.mid", Song((Track("flute", 73, notes),), 60.0))
    wave = engine((tmp_path / "a.mid").read_bytes(), soundfont, 4 * SR)  # pyright: ignore
    wave = wave.mean(axis=0)
    loud, soft = (np.abs(wave[at * SR :][:SR]).max() for at in (0, 2))
    assert 20 * np.log10(loud / soft) == pytest.approx(40 * np.log10(110 / 40), abs=3.5)


@pytest.mark.skipif(rendering.fluidsynth() is None, reason="FluidSynth is not installed")
def test_two_synthesisers_play_what_one_would(soundfont: Path) -> None:
    """But for an event that falls into the next block of 64 samples here or there, -50 dB at most.

    Also where a key is struck again while it sounds, and where one drum ends another.
    """
    keys = tuple(Note(k / 4, 2.0, 60 + k % 5, 90) for k in range(16))
    drums = tuple(Note(k / 2, 0.5, (46, 42)[k % 2], 100) for k in range(8))  # open hi-hat, closed
    song = Song((Track("harp", 46, keys), Track("drums", 0, drums, is_drums=True)), 120.0)
    n_samples = 4 * SR
    whole, one, other = (
        rendering.play(part, soundfont, n_samples) for part in (song, *rendering.halves(song))
    )
    assert min(np.abs(one).max(), np.abs(other).max()) > 0.01
    apart = one + other - whole
    assert np.square(apart).sum() < 1e-5 * np.square(whole).sum()


def test_a_broken_soundfont_is_named(tmp_path: Path, soundfont: Path) -> None:
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF, but not really")
    with pytest.raises(ThirdstreamError, match=r"broken\.sf2: is no readable soundfont"):
        rendering.render(short(), broken, DRY)


def test_soundfonts_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.sf2").touch()
    (tmp_path / "a.SF3").touch()
    (tmp_path / "default.sf2").symlink_to(tmp_path / "b.sf2")
    (tmp_path / "readme.txt").touch()
    monkeypatch.setattr(rendering, "SOUNDFONT_FOLDERS", (tmp_path, tmp_path / "missing"))
    assert [path.name for path in rendering.find_soundfonts()] == ["a.SF3", "b.sf2"]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """A folder with two scores, as MIDI files, and one that is none."""
    folder = tmp_path / "scores"
    folder.mkdir()
    for seed in range(2):
        score = tune(seed=seed)
        melody = tuple(note for note in score.melody if note.end <= 16)
        below = tuple(
            Note(c.start, c.length, 48 + (c.root + i) % 12)
            for c in score.chords[:4]
            for i in c.intervals
        )
        song = Song((Track("melody", 0, melody), Track("chords", 0, below)), 120.0)
        write_midi(folder / f"tune{seed}.mid", song)
    (folder / "broken.mid").write_bytes(b"MThd")
    return folder


def hashes(out: Path) -> dict[str, object]:
    manifest = json.loads((out / "pairs.json").read_text())
    return {
        name: (pair["classical"]["files"], pair["jazz"]["files"], pair["key"])
        for name, pair in manifest["pairs"].items()
    }


def test_pairs_from_scores(
    scores: Path, soundfont: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def arranged(out: Path) -> int:
        command = ["arrange", str(scores), "--out", str(out), "--n-jobs", "1", "--seed", "3"]
        with pytest.raises(SystemExit) as stop:
            cli.main([*command, "--soundfont", str(soundfont)])
        return int(stop.value.code or 0)

    out = tmp_path / "pairs"
    assert arranged(out) == 1
    told = "".join(capsys.readouterr())
    assert "broken.mid: is no readable MIDI file" in told
    assert "1 of 3 scores could not be used" in told
    made = hashes(out)
    assert sorted(made) == ["tune0", "tune1"]
    record = json.loads((out / "pairs.json").read_text())["pairs"]["tune0"]
    assert record["classical"]["n_samples"] == record["jazz"]["n_samples"]
    assert record["soundfont"] == soundfont.name
    files = {p: p.stat().st_mtime_ns for p in out.rglob("tune*.*") if p.suffix != ".json"}
    assert len(files) == 8
    lost = out / "jazz" / "tune1.flac"
    lost.unlink()
    assert arranged(out) == 1  # only what is missing is made again, and comes out the same
    assert hashes(out) == made
    again = [p for p, mtime in files.items() if p.stat().st_mtime_ns != mtime]
    assert {path.stem for path in again} == {"tune1"}
    assert arranged(tmp_path / "other") == 1
    assert hashes(tmp_path / "other") == made


def test_of_soundfonts_of_one_name_the_one_that_is_recorded_plays(
    scores: Path, soundfont: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts = [tmp_path / folder / "same.sf2" for folder in "ab"]
    for font in fonts:
        font.parent.mkdir()
        font.write_bytes(soundfont.read_bytes() + font.parent.name.encode())
    played = []

    def note(arrangement: object, font: Path, scene: object) -> np.ndarray:
        played.append(sha256(font))
        return np.zeros(SR, np.float32)

    monkeypatch.setattr(pairs, "render", note)
    recorded = []
    for seed in range(8):
        (job,) = pairs.plan([scores / "tune0.mid"], soundfonts=fonts, seed=seed)
        made = pairs.make_pair(job, tmp_path / str(seed), "nobody")
        assert isinstance(made, pairs.Made)
        recorded += 2 * [made.record["soundfont_sha256"]]
    assert played == recorded
    assert len(set(played)) == 2


def test_other_scores_and_variants_do_not_matter(scores: Path, soundfont: Path) -> None:
    found = pairs.find_scores([scores])
    assert [path.name for path in found] == ["broken.mid", "tune0.mid", "tune1.mid"]
    jobs = pairs.plan(found, variants=2, soundfonts=[soundfont])
    assert [job.name for job in jobs[2:4]] == ["tune0.1", "tune0.2"]
    first, second = (pairs._seed(job) for job in jobs[2:4])
    assert random.Random(first).random() != random.Random(second).random()


def test_misuse_is_explained(scores: Path, soundfont: Path, tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError, match="holds no scores; give"):
        (tmp_path / "empty").mkdir()
        pairs.find_scores([tmp_path / "empty"])
    with pytest.raises(ThirdstreamError, match="no such soundfont"):
        pairs.plan([scores / "tune0.mid"], soundfonts=[tmp_path / "a.sf2"])
    with pytest.raises(ThirdstreamError, match="make at least one"):
        pairs.plan([scores / "tune0.mid"], soundfonts=[soundfont], variants=0)
    jobs = pairs.plan([scores / "tune0.mid"], soundfonts=[soundfont])
    with pytest.raises(ThirdstreamError, match="holds no pairs; choose a new folder"):
        list(pairs.make_pairs(jobs, scores, n_jobs=1))
