"""A twin with its features and synthesis: what turns a wave into a wave of the other style."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from thirdstream import audio, checkpoint
from thirdstream.audio import SEGMENT, Wave
from thirdstream.checkpoint import CheckpointError
from thirdstream.files import ThirdstreamError
from thirdstream.mel import TWINS
from thirdstream.mel.blocks import PerStyle
from thirdstream.mel.features import LogMel, MelConfig, Statistics
from thirdstream.mel.synthesis import Chunk, Synthesiser
from thirdstream.mel.twin import Twin, TwinConfig
from thirdstream.transfer import Options, System

HOP_FRAMES = 224  # between the windows of a long recording, which have 259 frames
MARGIN_FRAMES = 8  # at each inner end of a window: the cut is heard there
BATCH = 4  # windows that go through the twin at a time


class MelSystem(nn.Module, System):
    """Everything a mel twin needs, in one module: its state is the whole model.

    name: in SYSTEMS. card: what the model was trained on and how, for people.
    """

    def __init__(
        self,
        name: str,
        twin: Twin,
        *,
        mel: MelConfig | None = None,
        card: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        mel = mel or MelConfig()
        if mel.n_mels % twin.config.reduction:
            raise ValueError(f"{mel.n_mels} mels are not a multiple of {twin.config.reduction}")
        self.name, self.twin, self.mel, self.card = name, twin, mel, dict(card or {})
        self.styles = twin.styles
        self.features = PerStyle({style: LogMel(mel) for style in twin.styles})
        self.synthesiser = Synthesiser(mel)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.parameters()).device

    def log_mel(self, style: str) -> LogMel:
        """The features of one style."""
        features = self.features[style]
        assert isinstance(features, LogMel)
        return features

    def set_statistics(self, statistics: Mapping[str, Statistics]) -> None:
        """Take over a corpus's statistics, by style."""
        for style in self.styles:
            self.log_mel(style).set_statistics(statistics[style])

    def convert(self, power: Tensor, *, source: str, target: str) -> Tensor:
        """Mel power at -20 dB, (batch, n_frames, n_mels), into the target style's.

        With `source` equal to `target` this is the self-reconstruction.
        """
        before, after = self.log_mel(source), self.log_mel(target)
        mel = before.within(before.normalise(power))
        return after.denormalise(
            after.within(self.twin.transfer(mel, source=source, target=target))
        )

    @torch.inference_mode()
    def stream(self, blocks: Iterable[Wave], options: Options) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into as many samples and a few more.

        Windows overlap and are cross-faded as mel power, where nothing can cancel; phases are found
        afterwards, on the joined frames. Every channel goes its own way.
        """
        source = options.source or self.twin.other(options.to)
        generator = torch.Generator().manual_seed(options.seed)

        def converted() -> Iterator[NDArray[np.complex64]]:
            hop = HOP_FRAMES * self.mel.hop_length
            cut = audio.windows(blocks, size=SEGMENT, hop=hop)
            while batch := list(itertools.islice(cut, BATCH)):
                waves = torch.from_numpy(np.concatenate(batch))  # (batch * n_channels, SEGMENT)
                power = self.log_mel(source).power(waves)
                power = self.convert(power, source=source, target=options.to).transpose(1, 2)
                start = self.synthesiser.stft(pad(waves, (0, self.mel.n_fft // 2)))
                if options.phase == "noise":
                    start = self.synthesiser.noise(start.shape, generator)
                # Power rides along as complex numbers, so that one cross-fade serves both.
                both = torch.cat([power.to(torch.complex64), start], dim=1).numpy()
                yield from np.split(both, len(batch))

        def chunks() -> Iterator[Chunk]:
            for both in audio.overlap_add(converted(), hop=HOP_FRAMES, margin=MARGIN_FRAMES):
                joined = torch.from_numpy(both)
                power = joined[:, : self.mel.n_mels].real.transpose(1, 2)
                yield Chunk(power, joined[:, self.mel.n_mels :])

        yield from self.synthesiser.stream(chunks())

    def header(self) -> dict[str, Any]:
        """What rebuilds the model around its tensors: names, configuration, card, versions."""
        return {
            "system": self.name,
            "styles": list(self.styles),
            "twin": asdict(self.twin.config),
            "mel": asdict(self.mel),
            "card": self.card,
            "versions": checkpoint.versions(),
        }

    def save(self, path: Path) -> None:
        """Write the model as one file."""
        checkpoint.save(path, self.state_dict(), self.header())


def build(name: str, styles: tuple[str, str], config: TwinConfig, mel: MelConfig) -> MelSystem:
    """An untrained system. Raises ThirdstreamError if the configuration cannot be."""
    try:
        return MelSystem(name, TWINS[name](styles, config), mel=mel)
    except ValueError as error:
        raise ThirdstreamError(f"{name}: {error}") from error


def rebuild(header: Mapping[str, Any]) -> MelSystem:
    """The untrained system that a `header` describes. Raises ThirdstreamError if it cannot be."""
    try:
        twin: dict[str, Any] = header["twin"] | {"channels": tuple(header["twin"]["channels"])}
        config = TwinConfig(**twin)
        first, second = header["styles"]
        system = build(header["system"], (first, second), config, MelConfig(**header["mel"]))
        system.card.update(header["card"])
    except (KeyError, TypeError, ValueError) as error:
        raise ThirdstreamError(
            f"its configuration is not one of this version ({error!r})"
        ) from error
    return system


def load(path: Path) -> MelSystem:
    """The trained system in a checkpoint, ready to transfer. Raises CheckpointError."""
    tensors, header = checkpoint.read(path)
    try:
        system = rebuild(header)
        system.load_state_dict(tensors)
    except (RuntimeError, ThirdstreamError) as error:
        raise CheckpointError(
            f"{path}: does not fit this version of thirdstream ({error}); train it again"
        ) from error
    return system.eval().requires_grad_(False)
