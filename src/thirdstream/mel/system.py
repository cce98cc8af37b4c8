"""A model of mels with its features and synthesis: a wave into a wave of the other style."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from thirdstream import audio, checkpoint
from thirdstream.audio import SEGMENT, SR, Wave
from thirdstream.checkpoint import CheckpointError
from thirdstream.files import ThirdstreamError, is_style
from thirdstream.mel.features.logmel import LogMel, MelConfig, Statistics
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import HOP_FRAMES, WINDOW_FRAMES, MelModel, OptionError
from thirdstream.mel.networks.blocks import PerStyle
from thirdstream.mel.options import MelOptions, StyledMelOptions
from thirdstream.mel.vocoder.search import FROM_CONTENT, FROM_NOISE
from thirdstream.mel.vocoder.synthesis import Chunk, Synthesiser, overlap_add
from thirdstream.records import record
from thirdstream.system import MelTrace, System

MARGIN_FRAMES = 8  # at each inner end of a window, which the cut disturbs
BATCH = 4  # windows that go through the model at a time


class MelSystem(nn.Module, System[MelOptions]):
    """Everything that a model of mels needs, in one module: its state is the whole model.

    name: of its family. card: what the model was trained on and how, for people.
    """

    fades_ends = True  # where frames reach beyond the recording, any sample suits their magnitudes

    def __init__(self, name: str, model: MelModel, *, mel: MelConfig | None = None) -> None:
        super().__init__()
        mel = mel or MelConfig()
        model.check_mels(mel.n_mels)
        self.name, self.model, self.mel = name, model, mel
        self.card: dict[str, Any] = {}
        self.styles = model.styles
        self.options = model.OPTIONS
        self.keeps_dynamics = model.FOLLOWS_DYNAMICS
        self.features = PerStyle({style: LogMel(mel) for style in model.styles})
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
        condition: Tensor | None = None,
        strength: float = 1.0,
    ) -> Tensor:
        """Mel power at -20 dB, (batch, n_frames, n_mels), into the target style's.

        condition: see `MelModel.default_condition`. With `source` equal to `target` this is the
        self-reconstruction. strength: 1 is the transfer, 0 the self-reconstruction; between, the
        fourth roots of both are mixed, in which a step is about as audible anywhere.
        """
        before, after = self.log_mel(source), self.log_mel(target)
        mel = before.within(before.normalise(power))
        made = self.model.transfer(mel, source=source, target=target, condition=condition)
        restyled = after.denormalise(after.within(made))
        if strength == 1:
            return restyled
        rebuilt = before.denormalise(before.within(self.model.reconstruct(mel, source)))
        return torch.lerp(_root(rebuilt), _root(restyled), strength).square().square()

    def style_of(self, path: Path, style: str) -> Tensor:
        """(1, n_style) of a whole recording: the mean over its segments.

        Raises ThirdstreamError if it cannot be read, is silent, or the model has no style codes.
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
            code = self.model.style_code(self.log_mel(style).within(mel), style)
            if code is None:
                raise ThirdstreamError(
                    f"the model {self.name} takes no style from a recording; leave --style-from "
                    "out, or use a twin-gan or a twin-variational-gan"
                )
            codes.append(code)
        return torch.cat(codes).mean(0, keepdim=True)

    @torch.inference_mode()
    def stream(self, blocks: Iterable[Wave], options: MelOptions) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into as many samples and a few more.

        Windows overlap and are cross-faded as mel power, where nothing can cancel; phases are found
        afterwards, on the joined frames. Every channel goes its own way.
        """
        options = replace(options, phase=options.phase or self.model.PHASE)
        generator = torch.Generator().manual_seed(options.seed)
        source, condition = options.source or self.model.other(options.to), None
        if isinstance(options, StyledMelOptions) and options.style_from is not None:
            condition = self.style_of(options.style_from, options.to)
        elif source != options.to:
            condition = self.model.default_condition(options.to, generator=generator)

        def restyled() -> Iterator[Chunk]:
            hop = HOP_FRAMES * self.mel.hop_length
            cut = audio.windows(blocks, size=SEGMENT, hop=hop)
            while batch := list(itertools.islice(cut, BATCH)):
                waves = torch.from_numpy(np.concatenate(batch))  # (batch * n_channels, SEGMENT)
                chunk = self._restyled(waves, source, condition, options, generator)
                yield from chunk.split(len(batch))

        chunks = overlap_add(restyled(), hop=HOP_FRAMES, margin=MARGIN_FRAMES)
        propagation = 1 - options.keep_content if options.phase == "propagated" else 0.0
        search = FROM_CONTENT if options.phase == "content" else FROM_NOISE
        yield from self.synthesiser.stream(chunks, search=search, propagation=propagation)

    def _restyled(
        self,
        waves: Tensor,
        source: str,
        condition: Tensor | None,
        options: MelOptions,
        generator: torch.Generator,
    ) -> Chunk:
        """Windows (batch, SEGMENT) as what the synthesis needs."""
        keep, strength = options.keep_content, options.style_strength
        log_mel = self.log_mel(source)
        start = spectrum = log_mel.stft(waves)
        original = log_mel.power_of(spectrum)
        power = self.convert(
            original, source=source, target=options.to, condition=condition, strength=strength
        )
        if options.phase == "propagated" and not keep:
            return Chunk(power.transpose(1, 2), None)
        if options.phase == "noise":
            noise = self.synthesiser.noise(start.shape, generator)
            start = torch.lerp(noise, torch.sgn(spectrum), keep)
        detail = self.synthesiser.detail(original, spectrum) ** keep if keep else None
        return Chunk(power.transpose(1, 2), start, detail)

    def n_parameters(self) -> int:
        """Of the networks that a transfer uses."""
        return size_of(self.model)

    def training_s(self) -> float | None:
        """Processor time of its training."""
        return self.card.get("cpu_s")

    @torch.inference_mode()
    def trace(self, waves: Wave, *, source: str, target: str, seed: int) -> MelTrace:
        """The mels of segments (batch, SEGMENT), 44.1 kHz, -20 dB."""
        generator, content = torch.Generator().manual_seed(seed), torch.from_numpy(waves)
        log_mel = self.log_mel(source)
        power = log_mel.power(content)
        mel = log_mel.normalise(power)
        condition = self.model.default_condition(target, generator=generator)
        requested = self.convert(power, source=source, target=target, condition=condition)
        start = torch.Generator().manual_seed(0)
        sound = self.synthesiser(requested, generator=start, content=content)
        achieved = log_mel.power(sound)[:, : requested.shape[1]]
        reconstruction = self.model.reconstruct(mel, source)
        return MelTrace(*(one.numpy() for one in (mel, reconstruction, requested, achieved)))

    def header(self) -> dict[str, Any]:
        """What rebuilds the model around its tensors: family, configuration, card, versions."""
        return {
            "family": self.name,
            "styles": list(self.styles),
            "config": asdict(self.model.config),
            "mel": asdict(self.mel),
            "card": self.card,
            "versions": checkpoint.versions(),
        }

    def save(self, path: Path, *, for_training: bool = True) -> None:
        """Write the model as one file.

        for_training: with the networks that no transfer uses; a training that begins with a file
        that lacks them begins with new ones.
        """
        tensors = {
            name: tensor
            for name, tensor in self.state_dict().items()
            if for_training or not is_for_training(name, self.model)
        }
        checkpoint.save(path, tensors, self.header())


def is_for_training(name: str, model: MelModel) -> bool:
    """Whether a tensor of a system's state belongs to a network that no transfer uses."""
    return name.removeprefix("model.").partition(".")[0] in model.TRAINING_ONLY


