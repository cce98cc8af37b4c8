"""What all commands say things with."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)


class Failed(Exception):
    """Part of the work failed and has been reported; the exit code is 1."""


def progress_bar() -> Progress:
    """A bar on standard error: what, how many, how much longer."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=ERR,
    )
