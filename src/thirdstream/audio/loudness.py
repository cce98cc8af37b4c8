"""What surrounds a system: rate, loudness and dynamics of a result are those of its recording."""

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import BLOCK, SR, Level, Wave, dynamics
from thirdstream.audio.dynamics import Contour

N_MATCHES = 6  # times the result's loudness is measured and corrected
MATCHED_DB = 0.05  # near enough
TARGET_RMS = 10 ** (audio.TARGET_RMS_DB / 20)
LENGTH_BYTES = 8  # of a block that waits in a file
MAX_STEP_DB = 20.0  # the largest correction at once
Progress = Callable[[float], None]  # is told the share that is done, 0 to 1


def match_loudness(  # noqa: PLR0913  # what the recording, the system and the file are like
    restyle: Callable[[Iterable[Wave]], Iterator[Wave]],
    recording: Iterable[Wave],
    *,
    sr: int,
    n_channels: int,
    level: Level,
    ceiling: float,
    keeps_dynamics: bool = True,
    fades_ends: bool = False,
    blend: float = 0.0,
    spool_in: Path | None = None,
    progress: Progress = lambda share: None,
) -> Iterator[Wave]:
    """Restyle the blocks of a recording at 44.1 kHz and -20 dB, and undo both on the result.

    restyle: a system's stream. recording: blocks (n_channels, n_samples) of rate `sr`, of a known
    level, without DC offsets. keeps_dynamics, fades_ends: of the system. blend: the share of the
    recording that is mixed in. progress: a recording that was read, but not yet restyled, is half
    done.

    The result waits in a nameless file (in the folder `spool_in`, else the system's) until its own
    loudness is known: 10 MB a minute and channel. Yields exactly `level.n_samples` samples, no peak
    above `ceiling`.
    """
    if level.silent:
        yield from (np.zeros_like(block) for block in recording)
        return
    n_inside = math.ceil(level.n_samples * SR / sr)
    counted = _counting(2 * n_inside, progress)
    resampled = audio.resampled(recording, sr_in=sr, sr_out=SR, n_channels=n_channels)
    levelled = (block * np.float32(level.gain) for block in resampled)
    with (
        tempfile.TemporaryFile(dir=spool_in) as result_file,
        tempfile.TemporaryFile(dir=spool_in) as recording_file,
    ):
        before, after = Contour(), Contour()
        exactly = partial(audio.exactly, n_samples=n_inside, n_channels=n_channels)
        original = counted(before.of(exactly(levelled)))
        if blend:
            original = _spooled(original, recording_file)
        made = exactly(restyle(original))
        if fades_ends and keeps_dynamics:  # the others are faded as they follow the recording
            made = dynamics.faded(made, n_samples=n_inside)
        restyled = after.of(counted(made))
        measured = audio.level_of(_spooled(restyled, result_file))
        for _ in original:  # what the system did not ask for is kept too
            pass
        result = _Result(
            result_file, recording_file, n_channels, sr, measured, level, blend, ceiling
        )
        if not keeps_dynamics:
            result = result.with_dynamics(recording=before.powers, made=after.powers)
        yield from audio.ahead(result.finished(result.matching_gain()))


def _counting(n_samples: int, progress: Progress) -> Callable[[Iterable[Wave]], Iterator[Wave]]:
    """What blocks pass through, of one stream or several, to be counted together."""
    n_done: list[int] = []  # of each stream: they may be in different threads

    def counted(blocks: Iterable[Wave]) -> Iterator[Wave]:
        number = len(n_done)
        n_done.append(0)
        for block in blocks:
            n_done[number] += block.shape[1]
            progress(min(1.0, sum(n_done) / n_samples))
            yield block

    return counted


