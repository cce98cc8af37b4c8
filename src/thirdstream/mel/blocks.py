"""Convolution blocks that twins are built of.

Conventions: feature maps are (batch, n_channels, time, mel), as the published network has them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Norm = Literal["none", "instance", "group"]

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda n_channels: nn.Identity(),
    "instance": lambda n_channels: nn.InstanceNorm2d(n_channels, affine=True),
    "group": lambda n_channels: nn.GroupNorm(1, n_channels),
}


class PerStyle(nn.Module):
    """One module per style, by name: any name, even one that nn.ModuleDict takes, such as "pop"."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.of = nn.ModuleDict({f"style-{name}": module for name, module in modules.items()})

    def __getitem__(self, style: str) -> nn.Module:
        return self.of[f"style-{style}"]


class Block(nn.Module):
    """`n_convs` convolutions with ReLU; the first one's output is added to the last one's.

    transposed: stride-1 transposed convolutions, as in the published decoder.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        kernel_size: int,
        n_convs: int,
        norm: Norm = "none",
        transposed: bool = False,
    ) -> None:
        super().__init__()
        conv = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.layers = nn.ModuleList(
            nn.Sequential(
                conv(n_in if i == 0 else n_out, n_out, kernel_size, padding=kernel_size // 2),
                NORMS[norm](n_out),
                nn.ReLU(),
            )
            for i in range(n_convs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, time, mel) -> (batch, n_out, time, mel)."""
        first = x = self.layers[0](x)
        for layer in list(self.layers)[1:]:
            x = layer(x)
        return x + first


def pad_time(x: Tensor, multiple: int) -> Tensor:
    """Add zero frames at the end until their number is a multiple of `multiple`."""
    return functional.pad(x, (0, 0, 0, -x.shape[2] % multiple))


class Encoder(nn.Module):
    """Blocks with average pooling by two between them (paper, figure 5).

    channels: of each block; the last one is not followed by pooling.
    latent_channels: the code is projected to so many by a 1x1 convolution; None: it is the last
        block's output, as in the paper.
    patch: fold patch x patch points of the mel into channels first; 1: none, as in the paper.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        latent_channels: int | None,
        patch: int,
        kernel_size: int,
        n_convs: int,
        norm: Norm,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.fold = nn.PixelUnshuffle(patch) if patch > 1 else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(n_in, n_out, kernel_size=kernel_size, n_convs=n_convs, norm=norm)
            for n_in, n_out in zip([patch**2, *channels[:-1]], channels, strict=True)
        )
        self.project = (
            nn.Identity()
            if latent_channels is None
            else nn.Conv2d(channels[-1], latent_channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 1, n_frames, n_mels) -> code (batch, latent_channels, time, mel)."""
        x = self.blocks[0](self.fold(pad_time(x, self.patch)))
        for block in list(self.blocks)[1:]:
            x = block(functional.avg_pool2d(pad_time(x, 2), 2))
        return self.project(x)


class Decoder(nn.Module):
    """The encoder's mirror: nearest-neighbour upsampling by two before every block.

    Without `latent_channels` the last block gives the mel itself, as in the paper; with it, 1x1
    convolutions lead from the code to the blocks and from the blocks to the mel.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        latent_channels: int | None,
        patch: int,
        kernel_size: int,
        n_convs: int,
        norm: Norm,
    ) -> None:
        super().__init__()
        self.patch = patch
        projected = latent_channels is not None
        widths = [*channels[:-2][::-1], channels[0] if projected else patch**2]
        self.expand = nn.Conv2d(latent_channels, channels[-1], 1) if projected else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(n_in, n_out, kernel_size=kernel_size, n_convs=n_convs, norm=norm, transposed=True)
            for n_in, n_out in zip([channels[-1], *widths[:-1]], widths, strict=True)
        )
        self.project = nn.Conv2d(channels[0], patch**2, 1) if projected else nn.Identity()
        self.unfold = nn.PixelShuffle(patch) if patch > 1 else nn.Identity()

    def forward(self, code: Tensor, *, n_frames: int) -> Tensor:
        """Code (batch, latent_channels, time, mel) -> (batch, 1, n_frames, n_mels)."""
        lengths = [-(-n_frames // self.patch)]
        for _ in list(self.blocks)[1:]:
            lengths.append(-(-lengths[-1] // 2))
        x = self.expand(code)
        for block, length in zip(self.blocks, reversed(lengths), strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(x[:, :, :length])  # drop the frame the encoder added to an odd number
        return self.unfold(self.project(x))[:, :, :n_frames]
