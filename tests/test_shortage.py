"""Where the system does not give enough, that is said, and no traceback."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thirdstream import shortage
from thirdstream.cli import main
from thirdstream.files import unwritable

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
COMMANDS = [name for name in main.COMMANDS if name != "completion"]
LIMITS = [("RLIMIT_AS", 1_000_000 * one) for one in (200, 400, 700)]
LIMITS += [("RLIMIT_NOFILE", 6), ("RLIMIT_NOFILE", 12)]
FULL = [["systems"], ["systems", "--json"], ["--help"], ["--version"], ["train", "--help"]]


def limited(
    name: str, limit: int, *arguments: str, **how: object
) -> subprocess.CompletedProcess[str]:
    """A command under a limit of the system's."""

    def set_limit() -> None:
        resource.setrlimit(getattr(resource, name), (limit, limit))

    command = [sys.executable, "-m", "thirdstream", *arguments]
    return subprocess.run(
        command, stderr=subprocess.PIPE, text=True, check=False, preexec_fn=set_limit, **how
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited on Linux only")
@pytest.mark.parametrize(("name", "limit"), LIMITS)
def test_a_limit_below_the_need_is_named(name: str, limit: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = limited(name, limit, "prepare", "classical=a", "jazz=b", "--out", str(out))
    short = "memory is short" if name == "RLIMIT_AS" else "file handles are short"
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"thirdstream: {short}: this process may have" in done.stderr
    assert " are needed" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_begins_with_too_little(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, limit in (("RLIMIT_AS", shortage.NEEDED_BYTES), ("RLIMIT_NOFILE", 16)):
        low = {name: limit - 1}
        monkeypatch.setattr(shortage, "_limit", low.get)
        with pytest.raises(SystemExit) as stop:
            main.main([command])
        assert stop.value.code == 1
        assert " short: this process may have" in capsys.readouterr().err


@pytest.mark.slow
def test_handles_that_are_needed_are_enough(song: Path, model: Path, tmp_path: Path) -> None:
    arguments = ["transfer", str(song), "--to", "jazz", "--model", str(model), "--out"]
    done = limited("RLIMIT_NOFILE", shortage.NEEDED_HANDLES, *arguments, str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr


def _memory() -> None:
    np.empty(1 << 60, np.uint8)


def _handles() -> None:
    kept = []
    while True:
        kept.append(os.open(os.devnull, os.O_RDONLY))


def _full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/there/a.wav")


def _mapped() -> None:
    raise ImportError("libtorch_cpu.so: failed to map segment from shared object")


def _wrapped() -> None:
    try:
        _full()
    except OSError as error:
        raise RuntimeError("the writer failed") from error


@pytest.mark.parametrize(
    ("fault", "said"),
    [(_memory, "memory is short: "), (_full, "/there/a.wav: is full"), (_mapped, "memory is short"),
     (_wrapped, "/there/a.wav: is full")],
)  # fmt: skip
def test_a_shortage_is_told_by_whatever_says_it(
    fault: Callable[[], None], said: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("thirdstream.cli.systems.list_systems", fault)
    with pytest.raises(SystemExit) as stop:
        main.main(["systems"])
    assert stop.value.code == 1
    assert said in capsys.readouterr().err.replace("\n", "")


def test_a_want_of_handles_is_not_a_want_of_space() -> None:
    told = str(unwritable(Path("a"), OSError(errno.EMFILE, os.strerror(errno.EMFILE))))
    assert "file handles are short" in told
    assert "space" not in told
    assert shortage.said(ValueError("what else")) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", FULL)
def test_a_full_standard_output_is_named(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = limited("RLIMIT_NOFILE", 64, *arguments, stdout=full)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "standard output is full (No space left" in done.stderr


def test_what_tensorboard_cannot_write_is_a_full_disk(
    small_corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from tensorboard.summary.writer import record_writer

    def full(self: object, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(record_writer.RecordWriter, "write", full)
    small = "--channels 2 3 --patch 4 --n-convs 1 --epochs 1 --batch-size 2".split()  # noqa: SIM905
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as stop:
        main.main(
            ["train", "twin-cnn", "--corpus", str(small_corpus.path), "--out", str(out), *small]
        )
    assert stop.value.code == 1
    told = " ".join(capsys.readouterr().err.split())
    assert f"{out}: cannot be written (No space left on device); free some space" in told


def test_a_full_disk_is_no_fault_of_a_recording_or_a_score(
    small_corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thirdstream.data import pairs
    from thirdstream.evaluation import evaluate
    from thirdstream.files import ThirdstreamError

    def full(path: Path, content: object) -> None:
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise unwritable(path, error) from error

    monkeypatch.setattr(pairs, "_finished", lambda *given: None)
    monkeypatch.setattr(pairs, "_make", lambda *given: {})
    monkeypatch.setattr(pairs, "_made_of", lambda *given: {})
    monkeypatch.setattr(pairs, "write_json", full)
    job = pairs.Job(tmp_path / "a.mid", "a", "a", 0, 0, (), "wav")
    with pytest.raises(ThirdstreamError, match="free some space"):
        pairs.make_pair(job, tmp_path)
    monkeypatch.setattr(evaluate, "write_json", full)
    monkeypatch.setattr(evaluate, "kept_analysis", lambda *given: None)
    monkeypatch.setattr(evaluate.measure, "reference_features", lambda *given: {})
    monkeypatch.setattr(evaluate, "_place", lambda *given: "a")
    monkeypatch.setattr(evaluate, "excerpt", lambda *given: None)
    item = type("Item", (), {"path": tmp_path / "a.wav", "style": "jazz"})()
    with pytest.raises(ThirdstreamError, match="free some space"):
        evaluate.measure_job(evaluate.Job(item, "jazz"), evaluate.Settings(), tmp_path)
