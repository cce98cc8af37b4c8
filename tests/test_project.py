"""What README and recipes say is true of the code."""

import importlib
import re
import runpy
import shutil
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
import soundfile as sf
from packaging.specifiers import SpecifierSet

import thirdstream
from conftest import music
from thirdstream import registry
from thirdstream.data.corpus import Corpus
from thirdstream.report.results import benchmark_results

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("recipes/*.py")])
WAYS = ("classical_to_jazz", "jazz_to_classical")
METRICS = ("target_style_rate", "melody_recall", "chroma_cosine")
BASELINES = {
    "same piece, other style": "true-target",
    "another piece, other style": "copy-target",
    "original, unchanged": "copy-content",
}


def rows_of(text: str) -> dict[str, list[str]]:
    """The cells of those rows of a page's tables that begin with a system or a baseline."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    named = {BASELINES.get(name, name.strip("*")): cells for name, *cells in rows}
    return {name: cells for name, cells in named.items() if name in benchmark_results().scores}


def test_the_readmes_table_is_that_of_the_results() -> None:
    """To two decimals with intervals, to jazz and to classical: classification rate, melody."""
    shown, scores = rows_of(README), benchmark_results().scores
    assert set(shown) == {registry.DEFAULT, *registry.DEMONSTRATED, *BASELINES.values()}
    for name, cells in shown.items():
        expected = [
            "{0.mean:.2f} [{0.low:.2f}, {0.high:.2f}]".format(scores[name][way][metric])
            for way in WAYS
            for metric in METRICS[:2]
        ]
        assert cells == expected, name


def test_the_benchmarks_table_is_that_of_the_results() -> None:
    """Of all systems and baselines, to two decimals, to jazz and to classical."""
    page = (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8")
    shown, scores = rows_of(page.partition("\n## Results\n")[2]), benchmark_results().scores
    assert set(shown) == set(scores)
    for name, cells in shown.items():
        expected = [
            ", ".join(f"{scores[name][way][metric].mean:.2f}" for way in WAYS) for metric in METRICS
        ]
        assert cells == expected, name


def test_every_locked_package_but_torch_has_its_hashes() -> None:
    def names(path: str) -> set[str]:
        found = re.findall(r"^([\w.-]+)==", (ROOT / path).read_text(), re.M)
        return {re.sub(r"[-_.]+", "-", name).lower() for name in found}

    assert names("requirements.hashes") == names("requirements.lock") - {"torch"}


def test_the_locked_packages_that_are_installed_run_on_the_oldest_python() -> None:
    """The first release of it: Debian's stable has one of the first."""
    stated = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (oldest,) = re.findall(r'^requires-python = ">=([\d.]+)"', stated, re.M)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    refused = {}
    for name in re.findall(r"^([\w.-]+)==", lock, re.M):
        with suppress(PackageNotFoundError):  # of another system, or of `make audit`
            stated = metadata(name).get("Requires-Python") or ""
            if f"{oldest}.0" not in SpecifierSet(stated):
                refused[name] = stated
    assert not refused


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
    clip = tmp_path / "src" / "thirdstream" / "clips" / "classical_greensleeves.ogg"
    clip.parent.mkdir(parents=True)
    sf.write(clip, music(0, 5_000), 44_100)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "block.py").write_text(block[1])
    names = runpy.run_path("block.py")
    assert names["jazz"].shape == names["wave"].shape


def test_the_public_names() -> None:
    assert all(hasattr(thirdstream, name) for name in thirdstream.__all__)
    papers = ("twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")
    assert {*papers, "twin-paired", "travel", "score"} <= set(thirdstream.SYSTEMS)


def test_melody_and_chords_of_each_tune_are_equally_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    for name, tune in importlib.import_module("tunes").CLIPS.items():
        assert name.startswith(tune.style)
        melody, chords = (
            sum(float(word.split(":")[1]) for word in line.split())
            for line in (tune.melody, tune.chords)
        )
        assert melody == tune.pickup + chords, name


@pytest.mark.parametrize(
    "script",
    [one for one in SCRIPTS if 'if __name__ == "__main__":' in one.read_text(encoding="utf-8")],
    ids=lambda one: f"{one.parent.name}/{one.name}",
)
def test_a_script_explains_itself(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reads_arguments = re.search("tyro|argparse", script.read_text(encoding="utf-8"))
    assert reads_arguments, "it would do its work, and write over what is there"
    for folder in ("recipes", "benchmarks"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert not ended.value.code
    assert capsys.readouterr().out.startswith("usage: ")


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
