"""The sounds of a listening test: excerpts, the anchor, and one loudness for all.

Waves are (n_channels, n_samples) at 44.1 kHz; one or two channels.
"""

import hashlib
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy import signal

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.files import ThirdstreamError

LOUDNESS_LUFS = -23.0  # EBU R 128: no sound needs its peaks limited for it
PASSED_HZ, STOPPED_HZ, STOPPED_DB = 3_500.0, 3_900.0, 60.0  # BS.1534-3 asks 25 dB at 4 kHz
FADE_S = 0.02  # at both ends: an excerpt begins anywhere
LEAST_S = 0.5  # what a loudness can be measured of


def excerpt(path: Path, seconds: float) -> Wave:
    """The middle `seconds` of a recording, all of a shorter one, faded in and out.

    Raises AudioError where it cannot be read, and ThirdstreamError where it is too short.
    """
    wave = audio.middle(path, seconds, mono=audio.info(path).n_channels > 2)
    if wave.shape[1] < LEAST_S * SR:
        raise ThirdstreamError(
            f"{path}: lasts {wave.shape[1] / SR:.1f} s, which is too short; give {LEAST_S} s"
        )
    return faded(wave)


def faded(wave: Wave) -> Wave:
    """A wave whose ends are silent."""
    ramp = np.linspace(0, 1, round(FADE_S * SR), dtype=np.float32)
    shape = np.ones(wave.shape[1], np.float32)
    shape[: len(ramp)] = ramp
    shape[-len(ramp) :] = ramp[::-1]
    return wave * shape


@cache
def _low_pass() -> NDArray[np.float64]:
    n_taps, beta = signal.kaiserord(STOPPED_DB, (STOPPED_HZ - PASSED_HZ) / (SR / 2))
    middle = (PASSED_HZ + STOPPED_HZ) / 2
    window: Any = ("kaiser", beta)  # its stubs know names alone
    return np.asarray(signal.firwin(n_taps | 1, middle, window=window, fs=SR))


def anchor(wave: Wave) -> Wave:
    """The low anchor of MUSHRA: what lies above 3.5 kHz is gone, in phase with the original."""
    taps = _low_pass()[None]
    return signal.fftconvolve(wave, taps, mode="same", axes=1).astype(np.float32)


def loudness_of(wave: Wave) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); -inf of silence."""
    meter = pyloudnorm.Meter(SR)
    with np.errstate(divide="ignore"):
        return float(meter.integrated_loudness(wave.T.astype(np.float64)))


def as_loud(wave: Wave) -> Wave:
    """A wave at LOUDNESS_LUFS; what is silent stays so."""
    found = loudness_of(wave)
    gain = 10 ** ((LOUDNESS_LUFS - found) / 20) if math.isfinite(found) else 1.0
    return wave * np.float32(gain)


def digest(wave: Wave) -> str:
    """A hash of the samples: who has the written file alone cannot tell it."""
    return hashlib.sha256(np.ascontiguousarray(wave).tobytes()).hexdigest()


def write(path: Path, wave: Wave) -> None:
    """Write a sound as loud as all others. Raises ThirdstreamError where it cannot be written."""
    limited = audio.limited([as_loud(wave)], ceiling=audio.ceiling_of(path))
    audio.write(path, limited, sr=SR, n_channels=len(wave))
