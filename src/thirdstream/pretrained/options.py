"""The options of systems with published networks, beside those that every system takes."""

from dataclasses import dataclass
from pathlib import Path

from thirdstream.system import Options


@dataclass(frozen=True)
class PretrainedOptions(Options):
    """Of every system with a published network."""

    weights: Path | None = None
    """A folder with the network's weights, as save_pretrained writes it. By default a folder of the
    system's name among your models, or the published weights, which are fetched once."""


@dataclass(frozen=True)
class EncodecOptions(PretrainedOptions):
    """How a recording is coded."""

    bandwidth: float | None = None
    """In kbit/s for each channel, one of the network's own: 1.5, 3, 6, 12 or 24. By default 6, or
    the network's largest where it has no 6."""


@dataclass(frozen=True)
class MusicgenOptions(PretrainedOptions):
    """What is played to a recording's melody, and how it is sampled."""

    prompt: str | None = None
    """What the result should sound like, in English. By default a sentence made from the target
    style."""
    guidance_scale: float | None = None
    """Of classifier-free guidance: the larger, the nearer to prompt and melody. By default 3; 1 is
    without."""
    temperature: float | None = None
    """Of sampling: the lower, the more likely are the tokens. By default 1."""
    top_k: int | None = None
    """Out of how many of the likeliest tokens each one is drawn. By default 250."""
