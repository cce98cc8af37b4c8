"""A published transcriber that measures notes: basic-pitch (Bittner et al., ICASSP 2022).

Its nmp.onnx is read from the package basic-pitch (Spotify, Apache-2.0), which is installed beside
this one, and run by onnxruntime. No system is trained against it or transcribes with it: `score`
has a transcriber of its own.
"""

import itertools
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import Wave, windows
from thirdstream.evaluation.tagger import checked
from thirdstream.files import sha256
from thirdstream.notes.transcription.spectra import HOP, SR
from thirdstream.notes.transcription.transcriber import Posteriors, session
from thirdstream.packages import INSTALL, MissingPackage, folder_of

WINDOW = 43_844  # samples the network takes: 172 frames
EDGE = 15  # frames at each end of a window that are not used
KEPT = 142  # frames of a window that are
BATCH = 8  # windows


class BasicPitch:
    """Transcribes recordings. Raises MissingPackage without basic-pitch or onnxruntime."""

    def __init__(self) -> None:
        self._path = folder_of("basic_pitch") / "saved_models" / "icassp_2022" / "nmp.onnx"
        folder_of("onnxruntime")
        if not self._path.is_file():
            raise MissingPackage(f"{self._path}: is missing; type: {INSTALL['basic_pitch']}")

    def about(self) -> dict[str, str]:
        """Which package, and the SHA-256 of the weights, for the results."""
        return {
            "package": f"basic-pitch {version('basic-pitch')}",
            "licence": "Apache-2.0",
            "onnxruntime": version("onnxruntime"),
            "sha256": sha256(self._path),
        }

    @cached_property
    def _session(self) -> Any:
        return session(self._path)

    def predict(self, wave: Wave, sr: int) -> Posteriors:
        """Posteriors of a mono wave (n_samples,) of any rate in Hz and any length.

        Raises MetricError on an empty or non-finite wave.
        """
        low = librosa.resample(checked(wave), orig_sr=sr, target_sr=SR, res_type="soxr_hq")
        parts = [self.run(batch) for batch in batches(low)]
        n_frames = 1 + len(low) // HOP
        return Posteriors(*(np.concatenate(part)[:n_frames] for part in zip(*parts, strict=True)))

    def run(self, batch: NDArray[np.float32]) -> Posteriors:
        """Windows (n, WINDOW) as `batches` gives them -> n * KEPT frames."""
        names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
        found = self._session.run(names, {self._session.get_inputs()[0].name: batch[..., None]})
        return Posteriors(*(part[:, EDGE : EDGE + KEPT].reshape(-1, 88) for part in found))


def batches(wave: Wave) -> Iterator[NDArray[np.float32]]:
    """A wave (n_samples,) at 22,050 Hz -> windows (n, WINDOW), n up to BATCH.

    Windows begin every KEPT frames, a whole number of hops, the first EDGE frames before the wave;
    only their inner KEPT frames are used, so that joints are exact. There are as many windows as
    the wave has frames for.
    """
    n_windows = -(-(1 + len(wave) // HOP) // KEPT)
    padded = np.pad(wave, (EDGE * HOP, WINDOW))
    cut = itertools.islice(windows([padded], size=WINDOW, hop=KEPT * HOP), n_windows)
    while batch := list(itertools.islice(cut, BATCH)):
        yield np.stack(batch)
