"""Cover retrieval of the benchmark's test recordings in a gallery of hundreds.

    python benchmarks/gallery.py BENCH [--models NAME ...] [--references 300] [--excerpt-s 40]
    python benchmarks/gallery.py REAL --tests 0 --excerpt-s 1000

A row each for the originals, their other versions, other pieces, noise, and what models make; of
models also the change of timing (`drift_ms`), and the similarity of harmony. The middle of ten
recordings a style, or of as many as --tests says; 0 is all. REAL holds two folders of recordings,
each named after its style: they are the gallery, and have no other versions.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from thirdstream import registry
from thirdstream.audio import SR, Wave
from thirdstream.data.pairs import MANIFEST
from thirdstream.evaluation import measure, metrics, retrieval, timing
from thirdstream.evaluation.material import Item, excerpt, open_material, paired


def tests_of(where: Path, n_tests: int) -> dict[str, list[Item]]:
    """The first recordings of each style, by name."""
    found = open_material(where).tests
    return {
        style: sorted(items, key=lambda one: one.path.name)[: n_tests or None]
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
    """Results of a model. drifts: how far each one's timing changes, in milliseconds. cosines: how
    similar its harmony is to the original's."""

    def __init__(self, model: str, waves: Mapping[str, Wave], styles: Sequence[str]) -> None:
        self.model, self.waves, self.styles = model, waves, styles
        self.drifts: list[float] = []
        self.cosines: list[float] = []

    def __call__(self, item: Item) -> Wave:
        wave = self.waves[item.key]
        target = next(one for one in self.styles if one != item.style)
        made = registry.load(self.model).transfer(wave, SR, to=target, source=item.style)
        if len(wave) >= timing.LEAST_S * SR:
            self.drifts.append(abs(timing.drift(reference=wave, estimate=made, sr=SR).drift_ms))
        self.cosines.append(metrics.chroma_cosine(reference=wave, estimate=made, sr=SR))
        return made


def row(name: str, found: Sequence[int], made: Transferred | None) -> str:
    """Of the table: places, and of a model's results the change of timing and the harmony."""
    hits = np.mean([place == 1 for place in found])
    drifts, cosines = (made.drifts, made.cosines) if made else ([], [])
    timed = f"{np.median(drifts):.1f} | {max(drifts):.1f}" if drifts else " | "
    cosine = f"{np.mean(cosines):.2f}" if cosines else ""
    mrr = retrieval.mean_reciprocal_rank(found)
    return f"| {name} | {len(found)} | {mrr:.3f} | {hits:.2f} | {timed} | {cosine} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bench", type=Path)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--tests", type=int, default=10, help="recordings a style; 0 is all")
    parser.add_argument("--references", type=int, default=300)
    parser.add_argument("--excerpt-s", type=float, default=40.0)
    given = parser.parse_args()
    length_s = given.excerpt_s
    tests = tests_of(given.bench, given.tests)
    items = [one for some in tests.values() for one in some]
    waves = {one.key: excerpt(one.path, length_s) for one in items}
    gallery = {one.key: (one.piece, chroma_of(waves[one.key])) for one in items}
    for one in references_of(given.bench, given.references):
        gallery[one.key] = (one.piece, chroma_of(excerpt(one.path, length_s)))
    print(f"gallery: {len(gallery)}; MRR of chance {retrieval.chance(len(gallery)):.3f}")
    print("| query | n | mAP, which is MRR | Hit@1 | drift_ms: median | largest | chroma cosine |")
    print("|---" * 7 + "|")
    queries: dict[str, Callable[[Item], Wave]] = {
        "original": lambda item: waves[item.key],
        "other version": lambda item: excerpt(item.pair or item.path, length_s),
        "another piece": lambda item: waves[items[(items.index(item) + 7) % len(items)].key],
        "noise": lambda item: measure.white_noise(len(waves[item.key]), seed=item.key),
    }
    if not all(one.pair for one in items):
        del queries["other version"]
    queries |= {model: Transferred(model, waves, list(tests)) for model in given.models}
    for name, make in queries.items():
        found = ranks(items, gallery, make)
        print(row(name, found, make if isinstance(make, Transferred) else None), flush=True)


if __name__ == "__main__":
    main()
