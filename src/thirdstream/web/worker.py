"""Work on files of strangers, in a process of its own that is lent memory, time and file size.

A codec that crashes there ends a job, not the page. Both sides talk in lines of JSON: what comes
back from a process that has read a stranger's file is text, never an object.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import thirdstream
from thirdstream.files import ThirdstreamError

LOG = logging.getLogger(__name__)
MAX_LINE = 10_000_000  # bytes of a message
POLL_S = 0.1  # how often a waiting page looks whether it is still wanted
START = (  # its own folder last: the working folder has no say in what is imported
    "import sys; sys.path.append(sys.argv[1]); from thirdstream.web import worker; worker.main()"
)


class Worker:
    """A process that does one task after another, for one job."""

    def __init__(self) -> None:
        place = str(Path(thirdstream.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, place],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},  # no weights are fetched for a visitor
            start_new_session=True,  # Ctrl-C in the terminal is for the page to act upon
        )  # fmt: skip
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._killed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            while line := stream.readline(MAX_LINE):
                self._lines.put(line)
        self._lines.put(b"")  # it is gone

    def call(
        self,
        task: str,
        arguments: Mapping[str, Any],
        *,
        minutes: float,
        progress: Callable[[float, str], None] = lambda share, what: None,
        check: Callable[[], None] = lambda: None,
    ) -> Any:
        """Have a task done: its answer, as JSON has it.

        progress: is told the share that is done, and of what. check: is called all the time, and
        may raise. Raises ThirdstreamError where the task does, takes more than `minutes`, or
        crashes.
        """
        until = time.monotonic() + 60 * minutes
        assert self.process.stdin is not None
        request = json.dumps({"task": task, "arguments": arguments}).encode() + b"\n"
        with suppress(OSError):  # it is gone, as its output will say
            self.process.stdin.write(request)
            self.process.stdin.flush()
        while True:
            check()
            if time.monotonic() > until:
                raise ThirdstreamError(
                    f"this took more than {minutes:g} minutes and was ended; choose a shorter clip "
                    "or another system, or start `thirdstream serve` with a larger --job-minutes"
                )
            with suppress(queue.Empty):
                kind, content = self._parsed(self._lines.get(timeout=POLL_S))
                if kind == "done":
                    return content
                if kind == "refused":
                    raise ThirdstreamError(content)
                progress(float(content[0]), str(content[1]))

    def _parsed(self, line: bytes) -> tuple[str, Any]:
        """What a line says: progress, an answer, or why there is none."""
        if line:
            with suppress(ValueError, RecursionError):
                kind, content = json.loads(line)
                if kind == "fault":
                    LOG.error("a job ended in a fault:\n%s", content)
                    raise ThirdstreamError(
                        "this ended in a fault, which whoever runs the page sees"
                    )
                return kind, content
        if self._killed:
            raise ThirdstreamError("the page is being closed")
        self.kill()
        code = self.process.returncode
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        LOG.error("a job's process ended: %s", name)
        raise ThirdstreamError(
            f"what reads and changes recordings broke down over this one ({name}); the file may be "
            "damaged: save it anew as WAV or FLAC; or it needs more memory than there is"
        )

    def kill(self) -> None:
        """It stops at once, whatever it does, and so does what it has started."""
        self._killed = True
        if self.process.poll() is None and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()
        self._reader.join(1.0)


class WorkerPool:
    """A process for each job, so many of them at a time; the next one is warm by then."""

    def __init__(self, n_jobs: int = 1) -> None:
        self._places = threading.BoundedSemaphore(n_jobs)
        self._busy: set[Worker] = set()
        self._lock = threading.Lock()
        self._open = True
        self._next: Worker | None = Worker()

    @contextmanager
    def worker(self, check: Callable[[], None] = lambda: None) -> Iterator[Worker]:
        """A worker that is gone afterwards. check: is called while it waits, and may raise."""
        while not self._places.acquire(timeout=POLL_S):
            check()
        try:
            worker = self._taken()
            try:
                yield worker
            finally:
                worker.kill()
                with self._lock:
                    self._busy.discard(worker)
                    if self._open and self._next is None:
                        self._next = Worker()
        finally:
            self._places.release()

    def _taken(self) -> Worker:
        with self._lock:
            if not self._open:
                raise ThirdstreamError("the page is being closed")
            worker, self._next = self._next or Worker(), None
            self._busy.add(worker)
        return worker

    def close(self) -> None:
        """All stop."""
        with self._lock:
            self._open = False
            workers = [*self._busy, *([self._next] if self._next else [])]
        for worker in workers:
            worker.kill()


# --- in the worker's own process ----------------------------------------------------------------


def main() -> None:
    """Do the tasks that come by standard input, until it ends: then the page is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not disturb the conversation
    requests: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, requests), daemon=True).start()
    from thirdstream.web import tasks  # what takes seconds to import

    while True:
        request = json.loads(requests.get())
        _send(out, *_answer(getattr(tasks, request["task"]), request["arguments"], out))


def _receive(stream: BinaryIO, requests: "queue.Queue[bytes]") -> None:
    for line in stream:
        requests.put(line)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)  # with all that it has started: it leads a session
    os._exit(1)


def _send(out: BinaryIO, kind: str, content: Any) -> None:
    out.write(json.dumps([kind, content]).encode() + b"\n")
    out.flush()


def _answer(
    task: Callable[..., Any], arguments: Mapping[str, Any], out: BinaryIO
) -> tuple[str, Any]:
    try:
        return "done", task(
            progress=lambda share, what: _send(out, "progress", [share, what]), **arguments
        )
    except ThirdstreamError as error:
        return "refused", str(error)
    except Exception as error:  # the page says what to do
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            return "refused", (
                "this needs more memory than this page gives a job; choose a shorter clip or "
                "another system, or start `thirdstream serve` with a larger --memory-mb"
            )
        return "fault", traceback.format_exc()


def limit(*, memory_mb: int, file_mb: int) -> None:
    """From now on this process takes no more. Where the system cannot do that, nothing happens."""
    with suppress(ImportError):
        import resource

        wanted = {
            "RLIMIT_DATA": 1_000_000 * memory_mb,
            "RLIMIT_FSIZE": 1_000_000 * file_mb,
            "RLIMIT_CORE": 0,
        }
        for name, n_bytes in wanted.items():
            with suppress(ValueError, OSError, AttributeError):
                kind = getattr(resource, name)
                _, hard = resource.getrlimit(kind)
                most = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
                resource.setrlimit(kind, (most, hard))
