"""Phases for magnitudes that have none, in a single pass (Beauregard, Harish and Wyse 2015).

Every peak of a frame is taken for a partial. Its frequency, by a parabola through the peak, says by
how much its phase has grown since the frame before; the bins around it follow it.
"""

import math

import torch
from torch import Tensor


def carried_on(
    magnitude: Tensor, *, n_fft: int, hop_length: int, before: Tensor | None = None
) -> Tensor:
    """Unit complex numbers shaped as `magnitude`, (batch, n_freqs, n_frames).

    before: complex (batch, n_freqs), the frame before the first; without it the first is as if all
    partials were cosines.
    """
    peaks, advance = _partials(magnitude.mT, n_fft, hop_length)  # (batch, n_frames, n_freqs)
    # Around a partial's peak the bins have its phase in the middle of the frame, and every other
    # one the opposite: a frame's phases count from its start.
    bins = torch.arange(magnitude.shape[1], device=magnitude.device)
    signs = (1 - 2 * (bins % 2)).to(magnitude.dtype)
    angle = torch.zeros_like(magnitude[..., 0]) if before is None else (before * signs).angle()
    angles = []
    for frame in range(magnitude.shape[2]):
        if frame or before is not None:
            angle = (angle + advance[:, frame]).gather(1, peaks[:, frame])
        angles.append(angle)
    unit = torch.polar(torch.ones_like(magnitude), torch.stack(angles, dim=2))
    return unit * signs[:, None]


def _partials(rows: Tensor, n_fft: int, hop_length: int) -> tuple[Tensor, Tensor]:
    """Of each bin (batch, n_frames, n_freqs): the bin of its partial's peak, and how far a partial
    at the bin itself would turn from frame to frame, in radians.
    """
    n_freqs = rows.shape[2]
    bins = torch.arange(n_freqs, device=rows.device)
    inner = rows[..., 1:-1]
    below, above = rows[..., :-2], rows[..., 2:]
    is_peak = torch.zeros_like(rows, dtype=torch.bool)
    is_peak[..., 1:-1] = (inner >= below) & (inner > above)
    lower = torch.where(is_peak, bins, -n_freqs).cummax(dim=2).values
    upper = torch.where(is_peak, bins, 3 * n_freqs).flip(2).cummin(dim=2).values.flip(2)
    peaks = torch.where(bins - lower <= upper - bins, lower, upper)
    peaks = torch.where((peaks < 0) | (peaks >= n_freqs), bins, peaks)  # a frame without peaks
    logs = rows.clamp(min=1e-12).log()
    bend = logs[..., :-2] - 2 * logs[..., 1:-1] + logs[..., 2:]
    slope = (logs[..., :-2] - logs[..., 2:]) / 2
    offset = torch.zeros_like(rows)
    offset[..., 1:-1] = torch.where(bend < 0, slope / bend.clamp(max=-1e-12), 0).clamp(-0.5, 0.5)
    return peaks, 2 * math.pi * hop_length / n_fft * (bins + offset)
