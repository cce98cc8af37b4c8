"""Errors a user can act on, and files that appear whole or not at all."""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import lock_descriptor

from thirdstream import shortage

CASELESS = sys.platform in ("win32", "darwin")  # their file systems take A.wav for a.wav
LOG = logging.getLogger(__name__)
ORPHAN = re.compile(r"\.[0-9a-f]{8}\.part(\..+)?")  # what `whole_file` calls its temporary files
MIDI_SUFFIXES, MUSICXML_SUFFIXES = (".mid", ".midi"), (".mxl", ".musicxml", ".xml")
ORPHANED_S = 24 * 3600.0  # where there are no locks: after so long nobody writes there


class ThirdstreamError(Exception):
    """A fault the user can mend; its text names the file, the fault and the remedy."""


class Interrupted(ThirdstreamError):
    """Work was stopped by the user; everything is saved."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it is removed.

    The rename is atomic, so a reader sees the old file, the new file or none, never a part of one.
    Raises ThirdstreamError where the disk is full or the folder cannot be written, and where
    another file, which is read meanwhile, cannot be reached.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.part{path.suffix}")
    make_folder(path.parent)
    try:
        with _marked(temporary):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as error:
        raise _unread(error, temporary, path) or unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unread(error: OSError, *written: Path) -> ThirdstreamError | None:
    """What is said where another file than those that are written is at fault; else None."""
    return None if error.filename in map(str, written) else unreachable(error)


@contextmanager
def _marked(temporary: Path) -> Iterator[None]:
    """Within it the file, which is made, is locked by the system: somebody is at work on it."""
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if os.name == "posix":  # elsewhere nobody could write to it or rename it, then
            with suppress(OSError):  # not every file system has locks
                lock_descriptor(descriptor, blocking=False)
        else:
            os.close(descriptor)
        yield
    finally:
        if os.name == "posix":
            os.close(descriptor)


def remove_orphans(*folders: Path) -> None:
    """Remove temporary files of killed processes from folders; those that are written stay."""
    for folder in folders:
        for path in folder.glob(".*.part*"):
            with suppress(OSError):  # another process was quicker, or it is not ours
                if ORPHAN.fullmatch(path.name) and _abandoned(path):
                    path.unlink()


def _abandoned(path: Path) -> bool:
    """Whether nobody is at work on a temporary file; without locks its age must tell."""
    if os.name == "posix":
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR)
            try:
                return lock_descriptor(descriptor, blocking=False)
            finally:
                os.close(descriptor)
    return time.time() - path.stat().st_mtime > ORPHANED_S


def unwritable(path: Path, error: OSError) -> ThirdstreamError:
    """What is said where a disk is full, gone or not ours to write on."""
    remedy = "free some space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "see who may write there"
    elif error.errno == errno.ENAMETOOLONG:
        remedy = "shorten the name"
    elif error.errno not in shortage.FULL and (short := shortage.said(error)):
        return ThirdstreamError(f"{path}: cannot be written: {short}")
    return ThirdstreamError(
        f"{path}: cannot be written ({error.strerror or error}); "
        f"{remedy} or choose another place, then run the same command again"
    )


def unreachable(error: OSError) -> ThirdstreamError | None:
    """What is said where the system does not let us to a file; None where it names no file, and of
    a shortage, which is told otherwise."""
    if not isinstance(error.filename, str | bytes | os.PathLike) or shortage.said(error):
        return None
    too_long = error.errno == errno.ENAMETOOLONG
    remedy = "shorten the name" if too_long else "check the path and its permissions"
    place = os.fsdecode(error.filename)
    return ThirdstreamError(f"{place}: cannot be reached ({error.strerror}); {remedy}")


@contextmanager
def reaching() -> Iterator[None]:
    """Within it, and within a function that it decorates, a file that the system does not let us to
    is a ThirdstreamError: to ask whether there is one raises PermissionError in a closed folder."""
    try:
        yield
    except OSError as error:
        if (said := unreachable(error)) is None:
            raise
        raise said from error


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """All files below a folder whose suffix, in lower case, is one of these, sorted; hidden ones
    are left out, and what lies in hidden folders.

    Raises ThirdstreamError where it, or a folder inside, cannot be read.
    """

    def refused(error: OSError) -> None:
        remedy = "see who may" if error.errno == errno.EACCES else "check the folder"
        raise ThirdstreamError(f"{error.filename}: cannot be read ({error.strerror}); {remedy}")

    found: list[Path] = []
    with reaching():  # names of a folder may be readable, and what they name closed
        for place, folders, names in os.walk(folder, onerror=refused):
            folders[:] = [name for name in folders if not name.startswith(".")]
            paths = (Path(place) / name for name in names if not name.startswith("."))
            found += [path for path in paths if path.suffix.lower() in suffixes and path.is_file()]
    return sorted(found)


def apart(sources: Sequence[Path], targets: Sequence[Path]) -> list[Path]:
    """The targets, each of a name of its own: where some would be one file, their sources' endings
    are kept, as in a.mp3.wav and a.flac.wav, and where that is not enough, they are numbered.
    """

    def key(path: Path) -> str:
        return str(path).casefold() if CASELESS else str(path)

    shared = {one for one, n in Counter(map(key, targets)).items() if n > 1}
    taken = {key(target) for target in targets} - shared
    names = []
    for source, target in zip(sources, targets, strict=True):
        suffix = target.name.removeprefix(source.stem)
        name, number = target, 1
        if key(target) in shared:
            name = target.with_name(source.name + suffix)
            while key(name) in taken:
                number += 1
                name = target.with_name(f"{source.name} {number}{suffix}")
            taken.add(key(name))
        names.append(name)
    return names


@reaching()
def check_free(out: Path, *, force: bool = False, suffix: str = "") -> None:
    """Raise ThirdstreamError where `out` exists and is not to be replaced, is a folder, or has
    another suffix than the one that is asked for."""
    if suffix and out.suffix != suffix:
        raise ThirdstreamError(f"{out}: is no name that ends in {suffix}; try {out.stem}{suffix}")
    if out.is_dir():
        raise ThirdstreamError(f"{out}: is a folder; choose another name")
    if out.exists() and not force:
        raise ThirdstreamError(f"{out}: exists already; add --force to replace it")


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises ThirdstreamError where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: cannot be made a folder ({error.strerror}); choose another place"
        ) from error


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """Make a folder; of it and those above it that were made, the empty ones go at the end."""
    with reaching():
        new = [one for one in (path, *path.parents) if not one.exists()]
    make_folder(path)
    try:
        yield
    finally:
        with suppress(OSError):  # this one is not empty, nor are those above it
            for one in new:
                one.rmdir()


def parts_of(out: Path) -> Path:
    """Where what was found of single recordings stays until `out`, which is made of all of them, is
    written: work that was interrupted goes on from there."""
    return out.with_name(f".{out.name}.parts")


def forget_parts(out: Path) -> None:
    """Remove what was kept for an interruption."""
    shutil.rmtree(parts_of(out), ignore_errors=True)


def fault_of(path: Path, error: Exception) -> str:
    """What is said of one file of many, which failed alone: its name, the fault, the remedy.

    --verbose shows where an unexpected fault arose.
    """
    if isinstance(error, ThirdstreamError):  # what worked on it may not know which file it is
        return str(error) if str(path) in str(error) else f"{path}: {error}"
    if short := shortage.said(error):
        return f"{path}: {short}"
    if isinstance(error, OSError):
        return str(unreachable(error) or unwritable(path, error))
    LOG.info("%s: an unexpected fault", path, exc_info=error)
    return f"{path}: an unexpected fault ({error!r:.200}); run it with --verbose and report that"


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path, *, kind: str) -> Any:
    """Read a JSON file; raises ThirdstreamError that says which `kind` of file was expected."""
    try:
        return json_in(path)
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: is not a readable {kind} ({error.strerror}); check the path"
        ) from error
    except ValueError as error:
        raise ThirdstreamError(f"{path}: is not a readable {kind} ({error})") from error


def json_in(path: Path) -> Any:
    """What a JSON file says. Raises OSError, and ValueError as `from_json` does."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors may begin it with a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError("it is no text") from error
    return from_json(text)


def from_json(text: str) -> Any:
    """What a JSON text says. Raises ValueError on anything else, NaN among it, and where lists lie
    too deep in one another."""
    try:
        return json.loads(text, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("it goes too deep") from error


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_style(name: str) -> bool:
    """Whether a style may be called so: it becomes a part of file names, on Windows too."""
    word = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) is not None
    return word and re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", name.lower()) is None


def sha256_now(path: Path) -> str:
    """Of a file as it is now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1024)
def sha256(path: Path) -> str:
    """Of a file that does not change while the program runs: it is read once."""
    return sha256_now(path)
