"""Pictures of what the systems see and make."""

from collections.abc import Mapping
from pathlib import Path

import librosa
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from thirdstream.files import whole_file
from thirdstream.mel.features import MelConfig

TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


def draw_mels(mels: Mapping[str, Tensor], path: Path, *, config: MelConfig, title: str) -> None:
    """Normalised mels (n_frames, n_mels) side by side, on one colour scale; PNG or SVG."""
    figure = Figure(figsize=(3.2 * len(mels) + 1, 3.6), layout="constrained")
    axes = figure.subplots(1, len(mels), sharey=True, squeeze=False)[0]
    centres = librosa.mel_frequencies(config.n_mels + 2, fmin=config.f_min, fmax=config.f_max)[1:-1]
    top = float(np.percentile(next(iter(mels.values())).numpy(), 99.9))
    for axis, (name, mel) in zip(axes, mels.items(), strict=True):
        length_s = mel.shape[0] * config.hop_length / config.sr
        axis.imshow(
            mel.T.numpy(),
            origin="lower",
            aspect="auto",
            vmin=0,
            vmax=top,
            extent=(0, length_s, 0, config.n_mels),
            cmap="magma",
            interpolation="none",
        )
        axis.set(title=name, xlabel="time (s)")
    ticks = [int(np.argmin(np.abs(centres - hz))) for hz in TICKS_HZ]
    axes[0].set_yticks(ticks, [str(hz) for hz in TICKS_HZ])
    axes[0].set_ylabel("frequency (Hz)")
    figure.colorbar(axes[0].images[0], ax=axes, label="normalised mel")
    figure.suptitle(title)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
