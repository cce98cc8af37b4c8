"""Play as You Like (Lu et al. 2018): MUNIT on four channels that tell of timbre, without pairs.

Content and style are encoded apart; a transfer keeps the content, and its style is drawn. What the
paper leaves open follows the published code. Departs from both in the mels: these are the twins'
mels, normalised logarithms at 44.1 kHz, not powers 0.3 of mels at 22.05 kHz. Losses are averaged
over the styles, as everywhere here, where the published code adds them. The learning rate is the
training's: the published one is halved every 100,000 steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import l1_loss

from thirdstream.mel.features.channels import CHANNELS, DIFFERENCE, ENVELOPE, MFCC, channels
from thirdstream.mel.models.adversarial import ADVERSARIAL, Adversarial
from thirdstream.mel.models.gan import CONTENT, STYLE
from thirdstream.mel.models.model import (
    DISCRIMINATOR,
    MAX_LAYERS,
    MAX_SIZE,
    MODEL,
    RECONSTRUCTION,
    Batch,
    Losses,
    Mels,
    Player,
    Rule,
    check_config,
    mean_over,
)
from thirdstream.mel.networks.blocks import PerStyle
from thirdstream.mel.networks.munit import (
    PATCHES,
    REDUCTION,
    ContentEncoder,
    Decoder,
    MultiScaleDiscriminator,
    StyleEncoder,
    kaiming,
)
from thirdstream.mel.options import StyledMelOptions

VOLUME = "volume"
DITHER = 0.01  # deviation of the noise that stands for silence in training
WEIGHTS = {
    RECONSTRUCTION: 10.0, STYLE: 1.0, CONTENT: 1.0, ADVERSARIAL: 1.0,
    MFCC: 1.0, DIFFERENCE: 1.0, ENVELOPE: 1.0, VOLUME: 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class PlayAsYouLikeConfig:
    """Sizes of the networks, and the weight of each loss; by default as published."""

    n_channels: int = 64
    """Of the convolutions at full size; twice as many at half the size."""
    n_residual: int = 4
    """Residual blocks of a content encoder, and of a decoder."""
    style_size: int = 8
    """Numbers of a style."""
    n_hidden: int = 256
    """Units of the MLP's hidden layers."""
    patch: int = 1
    """Points of time and of mel that the networks take as channels: 1, 2 or 4."""
    kernel_size: int = 7
    """Of the convolutions at the largest size."""
    discriminator_channels: int = 64
    """Of the discriminators' first convolution; each has twice as many as the one before."""
    discriminator_layers: int = 4
    """Convolutions of a discriminator at each scale."""
    discriminator_scales: int = 3
    """Sizes of the image at which a discriminator looks, each half the one before."""
    shared_start: bool = False
    """Both styles' networks begin with the same weights."""
    crop: int = 256
    """Frames of a recording that a training step takes, from a place that is drawn."""
    weights: Mapping[str, float] = field(default_factory=WEIGHTS.copy)
    """Of each loss."""
    gradient_penalty: ClassVar[float] = 0.0  # discriminators are as published, without remedies
    warm_up: ClassVar[int] = 0

    def __post_init__(self) -> None:
        width, n_layers = self.discriminator_channels, self.discriminator_layers
        widest = width * 2 ** min(MAX_LAYERS, n_layers)
        names = " ".join(sorted(WEIGHTS))
        rules = [
            Rule("weights", set(self.weights) == set(WEIGHTS), f"a number for each of {names}"),
            Rule("patch", self.patch in PATCHES, "1, 2 or 4"),
            Rule("kernel_size", self.kernel_size % 2 == 1, "odd"),
            Rule("n_channels", 4 * self.n_channels <= MAX_SIZE, f"at most {MAX_SIZE // 4}"),
            Rule("discriminator_layers", widest <= MAX_SIZE,
                 f"fewer where the first has {width} channels, so that no layer has more than "
                 f"{MAX_SIZE}"),
        ]  # fmt: skip
        sizes = ("n_channels", "style_size", "n_hidden", "kernel_size", "crop",
                 "discriminator_channels")  # fmt: skip
        layers = ("n_residual", "discriminator_layers", "discriminator_scales")
        check_config(self, rules, sizes=sizes, layers=layers)


