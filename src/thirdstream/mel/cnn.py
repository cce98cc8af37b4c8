"""The twin CNN (paper, section 3.1): eq. 1 and eq. 2, nothing else."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from thirdstream.mel.blocks import Decoder, Encoder, PerStyle
from thirdstream.mel.twin import RECONSTRUCTION, Code, Twin, TwinConfig, mean_over

LATENT = "latent"


class TwinCNN(Twin):
    """Two plain convolutional autoencoders tied by their latent space."""

    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        # The published network: 8,054 parameters, code 65 x 64 x 4.
        "paper": TwinConfig(weights={RECONSTRUCTION: 1.0, LATENT: 1.0}),
        # Departs from the paper: same code size, but folded 2 x 2, wider, and with 1x1 projections.
        # Both halves start alike: eq. 2 alone does not make a code mean the same to both, and from
        # two starts the other decoder's output is a smear.
        "default": TwinConfig(
            channels=(32, 64),
            latent_channels=4,
            kernel_size=3,
            n_convs=2,
            patch=2,
            shared_start=True,
            weights={RECONSTRUCTION: 1.0, LATENT: 0.1},
        ),
    }

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        shape = {
            "latent_channels": config.latent_channels,
            "patch": config.patch,
            "kernel_size": config.kernel_size,
            "n_convs": config.n_convs,
            "norm": config.norm,
        }
        self.encoders = PerStyle({s: Encoder(config.channels, **shape) for s in styles})
        self.decoders = PerStyle({s: Decoder(config.channels, **shape) for s in styles})
        if config.shared_start:
            for halves in (self.encoders, self.decoders):
                halves[styles[1]].load_state_dict(halves[styles[0]].state_dict())
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on CPUs

    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code."""
        image = mel[:, None].contiguous(memory_format=torch.channels_last)
        return Code(self.encoders[style](image), mel.shape[1])

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`."""
        return self.decoders[style](code.content, n_frames=code.n_frames)[:, 0]

    def losses(self, mels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Eqs. 1 and 2 of the paper, each averaged over the styles."""
        reconstruction, latent = [], []
        for style, mel in mels.items():
            other = self.other(style)
            code = self.encode(mel, style)
            again = self.encode(self.decode(code, other), other)
            reconstruction.append(l1_loss(self.decode(code, style), mel))  # eq. 1
            latent.append(l1_loss(again.content, code.content))  # eq. 2
        return {RECONSTRUCTION: mean_over(reconstruction), LATENT: mean_over(latent)}
