"""The twin GAN (paper, section 3.3): content and style apart, joined by AdaIN, and judged."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from thirdstream.mel.models.adversarial import ADVERSARIAL, Judged
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.twin import (
    RECONSTRUCTION,
    Code,
    Pass,
    TwinConfig,
    latent_loss,
    mean_over,
    reconstruction_loss,
)
from thirdstream.mel.networks.blocks import CodeStyle, MapStyle, PerStyle, adain

CONTENT, STYLE = "content", "style"
SLOWEST = 0.01  # share of the latest batch in the usual style
PAPER = TwinConfig(weights={RECONSTRUCTION: 1.0, ADVERSARIAL: 0.02, CONTENT: 0.01, STYLE: 0.01})


class TwinGAN(Judged):
    """Two autoencoders with a discriminator each. A transfer keeps the content, swaps the style."""

    HAS_STYLES = True
    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        # The published networks without discriminators: 14,834 and 16,602 parameters.
        "paper": PAPER,
        "paper-style-code": replace(PAPER, style_size=8),
        # Departs from the paper as the twin CNN's default does; the style is a code of 8 numbers,
        # of either sign. At the paper's 0.02 the adversarial loss outweighs the reconstruction
        # here: 0.154 after one epoch of the bundled models' corpus, where the twin CNN has 0.052.
        "default": replace(
            TwinCNN.PRESETS["default"],
            style_channels=(16,),
            style_size=8,
            signed_style=True,
            critic_channels=(8, 16, 32),
            weights={RECONSTRUCTION: 1.0, ADVERSARIAL: 0.002, CONTENT: 0.1, STYLE: 0.01},
        ),
    }

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        self.style_encoders = PerStyle(
            {style: config.encoder(config.style_encoder) for style in styles}
        )
        self.heads = PerStyle({style: style_head(config) for style in styles})
        self.usual = PerStyle({style: Usual(self.head(style).n_style) for style in styles})
        self.finish()

    def head(self, style: str) -> MapStyle | CodeStyle:
        """What makes a style code of a feature map, and AdaIN's parameters of the code."""
        return self.heads[style]

    @property
    def n_trained(self) -> float:
        """Batches seen in training."""
        return float(self.usual[self.styles[0]].n_seen)

    def style_map(self, mel: Tensor, style: str) -> Tensor:
        """Mel of `style` -> the style encoder's feature map, shaped as the content."""
        return self.style_encoders[style](self.seen(mel))

    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code of content and style."""
        code = self.head(style).reduce(self.style_map(mel, style))
        return super().encode(mel, style)._replace(style=code)

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`; its content is brought to its style first (eq. 7)."""
        assert code.style is not None
        shift, scale = self.head(style).shift_and_scale(code.style)
        joined = adain(code.content, shift=shift, scale=scale, epsilon=self.head(style).EPSILON)
        return super().decode(code._replace(content=joined), style)

    def usual_style(self, style: str, *, generator: torch.Generator) -> Tensor | None:
        """The mean style of the training data."""
        return self.usual[style].mean[None]

    def forward(self, mels: Mapping[str, Tensor]) -> dict[str, Pass]:
        """As every twin's; in training the usual styles are learnt on the way."""
        passes = super().forward(mels)
        if self.training:
            for style, one in passes.items():
                assert one.code.style is not None
                self.usual[style].see(one.code.style.detach())
        return passes

    def losses(self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Eqs. 1 and 6, and how far content and style come back changed from the other half."""
        style_losses = []
        for one in passes.values():
            # Where style is a feature map, its mean and deviation are compared, not the map itself:
            # that has the target recording's time and can't come back from another's content.
            assert one.again.style is not None and one.swapped.style is not None
            style_losses.append(l1_loss(one.again.style, one.swapped.style))
        return {
            RECONSTRUCTION: reconstruction_loss(mels, passes),
            ADVERSARIAL: self.adversarial_loss(mels, passes),
            CONTENT: latent_loss(passes),
            STYLE: mean_over(style_losses),
        }


class Usual(nn.Module):
    """The mean of all style codes at first, then of the latest few hundred batches."""

    mean: Tensor
    n_seen: Tensor

    def __init__(self, n_style: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_style))
        self.register_buffer("n_seen", torch.zeros(()))

    def see(self, codes: Tensor) -> None:
        """Take in a batch (batch, n_style)."""
        self.n_seen += 1
        self.mean.lerp_(codes.mean(0), float(max(1 / self.n_seen, SLOWEST)))


def style_head(config: TwinConfig) -> MapStyle | CodeStyle:
    """The kind of style that the configuration asks for."""
    size = config.style_size
    if size is None:
        return MapStyle(config.n_latent)
    return CodeStyle(config.n_latent, size, signed=config.signed_style)
