"""What a transfer costs: the whole command, from file to file, in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from thirdstream import audio
from thirdstream.files import ThirdstreamError

STOPWATCH = Path(__file__).with_name("stopwatch.py")


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
        try:
            seconds, peak_memory_mb = run(command)
        except ThirdstreamError as error:
            said = str(error).removeprefix("thirdstream: ").removeprefix(f"{recording}: ")
            raise ThirdstreamError(f"{recording}: could not be timed: {said}") from error
    return Cost(n_samples / header.sr, seconds, peak_memory_mb)


def run(command: Sequence[str]) -> tuple[float, float | None]:
    """Seconds and peak memory in MB of a command. Raises ThirdstreamError with what it said, if it
    fails."""
    done = subprocess.run(
        [sys.executable, str(STOPWATCH), *command], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    if found["code"]:
        raise ThirdstreamError(done.stderr.strip())
    peak = found["peak_bytes"]
    return found["seconds"], None if peak is None else peak / 1e6
