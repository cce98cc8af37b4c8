"""Mel spectrograms as pictures: small ones of recordings, and figures with axes.

In figures frequency is in Hz, time in seconds, and all panels share one colour scale. The ending of
the path, .png or .svg, decides the format.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from torch import Tensor

from thirdstream import audio
from thirdstream.files import whole_file
from thirdstream.mel.features.logmel import LogMel, MelConfig

MEL_SIZE = (96, 400)  # pixels: mels, frames
MEL_RANGE_DB = 80.0
TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


@torch.inference_mode()
def mel_picture(path: Path, log_mel: LogMel) -> bytes:
    """PNG of a recording's mel power in dB, 80 dB below its loudest, low pitches at the bottom."""
    wave, _ = audio.read(path)
    power = log_mel.power(torch.from_numpy(wave)[None])[0].T[None, None]
    small = torch.nn.functional.adaptive_avg_pool2d(power, MEL_SIZE)[0, 0].numpy()
    level = 10 * np.log10(np.maximum(small, 1e-12))
    shades = np.clip((level - level.max()) / MEL_RANGE_DB + 1, 0, 1)
    pixels = (255 * colormaps["magma"](shades[::-1])[..., :3]).round().astype(np.uint8)
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png", metadata={"Software": "thirdstream"})
    return buffer.getvalue()


def mel_figure(
    rows: Sequence[Mapping[str, Tensor]],
    *,
    config: MelConfig,
    names: Sequence[str] = (),
    title: str = "",
    scale: str = "normalised mel",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw mels (n_frames, n_mels), all of one normalisation, in rows of named panels.

    names: of the rows, where they have any. scale: what the colours are called. limits: the darkest
    and the brightest value; by default 0, and what few points lie above.
    """
    n_columns = max(map(len, rows))
    size = (3.2 * n_columns + 1, 3.1 * len(rows) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), n_columns, sharey=True, sharex=True, squeeze=False)
    if limits is None:
        everything = [mel.numpy().ravel() for row in rows for mel in row.values()]
        limits = 0.0, float(np.percentile(np.concatenate(everything), 99.9))
    for axes, row, name in zip(grid, rows, names or [""] * len(rows), strict=True):
        for axis, (column, mel) in zip(axes, row.items(), strict=False):
            _draw_mel(axis, mel, config, limits=limits)
            axis.set_title(column, fontsize="small")
        for axis in axes[len(row) :]:
            axis.set_visible(False)
        axes[0].set_ylabel(f"{name}\nfrequency (Hz)".lstrip())
    for number, column in enumerate(grid.T):
        lowest = column[sum(len(row) > number for row in rows) - 1]
        lowest.set_xlabel("time (s)")
        lowest.tick_params(labelbottom=True)
    figure.colorbar(grid[0][0].images[0], ax=grid, label=scale)
    figure.suptitle(title)
    return figure


def _draw_mel(axis: Axes, mel: Tensor, config: MelConfig, *, limits: tuple[float, float]) -> None:
    left, right, end_s = frame_times(mel.shape[0], config)
    axis.imshow(
        mel.T.numpy(),
        origin="lower",
        aspect="auto",
        vmin=limits[0],
        vmax=limits[1],
        extent=(left, right, -0.5, config.n_mels - 0.5),
        cmap="magma",
        interpolation="none",
    )
    axis.set_xlim(0, end_s)
    places = np.interp(TICKS_HZ, config.places_hz[1:-1], np.arange(config.n_mels))
    axis.set_yticks(places, [str(hz) for hz in TICKS_HZ])


def frame_times(n_frames: int, config: MelConfig) -> tuple[float, float, float]:
    """Seconds: where the first frame begins, where the last one ends, and where the sound ends.

    Frames are centred on multiples of the hop. The last ones lie in the padding (see `LogMel`).
    """
    hop_s = config.hop_length / config.sr
    n_padded = 1 + config.n_fft // 2 // config.hop_length
    return -hop_s / 2, (n_frames - 0.5) * hop_s, max(1, n_frames - n_padded) * hop_s


def save(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all, in the format of the path's ending.

    The same figure gives the same file.
    """
    undated = {"Date": None} if path.suffix == ".svg" else {}
    with rc_context({"svg.hashsalt": "thirdstream"}), whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata=undated)
