"""Pictures of what the systems see and make: the paper's figures 1-4, 7, 8, 9 and 11; and of how
they learnt.

All are readable at half a page.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from thirdstream import audio
from thirdstream.audio import SEGMENT, SR, Wave
from thirdstream.data.corpus import TEST, TRAIN, Corpus, Recording
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import LogMel, MelConfig
from thirdstream.mel.models.variational_gan import TwinVariationalGAN
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training.history import Epoch
from thirdstream.mel.vocoder.synthesis import Synthesiser
from thirdstream.report.spectrograms import frame_times, mel_figure, save

FORMATS = (".png", ".svg")
NUMBERS = {"twin-cnn": 7, "twin-vae": 8, "twin-gan": 9, "twin-variational-gan": 11}
COLOURS = ("#1f5fa8", "#c2571a")  # of the two styles; told apart without colour vision too
RANGE_DB = 60.0  # below the loudest point of the originals


def corpus_figures(corpus: Corpus, out: Path) -> Iterator[Path]:
    """Figures 1 to 4 of the paper, from test recordings and training statistics of a corpus.

    Yields each file written. Raises ThirdstreamError if a recording is no longer where it was.
    """
    waves = {style: segment_of(_example(corpus, style)) for style in corpus.styles}
    mels = {style: _normalised(corpus, style, wave) for style, wave in waves.items()}
    yield from written(_wave_figure(waves), out, "figure-01-waveform")
    yield from written(_stft_figure(waves), out, "figure-02-stft")
    yield from written(mel_figure([mels], config=corpus.mel), out, "figure-03-mel")
    yield from written(_statistics_figure(corpus), out, "figure-04-statistics")


def written(figure: Figure, out: Path, stem: str) -> Iterator[Path]:
    """Save a figure in all FORMATS, and yield each file."""
    for ending in FORMATS:
        save(figure, out / f"{stem}{ending}")
        yield out / f"{stem}{ending}"


def _example(corpus: Corpus, style: str) -> Recording:
    """The first recording that was not trained on, or the first of all if there is none."""
    return (corpus.of(style, TEST) or corpus.of(style, TRAIN))[0]


def segment_of(recording: Recording) -> Wave:
    """The middle segment of a prepared recording at -20 dB, (SEGMENT,).

    Raises ThirdstreamError if it is no longer where it was, or has become shorter.
    """
    path = Path(recording.path)
    segments = audio.windows(audio.blocks(path), size=SEGMENT, hop=SEGMENT)
    wave = next(itertools.islice(segments, recording.n_segments // 2, None), None)
    if wave is None:
        raise ThirdstreamError(f"{path}: has changed since the corpus was made; prepare it anew")
    return wave[0] * np.float32(recording.gain)


def _normalised(corpus: Corpus, style: str, wave: Wave) -> Tensor:
    log_mel = LogMel(corpus.mel)
    log_mel.set_statistics(corpus.statistics[style])
    return log_mel(torch.from_numpy(wave)[None])[0]


def _wave_figure(waves: Mapping[str, Wave]) -> Figure:
    figure = Figure(figsize=(7.4, 1.9 * len(waves)), layout="constrained")
    axes = figure.subplots(len(waves), 1, sharex=True, sharey=True)
    for axis, colour, (style, wave) in zip(axes, COLOURS, waves.items(), strict=True):
        axis.plot(np.arange(len(wave)) / SR, wave, color=colour, linewidth=0.4, rasterized=True)
        axis.set(title=style, ylabel="amplitude", xlim=(0, len(wave) / SR))
    axes[-1].set_xlabel("time (s)")
    return figure


def _stft_figure(waves: Mapping[str, Wave]) -> Figure:
    synthesiser, config = Synthesiser(), MelConfig()
    figure = Figure(figsize=(7.4, 3.2), layout="constrained")
    axes = figure.subplots(1, len(waves), sharey=True)
    levels = {}
    for style, wave in waves.items():
        spectrum = synthesiser.stft(pad(torch.from_numpy(wave), (0, 1024))[None])[0].abs()
        levels[style] = 20 * torch.log10(spectrum.clamp(min=1e-5)).numpy()
    top = max(float(level.max()) for level in levels.values())
    for axis, (style, level) in zip(axes, levels.items(), strict=True):
        left, right, end_s = frame_times(level.shape[1], config)
        half_bin = config.sr / config.n_fft / 2000
        extent = (left, right, -half_bin, SR / 2000 + half_bin)
        axis.imshow(
            level, origin="lower", aspect="auto", extent=extent, vmin=top - 100, vmax=top,
            cmap="magma", interpolation="none",
        )  # fmt: skip
        axis.set(title=style, xlabel="time (s)", xlim=(0, end_s), ylim=(0, SR / 2000))
    axes[0].set_ylabel("frequency (kHz)")
    figure.colorbar(axes[0].images[0], ax=axes, label="STFT magnitude (dB)")
    return figure


def mel_moments(
    corpus: Corpus, style: str, *, normalised: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each mel over the training data, (n_mels,) each."""
    log_mel = LogMel(corpus.mel)
    log_mel.set_statistics(corpus.statistics[style])
    count, sums, squares = 0, np.zeros(corpus.mel.n_mels), np.zeros(corpus.mel.n_mels)
    for power in corpus.chunks(style, TRAIN):
        values = log_mel.normalise(torch.from_numpy(power)).numpy() if normalised else power
        rows = values.reshape(-1, corpus.mel.n_mels).astype(np.float64)
        count += len(rows)
        sums += rows.sum(0)
        squares += np.square(rows).sum(0)
    mean = sums / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))


