"""Models that tell style from content, so that a recording can give the style of a transfer."""

from abc import abstractmethod

import torch
from torch import Tensor

from thirdstream.mel.models.model import MelModel
from thirdstream.mel.options import StyledMelOptions


class StyleConditioned(MelModel):
    """A model whose condition is a style code, (batch, n_style)."""

    OPTIONS = StyledMelOptions

    @abstractmethod
    def style_code(self, mel: Tensor, style: str) -> Tensor:
        """(batch, n_style) of mels of `style`."""

    @abstractmethod
    def mean_style(self, style: str) -> Tensor:
        """(n_style,), the mean style code of the training data."""

    def default_condition(self, target: str, *, generator: torch.Generator) -> Tensor | None:
        """The mean style, (1, n_style)."""
        return self.mean_style(target)[None]
