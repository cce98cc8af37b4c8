"""Recording -> which pitches sound, and begin, at each moment -> notes.

The network is ours: transcriber.onnx beside this file, run by onnxruntime. `recipes/transcriber.py`
trained it on rendered pieces, of which every note is known; no other transcriber had a part in it.
"""

import itertools
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import Wave, windows
from thirdstream.files import sha256
from thirdstream.notes.transcription.spectra import COLUMN, HOP, REACH, SR, columns
from thirdstream.packages import folder_of, onnxruntime

WEIGHTS = Path(__file__).parent / "transcriber.onnx"
CONTEXT = 7  # columns before and after one that an answer about it depends on
KEPT = 512  # frames of a window that are used: 6 s
EDGE = 2 * CONTEXT + REACH // HOP  # frames at each end of a window that are not
WINDOW = 2 * REACH + (KEPT // 2 + 2 * CONTEXT - 1) * COLUMN  # samples
LOWEST = 21  # MIDI number of the first of 88 pitches
ONSET_AT, SOUNDS_AT = 0.5, 0.3  # posteriors from which a note begins, and sounds
GAP = 11  # frames (0.13 s) without sound that do not end a note
SHORTEST = 11  # frames; shorter notes are left out
SURE_AT = 0.75  # of a note's sureness and half that of its beginning, from which it is believed

NOISE = 0.2  # share of what sounds that is notes, below which it is noise (applause: at most 0.13)
NOISE_S = 2.0  # seconds over which that is taken


class Posteriors(NamedTuple):
    """How sure a transcriber is, 0 to 1, (n_frames, 88): that a pitch sounds, that it begins.

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
    """Hears notes in recordings. Raises MissingPackage without onnxruntime."""

    def __init__(self) -> None:
        folder_of("onnxruntime")

    def about(self) -> dict[str, str]:
        """Version of what runs it, and the SHA-256 of the weights."""
        return {"onnxruntime": version("onnxruntime"), "sha256": sha256(WEIGHTS)}

    @cached_property
    def _session(self) -> Any:
        return session(WEIGHTS)

    def run(self, window: Wave) -> tuple[Posteriors, NDArray[np.float32]]:
        """A window (WINDOW,) as `cut` gives it -> its KEPT frames, and how sure it is, 0 to 1,
        (n_frames, 88), that the melody has a pitch."""
        seen = columns(window, KEPT // 2 + 2 * CONTEXT)
        found = self._session.run(None, {"columns": seen[None]})[0][0]  # (3, 88, n_frames)
        sounds, begins, leads = (part[:, 2 * CONTEXT :][:, :KEPT].T for part in found)
        return Posteriors(sounds, begins), leads


def session(path: Path) -> Any:
    """A network in an ONNX file, ready to be run on one thread."""
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
    before, after = (np.zeros((1, n), np.float32) for n in (EDGE * HOP, WINDOW))
    padded = itertools.chain([before], stream, [after])
    return (window[0] for window in windows(padded, size=WINDOW, hop=KEPT * HOP))


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


def onset_sureness(notes: Transcription, posteriors: Posteriors) -> NDArray[np.float64]:
    """How sure each note's beginning is, 0 to 1: the highest onset posterior around it."""
    frames = np.round(notes.intervals[:, 0] * (SR / HOP)).astype(int)
    keys = notes.pitches.astype(int) - LOWEST
    around = np.clip(frames[:, None] + np.arange(-3, 4), 0, len(posteriors.begins) - 1)
    return posteriors.begins[around, keys[:, None]].max(axis=1).astype(np.float64)


def sure_ones(notes: Transcription, posteriors: Posteriors) -> Transcription:
    """The notes without those of which neither sound nor beginning is sure, as noise has them."""
    sure = notes.sureness + onset_sureness(notes, posteriors) / 2 >= SURE_AT
    return Transcription(*(part[sure] for part in notes))


def amid_music(notes: Transcription, posteriors: Posteriors) -> Transcription:
    """The notes without those amid noise, such as applause: there, what sounds is spread over all
    pitches, and little of it is notes.
    """
    inside = np.zeros(posteriors.sounds.shape, bool)
    spans = np.round(notes.intervals * (SR / HOP)).astype(int)
    for (start, end), pitch in zip(spans, notes.pitches.astype(int), strict=True):
        inside[start:end, pitch - LOWEST] = True
    sounds = posteriors.sounds.astype(np.float32)
    total, of_notes = (
        np.pad(np.cumsum(part.sum(axis=1), dtype=np.float64), (1, 0))
        for part in (sounds, sounds * inside)
    )
    reach = round(NOISE_S / 2 * SR / HOP)
    middle = spans.mean(axis=1).astype(int)
    first, last = (np.clip(middle + side * reach, 0, len(sounds)) for side in (-1, 1))
    share = (of_notes[last] - of_notes[first]) / np.maximum(total[last] - total[first], 1e-9)
    return Transcription(*(part[share >= NOISE] for part in notes))


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
