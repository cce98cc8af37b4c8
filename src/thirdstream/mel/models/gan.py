"""The twin GAN (paper, section 3.3): content and style, joined by AdaIN; discriminators."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from thirdstream.mel.features.inputs import input_features
from thirdstream.mel.models.adversarial import ADVERSARIAL, Adversarial
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.conditioned import StyleConditioned
from thirdstream.mel.models.model import (
    RECONSTRUCTION,
    Losses,
    Mels,
    Rule,
    mean_over,
)
from thirdstream.mel.models.twin import (
    Code,
    Pass,
    TwinAutoencoder,
    TwinConfig,
    encoder_of,
    finish,
    latent_loss,
    rebuilt_in,
    reconstruction_loss,
    size_of,
)
from thirdstream.mel.networks.blocks import CodeStyle, MapStyle, MovingCodeStyle, PerStyle

CONTENT, STYLE = "content", "style"
SMALLEST_SHARE = 0.01  # of the latest batch in the mean style


@dataclass(frozen=True)
class AdversarialConfig(TwinConfig):
    """A twin's networks, and discriminators."""

    discriminator_channels: tuple[int, ...] = (2, 4)
    """Of the discriminators' convolutions."""
    discriminator_hidden: int = 16
    """Units of the discriminators' hidden layer."""
    discriminator_slope: float = 0.2
    """Of the discriminators' activations below zero; 0: ReLU."""
    gradient_penalty: float = 2.5
    """Weight of the discriminators' squared gradient at recordings (R1); 0: none, as in the paper.
    """
    warm_up: int = 500
    """Batches in which the adversarial weight grows to its own; 0: none, as in the paper."""

    def rules(self) -> list[Rule]:
        """Those of a twin, and of what the discriminators do."""
        return [
            *super().rules(),
            Rule("gradient_penalty", 0 <= self.gradient_penalty < math.inf, "0 or more"),
            Rule("warm_up", self.warm_up >= 0, "0 or more"),
            Rule("discriminator_slope", 0 <= self.discriminator_slope <= 1, "0 to 1"),
        ]

    def sizes(self) -> tuple[str, ...]:
        """The options that are sizes of layers."""
        return (*super().sizes(), "discriminator_channels", "discriminator_hidden")


@dataclass(frozen=True)
class GANConfig(AdversarialConfig):
    """Size and shape of the networks of a twin GAN, and the weight of each loss."""

    style_channels: tuple[int, ...] | None = None
    """Of the style encoder's blocks; by default as the content encoder's."""
    style_size: int | None = None
    """Numbers that a style is reduced to; by default it is a feature map."""
    signed_style: bool = False
    """These numbers may be negative."""
    adain: Literal["instance", "moving"] = "instance"
    """What normalises contents: instance, their own statistics, by eq. 7; moving, stored ones as in
    the published code, where the style is a few numbers."""
    style_losses: Literal["both", "second"] = "both"
    """Whose styles are compared: of both styles, or of the second alone, a slip of the published
    code."""

    def rules(self) -> list[Rule]:
        """Those of an adversarial twin, and of styles."""
        as_many = len(self.style_encoder) == len(self.channels)
        coded = self.adain != "moving" or self.style_size is not None
        return [
            *super().rules(),
            Rule("style_channels", as_many, f"as many as channels, {len(self.channels)}"),
            Rule("adain", coded, "instance where there is no style_size"),
        ]

    def sizes(self) -> tuple[str, ...]:
        """The options that are sizes of layers."""
        return (*super().sizes(), "style_channels", "style_size")

    @property
    def style_encoder(self) -> tuple[int, ...]:
        """Channels of the style encoder's blocks."""
        return self.channels if self.style_channels is None else self.style_channels


# The published networks: 14,834 parameters, and discriminators of 32,928 each, which
# lack the published ones' last bias.
PAPER = GANConfig(
    start="glorot",
    warm_up=0,
    gradient_penalty=0.0,
    discriminator_channels=(2, 4),
    discriminator_hidden=32,
    discriminator_slope=0.0,
    weights={RECONSTRUCTION: 1.0, ADVERSARIAL: 0.02, CONTENT: 0.01, STYLE: 0.01},
)
STABLE = {"start": "positive", "warm_up": 500, "gradient_penalty": 2.5}  # three remedies


