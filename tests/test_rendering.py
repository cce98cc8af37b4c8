"""Rendering and pairs: versions by their length and level, pairs by their bytes."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from test_arranging import tune
from test_room import DRY
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.data import pairs
from thirdstream.files import ThirdstreamError, sha256
from thirdstream.notes import rendering
from thirdstream.notes.arranging import STYLES, Arrangement, Setting, arrange
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.rendering import ORCHESTRA, draw_scene
from thirdstream.notes.rendering.recording import PEAK
from thirdstream.notes.types import Note, Score, Song, Track


def short(style: str = "jazz") -> Arrangement:
    """Four bars of the tune."""
    whole = tune()
    melody = tuple(note for note in whole.melody if note.end <= 16)
    score = Score("short", melody, whole.chords[:4])
    return arrange(score, style, Setting("0", 0, 160.0, "string quartet", "swing"))


def test_both_styles_are_equally_long_and_loud() -> None:
    waves = [rendering.render(short(s), ORCHESTRA, draw_scene(s, seed="1")) for s in STYLES]
    n_samples = round((4 * 4 * 60 / 160 + rendering.TAIL_S) * SR)
    for wave in waves:
        assert wave.shape == (n_samples,)
        assert wave.dtype == np.float32
        assert np.abs(wave).max() <= PEAK
        assert 20 * np.log10(np.sqrt(np.square(wave).mean())) == pytest.approx(-20, abs=0.5)


def test_same_seed_same_samples() -> None:
    first, second, other = (
        rendering.render(short(), ORCHESTRA, draw_scene("jazz", seed=s)) for s in "112"
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_broken_soundfont_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF, but not really")
    with pytest.raises(ThirdstreamError, match=r"broken\.sf2: is no readable soundfont"):
        rendering.render(short(), broken, DRY)


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
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def arranged(out: Path) -> int:
        command = ["arrange", str(scores), "--out", str(out), "--n-jobs", "1", "--seed", "3"]
        with pytest.raises(SystemExit) as stop:
            main.main([*command, "--soundfont", str(ORCHESTRA)])
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
    assert record["soundfont"] == ORCHESTRA.name
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
    scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts = [tmp_path / folder / "same.sf2" for folder in "ab"]
    for font in fonts:
        font.parent.mkdir()
        font.write_bytes(ORCHESTRA.read_bytes() + font.parent.name.encode())
    played = []

    def note(arrangement: object, font: Path, scene: object) -> np.ndarray:
        played.append(sha256(font))
        return np.zeros(SR, np.float32)

    monkeypatch.setattr(pairs, "render", note)
    recorded = []
    for seed in range(8):
        (job,) = pairs.plan([scores / "tune0.mid"], soundfonts=fonts, seed=seed)
        made = pairs.make_pair(job, tmp_path / str(seed))
        assert isinstance(made, pairs.Made)
        recorded += 2 * [made.record["soundfont_sha256"]]
    assert played == recorded
    assert len(set(played)) == 2


def test_other_scores_and_variants_do_not_matter(scores: Path) -> None:
    found = pairs.find_scores([scores])
    assert [path.name for path in found] == ["broken.mid", "tune0.mid", "tune1.mid"]
    jobs = pairs.plan(found, variants=2, soundfonts=[ORCHESTRA])
    assert [job.name for job in jobs[2:4]] == ["tune0.1", "tune0.2"]
    first, second = (pairs._seed(job) for job in jobs[2:4])
    assert random.Random(first).random() != random.Random(second).random()


def test_misuse_is_explained(scores: Path, tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError, match="holds no scores; give"):
        (tmp_path / "empty").mkdir()
        pairs.find_scores([tmp_path / "empty"])
    with pytest.raises(ThirdstreamError, match="no such soundfont"):
        pairs.plan([scores / "tune0.mid"], soundfonts=[tmp_path / "a.sf2"])
    with pytest.raises(ThirdstreamError, match="make at least one"):
        pairs.plan([scores / "tune0.mid"], soundfonts=[ORCHESTRA], variants=0)
    jobs = pairs.plan([scores / "tune0.mid"], soundfonts=[ORCHESTRA])
    with pytest.raises(ThirdstreamError, match="holds no pairs; choose a new folder"):
        list(pairs.make_pairs(jobs, scores, n_jobs=1))
