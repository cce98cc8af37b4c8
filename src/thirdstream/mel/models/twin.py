"""The contract every twin keeps: two autoencoders, one per style, that meet in one latent space."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from thirdstream.mel.features.inputs import VIEWS, View, seen
from thirdstream.mel.networks.blocks import (
    NORMS,
    Critic,
    Decoder,
    Encoder,
    Norm,
    PatchDecoder,
    PatchEncoder,
    PerStyle,
)
from thirdstream.mel.networks.frames import FrameDecoder, FrameEncoder
from thirdstream.transfer import Phase

RECONSTRUCTION = "reconstruction"  # eq. 1 goes by this name in every twin
WARM_UP = 500  # batches in which what could kill a young network grows to its size
LATENT = "latent"  # and eq. 2 by this one
WINDOW_FRAMES = 259  # in which a long recording is heard, a segment's
HOP_FRAMES = 224  # from one to the next
MOST, MOST_LAYERS = 4_096, 64  # far above what is useful: a configuration may come from a file


class Code(NamedTuple):
    """What an encoder makes of normalised mels.

    content: (batch, latent_channels, time, mel), a quarter of the mel's size on both axes with the
        paper's three blocks. n_frames: of the mels, which the code's own size tells only to within
        the padding.
    style: (batch, n_style), of twins that tell style from content.
    log_variance: shaped as `content`, of twins whose content is the mean of a distribution.
    """

    content: Tensor
    n_frames: int
    style: Tensor | None = None
    log_variance: Tensor | None = None


class Pass(NamedTuple):
    """One style's mels on their way through a twin: all that losses look at.

    code: of the mels. rebuilt: the self-reconstruction. swapped: the code that the other decoder
    gets. restyled: what it makes of it, mels of the other style. again: their code, by the other
    encoder. apart, strayed: of twins that learn from pairs, scalars: how far versions are from each
    other, and how far what has none strays on its way.
    """

    code: Code
    rebuilt: Tensor
    swapped: Code
    restyled: Tensor
    again: Code
    apart: Tensor | None = None
    strayed: Tensor | None = None


@dataclass(frozen=True)
class TwinConfig:
    """Size and shape of the networks, and the weight of each loss.

    channels: of each encoder block; between blocks both axes are halved. A single number: residual
        blocks at the code's size, which `patch` alone reduces to (see PatchEncoder).
    latent_channels: of the code; none: the last block's output is the code, as in the paper.
    n_convs: convolutions a block, or residual blocks. kernel_size: odd.
    norm: after each convolution.
    patch: fold patch x patch points of the mel into channels first; 1: none, as in the paper.
    n_mels: none: mels are images. A number: networks along time alone (see `frames`) for so many
        mels, of which `patch` frames make one column of the code; a single number of channels.
    features: what the encoders see, each a channel (see `views`).
    ear_channels, shared_channels, n_remembered: of twins that learn from pairs: of the ears, of
        what they hear, and segments of each style to answer with.
    shared_start: both halves begin with the same weights; in the paper each has its own.
    style_channels: of the style encoder's blocks; none: as `channels`. style_size: numbers that the
        style is reduced to; none: it is a feature map. signed_style: these may be negative.
        critic_channels: of the discriminators' convolutions. All for adversarial twins alone.
    weights: by loss name.
    """

    channels: tuple[int, ...] = (2, 4, 4)
    latent_channels: int | None = None
    kernel_size: int = 5
    n_convs: int = 4
    norm: Norm = "none"
    patch: int = 1
    shared_start: bool = False
    style_channels: tuple[int, ...] | None = None
    style_size: int | None = None
    signed_style: bool = False
    critic_channels: tuple[int, ...] = (2, 4)
    n_mels: int | None = None
    features: tuple[View, ...] = ("mel",)
    ear_channels: int | None = None
    shared_channels: int = 64
    n_remembered: int = 512
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        faults = {
            "channels must be one or more": min([*self.channels, *self.style_encoder, 1]) < 1
            or not self.channels,
            "a single block needs latent_channels and has no norm": len(self.channels) == 1
            and (self.latent_channels is None or self.norm != "none"),
            "networks along time alone have a single block": self.n_mels is not None
            and len(self.channels) != 1,
            "n_mels, ear_channels, shared_channels and n_remembered must be one or more": min(
                self.n_mels or 1, self.ear_channels or 1, self.shared_channels, self.n_remembered
            )
            < 1,
            "style_channels must be as many as channels": len(self.style_encoder)
            != len(self.channels),
            "kernel_size must be odd and positive": self.kernel_size < 1
            or self.kernel_size % 2 == 0,
            "n_convs must be one or more": self.n_convs < 1,
            f"norm must be one of {', '.join(NORMS)}": self.norm not in NORMS,
            "patch must be one or more": self.patch < 1,
            f"features must be one or more of {', '.join(VIEWS)}": not self.features
            or not set(self.features) <= set(VIEWS),
            "latent_channels must be one or more": (self.latent_channels or 1) < 1,
            "style_size must be one or more": (self.style_size or 1) < 1,
            "critic_channels needs one convolution or more": min(self.critic_channels, default=0)
            < 1,
            f"no size may be above {MOST}, nor any number of layers above {MOST_LAYERS}": max(
                self.latent_channels or 1,
                self.kernel_size,
                self.patch,
                self.style_size or 1,
                self.n_mels or 1,
                self.ear_channels or 1,
                self.shared_channels,
                self.n_remembered,
                *self.channels,
                *self.style_encoder,
                *self.critic_channels,
            )
            > MOST
            or max(self.n_convs, len(self.channels), len(self.critic_channels)) > MOST_LAYERS,
        }
        for fault, found in faults.items():
            if found:
                raise ValueError(f"{fault} (got {self})")

    @property
    def reduction(self) -> int:
        """How many mels one column of the code stands for; n_mels must be a multiple."""
        return self.n_mels or self.patch * 2 ** (len(self.channels) - 1)

    @property
    def n_latent(self) -> int:
        """Channels of the code."""
        return self.latent_channels or self.channels[-1]

    @property
    def style_encoder(self) -> tuple[int, ...]:
        """Channels of the style encoder's blocks."""
        return self.channels if self.style_channels is None else self.style_channels

    def encoder(self, channels: tuple[int, ...]) -> nn.Module:
        """An encoder with these channels, of this shape otherwise."""
        n_views = len(self.features)
        if self.n_mels is not None:
            shape = self._shape("n_blocks")
            return FrameEncoder(channels[0], n_mels=self.n_mels, n_views=n_views, **shape)
        if len(channels) == 1:
            return PatchEncoder(channels[0], n_views=n_views, **self._shape("n_blocks"))
        return Encoder(channels, norm=self.norm, n_views=n_views, **self._shape("n_convs"))

    def decoder(self) -> nn.Module:
        """The decoder of this shape."""
        if self.n_mels is not None:
            return FrameDecoder(self.channels[0], n_mels=self.n_mels, **self._shape("n_blocks"))
        if len(self.channels) == 1:
            return PatchDecoder(self.channels[0], **self._shape("n_blocks"))
        return Decoder(self.channels, norm=self.norm, **self._shape("n_convs"))

    def _shape(self, n_convs: str) -> dict[str, Any]:
        names = ("latent_channels", "patch", "kernel_size")
        return {name: getattr(self, name) for name in names} | {n_convs: self.n_convs}


