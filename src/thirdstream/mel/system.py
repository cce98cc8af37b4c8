"""A twin with its features and synthesis: what turns a wave into a wave of the other style."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from thirdstream import audio, checkpoint
from thirdstream.audio import SEGMENT, SR, Wave
from thirdstream.checkpoint import CheckpointError
from thirdstream.files import ThirdstreamError, is_style
from thirdstream.mel.features.logmel import LogMel, MelConfig, Statistics
from thirdstream.mel.models import TWINS
from thirdstream.mel.models.twin import HOP_FRAMES, WINDOW_FRAMES, Twin, TwinConfig
from thirdstream.mel.networks.blocks import PerStyle
from thirdstream.mel.vocoder.synthesis import Chunk, Synthesiser
from thirdstream.records import record
from thirdstream.transfer import Options, System

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
        if twin.config.n_mels not in (None, mel.n_mels):
            raise ValueError(f"a network for {twin.config.n_mels} mels gets {mel.n_mels}")
        self.name, self.twin, self.mel, self.card = name, twin, mel, dict(card or {})
        self.styles = twin.styles
        self.takes = ("style_from",) if twin.HAS_STYLES else ()
        self.follows = twin.FOLLOWS
        self.features = PerStyle({style: LogMel(mel) for style in twin.styles})
        self.synthesiser = Synthesiser(mel)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.parameters()).device

    def log_mel(self, style: str) -> LogMel:
        """The features of one style."""
        return self.features[style]

    def set_statistics(self, statistics: Mapping[str, Statistics]) -> None:
        """Take over a corpus's statistics, by style."""
        for style in self.styles:
            self.log_mel(style).set_statistics(statistics[style])

    def convert(
        self,
        power: Tensor,
        *,
        source: str,
        target: str,
        style: Tensor | None = None,
        strength: float = 1.0,
    ) -> Tensor:
        """Mel power at -20 dB, (batch, n_frames, n_mels), into the target style's.

        style: (1, n_style), for twins that have styles; without it the mel's own. With `source`
        equal to `target` and no style this is the self-reconstruction. strength: 1 is the transfer,
        0 the self-reconstruction; between, the fourth roots of both are mixed, in which a step is
        about as audible anywhere.
        """
        before, after = self.log_mel(source), self.log_mel(target)
        mel = before.within(before.normalise(power))
        made = self.twin.transfer(mel, source=source, target=target, style=style)
        restyled = after.denormalise(after.within(made))
        if strength == 1:
            return restyled
        rebuilt = before.denormalise(before.within(self.twin.reconstruct(mel, source)))
        return torch.lerp(_root(rebuilt), _root(restyled), strength).square().square()

    def style_of(self, path: Path, style: str) -> Tensor:
        """(1, n_style) of a whole recording: the mean over its segments.

        Raises ThirdstreamError if it cannot be read, is silent, or the twin has no styles.
        """
        level = audio.measure(path)
        if level.silent:
            raise ThirdstreamError(f"{path}: is silent, so it has no style; choose another one")
        codes = []
        # Whole segments alone: one that is filled up with silence has half a style.
        n_segments = max(1, level.n_samples * SR // audio.info(path).sr // SEGMENT)
        cut = audio.windows(audio.centred(audio.blocks(path), level), size=SEGMENT, hop=SEGMENT)
        for window in itertools.islice(cut, n_segments):
            mel = self.log_mel(style)(torch.from_numpy(window) * level.gain)
            code = self.twin.style_in(self.log_mel(style).within(mel), style)
            if code is None:
                raise ThirdstreamError(
                    f"the model {self.name} takes no style from a recording; leave --style-from "
                    "out, or use a twin-gan or a twin-variational-gan"
                )
            codes.append(code)
        return torch.cat(codes).mean(0, keepdim=True)

    @torch.inference_mode()
    def stream(self, blocks: Iterable[Wave], options: Options) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into as many samples and a few more.

        Windows overlap and are cross-faded as mel power, where nothing can cancel; phases are found
        afterwards, on the joined frames. Every channel goes its own way.
        """
        options = replace(options, phase=options.phase or self.twin.PHASE)
        generator = torch.Generator().manual_seed(options.seed)
        carried = 1 - (options.keep_content or 0) if options.phase == "carried" else 0.0
        source = options.source or self.twin.other(options.to)
        style = None
        if options.style_from is not None:
            style = self.style_of(options.style_from, options.to)
            style = self.twin.complete(style, generator=generator)
        elif source != options.to:
            style = self.twin.usual_style(options.to, generator=generator)

        def converted() -> Iterator[NDArray[np.complex64]]:
            hop = HOP_FRAMES * self.mel.hop_length
            cut = audio.windows(blocks, size=SEGMENT, hop=hop)
            while batch := list(itertools.islice(cut, BATCH)):
                waves = torch.from_numpy(np.concatenate(batch))  # (batch * n_channels, SEGMENT)
                chunk = self._restyled(waves, source, style, options, generator)
                # All ride along as complex numbers, so that one cross-fade serves them.
                rows = [part.to(torch.complex64) for part in chunk if part is not None]
                yield from np.split(torch.cat(rows, dim=1).numpy(), len(batch))

        def chunks() -> Iterator[Chunk]:
            n_mels, n_freqs = self.mel.n_mels, 1 + self.mel.n_fft // 2
            for rows in audio.overlap_add(converted(), hop=HOP_FRAMES, margin=MARGIN_FRAMES):
                whole = torch.from_numpy(rows)
                start = None if carried == 1 else whole[:, n_mels : n_mels + n_freqs]
                detail = whole[:, -n_freqs:].real if options.keep_content else None
                yield Chunk(whole[:, :n_mels].real, start, detail)

        yield from self.synthesiser.stream(chunks(), carried=carried)

    def _restyled(
        self,
        waves: Tensor,
        source: str,
        style: Tensor | None,
        options: Options,
        generator: torch.Generator,
    ) -> Chunk:
        """Windows (batch, SEGMENT) as what the synthesis needs."""
        keep = options.keep_content or 0.0
        strength = 1.0 if options.style_strength is None else options.style_strength
        original = self.log_mel(source).power(waves)
        power = self.convert(
            original, source=source, target=options.to, style=style, strength=strength
        )
        if options.phase == "carried" and not keep:
            return Chunk(power.transpose(1, 2), None)
        start = spectrum = self.synthesiser.stft(pad(waves, (0, self.mel.n_fft // 2)))
        if options.phase == "noise":
            noise = self.synthesiser.noise(start.shape, generator)
            start = torch.lerp(noise, torch.sgn(spectrum), keep)
        detail = self.synthesiser.detail(original, spectrum) ** keep if keep else None
        return Chunk(power.transpose(1, 2), start, detail)

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


def rebuild(header: Mapping[str, Any], shapes: Mapping[str, Any] | None = None) -> MelSystem:
    """The untrained system that a `header` describes. Raises ThirdstreamError if it cannot be.

    shapes: of the tensors that it will get; where they are given, a header that asks for others is
    refused before it takes any memory.
    """
    try:
        styles, config = _styles(header["styles"]), record(TwinConfig, header["twin"])
        mel = record(MelConfig, header["mel"])
        if mel.n_frames != WINDOW_FRAMES:
            raise ValueError(f"a window of {mel.n_frames} frames")
        if shapes is not None:
            _check_shapes(TWINS[header["system"]], styles, config, shapes)
        system = build(header["system"], styles, config, mel)
        system.card.update(header["card"])
    except (KeyError, TypeError, ValueError) as error:
        raise ThirdstreamError(
            f"its configuration is not one of this version ({error!r})"
        ) from error
    return system


def _styles(names: Any) -> tuple[str, str]:
    """Two style names; they become parts of file names, so they are words. Raises ValueError."""
    first, second = names
    for name in (first, second):
        if not isinstance(name, str) or not is_style(name):
            raise ValueError(f"a style cannot be called {str(name)[:60]!r}")
    if first == second:
        raise ValueError(f"both styles are called {first}")
    return first, second


def _check_shapes(
    kind: type[Twin], styles: tuple[str, str], config: TwinConfig, shapes: Mapping[str, Any]
) -> None:
    """Before memory is taken: that the file has the tensors that its configuration asks for.

    Raises ValueError where it has others.
    """
    with torch.device("meta"):
        wanted = kind(styles, config).state_dict()
    for name, tensor in wanted.items():
        found = shapes.get(f"twin.{name}")
        if found != tensor.shape:
            raise ValueError(f"{name} should be {tuple(tensor.shape)}, the file has {found}")


def load(path: Path) -> MelSystem:
    """The trained system in a checkpoint, ready to transfer. Raises CheckpointError."""
    tensors, header = checkpoint.read(path)
    try:
        system = rebuild(header, {name: tensor.shape for name, tensor in tensors.items()})
        system.load_state_dict(tensors)
    except (RuntimeError, ThirdstreamError) as error:
        raise CheckpointError(
            f"{path}: does not fit this version of thirdstream ({error}); train it again"
        ) from error
    return system.eval().requires_grad_(False)


def _root(power: Tensor) -> Tensor:
    return power.sqrt().sqrt()
