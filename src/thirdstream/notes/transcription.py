"""Recording -> which pitches sound, and begin, at each moment -> notes.

The network is basic-pitch (Bittner et al., ICASSP 2022; Spotify, Apache-2.0): its nmp.onnx, from
the package that is installed beside this one, run by onnxruntime. The decoding is ours.
"""

import itertools
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.metadata import version
from typing import Any, NamedTuple

import librosa
import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import Wave, windows
from thirdstream.files import ThirdstreamError, sha256
from thirdstream.packages import INSTALL, MissingPackage, folder_of

SR, HOP = 22_050, 256  # Hz, samples
WINDOW = 43_844  # samples the network takes: 172 frames
EDGE = 15  # frames at each end of a window that are not used
KEPT = 142  # frames of a window that are
BATCH = 8  # windows
LOWEST = 21  # MIDI number of the first of 88 pitches
ONSET_AT, SOUNDS_AT = 0.5, 0.3  # posteriors from which a note begins, and sounds
GAP = 11  # frames (0.13 s) without sound that do not end a note
SHORTEST = 11  # frames; shorter notes are left out


class Posteriors(NamedTuple):
    """How sure the transcriber is, 0 to 1, (n_frames, 88): that a pitch sounds, that it begins.

    Frame t is centred on t * 256 / 22050 s; pitch k is MIDI number 21 + k.
    """

    sounds: NDArray[np.floating]
    begins: NDArray[np.floating]

    @property
    def roll(self) -> NDArray[np.bool_]:
        """The piano roll, (88, n_frames)."""
        return (self.sounds >= SOUNDS_AT).T


class Transcription(NamedTuple):
    """Notes in order of their onsets: intervals (n_notes, 2) in seconds, pitches (n_notes,) as MIDI
    numbers, and how sure each is on average while it sounds, 0 to 1."""

    intervals: NDArray[np.float64]
    pitches: NDArray[np.float64]
    sureness: NDArray[np.float64]


class Transcriber:
    """Hears notes in recordings. Raises MissingPackage without basic-pitch or onnxruntime."""

    def __init__(self) -> None:
        self._path = folder_of("basic_pitch") / "saved_models" / "icassp_2022" / "nmp.onnx"
        folder_of("onnxruntime")
        if not self._path.is_file():
            raise MissingPackage(f"{self._path}: is missing; type: {INSTALL['basic_pitch']}")

    def about(self) -> dict[str, str]:
        """Which package, and the SHA-256 of the weights, for the results."""
        return {
            "package": f"basic-pitch {version('basic-pitch')}",
            "onnxruntime": version("onnxruntime"),
            "sha256": sha256(self._path),
        }

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(
            str(self._path), options, providers=["CPUExecutionProvider"]
        )

    def listen(self, wave: Wave, sr: int) -> Posteriors:
        """Posteriors of a mono wave (n_samples,) of any rate in Hz and any length.

        Raises ThirdstreamError on an empty or non-finite wave.
        """
        if np.ndim(wave) != 1 or not len(wave) or not np.isfinite(wave).all():
            raise ThirdstreamError(
                f"the transcriber hears mono waves (n_samples,), not empty and without NaN "
                f"(got shape {np.shape(wave)}); mix and check it first"
            )
        low = librosa.resample(
            np.asarray(wave, np.float32), orig_sr=sr, target_sr=SR, res_type="soxr_hq"
        )
        parts = [self.run(batch) for batch in batches([low[None]])]
        n_frames = 1 + len(low) // HOP
        return Posteriors(*(np.concatenate(part)[:n_frames] for part in zip(*parts, strict=True)))

    def run(self, batch: NDArray[np.float32]) -> Posteriors:
        """Windows (n, WINDOW) as `batches` gives them -> n * KEPT frames."""
        names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
        found = self._session.run(names, {self._session.get_inputs()[0].name: batch[..., None]})
        return Posteriors(*(part[:, EDGE : EDGE + KEPT].reshape(-1, 88) for part in found))


def batches(stream: Iterable[Wave]) -> Iterator[NDArray[np.float32]]:
    """Blocks (1, n_samples) at 22,050 Hz -> windows (n, WINDOW), n up to BATCH.

    Windows begin every KEPT frames, a whole number of hops, the first EDGE frames before the
    recording; only their inner KEPT frames are used, so that joints are exact. Together these are
    all frames of the recording, and some of the silence after it.
    """
    before, after = (np.zeros((1, n), np.float32) for n in (EDGE * HOP, WINDOW))
    padded = itertools.chain([before], stream, [after])
    cut = (window[0] for window in windows(padded, size=WINDOW, hop=KEPT * HOP))
    while batch := list(itertools.islice(cut, BATCH)):
        yield np.stack(batch)


def notes_of(posteriors: Posteriors) -> Transcription:
    """Posteriors as notes.

    Each pitch by itself: it sounds from 0.3 on, and gaps up to 0.13 s are closed. A stretch of
    sound is cut where its onset posterior peaks at 0.5 or more; notes under 0.13 s are left out.
    """
    found: list[tuple[float, ...]] = []
    for pitch, (sounds, begins) in enumerate(
        zip(posteriors.sounds.T, posteriors.begins.T, strict=True)
    ):
        beside = np.pad(begins, 1)
        peaks = (begins >= ONSET_AT) & (begins > beside[:-2]) & (begins >= beside[2:])
        onsets = np.flatnonzero(peaks)
        for start, end in _stretches((sounds >= SOUNDS_AT) | peaks):
            inside = onsets[(onsets > start) & (onsets < end)].tolist()
            for first, last in itertools.pairwise([start, *inside, end]):
                if last - first >= SHORTEST:
                    sure = float(sounds[first:last].mean(dtype=np.float64))
                    found.append((first, last, LOWEST + pitch, sure))
    found.sort()
    rows = np.array(found, np.float64).reshape(-1, 4)
    return Transcription(rows[:, :2] * (HOP / SR), rows[:, 2], rows[:, 3])


def _stretches(sounds: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First frame and end of each run of True, runs joined over gaps of up to GAP frames."""
    edges = np.flatnonzero(np.diff(np.pad(sounds.astype(np.int8), 1)))
    joined: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if joined and start - joined[-1][1] <= GAP:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
