"""How loud a recording is, and keeping it within full scale."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from thirdstream.audio.decoding import Wave
from thirdstream.audio.streams import SR

TARGET_RMS_DB = -20.0  # of the whole piece, full scale
SILENCE_DB = -80.0  # a piece whose RMS is below this is silent
OFFSET = 0.01  # of a channel's RMS: a DC offset of less is none
LIMITER_S = 0.005  # look-ahead and release of the peak limiter


@dataclass(frozen=True)
class Level:
    """A measured recording: samples per channel, RMS over all channels, highest peak (full scale
    1), infinite where it was not measured, and each channel's DC offset (none: 0), which is not
    counted in the others.
    """

    n_samples: int
    rms: float
    peak: float = math.inf
    offsets: tuple[float, ...] = ()

    @property
    def rms_db(self) -> float:
        """RMS in dB, full scale; -inf for digital silence."""
        return 20 * math.log10(self.rms) if self.rms > 0 else -math.inf

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear, so nothing that could be normalised."""
        return self.rms_db < SILENCE_DB

    @property
    def gain(self) -> float:
        """The factor that brings the piece to -20 dB (paper, section 2.1)."""
        return 10 ** (TARGET_RMS_DB / 20) / self.rms


class Meter:
    """Measures the blocks (n_channels, n_samples) that pass through it.

    A departure from the paper, which does not name it: a DC offset is no part of the loudness.
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self._power = self._sum = np.zeros(1)
        self._low, self._high = np.full(1, np.inf), np.full(1, -np.inf)

    def of(self, stream: Iterable[Wave]) -> Iterator[Wave]:
        """Pass blocks on."""
        for block in stream:
            self.n_samples += block.shape[1]
            self._power = self._power + np.einsum("cs,cs->c", block, block, dtype=np.float64)
            self._sum = self._sum + block.sum(axis=1, dtype=np.float64)
            self._low = np.minimum(self._low, block.min(axis=1))
            self._high = np.maximum(self._high, block.max(axis=1))
            yield block

    @property
    def level(self) -> Level:
        """Of all that has passed so far."""
        power, offsets = (part / max(self.n_samples, 1) for part in (self._power, self._sum))
        offsets = np.where(np.abs(offsets) > OFFSET * np.sqrt(power), offsets, 0.0)
        rms = math.sqrt(max(0.0, float(np.mean(power - offsets**2))))
        peak = max(0.0, float(np.maximum(self._high - offsets, offsets - self._low).max()))
        return Level(self.n_samples, rms, peak, tuple(offsets.tolist()) if offsets.any() else ())


def level_of(stream: Iterable[Wave]) -> Level:
    """The Level of a stream of (n_channels, n_samples) blocks."""
    meter = Meter()
    for _ in meter.of(stream):
        pass
    return meter.level


def centred(stream: Iterable[Wave], level: Level) -> Iterator[Wave]:
    """The stream of which `level` was measured, without its DC offsets."""
    offsets = np.array(level.offsets, np.float32)[:, None]
    return (block - offsets for block in stream) if len(offsets) else iter(stream)


def limited(stream: Iterable[Wave], *, ceiling: float, sr: int = SR) -> Iterator[Wave]:
    """Keep every sample within +-`ceiling` by turning the level down smoothly around peaks.

    The gain is the least that any sample within `LIMITER_S` needs, averaged over as long again, so
    it is never more than a sample needs: the bound is exact. Below the ceiling nothing changes.
    """
    reach = max(1, round(LIMITER_S * sr))
    buffer: Wave | None = None

    def turned_down(part: Wave) -> Wave:
        if max(part.max(), -part.min()) <= ceiling:
            return part
        from scipy.ndimage import minimum_filter1d, uniform_filter1d  # half a second

        peak = np.abs(part).max(axis=0)
        needed = np.minimum(1.0, ceiling / np.maximum(peak, 1e-9))
        lowest = minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
        gain = uniform_filter1d(lowest, 2 * reach + 1, mode="nearest")
        return np.clip(part * gain, -ceiling, ceiling).astype(np.float32)  # clip: rounding only

    for block in stream:
        if buffer is None:
            buffer = np.zeros((block.shape[0], 2 * reach), np.float32)
        buffer = np.concatenate([buffer, block], axis=1)
        if buffer.shape[1] > 4 * reach:
            yield turned_down(buffer)[:, 2 * reach : -2 * reach]
            buffer = buffer[:, -4 * reach :]
    if buffer is not None:
        rest = turned_down(np.pad(buffer, [(0, 0), (0, 2 * reach)]))[:, 2 * reach : -2 * reach]
        if rest.shape[1]:
            yield rest
