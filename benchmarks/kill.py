"""Commands killed at random instants, then resumed: nothing half-written, nothing lost.

    python benchmarks/kill.py [--kills 100] [--only COMMAND] [--seed 0]

Each command is killed so often with SIGKILL and as often with SIGINT (Ctrl-C). After every kill its
folder is looked at; after up to eight in a row it runs to its end, and what is there must equal a
run that nobody disturbed, byte for byte. Then two run into one folder at one time. Then the disk is
full (a tmpfs that is too small) and read-only. Commands run in forks of this process, which has
imported everything: most of the instants hit work, not imports.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import torch
from rich.table import Table

import jobs
from jobs import Job
from tables import CONSOLE
from thirdstream.cli import main as cli

IN_A_ROW = 8  # kills before a run may end
PATIENCE_S = 120.0  # after Ctrl-C; a step or a recording may have to be finished
N_PAIRS = 3  # of one command at one time
N_DISKS = 10  # sizes of a disk that is too small
INTERRUPTED, FAILED = 130, 1
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGINT": signal.SIGINT}


class Run:
    """A command in a fork: its process and what it says."""

    def __init__(self, job: Job, out: Path, log: Path) -> None:
        self.log = log
        ready, says = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                _work(job.arguments(out), log, says)
            finally:
                os._exit(99)
        os.close(says)
        os.read(ready, 1)
        os.close(ready)

    def wait(self, patience_s: float) -> int | None:
        """The exit code, negative for a signal; None where it goes on."""
        end = time.monotonic() + patience_s
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                return None
            time.sleep(0.002)

    def kill(self, number: int) -> int | None:
        """Send the signal to all its processes; returns the exit code."""
        os.killpg(self.pid, number)
        return self.wait(PATIENCE_S)

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def _work(arguments: list[str], log: Path, says: int) -> None:
    """In the child: run the command and exit as it does."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            os.write(says, b"!")
            cli.main(arguments)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:  # just before the command began, or just after its end
        code = INTERRUPTED
    sys.stdout.flush()
    log.with_suffix(".modules").write_text("\n".join(sys.modules))
    os._exit(code)


def finished(job: Job, out: Path, log: Path) -> dict[str, bytes]:
    """Run a job to its end; returns what it made. Raises RuntimeError where it fails."""
    run = Run(job, out, log)
    if code := run.wait(600):
        raise RuntimeError(f"exit code {code}: {run.said()[-1500:]}")
    if left := [path for path in out.rglob(".*") if ".part" in path.name]:
        raise RuntimeError(f"left behind: {left}")
    return jobs.visible(out, job.varies)


def killed(name: str, job: Job, place: Path, n_kills: int, seed: int) -> Iterator[tuple[str, str]]:
    """Kill a job with each signal; yields (signal or "resumed", fault or "")."""
    log, rng = place / "log", random.Random(f"{seed} {name}")
    warm(job, place)
    start = time.monotonic()
    whole = finished(job, place / "whole", log)
    lasts_s = time.monotonic() - start
    for kind, number in SIGNALS.items():
        n_left = n_kills
        while n_left:
            out = place / "killed"
            shutil.rmtree(out, ignore_errors=True)
            for _ in range(min(n_left, rng.randint(1, IN_A_ROW))):
                run = Run(job, out, log)
                code = run.wait(rng.uniform(0, lasts_s))
                if code is not None:  # it was done before it could be killed
                    if code:
                        yield kind, f"exit code {code}: {run.said()[-800:]}"
                    break
                fault = _fault(run, run.kill(number), job, out, whole)
                n_left -= 1
                yield kind, fault
            try:
                made = finished(job, out, log)
                yield "resumed", _difference(made, whole)
            except RuntimeError as error:
                yield "resumed", str(error)


def _fault(run: Run, code: int | None, job: Job, out: Path, whole: dict[str, bytes]) -> str:
    """What is wrong after a kill."""
    if code is None:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(10)
        return "did not stop"
    if code not in (0, -signal.SIGKILL, INTERRUPTED):
        return f"exit code {code}: {run.said()[-800:]}"
    if "Traceback" in run.said():
        return f"a traceback: {run.said()[-800:]}"
    left = [path.name for path in out.rglob(".*.part*")]
    if code == INTERRUPTED and left:
        return f"left behind: {left}"
    return "; ".join(jobs.faults(out, whole, job.varies)) if out.exists() else ""


