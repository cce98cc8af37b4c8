"""Whole transfers of files: time against real time, and memory, for growing lengths."""

import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf

from signals import segments
from tables import peak_mb, show
from thirdstream import registry
from thirdstream.audio import SR
from thirdstream.system import Options
from thirdstream.transfer.files import transfer_file

MINUTES = (1, 4, 16)
NAMES = (registry.DEFAULT, "twin-paired", "twin-cnn", "twin-gan")


def one(name: str, minutes: float, n_channels: int, folder: Path) -> tuple[float, float]:
    """Seconds and peak MB of one transfer; run in a process of its own."""
    wave = np.concatenate(list(segments(12).numpy()))
    path = folder / "in.wav"
    n_left = round(minutes * 60 * SR)
    with sf.SoundFile(path, "w", SR, n_channels, "PCM_16") as file:
        while n_left > 0:
            part = wave[:n_left]
            file.write(np.stack([part] * n_channels, axis=1))
            n_left -= len(part)
    start = time.perf_counter()
    system = registry.load(name)
    transfer_file(system, path, folder / "out.wav", Options("jazz"), force=True)
    return time.perf_counter() - start, peak_mb()


def main(*minutes: float) -> None:
    rows = []
    for name, length, n_channels in itertools.product(NAMES, minutes or MINUTES, (1, 2)):
        command = [sys.executable, __file__, "--one", name, str(length), str(n_channels)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, memory = map(float, text.split())
        speed = f"{length * 60 / seconds:.1f}"
        row = [name, f"{length:g}", str(n_channels), f"{seconds:.1f}", speed, f"{memory:.0f}"]
        rows.append(row)
    headings = ["system", "minutes", "channels", "s", "times real time", "peak MB"]
    show("Whole files, from the loading of the model to the last sample", headings, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        with tempfile.TemporaryDirectory() as temporary:
            print(*one(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), Path(temporary)))
    else:
        import tyro

        tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
