"""What recordings without a version teach twin-paired: paired_travel.py VERSIONS EPOCHS TRIAL...

A quarter of the training recordings of the corpus VERSIONS keep theirs, the others stand alone. A
TRIAL is the weight of the travel loss, or "mixed": none, but half of the input in training has
another piece beside it. Prints how well both versions of validation pieces agree, in nats: as they
are, on bad recordings, and with another piece at -10 dB.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import md5

import torch
import tyro
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from thirdstream.data.corpus import TRAIN, VALIDATION, Corpus, Recording, Versions
from thirdstream.mel.features.augmentation import augmented
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models import paired
from thirdstream.mel.models.paired import TwinPaired, contrastive_loss
from thirdstream.mel.models.travel import TRAVEL
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training import loop as training
from thirdstream.mel.training.loop import TrainingConfig

BATCH = 16
MIXED = "mixed"
Augmentation = Callable[[Tensor, MelConfig], Tensor]


def alone(one: Recording) -> Recording:
    """Without its version, in three of four cases that its name decides."""
    drawn = int(md5(one.piece.rsplit("-", 1)[0].encode()).hexdigest(), 16) % 4
    return replace(one, piece="") if one.split == TRAIN and drawn else one


def beside(power: Tensor, level_db: Tensor) -> Tensor:
    """With the batch's next item beside it; level_db: (batch, 1, 1), of mean power."""
    other = power.roll(1, 0)
    mean, of_other = (x.mean(dim=(1, 2), keepdim=True).clamp(min=1e-9) for x in (power, other))
    return power + 10 ** (level_db / 10) * mean / of_other * other


def mixing(power: Tensor, config: MelConfig) -> Tensor:
    """`augmented`, half of it with another piece beside it."""
    size = (len(power), 1, 1)
    level_db = -35 + 25 * torch.rand(size)
    silent = torch.rand(size) >= 0.5
    return augmented(beside(power, level_db.masked_fill(silent, -torch.inf)), config)


@torch.inference_mode()
def disagreement(system: MelSystem, corpus: Corpus, augmentation: Augmentation) -> float:
    """The mean contrastive loss of validation versions that are changed so first."""
    torch.manual_seed(0)
    total, pairs = 0.0, Versions(corpus, VALIDATION, seed=0, others=False)
    twin = system.model
    assert isinstance(twin, TwinPaired)
    for batch in DataLoader(pairs, BATCH):
        embeddings = {}
        for style in system.styles:
            mel = system.log_mel(style).normalise(augmentation(batch[style], system.mel))
            embeddings[style] = twin.embed(mel, style)
        total += contrastive_loss(embeddings).item() * len(batch[system.styles[0]])
    return total / len(pairs)


AUGMENTATIONS: tuple[Augmentation, ...] = (
    lambda power, config: power,
    augmented,
    lambda power, config: augmented(beside(power, torch.full((len(power), 1, 1), -10.0)), config),
)


def main(versions: str, epochs: str, *trials: str) -> None:
    whole = Corpus.open(versions)
    few = replace(whole, recordings=[alone(one) for one in whole.recordings])
    config = TrainingConfig(epochs=int(epochs), batch_size=BATCH, schedule="cosine")
    print("| trial | as it is | bad recordings | another piece |\n|---|---|---|---|")
    for trial in trials:
        network, weight = TwinPaired.PRESETS["default"], 0.0 if trial == MIXED else float(trial)
        if weight:
            network = replace(network, weights={**(network.weights or {}), TRAVEL: weight})
        paired.augmented = mixing if trial == MIXED else augmented
        state = training.begin("twin-paired", network, few, config)
        for _ in training.fit(state, few, config, Accelerator(cpu=True)):
            pass
        found = (disagreement(state.system.eval(), whole, one) for one in AUGMENTATIONS)
        print(f"| {trial} | " + " | ".join(f"{one:.2f}" for one in found) + " |", flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
