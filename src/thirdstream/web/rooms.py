"""The page's folder, which goes when the page does, and in it a room for each session.

What is written is counted before it is. Rooms of servers that were killed go at the next start.
"""

import os
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.files import ThirdstreamError

PREFIX, LOCK = "thirdstream-page-", ".lock"
UNLOCKED_S = 3600.0  # so old a folder without a lock has no server that is about to lock it
SESSION = re.compile(r"[0-9a-f]{32}")
LEAST_BYTES = 1_000_000  # what each upload and result counts for at least: folders cost too


@dataclass(frozen=True)
class Limits:
    """What one page takes on. keep_minutes: how long files stay after they were last worked on.

    session_mb and total_mb: what the files of one browser, and of all, may take on disk. memory_mb
    and job_minutes: of one job.
    """

    max_minutes: float = 10.0
    max_mb: int = 200
    jobs: int = 1
    keep_minutes: float = 60.0
    session_mb: int = 2000
    total_mb: int = 10_000
    memory_mb: int = 6000
    job_minutes: float = 30.0

    def __post_init__(self) -> None:
        if not (self.max_minutes > 0 and self.max_mb >= 1 and self.jobs >= 1):
            raise ThirdstreamError("max-minutes must be above 0, max-mb and jobs 1 or more")
        if not self.keep_minutes >= 1:
            raise ThirdstreamError("keep-minutes must be 1 or more: files are needed for a moment")
        if not self.max_mb <= self.session_mb <= self.total_mb:
            raise ThirdstreamError("session-mb must be max-mb or more, total-mb session-mb or more")
        if not (self.memory_mb >= 1 and self.job_minutes > 0):
            raise ThirdstreamError("memory-mb must be 1 or more, job-minutes above 0")


@contextmanager
def owners_names(*places: Path) -> Iterator[None]:
    """Errors inside name files as the page shows them: without the folders they lie in.

    places: files whose folder, and folders themselves, that are not to be seen.
    """
    try:
        yield
    except ThirdstreamError as error:
        text = str(error)
        for place in places:
            folder = place if place.is_dir() else place.parent
            text = text.replace(f"{folder}{os.sep}", "")
        raise ThirdstreamError(text) from error


class Room:
    """What one session has: its uploads and results. Nothing else is read for it."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root, self.limits = root.resolve(), limits

    @contextmanager
    def job(self, kind: str = "result") -> Iterator[Path]:
        """A new folder; it goes again if what is done inside fails."""
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self.root))
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def lent(self, path: Path) -> str:
        """A copy of a file of ours, as if it had been uploaded."""
        with self.job("lent") as folder:
            return str(shutil.copy(path, folder / path.name))

    def owned(self, upload: str | None) -> Path:
        """A file of this session. Raises ThirdstreamError where it is gone or somebody else's."""
        if not upload:
            raise ThirdstreamError("there is no recording yet; drop a file above, or record one")
        foreign = ThirdstreamError("that file was not uploaded to this page; upload it")
        try:
            path = Path(upload).resolve()
        except (OSError, ValueError, RuntimeError):  # no path, or links in a circle
            raise foreign from None
        if not path.is_relative_to(self.root):
            raise foreign
        try:
            if path.is_file():
                return path
        except OSError:  # a name that no file can have
            pass
        raise ThirdstreamError(f"{path.name}: is not here any more; upload it again")

    def accepted(self, upload: str | None) -> Path:
        """An upload that may be worked on.

        Raises ThirdstreamError, in the owner's words, where it is missing, not from this session,
        too large, too long, empty or not audio.
        """
        path = self.owned(upload)
        n_bytes = path.stat().st_size
        if n_bytes == 0:
            raise ThirdstreamError(f"{path.name}: is empty (0 bytes); choose another file")
        if n_bytes > 1_000_000 * self.limits.max_mb:
            raise ThirdstreamError(
                f"{path.name}: has {n_bytes / 1e6:.0f} MB; this page takes {self.limits.max_mb} at "
                "most; save it as MP3 or FLAC, or start `thirdstream serve` with a larger --max-mb"
            )
        with owners_names(path):
            header = audio.info(path)
        self._in_time(path, header.n_samples / header.sr)
        os.utime(path)  # it is used now, so it stays
        return path

    def _in_time(self, path: Path, seconds: float) -> None:
        if seconds > 60 * self.limits.max_minutes:
            raise ThirdstreamError(
                f"{path.name}: lasts {seconds / 60:.1f} minutes; this page takes "
                f"{self.limits.max_minutes:g} at most; cut it, or use `thirdstream transfer`, "
                "which takes any length"
            )

    def original(self, path: Path, folder: Path) -> Path:
        """An accepted upload as WAV: of its own rate, one or two channels, no longer than allowed.

        Raises ThirdstreamError if it is damaged or goes on longer than its header says.
        """
        with owners_names(path, folder):
            header = audio.info(path)
            mono = header.n_channels > 2
            wav = folder / f"{path.stem}.wav"

            def blocks() -> Iterator[Wave]:
                n_read = 0
                for block in audio.blocks(path, sr=None, mono=mono):
                    n_read += block.shape[1]
                    self._in_time(path, n_read / header.sr)
                    yield block

            audio.write(wav, blocks(), sr=header.sr, n_channels=1 if mono else header.n_channels)
        return wav


