"""The networks of MUNIT (Huang et al. 2018): content and style encoders, decoder, discriminator.

Images are (batch, n_channels, time, mel). Departs from the published networks where these mirror
an image at its edges: here the edges are repeated, which images of any size allow.

patch: 1, as published; 2 or 4: so many points of time and mel become channels first, in place of
one or both halvings. There processors are quicker by far. kernel_size: of the convolutions at the
largest size, published as 7.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from thirdstream.mel.networks.resizing import resized

EPSILON = 1e-5  # added to variances
REDUCTION = 4  # of a content
N_DOWN_STYLE = 4  # halvings before the pooling of a style
PATCHES = {1: 0, 2: 1, 4: 2}  # and the halvings that they take the place of
SLOPE = 0.2  # of the discriminator's activations below zero
DEVIATION = 0.02  # of the discriminator's first weights


def conv(n_in: int, n_out: int, kernel_size: int, *, stride: int = 1) -> nn.Conv2d:
    """A convolution that repeats the image's edges, to 1 / stride of its size."""
    padding = (kernel_size - 1) // 2
    return nn.Conv2d(
        n_in, n_out, kernel_size, stride=stride, padding=padding, padding_mode="replicate"
    )


def layer_norm(n_channels: int) -> nn.Module:
    """Normalises each image as a whole; a gain for each channel, drawn from 0 to 1."""
    norm = nn.GroupNorm(1, n_channels)
    nn.init.uniform_(norm.weight)
    return norm


class ResidualBlock(nn.Module):
    """x + two 3 x 3 convolutions, each normalised by instance, with a ReLU between them."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv(n_channels, n_channels, 3) for _ in range(2))

    def forward(self, x: Tensor, affine: Sequence[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """affine: for each convolution, shift and scale of AdaIN; None: 0 and 1."""
        after = x
        for number, layer in enumerate(self.convs):
            after = functional.relu(after) if number else after
            after = layer(after)
            after = functional.instance_norm(after, eps=EPSILON)
            if affine is not None:
                shift, scale = (one[..., None, None] for one in affine[number])
                after = torch.addcmul(shift, after, scale)
        return x + after


def widths_of(n_channels: int, *, patch: int, n_down: int) -> list[int]:
    """Channels at each size, from the largest: twice as many at half the size, at most 4 times."""
    return [n_channels * 2 ** min(k, 2) for k in range(PATCHES[patch], n_down + 1)]


def entrance(n_in: int, n_out: int, *, patch: int, kernel_size: int) -> nn.Sequential:
    """Patches as channels, and a convolution."""
    fold = nn.PixelUnshuffle(patch) if patch > 1 else nn.Identity()
    return nn.Sequential(fold, conv(n_in * patch**2, n_out, kernel_size))


class ContentEncoder(nn.Module):
    """7 x 7, then halved twice by 4 x 4, residual blocks; normalised by instance."""

    def __init__(
        self, n_in: int, n_channels: int, *, n_residual: int, patch: int, kernel_size: int
    ) -> None:
        super().__init__()
        widths = widths_of(n_channels, patch=patch, n_down=2)
        layers: list[nn.Module] = [entrance(n_in, widths[0], patch=patch, kernel_size=kernel_size)]
        for before, after in pairwise(widths):
            layers += [nn.InstanceNorm2d(before, eps=EPSILON), nn.ReLU()]
            layers.append(conv(before, after, 4, stride=2))
        layers += [nn.InstanceNorm2d(widths[-1], eps=EPSILON), nn.ReLU()]
        self.layers = nn.Sequential(
            *layers, *(ResidualBlock(widths[-1]) for _ in range(n_residual))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, time, mel) -> (batch, 4 n_channels, time / 4, mel / 4)."""
        return self.layers(x)


