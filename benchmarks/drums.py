"""Whether `learn-style` finds drums where there are some: python benchmarks/drums.py BENCH/test

Of each style's recordings of the benchmark, the share in which drums are found. Jazz has drums in
all, classical music in none.
"""

from pathlib import Path

import tyro

from tables import show
from thirdstream.notes.learning.performance import performance_of


def main(folder: str) -> None:
    rows = []
    for style in ("classical", "jazz"):
        paths = sorted((Path(folder) / style).glob("*.flac"))
        n = sum("drums" in {part.role for part in performance_of(path).parts} for path in paths)
        rows.append([style, str(len(paths)), f"{n / len(paths):.2f}"])
    show("Recordings in which drums are found", ["style", "n", "share"], rows)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
