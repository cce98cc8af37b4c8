"""The twin CNN (paper, section 3.1): eq. 1 and eq. 2, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn.functional import l1_loss

from thirdstream.mel.models.model import RECONSTRUCTION, Mels, mean_over
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


@dataclass(frozen=True)
class CNNConfig(TwinConfig):
    """Size and shape of the networks of a twin CNN, and the weight of each loss."""

    latent_pairs: Literal["own", "styles"] = "own"
    """What eq. 2 compares: own, a code with what it comes back as; styles, the codes of both
    styles, a slip of the published code."""


# The published network: 8,054 parameters, code 65 x 64 x 4.
PAPER = CNNConfig(start="glorot", weights={RECONSTRUCTION: 1.0, LATENT: 1.0})


class TwinCNN(TwinAutoencoder):
    """Two plain convolutional autoencoders tied by their latent space."""

    Config = CNNConfig
    config: CNNConfig  # pyright: ignore[reportIncompatibleVariableOverride]  # narrower
    PRESETS: ClassVar[Mapping[str, CNNConfig]] = {
        "paper": PAPER,
        "paper-stable": replace(PAPER, start="positive"),
        # Departs from the paper: same code size, but the mel is folded 4 x 4 and all arithmetic
        # done there, in residual blocks: it learns several times faster on a CPU. Both halves
        # start alike: eq. 2 alone does not make a code mean the same to both, and from two starts
        # the other decoder's output is a smear.
        "default": CNNConfig(
            channels=(32,),
            latent_channels=4,
            kernel_size=3,
            n_convs=2,
            patch=4,
            shared_start=True,
            weights={RECONSTRUCTION: 1.0, LATENT: 0.1},
        ),
    }

    def __init__(self, styles: tuple[str, str], config: CNNConfig) -> None:
        super().__init__(styles, config)
        finish(self, config)

    def losses(self, mels: Mels, passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Eqs. 1 and 2 of the paper."""
        rebuilt = reconstruction_loss(mels, rebuilt_in(passes))
        slipped = self.config.latent_pairs == "styles"
        latent = distance_of_styles(passes) if slipped else latent_loss(passes)
        return {RECONSTRUCTION: rebuilt, LATENT: latent}


def distance_of_styles(passes: Mapping[str, Pass]) -> Tensor:
    """What the published code computes in the place of eq. 2.

    How far the codes of one style lie from those of the other, before and after the way through the
    other halves. A batch's pairs are random, so it pulls all codes together.
    """
    one, other = passes.values()
    before = l1_loss(one.code.content, other.code.content)
    return mean_over([before, l1_loss(one.again.content, other.again.content)])
