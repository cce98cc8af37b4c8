"""Twin autoencoders: two autoencoders, one per style, that meet in one latent space."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from thirdstream.mel.features.inputs import INPUT_FEATURES, InputFeature, input_features
from thirdstream.mel.models.model import (
    MODEL,
    Batch,
    Losses,
    MelModel,
    Mels,
    OptionError,
    Rule,
    check_config,
    mean_over,
)
from thirdstream.mel.networks.blocks import (
    Decoder,
    Encoder,
    Norm,
    PatchDecoder,
    PatchEncoder,
    PerStyle,
)
from thirdstream.mel.networks.starts import STARTS, Start

LATENT = "latent"  # the name of eq. 2


class Code(NamedTuple):
    """What an encoder makes of normalised mels.

    content: (batch, latent_channels, time, mel), a quarter of the mel's size on both axes with the
        paper's three blocks. n_frames: of the mels, which the code's own size tells only to within
        the padding.
    style: (batch, n_style), of models that tell style from content.
    log_variance: shaped as `content`, of models whose content is the mean of a distribution.
    """

    content: Tensor
    n_frames: int
    style: Tensor | None = None
    log_variance: Tensor | None = None


class Pass(NamedTuple):
    """One style's mels on their way through a twin autoencoder (paper, section 3.1).

    code: of the mels. rebuilt: the self-reconstruction. swapped: the code that the other decoder
    gets. restyled: what it makes of it, mels of the other style. again: their code, by the other
    encoder.
    """

    code: Code
    rebuilt: Tensor
    swapped: Code
    restyled: Tensor
    again: Code


@dataclass(frozen=True)
class TwinConfig:
    """Size and shape of the networks, and the weight of each loss."""

    channels: tuple[int, ...] = (2, 4, 4)
    """Of each encoder block; between blocks both axes are halved. A single number: residual blocks
    at the code's size, which the patch alone reduces to."""
    latent_channels: int | None = None
    """Of the code; by default the last block's output is the code, as in the paper, with 4."""
    kernel_size: int = 5
    """Of all convolutions, odd."""
    n_convs: int = 4
    """Convolutions a block, or residual blocks."""
    norm: Norm = "none"
    """Normalisation after each convolution."""
    patch: int = 1
    """Fold patch x patch points of the mel into channels first; 1: none, as in the paper."""
    start: Start = "positive"
    """Weights of the blocks and what follows: glorot, as in the published code, or positive: no
    filter of a block has a negative sum (see `networks.starts`)."""
    shared_start: bool = False
    """Both halves begin with the same weights; in the paper each has its own."""
    features: tuple[InputFeature, ...] = ("mel",)
    """What the encoders get besides or instead of the mel: its cosine transform, its growth, its
    envelope (Lu et al. 2018)."""
    weights: Mapping[str, float] | None = None
    """Of the losses, by name."""

    def __post_init__(self) -> None:
        check_config(self, self.rules(), sizes=self.sizes(), layers=("n_convs",))

    def rules(self) -> list[Rule]:
        """What must be of the options, beside their sizes."""
        several, features = len(self.channels) > 1, set(self.features)
        return [
            Rule("latent_channels", several or self.latent_channels is not None,
                 "a number where channels is a single one"),
            Rule("norm", several or self.norm == "none", "none where channels is a single number"),
            Rule("kernel_size", self.kernel_size % 2 == 1, "odd"),
            Rule("features", bool(features) and features <= set(INPUT_FEATURES),
                 f"one or more of {', '.join(INPUT_FEATURES)}"),
        ]  # fmt: skip

    def sizes(self) -> tuple[str, ...]:
        """The options that are sizes of layers."""
        return ("channels", "latent_channels", "kernel_size", "patch")

    def check_mels(self, n_mels: int) -> None:
        """Raise OptionError where the code would not divide so many mels."""
        if n_mels % self.patch:
            raise OptionError("patch", self.patch, f"a divisor of {n_mels}, as many as mels are")
        if n_mels % self.reduction:
            halved = f"{n_mels} mels by patch {self.patch}"
            raise OptionError(
                "channels", self.channels, f"fewer numbers: all but one halve {halved}"
            )

    @property
    def reduction(self) -> int:
        """How many mels one column of the code stands for; n_mels must be a multiple."""
        return self.patch * 2 ** (len(self.channels) - 1)

    @property
    def n_latent(self) -> int:
        """Channels of the code."""
        return self.latent_channels or self.channels[-1]


