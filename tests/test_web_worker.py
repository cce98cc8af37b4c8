"""Work in a process of its own: what a stranger's file can do to it, it does to that alone."""

import json
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
from thirdstream.web import tasks
from thirdstream.web.rooms import Limits, Workshop
from thirdstream.web.worker import Staff, Worker
from thirdstream.web.workshop import Cancelled, Result, Sheet, Track

pytestmark = pytest.mark.slow
ME = "1" * 32


@pytest.fixture(scope="module")
def staff() -> Iterator[Staff]:
    made = Staff()
    yield made
    made.close()


@pytest.fixture
def shop() -> Iterator[Workshop]:
    made = Workshop(Limits())
    yield made
    made.close()


def given(shop: Workshop, clip: Path, model: Path, folder: Path) -> dict[str, Any]:
    return {
        "room": str(clip.parent), "limits": asdict(shop.limits), "models": {"mine": str(model)},
        "clip": str(clip), "folder": str(folder), "options": {"to": "jazz"},
    }  # fmt: skip


def uploaded(shop: Workshop, n_samples: int) -> Path:
    path = shop.room(ME).root / "a.wav"
    sf.write(path, music(0, n_samples), SR)
    return path


def test_a_job_comes_back_as_it_was_made(staff: Staff, shop: Workshop, model: Path) -> None:
    clip, said = uploaded(shop, 50_000), []
    with staff.hired() as worker, shop.room(ME).job() as folder:
        own = {"room": str(clip.parent), "limits": asdict(shop.limits)}
        n_bytes = worker.ask("accepted", own | {"uploads": [str(clip)], "n_tracks": 2}, minutes=5)
        how = given(shop, clip, model, folder)
        plain = worker.ask("restyled", how, minutes=5, tell=lambda *what: said.append(what))
        result = tasks.read(plain)
        assert [track.name for track in result.tracks] == ["original", "mine"]
        assert sf.info(result.tracks[1].path).frames == 50_000
        written = sum(path.stat().st_size for path in folder.iterdir())
        assert written <= n_bytes  # what was reserved is enough
    assert ("mine" in {what for _, what in said}) and worker.process.returncode is not None


def test_results_survive_json() -> None:
    tracks = (Track("a", Path("a.wav"), Path("a.png")),)
    sheet = Sheet(Path("r.png"), ("C", "%"))
    for one in (sheet, None):
        made = Result("a", "classical", "jazz", tracks, {"WAV": Path("a.wav")}, one, ("soft",))
        assert tasks.read(json.loads(json.dumps(tasks.written(made)))) == made


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_ends_the_job_with_a_sentence(staff: Staff, number: signal.Signals) -> None:
    with staff.hired() as worker:
        worker.process.send_signal(number)
        with pytest.raises(ThirdstreamError, match=f"broke down over this one .{number.name}"):
            worker.ask("described", {"models": {}}, minutes=5)
    with staff.hired() as worker:  # the next one works
        assert worker.ask("described", {"models": {}}, minutes=5) == {}


def test_a_cancelled_job_stops_at_once_whatever_it_does(staff: Staff) -> None:
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled

    with pytest.raises(Cancelled), staff.hired() as worker:
        worker.process.send_signal(signal.SIGSTOP)  # as busy as a codec that does not answer
        stopped.set()
        worker.ask("described", {"models": {}}, minutes=5, check=check)
    assert worker.process.returncode == -signal.SIGKILL


def test_too_long_a_job_is_ended(staff: Staff) -> None:
    ended = pytest.raises(ThirdstreamError, match=r"took more than 0\.001 minutes")
    with ended, staff.hired() as worker:
        worker.process.send_signal(signal.SIGSTOP)
        worker.ask("described", {"models": {}}, minutes=0.001)
    assert worker.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited on Linux only")
def test_memory_and_file_size_have_an_end(shop: Workshop, model: Path, staff: Staff) -> None:
    clip = uploaded(shop, 50_000)
    code = (
        "from thirdstream.web import worker\n"
        "worker.limit(memory_mb=2000, file_mb=1)\n"
        "try:\n    bytearray(3_000_000_000)\nexcept MemoryError:\n    print('memory')\n"
        f"try:\n    open({str(clip)!r}, 'wb').write(bytes(2_000_000))\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["memory", "27"]  # EFBIG


def test_what_is_no_audio_is_refused_in_its_owners_words(staff: Staff, shop: Workshop) -> None:
    path = shop.room(ME).root / "text.wav"
    path.write_text("no music")
    with staff.hired() as worker, pytest.raises(ThirdstreamError, match=r"^text.wav: is not audio"):
        own = {"room": str(path.parent), "limits": asdict(shop.limits)}
        worker.ask("accepted", own | {"uploads": [str(path)], "n_tracks": 2}, minutes=5)


def test_a_fault_of_ours_is_not_blamed_on_the_file(
    staff: Staff, caplog: pytest.LogCaptureFixture
) -> None:
    with staff.hired() as worker, pytest.raises(ThirdstreamError, match="ended in a fault"):
        worker.ask("described", {"models": 7}, minutes=5)
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


def test_a_closed_staff_takes_no_job() -> None:
    staff = Staff()
    staff.close()
    with pytest.raises(ThirdstreamError, match="being closed"), staff.hired():
        pass
    worker = Worker()
    worker.dismiss()
    worker.dismiss()  # twice is as good as once