def size_of(model: MelModel) -> int:
    """The number of parameters of what transfers, without what training alone uses."""
    named = model.named_parameters()
    return sum(one.numel() for name, one in named if not is_for_training(name, model))


def build(name: str, styles: tuple[str, str], config: Any, mel: MelConfig) -> MelSystem:
    """An untrained system of a family, with a configuration of that family.

    Raises ThirdstreamError if the configuration cannot be: OptionError where an option is at fault.
    """
    try:
        return MelSystem(name, FAMILIES[name].kind(styles, config), mel=mel)
    except OptionError:
        raise
    except ValueError as error:
        raise ThirdstreamError(f"{name}: {error}") from error


def rebuild(header: Mapping[str, Any], shapes: Mapping[str, Any] | None = None) -> MelSystem:
    """The untrained system that a `header` describes. Raises ThirdstreamError if it cannot be.

    shapes: of the tensors that it will get; where they are given, a header that asks for others is
    refused before it takes any memory.
    """
    try:
        kind = FAMILIES[header["family"]].kind
        styles, config = _styles(header["styles"]), record(kind.Config, header["config"])
        mel = record(MelConfig, header["mel"])
        if mel.n_frames != WINDOW_FRAMES:
            raise ValueError(f"a window of {mel.n_frames} frames")
        if shapes is not None:
            _check_shapes(kind, styles, config, shapes)
        system = build(header["family"], styles, config, mel)
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
    kind: type[MelModel], styles: tuple[str, str], config: Any, shapes: Mapping[str, Any]
) -> None:
    """Before memory is taken: that the file has the tensors that its configuration asks for.

    Raises ValueError where it has others.
    """
    with torch.device("meta"):
        model = kind(styles, config)
    for name, tensor in model.state_dict().items():
        found = shapes.get(f"model.{name}")
        if found is None and is_for_training(name, model):
            continue
        if found != tensor.shape:
            raise ValueError(f"{name} should be {tuple(tensor.shape)}, the file has {found}")


def is_old(header: Mapping[str, Any]) -> bool:
    """Whether a model's header is of an earlier version, which `convert` reads."""
    return "twin" in header and "config" not in header


def load(path: Path) -> MelSystem:
    """The trained system in a checkpoint, ready to transfer. Raises CheckpointError."""
    tensors, header = checkpoint.read(path)
    if is_old(header):
        raise CheckpointError(
            f"{path}: was made by an earlier version; bring it up to date with: thirdstream "
            f"convert {path} --out NEW.safetensors"
        )
    try:
        with torch.random.fork_rng([]):  # the same networks, where the file lacks some
            torch.manual_seed(0)
            system = rebuild(header, {name: tensor.shape for name, tensor in tensors.items()})
        missing, unknown = system.load_state_dict(tensors, strict=False)
        missing = [name for name in missing if not is_for_training(name, system.model)]
        if missing or unknown:
            raise RuntimeError(f"{(missing + unknown)[0]} is in one of file and network alone")
    except (RuntimeError, ThirdstreamError) as error:
        raise CheckpointError(
            f"{path}: does not fit this version of thirdstream ({error}); train it again"
        ) from error
    return system.eval().requires_grad_(False)


def _root(power: Tensor) -> Tensor:
    return power.sqrt().sqrt()
