"""What section 2.2 of the paper says of its representation, measured on a corpus's recordings.

What follows from the numbers is in `verdicts`, with all thresholds.

Conventions: shares and errors are means over segments; a value is *near zero* if it is at most a
thousandth of the largest in its segment; the *effective rank* of a matrix is the exponential of the
entropy of its singular values, normalised to sum 1 (Roy and Vetterli 2007): 1 to min(n_rows,
n_columns), the full rank; *energy* is the sum of squared singular values; *spectral convergence* is
the relative error of STFT magnitudes (Frobenius norms). Wave and STFT are taken as power, as mels
are, so that near zero is 30 dB below the loudest in all three.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import pad

from thirdstream import checkpoint
from thirdstream.audio import SEGMENT, SR
from thirdstream.data.corpus import TEST, TRAIN, Corpus
from thirdstream.mel.features.logmel import LogMel, MelConfig
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.vocoder.synthesis import Synthesiser
from thirdstream.report.spectrograms import save
from thirdstream.research.figures import COLOURS, FORMATS, segment_of
from thirdstream.research.verdicts import LEADING, N_ITER, N_MELS, NEAR_ZERO

N_MELS_TRIED = (64, 128, 256, 512)
N_ITERS_TRIED = (0, 4, 8, 16, 32, 64, 128)
N_TIMINGS = 9
Progress = Callable[[str], None]  # is told what comes next


def near_zero(values: Tensor) -> float:
    """Share of values below NEAR_ZERO of the largest, 0 to 1; silence is all near zero."""
    magnitudes = values.abs()
    return float((magnitudes <= NEAR_ZERO * magnitudes.max()).double().mean())


def effective_rank(matrix: Tensor) -> float:
    """The exponential of the entropy of the singular values; 0 for a matrix of zeros."""
    values = torch.linalg.svdvals(matrix.double())
    if values.sum() == 0:
        return 0.0
    return float(torch.special.entr(values / values.sum()).sum().exp())


def leading_energy(matrix: Tensor) -> float:
    """The share of the energy in the largest LEADING of all singular values; 0 without energy."""
    energies = torch.linalg.svdvals(matrix.double()).square()
    if energies.sum() == 0:
        return 0.0
    return float(energies[: max(1, int(LEADING * len(energies)))].sum() / energies.sum())


def convergence(made: Tensor, original: Tensor, synthesiser: Synthesiser) -> float:
    """Spectral convergence of waves (batch, n_samples) against (batch, SEGMENT)."""
    n_samples = made.shape[1]
    reference = synthesiser.stft(pad(original, (0, max(0, n_samples - SEGMENT)))[:, :n_samples])
    found = synthesiser.stft(made).abs()
    return float((found - reference.abs()).norm() / reference.abs().norm())


def segments(corpus: Corpus, n_segments: int) -> Iterator[tuple[str, Tensor]]:
    """(style, (1, SEGMENT)): the middles of so many recordings a style, test recordings first."""
    for style in corpus.styles:
        for recording in [*corpus.of(style, TEST), *corpus.of(style, TRAIN)][:n_segments]:
            yield style, torch.from_numpy(segment_of(recording))[None]


def check(corpus: Corpus, *, n_segments: int = 8, progress: Progress = print) -> dict[str, Any]:
    """All figures, as plain data. Raises ThirdstreamError if a recording is gone."""
    examples = list(segments(corpus, n_segments))
    progress("sizes, near-zero values and effective ranks")
    rows = [_representations(corpus, style, wave) for style, wave in examples]
    names = list(rows[0])
    table = {
        name: {key: float(np.mean([row[name][key] for row in rows])) for key in rows[0][name]}
        for name in names
    }
    waves = torch.cat([wave for _, wave in examples])
    by_mels, by_iterations = {}, {}
    for n_mels in N_MELS_TRIED:
        progress(f"synthesis from {n_mels} mels")
        by_mels[n_mels] = _synthesis(waves, n_mels=n_mels, n_iter=N_ITER)
    for n_iter in N_ITERS_TRIED:
        progress(f"synthesis in {n_iter} iterations")
        by_iterations[n_iter] = _synthesis(waves, n_mels=N_MELS, n_iter=n_iter)
    progress("time of a transfer")
    return {
        "corpus": corpus.path.name,
        "n_segments": len(examples),
        "segment_s": SEGMENT / SR,
        "representations": table,
        "convergence_by_n_mels": by_mels,
        "convergence_by_n_iter": by_iterations,
        "seconds": seconds(waves[:1]),
        "n_timings": N_TIMINGS,
        "n_threads": torch.get_num_threads(),
        "versions": checkpoint.versions(),
    }


def _representations(corpus: Corpus, style: str, wave: Tensor) -> Mapping[str, dict[str, float]]:
    log_mel = LogMel(corpus.mel)
    log_mel.set_statistics(corpus.statistics[style])
    stft = Synthesiser(corpus.mel).stft(pad(wave, (0, corpus.mel.n_fft // 2)))[0]
    power = log_mel.power(wave)[0]
    found = {
        "waveform power": wave[0].square(),
        "STFT power": stft.abs().square(),
        "mel power": power,
        "normalised mel": log_mel.normalise(power),
    }
    return {
        name: {"n_values": values.numel(), "near_zero": near_zero(values)}
        | (_ranks(values) if values.ndim == 2 else {})
        for name, values in found.items()
    }


def _ranks(matrix: Tensor) -> dict[str, float]:
    return {
        "full_rank": min(matrix.shape),
        "effective_rank": effective_rank(matrix),
        "leading_energy": leading_energy(matrix),
    }


@torch.inference_mode()
def seconds(wave: Tensor) -> dict[str, float]:
    """Processor time of a transfer's parts, for a segment (1, SEGMENT): medians of N_TIMINGS runs.

    network: encoder and decoder of the paper's twin CNN; magnitudes: of the STFT, from mels;
    griffin_lim: N_ITER iterations. The parts take turns, after one run that does not count.
    """
    log_mel, synthesiser = LogMel(), Synthesiser()
    twin = TwinCNN(("a", "b"), TwinCNN.PRESETS["paper"]).eval()
    power = log_mel.power(wave)
    mel, magnitude = log_mel(wave), synthesiser.magnitude(power)
    start = synthesiser.noise(magnitude.shape, torch.Generator().manual_seed(0))
    parts: dict[str, Callable[[], Tensor]] = {
        "network": lambda: twin.transfer(mel, source="a", target="b"),
        "magnitudes": lambda: synthesiser.magnitude(power),
        "griffin_lim": lambda: synthesiser.griffin_lim(magnitude, start=start, n_iter=N_ITER),
    }
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(1 + N_TIMINGS):
        for name, part in parts.items():
            begin = time.process_time()
            part()
            taken[name].append(time.process_time() - begin)
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def _synthesis(waves: Tensor, *, n_mels: int, n_iter: int) -> float:
    """Mean spectral convergence of what comes back from noise phases (seed 0)."""
    config = dataclasses.replace(MelConfig(), n_mels=n_mels)
    synthesiser, log_mel = Synthesiser(config), LogMel(config)
    values = []
    for wave in waves:
        magnitude = synthesiser.magnitude(log_mel.power(wave[None]))
        start = synthesiser.noise(magnitude.shape, torch.Generator().manual_seed(0))
        made = synthesiser.griffin_lim(magnitude, start=start, n_iter=n_iter)
        values.append(convergence(made, wave[None], synthesiser))
    return float(np.mean(values))


def draw(results: Mapping[str, Any], out: Path) -> Iterator[Path]:
    """Both curves of `check` in one figure, PNG and SVG. Yields each file written."""
    for ending in FORMATS:
        figure = Figure(figsize=(7.4, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _curve(left, results["convergence_by_n_mels"], f"mels ({N_ITER} iterations)")
        _curve(right, results["convergence_by_n_iter"], f"iterations ({N_MELS} mels)")
        left.set(ylabel="spectral convergence", ylim=(0, None))
        path = out / f"claims-synthesis{ending}"
        save(figure, path)
        yield path


def _curve(axis: Any, values: Mapping[int, float], label: str) -> None:
    places = range(len(values))
    axis.plot(places, list(values.values()), marker="o", color=COLOURS[0])
    axis.set_xticks(places, [str(key) for key in values])
    axis.set(xlabel=label)
    axis.grid(alpha=0.3)
