"""Rate against distortion: bits a second of code against eq. 1 on test recordings.

    python recipes/rate.py CORPUS OUT.png [--segments N] [--encodec DIR] MODEL... > OUT.md

A model is a bundled name, a file or a run folder. Its codes are rounded to whole steps (uniform
scalar quantisation), and entropy coding is taken to be ideal: the rate is the empirical entropy of
the rounded codes (Gersho and Gray, Vector Quantization and Signal Compression, 1992, chapters 5 and
9). All coefficients of a code have one step, which is right for mean squares at high rates, and
each has a probability table of its own: a coefficient is one channel at one mel, over all columns
of time, so 4 x 64 of the paper's code. That is the same help for a principal component and for a
number in a twin's code. The tables, and the means from which the steps are counted, are those of
the test recordings of a style, and their own bits are not counted.

What a linear code can do is the line of the principal components of four frames of the training
recordings. The tokens of a neural codec (EnCodec: Defossez et al. 2022) have a fixed rate: frames a
second x codebooks x log2 of a codebook's size. DIR holds the codec's weights; without them the
other rows are made.

Eq. 1 is measured in one normalisation for all, the corpus's: what a model decodes in its own is
brought to mel power and normalised again. So the last column, without rounding, is not quite that
of score.py.
"""

import argparse
import itertools
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Tensor

from thirdstream import audio, registry
from thirdstream.audio import SEGMENT, SR, Wave
from thirdstream.data.corpus import TEST, Corpus, Recording
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.models.paired import TwinPaired
from thirdstream.mel.models.twin import Code, TwinAutoencoder
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training import loop as training
from thirdstream.pretrained import encodec
from thirdstream.report.spectrograms import save

STEPS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)  # in deviations of the code
STYLE_BITS = 32  # of each number of a style code, which a segment has once
N_COMPONENTS = (64, 96, 128, 256, 512)  # of four frames
LINEAR, CODEC = "components-", "encodec"
TICKS_KBIT = (1, 2, 5, 10, 20, 50)
BATCH = 8  # segments decoded at a time
SEGMENT_S = SEGMENT / SR


class Point(NamedTuple):
    """bits: a second. error: eq. 1, mean of both styles. step: in deviations of the code."""

    bits: float
    error: float
    step: float = 0.0


@dataclass(frozen=True)
class Curve:
    """What one code costs at each step, or at each bandwidth of a codec.

    numbers: a second. error: eq. 1 without rounding. Of a codec there are neither.
    """

    name: str
    points: Sequence[Point]
    numbers: float = 0.0
    error: float = 0.0


# --- quantisation -------------------------------------------------------------------------------


def rounded(values: Tensor, step: float) -> Tensor:
    """Each column's values (n_samples, n_coefficients) in whole steps from the column's mean."""
    return ((values - values.mean(0)) / step).round()


def restored(symbols: Tensor, values: Tensor, step: float) -> Tensor:
    """The middles of the steps that `rounded` made of `values`."""
    return values.mean(0) + step * symbols


def entropy(symbols: Tensor) -> Tensor:
    """Empirical entropy in bits of each column of (n_samples, n_coefficients)."""
    columns = symbols.T.contiguous().numpy()
    counts = [np.unique(column, return_counts=True)[1] / len(column) for column in columns]
    return torch.tensor([float((share * -np.log2(share)).sum()) for share in counts])


def columns_of(content: Tensor) -> Tensor:
    """Code (batch, channels, time, mels) -> (batch * time, channels * mels)."""
    return content.transpose(1, 2).flatten(2).flatten(0, 1)


def content_of(columns: Tensor, like: Tensor) -> Tensor:
    """The inverse of `columns_of`, in the shape of `like`."""
    batch, channels, time, mels = like.shape
    return columns.reshape(batch, time, channels, mels).transpose(1, 2)


# --- models -------------------------------------------------------------------------------------


