"""How much quicker a folder is transferred by two workers: python benchmarks/workers.py [N] [RUNS]

N (200) recordings of 4 s, by `score`: one after another, by two processes of this machine, by two
workers of a Dask cluster, and by two of Ray's where it is installed; the whole command each time,
RUNS (1) in turns. CPU seconds are of all processes, the cluster's among them: what two free cores
would make of them is at most twice the speed, less what the workers cost more.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import tyro

from growth import ALONE, run
from machine import state

N_RECORDINGS, SECONDS, N_WORKERS = 200, 4, 2
TRANSFER = (sys.executable, "-m", "thirdstream", "-q", "transfer")


class Took(NamedTuple):
    wall_s: float
    cpu_s: float


def make_music(folder: Path, n_recordings: int) -> None:
    import numpy as np
    import soundfile as sf

    from thirdstream import audio, registry

    wave = np.concatenate([audio.read(clip)[0] for clip in registry.bundled_clips()])
    starts = np.random.default_rng(0).integers(len(wave), size=n_recordings)
    for number, start in enumerate(starts):
        sf.write(folder / f"{number:03}.wav", np.roll(wave, -start)[: SECONDS * audio.SR], audio.SR)


def children_cpu_s() -> float:
    """Of all that this process has started and that has ended."""
    times = os.times()
    return times.children_user + times.children_system


@contextmanager
def dask_cluster(folder: Path) -> Iterator[list[str]]:
    """Options of a command that uses it; its workers end with it."""
    place = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    environment = os.environ | ALONE
    whole = ["scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(place)]
    workers = ["worker", "--scheduler-file", str(place), "--nworkers", str(N_WORKERS)]
    every = [
        subprocess.Popen([*dask, *arguments], env=environment, **quiet)
        for arguments in (whole, [*workers, "--nthreads", "1", "--no-dashboard"])
    ]
    try:
        while not place.is_file():
            time.sleep(0.05)
        address = place.read_text().partition('"address": "')[2].partition('"')[0]
        yield ["--parallel", "dask", "--address", address]
    finally:
        for one in reversed(every):
            one.terminate()
            one.wait()


def took(folder: Path, arguments: list[str]) -> Took:
    """Of a whole command."""
    out = tempfile.mkdtemp(dir=folder)
    cost = run([*TRANSFER, str(folder / "in"), "--to", "jazz", "--out", out, *arguments])
    return Took(cost.wall_s, cost.cpu_s)


def by_dask(folder: Path) -> Took:
    before = children_cpu_s()
    with dask_cluster(folder) as arguments:
        cost = took(folder, arguments)
    return Took(cost.wall_s, children_cpu_s() - before)


def ways(folder: Path) -> dict[str, Callable[[], Took]]:
    found: dict[str, Callable[[], Took]] = {
        "one after another": lambda: took(folder, ["--n-jobs", "1"]),
        "two processes": lambda: took(folder, ["--n-jobs", str(N_WORKERS)]),
        "Dask, two workers": lambda: by_dask(folder),
    }
    if importlib.util.find_spec("ray"):
        found["Ray, this machine"] = lambda: took(
            folder, ["--parallel", "ray", "--address", "local"]
        )
    return found


def main(n_recordings: int = N_RECORDINGS, n_runs: int = 1) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "in").mkdir()
        make_music(folder / "in", n_recordings)
        every, times = ways(folder), {name: list[Took]() for name in ways(folder)}
        for _ in range(n_runs):
            for name, way in every.items():
                times[name].append(way())
                print(name, *times[name][-1], state(), sep=" | ", file=sys.stderr)
    from tables import show

    alone = times["one after another"]
    rows = []
    for name, found in times.items():
        ratios = [a.wall_s / b.wall_s for a, b in zip(alone, found, strict=True)]
        extra = [b.cpu_s / a.cpu_s for a, b in zip(alone, found, strict=True)]
        wall, cpu = (statistics.median(part) for part in zip(*found, strict=True))
        figures = (wall, cpu, statistics.median(extra), statistics.median(ratios))
        rows.append([name, *(f"{value:.2f}" for value in figures)])
    headings = ["", "wall s", "CPU s", "CPU, alone = 1", "times as quick"]
    show(f"transfer of {n_recordings} recordings of {SECONDS} s", headings, rows)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
