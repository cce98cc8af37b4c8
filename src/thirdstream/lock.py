"""A folder or a file that one command at a time writes."""

import hashlib
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from thirdstream.files import ThirdstreamError, from_json, new_folder, remove_orphans, unwritable

NAME = ".thirdstream.lock"
PATIENCE_S = 0.5  # for a holder that is about to end, or that has not yet said who it is


class Held(ThirdstreamError):
    """Another process writes there."""


@contextmanager
def of_folder(folder: Path) -> Iterator[None]:
    """Within it, this process alone writes into the folder, which is made.

    The lock is the system's: it goes with the process, however that ends. What killed processes
    have left half-written in the folder is removed, and a folder that is made and stays empty.
    Raises Held where another process has it, which is named, and
    ThirdstreamError where the folder cannot be written.
    """
    with new_folder(folder), _locked(folder / NAME, folder):
        yield


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """As `of_folder`, for a file: others may be written beside it. Its folder is made.

    Raises ThirdstreamError on what names no file, such as the working folder.
    """
    if not path.name:
        raise ThirdstreamError(f"{path}: is a folder; give the name of a file in it")
    mark = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]  # a name may be as long as may be
    file = path.with_name(f".thirdstream-{mark}.lock")
    with new_folder(path.parent), _locked(file, path):
        yield


def is_empty(folder: Path) -> bool:
    """Whether nothing but a lock is in the folder."""
    return all(path.name == NAME for path in folder.iterdir())


@contextmanager
def _locked(file: Path, what: Path) -> Iterator[None]:
    lock = FileLock(file)
    try:
        lock.acquire(timeout=PATIENCE_S)
    except Timeout:
        raise Held(
            f"{what}: {_holder(file)} writes there; wait until it ends, or choose another place"
        ) from None
    except OSError as error:
        raise unwritable(what, error) from error
    try:
        try:
            file.write_text(json.dumps(_ourselves()), encoding="utf-8")
        except OSError as error:
            raise unwritable(what, error) from error
        remove_orphans(file.parent)
        yield
    finally:
        file.unlink(missing_ok=True)  # while it is held: who comes later makes a new one
        lock.release()


def _ourselves() -> dict[str, str]:
    """Who we are, for those who find the lock."""
    program, *arguments = sys.argv or ["?"]
    return {
        "pid": str(os.getpid()),
        "host": socket.gethostname(),
        "command": shlex.join([Path(program).name, *arguments])[:400],
        "since": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
    }


def _holder(file: Path) -> str:
    """What the holder has said of itself."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = from_json(file.read_text(encoding="utf-8"))
        pid, host, command, since = (said[key] for key in ("pid", "host", "command", "since"))
        return f"process {pid} on {host} ({command}, since {since})"
    return "another process"
