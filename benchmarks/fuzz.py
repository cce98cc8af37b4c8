"""Damaged files for every reader: how many are used, refused with a clear error, or do harm.

    python benchmarks/fuzz.py [--inputs 20000] [--seed 0] [--only FORMAT] [--keep FOLDER]

A child process reads one file after another and says what became of each; it may take 10 s of work
and 1.5 GB more than it began with. A child that dies or works for longer is killed, the input
counts as a failure, and the next child goes on behind it. Failures are kept, with what was said.
"""

import argparse
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.table import Table

from specimens import FORMATS, Specimen
from tables import CONSOLE
from thirdstream.files import ThirdstreamError

PATIENCE_S = 10.0
MORE_BYTES = 1_500_000_000  # than a child has when it begins
ACCEPTED, REFUSED, CRASH, HANG, MEMORY, OTHER = (
    "accepted", "clear error", "crash", "hang", "memory", "other exception",
)  # fmt: skip
OUTCOMES = (ACCEPTED, REFUSED, CRASH, HANG, MEMORY, OTHER)


def outcome_of(specimen: Specimen, content: bytes) -> tuple[str, str]:
    """What becomes of a file, and what was said of it."""
    try:
        specimen.read(content)
    except ThirdstreamError as error:
        return REFUSED, str(error)
    except MemoryError:
        return MEMORY, traceback.format_exc()
    except Exception:
        return OTHER, traceback.format_exc()
    return ACCEPTED, ""


def tried(specimen: Specimen, numbers: Sequence[int], seed: int) -> Iterator[tuple]:
    """(number, outcome, said) of each input, from as many children as it takes."""
    left = list(numbers)
    while left:
        for number, outcome, said in _child(specimen, left, seed):
            yield number, outcome, said
            left = left[left.index(number) + 1 :]


def _child(specimen: Specimen, numbers: Sequence[int], seed: int) -> Iterator[tuple]:
    """What one child says, until it has done all, dies or is silent."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _work(specimen, numbers, seed, writer)
        finally:  # whatever happens, only the parent goes on
            os._exit(0)
    os.close(writer)
    pending, done = list(numbers), b""
    try:
        while pending:
            silent = not _speaks(reader, pid)
            part = b"" if silent else os.read(reader, 1 << 16)
            if not part:
                break
            done += part
            while b"\0" in done:
                line, _, done = done.partition(b"\0")
                _, outcome, said = line.decode().split("\1")
                yield pending.pop(0), outcome, said
        if pending:
            yield pending.pop(0), HANG if silent else CRASH, ""
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)


def _speaks(reader: int, pid: int) -> bool:
    """Whether the child says something before it has worked for PATIENCE_S; a machine that is busy
    with other things may take a while to let it."""
    before, waited_s = _worked_s(pid), 0.0
    while not select.select([reader], [], [], 1.0)[0]:
        waited_s += 1.0
        if _worked_s(pid) - before > PATIENCE_S or waited_s > 30 * PATIENCE_S:
            return False
    return True


def _worked_s(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _work(specimen: Specimen, numbers: Sequence[int], seed: int, writer: int) -> None:
    """In the child: read each input, and say what became of it."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)  # decoders complain there
    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (virtual + MORE_BYTES, -1))
    for number in numbers:
        outcome, said = outcome_of(specimen, specimen.damaged(number, seed))
        said = said[-2000:].replace("\0", "").replace("\1", "")
        os.write(writer, f"{number}\1{outcome}\1{said}".encode(errors="replace") + b"\0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="a format; may be given again")
    parser.add_argument("--keep", type=Path, help="folder for inputs that did harm")
    given = parser.parse_args()
    torch.set_num_threads(1)  # a pool of threads does not outlive a fork: a child would wait for it
    names = given.only or list(FORMATS)
    total = sum(kind.weight for kind in FORMATS.values())  # of a format alone: as many as of all
    table = Table("format", *OUTCOMES, "s", title=f"damaged files, seed {given.seed}")
    counts: Counter[str] = Counter()
    for name in names:
        n_inputs = -(-given.inputs * FORMATS[name].weight // total)
        found, seconds = _all_of(name, n_inputs, given.seed, given.keep)
        counts += found
        CONSOLE.print(f"{name}: {dict(found)} in {seconds:.0f} s")
        table.add_row(name, *(str(found[one]) for one in OUTCOMES), f"{seconds:.0f}")
    table.add_row("all", *(str(counts[one]) for one in OUTCOMES))
    CONSOLE.print(table)
    sys.exit(any(counts[one] for one in OUTCOMES[2:]))


def _all_of(name: str, n_inputs: int, seed: int, keep: Path | None) -> tuple[Counter[str], float]:
    found: Counter[str] = Counter()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        specimen = Specimen.made(name, Path(folder))
        for number, outcome, said in tried(specimen, range(n_inputs), seed):
            found[outcome] += 1
            if outcome in (ACCEPTED, REFUSED):
                continue
            CONSOLE.print(f"{name} {number}: {outcome} {said[-600:]}", markup=False)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                content = specimen.damaged(number, seed)
                (keep / f"{number}-{specimen.path.name}").write_bytes(content)
    return found, time.monotonic() - start


if __name__ == "__main__":
    main()
