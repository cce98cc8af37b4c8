"""One command at a time writes into a folder; the second says who is there."""

import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thirdstream import lock
from thirdstream.cli import main
from thirdstream.files import ThirdstreamError, whole_file

HOLD = """
import sys; from pathlib import Path; from thirdstream import lock
with getattr(lock, sys.argv[1])(Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
# What each command that writes is asked for: (does it write a file?, arguments before --out).
WRITING = {
    "demo": (False, []),
    "prepare": (False, ["classical=a", "jazz=b"]),
    "train": (False, ["twin-cnn", "--corpus", "a"]),
    "tune": (False, ["twin-cnn", "--corpus", "a"]),
    "transfer": (False, ["a.wav", "--to", "jazz"]),
    "figures": (False, []),
    "claims": (False, ["a"]),
    "reproduce": (False, ["a", "b"]),
    "evaluate": (True, ["--corpus", "a"]),
    "report": (True, ["a.json"]),
    "arrange": (False, ["a"]),
    "benchmark": (False, ["a"]),
    "listen": (False, ["a.wav"]),
    "learn-style": (True, ["a"]),
    "index": (True, ["jazz=a"]),
    "listen-test": (False, []),
    "export": (True, ["twin-cnn", "--to", "jazz"]),
    "convert": (True, ["a.safetensors"]),
}


class Holder:
    """Another process that holds a folder or a file."""

    def __init__(self, kind: str, what: Path) -> None:
        command = [sys.executable, "-c", HOLD, kind, str(what)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.communicate()


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    made: list[Holder] = []
    yield made
    for one in made:
        one.end()


def test_every_command_that_writes_is_tried() -> None:
    parameters = {
        name: inspect.signature(main.function_of(name)).parameters for name in main.COMMANDS
    }
    assert set(WRITING) == {name for name, of in parameters.items() if "out" in of}


@pytest.mark.parametrize("command", WRITING)
def test_the_second_process_says_who_writes_there(
    command: str, tmp_path: Path, holders: list[Holder], capsys: pytest.CaptureFixture[str]
) -> None:
    is_file, arguments = WRITING[command]
    out = tmp_path / "out.html" if is_file else tmp_path / "out"
    holders.append(Holder("of_file" if is_file else "of_folder", out))
    with pytest.raises(SystemExit) as stop:
        main.main([command, *arguments, "--out", str(out)])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert f"{out}: process {holders[0].process.pid} on " in said
    assert "writes there; wait until it ends" in said
    assert "since 20" in said


def test_a_file_for_one_recording_is_held_and_not_its_folder(
    tmp_path: Path, song: Path, model: Path, holders: list[Holder], capsys
) -> None:
    holders.append(Holder("of_file", tmp_path / "a.wav"))
    common = ["transfer", str(song), "--to", "jazz", "--model", str(model), "--out"]
    with pytest.raises(SystemExit):
        main.main([*common, str(tmp_path / "a.wav")])
    assert "writes there" in capsys.readouterr().err
    main.main([*common, str(tmp_path / "b.wav")])
    assert (tmp_path / "b.wav").exists()


def test_the_lock_of_a_killed_process_is_no_lock_and_what_it_left_goes(
    tmp_path: Path, holders: list[Holder]
) -> None:
    out = tmp_path / "out"
    holders.append(Holder("of_folder", out))
    (out / ".0123abcd.part.wav").touch()
    with pytest.raises(lock.Held), lock.of_folder(out):
        pass
    assert (out / ".0123abcd.part.wav").exists()
    holders[0].end()
    assert (out / lock.NAME).exists()
    with lock.of_folder(out), whole_file(out / "made") as temporary:
        assert {path.name for path in out.iterdir()} == {lock.NAME, temporary.name}
    assert [path.name for path in out.iterdir()] == ["made"]


def test_what_was_made_for_a_lock_goes_with_it(tmp_path: Path) -> None:
    with lock.of_folder(tmp_path / "a" / "b"):
        assert lock.is_empty(tmp_path / "a" / "b")
    with lock.of_file(tmp_path / "c" / ("d" * 255)):
        assert (tmp_path / "c").is_dir()
    assert not list(tmp_path.iterdir())


def test_a_lock_that_says_nothing_still_locks(tmp_path: Path, holders: list[Holder]) -> None:
    holders.append(Holder("of_folder", tmp_path))
    for said in ("", "{", "[]", '{"pid": 1}', "\udce9"):
        (tmp_path / lock.NAME).write_bytes(os.fsencode(said))
        with (
            pytest.raises(lock.Held, match="another process writes there"),
            lock.of_folder(tmp_path),
        ):
            pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="commands run in forks")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / lock.NAME).mkdir()  # so too for those whom no mode of a folder stops
    with pytest.raises(ThirdstreamError, match="cannot be written"), lock.of_folder(tmp_path):
        pass


@pytest.mark.parametrize("out", [".", "./", "/"])
@pytest.mark.parametrize("name", [name for name, (is_file, _) in WRITING.items() if is_file])
def test_a_folder_is_no_name_of_a_file(
    name: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main.main([name, *WRITING[name][1], "--out", out])
    said = " ".join(capsys.readouterr().err.split())
    assert "is a folder; give the name of a file in it" in said


@pytest.mark.parametrize("empty", [["--out", ""], ["--out="]])
@pytest.mark.parametrize("name", WRITING)
def test_an_empty_name_is_not_the_working_folder(
    name: str, empty: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        main.main([name, *WRITING[name][1], *empty])
    assert capsys.readouterr().err.startswith("thirdstream: --out: is empty; give what is meant")
    assert not list(tmp_path.iterdir())