def with_code(name: str) -> MelSystem:
    """The model of a name or path. Raises ThirdstreamError where it makes no code."""
    system = registry.load(name)
    if isinstance(system, MelSystem) and isinstance(system.model, (TwinPaired, TwinAutoencoder)):
        return system
    raise ThirdstreamError(f"{name}: has no code; give twin autoencoders")


def encoded(system: MelSystem, mel: Tensor, style: str) -> Code:
    """Normalised mels of a style -> what the decoder gets."""
    if isinstance(system.model, TwinPaired):
        return Code(system.model.encode(mel, style), mel.shape[1])
    assert isinstance(system.model, TwinAutoencoder)
    return system.model.encode(mel, style)


def decoded(system: MelSystem, code: Code, style: str) -> Tensor:
    """Code -> mel power."""
    if isinstance(system.model, TwinPaired):
        mel = system.model.decode(code.content, style, n_frames=code.n_frames)
    else:
        assert isinstance(system.model, TwinAutoencoder)
        mel = system.model.decode(code, style)
    return system.log_mel(style).denormalise(mel)


@torch.inference_mode()
def style_points(
    system: MelSystem, style: str, power: Tensor, *, judge: LogMel, steps: Sequence[float]
) -> list[Point]:
    """A point a step of one style; step 0 is no rounding, whose bits are infinite.

    power: (n_segments, n_frames, n_mels). judge: normalises what is compared.
    """
    log_mel = system.log_mel(style)
    parts = [encoded(system, log_mel.normalise(part), style) for part in power.split(BATCH)]
    values = torch.cat([columns_of(part.content) for part in parts])
    deviation = float((values - values.mean(0)).square().mean().sqrt()) or 1.0
    n_styled = 0 if parts[0].style is None else parts[0].style[0].numel()
    n_columns = len(values) / len(power)  # of a segment
    points = []
    for step in steps:
        bits, restyled = float("inf"), values
        if step:
            symbols = rounded(values, step * deviation)
            restyled = restored(symbols, values, step * deviation)
            bits = (float(entropy(symbols).sum()) * n_columns + n_styled * STYLE_BITS) / SEGMENT_S
        sizes = [len(part.content) * part.content.shape[2] for part in parts]
        rebuilt = [
            decoded(system, part._replace(content=content_of(columns, part.content)), style)
            for part, columns in zip(parts, restyled.split(sizes), strict=True)
        ]
        points.append(Point(bits, eq1(torch.cat(rebuilt), power, judge), step))
    return points


def eq1(made: Tensor, power: Tensor, judge: LogMel) -> float:
    """Mean absolute error of mel power, in the normalisation of `judge`."""
    return float((judge.normalise(made) - judge.normalise(power)).abs().mean())


def curve_of(name: str, system: MelSystem, corpus: Corpus, powers: Mapping[str, Tensor]) -> Curve:
    """A code's rates and errors, averaged over the styles."""
    both = [
        style_points(system, style, power, judge=judge_of(corpus, style), steps=(0, *STEPS))
        for style, power in powers.items()
    ]
    free, *points = [mean_of(of_step) for of_step in zip(*both, strict=True)]
    return Curve(name, points, rate(system), free.error)


def mean_of(points: Sequence[Point]) -> Point:
    """The mean over the styles."""
    return Point(*(float(np.mean(values)) for values in zip(*points, strict=True)))


def judge_of(corpus: Corpus, style: str) -> LogMel:
    """The corpus's normalisation of a style."""
    judge = LogMel(corpus.mel)
    judge.set_statistics(corpus.statistics[style])
    return judge


@torch.inference_mode()
def rate(system: MelSystem) -> float:
    """Numbers a second of a model's code, without those of a style."""
    segment = torch.zeros(1, system.mel.n_frames, system.mel.n_mels)
    return encoded(system, segment, system.styles[0]).content.numel() / SEGMENT_S


def linear(n_components: int, corpus: Corpus) -> MelSystem:
    """An untrained twin-paired: its autoencoders begin as the principal components."""
    network = replace(
        TwinPaired.PRESETS["default"], channels=n_components, latent_channels=n_components
    )
    state = training.begin("twin-paired", network, corpus, training.TrainingConfig())
    return state.system.eval()


