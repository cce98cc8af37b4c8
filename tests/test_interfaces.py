"""What scripts and shells rely on: JSON, pipes, colours, loudness, completion, names of models."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
from rich.console import Console

from test_cli import run
from thirdstream import registry
from thirdstream.audio import SR
from thirdstream.cli import console, main
from thirdstream.data.corpus import Corpus


@pytest.fixture(autouse=True)
def usual_loudness() -> None:
    console.set_loudness(quiet=False, verbose=False)


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, empty."""
    folder = tmp_path / "own models"
    monkeypatch.setenv("THIRDSTREAM_MODELS", str(folder))
    folder.mkdir()
    return folder


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes, *, terminal: bool = False) -> None:
    """Let `content` come on standard input."""
    given = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: terminal)
    monkeypatch.setattr(sys, "stdin", given)


# --- JSON ---------------------------------------------------------------------------------------


def test_json_of_a_transfer_tells_of_every_recording(
    song: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, out = tmp_path / "bad.wav", tmp_path / "o"
    bad.write_text("no music")
    common = ("transfer", song, bad, "--to", "jazz", "--model", model, "--out", out, "--json")
    assert run(*common) == 1
    results = json.loads(capsys.readouterr().out)["results"]
    assert [one["status"] for one in results] == ["written", "failed"]
    assert results[0] == {
        "input": str(song), "output": str(out / "song.wav"), "status": "written",
        "remark": None, "error": None,
    }  # fmt: skip
    assert "bad.wav: is not audio" in results[1]["error"]
    assert run(*common, "--skip-existing") == 1
    assert json.loads(capsys.readouterr().out)["results"][0]["status"] == "skipped"


def test_json_of_models_corpora_and_systems(
    small_corpus: Corpus, model: Path, own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(model, own_models / "mine.safetensors")
    assert run("info", "mine", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["path"]) == ("model", str(own_models / "mine.safetensors"))
    assert told["header"]["family"] == "twin-cnn"
    assert run("info", small_corpus.path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "corpus"
    assert told["styles"] == small_corpus.summary()
    assert run("systems", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["systems"]] == list(registry.SYSTEMS)
    assert told["systems"][1]["presets"]["paper"] == 8054
    assert told["user_folder"] == str(own_models)
    assert told["models"][-1] == {
        "name": "mine", "system": "twin-cnn", "origin": "user",
        "path": str(own_models / "mine.safetensors"),
    }  # fmt: skip


def test_json_of_a_corpus_that_is_made(
    recordings: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, sources = tmp_path / "corpus", [f"{style}={path}" for style, path in recordings.items()]
    assert run("prepare", *sources, "--out", out, "--n-jobs", 1, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"path": str(out), "styles": Corpus.open(out).summary(), "skipped": []}


# --- names --------------------------------------------------------------------------------------


def test_models_are_found_by_path_then_bundled_then_in_the_users_folder(
    model: Path, own_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_models / "a run").mkdir()
    shutil.copy(model, own_models / "a run" / "best.safetensors")
    shutil.copy(model, own_models / "twin-cnn.safetensors")
    assert registry.find("a run") == own_models / "a run" / "best.safetensors"
    assert registry.find("twin-cnn") == registry.MODELS / "twin-cnn.safetensors"
    assert registry.user_names() == ["a run"]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(own_models / "a run", tmp_path / "twin-cnn")
    assert registry.find("twin-cnn") == Path("twin-cnn") / "best.safetensors"


def test_the_users_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THIRDSTREAM_MODELS")
    assert registry.user_folder().parts[-2:] == ("thirdstream", "models")


def test_a_file_that_is_no_model_is_listed_as_such(
    own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_models / "broken.safetensors").write_text("no model")
    assert run("systems", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["models"][-1]["system"] is None
    assert "broken.safetensors: is not a thirdstream model" in told.err


def test_the_score_system_has_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "score") == 1
    assert "is a system without a model" in capsys.readouterr().err


# --- pipes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [None, 0x7FFFF000, 0xFFFFFFFF])
def test_wav_in_wav_out(
    length: int | None, song: Path, model: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    """Programs that write to pipes do not know the length: their headers promise far too much."""
    content = bytearray(song.read_bytes())
    if length is not None:
        for at in (4, content.index(b"data") + 4):
            content[at : at + 4] = length.to_bytes(4, "little")
    piped(monkeypatch, bytes(content))
    given = ("--to", "jazz", "--model", model)
    assert run("transfer", "-", *given, "--out", "-") == 0
    heard, sr = sf.read(io.BytesIO(capsysbinary.readouterr().out), dtype="float32")
    assert (sr, heard.shape) == (SR, (20_000,))
    if length is None:
        assert run("transfer", song, *given, "--out", tmp_path / "same.wav") == 0
        np.testing.assert_array_equal(heard, sf.read(tmp_path / "same.wav", dtype="float32")[0])


def test_from_a_file_into_a_pipe_and_from_a_pipe_into_a_file(
    song: Path, model: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    given = ("--to", "jazz", "--model", model)
    assert run("transfer", song, *given, "--out", "-", "--format", "flac") == 0
    assert capsysbinary.readouterr().out.startswith(b"fLaC")
    piped(monkeypatch, song.read_bytes())
    assert run("transfer", "-", *given, "--out", tmp_path / "o", "--json") == 0
    told = json.loads(capsysbinary.readouterr().out)["results"]
    assert [(one["input"], one["output"]) for one in told] == [("-", str(tmp_path / "o/stdin.wav"))]
    assert sf.info(tmp_path / "o" / "stdin.wav").frames == 20_000


@pytest.mark.parametrize(
    ("content", "more", "fault"),
    [
        (b"", [], "standard input is empty"),
        (b"no music at all", [], "thirdstream: standard input: is not audio"),
        (b"x", ["{song}"], "- stands for a single recording"),
        (b"x", ["--json"], "standard output can't hold both"),
    ],
)
def test_faults_of_pipes(
    content: bytes, more: list[str], fault: str, song: Path, model: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    piped(monkeypatch, content)
    filled = [one.format(song=song) for one in more]
    given = ("--to", "jazz", "--model", model, "--out", "-")
    assert run("transfer", "-", *filled, *given) == 1
    told = capsys.readouterr()
    assert fault in told.err
    assert told.out == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_is_full_behind_a_pipe_is_named(song: Path, model: Path) -> None:
    command = [sys.executable, "-m", "thirdstream", "transfer", str(song), "--to", "jazz"]
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(
            [*command, "--model", str(model), "--out", "-"],
            check=False, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert told.returncode == 1
    assert b"standard output: cannot be written (No space left on device)" in told.stderr
    assert b"unexpected" not in told.stderr


def test_a_terminal_is_no_recording(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piped(monkeypatch, b"", terminal=True)
    assert run("transfer", "-", "--to", "jazz", "--model", model, "--out", "x.wav") == 1
    assert "standard input is a terminal" in capsys.readouterr().err


# --- loudness and colours -----------------------------------------------------------------------


def test_quiet_leaves_results_and_faults(
    song: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, given = tmp_path / "bad.wav", ("--to", "jazz", "--model", model, "--out", tmp_path / "o")
    bad.write_text("no music")
    assert run("transfer", song, *given, "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert run("transfer", song, bad, *given, "-q", "--force", "--json") == 1
    told = capsys.readouterr()
    assert len(json.loads(told.out)["results"]) == 2
    lines = told.err.splitlines()
    assert len(lines) == 2
    assert "bad.wav: is not audio" in lines[0]
    assert "1 of 2 recordings failed" in lines[1]


def test_verbose_tells_what_is_used(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", model, "--json", "--verbose") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["kind"] == "model"
    assert f"model {model} is {model}" in told.err
    assert "torch" in told.err
    assert "it took" in told.err


def test_no_color(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in _shown(Console(force_terminal=True, file=io.StringIO()))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    try:
        assert run("transfer", "--help") == 0
        assert "\x1b" not in capsys.readouterr().out
        assert run("transfer") == 2
        assert "\x1b" not in capsys.readouterr().err
    finally:
        main.tyro._experimental_options["ansi_codes"] = True
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[3" in _shown(Console(force_terminal=True, file=io.StringIO()))


def _shown(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    shown.print("text", style="red")
    return shown.file.getvalue()


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("thirdstream 0.")


# --- completion ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", shell) == 0
    text = capsys.readouterr().out
    assert "transfer" in text
    assert "skip-existing" in text
    assert run("completion", "--help") == 0
    assert "bash, zsh or fish" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["thirdstream", "tra"], {"train", "transfer"}),
        (["thirdstream", "info", "--js"], {"--json"}),
    ],
)
def test_bash_completes_commands_and_options(
    words: list[str], wanted: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("completion", "bash") == 0
    script = tmp_path / "thirdstream.bash"
    script.write_text(capsys.readouterr().out)
    ask = f"""
        source {script}
        COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}
        COMP_LINE="{" ".join(words)}"; COMP_POINT=${{#COMP_LINE}}
        command=$(complete -p thirdstream | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $command thirdstream "${{COMP_WORDS[COMP_CWORD]}}" thirdstream
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    told = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert {line.strip() for line in told.stdout.splitlines()} == wanted
