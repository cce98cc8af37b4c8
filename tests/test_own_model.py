"""A system of one's own: everything in one file, and a line of the registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, interpolate, l1_loss, relu

from conftest import music
from thirdstream.audio import SR
from thirdstream.data.corpus import Corpus
from thirdstream.mel import models
from thirdstream.mel.models.model import (
    DISCRIMINATOR,
    MODEL,
    RECONSTRUCTION,
    Batch,
    Losses,
    MelModel,
    Player,
    as_image,
    mean_over,
)
from thirdstream.mel.networks.blocks import PerStyle, pad_time
from thirdstream.mel.system import load
from thirdstream.mel.training import loop, run

HINGE, SIAMESE = "hinge", "siamese"


@dataclass(frozen=True)
class UNetConfig:
    """A configuration that no other family has."""

    width: int = 4
    """Channels of the outer level."""
    discriminator_lr_scale: float = 4.0
    """Times the generator's learning rate."""
    weights: Mapping[str, float] = field(
        default_factory=lambda: {RECONSTRUCTION: 1.0, HINGE: 0.1, SIAMESE: 0.5}
    )
    """Of the losses, by name."""


class UNet(nn.Module):
    """Two levels with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.up = nn.Conv2d(2 * width + 1, 1, 3, padding=1)

    def forward(self, mel: Tensor) -> Tensor:
        """(batch, n_frames, n_mels), the same."""
        image = pad_time(as_image(mel), 2)
        outer = relu(self.down(image))
        joined = torch.cat([outer, relu(self.inner(outer))], dim=1)
        wide = interpolate(joined, scale_factor=2.0)
        return relu(self.up(torch.cat([wide, image], dim=1)))[:, 0, : mel.shape[1]]


def embedding(width: int) -> nn.Sequential:
    """(batch, 1, n_frames, n_mels) -> (batch, 1 or more)."""
    conv = nn.Conv2d(1, width, 5, stride=4, padding=2)
    return nn.Sequential(conv, nn.LeakyReLU(0.2), nn.AdaptiveAvgPool2d(2), nn.Flatten())


class UNetModel(MelModel):
    """A U-Net into each style, with a siamese network and hinge losses."""

    Config = UNetConfig
    PRESETS: ClassVar[Mapping[str, UNetConfig]] = {"default": UNetConfig()}

    def __init__(self, styles: tuple[str, str], config: UNetConfig) -> None:
        super().__init__(styles, config)
        width = config.width
        self.generators = PerStyle({style: UNet(width) for style in styles})
        self.siamese = embedding(width)
        self.discriminators = PerStyle(
            {s: nn.Sequential(embedding(width), nn.Linear(4 * width, 1)) for s in styles}
        )

    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """By the network that leads into the target's style."""
        return self.generators[target](mel)

    def players(self) -> dict[str, Player]:
        """The discriminators learn faster."""
        theirs = list(self.discriminators.parameters())
        own = [*self.generators.parameters(), *self.siamese.parameters()]
        scale = self.config.discriminator_lr_scale
        return {MODEL: Player(own), DISCRIMINATOR: Player(theirs, scale)}

    def loss_weights(self, player: str) -> Mapping[str, float]:
        """The discriminators have one loss."""
        return {HINGE: 1.0} if player == DISCRIMINATOR else super().loss_weights(player)

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """Eq. 1, hinge losses, and how far transfers lie from what they were."""
        rebuilt, fooled, far, told = [], [], [], []
        for style, mel in batch.mels.items():
            other = self.other(style)
            made = self.transfer(mel, source=style, target=other)
            score = self.discriminators[other]
            rebuilt.append(l1_loss(self.reconstruct(mel, style), mel))
            fooled.append(-score(as_image(made)).mean())
            before, after = self.siamese(as_image(mel)), self.siamese(as_image(made))
            far.append(1 - cosine_similarity(before, after).mean())
            fake, real = score(as_image(made.detach())), score(as_image(batch.mels[other]))
            told.append(relu(1 + fake).mean() + relu(1 - real).mean())
        own = {RECONSTRUCTION: rebuilt, HINGE: fooled, SIAMESE: far}
        losses = {HINGE: told} if player == DISCRIMINATOR else own
        return {name: mean_over(values) for name, values in losses.items()}


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry line."""
    family = models.Family(f"{__name__}.UNetModel", "A U-Net into each style.")
    monkeypatch.setitem(models.FAMILIES, "u-net", family)
    return "u-net"


def test_it_trains_is_saved_loaded_and_transfers(
    name: str, small_corpus: Corpus, tmp_path: Path
) -> None:
    config = loop.TrainingConfig(epochs=1, batch_size=2, lr=1e-3)
    state = loop.begin(name, UNetConfig(width=3), small_corpus, config)
    steps = list(run.train(state, small_corpus, config, tmp_path / "run"))
    assert len(steps) >= 3
    assert {RECONSTRUCTION, SIAMESE, HINGE} <= set(steps[-1].losses)
    rates = {player: one.param_groups[0]["lr"] for player, one in state.optimizers.items()}
    assert rates[DISCRIMINATOR] == pytest.approx(4 * rates[MODEL])
    model = load(tmp_path / "run" / "best.safetensors")
    assert (model.name, model.model.config) == (name, UNetConfig(width=3))
    wave = music(1, 30_000)
    made = model.transfer(wave, sr=SR, to="jazz")
    assert made.shape == wave.shape and abs(made).max() > 0.01


def test_what_was_interrupted_goes_on(name: str, small_corpus: Corpus, tmp_path: Path) -> None:
    config = loop.TrainingConfig(epochs=1, batch_size=2)
    state = loop.begin(name, UNetConfig(), small_corpus, config)
    next(run.train(state, small_corpus, config, tmp_path / "run"))
    run.save_state(state, config, tmp_path / "run")
    again, _ = run.load_state(tmp_path / "run")
    assert again.step == 1 and again.system.model.config == UNetConfig()
    pairs = zip(state.system.parameters(), again.system.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
