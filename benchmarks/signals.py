"""Music to measure with: the bundled clips, or recordings named on the command line."""

from pathlib import Path

import numpy as np
import torch

from thirdstream import audio, registry
from thirdstream.audio import SEGMENT


def segments(n: int, *recordings: str) -> torch.Tensor:
    """(n, 131072) segments at -20 dB, from the recordings in turn; without any, from the clips."""
    found = []
    for clip in [Path(name) for name in recordings] or registry.bundled_clips():
        wave, _ = audio.read(clip)
        wave = wave * audio.level_of([wave[None]]).gain
        found += list(wave[: len(wave) // SEGMENT * SEGMENT].reshape(-1, SEGMENT))
    return torch.from_numpy(np.stack([found[k % len(found)] for k in range(n)]))
