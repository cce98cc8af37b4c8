"""What the pages say is true: examples run, links and messages exist, nothing is fetched.

In pages, a block fenced as `sh` is an example that must work; indented blocks are for reading only.
"""

import ast
import contextlib
import functools
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from conftest import STYLES, music
from test_arranging import tune
from test_benchmark import TUNES
from test_cli import run
from thirdstream import registry
from thirdstream.audio import SEGMENT, SR
from thirdstream.cli import main
from thirdstream.files import make_folder
from thirdstream.notes.arranging import Setting, arrange
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.packages import MissingPackage
from thirdstream.report.reproduction import Reproduction

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", *(f"docs/{name}.md" for name in ("index", "train", "commands", "scripting")))
# These take longer than all others together; they are parsed here, and run in other tests.
RUN_ELSEWHERE = {"demo", "tune", "evaluate", "report", "figures", "claims", "arrange"}
RUN_ELSEWHERE |= {"benchmark", "convert", "listen", "listen-test", "reproduce", "serve"}


def lines_of(page: str) -> list[str]:
    """The lines of all examples of a page that call thirdstream."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
        for line in block.splitlines()
        if "thirdstream " in line
    ]


EXAMPLES = [(page, line) for page in PAGES for line in lines_of(page)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that examples speak of, after those of train.md."""
    folder = tmp_path_factory.mktemp("examples")
    for number, style in enumerate(STYLES):
        (folder / "music" / style).mkdir(parents=True)
        for k in range(2):
            wave = music(10 * number + k, SEGMENT + 5_000)
            sf.write(folder / "music" / style / f"piece{k}.wav", wave, SR)
    clips = "src/thirdstream/clips"
    (folder / clips).mkdir(parents=True)
    for name in ("song.wav", "other.wav", "song.mp3", f"{clips}/classical_greensleeves.ogg"):
        sf.write(folder / name, music(0, SR), SR)
    (folder / "scores").mkdir()
    (folder / "scores" / "tune.musicxml").write_bytes(TUNES["first"])
    song = arrange(tune(4, 1), "jazz", Setting("0", 0, 140.0, "piano", "swing")).song
    make_folder(folder / "tangos")
    write_midi(folder / "tangos" / "one.mid", song, Timing.steady(140.0))
    make_folder(folder / "preludes")
    sf.write(folder / "preludes" / "one.flac", 0.2 * play(song, ORCHESTRA, 24 * SR).T, SR)
    with contextlib.chdir(folder):
        run_all(lines_of("docs/train.md"))
        shutil.rmtree("restyled")
    return folder


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THIRDSTREAM_MODELS", str(tmp_path))


TRANSCRIBING = {"score", "index", "preludes.safetensors"}  # words of lines that need it


@functools.cache
def transcribes() -> bool:
    """Whether the transcriber is installed."""
    try:
        Transcriber()
    except MissingPackage:
        return False
    return True