class Workshop:
    """The only folder whose files the page serves, its rooms, and how many may work at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        remove_abandoned()
        self.root, self._lock = _locked_folder()
        self._places = threading.BoundedSemaphore(limits.jobs)
        self._reserved: Counter[str] = Counter()
        self._counting = threading.Lock()

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.root, ignore_errors=True)
        self._lock.release()
        shutil.rmtree(self.root, ignore_errors=True)  # where a lock that is held cannot be removed

    def room(self, session: str) -> Room:
        """The room of a session, by its name: 32 hexadecimal digits."""
        if not SESSION.fullmatch(session):
            raise ThirdstreamError("this page knows no such session; load it again")
        root = self.root / session
        root.mkdir(mode=0o700, exist_ok=True)
        os.utime(root)  # it is used now, so it stays
        return Room(root, self.limits)

    def sweep(self, *, now_s: float | None = None) -> None:
        """Remove what has not been worked on for as long as files are kept."""
        oldest = (time.time() if now_s is None else now_s) - 60 * self.limits.keep_minutes
        for room in self._rooms():
            for folder in room.iterdir():
                with suppress(OSError):  # a file went while we looked, so the folder is in use
                    changed = [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
                    if max(changed) < oldest:
                        shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # it is not empty
                if room.stat().st_mtime < oldest:
                    room.rmdir()

    def _rooms(self) -> list[Path]:
        return [path for path in self.root.iterdir() if SESSION.fullmatch(path.name)]

    @contextmanager
    def reserved(self, session: str, n_bytes: int) -> Iterator[None]:
        """Inside, so many bytes may be written for a session.

        Raises ThirdstreamError where there is no room for them: of the session's share, of the
        page's, or on the disk. Files that are not kept any longer go first.
        """
        self.sweep()
        with self._counting:
            self._check(session, n_bytes)
            self._reserved[session] += n_bytes
        try:
            yield
        finally:
            with self._counting:
                self._reserved[session] -= n_bytes
                if not self._reserved[session]:
                    del self._reserved[session]

    def _check(self, session: str, n_bytes: int) -> None:
        used = {room.name: size(room) for room in self._rooms()}
        free = shutil.disk_usage(self.root).free - self._reserved.total()
        own = used.get(session, 0) + self._reserved[session]
        total = sum(used.values()) + self._reserved.total()
        limits, wait = self.limits, f"files go after {self.limits.keep_minutes:g} minutes"
        if own + n_bytes > 1_000_000 * limits.session_mb:
            raise ThirdstreamError(
                f"this needs {n_bytes / 1e6:.0f} MB; your files here have {own / 1e6:.0f} of the "
                f"{limits.session_mb} that one may have; wait ({wait}), or start `thirdstream "
                "serve` with a larger --session-mb"
            )
        if total + n_bytes > 1_000_000 * limits.total_mb or n_bytes > free:
            raise ThirdstreamError(
                f"this needs {n_bytes / 1e6:.0f} MB, for which this page has no space on its disk "
                f"now; try again later ({wait}), or start `thirdstream serve` with a larger "
                "--total-mb"
            )

    @contextmanager
    def place(self, check: Callable[[], None]) -> Iterator[None]:
        """Wait for one of the `jobs` places to work in, and hold it. check: may raise meanwhile."""
        while not self._places.acquire(timeout=0.1):
            check()
        try:
            yield
        finally:
            self._places.release()


def size(room: Path) -> int:
    """Bytes that a room's uploads and results count for."""
    total = 0
    for folder in room.iterdir():
        n_bytes = 0
        for path in folder.rglob("*"):
            with suppress(OSError):  # it has just gone
                n_bytes += path.lstat().st_size
        total += max(n_bytes, LEAST_BYTES)
    return total


def _locked_folder() -> tuple[Path, FileLock]:
    """A new folder that nobody who looks for abandoned ones takes for one."""
    while True:
        root = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        lock = FileLock(root / LOCK, thread_local=False)
        with suppress(OSError):  # somebody removed it before it was locked
            lock.acquire()
            if (root / LOCK).exists():
                return root, lock


def remove_abandoned() -> None:
    """Remove folders of pages whose server was killed: the system has let go of their lock."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):  # it lives, has just gone, or is not ours
            found = folder.lstat()
            ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            locked = (folder / LOCK).exists()
            if folder.is_symlink() or not folder.is_dir() or not ours:
                continue
            if locked or time.time() - found.st_mtime > UNLOCKED_S:
                with FileLock(folder / LOCK, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(folder, ignore_errors=True)
