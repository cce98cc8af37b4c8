"""What all commands say things with.

Standard output has what was asked for: tables, JSON, names of files. Standard error has everything
else: bars, remarks, faults. With --quiet only faults are left of that.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment

from thirdstream.shown import shown


class Terminal(Console):
    """Prints text as it is, and nothing in it that a terminal would obey: names come from anyone.

    Line ends are kept, for tables have them; what says a line of text writes out those in it.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, emoji=False, markup=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(shown(text, keep="\n"), style)


OUT = Terminal()
ERR = Terminal(stderr=True)
TALK = Terminal(stderr=True)  # what --quiet silences


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


class Bar(Progress):
    """A bar that goes where a fault passes, or not even one thing is done: else the fault would be
    said below a bar that stands still."""

    def __exit__(self, kind: type[BaseException] | None, *fault: Any) -> None:
        failed = kind is not None and issubclass(kind, Exception)
        self.live.transient = failed or all(task.completed < 1 for task in self.tasks)
        if self.live.transient:  # alone: without a terminal Progress would add an empty line
            self.live.stop()
        else:
            super().__exit__(kind, *fault)


def progress_bar() -> Progress:
    """A bar on standard error: what, how many, how much longer."""
    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=TALK,
    )


class FilesBar:
    """A bar over files that goes on within each of them. One that fails is not counted: the bar of
    a single one stops where it failed."""

    def __init__(self, bar: Progress, doing: str, n_files: int) -> None:
        self._bar, self._task = bar, bar.add_task(doing, total=n_files)
        self._n_done = 0

    def show(self, path: Path, share: float, doing: str = "") -> None:
        """So much of a file is done, 0 to 1; doing: what is done now, where there is a word."""
        said = f"{path.name} {share:.0%}" + (f", {doing}" if doing else "")
        self._bar.update(self._task, completed=self._n_done + share, description=said)

    def done(self, path: Path, said: str = "100%") -> None:
        """A file is finished; said: what became of it."""
        self._n_done += 1
        self._bar.update(self._task, completed=self._n_done, description=f"{path.name} {said}")


def tell(text: str) -> None:
    """A line of what was asked for."""
    OUT.print(shown(text), soft_wrap=True)


def say(text: str) -> None:
    """A remark."""
    TALK.print(shown(text), soft_wrap=True)


def counted(n: int) -> str:
    """Recordings with their number."""
    return f"{n} recording" + "s" * (n != 1)


def complain(text: str) -> None:
    """A fault, which --quiet does not silence. It goes above a bar, where there is one."""
    console = ERR if TALK.quiet else TALK
    console.print(shown(text), soft_wrap=True)


def print_json(content: Any) -> None:
    """`content` as JSON, and nothing else, on standard output; NaN is refused."""
    OUT.print(json.dumps(content, indent=1, allow_nan=False), soft_wrap=True)