@pytest.mark.parametrize(("page", "line"), EXAMPLES)
def test_examples_are_understood(
    page: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands, options and their values exist."""
    seen, function_of = [], main.function_of

    def noting(name: str) -> Callable[..., None]:
        @functools.wraps(function_of(name))
        def noted(*given: object, **options: object) -> None:
            seen.append(name)

        return noted

    monkeypatch.setattr(main, "function_of", noting)
    assert run(*words_of(line)) == 0, capsys.readouterr().err
    assert len(seen) == 1


def words_of(line: str) -> list[str]:
    """The arguments of the `thirdstream` in a line, without pipes and redirections."""
    part = next(part for part in line.split(" | ") if part.startswith("thirdstream "))
    return shlex.split(re.sub(r" [<>] \S+", "", part))[1:]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/train.md"])
def test_examples_run(
    page: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    # In a second of tones there is nothing to hear for score.
    monkeypatch.setattr(registry, "default_system", lambda: (registry.BASELINE, ""))
    run_all(lines_of(page))


def run_all(lines: list[str]) -> None:
    """Run them where we are, trainings with one epoch or two; what was trained already stays."""
    for line in lines:
        words = words_of(line)
        if words[0] in RUN_ELSEWHERE or (not transcribes() and {*words} & TRANSCRIBING):
            continue
        if words[0] == "train" and "--resume" not in words:
            if Path(words[words.index("--out") + 1]).exists():
                continue
            words = with_options(words, {"--epochs": "1", "--batch-size": "2"})
        elif words[0] == "train" and "--epochs" in words:  # one more than there are
            words = with_options(words, {"--epochs": "2"})
        elif words[0] in ("prepare", "arrange"):
            words = with_options(words, {"--n-jobs": "1"})
        with piped(line):
            assert run(*words) == 0, line


def with_options(words: list[str], options: dict[str, str]) -> list[str]:
    """The same command with these options, whether it had them or not."""
    for name, value in options.items():
        at = words.index(name) if name in words else len(words)
        words = [*words[:at], name, value, *words[at + 2 :]]
    return words


@contextlib.contextmanager
def piped(line: str) -> Iterator[None]:
    """Standard input and output as the line says, without a shell."""
    source, target = re.search(r"(?:cat|<) (\S+)", line), re.search(r"> (\S+)", line)
    before = sys.stdin, sys.stdout
    with contextlib.ExitStack() as stack:
        if source and "-" in words_of(line):
            sys.stdin = stack.enter_context(Path(source[1]).open())
        if target:
            sys.stdout = stack.enter_context(Path(target[1]).open("w"))
        try:
            yield
        finally:
            sys.stdin, sys.stdout = before


def test_the_page_of_all_numbers_is_the_report_of_the_results(tmp_path: Path) -> None:
    results = ROOT / "src" / "thirdstream" / "evaluation" / "benchmark-results.json"
    page = tmp_path / "page.md"
    assert run("report", str(results), "--out", str(page)) == 0
    kept = (ROOT / "docs" / "benchmark-results.md").read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8") == kept


def test_every_command_has_an_example() -> None:
    named = {words_of(line)[0] for _, line in EXAMPLES}
    assert named == set(main.COMMANDS)
    headings = re.findall(r"^### ([\w-]+)$", (ROOT / "docs" / "commands.md").read_text(), re.M)
    assert set(headings) == set(main.COMMANDS)


@pytest.mark.slow
def test_the_pages_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sf.write("song.wav", music(0, 5_000), SR)
    assert run("export", "twin-cnn", "--to", "jazz", "--out", "jazz.onnx", "--quiet") == 0
    names = {}
    for page in ("python.md", "scripting.md"):
        [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.S)
        Path("block.py").write_text(block)
        names |= runpy.run_path("block.py")
    assert sf.info("jazz.wav").frames == 5_000
    assert names["restyled"].shape == (1, 100, 256)
    assert np.isfinite(names["restyled"]).all()


def test_messages_in_troubleshooting_are_ours() -> None:
    """Each term that is explained is part of a text in the code, where {} stands for anything."""
    texts = []
    for path in (ROOT / "src" / "thirdstream").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    terms = re.findall(r"^`([^`]+)`\n:", page, re.M)
    assert len(terms) > 15
    for term in terms:
        assert any(term in text for text in texts), term


def test_the_limits_of_the_page_are_in_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever opens the page to others must find what limits it and what names it."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    said = page.partition("### serve")[2].partition("\n### ")[0]
    assert run("serve", "--help") == 0
    options = set(re.findall(r"--[a-z]+-[a-z]+", capsys.readouterr().out))
    assert {"--session-mb", "--allow-host"} <= options
    assert [one for one in sorted(options) if one not in said] == []


def test_every_dependency_has_its_licence_in_the_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        needed += extra
    names = {re.split(r"[^\w-]", one)[0] for one in needed} - {"thirdstream"}
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    assert names <= set(re.findall(r"^\| ([\w-]+) \|", page, re.M))


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(https?:[^\s\"'>]+)", text
        )
        assert not loaded, page


def test_the_paper_models_are_rows_of_the_benchmark_and_of_the_readme() -> None:
    """What is called a baseline is measured."""
    results = ROOT / "src" / "thirdstream" / "evaluation" / "benchmark-results.json"
    measured = json.loads(results.read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in registry.TWINS:
        assert f"{name}-paper" in measured["scores"]
        rate, recall = (
            measured["scores"][f"{name}-paper"]["classical_to_jazz"][metric]["mean"]
            for metric in ("target_style_rate", "melody_recall")
        )
        assert re.search(rf"\| {name}-paper \| {rate:.2f} \[.*?\| {recall:.2f} \[", readme)


def test_the_replication_study_has_the_numbers_of_its_results() -> None:
    page = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    text = (ROOT / "docs" / "reproduction" / "results.json").read_text(encoding="utf-8")
    results = Reproduction.model_validate_json(text)
    for name, one in results.losses.items():
        seeds = ", ".join(f"{value:.4f}" for value in one.test)
        mean = sum(one.test) / len(one.test)
        row = f"| {name} | {one.n_parameters:,} | {one.paper:.5f} | {mean:.4f} | {seeds} |"
        assert row in page
        own = [one.verdict for one in results.findings if one.statement.startswith(f"{name}: ")]
        column = list(results.losses).index(name)
        rows = re.findall(r"^\|((?: [a-z -]+ \|){5})$", page, re.M)
        assert [row.split("|")[column + 1].strip() for row in rows[1:]] == own
