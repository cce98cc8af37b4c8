"""Train the network of beat activations.

    python recipes/beat_activations.py PAIRS SOLOS WORK [HOURS]

PAIRS: folder of `recipes/versions.py`; SOLOS: of `recipes/solos.py`. The first 60 s of each
recording are used. WORK keeps their features, and the state of each training, from which the same
command goes on. Three networks learn HOURS (0.3) each: activations.onnx from all pieces, and for
`recipes/transcription_weights.py`, which needs answers about pieces that were not learnt from,
activations-0.onnx and activations-1.onnx from one half of them each.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional

from pair_features import Recording, beats_of, half_of, material_of  # a script beside this one
from performances import Performance, at_tempo, otherwise, worn  # a script beside this one
from thirdstream.notes.transcription.activations import POOLED, pooled, stacked
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.hypotheses import LATE_S
from thirdstream.notes.transcription.transcriber import Posteriors
from training_run import Run, export  # a script beside this one

N_FEATURES, N_CHANNELS, N_BLOCKS, DROPOUT = 180, 32, 10, 0.1
BATCH, PART_S, SHORTEST_S = 8, 30.0, 14.0
RATE = 2e-3
MOST_SEMITONES = 5
AROUND = (1.0, 0.5, 0.2)  # how sure it should be 0, 1, 2 frames from a beat
OFTEN = (2.0, 4.0)  # weights of beats and of bar lines against other frames
SOLO = 0.5  # how often solos are drawn
HALVES = (0, 1)


class Block(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        n = N_CHANNELS
        self.far = nn.Conv1d(n, n, 5, padding=2 * dilation, dilation=dilation)
        self.drop, self.mix = nn.Dropout1d(DROPOUT), nn.Conv1d(n, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self.drop(functional.elu(self.far(x))))


class Network(nn.Module):
    """(n, N_FEATURES, n_frames) -> logits (n, 2, n_frames): of beats, of bar lines."""

    def __init__(self) -> None:
        super().__init__()
        self.standard = nn.BatchNorm1d(N_FEATURES)
        self.first = nn.Conv1d(N_FEATURES, N_CHANNELS, 3, padding=1)
        self.blocks = nn.ModuleList(Block(2**k) for k in range(N_BLOCKS))
        self.last = nn.Conv1d(N_CHANNELS, 2, 1)

    def forward(self, features: Tensor) -> Tensor:
        x = functional.elu(self.first(self.standard(features)))
        every = torch.zeros_like(x)
        for block in self.blocks:
            found = block(x)
            x, every = x + found, every + found
        return self.last(functional.elu(x + every))


class Exported(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.network(features))


def performed(record: dict[str, Any], features: FrameFeatures) -> Performance:
    """A recording in the network's frames; every bar of two has its line."""
    at_s, _ = beats_of(record, features)
    lines = [at_s[:: round(record["beats_per_bar"])]]
    return Performance(pooled(features), at_s, lines, FPS / POOLED)


def transposed(seen: FrameFeatures, by: int) -> FrameFeatures:
    """With each pitch so many semitones higher."""
    posteriors = Posteriors(*(np.roll(rows, by, axis=1) for rows in seen.posteriors))
    for rows in posteriors:
        rows[:, slice(0, by) if by >= 0 else slice(by, None)] = 0
    return replace(seen, posteriors=posteriors)


def aims(at_s: np.ndarray, fps: float, n_frames: int) -> np.ndarray:
    """(n_frames,): how sure the network should be."""
    found, at = np.zeros(n_frames, np.float32), np.round((at_s + LATE_S) * fps).astype(int)
    for away, sure in enumerate(AROUND):
        for near in (at - away, at + away):
            inside = near[(near >= 0) & (near < n_frames)]
            found[inside] = np.maximum(found[inside], sure)
    return found


class Parts(torch.utils.data.IterableDataset):
    """Parts of performances that are drawn: what is seen, the aims, and where these are known."""

    def __init__(self, material: list[Recording], seed: int) -> None:
        super().__init__()
        self.rng = random.Random(seed)
        self.material = [(performed(r, o), style, "solo" in r) for r, o, style in material]
        self.often = [SOLO if solo else 1.0 for *_, solo in self.material]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        n = round(PART_S * FPS / POOLED)
        while True:
            one = self._drawn()
            if one.features.n_frames > SHORTEST_S * one.fps and len(one.beats_s):
                seen = transposed(one.features, self.rng.randint(-MOST_SEMITONES, MOST_SEMITONES))
                rows = stacked(seen)
                parts = (one.beats_s, one.lines[0])
                sure = np.stack([aims(at_s, one.fps, len(rows)) for at_s in parts])
                known = np.arange(len(rows)) < (one.beats_s[-1] + 0.3) * one.fps
                yield tuple(
                    functional.pad(torch.as_tensor(x.astype(np.float32)), (0, n - len(rows)))
                    for x in (rows.T, sure, known)
                )

    def _drawn(self) -> Performance:
        (one, style, solo) = self.rng.choices(self.material, self.often)[0]
        one = otherwise(one, self.rng)
        if len(one.lines) == 2:  # either half of a compound bar has its line
            one = one._replace(lines=[np.sort(np.concatenate(one.lines))])
        played = at_tempo(one, style=style, rng=self.rng, rubato=solo, most_s=PART_S)
        return worn(played, self.rng)


def loss_of(logits: Tensor, aim: Tensor, known: Tensor) -> Tensor:
    """(2,) cross-entropies a frame, of beats and of bar lines."""
    often = torch.tensor(OFTEN)[:, None]
    bce = functional.binary_cross_entropy_with_logits
    each = bce(logits, aim, reduction="none", pos_weight=often)
    return (each * known[:, None]).sum(dim=(0, 2)) / known.sum()


def train(material: list[Recording], run: Run, hours: float) -> None:
    parts = torch.utils.data.DataLoader(Parts(material, run.n_steps), BATCH, num_workers=1)
    batches, mean = iter(parts), np.zeros(2)
    for step in run.steps(3600 * hours):
        seen, aim, known = next(batches)
        loss = loss_of(run.network(seen), aim, known)
        run.learn(loss.sum())
        mean += (loss.detach().numpy() - mean) * max(0.02, 1 / (step + 1))
        if step % 50 == 0:
            print(
                step,
                f"{run.spent_s:.0f} s, beats {mean[0]:.4f}, bar lines {mean[1]:.4f}",
                flush=True,
            )


ABOUT = {
    "what": "thirdstream's network of beat activations: recipes/beat_activations.py",
    "licence": "MIT",
    "learned from": "scores of 1930 and earlier (OpenEWLD), arranged by thirdstream, played by "
    "FluidR3_GM (MIT) and MuseScore_General_Lite (MIT)",
}


def learn(material: list[Recording], work: Path, name: str, hours: float) -> None:
    torch.manual_seed(0)
    network = Network()
    run = Run(work / name, network, rate=RATE)
    train(material, run, hours)
    export(
        Exported(network),
        lambda n: torch.rand(1, N_FEATURES, n),
        work / f"{name}.onnx",
        ABOUT | {"steps": str(run.n_steps)},
        names=("features", "activations"),
        axes=(2, 2),
    )


def main(pairs: str, solos: str, work: str, hours: str = "0.3") -> None:
    parallel = joblib.Parallel(n_jobs=-1)
    material = [
        one for folder in (pairs, solos) for one in material_of(Path(folder), Path(work), parallel)
    ]
    learn(material, Path(work), "activations", float(hours))
    for half in HALVES:
        some = [one for one in material if half_of(one[0]["title"]) == half]
        learn(some, Path(work), f"activations-{half}", float(hours))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
