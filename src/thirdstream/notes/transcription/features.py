"""Recording -> features of every frame, in one pass and flat memory.

An hour is about 180 MB: posteriors as float16, and a few numbers a frame.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.audio.melscale import mel_places_hz
from thirdstream.notes.transcription.spectra import HOP, SR, triangles
from thirdstream.notes.transcription.transcriber import EDGE, KEPT, Posteriors, Transcriber, cut
from thirdstream.notes.transcription.tuning import shares, tuning_of

FPS = SR / HOP  # frames a second: 86.1
N_FFT = 1024  # samples, 46 ms
N_MELS = 72
F_MIN, F_MAX = 40.0, 10_000.0  # Hz
COMPRESSION = 1000.0  # log(1 + this * magnitude): about as loudness
TUNED_ON = 10  # windows, a minute, by whose tuning all are transcribed
LOW_HZ = 180.0  # below it, bass and bass drum

Array = NDArray[np.float32]
fft: Any = scipy.fft  # its types are not those of arrays


@dataclass(frozen=True)
class FrameFeatures:
    """A recording, frame by frame; frame t is centred on t / FPS seconds.

    posteriors: of notes, float16. melody: (n_frames, 88), posterior of a pitch being the melody's,
    float16. flux: (n_frames,) how much louder its mel bands become, on average, compressed;
    bass_flux: of those below LOW_HZ. level: (n_frames,) RMS, full scale. tuning: semitones from
    A = 440 Hz, 0 where it is near (see `tuning`).
    """

    posteriors: Posteriors
    melody: NDArray[np.float16]
    flux: Array
    bass_flux: Array
    level: Array
    duration_s: float
    tuning: float = 0.0

    @property
    def n_frames(self) -> int:
        return len(self.flux)


def frame_features(
    blocks: Iterable[Wave], *, progress: Callable[[float], None] = lambda seconds: None
) -> FrameFeatures:
    """Features of a stream of (n_channels, n_samples) blocks at 44,100 Hz, of -20 dB RMS.

    What is transcribed lies around A = 440 Hz, or as far from it as the first minute does.
    progress: told the seconds done so far. Raises MissingPackage without the transcriber.
    """
    transcriber = Transcriber()
    recording = audio.Counted(blocks)
    mono = (audio.mixed(block) for block in recording)

    def features(window: Wave) -> tuple[NDArray[Any], ...]:
        posteriors, melody = transcriber.run(window, tuning=tuning)
        halves = (part.astype(np.float16) for part in (*posteriors, melody))
        return (*halves, *_spectral(window), _shares(window))

    windows = cut(audio.resampled(mono, sr_in=audio.SR, sr_out=SR, n_channels=1))
    first = list(itertools.islice(windows, TUNED_ON))
    tuning = tuning_of(np.concatenate([_shares(window) for window in first]))
    windows = itertools.chain(first, windows)
    columns: list[list[NDArray[Any]]] = [[] for _ in range(7)]
    for number, part in enumerate(audio.mapped(features, windows)):
        for column, one in zip(columns, part, strict=True):
            column.append(one)
        progress((number + 1) * KEPT / FPS)
    n_frames = 1 + math.ceil(recording.n_samples / audio.SR * FPS)

    def whole(column: list[NDArray[Any]]) -> NDArray[Any]:
        joined = np.concatenate(column)[:n_frames]
        column.clear()  # of an hour, both are 55 MB
        return joined

    notes, onsets, melody, flux, bass_flux, level, tuned = map(whole, columns)
    posteriors, duration_s = Posteriors(notes, onsets), recording.n_samples / audio.SR
    return FrameFeatures(posteriors, melody, flux, bass_flux, level, duration_s, tuning_of(tuned))


def _shares(window: Wave) -> NDArray[np.complex64]:
    """(1, 2): the `shares` of a window's KEPT frames."""
    return shares(window[EDGE * HOP :][: KEPT * HOP])[None]


@lru_cache(1)
def _bank() -> tuple[Array, int]:
    """Mel filters (n_bins, N_MELS) of equal area, and how many of them lie below LOW_HZ."""
    places_hz = mel_places_hz(N_MELS + 2, F_MIN, F_MAX)
    area = 2 / (places_hz[2:] - places_hz[:-2])
    bank = triangles(places_hz, N_FFT) * area[:, None].astype(np.float32)
    return bank.T, int((places_hz[1:-1] < LOW_HZ).sum())


def _spectral(wave: Wave) -> tuple[Array, Array, Array]:
    """A window (WINDOW,) -> flux, bass flux and level of its KEPT frames."""
    bank, n_low = _bank()
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    first = (EDGE - 1) * HOP - N_FFT // 2  # one frame earlier, to compare with
    frames = np.lib.stride_tricks.sliding_window_view(wave[first:], N_FFT)[::HOP][: KEPT + 1]
    spectrum = fft.rfft(frames * (window / (N_FFT / 2)))
    magnitude = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))
    mel = np.log1p(COMPRESSION * (magnitude @ bank))
    rise = np.maximum(np.diff(mel, axis=0), 0)
    level = np.sqrt(np.square(frames[1:]).mean(axis=1))
    return rise.mean(axis=1), rise[:, :n_low].mean(axis=1), level
