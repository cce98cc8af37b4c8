"""The files of the page: one folder, which goes when the page does, and in it one per session.

A session is what one browser has. What is written is counted before it is. Folders of servers that
were killed go at the next start.
"""

import os
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.files import ThirdstreamError
from thirdstream.web.limits import Limits

PREFIX, LOCK = "thirdstream-page-", ".lock"
UNLOCKED_S = 3600.0  # so old a folder without a lock has no server that is about to lock it
SESSION_ID = re.compile(r"[0-9a-f]{32}")
LEAST_BYTES = 1_000_000  # what each upload and result counts for at least: folders cost too


@contextmanager
def without_folders(*places: Path) -> Iterator[None]:
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


class Session:
    """What one browser has: its uploads and results. Nothing else is read for it."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root, self.limits = root.resolve(), limits

    @contextmanager
    def new_folder(self, kind: str = "result") -> Iterator[Path]:
        """A new folder; it goes again if what is done inside fails."""
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self.root))
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def copy_of(self, path: Path) -> str:
        """A copy of a file of ours, as if it had been uploaded."""
        with self.new_folder("copy") as folder:
            return str(shutil.copy(path, folder / path.name))

    def owned(self, upload: str | Path | None) -> Path:
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
        with suppress(OSError):  # a name that no file can have
            if path.is_file():
                return path
        raise ThirdstreamError(f"{path.name}: is not here any more; upload it again")

    def accepted(self, upload: str | Path | None) -> Path:
        """An uploaded recording that may be worked on.

        Raises ThirdstreamError, in the owner's words, where it is missing, not from this session,
        too large, too long, empty or not audio.
        """
        path = self._checked(upload)
        with without_folders(path):
            header = audio.info(path)
        self._check_length(path, header.n_samples / header.sr)
        return path

    def accepted_file(self, upload: str | Path) -> Path:
        """An uploaded file for an option: a recording, which may not be too long, or another kind.

        Raises ThirdstreamError as `accepted` does, but not where it is no audio.
        """
        path = self._checked(upload)
        try:
            header = audio.info(path)
        except ThirdstreamError:
            return path
        self._check_length(path, header.n_samples / header.sr)
        return path

    def _checked(self, upload: str | Path | None) -> Path:
        path = self.owned(upload)
        n_bytes = path.stat().st_size
        if n_bytes == 0:
            raise ThirdstreamError(f"{path.name}: is empty (0 bytes); choose another file")
        if n_bytes > 1_000_000 * self.limits.max_mb:
            raise ThirdstreamError(
                f"{path.name}: has {n_bytes / 1e6:.0f} MB; this page takes {self.limits.max_mb} at "
                "most; save it as MP3 or FLAC, or start `thirdstream serve` with a larger --max-mb"
            )
        os.utime(path)  # it is used now, so it stays
        return path

    def _check_length(self, path: Path, seconds: float) -> None:
        if seconds > 60 * self.limits.max_minutes:
            raise ThirdstreamError(
                f"{path.name}: lasts {seconds / 60:.1f} minutes; this page takes "
                f"{self.limits.max_minutes:g} at most; cut it, or use `thirdstream transfer`, "
                "which takes any length"
            )

    def decoded(self, path: Path, folder: Path) -> Path:
        """An accepted upload as WAV: of its own rate, one or two channels, no longer than allowed.

        Raises ThirdstreamError if it is damaged or goes on longer than its header says.
        """
        with without_folders(path, folder):
            header = audio.info(path)
            mono = header.n_channels > 2
            wav = folder / f"{path.stem}.wav"

            def blocks() -> Iterator[Wave]:
                n_read = 0
                for block in audio.blocks(path, sr=None, mono=mono):
                    n_read += block.shape[1]
                    self._check_length(path, n_read / header.sr)
                    yield block

            audio.write(wav, blocks(), sr=header.sr, n_channels=1 if mono else header.n_channels)
        return wav


class Sessions:
    """The only folder whose files the page serves, its sessions, and what they may write."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        remove_abandoned()
        self.root, self._lock = _locked_folder()
        self._reserved: Counter[str] = Counter()
        self._counting = threading.Lock()

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.root, ignore_errors=True)
        self._lock.release()
        shutil.rmtree(self.root, ignore_errors=True)  # where a lock that is held cannot be removed

    def session(self, name: str) -> Session:
        """A session by its name: 32 hexadecimal digits."""
        if not SESSION_ID.fullmatch(name):
            raise ThirdstreamError("this page knows no such session; load it again")
        root = self.root / name
        root.mkdir(mode=0o700, exist_ok=True)
        os.utime(root)  # it is used now, so it stays
        return Session(root, self.limits)

    def sweep(self, *, now_s: float | None = None) -> None:
        """Remove what has not been worked on for as long as files are kept."""
        oldest = (time.time() if now_s is None else now_s) - 60 * self.limits.keep_minutes
        for session in self._folders():
            for folder in session.iterdir():
                with suppress(OSError):  # a file went while we looked, so the folder is in use
                    changed = [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
                    if max(changed) < oldest:
                        shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # it is not empty
                if session.stat().st_mtime < oldest:
                    session.rmdir()

    def _folders(self) -> list[Path]:
        return [path for path in self.root.iterdir() if SESSION_ID.fullmatch(path.name)]

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
        used = {folder.name: size(folder) for folder in self._folders()}
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


def size(session: Path) -> int:
    """Bytes that a session's uploads and results count for."""
    total = 0
    for folder in session.iterdir():
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
