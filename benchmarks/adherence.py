"""What the metrics of bars, chords and keys say of known pairs: the benchmark's test pieces.

    python benchmarks/adherence.py BENCH [N_PIECES]

Of each original, in both styles: itself, the other version of its piece, another piece in the other
style, and noise. Each for 20 s from the middle. Needs the extra `adherence`.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro

from thirdstream.audio import SR, Wave
from thirdstream.evaluation import harmony, measure, metrics, timing
from thirdstream.evaluation.material import Item, excerpt, paired, truth_of

EXCERPT_S = 20.0
COLUMNS = ("bars_kept", "chord_root", "chord_majmin", "true_chord_root", "true_chord_majmin",
           "key_score")  # fmt: skip


class Heard(NamedTuple):
    """A wave with its chords and its key."""

    wave: Wave
    chords: harmony.Chords
    key: str


def heard(wave: Wave, recogniser: harmony.LvChordia) -> Heard:
    key = harmony.key_of_chroma(metrics.chroma(wave, SR))
    return Heard(wave, recogniser.predict(wave, SR), key)


def first_pieces(folder: Path, n_pieces: int) -> dict[str, list[Item]]:
    """By style, one setting of each of the first pieces, by name."""
    found = {}
    for style, items in paired(folder).items():
        by_piece = {one.piece: one for one in sorted(items, key=lambda one: one.path.name)}
        found[style] = list(by_piece.values())[:n_pieces]
    return found


def scores(original: Heard, other: Heard, item: Item) -> dict[str, float]:
    """Of a recording that should be a version of the original."""
    truth = truth_of(item, EXCERPT_S)
    assert truth is not None
    wave = np.resize(other.wave, len(original.wave))
    kept = timing.bar_lines_kept(melody=truth.melody, bars_s=truth.bars_s, wave=wave, sr=SR)
    key = harmony.key_score(reference=original.key, estimate=other.key)
    return {
        "bars_kept": float(kept.mean()),
        "key_score": key,
        **measure.chord_metrics(original.chords, other.chords, truth),
    }


def cases(folder: Path, n_pieces: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Kind, and what is measured."""
    recogniser, items = harmony.LvChordia(), first_pieces(folder, n_pieces)
    known = {style: [heard(excerpt(one.path, EXCERPT_S), recogniser) for one in some]
             for style, some in items.items()}  # fmt: skip
    for style, target in (tuple(items), tuple(items)[::-1]):
        for number, (item, original) in enumerate(zip(items[style], known[style], strict=True)):
            noise = heard(measure.white_noise(len(original.wave), seed=item.key), recogniser)
            others = known[target]
            yield "the original", scores(original, original, item)
            yield "the other version", scores(original, others[number], item)
            unrelated = others[(number + len(others) // 2) % len(others)]
            yield "another piece", scores(original, unrelated, item)
            yield "noise", scores(original, noise, item)


def main(bench: str, n_pieces: str = "8") -> None:
    """Print a table."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for kind, row in cases(Path(bench) / "test", int(n_pieces)):
        found[kind].append(row)
    print(f"| compared with | n | {' | '.join(COLUMNS)} |\n{'|---' * (len(COLUMNS) + 2)}|")
    for kind, rows in found.items():
        means = (f"{np.mean([row[name] for row in rows if name in row]):.2f}" for name in COLUMNS)
        print(f"| {kind} | {len(rows)} | {' | '.join(means)} |")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
