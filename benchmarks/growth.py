"""How cost grows: `prepare`, a `train` epoch, `transfer` and `evaluate` at 1x, 4x and 16x the work.

Each run is the whole command in a process of its own, on one core, from Python's start to its end.
CPU seconds are those of the process and what it starts; others' work on the machine hardly changes
them.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

FACTORS = (1, 4, 16)
N_RECORDINGS, SECONDS = 4, 30  # a style, for 1x
SHORT_S = 4  # of recordings that `evaluate` listens to
STYLES = ("classical", "jazz")
ALONE = MappingProxyType({"OMP_NUM_THREADS": "1"})


class Cost(NamedTuple):
    cpu_s: float
    wall_s: float
    peak_mb: float


def cost_of(*arguments: object, also: Mapping[str, str] = ALONE) -> Cost:
    """Run `thirdstream` with these arguments; also: environment variables."""
    return run([sys.executable, "-m", "thirdstream", "-q", *map(str, arguments)], also)


def run(command: Sequence[str], also: Mapping[str, str] = ALONE) -> Cost:
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | also, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    wall_s = time.perf_counter() - begin
    return Cost(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss / 1024)


def make_music(folder: Path) -> None:
    """All recordings, in a process of its own: a process begins with its parent's peak memory."""
    import numpy as np
    import soundfile as sf

    from signals import segments
    from thirdstream.audio import SR

    wave = segments(12).numpy().ravel()
    rng = np.random.default_rng(0)

    def write(path: Path, seconds: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        n_samples, shift = round(seconds * SR), int(rng.integers(len(wave)))
        sf.write(path, np.resize(np.roll(wave, shift), n_samples), SR)

    for factor in FACTORS:
        write(folder / f"long{factor}" / "song.wav", SECONDS * factor)
        for style in STYLES:
            for number in range(N_RECORDINGS * factor):
                write(folder / f"{factor}" / style / f"{number:03}.wav", SECONDS)
            for number in range(factor):
                write(folder / f"short{factor}" / style / f"{number:03}.wav", SHORT_S)


def sources(folder: Path) -> list[str]:
    return [f"{style}={folder / style}" for style in STYLES]


def costs(folder: Path) -> Iterator[tuple[str, int, str, Cost]]:
    """What, how many times the work, how much that is, what it costs."""
    minutes = 2 * N_RECORDINGS * SECONDS / 60
    for factor in FACTORS:
        corpus, much = folder / f"corpus{factor}", f"{minutes * factor:g} min of music"
        cost = cost_of("prepare", *sources(folder / str(factor)), "--out", corpus, "--n-jobs", 1)
        yield "prepare", factor, much, cost
        run = ["--out", folder / f"run{factor}", "--epochs", 1, "--batch-size", 8]
        yield "train, 1 epoch", factor, much, cost_of("train", "twin-cnn", "--corpus", corpus, *run)
    for factor in FACTORS:
        out = ["--model", "twin-cnn", "--to", "jazz", "--out", folder / f"out{factor}"]
        much = f"one recording of {SECONDS * factor / 60:g} min"
        yield "transfer", factor, much, cost_of("transfer", folder / f"long{factor}", *out)
    for factor in FACTORS:
        own = ["--recordings", *sources(folder / f"short{factor}"), "--references", 2]
        out = ["--excerpt-s", SHORT_S, "--n-jobs", 1, "--out", folder / f"results{factor}.json"]
        cost = cost_of("evaluate", "--corpus", folder / "corpus1", *own, *out)
        yield "evaluate", factor, f"{2 * factor} recordings of {SHORT_S} s", cost


def main(folder: str | None = None) -> None:
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        subprocess.run([sys.executable, __file__, "--make", temporary], check=True)
        for what, factor, much, cost in costs(Path(temporary)):
            figures = f"{cost.cpu_s:.1f}", f"{cost.wall_s:.1f}", f"{cost.peak_mb:.0f}"
            rows.append([what, f"{factor}x", much, *figures])
            print(*rows[-1], sep=" | ", file=sys.stderr)
    from tables import show

    show("Growth", ["", "", "work", "CPU s", "wall s", "peak MB"], rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make_music(Path(sys.argv[2]))
    else:
        import tyro

        tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
