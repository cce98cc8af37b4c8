"""Transfer without pairs by a travel loss (MelGAN-VC: Pasini 2019; TraVeLGAN: Amodio 2019).

One network a direction, and nothing that they share. What keeps the content is that any two
segments must lie to one another, in the eyes of a third network, as they did before.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from thirdstream.mel.models.adversarial import ADVERSARIAL, Judged
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.twin import (
    RECONSTRUCTION,
    Code,
    Pass,
    TwinConfig,
    as_image,
    mean_over,
    reconstruction_loss,
)
from thirdstream.mel.networks.blocks import PerStyle

TRAVEL, MARGIN = "travel", "margin"
CHUNK = 65  # frames that a network restyles at a time in training; critics hear them joined
APART = 2.0  # how far any two segments should lie from each other, at least
N_VECTOR = 64


class Travel(Judged):
    """A network into each style. The code is the mel itself: all is done on the way out of it."""

    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        "default": replace(
            TwinCNN.PRESETS["default"],
            shared_start=False,
            critic_channels=(8, 16, 32),
            weights={RECONSTRUCTION: 5.0, ADVERSARIAL: 0.1, TRAVEL: 1.0, MARGIN: 1.0},
        ),
    }

    n_seen: Tensor

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        self.siamese = PerStyle({style: Siamese() for style in styles})
        self.register_buffer("n_seen", torch.zeros(()))
        self.finish()

    @property
    def n_trained(self) -> float:
        """Batches seen in training."""
        return float(self.n_seen)

    def content(self, mel: Tensor, style: str) -> Tensor:
        """The mel itself, (batch, 1, n_frames, n_mels)."""
        return as_image(mel)

    def decode(self, code: Code, style: str) -> Tensor:
        """A mel of either style -> mel of `style`, by the network that leads there."""
        inner = code._replace(content=self.encoders[style](self.seen(code.content[:, 0])))
        return super().decode(inner, style)

    def forward(self, mels: Mapping[str, Tensor]) -> dict[str, Pass]:
        """Every style's mels through the network into it, and chunk by chunk into the other."""
        if self.training:
            self.n_seen += 1
        passes = {}
        for style, mel in mels.items():
            other, code = self.other(style), self.encode(mel, style)
            chunks = [self.transfer(c, source=style, target=other) for c in mel.split(CHUNK, 1)]
            restyled = torch.cat(chunks, dim=1)
            after = self.encode(restyled, other)
            passes[style] = Pass(code, self.decode(code, style), code, restyled, after)
        return passes

    def losses(self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """What stays what it is (eq. 1), eq. 6, and the travel loss with its margin."""
        travels, margins = [], []
        for style, mel in mels.items():
            vectors = self.siamese[style]
            travel, margin = travelled(vectors(mel), after=vectors(passes[style].restyled))
            travels.append(travel)
            margins.append(margin)
        return {
            RECONSTRUCTION: reconstruction_loss(mels, passes),
            ADVERSARIAL: self.adversarial_loss(mels, passes),
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
            *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * 64, N_VECTOR)
        )

    def forward(self, mel: Tensor) -> Tensor:
        """(batch, n_frames, n_mels) -> (batch, N_VECTOR)."""
        return self.layers(as_image(mel))


def travelled(before: Tensor, *, after: Tensor) -> tuple[Tensor, Tensor]:
    """The travel loss and the margin loss of a batch, scalars; both 0 for a batch of one.

    before, after: (batch, n), each segment's vector before and after its transfer. For any two
    segments, the way from one to the other should be the same in direction and length (Pasini 2019,
    section 3), and before at least APART long: else all could be one point.
    """
    if len(before) < 2:
        nothing = 0 * after.sum()
        return nothing, nothing
    first, second = torch.triu_indices(len(before), len(before), 1, device=before.device)
    was, now = before[first] - before[second], after[first] - after[second]
    turned = 1 - functional.cosine_similarity(was, now, dim=1)
    moved = (was - now).square().mean(dim=1)
    near = functional.relu(APART - was.norm(dim=1))
    return (turned + moved).mean(), near.mean()
