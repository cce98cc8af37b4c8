"""Networks along time alone: the mels of a few frames are channels (ConvNeXt: Liu et al. 2022).

Few points of many channels: on a CPU several times cheaper than images of the same reach.
Conventions: (batch, time, n_channels), but for what stands in for an image's encoder or decoder.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from thirdstream.mel.networks.blocks import pad_time

EXPANSION = 2  # channels within a block, times those outside


class ConvNeXtBlock(nn.Module):
    """A depth-wise convolution over time, then a dense layer and back; starts as the identity.

    dilation: columns from one tap of the convolution to the next.
    """

    def __init__(self, n_channels: int, *, kernel_size: int, dilation: int = 1) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(
            n_channels,
            n_channels,
            kernel_size,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            groups=n_channels,
        )
        self.norm = nn.LayerNorm(n_channels)
        n_inner = EXPANSION * n_channels
        leave = nn.Linear(n_inner, n_channels)
        self.dense = nn.Sequential(nn.Linear(n_channels, n_inner), nn.GELU(), leave)
        nn.init.zeros_(leave.weight)
        nn.init.zeros_(leave.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, n_channels), the same."""
        return x + self.dense(self.norm(self.over_time(x.transpose(1, 2)).transpose(1, 2)))


def blocks_along(
    n_channels: int, *, kernel_size: int, n_blocks: int, dilations: Sequence[int] = (1,)
) -> nn.Sequential:
    """So many blocks in a row, with the dilations in turn."""
    return nn.Sequential(
        *(
            ConvNeXtBlock(
                n_channels, kernel_size=kernel_size, dilation=dilations[k % len(dilations)]
            )
            for k in range(n_blocks)
        )
    )


def columns_of(x: Tensor, patch: int) -> Tensor:
    """What makes a column of the code, in a row: (batch, n_features, n_frames, n_mels) ->
    (batch, time, patch * n_features * n_mels).
    """
    frames = pad_time(x, patch).transpose(1, 2)  # (batch, time, n_features, n_mels)
    return frames.unflatten(1, (-1, patch)).flatten(2)


class FrameEncoder(nn.Module):
    """In the place of an image's encoder: `patch` frames become one column of the code."""

    def __init__(
        self,
        n_channels: int,
        *,
        n_mels: int,
        latent_channels: int,
        patch: int,
        kernel_size: int,
        n_blocks: int,
        dilations: Sequence[int] = (1,),
        n_features: int = 1,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.enter = nn.Linear(n_features * n_mels * patch, n_channels)
        self.blocks = blocks_along(
            n_channels, kernel_size=kernel_size, n_blocks=n_blocks, dilations=dilations
        )
        self.leave = nn.Linear(n_channels, latent_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_features, n_frames, n_mels) -> code (batch, latent_channels, time, 1)."""
        columns = columns_of(x, self.patch)
        return self.leave(self.blocks(self.enter(columns))).transpose(1, 2)[..., None]


class FrameDecoder(nn.Module):
    """The mirror of FrameEncoder."""

    def __init__(
        self,
        n_channels: int,
        *,
        n_mels: int,
        latent_channels: int,
        patch: int,
        kernel_size: int,
        n_blocks: int,
    ) -> None:
        super().__init__()
        self.n_mels = n_mels
        self.enter = nn.Linear(latent_channels, n_channels)
        self.blocks = blocks_along(n_channels, kernel_size=kernel_size, n_blocks=n_blocks)
        self.leave = nn.Linear(n_channels, n_mels * patch)

    def forward(self, code: Tensor, *, n_frames: int) -> Tensor:
        """Code (batch, latent_channels, time, 1) -> (batch, 1, n_frames, n_mels)."""
        columns = self.leave(self.blocks(self.enter(code[..., 0].transpose(1, 2))))
        frames = columns.unflatten(2, (-1, self.n_mels)).flatten(1, 2)
        return frames[:, None, :n_frames]


@torch.no_grad()
def initialise_with_components(
    encoder: FrameEncoder, decoder: FrameDecoder, mel: Tensor, *, feature: int
) -> None:
    """Make a code of the first principal components of some mels' columns, and back.

    Blocks start as the identity, so that between the two all is linear. mel: (batch, n_frames,
    n_mels). feature: which of the encoder's inputs it is; the others count for nothing at first.
    """
    columns = columns_of(mel[:, None], encoder.patch).flatten(0, 1)
    mean = columns.mean(dim=0)
    _, directions = torch.linalg.eigh((columns - mean).mT @ (columns - mean))
    first = directions.flip(1)[:, : encoder.enter.out_features].mT  # the eigenvalues ascend
    for linear in (encoder.enter, encoder.leave, decoder.enter, decoder.leave):
        nn.init.zeros_(linear.bias)
        nn.init.eye_(linear.weight)
    nn.init.zeros_(encoder.enter.weight)
    places = encoder.enter.weight.unflatten(1, (encoder.patch, -1, mel.shape[2]))[:, :, feature]
    places[: len(first)] = first.unflatten(1, (encoder.patch, -1))
    encoder.enter.bias[: len(first)] = -first @ mean
    decoder.leave.weight[:, : len(first)] = first.mT
    decoder.leave.bias.copy_(mean)
