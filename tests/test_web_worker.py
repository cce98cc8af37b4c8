"""Work in a process of its own: what a stranger's file can do to it, it does to that alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf

from conftest import music
from thirdstream.audio import SR
from thirdstream.files import ThirdstreamError
from thirdstream.system import Sheet
from thirdstream.web import tasks
from thirdstream.web.controller import Cancelled
from thirdstream.web.jobs import Result, Track
from thirdstream.web.limits import Limits
from thirdstream.web.sessions import Sessions
from thirdstream.web.worker import Worker, WorkerPool

pytestmark = pytest.mark.slow
ME = "1" * 32


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool()
    yield made
    made.close()


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    made = Sessions(Limits())
    yield made
    made.close()


def given(sessions: Sessions, clip: Path, model: Path, folder: Path) -> dict[str, Any]:
    return {
        "session": str(clip.parent), "limits": asdict(sessions.limits), "clip": str(clip),
        "models": {"mine": str(model)}, "folder": str(folder), "options": {"to": "jazz"},
        "files": {},
    }  # fmt: skip


def uploaded(sessions: Sessions, n_samples: int) -> Path:
    path = sessions.session(ME).root / "a.wav"
    sf.write(path, music(0, n_samples), SR)
    return path


def test_a_job_comes_back_as_it_was_made(pool: WorkerPool, sessions: Sessions, model: Path) -> None:
    clip, said = uploaded(sessions, 50_000), []
    with pool.worker() as worker, sessions.session(ME).new_folder() as folder:
        own = {"session": str(clip.parent), "limits": asdict(sessions.limits)}
        n_bytes = worker.call(
            "accepted", own | {"clip": str(clip), "files": {}, "n_tracks": 2}, minutes=5
        )
        how = given(sessions, clip, model, folder)
        plain = worker.call("restyled", how, minutes=5, progress=lambda *what: said.append(what))
        result = tasks.RESULT.validate_python(plain)
        assert [track.name for track in result.tracks] == ["original", "mine"]
        assert sf.info(result.tracks[1].path).frames == 50_000
        written = sum(path.stat().st_size for path in folder.iterdir())
        assert written <= n_bytes  # what was reserved is enough
    assert ("mine" in {what for _, what in said}) and worker.process.returncode is not None


def test_results_survive_json() -> None:
    tracks = (Track("a", Path("a.wav"), Path("a.png")),)
    sheet = Sheet(Path("r.png"), ("C", "%"), {"MIDI": Path("a.mid")})
    for one in (sheet, None):
        made = Result("a", "classical", "jazz", tracks, {"WAV": Path("a.wav")}, one, ("soft",))
        assert tasks.RESULT.validate_json(tasks.RESULT.dump_json(made)) == made


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_ends_the_job_with_a_sentence(pool: WorkerPool, number: signal.Signals) -> None:
    with pool.worker() as worker:
        worker.process.send_signal(number)
        with pytest.raises(ThirdstreamError, match=f"broke down over this one .{number.name}"):
            worker.call("described", {"models": {}}, minutes=5)
    with pool.worker() as worker:  # the next one works
        assert worker.call("described", {"models": {}}, minutes=5) == {}


def test_a_cancelled_job_stops_at_once_whatever_it_does(pool: WorkerPool) -> None:
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled

    with pytest.raises(Cancelled), pool.worker() as worker:
        worker.process.send_signal(signal.SIGSTOP)  # as busy as a codec that does not answer
        stopped.set()
        worker.call("described", {"models": {}}, minutes=5, check=check)
    assert worker.process.returncode == -signal.SIGKILL


def test_too_long_a_job_is_ended(pool: WorkerPool) -> None:
    ended = pytest.raises(ThirdstreamError, match=r"took more than 0\.001 minutes")
    with ended, pool.worker() as worker:
        worker.process.send_signal(signal.SIGSTOP)
        worker.call("described", {"models": {}}, minutes=0.001)
    assert worker.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited on Linux only")
def test_memory_and_file_size_have_an_end(
    sessions: Sessions, model: Path, pool: WorkerPool
) -> None:
    clip = uploaded(sessions, 50_000)
    code = (
        "from thirdstream.web import worker\n"
        "worker.limit(memory_mb=2000, file_mb=1)\n"
        "try:\n    bytearray(3_000_000_000)\nexcept MemoryError:\n    print('memory')\n"
        f"try:\n    open({str(clip)!r}, 'wb').write(bytes(2_000_000))\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["memory", "27"]  # EFBIG


def test_what_is_no_audio_is_refused_in_its_owners_words(
    pool: WorkerPool, sessions: Sessions
) -> None:
    path = sessions.session(ME).root / "text.wav"
    path.write_text("no music")
    with pool.worker() as worker, pytest.raises(ThirdstreamError, match=r"^text.wav: is not audio"):
        own = {"session": str(path.parent), "limits": asdict(sessions.limits)}
        worker.call("accepted", own | {"clip": str(path), "files": {}, "n_tracks": 2}, minutes=5)


def test_a_fault_of_ours_is_not_blamed_on_the_file(
    pool: WorkerPool, caplog: pytest.LogCaptureFixture
) -> None:
    with pool.worker() as worker, pytest.raises(ThirdstreamError, match="ended in a fault"):
        worker.call("described", {"models": 7}, minutes=5)
    assert "Traceback" in caplog.text


def test_a_worker_ends_with_the_page_that_hired_it() -> None:
    code = (
        "from thirdstream.web.worker import Worker\n"
        "print(Worker().process.pid, flush=True)\nimport os; os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    while alive(pid):
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and ") Z " in state.read_text())


def test_a_closed_pool_takes_no_job() -> None:
    pool = WorkerPool()
    pool.close()
    with pytest.raises(ThirdstreamError, match="being closed"), pool.worker():
        pass
    worker = Worker()
    worker.kill()
    worker.kill()  # twice is as good as once
