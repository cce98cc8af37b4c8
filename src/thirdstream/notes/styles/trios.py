"""Real piano trios: in which rhythms their basses and drums play, and how much they swing.

trios.json is data of the Jazz Trio Database (Cheston et al. 2024); trios.md has its licence, and
`recipes/trio_bars.py` makes it.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PATH = Path(__file__).with_name("trios.json")
EVEN = (0.0, 0.25, 0.5)  # in even eighths: the beat, its second triplet, its upbeat


@dataclass(frozen=True)
class Trio:
    """Bars in a row of a recording. tempo: beats a minute. beats: of a bar. bass, drums: where
    each bar's notes begin, in even eighths from the bar line.
    """

    name: str
    tempo: float
    beats: int
    bass: tuple[tuple[float, ...], ...]
    drums: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SwingQuartiles:
    """Of swing ratios at a tempo, in beats a minute."""

    tempo: float
    low: float
    middle: float
    high: float


def places(bar: str) -> tuple[float, ...]:
    """A bar as text: three characters a beat, "x" for an onset on it, on its second triplet and on
    its upbeat."""
    return tuple(at // 3 + EVEN[at % 3] for at, mark in enumerate(bar) if mark == "x")


@lru_cache(1)
def trios() -> tuple[Trio, ...]:
    """All rows of bars."""
    return tuple(
        Trio(
            one["name"],
            float(one["tempo"]),
            one["beats"],
            *(tuple(map(places, one[part])) for part in ("bass", "drums")),
        )
        for one in json.loads(PATH.read_text(encoding="utf-8"))["trios"]
    )


@lru_cache(1)
def swings() -> tuple[SwingQuartiles, ...]:
    """From slow to fast."""
    rows = json.loads(PATH.read_text(encoding="utf-8"))["swing"]
    return tuple(SwingQuartiles(*row) for row in rows)
