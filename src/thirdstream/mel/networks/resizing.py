"""Images of half and of twice the size."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

Resize = Literal["no", "halve", "double"]


def pad_time(x: Tensor, multiple: int) -> Tensor:
    """Add zero frames at the end until their number is a multiple of `multiple`."""
    return functional.pad(x, (0, 0, 0, -x.shape[2] % multiple))


def resized(x: Tensor, resize: Resize, n_frames: int | None = None) -> Tensor:
    """(batch, n_channels, time, mel), average-pooled by two, repeated by two, or as it is.

    n_frames: of what is repeated; an odd number where the image was halved from one.
    """
    if resize == "halve":
        return functional.avg_pool2d(pad_time(x, 2), 2)
    if resize == "double":
        return functional.interpolate(x, scale_factor=2.0, mode="nearest")[:, :, :n_frames]
    return x
