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


def size_of_resized(
    n_frames: int, n_mels: int, resize: Resize, to_frames: int | None = None
) -> tuple[int, int]:
    """Frames and mels of what `resized` makes of an image of so many; to_frames: its n_frames."""
    if resize == "halve":
        return (n_frames + 1) // 2, n_mels // 2
    if resize == "double":
        return min(2 * n_frames, 2 * n_frames if to_frames is None else to_frames), 2 * n_mels
    return n_frames, n_mels