@dataclass(frozen=True)
class _Result:
    """What a system made, waiting in a file beside the recording, both at 44.1 kHz.

    level: its own; wanted: the recording's, at `sr`; blend: the share of the recording. gains: that
    restore the recording's dynamics, if they are to be restored.
    """

    file: IO[bytes]
    recording: IO[bytes]
    n_channels: int
    sr: int
    level: Level
    wanted: Level
    blend: float
    ceiling: float
    gains: NDArray[np.float64] | None = None

    def with_dynamics(
        self, *, recording: NDArray[np.float64], made: NDArray[np.float64]
    ) -> "_Result":
        """With the recording's dynamics, the level that it has with them, and, unless it is
        blended, the level that is wanted then. recording, made: powers, as `dynamics` has them."""
        gains = dynamics.gains(recording=recording, made=made)
        result = replace(self, gains=gains)
        result = replace(result, level=audio.level_of(result._inside()))
        if self.blend:
            return result
        share = dynamics.share(recording=recording, made=made * gains**2)
        wanted = replace(self.wanted, rms=self.wanted.rms * math.sqrt(share))
        return replace(result, wanted=wanted)

    def _inside(self) -> Iterator[Wave]:
        stream = _unspool(self.file, self.n_channels)
        if self.gains is None:
            return stream
        return dynamics.followed(stream, self.gains, n_samples=self.level.n_samples)

    def finished(self, gain: float) -> Iterator[Wave]:
        """Blended, at the recording's rate and length, `gain` times louder, its peaks limited."""
        inside = self._inside()
        if self.blend:
            inside = self._blended(inside)
        back = audio.resampled(inside, sr_in=SR, sr_out=self.sr, n_channels=self.n_channels)
        whole = audio.exactly(back, n_samples=self.wanted.n_samples, n_channels=self.n_channels)
        louder = (block * np.float32(gain) for block in whole)
        return audio.limited(louder, ceiling=self.ceiling, sr=self.sr)

    def _blended(self, restyled: Iterator[Wave]) -> Iterator[Wave]:
        """The result with a share of the recording, both at -20 dB."""
        gain = (1 - self.blend) * TARGET_RMS / self.level.rms if self.level.rms else 0.0
        recording = _unspool(self.recording, self.n_channels)
        both = (audio.windows(one, size=BLOCK, hop=BLOCK) for one in (restyled, recording))
        for block, own in zip(*both, strict=True):  # with silence at their end
            yield (gain * block + self.blend * own).astype(np.float32)

    def matching_gain(self) -> float:
        """The gain that brings the finished result to the wanted level, found by measuring it.

        It starts from the level before the limiter, and ends there where the peak is known and no
        limiter is reached. Where one is, what it took is given back, by the secant method in
        decibels.
        """
        raw = Level(self.level.n_samples, TARGET_RMS) if self.blend else self.level
        if raw.rms == 0:
            return 0.0
        peak = raw.peak if self.sr == SR else math.inf
        if peak * self.wanted.rms <= self.ceiling * raw.rms:
            return self.wanted.rms / raw.rms
        gain_db, measured = self.wanted.rms_db - raw.rms_db, []
        for _ in range(N_MATCHES):
            rms_db = audio.level_of(self.finished(10 ** (gain_db / 20))).rms_db
            if abs(self.wanted.rms_db - rms_db) < MATCHED_DB or math.isinf(rms_db):
                break
            measured.append((gain_db, rms_db))
            slope = 1.0  # of the measured level over the gain: less than 1 with a limiter
            if len(measured) > 1 and measured[-1][0] != measured[-2][0]:
                (gain_0, rms_0), (gain_1, rms_1) = measured[-2:]
                slope = min(max((rms_1 - rms_0) / (gain_1 - gain_0), 0.1), 1.0)
            gain_db += min((self.wanted.rms_db - rms_db) / slope, MAX_STEP_DB)
        return 10 ** (gain_db / 20)


def _spooled(stream: Iterable[Wave], file: IO[bytes]) -> Iterator[Wave]:
    """Pass blocks on, and keep them in the file, each behind its length."""
    for block in stream:
        file.write(block.shape[1].to_bytes(LENGTH_BYTES))
        file.write(np.ascontiguousarray(block, np.float32).data)
        yield block


def _unspool(file: IO[bytes], n_channels: int) -> Iterator[Wave]:
    """The same blocks again."""
    file.seek(0)
    while length := file.read(LENGTH_BYTES):
        n_samples = int.from_bytes(length)
        data = file.read(4 * n_channels * n_samples)
        yield np.frombuffer(data, np.float32).reshape(n_channels, n_samples)
