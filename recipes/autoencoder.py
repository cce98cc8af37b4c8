"""Where the bundled twin CNN begins: autoencoder.py OUT MINUTES CHANNELS LATENT CORPUS...

One autoencoder encodes both styles and is both halves. So it learns what they have in common from
all recordings, and a code means the same to both decoders from the start; `thirdstream train
twin-cnn --init OUT` then makes a twin of it. Eq. 1 alone, in many small steps: batches of short
crops, half of them augmented, so that it does not mind real recordings. CHANNELS within, LATENT of
the code: 4 is the paper's size. Segments of all corpora, statistics of the first. MINUTES are of
every core, by the processor's clock. Stopped, the same command goes on where it was.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor
from torch.utils.data import ConcatDataset

from paired_regression import spent  # a script beside this one
from thirdstream.data.corpus import TRAIN, Corpus, Segments
from thirdstream.mel.features.augmentation import augmented
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.system import MelSystem, build

BATCH = 2  # crops of each style
CROP = 64  # frames
AUGMENTED = 0.5  # share of batches
LR, WARM_UP = 1.5e-3, 100
SAVE_S = 60.0


def batches(system: MelSystem, corpora: list[Corpus], *, first: int) -> Iterator[Tensor]:
    """Normalised crops (2 * BATCH, CROP, n_mels), each step's drawn from its number alone."""
    own = {
        style: ConcatDataset([Segments(c, c.of(style, TRAIN)) for c in corpora])
        for style in system.styles
    }
    step = first
    while True:
        torch.manual_seed(step)
        mels = []
        for style, segments in own.items():
            places = torch.randint(len(segments), (BATCH,)).tolist()
            power = torch.stack([segments[place] for place in places])
            if torch.rand(()) < AUGMENTED:
                power = augmented(power, system.mel)
            start = int(torch.randint(power.shape[1] - CROP + 1, ()))
            mels.append(system.log_mel(style).normalise(power[:, start : start + CROP]))
        yield torch.cat(mels)
        step += 1


def main(out: str, minutes: str, channels: str, latent: str, *paths: str) -> None:
    corpora = [Corpus.open(path) for path in paths]
    config = replace(
        TwinCNN.PRESETS["default"], channels=(int(channels),), latent_channels=int(latent)
    )
    torch.manual_seed(0)
    system = build("twin-cnn", corpora[0].styles, config, corpora[0].mel)
    system.set_statistics(corpora[0].statistics)
    twin, style = system.model, system.styles[0]
    half = (twin.encoders[style], twin.decoders[style])
    parameters = [p for part in half for p in part.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=LR)
    kept, budget_s = Path(out).with_suffix(".state"), 60 * float(minutes)
    before_s = now_s = 0.0
    step, error = 0, 0.0
    if kept.exists():
        before_s, step = _resume(kept, half, optimizer)
    begun_s = saved_s = spent()
    for mel in batches(system, corpora, first=step):
        if (now_s := before_s + spent() - begun_s) >= budget_s:
            break
        for group in optimizer.param_groups:
            cosine = (1 + math.cos(math.pi * now_s / budget_s)) / 2
            group["lr"] = LR * cosine * min(1.0, (step + 1) / WARM_UP)
        loss = (twin.reconstruct(mel, style) - mel).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        error += (loss.item() - error) / min(step, 1000)
        if spent() - saved_s > SAVE_S:
            saved_s = spent()
            parts = [part.state_dict() for part in half]
            torch.save((now_s, step, parts, optimizer.state_dict()), kept)
            print(f"{step} steps, {now_s:.0f} s, eq. 1 lately {error:.4f}", flush=True)
    for parts in (twin.encoders, twin.decoders):
        parts[twin.other(style)].load_state_dict(parts[style].state_dict())
    system.card["cpu_s"] = now_s
    system.card["recipe"] = f"autoencoder.py: {step} steps of {2 * BATCH} crops of {CROP}"
    system.eval().save(Path(out))


def _resume(kept: Path, half: Any, optimizer: torch.optim.Adam) -> tuple[float, int]:
    """Seconds spent and steps taken."""
    now_s, step, parts, optimizing = torch.load(kept, weights_only=True)
    for part, values in zip(half, parts, strict=True):
        part.load_state_dict(values)
    optimizer.load_state_dict(optimizing)
    return now_s, step


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
