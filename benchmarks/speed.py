"""The speeds of `score` and `listen` that the docs quote, each in turns with an anchor.

    python benchmarks/speed.py [--runs 3] [--only WORD] [--hour] [--before CHECKOUT]

The anchor is librosa's mel spectrogram of the same recording, in a process of its own: what it
takes says how quick the machine is at the time. With --before it is the same command by another
checkout. Every run is a whole command, from Python's start to its end; they alternate, A B A B.
Ratios are of CPU seconds, which others' work on the machine changes less than wall time.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from growth import Cost, cost_of, run
from machine import State, state

SR = 44_100
HOUR = "60 min"
LENGTHS = {"3 s": 3, "4 min": 240, HOUR: 3600}
ANCHOR = "import librosa, sys; y, sr = librosa.load(sys.argv[1], sr=None); \
librosa.feature.melspectrogram(y=y, sr=sr)"
SCORE, LISTEN = ("transfer", "--to", "classical"), ("listen",)
FIGURES = {  # command, and length of the recording
    "transfer by score, 3 s": (SCORE, "3 s"),
    "transfer by score, 4 min": (SCORE, "4 min"),
    "transfer by score, 60 min": (SCORE, HOUR),
    "listen, 4 min": (LISTEN, "4 min"),
    "transfer by twin-paired, 4 min": ((*SCORE, "--model", "twin-paired"), "4 min"),
    "transfer by twin-cnn, 4 min": ((*SCORE, "--model", "twin-cnn"), "4 min"),
}


def make_music(folder: Path, lengths: Sequence[str]) -> None:
    """Stereo recordings: the bundled clips in turn, the right side later and softer."""
    import numpy as np
    import soundfile as sf

    from thirdstream import audio, registry

    wave = np.concatenate([audio.read(clip)[0] for clip in registry.bundled_clips()])
    for name in lengths:
        with sf.SoundFile(folder / f"{name}.wav", "w", SR, 2, "PCM_16") as file:
            n_left = LENGTHS[name] * SR
            while n_left > 0:
                part = wave[:n_left]
                file.write(np.stack([part, 0.8 * np.roll(part, 200)], axis=1))
                n_left -= len(part)


def in_turns(calls: Sequence[Callable[[], Cost]], n_runs: int) -> tuple[list[list[Cost]], State]:
    """What each cost each time, and the worst state that the machine was in."""
    costs, seen = [[] for _ in calls], [state()]
    for _ in range(n_runs):
        for call, found in zip(calls, costs, strict=True):
            found.append(call())
        seen.append(state())
    return costs, min(seen)


def row(name: str, seconds: float, ours: Sequence[Cost], anchors: Sequence[Cost]) -> list[str]:
    """Medians, the range of wall times, and the ratio of CPU seconds, pair by pair."""
    wall = sorted(cost.wall_s for cost in ours)
    ratios = sorted(a.cpu_s / b.cpu_s for a, b in zip(ours, anchors, strict=True))
    middle = statistics.median(wall)
    return [
        name,
        f"{statistics.median(cost.cpu_s for cost in ours):.1f}",
        f"{middle:.1f} ({wall[0]:.1f} to {wall[-1]:.1f})",
        f"{seconds / middle:.0f}",
        f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        f"{max(cost.peak_mb for cost in ours):.0f}",
    ]


def measured(given: argparse.Namespace, folder: Path) -> list[list[str]]:
    """The table's rows, each printed as it comes."""
    rows = []
    for name, (command, length) in FIGURES.items():
        if given.only not in name or (length == HOUR and not given.hour):
            continue
        recording, out = folder / f"{length}.wav", folder / "out"
        result = out if command == LISTEN else out / "made.wav"
        asked = (*command, recording, "--force", "--out", result)
        calls = [partial(cost_of, *asked, also={})]
        if given.before:
            calls.append(partial(cost_of, *asked, also={"PYTHONPATH": f"{given.before}/src"}))
        else:
            calls.append(partial(run, [sys.executable, "-c", ANCHOR, str(recording)], {}))
        (made, compared), seen = in_turns(calls, given.runs)
        rows.append([*row(name, LENGTHS[length], made, compared), f"{seen.share:.0%}"])
        print(*rows[-1], sep=" | ", file=sys.stderr)
        print(seen, file=sys.stderr)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="figures that have this in their name")
    parser.add_argument("--hour", action="store_true", help="measure an hour too")
    parser.add_argument("--before", type=Path, help="another checkout, in place of the anchor")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:  # a process begins with its parent's peak memory
        make_music(given.make, [one for one in LENGTHS if given.hour or one != HOUR])
        return
    with tempfile.TemporaryDirectory() as temporary:
        making = [sys.executable, __file__, "--make", temporary]
        subprocess.run([*making, *["--hour"] * given.hour], check=True)
        rows = measured(given, Path(temporary))
    from tables import show

    anchor = "the other checkout's" if given.before else "librosa's mel spectrogram"
    headings = ["", "CPU s", "wall s", "times real time", f"CPU, {anchor} = 1", "peak MB", "spin"]
    show(f"Whole commands, {given.runs} runs each in turns", headings, rows)


if __name__ == "__main__":
    main()
