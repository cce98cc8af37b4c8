"""Train a vocoder on recordings: python recipes/vocoder.py OUT.safetensors MINUTES FOLDER...

The vocoder is a small network that guesses the magnitudes behind mel power, where thirdstream
searches for them: ConvNeXt blocks along time, at the rate of frames, on top of what the filters
alone tell. `recipes/vocoder_compared.py` says which is better.

Segments of all recordings below the folders, each brought to -20 dB as a whole; an eighth of the
recordings is for validation. What is there already at OUT is trained further.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import tyro
from torch import Tensor, nn

from thirdstream import audio, checkpoint
from thirdstream.audio import SEGMENT
from thirdstream.mel.features.filters import FilterBank
from thirdstream.mel.features.logmel import LogMel, MelConfig
from thirdstream.mel.networks.frames import blocks_along
from thirdstream.mel.vocoder.synthesis import Synthesiser

BATCH = 8
LR = 1e-3
SEED = 0
FLOOR = 1e-6  # of power, far below what is heard at -20 dB
MOST = 4.0  # nepers by which a guess may differ from the smooth one


class Vocoder(nn.Module):
    """Mel power -> STFT magnitudes. Before training these are smooth ones."""

    def __init__(
        self,
        config: MelConfig | None = None,
        *,
        n_channels: int = 256,
        n_blocks: int = 4,
        kernel_size: int = 7,
    ) -> None:
        super().__init__()
        self.config = config or MelConfig()
        self.filters = FilterBank(torch.from_numpy(self.config.filters()))
        everywhere = self.filters.gather(torch.ones(1 + self.config.n_fft // 2, 1))
        self.register_buffer(
            "even", self.filters.spread(everywhere).clamp(min=1e-12), persistent=False
        )
        self.enter = nn.Linear(self.config.n_mels, n_channels)
        self.blocks = blocks_along(n_channels, kernel_size=kernel_size, n_blocks=n_blocks)
        self.leave = nn.Linear(n_channels, 1 + self.config.n_fft // 2)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    even: Tensor

    def smooth(self, power: Tensor) -> Tensor:
        """(batch, n_frames, n_mels) -> magnitudes (batch, n_freqs, n_frames) without detail: each
        bin has what its filters hold, as if that were spread evenly.
        """
        columns = power.flatten(0, 1).T.contiguous()
        spread = self.filters.spread(columns) / self.even
        return spread.sqrt().unflatten(1, power.shape[:2]).transpose(0, 1)

    def forward(self, power: Tensor) -> Tensor:
        """(batch, n_frames, n_mels) at -20 dB -> magnitudes (batch, n_freqs, n_frames)."""
        logs = torch.log10(power + FLOOR)
        change = self.leave(self.blocks(self.enter(logs))).transpose(1, 2)
        return self.smooth(power) * torch.exp(MOST * torch.tanh(change / MOST))

    def save(self, path: Path) -> None:
        """Write the network as one file."""
        checkpoint.save(path, self.state_dict(), {})


def magnitude_loss(*, made: Tensor, real: Tensor) -> Tensor:
    """Spectral convergence and the mean absolute difference of logarithms (Arik et al. 2019)."""
    convergence = (made - real).norm() / real.norm().clamp(min=1e-9)
    floor = FLOOR**0.5
    return convergence + ((made + floor).log() - (real + floor).log()).abs().mean()


def segments(paths: list[Path], rng: random.Random) -> Iterator[Tensor]:
    """(1, SEGMENT) pieces in random order of recordings, for ever."""
    while True:
        rng.shuffle(paths)
        for path in paths:
            wave, _ = audio.read(path)
            wave = wave * audio.level_of([wave[None]]).gain
            whole = torch.from_numpy(wave[: len(wave) // SEGMENT * SEGMENT]).reshape(-1, SEGMENT)
            for k in rng.sample(range(len(whole)), min(4, len(whole))):
                yield whole[k : k + 1]


class Listener:
    """Waves to mel power and the magnitudes behind it."""

    def __init__(self) -> None:
        self.log_mel, self.synthesiser = LogMel(), Synthesiser()

    def __call__(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        power = self.log_mel.power(waves)
        padded = torch.nn.functional.pad(waves, (0, 1024))
        return power, self.synthesiser.stft(padded).abs()


def main(out: str, minutes: str, *folders: str) -> None:
    torch.manual_seed(SEED)
    rng, listener, network = random.Random(SEED), Listener(), Vocoder()
    if Path(out).is_file():
        network.load_state_dict(checkpoint.read(Path(out))[0])
    paths = sorted(path for folder in folders for path in audio.find_recordings(Path(folder)))
    rng.shuffle(paths)
    validation, learnt = paths[: len(paths) // 8], paths[len(paths) // 8 :]
    held_out = torch.cat([x for x, _ in zip(segments(validation, rng), range(32), strict=False)])
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    source, end, begun, step = segments(learnt, rng), float(minutes) * 60, time.process_time(), 0
    while (spent := time.process_time() - begun) < end:
        for group in optimizer.param_groups:
            group["lr"] = LR * (1 - spent / end)
        power, real = listener(torch.cat([next(source) for _ in range(BATCH)]))
        loss = magnitude_loss(made=network(power), real=real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 200 == 0:
            report(network, listener, held_out, step, spent)
            network.save(Path(out))
    report(network, listener, held_out, step, end)
    network.save(Path(out))


@torch.no_grad()
def report(network: Vocoder, listener: Listener, waves: Tensor, step: int, spent: float) -> None:
    power, real = listener(waves)
    found = listener.synthesiser.magnitude(power)
    rows = {"network": network(power), "smooth": network.smooth(power), "search": found}
    text = ", ".join(f"{k} {magnitude_loss(made=v, real=real):.4f}" for k, v in rows.items())
    print(f"step {step}, {spent / 60:.1f} min: {text}", flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