class StyleEncoder(nn.Module):
    """7 x 7, then halved four times by 4 x 4, without normalisation; pooled over the image."""

    def __init__(
        self, n_in: int, n_channels: int, *, n_style: int, patch: int, kernel_size: int
    ) -> None:
        super().__init__()
        widths = widths_of(n_channels, patch=patch, n_down=N_DOWN_STYLE)
        layers: list[nn.Module] = [entrance(n_in, widths[0], patch=patch, kernel_size=kernel_size)]
        for before, after in pairwise(widths):
            layers += [nn.ReLU(), conv(before, after, 4, stride=2)]
        self.layers = nn.Sequential(*layers, nn.ReLU())
        self.project = nn.Linear(widths[-1], n_style)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, time, mel) -> (batch, n_style); time and mel are multiples of 4."""
        return self.project(self.layers(at_least(x, 2**N_DOWN_STYLE)).mean(dim=(2, 3)))


class Decoder(nn.Module):
    """Residual blocks with AdaIN, doubled twice before 5 x 5, then 7 x 7 and a ReLU.

    An MLP makes AdaIN's shifts and scales of a style.
    """

    def __init__(
        self,
        n_out: int,
        n_channels: int,
        *,
        n_residual: int,
        n_style: int,
        n_hidden: int,
        patch: int,
        kernel_size: int,
    ) -> None:
        super().__init__()
        widths = widths_of(n_channels, patch=patch, n_down=2)[::-1]
        self.blocks = nn.ModuleList(ResidualBlock(widths[0]) for _ in range(n_residual))
        self.mlp = nn.Sequential(
            nn.Linear(n_style, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, n_residual * 4 * widths[0]),
        )
        self.ups = nn.ModuleList(
            nn.Sequential(conv(before, after, 5), layer_norm(after), nn.ReLU())
            for before, after in pairwise(widths)
        )
        self.last = conv(widths[-1], n_out * patch**2, kernel_size)
        self.unfold = nn.PixelShuffle(patch) if patch > 1 else nn.Identity()

    def forward(self, content: Tensor, *, style: Tensor) -> Tensor:
        """(batch, 4 n_channels, time, mel), (batch, n_style) -> (batch, n_out, 4 time, 4 mel)."""
        x = content
        affine = self.mlp(style).chunk(4 * len(self.blocks), dim=1)
        for number, block in enumerate(self.blocks):
            shift, scale, shift2, scale2 = affine[4 * number : 4 * number + 4]
            x = block(x, ((shift, scale), (shift2, scale2)))
        for up in self.ups:
            x = up(resized(x, "double"))
        return self.unfold(functional.relu(self.last(x)))


class MultiScaleDiscriminator(nn.Module):
    """Networks of one kind, each at half the size of the one before.

    Each has `n_layers` convolutions 4 x 4 that halve the image, and scores every place of it.
    """

    def __init__(self, n_in: int, n_channels: int, *, n_layers: int, n_scales: int) -> None:
        super().__init__()
        widths = [n_in, *(n_channels * 2**k for k in range(n_layers))]
        self.n_layers, self.scales = n_layers, nn.ModuleList()
        for _ in range(n_scales):
            layers: list[nn.Module] = []
            for before, after in pairwise(widths):
                layers += [conv(before, after, 4, stride=2), nn.LeakyReLU(SLOPE)]
            self.scales.append(nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 1)))
        gaussian(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(batch, n_in, time, mel) -> scores of each scale, larger for recordings."""
        scores = []
        for number, scale in enumerate(self.scales):
            if number:
                x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            scores.append(scale(at_least(x, 2**self.n_layers)))
        return scores


def at_least(x: Tensor, size: int) -> Tensor:
    """An image that is halved until nothing would be left, its last row and column repeated."""
    time, mel = (max(0, size - one) for one in x.shape[2:])
    return functional.pad(x, (0, mel, 0, time), mode="replicate") if time or mel else x


@torch.no_grad()
def kaiming(network: nn.Module) -> None:
    """He's normal weights and no bias.

    A decoder's last filters change their sign if their sum is below zero. What they get is never
    negative, so that the ReLU behind them might give 0 everywhere from the start, for good.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(cast(Tensor, layer.bias))
    for layer in network.modules():
        if isinstance(layer, Decoder):
            filters = layer.last.weight
            filters *= torch.where(filters.sum(dim=(1, 2, 3), keepdim=True) < 0, -1.0, 1.0)


@torch.no_grad()
def gaussian(network: nn.Module) -> None:
    """Normal weights of deviation 0.02 and no bias."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=DEVIATION)
            nn.init.zeros_(cast(Tensor, layer.bias))