def two_at_once(job: Job, place: Path) -> Iterator[tuple[str, str]]:
    """Run a job twice into one folder at one time: one does it, the other says who is there."""
    whole = jobs.visible(place / "whole", job.varies)
    for number in range(N_PAIRS):
        out = place / f"shared {number}"
        runs = [Run(job, out, place / f"log {one}") for one in range(2)]
        codes = [run.wait(600) for run in runs]
        said = [run.said() for run in runs]
        held = [code == FAILED and "writes there" in text
                for code, text in zip(codes, said, strict=True)]  # fmt: skip
        fault = ""
        late = codes == [0, 0]  # the second began when the first had ended
        if not late and (sorted(held) != [False, True] or codes[held.index(False)] != 0):
            fault = f"exit codes {codes}: {[text[-400:] for text in said]}"
        yield "two at once", fault or _difference(jobs.visible(out, job.varies), whole)


def _difference(made: dict[str, bytes], whole: dict[str, bytes]) -> str:
    """Which files are not as in a run that was left alone."""
    names = sorted(name for name in {*made, *whole} if made.get(name) != whole.get(name))
    return f"not as in a run that was left alone: {', '.join(names)}" if names else ""


def warm(job: Job, place: Path) -> None:
    """Import here what a job imports on its way, so that its forks need not."""
    finished(job, place / "first", place / "log")
    for name in (place / "log.modules").read_text().splitlines():
        if name not in sys.modules and not name.startswith("__"):
            with suppress(Exception):  # some can't be imported by their name alone
                import_module(name)


# --- disks --------------------------------------------------------------------------------------


@contextmanager
def disk(where: Path, n_bytes: int) -> Iterator[None]:
    """A file system of so many bytes. Raises OSError where none can be mounted."""
    where.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(where))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())


def on_bad_disks(name: str, job: Job, place: Path, seed: int) -> Iterator[tuple[str, str]]:
    """Run a job on disks that are too small and on one that is read-only; then they are mended."""
    log, rng = place / "log", random.Random(f"{seed} disk {name}")
    whole = finished(job, place / "whole on disk", log)
    n_bytes = sum(map(len, whole.values()))
    where = place / "disk"
    for number in range(N_DISKS + 1):
        kind = "full disk" if number else "read-only"
        size = 64 * n_bytes if not number else max(4096, int(rng.uniform(0, 0.9) * n_bytes))
        with disk(where, size):
            if not number:
                _mount("-o", "remount,ro", str(where))
            run = Run(job, where / "out", log)
            code = run.wait(600)
            fault = ""
            if code != FAILED or "unexpected fault" in run.said() or "Traceback" in run.said():
                fault = f"exit code {code}: {run.said()[-800:]}"
            elif (where / "out").exists():
                fault = "; ".join(jobs.faults(where / "out", whole, job.varies))
            yield kind, fault
            _mount("-o", f"remount,rw,size={64 * n_bytes}", str(where))
            try:
                same = finished(job, where / "out", log) == whole
                yield "mended", "" if same else "differs from the run on a good disk"
            except RuntimeError as error:
                yield "mended", str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="with each signal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="a command; may be given again")
    parser.add_argument("--no-disks", action="store_true", help="nothing is mounted")
    given = parser.parse_args()
    torch.set_num_threads(1)
    jobs.without_transcriber()
    kinds = [*SIGNALS, "resumed", "two at once", "full disk", "read-only", "mended"]
    table = Table("command", *kinds, "faults", title=f"kills, seed {given.seed}")
    n_faults = 0
    with tempfile.TemporaryDirectory() as folder:
        found = jobs.material(Path(folder))
        for name, job in found.items():
            if given.only and name not in given.only:
                continue
            counts, faults = _counted(name, job, Path(folder), given)
            n_faults += faults
            CONSOLE.print(f"{name}: {dict(counts)}, {faults} faults")
            table.add_row(name, *(str(counts[kind]) for kind in kinds), str(faults))
    CONSOLE.print(table)
    sys.exit(bool(n_faults))


def _counted(name: str, job: Job, folder: Path, given: argparse.Namespace) -> tuple[Counter, int]:
    """How often each thing was done to a job, and how often that went wrong."""
    place, counts, n_faults = folder / f"of {name}", Counter(), 0
    place.mkdir()

    def events() -> Iterator[tuple[str, str]]:
        yield from killed(name, job, place, given.kills, given.seed)
        yield from two_at_once(job, place)
        if not given.no_disks:
            try:
                yield from on_bad_disks(name, job, place, given.seed)
            except OSError as error:
                CONSOLE.print(f"{name}: no disk of our own can be mounted here ({error})")

    for kind, fault in events():
        counts[kind] += 1
        n_faults += bool(fault)
        if fault:
            CONSOLE.print(f"{name}, {kind}: {fault}", markup=False)
    return counts, n_faults


if __name__ == "__main__":
    main()
