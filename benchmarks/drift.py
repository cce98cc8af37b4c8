"""What `drift_ms` and `tempo_kept` say of pairs whose timing is known: the benchmark's test pieces.

    python benchmarks/drift.py BENCH [N_PIECES]

Of the other version of each piece, of another piece, of noise, and of the other version played
slower. Each for 30 s from the middle.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tyro

from thirdstream.audio import SR, Wave
from thirdstream.evaluation import metrics, timing
from thirdstream.evaluation.material import excerpt, paired

EXCERPT_S = 30.0
SLOWER = (1.001, 1.003, 1.01)


def slower(wave: Wave, factor: float) -> Wave:
    """Played `factor` times as slow, as a record is, cut to its length."""
    places = np.arange(len(wave)) / factor
    return np.interp(places, np.arange(len(wave)), wave).astype(np.float32)


def cases(folder: Path, n_pieces: int) -> Iterator[tuple[str, Wave, Wave]]:
    """Kind, original and what it is compared with."""
    items = sorted(paired(folder)["classical"], key=lambda one: one.path.name)[:n_pieces]
    originals = [excerpt(one.path, EXCERPT_S) for one in items]
    others = [excerpt(one.pair, EXCERPT_S) for one in items if one.pair]
    generator = np.random.default_rng(0)
    for number, (original, other) in enumerate(zip(originals, others, strict=True)):
        n_samples = min(len(original), len(other))
        yield "the other version", original[:n_samples], other[:n_samples]
        unrelated = np.resize(others[(number + 3) % len(others)], len(original))
        yield "another piece", original, unrelated
        noise = generator.standard_normal(len(original)).astype(np.float32)
        yield "noise", original, 0.1 * noise
        for factor in SLOWER:
            made = slower(other[:n_samples], factor)
            yield f"the other version, {factor:g} as slow", original[:n_samples], made


def main(bench: str, n_pieces: str = "14") -> None:
    """Print a table."""
    drifts: dict[str, list[float]] = {}
    tempos: dict[str, list[float]] = {}
    for kind, original, other in cases(Path(bench) / "test", int(n_pieces)):
        found = timing.drift(reference=original, estimate=other, sr=SR)
        drifts.setdefault(kind, []).append(abs(found.drift_ms))
        beats = [metrics.beat_times(wave, SR) for wave in (original, other)]
        kept = timing.tempo_kept(reference=beats[0], estimate=beats[1])
        tempos.setdefault(kind, []).append(kept)
    print("| compared with | n | drift_ms: median | largest | tempo kept |\n" + "|---" * 5 + "|")
    for kind, found in drifts.items():
        values = f"{np.median(found):.1f} | {max(found):.1f} | {np.mean(tempos[kind]):.2f}"
        print(f"| {kind} | {len(found)} | {values} |")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