class TwinGAN(StyleConditioned, Adversarial, TwinAutoencoder):
    """Two autoencoders with a discriminator each. A transfer keeps the content, swaps the style."""

    Config = GANConfig
    config: GANConfig  # pyright: ignore[reportIncompatibleVariableOverride]  # narrower
    PRESETS: ClassVar[Mapping[str, GANConfig]] = {
        "paper": PAPER,
        "paper-style-code": replace(PAPER, style_size=8),  # 16,602 parameters
        "paper-stable": replace(PAPER, **STABLE),
        # Departs from the paper as the twin CNN's default does; the style is a code of 8 numbers,
        # of either sign. At the paper's 0.02 the adversarial loss outweighs the reconstruction
        # here: 0.154 after one epoch of the bundled models' corpus, where the twin CNN has 0.052.
        "default": GANConfig(
            **size_of(TwinCNN.PRESETS["default"]),
            weights={RECONSTRUCTION: 1.0, ADVERSARIAL: 0.004, CONTENT: 0.1, STYLE: 0.01},
            style_channels=(16,),
            style_size=8,
            signed_style=True,
            discriminator_channels=(8, 16, 32),
        ),
    }

    def __init__(self, styles: tuple[str, str], config: GANConfig) -> None:
        super().__init__(styles, config)
        self.style_encoders = PerStyle(
            {style: encoder_of(config, config.style_encoder) for style in styles}
        )
        self.heads = PerStyle({style: style_head(config) for style in styles})
        self.mean_styles = PerStyle(
            {style: MeanStyle(self.head(style).n_style) for style in styles}
        )
        finish(self, config)

    def head(self, style: str) -> MapStyle:
        """What makes a style code of a feature map, and AdaIN's parameters of the code."""
        return self.heads[style]

    def style_map(self, mel: Tensor, style: str) -> Tensor:
        """Mel of `style` -> the style encoder's feature map, shaped as the content."""
        return self.style_encoders[style](input_features(mel, self.config.features))

    def style_code(self, mel: Tensor, style: str) -> Tensor:
        """Mel of `style` -> (batch, n_style)."""
        return self.head(style).reduce(self.style_map(mel, style))

    def mean_style(self, style: str) -> Tensor:
        """The mean style of the training data, (n_style,)."""
        return self.mean_styles[style].mean

    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code of content and style."""
        code = self.style_code(mel, style)
        return super().encode(mel, style)._replace(style=code)

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`; its content is brought to its style first (eq. 7)."""
        assert code.style is not None
        joined = self.head(style).join(content=code.content, style=code.style)
        return super().decode(code._replace(content=joined), style)

    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """Encode with one half, decode with the other; `condition` takes the place of the style."""
        if condition is None:
            return self.decode(self.encode(mel, source), target)
        style = condition.expand(mel.shape[0], -1)
        return self.decode(Code(self.content(mel, source), mel.shape[1], style), target)

    def passes(self, mels: Mels) -> dict[str, Pass]:
        """As of every twin; in training the mean styles are learnt on the way."""
        passes = super().passes(mels)
        if self.training:
            for style, one in passes.items():
                assert one.code.style is not None
                self.mean_styles[style].update(one.code.style.detach())
        return passes

    def losses(self, mels: Mels, passes: Mapping[str, Pass]) -> Losses:
        """Eqs. 1 and 6, and how far content and style come back changed from the other half."""
        style_losses = {}
        for style, one in passes.items():
            # Where style is a feature map, its mean and deviation are compared, not the map itself:
            # that has the target recording's time and can't come back from another's content.
            assert one.again.style is not None and one.swapped.style is not None
            style_losses[self.other(style)] = l1_loss(one.again.style, one.swapped.style)
        if self.config.style_losses == "second":
            del style_losses[self.styles[0]]
        fake = {self.other(style): one.restyled for style, one in passes.items()}
        return {
            RECONSTRUCTION: reconstruction_loss(mels, rebuilt_in(passes)),
            ADVERSARIAL: self.adversarial_loss(real=mels, fake=fake),
            CONTENT: latent_loss(passes),
            STYLE: mean_over([*style_losses.values()]),
        }

    def transfers(self, mels: Mels) -> dict[str, Tensor]:
        """As in training, with the styles of the batch or drawn ones."""
        codes = {style: self.encode(mel, style) for style, mel in mels.items()}
        return {
            other: self.decode(self.swapped(codes[style], style_of=codes[other]), other)
            for style, other in zip(self.styles, reversed(self.styles), strict=True)
        }


class MeanStyle(nn.Module):
    """The mean of all style codes at first, then of the latest few hundred batches."""

    mean: Tensor
    n_seen: Tensor

    def __init__(self, n_style: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_style))
        self.register_buffer("n_seen", torch.zeros(()))

    def update(self, codes: Tensor) -> None:
        """Take in a batch (batch, n_style)."""
        self.n_seen += 1
        self.mean.lerp_(codes.mean(0), float(max(1 / self.n_seen, SMALLEST_SHARE)))


def style_head(config: GANConfig) -> MapStyle:
    """The kind of style that the configuration asks for."""
    if config.style_size is None:
        return MapStyle(config.n_latent)
    kind = MovingCodeStyle if config.adain == "moving" else CodeStyle
    return kind(config.n_latent, config.style_size, signed=config.signed_style)