class PlayAsYouLike(Adversarial):
    """An encoder of content, one of style, a decoder and a discriminator for each style."""

    Config = PlayAsYouLikeConfig
    config: PlayAsYouLikeConfig
    OPTIONS = StyledMelOptions
    SELECTION_METRIC = None  # as the published code, which keeps the latest
    PRESETS: ClassVar[Mapping[str, PlayAsYouLikeConfig]] = {
        "paper": PlayAsYouLikeConfig(),
        "default": PlayAsYouLikeConfig(
            n_channels=8,
            n_residual=3,
            n_hidden=64,
            patch=2,
            kernel_size=3,
            discriminator_channels=8,
            discriminator_layers=3,
            crop=128,
            # From weights of their own, what is a content to both is found by chance or late.
            shared_start=True,
            weights=WEIGHTS | {RECONSTRUCTION: 20.0, CONTENT: 2.0, ADVERSARIAL: 0.5},
        ),
    }

    def __init__(self, styles: tuple[str, str], config: PlayAsYouLikeConfig) -> None:
        super().__init__(styles, config)
        n, width = len(CHANNELS), config.n_channels
        shape = {"patch": config.patch, "kernel_size": config.kernel_size}
        blocks, style_size = {"n_residual": config.n_residual}, {"n_style": config.style_size}
        self.content_encoders = PerStyle(
            {style: ContentEncoder(n, width, **blocks, **shape) for style in styles}
        )
        self.style_encoders = PerStyle(
            {style: StyleEncoder(n, width, **style_size, **shape) for style in styles}
        )
        sizes = {**blocks, **style_size, "n_hidden": config.n_hidden, **shape}
        self.decoders = PerStyle({style: Decoder(n, width, **sizes) for style in styles})
        for networks in (self.content_encoders, self.style_encoders, self.decoders):
            kaiming(networks)
            if config.shared_start:
                networks[styles[1]].load_state_dict(networks[styles[0]].state_dict())

    def new_discriminator(self) -> nn.Module:
        """(batch, 4, n_frames, n_mels) -> scores of each scale."""
        config = self.config
        return MultiScaleDiscriminator(
            len(CHANNELS),
            config.discriminator_channels,
            n_layers=config.discriminator_layers,
            n_scales=config.discriminator_scales,
        )

    def check_mels(self, n_mels: int) -> None:
        """Raise ValueError where the networks would not divide the mels, whatever their options."""
        if n_mels % REDUCTION or n_mels < 2 * REDUCTION:
            raise ValueError(f"{n_mels} mels are not {2 * REDUCTION} or a larger multiple of 4")

    # --- transfer ---------------------------------------------------------------------------------

    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """The content in the style `condition`; the mel channel alone.

        Without it a reconstruction has the mel's own style, and a transfer the one in the middle of
        those that may be drawn: the target's encoder knows only mels of the target.
        """
        image = channels(mel)
        if condition is not None:
            style = condition  # of one, for any batch
        elif source == target:
            style = self.style_encoders[source](padded(image))
        else:
            style = mel.new_zeros(1, self.config.style_size)
        content = self.content_encoders[source](padded(image))
        return self.decoders[target](content, style=style)[:, 0, : mel.shape[1]]

    def style_code(self, mel: Tensor, style: str) -> Tensor:
        """(batch, style_size) of mels of `style`."""
        return self.style_encoders[style](padded(channels(mel)))

    def default_condition(self, target: str, *, generator: torch.Generator) -> Tensor:
        """A style drawn from N(0, 1), (1, style_size)."""
        drawn = torch.randn(1, self.config.style_size, generator=generator)
        return drawn.to(next(self.parameters()).device)

    # --- training ---------------------------------------------------------------------------------

    def players(self) -> dict[str, Player]:
        """As published: Adam's decays, the decay of weights, and the model's clipped gradients."""
        adam = {"betas": (0.5, 0.999), "weight_decay": 1e-4}
        found = {name: one._replace(**adam) for name, one in super().players().items()}
        return found | {MODEL: found[MODEL]._replace(clip_value=1.0)}

    def judged(self, mel: Tensor) -> Tensor:
        """Discriminators get all channels: images as they are."""
        return mel

    def images(self, mels: Mels) -> dict[str, Tensor]:
        """Channels of `crop` frames of each style, from a place that is drawn; see `padded`."""
        found = {}
        for style, mel in mels.items():
            last = max(0, mel.shape[1] - self.config.crop)
            start = int(torch.randint(last + 1, ()))
            found[style] = padded(channels(dithered(mel[:, start : start + self.config.crop])))
        return found

    def drawn_styles(self, images: Mels) -> dict[str, Tensor]:
        """Styles from N(0, 1), one for each image."""
        size = self.config.style_size
        return {
            style: image.new_empty(len(image), size).normal_() for style, image in images.items()
        }

    def restyled(self, contents: Mels, styles: Mels) -> dict[str, Tensor]:
        """Each content in the other style's drawn one: images, by the style that they are in."""
        pairs = [(style, self.other(style)) for style in contents]
        return {to: self.decoders[to](contents[of], style=styles[to]) for of, to in pairs}

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """The discriminators', or what the model minimises, each averaged over the styles."""
        images = self.images(batch.mels)
        if player == DISCRIMINATOR:
            with torch.no_grad():
                contents = {s: self.content_encoders[s](one) for s, one in images.items()}
                fake = self.restyled(contents, self.drawn_styles(images))
            return self.discriminator_losses(real=images, fake=fake)
        contents = {s: self.content_encoders[s](one) for s, one in images.items()}
        drawn = self.drawn_styles(images)
        fake = self.restyled(contents, drawn)
        # The published code draws other recordings here; these are other places of the same ones.
        real = self.images(batch.mels)
        return {
            **self.code_losses(images, contents=contents, drawn=drawn, fake=fake),
            ADVERSARIAL: self.adversarial_loss(real=real, fake=fake),
            **intrinsic_losses(fake),
            VOLUME: mean_over(
                [volume_loss(i, restyled=fake[self.other(s)]) for s, i in images.items()]
            ),
        }

    def code_losses(self, images: Mels, *, contents: Mels, drawn: Mels, fake: Mels) -> Losses:
        """What must come back: the images, and the contents and styles that transfers are made of.

        L1, as MUNIT (Huang et al. 2018, eqs. 1 to 4).
        """
        rebuilt, content, style = [], [], []
        for s, image in images.items():
            own = self.decoders[s](contents[s], style=self.style_encoders[s](image))
            rebuilt.append(l1_loss(own, image))
            # In the published code gradients reach both sides of this difference.
            again = self.content_encoders[self.other(s)](fake[self.other(s)])
            content.append(l1_loss(again, contents[s]))
            style.append(l1_loss(self.style_encoders[s](fake[s]), drawn[s]))
        return {
            RECONSTRUCTION: mean_over(rebuilt),
            CONTENT: mean_over(content),
            STYLE: mean_over(style),
        }


