"""Input features: what an encoder may get besides the mel itself (Lu et al. 2018).

All are made of the normalised mel, which is a logarithm, and are as large: (..., time, mel).
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

InputFeature = Literal["mel", "mfcc", "difference", "envelope"]
N_SMOOTH = 15  # cosines that the spectral envelope is made of


@cache
def cosines(n: int) -> Tensor:
    """The orthonormal cosine transform (DCT-II): row k is the k-th cosine over n points."""
    k, place = torch.arange(n)[:, None], torch.arange(n) + 0.5
    rows = torch.cos(math.pi / n * k * place) * math.sqrt(2 / n)
    rows[0] /= math.sqrt(2)
    return rows


def mfcc(mel: Tensor) -> Tensor:
    """Cosine transform over the mels, divided so that the first one is their mean."""
    n_mels = mel.shape[-1]
    return mel @ cosines(n_mels).to(mel).T / math.sqrt(n_mels)


def difference(mel: Tensor) -> Tensor:
    """By how much each point grew since the frame before, 0 where it fell: onsets."""
    return functional.relu(mel - functional.pad(mel, (0, 0, 1, 0))[..., :-1, :])


def envelope(mel: Tensor) -> Tensor:
    """The mel smoothed over frequency: the first cosines alone."""
    smooth = cosines(mel.shape[-1])[:N_SMOOTH].to(mel)
    return mel @ smooth.T @ smooth


INPUT_FEATURES: dict[InputFeature, Callable[[Tensor], Tensor]] = {
    "mel": lambda mel: mel,
    "mfcc": mfcc,
    "difference": difference,
    "envelope": envelope,
}


def input_features(mel: Tensor, names: Sequence[InputFeature]) -> Tensor:
    """(batch, n_frames, n_mels) -> (batch, n_features, n_frames, n_mels), channels last."""
    stacked = torch.stack([INPUT_FEATURES[name](mel) for name in names], dim=1)
    return stacked.contiguous(memory_format=torch.channels_last)
