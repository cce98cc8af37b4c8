"""wave -> mel: ours against librosa, per segment of 2.97 s."""

import warnings

import librosa
import numpy as np
import tyro

from signals import segments
from tables import show, time_in_turn
from thirdstream.audio import SR
from thirdstream.mel.features.logmel import LogMel

N = 16


def main() -> None:
    waves, log_mel = segments(N), LogMel()
    warnings.simplefilter("ignore")

    def theirs() -> np.ndarray:
        padded = np.pad(waves.numpy(), [(0, 0), (0, 1024)])
        return librosa.feature.melspectrogram(
            y=padded, sr=SR, n_fft=2048, hop_length=512, n_mels=256
        )

    ours = log_mel.power(waves).numpy()
    reference = theirs().transpose(0, 2, 1)
    error = np.abs(ours - reference).max() / reference.max()
    seconds = time_in_turn({"librosa": theirs, "LogMel": lambda: log_mel.power(waves)})
    rows = [
        [name, f"{1000 * s / N:.2f}", f"{N * 2.972 / s:.0f}", f"{seconds['librosa'] / s:.1f}"]
        for name, s in seconds.items()
    ]
    show(
        f"Features of {N} segments; largest relative difference {error:.1e}",
        ["", "ms a segment", "times real time", "times librosa's speed"],
        rows,
    )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
