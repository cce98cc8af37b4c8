"""Whether a machine is quiet enough to measure on: python benchmarks/machine.py

A spin on every core says what share of a core this process would get; the load average says what
the last minute was like.
"""

import os
import subprocess
import sys
from typing import NamedTuple

import tyro

SPIN = """
import time
start, begin = time.process_time(), time.perf_counter()
while time.perf_counter() - begin < 0.3:
    pass
print((time.process_time() - start) / (time.perf_counter() - begin))
"""
QUIET = 0.95  # of a core, that a spin gets at least where nothing else runs
LOAD = 0.5  # a core, of what ran in the last minute, where nothing does


class State(NamedTuple):
    """share: of a core that each of as many spins got as there are cores, the least. load: average
    of the last minute, in processes."""

    share: float
    load: float
    n_cores: int

    @property
    def is_quiet(self) -> bool:
        return self.share >= QUIET

    def __str__(self) -> str:
        seen = f"{self.n_cores} cores, load {self.load:.1f}, a spin got {self.share:.0%} of a core"
        if self.is_quiet:
            busy = self.load > LOAD * self.n_cores
            return f"{seen}: {'quiet now, but busy before' if busy else 'quiet'}"
        return f"{seen}: TOO BUSY. Believe no wall time; compare CPU seconds, by their ratios"


def state() -> State:
    """As it is now; it takes 0.3 s."""
    try:
        n_cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        n_cores = os.cpu_count() or 1
    command = [sys.executable, "-S", "-c", SPIN]
    spins = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(n_cores)]
    shares = [float(spin.communicate()[0]) for spin in spins]
    return State(min(shares), os.getloadavg()[0], n_cores)


def main() -> None:
    print(state())


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
