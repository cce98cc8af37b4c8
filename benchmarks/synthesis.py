"""mel -> wave, 32 fast iterations: ours against librosa's mel_to_audio on the same mels.

Spectral convergence is the relative error of the STFT magnitudes of the result against those of the
recording the mels come from (Frobenius norms): what a listener would compare. librosa's time hangs
on the music: dense recordings take it longer than the sparse bundled clips.

    python benchmarks/synthesis.py [RECORDING ...]
"""

import warnings

import librosa
import numpy as np
import torch
import tyro
from torch.nn.functional import pad

from signals import segments
from tables import show, time_in_turn
from thirdstream.audio import SR
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.vocoder.synthesis import Synthesiser

N = 4


def main(*recordings: str) -> None:
    waves, log_mel, synthesiser = segments(N, *recordings), LogMel(), Synthesiser()
    power = log_mel.power(waves)
    content = synthesiser.stft(pad(waves, (0, 1024)))
    original = content.abs()
    warnings.simplefilter("ignore")

    def convergence(made: torch.Tensor) -> float:
        padded = pad(made, (0, 258 * 512 - made.shape[1]))
        found = synthesiser.stft(padded).abs()
        return float((found - original).norm() / original.norm())

    def theirs() -> torch.Tensor:
        made = librosa.feature.inverse.mel_to_audio(
            power.transpose(1, 2).numpy(), sr=SR, n_fft=2048, hop_length=512, n_iter=32
        )
        return torch.from_numpy(made.astype(np.float32))

    def ours(start: torch.Tensor | None) -> torch.Tensor:
        magnitude, generator = synthesiser.magnitude(power), torch.Generator().manual_seed(0)
        begun = synthesiser.noise(magnitude.shape, generator) if start is None else start
        return synthesiser.griffin_lim(magnitude, start=begun)

    calls = {
        "librosa, from noise": theirs,
        "ours, from noise": lambda: ours(None),
        "ours, from the recording's phase": lambda: ours(content),
    }
    seconds = time_in_turn(calls, n_runs=3)
    rows = [
        [
            name,
            f"{s / N:.3f}",
            f"{seconds['librosa, from noise'] / s:.1f}",
            f"{convergence(calls[name]()):.4f}",
        ]
        for name, s in seconds.items()
    ]
    headings = ["", "s a segment", "times librosa's speed", "spectral convergence"]
    show(f"Synthesis of {N} segments, 32 iterations, in one batch", headings, rows)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
