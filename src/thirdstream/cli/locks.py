"""What commands write into is theirs alone while they run."""

import functools
import inspect
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from thirdstream import lock
from thirdstream.files import ThirdstreamError

Command = Callable[..., None]


def writes_folder(command: Command) -> Command:
    """The same command, which holds the folder `out` while it runs."""
    return _holding(command, _folder)


def writes_file(command: Command) -> Command:
    """The same command, which holds the file `out` while it runs."""
    return _holding(command, lock.of_file)


def writes_either(command: Command) -> Command:
    """The same command, which holds the file or folder `out`, and of standard output nothing."""
    return _holding(command, _file_or_folder)


def _holding(command: Command, held: Callable[[Path], AbstractContextManager[None]]) -> Command:
    signature = inspect.signature(command)

    @functools.wraps(command)
    def holding(*given: Any, **named: Any) -> None:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        with held(bound.arguments["out"]):
            command(*given, **named)

    return holding


def _folder(out: Path) -> AbstractContextManager[None]:
    """Of processes that were launched together, the first holds it for all. Raises ThirdstreamError
    on the name of a file, of which no folder is made."""
    from thirdstream.transfer.files import names_a_file

    if names_a_file(out):
        raise ThirdstreamError(f"{out}: is the name of a file; give a folder, for several are made")
    return lock.of_folder(out) if os.environ.get("RANK", "0") == "0" else nullcontext()


def _file_or_folder(out: Path) -> AbstractContextManager[None]:
    from thirdstream.cli.pipes import DASH
    from thirdstream.transfer.files import names_a_file

    if out == DASH:
        return nullcontext()
    return lock.of_file(out) if names_a_file(out) else lock.of_folder(out)
