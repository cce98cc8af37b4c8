"""The twin VAE (paper, section 3.2): the code is a distribution, drawn from in training."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from thirdstream.mel.features.inputs import input_features
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.model import RECONSTRUCTION, Mels, mean_over
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
)
from thirdstream.mel.networks.blocks import PerStyle

DIVERGENCE = "divergence"
N_WARM_UP = 500  # batches in which sigma grows to its size


class TwinVAE(TwinAutoencoder):
    """Two variational autoencoders. Away from training the mean is the code."""

    n_batches: Tensor

    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        # The published network: 14,834 parameters; the log-variance has an encoder of its own.
        "paper": TwinConfig(weights={RECONSTRUCTION: 1.0, LATENT: 1e-5, DIVERGENCE: 1e-12}),
        # Departs from the paper: the network of the twin CNN's default, and weights that matter.
        "default": replace(
            TwinCNN.PRESETS["default"],
            weights={RECONSTRUCTION: 1.0, LATENT: 0.1, DIVERGENCE: 1e-5},
        ),
    }

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        self.log_variance_encoders = PerStyle(
            {style: encoder_of(config, config.channels) for style in styles}
        )
        self.register_buffer("n_batches", torch.zeros(()))  # of its training, up to N_WARM_UP
        finish(self, shared_start=config.shared_start)

    def passes(self, mels: Mels) -> dict[str, Pass]:
        """As of every twin; in training the batch is counted."""
        if self.training:
            self.n_batches += self.n_batches < N_WARM_UP
        return super().passes(mels)

    def encode(self, mel: Tensor, style: str) -> Code:
        """Mel of `style` -> Code whose content is the mean."""
        log_variance = self.log_variance_encoders[style](input_features(mel, self.config.features))
        return super().encode(mel, style)._replace(log_variance=log_variance)

    def sampled(self, code: Code) -> Code:
        """Eq. 3, z = sigma * zeta + mean, with sigma = exp(log_variance / 2); in training only.

        Departs from the paper at the start: sigma grows to its own size over N_WARM_UP batches. The
        published network's log-variance comes out of a ReLU, so its sigma is 1 or more, which
        drowns codes that begin small; its decoders then learn to be silent, and remain so.
        """
        assert code.log_variance is not None
        if not self.training:
            return code
        sigma = torch.exp(code.log_variance / 2) * (self.n_batches / N_WARM_UP)
        return code._replace(content=code.content + sigma * torch.randn_like(sigma))

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
