"""The search for a wave that has given STFT magnitudes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thirdstream.mel.threads import in_threads

Array = NDArray[np.float32]


class Steps(NamedTuple):
    """How far a step goes, by the names of Nenov, Nguyen, Balazs and Bot (2023), algorithm 4.

    With t = (1 - gamma) d + gamma P(c), P the projection onto spectra of waves with the magnitudes:
    c = t + alpha (t - t before), d = t + beta (t - t before).
    """

    alpha: float
    beta: float
    gamma: float


FAST = Steps(alpha=0.99, beta=0.0, gamma=1.0)  # fast Griffin-Lim; the authors' recommendation
# Theirs with fast Griffin-Lim's alpha: 0.09, as they have it, wins after thousands of iterations.
# A gamma of 1.3 is unstable (`benchmarks/phases.py`).
ACCELERATED = Steps(alpha=0.99, beta=1.1, gamma=1.25)


class Search(NamedTuple):
    """How long to look for phases, and for magnitudes (see `Synthesiser.magnitude`)."""

    n_iter: int
    n_updates: int
    steps: Steps


FROM_NOISE = Search(n_iter=32, n_updates=32, steps=FAST)  # the paper's
FROM_CONTENT = Search(n_iter=24, n_updates=32, steps=ACCELERATED)  # as near as 32 fast ones
# These come nearer to the mel than all 32 from noise. So few updates take two thirds of the time,
# and leave a twentieth more of inconsistency.
FROM_PROPAGATED = Search(n_iter=8, n_updates=8, steps=FAST)


@dataclass(frozen=True)
class Transform:
    """A short-time Fourier transform of so many frames, centred, and its inverse.

    window: (n_fft,); hop: in samples. Frames and waves are as `loops` has them, on the CPU.
    """

    window: Array
    hop: int
    n_frames: int

    @cached_property
    def scale(self) -> Array:
        """Shaped as a wave: one by the sum of squared windows; 0 before and after its samples."""
        weight = np.zeros((self.n_frames + len(self.window) // self.hop - 1, self.hop), np.float32)
        for part, square in enumerate(np.square(self.window).reshape(-1, self.hop)):
            weight[part : part + self.n_frames] += square
        inside = np.zeros_like(weight)
        self.samples(inside)[:] = 1
        return np.divide(inside, weight, out=inside, where=weight > 0)

    def samples(self, wave: Array) -> Array:
        """The (n_frames - 1) * hop samples that are in a wave."""
        return wave.reshape(-1)[len(self.window) // 2 :][: (self.n_frames - 1) * self.hop]

    def wave(self, spectrum: Tensor, known: Array) -> Array:
        """Of a spectrum (n_frames, n_freqs); its first samples are the known ones."""
        from thirdstream.mel.vocoder import loops  # numba takes a third of a second

        frames: Any = torch.fft.irfft(spectrum, n=len(self.window))
        wave = np.empty_like(self.scale)
        loops.overlap(frames.numpy(), self.window, self.scale, known, wave)
        return wave

    def spectrum(self, wave: Array) -> Tensor:
        """Of a wave, (n_frames, n_freqs)."""
        from thirdstream.mel.vocoder import loops

        frames = np.empty((self.n_frames, len(self.window)), np.float32)
        loops.frame(wave, self.window, frames)
        return torch.fft.rfft(torch.from_numpy(frames))


def searched(
    magnitude: Tensor,
    *,
    start: Tensor,
    known: Tensor | None,
    window: Tensor,
    hop: int,
    n_iter: int,
    steps: Steps,
) -> Tensor:
    """Waves (batch, (n_frames - 1) * hop), each in a thread.

    magnitude, start, known: see `Synthesiser.griffin_lim`.
    """
    n_batch, _, n_frames = magnitude.shape
    transform = Transform(window.cpu().numpy(), hop, n_frames)
    made = np.empty((n_batch, (n_frames - 1) * hop), np.float32)
    kept = made[:, :0] if known is None else known.cpu().numpy()

    def work(row: int) -> None:
        wanted, begun = _frames_first(magnitude[row]).numpy(), _frames_first(start[row])
        found = _search(transform, wanted, begun, np.ascontiguousarray(kept[row]), n_iter, steps)
        made[row] = transform.samples(found)

    in_threads(work, n_batch)
    return torch.from_numpy(made).to(magnitude.device)


def _frames_first(spectrum: Tensor) -> Tensor:
    """(n_freqs, n_frames) -> (n_frames, n_freqs), one frame after the other."""
    return spectrum.cpu().mT.contiguous()


def _search(
    transform: Transform,
    magnitude: Array,
    start: Tensor,
    known: Array,
    n_iter: int,
    steps: Steps,
) -> Array:
    """The wave of one row. magnitude: (n_frames, n_freqs); start: likewise, complex."""
    from thirdstream.mel.vocoder import loops

    spectrum = torch.empty_like(start)
    found = _floats(spectrum)
    before, ahead = np.zeros_like(found), np.zeros_like(found)
    only_phases, further = (tuple(map(np.float32, one)) for one in (Steps(0, 0, 1), steps))
    loops.accelerate(_floats(start), found, before, ahead, magnitude, only_phases)
    before[:] = ahead[:] = found
    for _ in range(n_iter):
        projected = transform.spectrum(transform.wave(spectrum, known))
        loops.accelerate(_floats(projected), found, before, ahead, magnitude, further)
    return transform.wave(spectrum, known)


def _floats(spectrum: Tensor) -> Array:
    """Complex (n_frames, n_freqs) as (n_frames, 2 n_freqs), the same memory."""
    return torch.view_as_real(spectrum).flatten(1).numpy()
