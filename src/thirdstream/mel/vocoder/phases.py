"""Phases for magnitudes that have none, in a single pass (Beauregard, Harish and Wyse 2015).

Every peak of a frame is taken for a partial. Its frequency, by a parabola through the peak, says by
how much its phase has grown since the frame before; the bins around it follow it.
"""

import math

import numpy as np
import torch
from torch import Tensor

from thirdstream.mel.threads import in_threads


def propagated(
    magnitude: Tensor, *, n_fft: int, hop_length: int, before: Tensor | None = None
) -> Tensor:
    """Unit complex numbers shaped as `magnitude`, (batch, n_freqs, n_frames).

    before: complex (batch, n_freqs), the frame before the first; without it the first is as if all
    partials were cosines. Each row is done in a thread.
    """
    from thirdstream.mel.vocoder import loops  # numba takes a third of a second

    frames = magnitude.cpu().mT.contiguous()  # (batch, n_frames, n_freqs)
    n_batch, n_frames, n_freqs = frames.shape
    units = torch.empty(n_batch, n_frames, 2 * n_freqs)
    angles = torch.zeros(n_batch, n_freqs)
    if before is not None:
        # Around a partial's peak the bins have its phase in the middle of the frame, and every
        # other one the opposite: a frame's phases count from its start.
        angles = (before.cpu() * (1 - 2 * (torch.arange(n_freqs) % 2))).angle()
    advance = np.float32(2 * math.pi * hop_length / n_fft)

    def work(row: int) -> None:
        own = (one[row].numpy() for one in (frames, angles, units))
        loops.propagate(*own, advance, before is not None)

    in_threads(work, n_batch)
    return torch.view_as_complex(units.unflatten(2, (n_freqs, 2))).mT.to(magnitude.device)