class Twin(nn.Module, ABC):
    """Encoder and decoder per style. A subclass says what is in its code, and what it loses.

    Mels are normalised, (batch, n_frames, n_mels), and travel by style name.
    """

    PRESETS: ClassVar[Mapping[str, TwinConfig]]
    PAIRED: ClassVar[bool] = False  # whether it learns from versions of one piece
    JUDGED_BY: ClassVar[str] = RECONSTRUCTION  # the loss that says which epoch was best
    PHASE: ClassVar[Phase] = "content"  # where the search for phases starts, if none is asked for
    FOLLOWS: ClassVar[bool] = True  # whether a transfer is as loud as the recording, at any moment
    HAS_STYLES: ClassVar[bool] = False  # whether a recording can give the style

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__()
        self.styles = styles
        self.config = config
        self.encoders = PerStyle({style: config.encoder(config.channels) for style in styles})
        self.decoders = PerStyle({style: config.decoder() for style in styles})
        self.critics = self.made_critics()

    def made_critics(self) -> PerStyle[Critic] | None:
        """The discriminators, of adversarial twins."""
        return None

    def finish(self) -> None:
        """Last act of every constructor: equal halves if so configured, and the faster layout."""
        if self.config.shared_start:
            for halves in self.children():
                if isinstance(halves, PerStyle):
                    first, second = self.styles
                    halves[second].load_state_dict(halves[first].state_dict())
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def begin_on(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Where weights can be had from some mels of the training recordings, before any step."""

    @property
    def n_to_hear(self) -> int:
        """From how many training segments of each style it chooses what it remembers."""
        return 0

    def remember(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Where a twin keeps some of the training recordings, at the end of every epoch."""

    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code."""
        return Code(self.content(mel, style), mel.shape[1])

    def content(self, mel: Tensor, style: str) -> Tensor:
        """Mel of `style` -> the content of its code."""
        return self.encoders[style](self.seen(mel))

    def seen(self, mel: Tensor) -> Tensor:
        """The mel as encoders see it: (batch, n_views, n_frames, n_mels)."""
        return seen(mel, self.config.features)

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`, with the code's n_frames."""
        return self.decoders[style](code.content, n_frames=code.n_frames)[:, 0]

    def drawn(self, code: Code) -> Code:
        """The code that decoders get in training: another one where codes are distributions."""
        return code

    def swapped(self, code: Code, *, style_of: Code, into: str) -> Code:
        """The content of one code with the style of the other, in training."""
        return code._replace(style=style_of.style)

    def usual_style(self, style: str, *, generator: torch.Generator) -> Tensor | None:
        """(1, n_style) to transfer with where no recording gives one; None without styles."""
        return None

    def style_in(self, mel: Tensor, style: str) -> Tensor | None:
        """(batch, n) of mels of `style`; None without styles."""
        return self.encode(mel, style).style

    def complete(self, style: Tensor, *, generator: torch.Generator) -> Tensor:
        """A recording's style, (1, n), with all else that a transfer needs: (1, n_style)."""
        return style

    @abstractmethod
    def losses(self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Named, unweighted scalars for one batch of each style. The weights are in the config."""

    def critic_losses(
        self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]
    ) -> dict[str, Tensor]:
        """What the discriminators lose, of twins that have some. No gradient reaches the twin."""
        return {}

    def other(self, style: str) -> str:
        """The style that is not `style`. Raises ValueError on an unknown one."""
        first, second = self.styles
        if style not in self.styles:
            raise ValueError(f"unknown style {style!r}; this twin knows {first} and {second}")
        return second if style == first else first

    def reconstruct(self, mel: Tensor, style: str) -> Tensor:
        """Self-reconstruction: encode and decode with the same half."""
        return self.decode(self.encode(mel, style), style)

    def transfer(
        self, mel: Tensor, *, source: str, target: str, style: Tensor | None = None
    ) -> Tensor:
        """Encode with one half, decode with the other (paper, section 3).

        style: (1, n_style), takes the place of the mel's own. With `source` equal to `target` and
        no style this is the self-reconstruction.
        """
        code = self.encode(mel, source)
        if style is not None:
            code = code._replace(style=style.expand(len(mel), -1))
        return self.decode(code, target)

    def forward(self, mels: Mapping[str, Tensor]) -> dict[str, Pass]:
        """Both styles' mels all the way: what a training step, distributed or not, calls."""
        codes = {style: self.encode(mel, style) for style, mel in mels.items()}
        passes = {}
        for style, code in codes.items():
            other = self.other(style)
            own = self.drawn(code)
            swapped = self.swapped(own, style_of=codes[other], into=other)
            restyled = self.decode(swapped, other)
            again = self.encode(restyled, other)
            passes[style] = Pass(code, self.decode(own, style), swapped, restyled, again)
        return passes

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum. Raises ValueError unless losses and weights have the same names."""
        weights = self.config.weights or {}
        if set(weights) != set(losses):
            raise ValueError(f"weights {sorted(weights)} do not match losses {sorted(losses)}")
        return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()

    def own_parameters(self) -> Iterator[nn.Parameter]:
        """All parameters but the discriminators'."""
        judges = set() if self.critics is None else set(self.critics.parameters())
        return (parameter for parameter in self.parameters() if parameter not in judges)


def as_image(mel: Tensor) -> Tensor:
    """(batch, n_frames, n_mels) -> (batch, 1, n_frames, n_mels), channels last."""
    return mel[:, None].contiguous(memory_format=torch.channels_last)


def mean_over(values: list[Tensor]) -> Tensor:
    """The mean of one scalar per style."""
    return torch.stack(values).mean()


def reconstruction_loss(mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> Tensor:
    """Eq. 1: mean absolute error of the self-reconstructions, averaged over the styles."""
    return mean_over([l1_loss(passes[style].rebuilt, mel) for style, mel in mels.items()])


@torch.no_grad()
def diversity(mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> float:
    """How much transfers differ from one another, as recordings of the target style do: 1 or so.

    The deviation over the batch, averaged over frames and mels, of the transfers divided by that of
    the mels; the lesser of both styles. Near 0 the twin has collapsed: it makes one thing of all.
    In a batch of one, the deviation over its frames.
    """
    (first, one), (second, other) = mels.items()
    pairs = [(passes[first].restyled, other), (passes[second].restyled, one)]
    over = 0 if len(one) > 1 else 1
    return min(float(made.std(over).mean() / real.std(over).mean()) for made, real in pairs)


def latent_loss(passes: Mapping[str, Pass]) -> Tensor:
    """Eq. 2: how far a content comes back changed through the other half, averaged likewise."""
    return mean_over([l1_loss(one.again.content, one.code.content) for one in passes.values()])
