"""Chroma and onset strength of a normalised mel, without learning."""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, relu

from thirdstream.mel.features.inputs import difference
from thirdstream.mel.features.logmel import MelConfig

N_CHROMA = 12
LOWEST_HZ, HIGHEST_HZ = 180.0, 4000.0  # below, filters are wider than a semitone; above, all ring
N_AROUND = 9  # mels that a partial stands out from


@cache
def _folds(n_mels: int) -> Tensor:
    """(n_mels, N_CHROMA): how much of a mel belongs to each pitch class, the first one C.

    Of the default frequencies. Of mels with others the classes are shifted, in both styles alike.
    """
    hz = MelConfig(n_mels=n_mels).places_hz[1:-1]
    pitches = torch.from_numpy(69 + 12 * np.log2(hz / 440)).float()[:, None]
    apart = (pitches - torch.arange(N_CHROMA)) % N_CHROMA
    share = relu(1 - torch.minimum(apart, N_CHROMA - apart))
    inside = torch.from_numpy((hz >= LOWEST_HZ) & (hz <= HIGHEST_HZ))
    return share * inside[:, None]


def chroma(mel: Tensor) -> Tensor:
    """How much partials stand out: (batch, n_frames, n_mels) -> (batch, n_frames, N_CHROMA)."""
    around = avg_pool1d(mel, N_AROUND, 1, padding=N_AROUND // 2, count_include_pad=False)
    return relu(mel - around) @ _folds(mel.shape[2]).to(mel)


def onset_strength(mel: Tensor) -> Tensor:
    """By how much mels have grown since the frame before, on average: (batch, n_frames)."""
    grown = difference(mel).mean(dim=2)
    return torch.cat([torch.zeros_like(grown[:, :1]), grown[:, 1:]], dim=1)
