"""Wave to normalised mel spectrogram and back to mel power (paper, section 2.2).

Conventions: mel power and normalised mels are (batch, n_frames, n_mels); a segment of 131,072
samples has 259 frames. Frames are centred; the wave is padded with n_fft / 2 zeros at its end, and
at both ends by the transform, as librosa does with `center=True`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thirdstream.audio import SEGMENT, SR
from thirdstream.audio.melscale import mel_places_hz, triangles
from thirdstream.mel.features.filters import FilterBank

LN10 = math.log(10)
MIN_HZ = 1000
MAX_FFT, MAX_MELS = 16_384, 2_048  # what a file may ask for; the filters of both have 67 MB


@dataclass(frozen=True)
class MelConfig:
    """The transform: rates and frequencies in Hz, lengths in samples. Defaults are the paper's."""

    sr: int = SR
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 256
    f_min: float = 0.0
    f_max: float = SR / 2

    def __post_init__(self) -> None:
        if not 1 <= self.hop_length <= self.n_fft <= MAX_FFT or not 1 <= self.n_mels <= MAX_MELS:
            raise ValueError(
                f"hop, n_fft (at most {MAX_FFT}) and n_mels (at most {MAX_MELS}) cannot be {self}"
            )
        if self.n_fft % self.hop_length:
            raise ValueError(f"n_fft {self.n_fft} is not a multiple of hop {self.hop_length}")
        if self.sr != SR or not 0 <= self.f_min <= self.f_max - MIN_HZ <= SR / 2 - MIN_HZ:
            raise ValueError(
                f"frequencies must span {MIN_HZ} Hz or more, from 0 to {SR} / 2 Hz (got {self})"
            )

    @property
    def n_frames(self) -> int:
        """Frames of one segment: 259 with the paper's values."""
        return 1 + (SEGMENT + self.n_fft // 2) // self.hop_length

    @property
    def places_hz(self) -> NDArray[np.float64]:
        """Where filters start, peak and end: (n_mels + 2,), each is over three in a row."""
        return mel_places_hz(self.n_mels + 2, self.f_min, self.f_max)

    def stft(self, wave: Tensor, window: Tensor) -> Tensor:
        """(batch, n_samples) -> complex (batch, n_freqs, 1 + n_samples // hop_length)."""
        return torch.stft(
            wave, self.n_fft, self.hop_length, window=window, pad_mode="constant",
            return_complex=True,
        )  # fmt: skip

    def filters(self) -> NDArray[np.float32]:
        """Slaney's mel filter bank, (n_mels, 1 + n_fft // 2): triangles of one area.

        As librosa's `filters.mel`, which takes a second or more to import. The lowest filters are
        narrower than a bin, and some are empty: so they are in the paper too, and their deviation
        of 0 + 1e-3 keeps the normalisation finite.
        """
        places_hz, n_bins = self.places_hz, 1 + self.n_fft // 2
        filters = triangles(places_hz * (self.n_fft / self.sr), n_bins)
        return (filters * (2 / (places_hz[2:] - places_hz[:-2]))[:, None]).astype(np.float32)


class LogMel(nn.Module):
    """wave -> normalised mel of one style, with the style's statistics as buffers.

    scale: s, the standard deviation of all training values of the mel power.
    mel_std: s_f, (n_mels,), the deviation of each mel of log10(1 + X / s), with 1e-3 added.
    mel_max: (n_mels,), the largest normalised value in the training data.
    """

    scale: Tensor
    mel_std: Tensor
    mel_max: Tensor
    window: Tensor

    def __init__(self, config: MelConfig | None = None) -> None:
        super().__init__()
        self.config = config or MelConfig()
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("mel_std", torch.ones(self.config.n_mels))
        self.register_buffer("mel_max", torch.full((self.config.n_mels,), torch.inf))
        self.register_buffer("window", torch.hann_window(self.config.n_fft), persistent=False)
        self.filters = FilterBank(torch.from_numpy(self.config.filters()))

    def power(self, wave: Tensor) -> Tensor:
        """Mel power spectrogram: (batch, n_samples) -> (batch, n_frames, n_mels)."""
        return self.power_of(self.stft(wave))

    def stft(self, wave: Tensor) -> Tensor:
        """Spectrum of the padded wave: (batch, n_samples) -> complex (batch, n_freqs, n_frames)."""
        padded = nn.functional.pad(wave, (0, self.config.n_fft // 2))
        return self.config.stft(padded, self.window)

    def power_of(self, stft: Tensor) -> Tensor:
        """Mel power of such a spectrum, (batch, n_frames, n_mels)."""
        spectrum = stft.real.square() + stft.imag.square()  # several times faster than by abs()
        columns = spectrum.transpose(0, 1).flatten(1).contiguous()  # (n_freqs, batch * n_frames)
        mel = self.filters.gather(columns)  # (n_mels, batch * n_frames)
        return mel.T.reshape(len(stft), -1, self.config.n_mels)

    def normalise(self, power: Tensor) -> Tensor:
        """Xn = log10(1 + X / s) / s_f (paper, section 2.2), any leading shape, last axis mels."""
        return torch.log1p(power / self.scale) / (LN10 * self.mel_std)

    def denormalise(self, mel: Tensor) -> Tensor:
        """The exact inverse of `normalise`; values below 0, which no power has, become 0."""
        return self.scale * torch.expm1(mel.clamp(min=0) * self.mel_std * LN10)

    def within(self, mel: Tensor) -> Tensor:
        """Normalised mel, cut off at what this style's training data reached.

        Departs from the paper. A mel that is nearly silent in one style's training data has a tiny
        s_f there; a recording that does sound in it is normalised to tens of deviations, which the
        other style's s_f turns into a burst of +40 dB.
        """
        return torch.minimum(mel, self.mel_max)

    def forward(self, wave: Tensor) -> Tensor:
        """(batch, n_samples) at -20 dB -> normalised mel (batch, n_frames, n_mels)."""
        return self.normalise(self.power(wave))

    def set_statistics(self, statistics: "Statistics") -> None:
        """Take over measured statistics. Raises ValueError if they are of another n_mels."""
        if len(statistics.mel_std) != self.config.n_mels:
            raise ValueError(f"{len(statistics.mel_std)} statistics for {self.config.n_mels} mels")
        self.scale.fill_(statistics.scale)
        self.mel_std.copy_(torch.tensor(statistics.mel_std))
        self.mel_max.copy_(torch.tensor(statistics.mel_max))


@dataclass(frozen=True)
class Statistics:
    """s, s_f and the largest normalised values of one style (see LogMel)."""

    scale: float
    mel_std: list[float]
    mel_max: list[float]


class Moments(NamedTuple):
    """Of each mel, (n_mels,): of how many frames, their mean, the sum of the squared deviations
    from it, and their maximum.
    """

    n_frames: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    maximum: NDArray[np.float64]

    def joined(self, other: "Moments") -> "Moments":
        """Of both together (Chan, Golub, LeVeque 1979)."""
        n_frames, delta = self.n_frames + other.n_frames, other.mean - self.mean
        share = other.n_frames / n_frames
        mean = self.mean + delta * share
        squares = self.squares + other.squares + delta**2 * (self.n_frames * share)
        return Moments(n_frames, mean, squares, np.maximum(self.maximum, other.maximum))


def moments(arrays: Iterable[NDArray[np.float32]], *, scale: float | None = None) -> Moments:
    """Of mel power in pieces (..., n_mels); with `scale`, s, of log10(1 + X / s)."""
    return reduce(Moments.joined, (_moments_of(array, scale) for array in arrays))


def _moments_of(array: NDArray[np.float32], scale: float | None) -> Moments:
    rows = torch.from_numpy(array.reshape(-1, array.shape[-1]))
    if scale is not None:
        rows = torch.log1p(rows / scale) / LN10
    wide = rows.numpy().astype(np.float64)
    mean = wide.mean(axis=0)
    maximum = wide.max(axis=0)
    np.subtract(wide, mean, out=wide)
    return Moments(len(wide), mean, np.einsum("ij,ij->j", wide, wide), maximum)


def statistics_of(moments_at: Callable[[float | None], Moments]) -> Statistics:
    """s and s_f over all training data of one style (paper, section 2.2), in two passes.

    moments_at: the `moments` of all training data; called first with None, then with the scale that
    followed from its answer.
    """
    power = moments_at(None)
    scale = float(np.sqrt((power.squares / power.n_frames).mean() + power.mean.var())) or 1.0
    logs = moments_at(scale)
    mel_std = np.sqrt(logs.squares / logs.n_frames) + 1e-3
    return Statistics(scale, mel_std.tolist(), (logs.maximum / mel_std).tolist())