def dithered(mel: Tensor) -> Tensor:
    """Noise in mels that are nearly the same everywhere, such as silence.

    There each normalisation multiplies gradients by a few hundred, and all together overflow. The
    published code has no such guard.
    """
    flat = mel.amax(dim=(1, 2), keepdim=True) - mel.amin(dim=(1, 2), keepdim=True) < DITHER
    return torch.where(flat, mel + DITHER * torch.randn_like(mel), mel) if flat.any() else mel


def padded(image: Tensor) -> Tensor:
    """The last frame repeated until their number is a multiple of 4."""
    missing = (REDUCTION - image.shape[2] % REDUCTION) % REDUCTION
    return functional.pad(image, (0, 0, 0, missing), mode="replicate")


def intrinsic_losses(fake: Mels) -> Losses:
    """How far a transfer's channels are from those of its own mel, L1, averaged over the styles.

    As in the published code, no gradient reaches the mel by way of its channels.
    """
    right = {style: channels(image[:, 0].detach()) for style, image in fake.items()}
    return {
        name: mean_over([l1_loss(fake[s][:, k], one[:, k]) for s, one in right.items()])
        for k, name in enumerate(CHANNELS)
        if k > 0
    }


def volume_loss(image: Tensor, *, restyled: Tensor) -> Tensor:
    """How far the mean of the mel channel is from what it was, in each recording, L1.

    Of the published code; the paper doesn't mention it.
    """
    return l1_loss(restyled[:, 0].mean(dim=(1, 2)), image[:, 0].mean(dim=(1, 2)))
