"""Transfer without pairs by a travel loss (TraVeLGAN: Amodio 2019; MelGAN-VC: Pasini 2019).

One network a direction, and nothing that they share. What keeps the content is that any two
segments must lie to one another, in the embedding of a siamese network, as they did before.
It is not MelGAN-VC as published, which is `melgan_vc`. Its networks are residual ones on patches of
the mel. It compares all pairs of segments in a batch, not two slices of one recording. Its margin
loss is linear, not squared. Its adversarial loss is relativistic least squares with R1, not a hinge
loss. Its weights keep more of the original: travel 1 and reconstruction 5, not 10 and 0.5.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from thirdstream.mel.features.inputs import input_features
from thirdstream.mel.models.adversarial import ADVERSARIAL, Adversarial
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.gan import AdversarialConfig
from thirdstream.mel.models.model import (
    MODEL,
    RECONSTRUCTION,
    Batch,
    Losses,
    Mels,
    as_image,
    mean_over,
)
from thirdstream.mel.models.twin import (
    decoder_of,
    encoder_of,
    finish,
    reconstruction_loss,
    size_of,
)
from thirdstream.mel.networks.blocks import PerStyle

TRAVEL, MARGIN = "travel", "margin"
CHUNK = 65  # frames that a network restyles at a time in training; discriminators get them joined
MIN_DISTANCE = 2.0  # of any two segments' embeddings
N_EMBEDDING = 64


class Travel(Adversarial):
    """A network into each style."""

    Config = AdversarialConfig
    TRAINING_ONLY = (*Adversarial.TRAINING_ONLY, "siamese")
    config: AdversarialConfig
    SELECTION_METRIC = None  # eq. 1 is lowest at the start, while a transfer still is a copy
    PRESETS: ClassVar[Mapping[str, AdversarialConfig]] = {
        "default": AdversarialConfig(
            **size_of(TwinCNN.PRESETS["default"], shared_start=False),
            weights={RECONSTRUCTION: 5.0, ADVERSARIAL: 0.2, TRAVEL: 1.0, MARGIN: 1.0},
            discriminator_channels=(8, 16, 32),
        ),
    }

    def __init__(self, styles: tuple[str, str], config: AdversarialConfig) -> None:
        super().__init__(styles, config)
        self.encoders = PerStyle({style: encoder_of(config, config.channels) for style in styles})
        self.decoders = PerStyle({style: decoder_of(config) for style in styles})
        self.siamese = PerStyle({style: Siamese() for style in styles})
        finish(self, config)

    def check_mels(self, n_mels: int) -> None:
        """Raise OptionError where the networks would not divide the mels."""
        self.config.check_mels(n_mels)

    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """A mel of any style -> mel of `target`, by the network that leads there."""
        code = self.encoders[target](input_features(mel, self.config.features))
        return self.decoders[target](code, n_frames=mel.shape[1])[:, 0]

    def transfers(self, mels: Mels) -> dict[str, Tensor]:
        """Both styles' mels into the other style, chunk by chunk."""
        found = {}
        for style, mel in mels.items():
            other = self.other(style)
            chunks = [self.transfer(c, source=style, target=other) for c in mel.split(CHUNK, 1)]
            found[other] = torch.cat(chunks, dim=1)
        return found

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """What stays what it is (eq. 1), eq. 6, and the travel loss with its margin; or eq. 5."""
        if player != MODEL:
            return super().training_losses(batch, player)
        mels, fake = batch.mels, self.transfers(batch.mels)
        travels, margins = [], []
        for style, mel in mels.items():
            embed = self.siamese[style]
            travel, margin = travel_losses(embed(mel), after=embed(fake[self.other(style)]))
            travels.append(travel)
            margins.append(margin)
        rebuilt = {style: self.reconstruct(mel, style) for style, mel in mels.items()}
        return {
            RECONSTRUCTION: reconstruction_loss(mels, rebuilt),
            ADVERSARIAL: self.adversarial_loss(real=mels, fake=fake),
            TRAVEL: mean_over(travels),
            MARGIN: mean_over(margins),
        }


class Siamese(nn.Module):
    """A segment as a vector, whose differences from others' stand for what happens in it."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in ((1, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(n_in, n_out, 5, stride=4, padding=2), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * 64, N_EMBEDDING)
        )

    def forward(self, mel: Tensor) -> Tensor:
        """(batch, n_frames, n_mels) -> (batch, N_EMBEDDING)."""
        return self.layers(as_image(mel))


def travel_losses(before: Tensor, *, after: Tensor) -> tuple[Tensor, Tensor]:
    """The travel loss and the margin loss of a batch, scalars; both 0 for a batch of one.

    before, after: (batch, n), each segment's embedding before and after its transfer. For any two
    segments, the way from one to the other should be the same in direction and length (Pasini
    2019), and before at least MIN_DISTANCE long: else all could be one point. The margin loss is
    the mean of what it lacks; Pasini's is the mean square.
    """
    if len(before) < 2:
        nothing = 0 * after.sum()
        return nothing, nothing
    first, second = torch.triu_indices(len(before), len(before), 1, device=before.device)
    was, now = before[first] - before[second], after[first] - after[second]
    turned = 1 - functional.cosine_similarity(was, now, dim=1)
    moved = (was - now).square().mean(dim=1)
    near = functional.relu(MIN_DISTANCE - was.norm(dim=1))
    return (turned + moved).mean(), near.mean()
