"""The channels of Play as You Like (Lu et al. 2018), as the published code computes them.

They are the features of `thirdstream.mel.features.inputs`, except that none is ever negative: a
decoder that ends in a ReLU can give them too. MFCCs are orthonormal, and the difference is that of
the frames after and before. All are as large as the mel: (batch, n_frames, n_mels).
"""

import torch
from torch import Tensor
from torch.nn import functional

from thirdstream.mel.features import inputs

MEL, MFCC, DIFFERENCE, ENVELOPE = CHANNELS = ("mel", "mfcc", "difference", "envelope")


def mfcc(mel: Tensor) -> Tensor:
    """The orthonormal cosine transform over the mels, 0 where it is negative."""
    return functional.relu(mel @ inputs.cosines(mel.shape[-1]).to(mel).T)


def difference(mel: Tensor) -> Tensor:
    """By how much the next frame exceeds the previous one; the first and last repeat their
    neighbours'.
    """
    at = torch.arange(mel.shape[-2], device=mel.device)
    last = at[-1:]  # a tensor: exported networks take any number of frames
    middle = torch.minimum(at.clamp(min=1), last - 1)
    before, after = (middle - 1).clamp(min=0), torch.minimum(middle + 1, last)
    return functional.relu(mel.index_select(-2, after) - mel.index_select(-2, before))


def envelope(mel: Tensor) -> Tensor:
    """The mel smoothed over frequency, 0 where that is negative."""
    return functional.relu(inputs.envelope(mel))


def channels(mel: Tensor) -> Tensor:
    """(batch, n_frames, n_mels) -> (batch, 4, n_frames, n_mels), channels last: `CHANNELS`."""
    stacked = torch.stack([mel, mfcc(mel), difference(mel), envelope(mel)], dim=1)
    return stacked.contiguous(memory_format=torch.channels_last)
