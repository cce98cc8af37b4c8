"""A larger gallery for cover retrieval: which recordings are in it, and what it does to results."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from conftest import STYLES, music
from test_evaluate import TAGGER_ALONE
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.evaluation import evaluate, gallery, material, measure, retrieval
from thirdstream.files import ThirdstreamError, write_json


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Two recordings of each style."""
    for seed, style in enumerate(STYLES):
        (tmp_path / "real" / style).mkdir(parents=True)
        for number in range(2):
            path = tmp_path / "real" / style / f"{style}{number}.wav"
            sf.write(path, music(10 * seed + number, 8 * SR), SR)
    return tmp_path / "real"


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Three other recordings, one that is silent, and one that is too short to be looked at."""
    folder = tmp_path / "others"
    folder.mkdir()
    for number in range(3):
        sf.write(folder / f"other{number}.wav", music(100 + number, 8 * SR), SR)
    sf.write(folder / "silent.wav", np.zeros(8 * SR), SR)
    sf.write(folder / "short.wav", music(200, 3 * SR), SR)
    return folder


def evaluated(real: Path, out: Path, *more: str) -> dict[str, Any]:
    main.main(
        ["evaluate", "--corpus", str(real), "--out", str(out), "--excerpt-s", "8",
         "--models", "--references", "2", "--examples", "0", "--n-jobs", "1", *more]
    )  # fmt: skip
    return json.loads(out.read_text())


def test_others_make_a_gallery_larger_and_chance_less(
    real: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(measure, "evaluation_models", lambda: TAGGER_ALONE)
    monkeypatch.setattr(evaluate, "output_of", lambda entry, wave, job, settings: (wave, {}))
    plain = evaluated(real, tmp_path / "plain.json")
    (others / "silent.wav").rename(tmp_path / "silent.wav")
    larger = evaluated(real, tmp_path / "larger.json", "--gallery", str(others), str(real))
    assert (plain["gallery"], larger["gallery"]) == (4, 7)  # those evaluated do not come twice
    for direction, scores in larger["scores"]["copy-content"].items():
        assert scores["cover_hit_at_1"]["mean"] == 1
        assert larger["chance"][direction]["cover_mrr"] == pytest.approx(retrieval.chance(7))
    assert "gallery" in larger["hashes"] and "gallery" not in plain["hashes"]
    assert plain["hashes"]["references"] == larger["hashes"]["references"]
    (tmp_path / "silent.wav").rename(others / "silent.wav")
    with pytest.raises(SystemExit):
        evaluated(real, tmp_path / "larger.json", "--gallery", str(others))
    assert "silent.wav" in capsys.readouterr().err
    assert json.loads((tmp_path / "larger.json").read_text())["gallery"] == 7


def test_what_is_kept_is_not_computed_again(
    real: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = gallery.find([others, others], material.open_material(real))
    assert [item.path.name for item in found][:2] == ["other0.wav", "other1.wav"]
    settings, work = evaluate.Settings(excerpt_s=8.0), tmp_path / "work"
    first = list(gallery.run(found, settings, work, n_jobs=1))
    monkeypatch.setattr(gallery, "excerpt", None)
    kept = [one for one in first if one.rows]
    again = list(gallery.run([one.job.item for one in kept], settings, work, n_jobs=1))
    assert len(kept) == 4 and [one.rows for one in again] == [one.rows for one in kept]


def test_versions_of_pairs_are_known_and_a_folder_without_recordings_is_refused(
    real: Path, tmp_path: Path
) -> None:
    record = {"format": "wav", "beats_per_minute": 100.0, "melody": [[0.0, 1.0, 60]], "n_bars": 4,
              "bar_s": 2.0, "chords": [[0.0, 4.0, 0, [0, 4, 7], 0]]}  # fmt: skip
    for split in ("train", "test"):
        folder = tmp_path / "bench" / split
        shutil.copytree(real, folder)
        for style in STYLES:
            (folder / style / f"{style}0.wav").rename(folder / style / "a piece.1.wav")
        write_json(folder / "pairs.json", {"pairs": {"a piece.1": record}})
    write_json(tmp_path / "bench" / "benchmark.json", {"seed": 1, "splits": {}})
    found = gallery.find([tmp_path / "bench"], material.open_material(real))
    assert [item.piece for item in found] == ["a piece"] * 4
    (tmp_path / "empty").mkdir()
    with pytest.raises(ThirdstreamError, match="empty"):
        gallery.find([tmp_path / "empty"], material.open_material(real))
