"""What all commands say things with.

Standard output has what was asked for: tables, JSON, names of files. Standard error has everything
else: bars, remarks, faults. With --quiet only faults are left of that.
"""

import json
import logging
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

OUT = Console(highlight=False, emoji=False)
ERR = Console(stderr=True, highlight=False, emoji=False)
TALK = Console(stderr=True, highlight=False, emoji=False)  # what --quiet silences


class Failed(Exception):
    """Part of the work failed and has been reported; the exit code is 1."""


class _Talking(logging.Handler):
    """What the library logs, as remarks."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def set_loudness(*, quiet: bool, verbose: bool) -> None:
    """Say only what went wrong, or also which files are used and how long it takes."""
    TALK.quiet = quiet
    logger = logging.getLogger("thirdstream")
    logger.handlers = [_Talking()]
    logger.setLevel(logging.INFO if verbose else logging.WARNING)


def progress_bar() -> Progress:
    """A bar on standard error: what, how many, how much longer."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=TALK,
    )


def say(text: str) -> None:
    """A remark."""
    TALK.print(text, soft_wrap=True, markup=False)


def complain(text: str) -> None:
    """A fault, which --quiet does not silence. It goes above a bar, where there is one."""
    console = ERR if TALK.quiet else TALK
    console.print(text, soft_wrap=True, markup=False)


def print_json(content: Any) -> None:
    """`content` as JSON, and nothing else, on standard output; NaN is refused."""
    OUT.print(json.dumps(content, indent=1, allow_nan=False), soft_wrap=True, markup=False)