def size_of(config: TwinConfig, **other: Any) -> dict[str, Any]:
    """What every configuration of twins has but the losses' weights, with some of it `other`."""
    return {one.name: getattr(config, one.name) for one in fields(TwinConfig)[:-1]} | other


def encoder_of(config: TwinConfig, channels: tuple[int, ...]) -> nn.Module:
    """An encoder with these channels, of the configuration's shape otherwise."""
    shape = {**_shape(config), "n_features": len(config.features)}
    if len(channels) == 1 and config.latent_channels is not None:
        return PatchEncoder(channels[0], n_blocks=config.n_convs, **shape)
    return Encoder(channels, n_convs=config.n_convs, norm=config.norm, **shape)


def decoder_of(config: TwinConfig) -> nn.Module:
    """The decoder of the configuration's shape."""
    channels, shape = config.channels, _shape(config)
    if len(channels) == 1 and config.latent_channels is not None:
        return PatchDecoder(channels[0], n_blocks=config.n_convs, **shape)
    return Decoder(channels, n_convs=config.n_convs, norm=config.norm, **shape)


def _shape(config: TwinConfig) -> dict[str, Any]:
    """What encoders and decoders of both kinds have in common."""
    return {name: getattr(config, name) for name in ("latent_channels", "patch", "kernel_size")}


class TwinAutoencoder(MelModel):
    """Encoder and decoder per style. A subclass says what is in its code, and what it loses."""

    Config = TwinConfig
    config: TwinConfig
    REMEDY = "begin anew with a lower learning rate, another seed, or another preset"

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        self.encoders = PerStyle({style: encoder_of(config, config.channels) for style in styles})
        self.decoders = PerStyle({style: decoder_of(config) for style in styles})

    def check_mels(self, n_mels: int) -> None:
        """Raise OptionError where the code would not divide the mels."""
        self.config.check_mels(n_mels)

    def content(self, mel: Tensor, style: str) -> Tensor:
        """Mel of `style` -> the content of its code."""
        return self.encoders[style](input_features(mel, self.config.features))

    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code."""
        return Code(self.content(mel, style), mel.shape[1])

    def encode_again(self, mel: Tensor, style: str) -> Code:
        """Transfer into `style` -> what the losses compare of its Code."""
        return self.encode(mel, style)

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`, with the code's n_frames."""
        return self.decoders[style](code.content, n_frames=code.n_frames)[:, 0]

    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """Encode with one half, decode with the other (paper, section 3)."""
        return self.decode(Code(self.content(mel, source), mel.shape[1]), target)

    def sampled(self, code: Code) -> Code:
        """The code that decoders get in training: a draw where codes are distributions."""
        return code

    def swapped(self, code: Code, *, style_of: Code) -> Code:
        """The content of one code with the style of the other, in training."""
        return code._replace(style=style_of.style)

    def passes(self, mels: Mels) -> dict[str, Pass]:
        """Both styles' mels all the way: encode, decode, swap, encode again (section 3.1)."""
        codes = {style: self.encode(mel, style) for style, mel in mels.items()}
        passes = {}
        for style, code in codes.items():
            other = self.other(style)
            own = self.sampled(code)
            swapped = self.swapped(own, style_of=codes[other])
            restyled = self.decode(swapped, other)
            again = self.encode_again(restyled, other)
            passes[style] = Pass(code, self.decode(own, style), swapped, restyled, again)
        return passes

    @abstractmethod
    def losses(self, mels: Mels, passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """What the autoencoders lose: named, unweighted scalars."""

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """Of the autoencoders alone."""
        return self.losses(batch.mels, self.passes(batch.mels))


def finish(model: MelModel, config: TwinConfig) -> None:
    """Last act of a constructor: the weights' start, and the faster memory layout."""
    STARTS[config.start](model)
    if config.shared_start:
        for halves in model.children():
            if isinstance(halves, PerStyle):
                first, second = model.styles
                halves[second].load_state_dict(halves[first].state_dict())
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def reconstruction_loss(mels: Mels, rebuilt: Mels) -> Tensor:
    """Eq. 1: mean absolute error of the self-reconstructions, averaged over the styles."""
    return mean_over([l1_loss(rebuilt[style], mel) for style, mel in mels.items()])


def rebuilt_in(passes: Mapping[str, Pass]) -> dict[str, Tensor]:
    """The self-reconstructions."""
    return {style: one.rebuilt for style, one in passes.items()}


def latent_loss(passes: Mapping[str, Pass]) -> Tensor:
    """Eq. 2: how far a content comes back changed through the other half, averaged likewise."""
    return mean_over([l1_loss(one.again.content, one.code.content) for one in passes.values()])