def _statistics_figure(corpus: Corpus) -> Figure:
    figure = Figure(figsize=(7.4, 4.6), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True)
    hz = corpus.mel.places_hz[1:-1]
    for axes, normalised in zip(grid, (False, True), strict=True):
        of = "normalised mel" if normalised else "mel power"
        for colour, style in zip(COLOURS, corpus.styles, strict=True):
            moments = mel_moments(corpus, style, normalised=normalised)
            for axis, values in zip(axes, moments, strict=True):
                axis.plot(hz, values, color=colour, label=style)
        for axis, what in zip(axes, ("mean", "deviation"), strict=True):
            scale = "linear" if normalised else "log"
            axis.set(ylabel=f"{what} of {of}", xscale="log", yscale=scale)
    for axis in grid[1]:
        axis.set_xlabel("frequency (Hz)")
    grid[0][0].legend()
    return figure


@torch.inference_mode()
def system_figures(
    system: MelSystem, powers: Mapping[str, Tensor], out: Path, *, name: str
) -> Iterator[Path]:
    """Figure 7, 8, 9 or 11: original, self-reconstruction and transfer, of both styles.

    All panels show mel power in dB on one scale, whose 0 is the loudest point of the originals.
    powers: mel power (n_frames, n_mels) at -20 dB by style. Yields each file written.
    """
    rows = {}
    for style, power in powers.items():
        other = system.model.other(style)
        condition = condition_of(system, other, powers[other])
        made = system.convert(power[None], source=style, target=other, condition=condition)[0]
        rebuilt = system.convert(power[None], source=style, target=style)[0]
        rows[style] = {"original": power, "self-reconstruction": rebuilt, f"to {other}": made}
    top = max(float(power.max()) for power in powers.values())
    levels = [{column: _decibels(one, top) for column, one in row.items()} for row in rows.values()]
    number = NUMBERS.get(system.name)
    stem = f"transfer-{name}" if number is None else f"figure-{number:02d}-{name}"
    figure = mel_figure(
        levels, config=system.mel, names=[*rows], title=name, scale="mel power (dB)",
        limits=(-RANGE_DB, 0),
    )  # fmt: skip
    yield from written(figure, out, stem)


def condition_of(system: MelSystem, target: str, example: Tensor) -> Tensor | None:
    """What a transfer into `target` is given besides the mel, in the figures.

    Where styles are drawn (paper, section 3.4) or there are none: what `transfer` gives it by
    default. Otherwise the style of an example, mel power (n_frames, n_mels) of `target` (3.3).
    """
    model, log_mel = system.model, system.log_mel(target)
    if not isinstance(model, TwinVariationalGAN):
        own = model.style_code(log_mel.within(log_mel.normalise(example[None])), target)
        if own is not None:
            return own
    return model.default_condition(target, generator=torch.Generator().manual_seed(0))


def _decibels(power: Tensor, top: float) -> Tensor:
    """Above `top`, or RANGE_DB and more below it, cut off there."""
    return 10 * torch.log10((power / top).clamp(min=10 ** (-RANGE_DB / 10)))


def learning_curves(epochs: Sequence[Epoch], out: Path, *, name: str) -> Iterator[Path]:
    """Every loss by epoch, on training and on validation recordings. Yields each file written."""
    losses = list(dict.fromkeys(loss for epoch in epochs for loss in epoch.train))
    figure = Figure(figsize=(2.6 * len(losses) + 1.8, 2.6), layout="constrained")
    panels = figure.subplots(1, len(losses), squeeze=False)[0]
    for axis, loss in zip(panels, losses, strict=True):
        for label, colour in zip(("train", "validation"), COLOURS, strict=True):
            by_epoch = {one.epoch: (getattr(one, label) or {}).get(loss) for one in epochs}
            known = {number: value for number, value in by_epoch.items() if value is not None}
            if known:
                axis.plot(list(known), list(known.values()), ".-", color=colour, label=label)
        axis.set(title=loss, xlabel="epoch")
        axis.set_ylim(0, 1.05 * axis.dataLim.ymax or 1)
        axis.xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("loss, unweighted")
    lines = {line.get_label(): line for axis in panels for line in axis.lines}
    figure.legend(lines.values(), lines, loc="outside right center", frameon=False)
    figure.suptitle(name)
    yield from written(figure, out, f"curves-{name}")


def examples(
    system: MelSystem, *, corpus: Corpus | None, clips: Sequence[Path]
) -> dict[str, Tensor]:
    """One segment of mel power at -20 dB a style: of a corpus's test recordings, or of clips.

    clips: STYLE_TITLE files. Raises ThirdstreamError if the styles are not the system's.
    """
    powers = {}
    for style in system.styles:
        if corpus is not None:
            if style not in corpus.styles:
                raise ThirdstreamError(f"{corpus.path}: has no {style}, which {system.name} needs")
            recording = _example(corpus, style)
            at = recording.n_segments // 2
            powers[style] = torch.from_numpy(corpus.power(recording, slice(at, at + 1))[0])
            continue
        own = [clip for clip in clips if clip.stem.startswith(f"{style}_")]
        if not own:
            raise ThirdstreamError(
                f"no bundled clip is {style}; give --corpus, whose test recordings are"
            )
        wave, _ = audio.read(own[0])
        gain = audio.level_of([wave[None]]).gain
        segment = torch.from_numpy(wave[:SEGMENT] * np.float32(gain))[None]
        powers[style] = system.log_mel(style).power(segment)[0]
    return powers
