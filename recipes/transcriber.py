"""Train the transcriber: python recipes/transcriber.py DATA RUN [HOURS]

DATA: folder of `recipes/transcriber_data.py`. RUN: holds the state, from which the same command
goes on, and transcriber.onnx. HOURS (1): of training, in all.
"""

from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional

from harmonics import rewrite  # scripts beside this one
from thirdstream.notes.transcription.spectra import COMPRESSION, N_BINS, PER_SEMITONE
from training_run import Run, export
from transcriber_data import BEGINS, BESIDE, LEADS, SOUNDS

N_CHANNELS = 32
OCTAVES = (-24, -19, -12, 0, 12)
HARMONICS = (-12, 0, 12, 19, 24, 28, 31, 34)  # semitones: from an octave below to seven times
BATCH, N_COLUMNS = 6, 344  # crops of 8 s
RATE = 2e-3
WEIGHTS = {"sounds": 1.0, "begins": 3.0, "leads": 1.0}
SHIFT = (0.0, 0.4, 0.0)  # of the logits, so that the thresholds of `notes_of` are the best ones


class Block(nn.Module):
    """Neighbours in pitch and time, each channel by itself, then the channels."""

    def __init__(self, n: int = N_CHANNELS) -> None:
        super().__init__()
        self.near = nn.Sequential(
            nn.Conv2d(n, n, 3, padding=1, groups=n, bias=False), nn.BatchNorm2d(n)
        )
        self.mix = nn.Sequential(nn.Conv2d(n, 2 * n, 1), nn.ReLU(), nn.Conv2d(2 * n, n, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(self.near(x))


class Harmonics(nn.Module):
    """Each pitch gets what is at its harmonics."""

    def __init__(self, n: int, harmonics: tuple[int, ...]) -> None:
        super().__init__()
        self.harmonics = harmonics
        self.mix = nn.Sequential(
            nn.Conv2d(len(harmonics) * n, N_CHANNELS, 1, bias=False),
            nn.BatchNorm2d(N_CHANNELS),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        below = -min(self.harmonics)
        x = functional.pad(x, (0, 0, below, max(self.harmonics)))
        parts = [x[:, :, below + step : below + step + 88] for step in self.harmonics]
        return self.mix(torch.cat(parts, dim=1))


class Network(nn.Module):
    """Columns (n, 3, N_BINS, t) -> logits (n, 3, 88, 2 * t): sounds, begins, leads."""

    def __init__(self) -> None:
        super().__init__()
        self.semitones = nn.Sequential(
            nn.Conv2d(3, 16, (7, 3), (PER_SEMITONE, 1), (2, 1), bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.body = nn.Sequential(
            Harmonics(16, HARMONICS),
            *(Block() for _ in range(3)),
            Harmonics(N_CHANNELS, OCTAVES),
            *(Block() for _ in range(3)),
        )
        self.head = nn.Conv2d(N_CHANNELS, 6, 1)
        nn.init.constant_(self.head.bias, -3.0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(self.body(self.semitones(0.5 * x - 1.0)))
        n, _, n_pitches, t = y.shape
        y = y.reshape(n, 3, 2, n_pitches, t).permute(0, 1, 3, 4, 2)
        return y.reshape(n, 3, n_pitches, 2 * t)


class Crops:
    """Random crops of the recordings, changed at random as recordings differ."""

    def __init__(self, names: list[str], data: Path, seed: int) -> None:
        self.spectra = [np.load(data / f"{name}.spectra.npy") for name in names]
        self.labels = [np.load(data / f"{name}.labels.npy") for name in names]
        self.leads = np.array(["scrambled" not in name for name in names])
        self.random = np.random.default_rng(seed)

    def _crop(self, which: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
        """Power (N_COLUMNS, 3, N_BINS) and labels (2 * N_COLUMNS, 88), moved by semitones."""
        spectra, labels = self.spectra[which], self.labels[which]
        start = self.random.integers(max(len(spectra) - N_COLUMNS, 0) + 1)
        seen = spectra[start : start + N_COLUMNS].astype(np.float32).reshape(-1, 3, N_BINS)
        targets = labels[2 * start : 2 * (start + N_COLUMNS)]
        missing = N_COLUMNS - len(seen)
        seen = np.pad(seen, [(0, missing), (0, 0), (0, 0)])
        targets = np.pad(targets, [(0, 2 * missing), (0, 0)])
        power = np.square(np.expm1(seen) / COMPRESSION)
        return _moved(power, PER_SEMITONE * shift), _moved(targets, shift)

    def __call__(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """Columns (3, N_BINS, N_COLUMNS), labels (88, 2 * N_COLUMNS), whether leads are known."""
        which = int(self.random.integers(len(self.spectra)))
        draw = self.random.uniform
        power, targets = self._crop(which, int(self.random.integers(-5, 6)))
        leads = bool(self.leads[which])
        if draw() < 0.25:
            also = int(self.random.integers(len(self.spectra)))
            other, more = self._crop(also, int(self.random.integers(-5, 6)))
            power, targets, leads = power + 10 ** draw(-1, 0.3) * other, targets | more, False
        seen = np.log1p(COMPRESSION * np.sqrt(self._recorded(power)))
        return seen.transpose(1, 2, 0), targets.T, leads

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        seen, targets, leads = zip(*(self() for _ in range(BATCH)), strict=True)
        return torch.from_numpy(np.stack(seen)), torch.from_numpy(np.stack(targets)), \
            torch.tensor(leads)  # fmt: skip

    def _recorded(self, power: np.ndarray) -> np.ndarray:
        """Another tuning, equaliser, room, noise and level."""
        draw = self.random.uniform
        if draw() < 0.5:
            cents = draw(-0.9, 0.9)  # bins of 33 cents
            side = 1 if cents > 0 else -1
            power = (1 - abs(cents)) * power + abs(cents) * _moved(power, side)
        knots = self.random.normal(0, 3.0, 8)
        curve = np.interp(np.arange(N_BINS), np.linspace(0, N_BINS - 1, 8), knots)
        power = power * (10 ** (curve / 10)).astype(np.float32)
        if draw() < 0.4:
            wet, decay = 10 ** draw(-2.5, -0.5), np.float32(np.exp(-0.32 / draw(0.3, 2.5)))
            tail, state = np.empty_like(power), np.zeros_like(power[0])
            for t in range(len(power)):
                tail[t] = state = decay * state + (1 - decay) * power[t]
            power = power + np.float32(wet * 3) * tail
        mean = power.mean()
        if draw() < 0.5:
            tilt = np.linspace(draw(-10, 10), draw(-10, 10), N_BINS) / 10
            noise = self.random.exponential(1.0, power.shape).astype(np.float32)
            power = power + noise * (mean * 10 ** (draw(-4.5, -1.5) + tilt)).astype(np.float32)
        return power * np.float32(10 ** (draw(-5, 5) / 10))


def _moved(values: np.ndarray, n: int) -> np.ndarray:
    """Up by n places of the last axis; what comes in is 0."""
    moved = np.zeros_like(values)
    if n > 0:
        moved[..., n:] = values[..., :-n]
    elif n < 0:
        moved[..., :n] = values[..., -n:]
    else:
        moved[:] = values
    return moved


def losses(logits: Tensor, targets: Tensor, leads: Tensor) -> dict[str, Tensor]:
    """Cross entropies of the three, over all pitches and frames."""
    sounds = (targets & SOUNDS > 0).float()
    begins = 0.5 * (targets & BESIDE > 0) + 0.5 * (targets & BEGINS > 0)
    lead = (targets & LEADS > 0).float()
    bce = functional.binary_cross_entropy_with_logits
    each = bce(logits[:, 2], lead, reduction="none").mean(dim=(1, 2))
    return {
        "sounds": bce(logits[:, 0], sounds),
        "begins": bce(logits[:, 1], begins, pos_weight=torch.tensor(2.0)),
        "leads": (each * leads).sum() / leads.sum().clamp(min=1),
    }


def train(data: Path, run: Run, hours: float) -> None:
    names = sorted(p.name.removesuffix(".labels.npy") for p in data.glob("*.labels.npy"))
    crops = Crops(names, data, seed=run.n_steps)
    means: dict[str, float] = {}
    for step in run.steps(3600 * hours):
        seen, targets, leads = crops.batch()
        logits = run.network(seen.contiguous(memory_format=torch.channels_last))
        found = losses(logits, targets, leads)
        run.learn(torch.stack([WEIGHTS[name] * value for name, value in found.items()]).sum())
        for name, value in found.items():
            means[name] = 0.98 * means.get(name, value.item()) + 0.02 * value.item()
        if step % 20 == 0:
            print(step, f"{run.spent_s:.0f} s",
                  *(f"{k} {v:.5f}" for k, v in means.items()), flush=True)  # fmt: skip


class Exported(nn.Module):
    """Columns (1, 3, N_BINS, t) -> how sure (1, 3, 88, 2 * t): sounds, begins, leads."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.shift = nn.Buffer(torch.tensor(SHIFT)[:, None, None])

    def forward(self, columns: Tensor) -> Tensor:
        return torch.sigmoid(self.network(columns) + self.shift)


ABOUT = {
    "what": "thirdstream's transcriber of notes: recipes/transcriber.py",
    "licence": "MIT",
    "learned from": "scores of 1930 and earlier (OpenEWLD), arranged by thirdstream, played by "
    "FluidR3_GM (MIT), MuseScore_General_Lite (MIT) and sf_GMbank (csound's, public domain)",
}


def main(data: str, folder: str, hours: str = "1") -> None:
    torch.manual_seed(0)
    network = Network().to(memory_format=torch.channels_last)
    run = Run(Path(folder), network, rate=RATE)
    train(Path(data), run, float(hours))
    export(
        Exported(network).to(memory_format=torch.contiguous_format),
        lambda n: torch.rand(1, 3, N_BINS, n),
        Path(folder) / "transcriber.onnx",
        ABOUT | {"steps": str(run.n_steps)},
        names=("columns", "posteriors"),
        axes=(3, 3),
    )
    rewrite(Path(folder) / "transcriber.onnx")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
