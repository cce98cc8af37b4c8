"""How reverberant a recording is: how soon and how far its tones fall when they end.

In a dry room a tone ends at once; in a hall it dies away. A linear regression
(`recipes/reverberation_weights.py`) takes the steepest falls of each pitch to the room's decay and
to its strength. It was fitted on music in drawn rooms, so that instruments which ring by themselves
tell little.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from thirdstream.audio import SR, Wave
from thirdstream.notes.styles.learned import Reverberation, middle_of

Array = NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "reverberation.json"
N_FFT, HOP_LENGTH = 4096, 512
PITCHES = range(55, 115)  # MIDI: 196 Hz to 5.9 kHz
LAGS = (4, 8, 12, 16, 24, 32, 48, 64)  # frames, 46 to 743 ms
PERCENTILES = (0.2, 1, 3, 10, 30)  # of how far levels fall in that time
N_FEATURES = len(LAGS) * len(PERCENTILES)
LOUD_DB, FLOOR_DB, QUIETEST_DB = 18, 55, 40  # below a pitch's loudest; of this below all others'
PART_S, MOST_PARTS = 20.0, 4  # of a recording that are described
SILENT = 1e-3  # share of the loudest part's power below which one tells nothing
DECAY_S, WET = (0.2, 3.0), (0.05, 0.7)  # the least and the most that is believed


def reverberation_of(wave: Wave) -> Reverberation:
    """Of a mono wave at 44.1 kHz: the median of up to MOST_PARTS parts of it, silent ones left out,
    or of the whole where it is shorter than one."""
    size = min(round(PART_S * SR), len(wave))
    n_parts = min(len(wave) // size, MOST_PARTS) if size else 1
    starts = np.linspace(0, len(wave) - size, n_parts).astype(int)
    parts = [wave[start : start + size] for start in starts]
    power = [float(np.square(part).sum(dtype=np.float64)) for part in parts]
    loud = [part for part, one in zip(parts, power, strict=True) if one >= SILENT * max(power)]
    return middle_of([estimated(falls(part)) for part in loud])


def estimated(described: Array) -> Reverberation:
    """From what `falls` gives."""
    mean, slopes = _weights()
    decay_s, wet = np.exp(mean + described @ slopes)
    return Reverberation(
        decay_s=round(float(np.clip(decay_s, *DECAY_S)), 2), wet=round(float(np.clip(wet, *WET)), 2)
    )


@lru_cache(1)
def _weights() -> tuple[Array, Array]:
    """Means (2,) and slopes (N_FEATURES, 2) of the logarithms of decay and strength."""
    found = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return np.array(found["mean"]), np.array(found["slopes"])


def falls(wave: Wave) -> Array:
    """(N_FEATURES,): percentiles of the change in dB after each of LAGS, over all moments at which
    a pitch is loud. 0 where nothing is."""
    levels = _levels(wave)
    top = np.percentile(levels, 99.5, axis=1, keepdims=True)
    top = np.maximum(top, top.max() - QUIETEST_DB)
    levels = np.maximum(levels, top - FLOOR_DB)
    found = []
    for lag in LAGS:
        before, after = levels[:, :-lag], levels[:, lag:]
        changes = (after - before)[before > top - LOUD_DB]
        found.append(np.percentile(changes if len(changes) else np.zeros(1), PERCENTILES))
    return np.concatenate(found)


def _levels(wave: Wave) -> Array:
    """(n_pitches, n_frames): the level in dB of the strongest bin of each pitch."""
    wave = np.pad(wave, (0, max(N_FFT + HOP_LENGTH * max(LAGS) - len(wave), 0)))
    window = np.hanning(N_FFT).astype(np.float32)
    frames = sliding_window_view(wave, N_FFT)[::HOP_LENGTH]
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1)))
    numbers = 69 + 12 * np.log2(np.fft.rfftfreq(N_FFT, 1 / SR)[1:] / 440)
    bins = [1 + np.flatnonzero(np.abs(numbers - pitch) <= 0.5) for pitch in PITCHES]
    return 10 * np.log10(np.stack([power[:, some].max(axis=1) for some in bins]) + 1e-7)
