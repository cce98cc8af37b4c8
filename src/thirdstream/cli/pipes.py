"""The name `-`: a recording on standard input, a result on standard output."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thirdstream.files import ThirdstreamError, unwritable

DASH = Path("-")
INPUT = "standard input"
KEPT = "stdin"  # what its recording is called


@contextmanager
def recording_in(path: Path) -> Iterator[Path]:
    """The file `path` is; of standard input, a file that holds what came, until the block ends.

    Raises ThirdstreamError if standard input is a terminal or empty; faults found in the block say
    `standard input` instead of that file's name.
    """
    if path != DASH:
        yield path
        return
    if sys.stdin.isatty():
        raise ThirdstreamError(f"{INPUT} is a terminal; pipe a recording into it, or give a file")
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / KEPT
        with kept.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        if not kept.stat().st_size:
            raise ThirdstreamError(f"{INPUT} is empty; see what the program before the pipe says")
        try:
            yield kept
        except ThirdstreamError as error:
            raise ThirdstreamError(str(error).replace(str(kept), INPUT)) from error


@contextmanager
def result_to(path: Path, *, suffix: str) -> Iterator[Path]:
    """The file `path` is; for standard output, one that is written there when the block ends well.

    suffix: of that file's name. Raises ThirdstreamError if standard output is a terminal.
    """
    if path != DASH:
        yield path
        return
    if sys.stdout.isatty():
        raise ThirdstreamError("standard output is a terminal; redirect it, or give a file's name")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"stdout{suffix}"
        yield made
        try:
            with made.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            close_output()
            raise unwritable(Path("standard output"), error) from error


def close_output() -> None:
    """Where it can't be written: nothing goes there any more, not even what Python writes last."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
