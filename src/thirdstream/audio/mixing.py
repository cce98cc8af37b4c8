"""Many channels into one."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CANCELLED = 1e-4  # of one channel's power, -40 dB: what channels leave that cancel each other

# What each channel of a surround recording adds to one (ITU-R BS.775-4, table 2): half of its share
# of the left plus half of its share of the right; the effects channel is left out.
MIXED = {"FL": 0.5, "FR": 0.5, "FC": math.sqrt(0.5), "LFE": 0.0, "BC": 0.5}
MIXED |= dict.fromkeys(("BL", "BR", "SL", "SR"), math.sqrt(0.125))

Wave = NDArray[np.float32]


def mixed(block: Wave, *, places: Sequence[str] = ()) -> Wave:
    """Mix to one channel: (n_channels, n_samples) -> (1, n_samples).

    places: of the channels' loudspeakers; their shares are those of a stereo mix by Rec. ITU-R
    BS.775-4, whose two channels are then mixed. Without places all channels have equal parts. The
    first channel is returned where they cancel each other, as those of a microphone that was wired
    the wrong way round do.

    Row by row, for numpy takes twenty times as long over the mean of samples that lie interleaved.
    """
    if len(block) == 1:
        return block
    parts = _parts(len(block), places)
    total = sum((np.float32(part) * row for part, row in zip(parts, block, strict=True) if part))
    total, first = np.asarray(total, np.float32)[None], block[:1]
    return first if _power(total) < CANCELLED * _power(first) else total


def spread(block: Wave, n_channels: int, *, places: Sequence[str] = ()) -> Wave:
    """One channel (1, n_samples) as (n_channels, n_samples), of which `mixed` makes it again."""
    if n_channels == 1:
        return block
    share = np.float32(sum(_parts(n_channels, places)))
    return np.repeat(block / share, n_channels, axis=0)


def _parts(n_channels: int, places: Sequence[str]) -> list[float]:
    """What each channel adds to one."""
    known = set(places) <= MIXED.keys() and len(places) == n_channels
    return [MIXED[place] for place in places] if known else [1 / n_channels] * n_channels


def _power(row: Wave) -> float:
    return float(np.vdot(row, row))
