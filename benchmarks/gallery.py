"""Cover retrieval of the benchmark's test recordings in a gallery of hundreds.

    python benchmarks/gallery.py BENCH [--models NAME ...] [--references 300] [--excerpt-s 40]

A row each for the originals, their other versions, other pieces, noise, and what models make; of
models also the change of timing (`drift_ms`). The middle of ten recordings a style.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from thirdstream import registry
from thirdstream.audio import SR, Wave
from thirdstream.data.pairs import MANIFEST
from thirdstream.evaluation import measure, metrics, retrieval, timing
from thirdstream.evaluation.material import Item, excerpt, paired

N_TESTS = 10


def tests_of(bench: Path) -> dict[str, list[Item]]:
    """The first recordings of each style, by name."""
    found = paired(bench / "test")
    return {
        style: sorted(items, key=lambda one: one.path.name)[:N_TESTS]
        for style, items in found.items()
    }


def references_of(bench: Path, n_references: int) -> list[Item]:
    """Of validation, then of train."""
    splits = [bench / name for name in ("validation", "train")]
    there = [paired(split) for split in splits if (split / MANIFEST).is_file()]
    return [item for one in there for items in one.values() for item in items][:n_references]


def chroma_of(wave: Wave) -> np.ndarray:
    return retrieval.pooled_chroma(metrics.chroma(wave, SR))


def ranks(
    items: list[Item], gallery: dict[str, tuple[str, np.ndarray]], make: Callable[[Item], Wave]
) -> list[int]:
    """The place of each original, without other versions of its piece."""
    found = []
    for item in items:
        others = {key: chroma for key, (piece, chroma) in gallery.items()
                  if key == item.key or piece != item.piece}  # fmt: skip
        found.append(retrieval.rank(item.key, chroma_of(make(item)), others))
    return found


class Transferred:
    """Results of a model. drifts: how far each one's timing changes, in milliseconds."""

    def __init__(self, model: str, waves: Mapping[str, Wave], styles: Sequence[str]) -> None:
        self.model, self.waves, self.styles = model, waves, styles
        self.drifts: list[float] = []

    def __call__(self, item: Item) -> Wave:
        wave = self.waves[item.key]
        target = next(one for one in self.styles if one != item.style)
        made = registry.load(self.model).transfer(wave, SR, to=target, source=item.style)
        self.drifts.append(abs(timing.drift(reference=wave, estimate=made, sr=SR).drift_ms))
        return made


def row(name: str, found: Sequence[int], drifts: Sequence[float]) -> str:
    """Of the table: places, and the change of timing where there is any."""
    hits = np.mean([place == 1 for place in found])
    timed = f"{np.median(drifts):.1f} | {max(drifts):.1f}" if drifts else " | "
    mrr = retrieval.mean_reciprocal_rank(found)
    return f"| {name} | {len(found)} | {mrr:.3f} | {hits:.2f} | {timed} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bench", type=Path)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--references", type=int, default=300)
    parser.add_argument("--excerpt-s", type=float, default=40.0)
    given = parser.parse_args()
    length_s = given.excerpt_s
    tests = tests_of(given.bench)
    items = [one for some in tests.values() for one in some]
    waves = {one.key: excerpt(one.path, length_s) for one in items}
    gallery = {one.key: (one.piece, chroma_of(waves[one.key])) for one in items}
    for one in references_of(given.bench, given.references):
        gallery[one.key] = (one.piece, chroma_of(excerpt(one.path, length_s)))
    print(f"gallery: {len(gallery)}; MRR of chance {retrieval.chance(len(gallery)):.3f}")
    print("| query | n | mAP, which is MRR | Hit@1 | drift_ms: median | largest |")
    print("|---" * 6 + "|")
    queries: dict[str, Callable[[Item], Wave]] = {
        "original": lambda item: waves[item.key],
        "other version": lambda item: excerpt(item.pair or item.path, length_s),
        "another piece": lambda item: waves[items[(items.index(item) + 7) % len(items)].key],
        "noise": lambda item: measure.white_noise(len(waves[item.key]), seed=item.key),
    }
    queries |= {model: Transferred(model, waves, list(tests)) for model in given.models}
    for name, make in queries.items():
        found = ranks(items, gallery, make)
        drifts = make.drifts if isinstance(make, Transferred) else []
        print(row(name, found, drifts), flush=True)


if __name__ == "__main__":
    main()
