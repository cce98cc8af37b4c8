"""Recording -> note and onset posteriors, by a convolutional network.

The network is ours: transcriber.onnx beside this file, run by onnxruntime. `recipes/transcriber.py`
trained it on rendered pieces, of which every note is known; no other transcriber had a part in it.
"""

import itertools
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import Wave, windows
from thirdstream.files import sha256
from thirdstream.notes.transcription.spectra import COLUMN, HOP, REACH, columns
from thirdstream.packages import folder_of, onnxruntime

WEIGHTS = Path(__file__).parent / "transcriber.onnx"
CONTEXT = 7  # columns before and after one that an answer about it depends on
KEPT = 512  # frames of a window that are used: 6 s
EDGE = 2 * CONTEXT + REACH // HOP  # frames at each end of a window that are not
WINDOW = 2 * REACH + (KEPT // 2 + 2 * CONTEXT - 1) * COLUMN  # samples
SPARE = 4  # frames after the recording's last that are transcribed at least
LOWEST = 21  # MIDI number of the first of 88 pitches
NOTE_AT = 0.3  # posterior from which a note sounds


class Posteriors(NamedTuple):
    """Of each pitch at each frame, 0 to 1, (n_frames, 88): that it sounds, and that it begins.

    Frame t is centred on t * 256 / 22050 s; pitch k is MIDI number 21 + k.
    """

    notes: NDArray[np.floating]
    onsets: NDArray[np.floating]

    @property
    def roll(self) -> NDArray[np.bool_]:
        """The piano roll, (88, n_frames)."""
        return (self.notes >= NOTE_AT).T


class Transcriber:
    """The network that transcribes. Raises MissingPackage without onnxruntime."""

    def __init__(self) -> None:
        folder_of("onnxruntime")

    def about(self) -> dict[str, str]:
        """Version of what runs it, and the SHA-256 of the weights."""
        return {"onnxruntime": version("onnxruntime"), "sha256": sha256(WEIGHTS)}

    def run(self, window: Wave, *, tuning: float = 0.0) -> tuple[Posteriors, NDArray[np.float32]]:
        """A window (WINDOW,) as `cut` gives it -> posteriors of its KEPT frames, and of
        these pitches being the melody's, (n_frames, 88).

        tuning: semitones above A = 440 Hz.
        """
        spectra = columns(window, KEPT // 2 + 2 * CONTEXT, tuning=tuning)
        found = session(WEIGHTS).run(None, {"columns": spectra[None]})[0][0]  # (3, 88, n_frames)
        notes, onsets, melody = (part[:, 2 * CONTEXT :][:, :KEPT].T for part in found)
        return Posteriors(notes, onsets), melody


@lru_cache
def session(path: Path) -> Any:
    """A network in an ONNX file, ready to be run on one thread. One that was loaded stays so."""
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def cut(stream: Iterable[Wave]) -> Iterator[Wave]:
    """Blocks (1, n_samples) at 22,050 Hz -> windows (WINDOW,).

    Windows begin every KEPT frames, the first EDGE frames before the recording; only their inner
    KEPT frames are used, so that joints are exact. Together these are all frames of the recording,
    and some of the silence after it.
    """
    n_after = WINDOW - (EDGE + KEPT - SPARE) * HOP
    before, after = (np.zeros((1, n), np.float32) for n in (EDGE * HOP, n_after))
    padded = itertools.chain([before], stream, [after])
    return (window[0] for window in windows(padded, size=WINDOW, hop=KEPT * HOP))
