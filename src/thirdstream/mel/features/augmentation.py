"""Augmentation: mel power as a bad recording would have it.

All at random, one draw an item, from torch's own generator. Mel power is (batch, n_frames, n_mels).
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from thirdstream.mel.features.logmel import MelConfig

EQUALISER_DB = 5.0  # deviation of each of its bands
N_BANDS = 8
LEVEL_DB = 4.0  # deviation of the whole
NOISE_DB = (-70.0, -35.0)  # against the mean power
DETUNE_CENTS = 40.0  # deviation
REVERBERATION_S = (0.1, 1.2)  # time of 60 dB less
WET = 0.5  # at most, of its energy against the direct sound's
REACH = 64  # frames that its tail lasts


def augmented(power: Tensor, config: MelConfig) -> Tensor:
    """The same out of tune, in a room, through an equaliser, with noise, at another level."""
    changed = _in_a_room(_detuned(power, config), config)
    changed = changed * _gains(len(power), config.n_mels, power.device)
    span = NOISE_DB[1] - NOISE_DB[0]
    noise_db = NOISE_DB[0] + span * torch.rand(len(power), 1, 1, device=power.device)
    hiss = torch.empty_like(changed).exponential_()  # as the power of noise is
    return changed + 10 ** (noise_db / 10) * changed.mean(dim=(1, 2), keepdim=True) * hiss


def _gains(n: int, n_mels: int, device: torch.device) -> Tensor:
    """(n, 1, n_mels), power."""
    bands_db = EQUALISER_DB * torch.randn(n, 1, N_BANDS, device=device)
    bands_db = bands_db + LEVEL_DB * torch.randn(n, 1, 1, device=device)
    curve_db = functional.interpolate(bands_db, size=n_mels, mode="linear", align_corners=True)
    return 10 ** (curve_db / 10)


def _detuned(power: Tensor, config: MelConfig) -> Tensor:
    """Every item's frequencies times a factor; between two mels, both give their share."""
    hz = config.places_hz[1:-1]
    factors = 2 ** (DETUNE_CENTS / 1200 * torch.randn(len(power)).numpy())
    mels = np.arange(config.n_mels)
    place = np.stack([np.interp(hz / factor, hz, mels) for factor in factors])  # (batch, n_mels)
    below = torch.from_numpy(np.floor(place)).long().to(power.device)
    share = torch.from_numpy(place - np.floor(place)).to(power)[:, None]
    above = (below + 1).clamp(max=config.n_mels - 1)
    low, high = (power.gather(2, i[:, None].expand_as(power)) for i in (below, above))
    return torch.lerp(low, high, share)


def _in_a_room(power: Tensor, config: MelConfig) -> Tensor:
    """With a tail that falls exponentially, as energy adds up where phases are random."""
    n, n_frames, n_mels = power.shape
    shortest, longest = REVERBERATION_S
    fall_s = shortest + (longest - shortest) * torch.rand(n, 1, device=power.device)
    frames = torch.arange(REACH, device=power.device)
    tail = 10 ** (-6 * frames * config.hop_length / config.sr / fall_s)  # (n, REACH)
    tail[:, 0] = 0
    tail = tail / tail.sum(dim=1, keepdim=True) * WET * torch.rand(n, 1, device=power.device)
    tail[:, 0] = 1
    rows = functional.pad(power.mT.reshape(1, n * n_mels, n_frames), (REACH - 1, 0))
    kernel = tail.flip(1).repeat_interleave(n_mels, dim=0)[:, None]
    return functional.conv1d(rows, kernel, groups=n * n_mels).reshape(n, n_mels, n_frames).mT
