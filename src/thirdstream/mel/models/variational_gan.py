"""The twin variational GAN (paper, section 3.4): the style of a transfer is drawn from N(0, 1)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from thirdstream.mel.models.gan import GANConfig, TwinGAN
from thirdstream.mel.models.twin import Code


class TwinVariationalGAN(TwinGAN):
    """A twin GAN that learns to restyle with any style drawn (MUNIT: Huang et al. 2018)."""

    PRESETS: ClassVar[Mapping[str, GANConfig]] = {
        "paper": TwinGAN.PRESETS["paper-style-code"],
        "paper-stable": replace(TwinGAN.PRESETS["paper-stable"], style_size=8),
        "default": TwinGAN.PRESETS["default"],
    }

    def swapped(self, code: Code, *, style_of: Code) -> Code:
        """The content with a style drawn from N(0, 1)."""
        assert code.style is not None
        return code._replace(style=torch.randn_like(code.style))

    def default_condition(self, target: str, *, generator: torch.Generator) -> Tensor | None:
        """A style drawn from N(0, 1), (1, n_style)."""
        n_style = self.head(target).n_style
        return torch.randn(1, n_style, generator=generator).to(next(self.parameters()).device)
