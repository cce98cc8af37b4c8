"""The networks of MelGAN-VC (Pasini 2019), as in its author's notebook.

Their first convolution takes in the whole frequency axis, so that what follows runs along time
alone. Here mels are channels from the start: convolutions of one dimension, the same mathematics.
Conventions: (batch, n_mels, n_frames), in [-1, 1].
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of all leaky ReLUs
FIRST, LONG, SHORT = 3, 9, 7  # frames of the kernels


class Convolution(nn.Module):
    """A convolution without biases, batch normalisation where asked for, and a leaky ReLU.

    stride: 1: without padding. 2: one frame of the result for two, padded as in TensorFlow.
    spectral: the weight is divided by its largest singular value, as one power iteration a step
    finds it.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel_size: int,
        *,
        stride: int = 1,
        spectral: bool = True,
        norm: bool = True,
    ) -> None:
        super().__init__()
        convolution = nn.Conv1d(n_in, n_out, kernel_size, stride=stride, bias=False)
        nn.init.kaiming_uniform_(convolution.weight)
        self.convolution = spectral_norm(convolution) if spectral else convolution
        self.norm = nn.BatchNorm1d(n_out, eps=1e-3, momentum=0.01) if norm else nn.Identity()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, time), (batch, n_out, time / stride)."""
        if self.stride > 1:
            total = self.kernel_size - self.stride + x.shape[2] % self.stride
            x = pad(x, (total // 2, total - total // 2))
        return leaky_relu(self.norm(self.convolution(x)), SLOPE)


class Generator(nn.Module):
    """A U-Net on slices whose number of frames is a multiple of four; tanh at the end."""

    def __init__(self, n_mels: int, n_channels: int) -> None:
        super().__init__()
        n = n_channels
        self.enter = Convolution(n_mels, n, FIRST)
        self.down_1 = Convolution(n, n, LONG, stride=2)
        self.down_2 = Convolution(n, n, SHORT, stride=2)
        self.up_2 = Convolution(n, n, SHORT)
        self.up_1 = Convolution(2 * n, n, LONG, norm=False)
        leave = nn.Conv1d(2 * n, n_mels, 1, bias=False)
        nn.init.kaiming_uniform_(leave.weight, mode="fan_out")  # as Keras: it is a transposed one
        self.leave = spectral_norm(leave)
        self.bias = nn.Parameter(torch.zeros(1))  # of all mels: there they are one channel

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_mels, n_frames), the same."""
        entered = self.enter(pad(x, (1, 1)))
        outer = self.down_1(entered)
        x = torch.cat([self.up_2(_doubled(self.down_2(outer), SHORT)), outer], dim=1)
        x = torch.cat([self.up_1(_doubled(x, LONG)), entered], dim=1)
        return torch.tanh(self.leave(x) + self.bias)


def _doubled(x: Tensor, kernel_size: int) -> Tensor:
    """Each frame twice, and zeros around for a convolution."""
    return pad(interpolate(x, scale_factor=2.0), (kernel_size // 2, kernel_size // 2))


class Siamese(nn.Module):
    """A slice as a vector, without spectral normalisation."""

    def __init__(self, n_mels: int, n_channels: int, *, n_frames: int, n_embedding: int) -> None:
        super().__init__()
        self.convolutions = _halving(n_mels, n_channels, spectral=False, norm=True)
        self.leave = nn.Linear(_n_left(n_frames) * n_channels, n_embedding)
        nn.init.xavier_uniform_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_mels, n_frames) -> (batch, n_embedding)."""
        return self.leave(self.convolutions(x).flatten(1))


class Critic(nn.Module):
    """A score, larger for recordings; without batch normalisation."""

    def __init__(self, n_mels: int, n_channels: int, *, n_frames: int) -> None:
        super().__init__()
        self.convolutions = _halving(n_mels, n_channels, spectral=True, norm=False)
        leave = nn.Linear(_n_left(n_frames) * n_channels, 1)
        nn.init.kaiming_uniform_(leave.weight)
        nn.init.zeros_(leave.bias)
        self.leave = spectral_norm(leave)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_mels, n_frames) -> (batch,)."""
        return self.leave(self.convolutions(x).flatten(1))[:, 0]


def _halving(n_mels: int, n_channels: int, *, spectral: bool, norm: bool) -> nn.Sequential:
    n = n_channels
    return nn.Sequential(
        Convolution(n_mels, n, FIRST, spectral=spectral, norm=norm),
        Convolution(n, n, LONG, stride=2, spectral=spectral, norm=norm),
        Convolution(n, n, SHORT, stride=2, spectral=spectral, norm=norm),
    )


def _n_left(n_frames: int) -> int:
    """Frames that `_halving` leaves."""
    return -(-(n_frames - FIRST + 1) // 4)
