"""The weights with which a network begins."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import nn

from thirdstream.mel.networks.blocks import Block

Start = Literal["positive", "glorot"]


@torch.no_grad()
def glorot(model: nn.Module) -> None:
    """Glorot's uniform weights and no bias, everywhere, as the published code has them (Keras)."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()


@torch.no_grad()
def positive(model: nn.Module) -> None:
    """Filters of blocks whose sum is below zero change their sign.

    Departs from the paper. What comes in is never negative, a mel or behind a ReLU. A filter with a
    negative sum then gives 0 nearly everywhere: of the published networks, of one to four channels,
    a quarter would start silent with torch's own start (15 of 60 seeds), some with Keras's (3), and
    may stay so.
    """
    for block in model.modules():
        if isinstance(block, Block):
            for filters in block.filters():
                sums = filters.sum(dim=(1, 2, 3))
                filters.mul_(torch.where(sums < 0, -1.0, 1.0)[:, None, None, None])


STARTS: Mapping[str, Callable[[nn.Module], None]] = {"positive": positive, "glorot": glorot}
