"""Phases for magnitudes that have none, in a single pass (Beauregard, Harish and Wyse 2015).

Every peak of a frame is taken for a partial. Its frequency, by a parabola through the peak, says by
how much its phase has grown since the frame before; the bins around it follow it.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Partials(NamedTuple):
    """The peaks of rows (n_frames, batch, n_freqs), every bin of which belongs to one.

    peaks, n_bins: (n_partials,), where each is, counted through all rows, and how many bins it has.
    nearest: shaped as the rows, the peak each bin belongs to, counted from its frame's first bin of
    the batch. places: likewise, 0 but at peaks: there the partial's place in bins.
    """

    peaks: Tensor
    n_bins: Tensor
    nearest: Tensor
    places: Tensor


def propagated(
    magnitude: Tensor, *, n_fft: int, hop_length: int, before: Tensor | None = None
) -> Tensor:
    """Unit complex numbers shaped as `magnitude`, (batch, n_freqs, n_frames).

    before: complex (batch, n_freqs), the frame before the first; without it the first is as if all
    partials were cosines.
    """
    rows = magnitude.permute(2, 0, 1).contiguous()  # (n_frames, batch, n_freqs)
    partials = _partials(rows)
    advance = 2 * math.pi * hop_length / n_fft * partials.places.flatten(1)
    # Around a partial's peak the bins have its phase in the middle of the frame, and every other
    # one the opposite: a frame's phases count from its start.
    bins = torch.arange(rows.shape[2], device=rows.device)
    signs = (1 - 2 * (bins % 2)).to(rows.dtype)
    angle = torch.zeros_like(advance[0]) if before is None else (before * signs).angle().flatten()
    angles = []
    for frame, (grown, peak) in enumerate(zip(advance, partials.nearest.flatten(1), strict=True)):
        if frame or before is not None:
            angle = (angle + grown).index_select(0, peak)
        angles.append(angle)
    angle = torch.stack(angles).flatten()[partials.peaks]  # all bins of a partial have its own
    units = torch.polar(torch.ones_like(angle), angle).repeat_interleave(partials.n_bins)
    return (units.view_as(rows) * signs).permute(1, 2, 0)


def _partials(rows: Tensor) -> Partials:
    """Places are by a parabola through three logarithms; without peaks every bin is one."""
    _, n_batch, n_freqs = rows.shape
    is_peak = torch.zeros_like(rows, dtype=torch.bool)
    inner = rows[..., 1:-1]
    is_peak[..., 1:-1] = (inner >= rows[..., :-2]) & (inner > rows[..., 2:])
    is_peak |= ~is_peak.any(dim=2, keepdim=True)
    peaks = is_peak.flatten().nonzero()[:, 0]
    row, bins = peaks // n_freqs, peaks % n_freqs
    halfway = (peaks[1:] + peaks[:-1]) // 2 + 1
    ends = torch.where(row[1:] == row[:-1], halfway, row[1:] * n_freqs)
    n_bins = torch.diff(ends, prepend=ends.new_zeros(1), append=ends.new_tensor([rows.numel()]))
    nearest = (peaks % (n_batch * n_freqs)).repeat_interleave(n_bins)
    places = torch.zeros_like(rows).flatten()
    places[peaks] = bins + torch.where((bins > 0) & (bins < n_freqs - 1), _offset(rows, peaks), 0)
    return Partials(peaks, n_bins, nearest.view_as(rows), places.view_as(rows))


def _offset(rows: Tensor, peaks: Tensor) -> Tensor:
    """How far above its bin each peak lies, from -0.5 to 0.5. peaks: counted through `rows`."""
    logs = rows.clamp(min=1e-12).log().flatten()
    below, middle, above = (
        logs.index_select(0, (peaks + k).clamp_(0, len(logs) - 1)) for k in (-1, 0, 1)
    )
    bend, slope = below - 2 * middle + above, (below - above) / 2
    return torch.where(bend < 0, slope / bend.clamp(max=-1e-12), 0).clamp(-0.5, 0.5)