# --- test segments ------------------------------------------------------------------------------


def chosen(corpus: Corpus, style: str, n_segments: int) -> list[tuple[Recording, int]]:
    """So many test segments (0: all), evenly from all test recordings of a style."""
    every = [(one, k) for one in corpus.of(style, TEST) for k in range(one.n_segments)]
    n_wanted = min(n_segments or len(every), len(every))
    return [every[place * len(every) // n_wanted] for place in range(n_wanted)]


def power_of(corpus: Corpus, segments: Sequence[tuple[Recording, int]]) -> Tensor:
    """Mel power (n_segments, n_frames, n_mels)."""
    power = [corpus.power(one, slice(k, k + 1)) for one, k in segments]
    return torch.from_numpy(np.concatenate(power))


def waves_of(segments: Sequence[tuple[Recording, int]]) -> Iterator[Wave]:
    """The sound of each segment at -20 dB, (SEGMENT,)."""
    for one, number in segments:
        waves = recording_of(Path(one.path))
        if number >= len(waves):
            raise ThirdstreamError(f"{one.path}: has changed; prepare the corpus anew")
        yield waves[number] * np.float32(one.gain)


@lru_cache(maxsize=1)
def recording_of(path: Path) -> Wave:
    """All segments of a recording, (n_segments, SEGMENT)."""
    return np.concatenate(list(audio.windows(audio.blocks(path), size=SEGMENT, hop=SEGMENT)))


# --- codec --------------------------------------------------------------------------------------


class Codec(Protocol):
    """What makes tokens of sound, and sound of tokens."""

    bandwidths: Sequence[float]

    def coded(self, wave: Wave, bandwidth: float) -> tuple[Wave, float]:
        """A wave (n_samples,), 44.1 kHz, as it is after coding, and the bits a second of that."""
        ...


class Encodec:
    """EnCodec with the weights in a folder. Raises ThirdstreamError where they are not there."""

    def __init__(self, folder: Path) -> None:
        self.network = encodec.Encodec(folder).network(folder)
        self.bandwidths: Sequence[float] = self.network.config.target_bandwidths

    def coded(self, wave: Wave, bandwidth: float) -> tuple[Wave, float]:
        """See Codec."""
        sr = self.network.config.sampling_rate
        inside = resampled(wave, sr_in=SR, sr_out=sr)
        tokens = encodec.tokens_of(self.network, inside[None], bandwidth=bandwidth)
        made = resampled(encodec.wave_of(self.network, tokens)[0], sr_in=sr, sr_out=SR)
        fitted = np.pad(made[: len(wave)], (0, max(0, len(wave) - len(made))))
        return fitted, encodec.bits_per_second(self.network, tokens)


def resampled(wave: Wave, *, sr_in: int, sr_out: int) -> Wave:
    """A wave (n_samples,) at another rate."""
    parts = audio.resampled([wave[None]], sr_in=sr_in, sr_out=sr_out, n_channels=1)
    return np.concatenate(list(parts), axis=1)[0]


def codec_curve(codec: Codec, corpus: Corpus, n_segments: int) -> Curve:
    """Rates and errors of a codec at all its bandwidths, averaged over the styles."""
    both = []
    for style in corpus.styles:
        waves, judge = list(waves_of(chosen(corpus, style, n_segments))), judge_of(corpus, style)
        both.append([codec_point(codec, waves, one, judge) for one in codec.bandwidths])
    return Curve(CODEC, [mean_of(points) for points in zip(*both, strict=True)])


@torch.inference_mode()
def codec_point(codec: Codec, waves: Sequence[Wave], bandwidth: float, judge: LogMel) -> Point:
    """One bandwidth on segments of one style; each is coded by itself, as by a twin."""
    errors, bits = [], []
    for wave in waves:
        made, rate_of = codec.coded(wave, bandwidth)
        powers = judge.power(torch.from_numpy(np.stack([made, wave])).float())
        errors.append(eq1(powers[:1], powers[1:], judge))
        bits.append(rate_of)
    return Point(float(np.mean(bits)), float(np.mean(errors)))


# --- what is written ----------------------------------------------------------------------------


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Error against bits a second."""
    figure = Figure(figsize=(6.8, 4.6), layout="constrained")
    axes = figure.subplots()
    linear = [one for one in curves if one.name.startswith(LINEAR)]
    for one in linear[-1:]:  # small components round to 0, so the most components are the best line
        axes.plot(*line_of(one), ".-", color="0.6", label="principal components")
    twins = [one for one in curves if one.name != CODEC and one not in linear]
    for one, marker in zip(twins, itertools.cycle("osD^vP*X")):
        axes.plot(*line_of(one), "-", marker=marker, markersize=4, linewidth=1.2, label=one.name)
    for one in curves:
        if one.name == CODEC:
            axes.plot(*line_of(one), "X--k", label=one.name)
    axes.legend(frameon=False, fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([1000 * n for n in TICKS_KBIT], [str(n) for n in TICKS_KBIT])
    axes.grid(color="0.92")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("kbit a second")
    axes.set_ylabel("eq. 1 on test recordings")
    save(figure, path)


def line_of(curve: Curve) -> tuple[list[float], list[float]]:
    """x and y."""
    points = sorted(curve.points)
    return [one.bits for one in points], [one.error for one in points]


def table(curves: Sequence[Curve]) -> str:
    """Markdown: a row a code, a column a step; and another one of a codec's bandwidths."""
    head = ["code", "numbers a second", *(f"step {step:g}" for step in STEPS), "not rounded"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for one in curves:
        if one.name == CODEC:
            continue
        cells = [f"{point.bits / 1000:.1f}: {point.error:.3f}" for point in one.points]
        row = [one.name, f"{one.numbers:,.0f}", *cells, f"{one.error:.4f}"]
        lines.append("| " + " | ".join(row) + " |")
    for one in curves:
        if one.name == CODEC:
            cells = [f"{point.bits / 1000:.1f}: {point.error:.3f}" for point in one.points]
            lines += ["", f"| {CODEC} |" + " |" * (len(cells) - 1), "|---" * len(cells) + "|"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(*arguments: str) -> None:
    given = arguments_of(arguments)
    corpus = Corpus.open(given.corpus)
    models = {
        Path(name).resolve().name.removesuffix(".safetensors"): with_code(name)
        for name in given.models
    }
    codec = Encodec(given.encodec) if given.encodec else None
    powers = {
        style: power_of(corpus, chosen(corpus, style, given.segments)) for style in corpus.styles
    }
    systems = {f"{LINEAR}{n}": linear(n, corpus) for n in N_COMPONENTS} | models
    curves = [curve_of(name, system, corpus, powers) for name, system in systems.items()]
    if codec is not None:
        curves.append(codec_curve(codec, corpus, given.segments))
    draw(curves, given.out)
    print("Thousands of bits a second: eq. 1.\n")
    print(table(curves))
    if codec is None:
        print(f"\nWithout {CODEC}; with its weights, the same command has these rows too:\n")
        print(f"    hf download {encodec.PUBLISHED.repository} --local-dir DIR")
        print(f"    python recipes/rate.py --encodec DIR {shlex.join(arguments)}")


def arguments_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("out", type=Path, help="the picture")
    parser.add_argument("models", nargs="*", help="bundled names, files or run folders")
    parser.add_argument("--segments", type=int, default=0, help="test segments a style; 0: all")
    parser.add_argument("--encodec", type=Path, metavar="DIR", help="weights of the codec")
    given = parser.parse_intermixed_args(arguments)
    if given.segments < 0:
        parser.error(f"--segments must be 0 or more (got {given.segments}); 0 stands for all")
    return given


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ThirdstreamError as error:
        sys.exit(str(error))
