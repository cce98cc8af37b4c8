"""The twin VAE (paper, section 3.2): the code is a distribution, drawn from in training."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from thirdstream.mel.features.inputs import input_features
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.model import RECONSTRUCTION, Mels, Rule, mean_over
from thirdstream.mel.models.twin import (
    LATENT,
    Code,
    Pass,
    TwinAutoencoder,
    TwinConfig,
    encoder_of,
    finish,
    latent_loss,
    rebuilt_in,
    reconstruction_loss,
    size_of,
)
from thirdstream.mel.networks.blocks import PerStyle

DIVERGENCE = "divergence"
CLIPPED = (0.0, 10.0)  # log-variances in the published code


@dataclass(frozen=True)
class VAEConfig(TwinConfig):
    """Size and shape of the networks of a twin VAE, and the weight of each loss."""

    warm_up: int = 500
    """Batches in which the noise grows to its size; 0: it has it from the first, as in the paper.
    """
    sigma: Literal["eq3", "published"] = "eq3"
    """The deviation of codes: by eq. 3, or as in the published code: exp of the log-variance, not
    of half of it, and one draw for all codes of a batch."""

    def rules(self) -> list[Rule]:
        """Those of a twin, and of the noise."""
        return [*super().rules(), Rule("warm_up", self.warm_up >= 0, "0 or more")]


# The published network: 14,834 parameters; the log-variance has an encoder of its own.
PAPER = VAEConfig(
    start="glorot", warm_up=0, weights={RECONSTRUCTION: 1.0, LATENT: 1e-5, DIVERGENCE: 1e-12}
)


class TwinVAE(TwinAutoencoder):
    """Two variational autoencoders. Away from training the mean is the code."""

    n_batches: Tensor

    Config = VAEConfig
    config: VAEConfig  # pyright: ignore[reportIncompatibleVariableOverride]  # narrower
    PRESETS: ClassVar[Mapping[str, VAEConfig]] = {
        "paper": PAPER,
        "paper-stable": replace(PAPER, start="positive", warm_up=500),
        # Departs from the paper: the network of the twin CNN's default, and weights that matter.
        "default": VAEConfig(
            **size_of(TwinCNN.PRESETS["default"]),
            weights={RECONSTRUCTION: 1.0, LATENT: 0.1, DIVERGENCE: 1e-5},
        ),
    }

    def __init__(self, styles: tuple[str, str], config: VAEConfig) -> None:
        super().__init__(styles, config)
        self.log_variance_encoders = PerStyle(
            {style: encoder_of(config, config.channels) for style in styles}
        )
        self.register_buffer("n_batches", torch.zeros(()))  # of its training, up to warm_up
        finish(self, config)

    def passes(self, mels: Mels) -> dict[str, Pass]:
        """As of every twin; in training the batch is counted."""
        if self.training:
            self.n_batches += self.n_batches < self.config.warm_up
        return super().passes(mels)

    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code whose content is the mean."""
        log_variance = self.log_variance_encoders[style](input_features(mel, self.config.features))
        return super().encode(mel, style)._replace(log_variance=log_variance)

    def encode_again(self, mel: Tensor, style: str) -> Code:
        """The mean alone, which eq. 2 compares."""
        return super().encode(mel, style)

    def sampled(self, code: Code) -> Code:
        """Eq. 3, z = sigma * zeta + mean, with sigma = exp(log_variance / 2); in training only,
        where the published code draws always.

        Departs from the paper where there is a warm-up: sigma grows to its own size. The published
        network's log-variance comes out of a ReLU, so its sigma is 1 or more, which drowns codes
        that begin small; its decoders then learn to be silent, and remain so.
        """
        assert code.log_variance is not None
        if not self.training:
            return code
        if self.config.sigma == "published":
            sigma = code.log_variance.clamp(*CLIPPED).exp()
            zeta = torch.randn_like(sigma[:1])
        else:
            sigma = torch.exp(code.log_variance / 2)
            zeta = torch.randn_like(sigma)
        if self.config.warm_up:
            sigma = sigma * (self.n_batches / self.config.warm_up)
        return code._replace(content=code.content + sigma * zeta)

    def losses(self, mels: Mels, passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Eqs. 1, 2 and 4. Eq. 2 compares the means: two draws differ in any twin."""
        return {
            RECONSTRUCTION: reconstruction_loss(mels, rebuilt_in(passes)),
            LATENT: latent_loss(passes),
            DIVERGENCE: mean_over([divergence(one.code) for one in passes.values()]),
        }


def divergence(code: Code) -> Tensor:
    """Eq. 4: 1/2 (sigma^2 + mean^2 - 1 - log sigma^2), the mean over the latent elements."""
    assert code.log_variance is not None
    squares = code.log_variance.exp() + code.content.square()
    return (squares - 1 - code.log_variance).mean() / 2
