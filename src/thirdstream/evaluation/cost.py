"""What a transfer costs: the whole command, from file to file, in a process of its own."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from thirdstream import audio
from thirdstream.files import ThirdstreamError


class Cost(NamedTuple):
    """seconds: from the command to its end, Python's start among them. peak_memory_mb: the largest
    resident memory, in 10^6 bytes; None where the system does not tell."""

    audio_s: float
    seconds: float
    peak_memory_mb: float | None


def cost_of_transfer(recording: Path, *, model: str, to: str) -> Cost:
    """Run `thirdstream transfer` on a recording. Raises ThirdstreamError if it fails."""
    header = audio.info(recording)
    n_samples = header.n_samples or audio.measure(recording).n_samples
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "thirdstream", "transfer", str(recording), "--to", to,
                   "--model", model, "--out", str(Path(folder) / "out.wav")]  # fmt: skip
        with (Path(folder) / "said").open("w+") as said:
            begin = time.perf_counter()
            code, peak = _run(command, said.fileno())
            seconds = time.perf_counter() - begin
            if code:
                said.seek(0)
                raise ThirdstreamError(f"{recording}: could not be timed: {said.read().strip()}")
    return Cost(n_samples / header.sr, seconds, peak)


def _run(command: list[str], stderr: int) -> tuple[int, float | None]:
    """Exit code and peak memory in MB of a command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
    if not hasattr(os, "wait4"):  # Windows
        return process.wait(), None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss
    return process.returncode, usage.ru_maxrss * unit / 1e6
