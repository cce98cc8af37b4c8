"""Where the search for phases starts, how it steps, and how near it comes in how many iterations.

    python benchmarks/phases.py classical=RECORDING jazz=RECORDING ...

Each recording gives two segments, which twin-cnn transfers into the other style; without any, the
bundled clips do. Convergence is the relative error of the sound's magnitudes against the wanted
ones, mel the same of mel magnitudes. Onsets: the correlation of how energy grows from one 1.5 ms to
the next in result and recording, summed over frequencies; phases that smear attacks lower it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.nn.functional import pad

from tables import show
from thirdstream import audio, registry
from thirdstream.audio import SEGMENT
from thirdstream.evaluation import metrics
from thirdstream.mel.system import MelSystem
from thirdstream.mel.vocoder.phases import propagated
from thirdstream.mel.vocoder.search import ACCELERATED, FAST, FROM_CONTENT, Steps

N = 2  # segments of a recording
N_ITERS = (0, 8, 16, 24, 32, 48)
WAYS = [(start, name) for start in ("noise", "content", "propagated") for name in ("fast", "acc.")]
STEPS = {"fast": FAST, "acc.": ACCELERATED}
OTHER_STEPS = {  # from the recording's phases, in as many iterations as the default has
    f"{name} {value}": ACCELERATED._replace(**{name: value})
    for name, value in (
        ("alpha", 0.09), ("alpha", 0.9), ("alpha", 1.1), ("beta", 0.6), ("beta", 2.0),
        ("gamma", 1.2), ("gamma", 1.3),
    )
}  # fmt: skip


class Wanted(NamedTuple):
    """Segments, the mel power that a transfer asks for, its magnitudes, and where to start."""

    waves: Tensor
    power: Tensor
    magnitude: Tensor
    starts: dict[str, Tensor]
    target: str


def segments(path: Path) -> Tensor:
    """(N, SEGMENT) at -20 dB, evenly through a recording."""
    wave, _ = audio.read(path)
    wave = wave * audio.level_of([wave[None]]).gain
    cut = wave[: len(wave) // SEGMENT * SEGMENT].reshape(-1, SEGMENT)
    return torch.from_numpy(cut[np.linspace(0, len(cut) - 1, min(N, len(cut))).astype(int)])


def wanted(model: MelSystem, source: str, path: Path) -> Wanted:
    target, synthesiser, waves = model.model.other(source), model.synthesiser, segments(path)
    power = model.convert(model.log_mel(source).power(waves), source=source, target=target)
    magnitude = synthesiser.magnitude(power)
    starts = {
        "noise": synthesiser.noise(magnitude.shape, torch.Generator().manual_seed(0)),
        "content": synthesiser.stft(pad(waves, (0, 1024))),
        "propagated": propagated(magnitude, n_fft=2048, hop_length=512),
    }
    return Wanted(waves, power, magnitude, starts, target)


def growth(waves: Tensor) -> Tensor:
    window = torch.hann_window(256)
    spectrum = torch.stft(waves, 256, 64, window=window, return_complex=True).abs()
    levels = torch.log1p(10 * spectrum / spectrum.mean())
    return levels.diff(dim=2).clamp(min=0).sum(1)


def scores(model: MelSystem, one: Wanted, made: Tensor) -> tuple[float, float, float]:
    """Convergence, mel consistency, onsets; but for the frames that hang on what is beyond."""
    inner = slice(0, -2)
    found = model.synthesiser.stft(made).abs()[..., inner]
    true = one.magnitude[..., inner]
    mel = model.log_mel(one.target).power(made)[:, : one.power.shape[1]][:, inner]
    pairs = zip(growth(made), growth(one.waves), strict=True)
    onsets = [np.corrcoef(a[: len(b)], b[: len(a)])[0, 1] for a, b in pairs]
    asked = one.power[:, inner].numpy()
    return (
        float((found - true).norm() / true.norm()),
        metrics.mel_consistency(reference=asked, estimate=mel.numpy()),
        float(np.mean(onsets)),
    )


def rows(model: MelSystem, all_of: list[Wanted]) -> Iterator[list[str]]:
    for start, name in WAYS:
        for n_iter in N_ITERS:
            if n_iter or name == "fast":
                found = [_of(model, one, start, STEPS[name], n_iter) for one in all_of]
                figures = (f"{value:.4f}" for value in np.mean(found, axis=0))
                yield [start, name if n_iter else "", str(n_iter), *figures]


def other_rows(model: MelSystem, all_of: list[Wanted]) -> Iterator[list[str]]:
    for name, steps in OTHER_STEPS.items():
        found = [_of(model, one, "content", steps, FROM_CONTENT.n_iter) for one in all_of]
        figures = (f"{value:.4f}" for value in np.mean(found, axis=0))
        yield ["content", name, str(FROM_CONTENT.n_iter), *figures]


def _of(model: MelSystem, one: Wanted, start: str, steps: Steps, n_iter: int) -> tuple[float, ...]:
    made = model.synthesiser.griffin_lim(
        one.magnitude, start=one.starts[start], n_iter=n_iter, steps=steps
    )
    return scores(model, one, made)


@torch.inference_mode()
def main(*sources: str) -> None:
    model = registry.load("twin-cnn")
    assert isinstance(model, MelSystem)
    clips = [f"{path.name.partition('_')[0]}={path}" for path in registry.bundled_clips()]
    pairs = [source.partition("=") for source in sources or clips]
    all_of = [wanted(model, style, Path(path)) for style, _, path in pairs]
    n_segments = sum(len(one.waves) for one in all_of)
    headings = ["start", "steps", "iterations", "convergence", "mel", "onsets"]
    title = f"Phases of {n_segments} transfers of twin-cnn"
    show(title, headings, [*rows(model, all_of), *other_rows(model, all_of)])


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
