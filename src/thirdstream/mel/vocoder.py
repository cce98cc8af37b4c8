"""A small network that guesses the magnitudes behind mel power, where they are searched for else.

ConvNeXt blocks along time, at the rate of frames, on top of what the filters alone tell. Phases are
found afterwards, from the recording's or carried on, by a few iterations.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from thirdstream import checkpoint
from thirdstream.mel.features import MelConfig
from thirdstream.mel.filters import FilterBank
from thirdstream.mel.frames import blocks_along

FLOOR = 1e-6  # of power, far below what is heard at -20 dB
MOST = 4.0  # nepers by which a guess may differ from the smooth one


class Vocoder(nn.Module):
    """Mel power -> STFT magnitudes. Before training these are smooth ones."""

    def __init__(
        self,
        config: MelConfig | None = None,
        *,
        n_channels: int = 256,
        n_blocks: int = 4,
        kernel_size: int = 7,
    ) -> None:
        super().__init__()
        self.config = config or MelConfig()
        self.size = {"n_channels": n_channels, "n_blocks": n_blocks, "kernel_size": kernel_size}
        self.filters = FilterBank(torch.from_numpy(self.config.filters()))
        everywhere = self.filters.gather(torch.ones(1 + self.config.n_fft // 2, 1))
        self.register_buffer(
            "even", self.filters.spread(everywhere).clamp(min=1e-12), persistent=False
        )
        self.enter = nn.Linear(self.config.n_mels, n_channels)
        self.blocks = blocks_along(n_channels, kernel_size=kernel_size, n_blocks=n_blocks)
        self.leave = nn.Linear(n_channels, 1 + self.config.n_fft // 2)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    even: Tensor

    def smooth(self, power: Tensor) -> Tensor:
        """(batch, n_frames, n_mels) -> magnitudes (batch, n_freqs, n_frames) without detail: each
        bin has what its filters hold, as if that were spread evenly.
        """
        columns = power.flatten(0, 1).T.contiguous()
        spread = self.filters.spread(columns) / self.even
        return spread.sqrt().unflatten(1, power.shape[:2]).transpose(0, 1)

    def forward(self, power: Tensor) -> Tensor:
        """(batch, n_frames, n_mels) at -20 dB -> magnitudes (batch, n_freqs, n_frames)."""
        logs = torch.log10(power + FLOOR)
        change = self.leave(self.blocks(self.enter(logs))).transpose(1, 2)
        return self.smooth(power) * torch.exp(MOST * torch.tanh(change / MOST))

    def save(self, path: Path) -> None:
        """Write the network as one file."""
        checkpoint.save(path, self.state_dict(), {"size": self.size})


def magnitude_loss(*, made: Tensor, real: Tensor) -> Tensor:
    """Spectral convergence and the mean absolute difference of logarithms (Arik et al. 2019)."""
    convergence = (made - real).norm() / real.norm().clamp(min=1e-9)
    floor = FLOOR**0.5
    return convergence + ((made + floor).log() - (real + floor).log()).abs().mean()
