"""A published pitch tracker that measures melodies: SwiftF0 (Nieradzik 2025, arXiv 2508.18440).

The network and its code are those of the package swift-f0 (MIT), of the extra `adherence`. No
system is trained against it or uses it. It follows one voice: of an original in which none leads,
its answer is not used.
"""

import warnings
from functools import cached_property
from importlib.metadata import version
from typing import Any, NamedTuple

import mir_eval
import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import Wave
from thirdstream.evaluation.tagger import checked
from thirdstream.files import sha256
from thirdstream.packages import folder_of, onnxruntime

VOICED = 0.5  # the least confidence of a frame with a pitch, as its authors say
LOWEST_HZ = 196.0  # G3: what lies below is a bass more often than a melody
LEADS = 0.5  # the least share of such frames where one voice leads


class Track(NamedTuple):
    """Of each frame of 16 ms: its time in seconds, a pitch in Hz, and whether there is one."""

    times: NDArray[np.float64]
    hz: NDArray[np.float64]
    voiced: NDArray[np.bool_]

    @property
    def leads(self) -> bool:
        """Whether one voice leads: at least half of the frames have a pitch."""
        return bool(self.voiced.mean() >= LEADS)

    def signed(self) -> NDArray[np.float64]:
        """Pitches as mir_eval has them: negative where there is none."""
        return np.where(self.voiced, self.hz, -self.hz)


class MelodyScores(NamedTuple):
    """Shares from 0 to 1: raw pitch, raw chroma and overall accuracy."""

    rpa: float
    rca: float
    oa: float


class SwiftF0:
    """Tracks the pitch of recordings. Raises MissingPackage without swift-f0 or onnxruntime."""

    def __init__(self) -> None:
        self._path = folder_of("swift_f0") / "model.onnx"
        folder_of("onnxruntime")

    def about(self) -> dict[str, str]:
        """Which package, its licence, and the SHA-256 of the weights, for the results."""
        return {
            "package": f"swift-f0 {version('swift-f0')}",
            "licence": "MIT",
            "sha256": sha256(self._path),
        }

    @cached_property
    def _detector(self) -> Any:
        onnxruntime()  # is told to report nothing
        import swift_f0  # pyright: ignore[reportMissingImports]

        return swift_f0.SwiftF0(threads=1)

    def predict(self, wave: Wave, sr: int) -> Track:
        """The pitch of a mono wave (n_samples,) of any rate in Hz.

        Raises MetricError on an empty or non-finite wave.
        """
        found = self._detector.detect(checked(wave), sr, LOWEST_HZ)
        return Track(found.timestamps, found.pitch_hz, found.confidence >= VOICED)


def melody_scores(*, reference: Track, estimate: Track) -> MelodyScores:
    """How far two recordings have one melody, by frames of 16 ms; of one that has a voice.

    Raw pitch accuracy: the share of the reference's voiced frames whose pitch the estimate has
    within 50 cents. Raw chroma accuracy: the same in any octave. Overall accuracy: the share of all
    frames with the right pitch, or rightly with none. Range 0 to 1 (the same). Source: Salamon et
    al., Melody extraction from polyphonic music signals (2014); mir_eval.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one has no pitch at all, as noise
        found = mir_eval.melody.evaluate(
            reference.times, reference.signed(), estimate.times, estimate.signed()
        )
    names = ("Raw Pitch Accuracy", "Raw Chroma Accuracy", "Overall Accuracy")
    return MelodyScores(*(float(found[name]) for name in names))
