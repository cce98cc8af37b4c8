"""The contract every twin keeps: two autoencoders, one per style, that meet in one latent space."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from thirdstream.mel.blocks import NORMS, Norm

RECONSTRUCTION = "reconstruction"  # eq. 1 goes by this name in every twin


class Code(NamedTuple):
    """What an encoder makes of normalised mels.

    content: (batch, latent_channels, time, mel), a quarter of the mel's size on both axes with the
        paper's three blocks. n_frames: of the mels, which the code's own size tells only to within
        the padding.
    """

    content: Tensor
    n_frames: int


@dataclass(frozen=True)
class TwinConfig:
    """Size and shape of the networks, and the weight of each loss.

    channels: of each encoder block; between blocks both axes are halved.
    latent_channels: of the code; none: the last block's output is the code, as in the paper.
    n_convs: convolutions a block. kernel_size: odd. norm: after each convolution.
    patch: fold patch x patch points of the mel into channels first; 1: none, as in the paper.
    shared_start: both halves begin with the same weights; in the paper each has its own.
    weights: by loss name.
    """

    channels: tuple[int, ...] = (2, 4, 4)
    latent_channels: int | None = None
    kernel_size: int = 5
    n_convs: int = 4
    norm: Norm = "none"
    patch: int = 1
    shared_start: bool = False
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        faults = {
            "channels needs two blocks or more, each of one channel or more": len(self.channels) < 2
            or min(self.channels) < 1,
            "kernel_size must be odd and positive": self.kernel_size < 1
            or self.kernel_size % 2 == 0,
            "n_convs must be one or more": self.n_convs < 1,
            f"norm must be one of {', '.join(NORMS)}": self.norm not in NORMS,
            "patch must be one or more": self.patch < 1,
            "latent_channels must be one or more": (self.latent_channels or 1) < 1,
        }
        for fault, found in faults.items():
            if found:
                raise ValueError(f"{fault} (got {self})")

    @property
    def reduction(self) -> int:
        """How many mels one column of the code stands for; n_mels must be a multiple."""
        return self.patch * 2 ** (len(self.channels) - 1)


class Twin(nn.Module, ABC):
    """Encoder and decoder per style. A subclass says how it encodes, decodes and what it loses.

    Mels are normalised, (batch, n_frames, n_mels), and travel by style name.
    """

    PRESETS: ClassVar[Mapping[str, TwinConfig]]

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__()
        self.styles = styles
        self.config = config

    @abstractmethod
    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code."""

    @abstractmethod
    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`, with the code's n_frames."""

    @abstractmethod
    def losses(self, mels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named, unweighted scalars for one batch of each style. The weights are in the config."""

    def other(self, style: str) -> str:
        """The style that is not `style`. Raises ValueError on an unknown one."""
        first, second = self.styles
        if style not in self.styles:
            raise ValueError(f"unknown style {style!r}; this twin knows {first} and {second}")
        return second if style == first else first

    def reconstruct(self, mel: Tensor, style: str) -> Tensor:
        """Self-reconstruction: encode and decode with the same half."""
        return self.decode(self.encode(mel, style), style)

    def transfer(self, mel: Tensor, *, source: str, target: str) -> Tensor:
        """Style transfer: encode with one half, decode with the other (paper, section 3)."""
        return self.decode(self.encode(mel, source), target)

    def forward(self, mels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The losses: what a training step, distributed or not, calls."""
        return self.losses(mels)

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum. Raises ValueError unless losses and weights have the same names."""
        weights = self.config.weights or {}
        if set(weights) != set(losses):
            raise ValueError(f"weights {sorted(weights)} do not match losses {sorted(losses)}")
        return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def mean_over(values: list[Tensor]) -> Tensor:
    """The mean of one scalar per style."""
    return torch.stack(values).mean()
