"""What the benchmarks share: timing in turn, and a table with versions."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from rich.console import Console
from rich.table import Table

from machine import state
from thirdstream.checkpoint import versions

CONSOLE = Console(width=110)


def time_in_turn(calls: Mapping[str, Callable[[], object]], n_runs: int = 5) -> dict[str, float]:
    """Median seconds of each call, after one warm-up; A B A B, so that drift hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(n_runs + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def peak_mb() -> float:
    """The most memory this process has had resident, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(title: str, headings: list[str], rows: list[list[str]]) -> None:
    """Print a table, and below it what it was measured with."""
    table = Table(*headings, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    CONSOLE.print(table)
    found = ", ".join(f"{name} {version}" for name, version in versions().items())
    CONSOLE.print(f"{torch.get_num_threads()} threads; {found}")
    CONSOLE.print(f"{state()}\n")
