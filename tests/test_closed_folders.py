"""Folders that may not be searched, and names that no file can have."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thirdstream import ThirdstreamError, audio, registry
from thirdstream.cli import main
from thirdstream.data import benchmark, pairs
from thirdstream.data.corpus import Corpus, is_corpus
from thirdstream.files import check_free, new_folder, whole_file
from thirdstream.notes.learning.learn import find_music
from thirdstream.transfer.files import plan

CLIP = registry.bundled_clips()[0]
COMMANDS = [
    "transfer CLIP --to jazz --out D/x", "transfer CLIP --to jazz --out D/x.wav",
    "transfer D/song.ogg --to jazz --out o", "transfer D --to jazz --out o",
    "transfer CLIP --to jazz --out o --model D", "transfer CLIP --to D/t.style --out o",
    "transfer CLIP --to D --out o", "listen D/song.ogg --out o", "listen CLIP --out D/x",
    "info D", "info D/x.style", "demo --out D/demo", "prepare a=D b=D --out o",
    "prepare a=D/a b=D/b --out o", "train twin-cnn --corpus D --out o",
    "tune twin-cnn --corpus D --out o", "evaluate --corpus D --out o.json",
    "reproduce --corpus D --out o", "figures D --out o", "figures --corpus D --out o",
    "claims D --out o", "listen-test --out D/x", "listen-test a=D --to jazz --out o",
    "convert D/m --out o.safetensors", "learn-style D --out o.style",
    "learn-style D/song.ogg --out o.style", "learn-style CLIP --out D/x.style",
    "index a=D --out o.safetensors", "arrange D --out o", "arrange D/a.mid --out o",
    "benchmark D --out o", "report D/x.json --out o.html",
]  # fmt: skip


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is closed to us, whoever runs the tests: root may search all of them."""
    folder = tmp_path / "closed"
    folder.mkdir()

    def guarded(function: Callable[..., Any], *, itself: bool) -> Callable[..., Any]:
        def asked(path: Any, *given: Any, **named: Any) -> Any:
            if not isinstance(path, int):
                place = Path(os.path.abspath(os.fsdecode(path)))
                if folder in place.parents or (itself and place == folder):
                    raise PermissionError(13, "Permission denied", str(path))
            return function(path, *given, **named)

        return asked

    for name in ("stat", "lstat", "open", "mkdir"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name), itself=False))
    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name), itself=True))
    monkeypatch.setattr("io.open", guarded(open, itself=False))
    return folder


def said(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that fails says last."""
    with pytest.raises(SystemExit) as stopped:
        main.main(command.split())
    assert stopped.value.code == 1
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_folder_is_named_and_what_to_do(
    command: str, closed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(closed.parent)
    text = said(command.replace("D", "closed").replace("CLIP", str(CLIP)), capsys)
    assert text.startswith("thirdstream: closed")
    assert "Permission denied" in text
    assert "unexpected" not in text
    assert list(closed.parent.iterdir()) == [closed]


LONG = "x" * 300
TOO_LONG = [
    f"info {LONG}", f"transfer {LONG} --to jazz --out o", f"transfer CLIP --to jazz --out {LONG}",
    f"transfer CLIP --to jazz --out o --model {LONG}", f"transfer CLIP --to {LONG} --out o",
    f"learn-style {LONG} --out o.style", f"arrange {LONG}.mid --out o",
]  # fmt: skip


@pytest.mark.parametrize("command", TOO_LONG, ids=range(len(TOO_LONG)))
def test_a_name_that_is_too_long_is_said_to_be(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    text = said(command.replace("CLIP", str(CLIP)), capsys)
    assert text.startswith(f"thirdstream: {LONG}")
    assert "unexpected" not in text
    assert not list(tmp_path.iterdir())


def test_a_fault_of_the_program_is_still_unexpected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*given: object, **named: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr("thirdstream.cli.main._print_commands", broken)
    assert "an unexpected fault (OSError(22, 'Invalid argument'))" in said("--help", capsys)


@pytest.mark.parametrize(
    "asked",
    [registry.find, lambda d: registry.load(d / "m"), is_corpus, Corpus.open,
     lambda d: audio.info(d / "a.wav"), audio.find_recordings,
     lambda d: plan([d / "a.wav"], Path("o")), lambda d: check_free(d / "a.wav"),
     lambda d: new_folder(d / "a").__enter__(), lambda d: find_music([d]),
     lambda d: find_music([d / "a.wav"]), lambda d: pairs.find_scores([d]),
     lambda d: benchmark.find_pieces([d], [])],
    ids=range(13),
)  # fmt: skip
def test_in_python_too(asked: Callable[[Path], Any], closed: Path) -> None:
    with pytest.raises(ThirdstreamError, match=r"closed.*Permission denied"):
        asked(closed)


def test_what_is_read_while_a_file_is_written_is_not_that_file(closed: Path) -> None:
    out = closed.parent / "o.txt"
    with pytest.raises(ThirdstreamError, match=r"a\.mid: cannot be reached"), whole_file(out):
        (closed / "a.mid").read_bytes()
    assert not out.exists()
