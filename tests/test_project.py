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
from thirdstream import cli
from thirdstream.corpus import Corpus

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_in_the_readme() -> None:
    assert {f"`{name}`" for name in cli.COMMANDS} <= set(re.findall(r"`\w+`", README))


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
    assert (*papers, "twin-paired", "travel", "score") == thirdstream.SYSTEMS


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
