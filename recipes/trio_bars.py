"""Bars of real bassists and drummers, and how much trios swing: notes/styles/trios.json.

    git clone https://github.com/HuwCheston/Jazz-Trio-Database jtd
    python recipes/trio_bars.py jtd/references/manual_annotation jazz_trio_database.csv

The annotations are onsets of 34 piano trios, marked by hand, and their beats. The CSV has a trio a
line, with its tempo and its swing. Both are of the Jazz Trio Database (Cheston et al. 2024, MIT).
"""

import csv
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

Array = NDArray[np.float64]
OUT = Path(__file__).parents[1] / "src" / "thirdstream" / "notes" / "styles" / "trios.json"
EDGES = (0.2, 0.42, 0.82)  # of a beat, from which on an onset is a triplet's second; upbeat; next
TEMPI = (110, 130, 150, 170, 190, 210, 230, 250, 280)  # beats a minute
NEAR = 150  # trios that are nearest in tempo
SHARE = 0.65  # of the way from the median to the upper quartile, where jazz.toml's swing lies
ROW = 8  # bars in a row at least


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def slots(places: Array, first: int, n_beats: int) -> str:
    """A bar as text: three characters a beat, "x" where an onset is: on it, on its second triplet,
    on its upbeat."""
    marks = ["-"] * (3 * n_beats)
    for place in places[(places > first - 1) & (places < first + n_beats)]:
        beat, part = divmod(float(place) - first, 1.0)
        third = sum(part >= edge for edge in EDGES)
        at = 3 * int(beat) + third
        if 0 <= at < len(marks):
            marks[at] = "x"
    for at in range(1, len(marks), 3):  # alone, it is an early upbeat
        if marks[at] == "x" and marks[at + 1] == "-":
            marks[at : at + 2] = "-x"
    return "".join(marks)


def runs(numbers: list[int], usual: int) -> Iterator[list[int]]:
    """First beats of bars of the usual length, in rows without a gap."""
    row: list[int] = []
    for first, after in pairwise([at for at, number in enumerate(numbers) if number == 1]):
        if after - first == usual:
            row.append(first)
        else:
            yield row
            row = []
    yield row


def trios(folder: Path) -> Iterator[dict[str, Any]]:
    """Each annotated recording in rows of bars."""
    for mix in sorted(folder.glob("*_mix.txt")):
        times = np.array([float(row[0]) for row in lines(mix)])
        numbers = [int(row[1].rsplit(".", 1)[-1]) for row in lines(mix)]
        usual = max(numbers)
        places = {
            part: np.interp([float(row[0]) for row in lines(mix.with_name(
                mix.name.replace("_mix", f"_{part}")))], times, np.arange(len(times)))
            for part in ("bass", "drums")
        }  # fmt: skip
        for row in runs(numbers, usual):
            if len(row) >= ROW:
                yield {
                    "name": mix.stem.removesuffix("_mix"),
                    "tempo": round(60 / float(np.median(np.diff(times)))),
                    "beats": usual,
                    **{part: [slots(on, first, usual) for first in row]
                       for part, on in places.items()},
                }  # fmt: skip


def swing(path: Path) -> Iterator[list[float]]:
    """Tempo, and quartiles of the swing ratios of the trios near it."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if row["swing_log2_bur_mean"] not in ("", "nan")]
    tempo = np.array([float(row["tempo_bpm"]) for row in rows])
    ratio = 2 ** np.array([float(row["swing_log2_bur_mean"]) for row in rows])
    for at in TEMPI:
        nearest = np.argsort(np.abs(np.log(tempo / at)))[:NEAR]
        yield [at, *(round(float(one), 3) for one in np.percentile(ratio[nearest], [25, 50, 75]))]


def main(
    annotations: Annotated[Path, tyro.conf.Positional],
    database: Annotated[Path, tyro.conf.Positional],
) -> None:
    """Write the file."""
    found = list(trios(annotations))
    rows = ",\n".join(json.dumps(one) for one in found)
    text = f'{{"swing": {json.dumps(list(swing(database)))},\n"trios": [\n{rows}\n]}}\n'
    OUT.write_text(text, encoding="utf-8")
    n_bars = sum(len(one["bass"]) for one in found)
    print(f"{OUT}: {n_bars} bars of {len({one['name'] for one in found})} trios")
    for tempo, _, middle, high in swing(database):
        print(f"{tempo:.0f} beats a minute: swing {middle + SHARE * (high - middle):.2f}")


if __name__ == "__main__":
    tyro.cli(main)
