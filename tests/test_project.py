"""What README and recipes say is true of the code."""

import re
import runpy
from pathlib import Path

import pytest
import soundfile as sf

import thirdstream
from conftest import music
from thirdstream import cli

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
    twins = ("twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")
    assert (*twins, "score") == thirdstream.SYSTEMS


def test_melody_and_chords_of_each_tune_are_equally_long() -> None:
    tunes = runpy.run_path(str(ROOT / "recipes" / "tunes.py"))["CLIPS"]
    for name, (style, (melody, chords), _, _) in tunes.items():
        assert name.startswith(style)
        beats = [
            sum(float(word.split(":")[1]) for word in line.split()) for line in (melody, chords)
        ]
        assert beats[0] == beats[1], name
