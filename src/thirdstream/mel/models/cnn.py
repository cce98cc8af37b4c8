"""The twin CNN (paper, section 3.1): eq. 1 and eq. 2, nothing else."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from thirdstream.mel.models.model import RECONSTRUCTION, Mels
from thirdstream.mel.models.twin import (
    LATENT,
    Pass,
    TwinAutoencoder,
    TwinConfig,
    finish,
    latent_loss,
    rebuilt_in,
    reconstruction_loss,
)


class TwinCNN(TwinAutoencoder):
    """Two plain convolutional autoencoders tied by their latent space."""

    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        # The published network: 8,054 parameters, code 65 x 64 x 4.
        "paper": TwinConfig(weights={RECONSTRUCTION: 1.0, LATENT: 1.0}),
        # Departs from the paper: same code size, but the mel is folded 4 x 4 and all arithmetic
        # done there, in residual blocks: it learns several times faster on a CPU. Both halves
        # start alike: eq. 2 alone does not make a code mean the same to both, and from two starts
        # the other decoder's output is a smear.
        "default": TwinConfig(
            channels=(32,),
            latent_channels=4,
            kernel_size=3,
            n_convs=2,
            patch=4,
            shared_start=True,
            weights={RECONSTRUCTION: 1.0, LATENT: 0.1},
        ),
    }

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        finish(self, shared_start=config.shared_start)

    def losses(self, mels: Mels, passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Eqs. 1 and 2 of the paper."""
        rebuilt = reconstruction_loss(mels, rebuilt_in(passes))
        return {RECONSTRUCTION: rebuilt, LATENT: latent_loss(passes)}
