"""The options of models of mel spectrograms, beside those that every system takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from thirdstream.system import Options

Phase = Literal["content", "propagated", "noise"]


@dataclass(frozen=True)
class MelOptions(Options):
    """Of every model of mel spectrograms."""

    style_strength: float = 1.0
    keep_content: float = 0.0
    phase: Phase | None = None
    """Where the search for phases starts: from the recording's own (content), from what each
    partial's was a frame before (propagated), or from noise, as in the paper. By default where the
    model's transfers sound best."""


@dataclass(frozen=True)
class StyledMelOptions(MelOptions):
    """Of models that encode content and style apart."""

    style_from: Path | None = None
    """A recording of the target style to take the style from. By default the style is the mean
    style, or drawn by the seed."""
