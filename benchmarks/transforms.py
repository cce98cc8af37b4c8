"""Fourier transforms of frames of 2,048 samples: microseconds of processor a frame, one thread."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import scipy.fft
import torch
import tyro

from tables import show

N_FRAMES, N_FFT, N_RUNS, FEW = 240, 2_048, 40, 20


def calls() -> dict[str, Callable[[], object]]:
    frames = torch.randn(N_FRAMES, N_FFT)
    spectra, both = torch.fft.rfft(frames), torch.complex(frames, frames.flip(0))
    room, samples, values = torch.empty_like(spectra), frames.numpy(), spectra.numpy()
    parts = frames.split(FEW)
    return {
        "torch (MKL), forward": lambda: torch.fft.rfft(frames),
        "torch (MKL), back": lambda: torch.fft.irfft(spectra, n=N_FFT),
        "torch, forward, into memory at hand": lambda: torch.fft.rfft(frames, out=room),
        f"torch, forward, {FEW} frames at a time": lambda: [torch.fft.rfft(one) for one in parts],
        "torch, two channels as one complex, half": lambda: torch.fft.fft(both),
        "scipy, forward": lambda: scipy.fft.rfft(samples),
        "scipy, back": lambda: scipy.fft.irfft(values),
        "numpy, forward": lambda: np.fft.rfft(samples),
        "numpy, back": lambda: np.fft.irfft(values),
    }


def main() -> None:
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {}
    for _ in range(N_RUNS):
        for name, call in calls().items():
            start = time.process_time()
            call()
            times.setdefault(name, []).append(time.process_time() - start)
    rows = []
    for name, seconds in times.items():
        share = 0.5 if name.endswith("half") else 1
        values = (
            1e6 * share * one / N_FRAMES for one in (min(seconds), statistics.median(seconds))
        )
        rows.append([name, *(f"{value:.2f}" for value in values)])
    show("Transforms", ["", "least", "median"], rows)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
