"""What README and recipes say is true of the code."""

import importlib
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import soundfile as sf

import thirdstream
from conftest import music
from thirdstream.cli import main
from thirdstream.data.corpus import Corpus
from thirdstream.web.cards import benchmark_results

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WAYS = ("classical_to_jazz", "jazz_to_classical")
METRICS = ("accepted_share", "melody_recall", "chroma_cosine")


def test_every_command_is_in_the_readme() -> None:
    assert {f"`{name}`" for name in main.COMMANDS} <= set(re.findall(r"`\w+`", README))


CORNERS = {
    "the same piece, arranged in the other style": "true-target",
    "another piece in the other style (chance)": "copy-target",
    "the recording unchanged": "copy-content",
}


def test_the_readmes_table_is_that_of_the_results() -> None:
    """To two decimals, both ways: accepted share, melody recall, chroma cosine."""
    scores = benchmark_results()["scores"]
    rows = re.findall(r"^\| ([^|]+) \| (\d[^|]+) \| (\d[^|]+) \| (\d[^|]+) \|$", README, re.M)
    shown = {name.strip("*"): cells for name, *cells in rows if cells[0].count(",") == 1}
    assert {"score", "twin-paired", "twin-cnn", *CORNERS} <= set(shown)
    for name, cells in shown.items():
        both = [scores[CORNERS.get(name, name)][way] for way in WAYS]
        for cell, metric in zip(cells, METRICS, strict=True):
            expected = ", ".join(f"{one[metric]['mean']:.2f}" for one in both)
            assert cell.strip() == expected, f"{name}, {metric}"


def test_every_locked_package_but_torch_has_its_hashes() -> None:
    def names(path: str) -> set[str]:
        found = re.findall(r"^([\w.-]+)==", (ROOT / path).read_text(), re.M)
        return {re.sub(r"[-_.]+", "-", name).lower() for name in found}

    assert names("requirements.hashes") == names("requirements.lock") - {"torch"}


def test_make_takes_nothing_without_its_hash_but_torch() -> None:
    makefile = (ROOT / "Makefile").read_text()
    hashed, *others = re.findall(r"^\t\$\(PIP\) (.*)", makefile, re.M)
    assert hashed == "--no-deps --require-hashes -r .venv/$(1).hashes"
    assert others[0].startswith("torch==")
    assert others[1:] == ["--no-deps --no-build-isolation -e ."]  # fetches nothing
    sections = re.findall(r"^# (\w+)$", (ROOT / "requirements.hashes").read_text(), re.M)
    steps = re.findall(r"\$\(call install,(\w+)\)", makefile)
    assert sections == [*steps, "others"]


@pytest.mark.slow
def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```python\n(.*?)```", README, re.S)
    assert block is not None
    sf.write(tmp_path / "song.wav", music(0, 5_000), 44_100)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "block.py").write_text(block[1])
    names = runpy.run_path("block.py")
    assert names["jazz"].shape == names["wave"].shape


def test_the_public_names() -> None:
    assert all(hasattr(thirdstream, name) for name in thirdstream.__all__)
    papers = ("twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")
    assert ["score", *papers, "twin-paired", "travel"] == list(thirdstream.SYSTEMS)


def test_melody_and_chords_of_each_tune_are_equally_long() -> None:
    tunes = runpy.run_path(str(ROOT / "recipes" / "tunes.py"))["CLIPS"]
    for name, (style, (melody, chords), _, _) in tunes.items():
        assert name.startswith(style)
        beats = [
            sum(float(word.split(":")[1]) for word in line.split()) for line in (melody, chords)
        ]
        assert beats[0] == beats[1], name


def test_the_tables_of_reconstruction_can_be_made(
    small_corpus: Corpus, model: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    for name in ("score", "rate"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    published = tmp_path / "published-mine.safetensors"
    shutil.copy(model, published)
    importlib.import_module("score").main(str(small_corpus.path), str(model), str(published))
    rows = [line for line in capsys.readouterr().out.splitlines() if "| twin-cnn |" in line]
    assert len(rows) == 2 and all("1.000x" in row for row in rows)
    figure = tmp_path / "rate.png"
    arguments = (str(small_corpus.path), str(figure), str(model), str(published))
    importlib.import_module("rate").main(*arguments)
    assert figure.stat().st_size > 1000
    n_values = 2 * 33 * 32  # 2 channels; an eighth of 259 frames and of 256 mels, rounded up
    assert f"{n_values * 44_100 / 131_072:,.0f}" in capsys.readouterr().out
