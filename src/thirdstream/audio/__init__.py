"""Recordings: read, measure, cut, join and write.

Conventions: a wave is float32, full scale 1.0, shaped (n_channels, n_samples) in blocks and
(n_samples,) where it is mono. Everything works on streams of blocks, so that a recording of any
length needs the memory of a few blocks. Inside the package the rate is 44,100 Hz.
"""

import math
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from thirdstream.audio.decoding import BLOCK, AudioError, Wave, decoded, info
from thirdstream.audio.mixing import mixed
from thirdstream.files import whole_file

SR = 44_100  # Hz
SEGMENT = 131_072  # samples: 2.97 s, the paper's segment
TARGET_RMS_DB = -20.0  # of the whole piece, full scale
SILENCE_DB = -80.0  # a piece whose RMS is below this is silent
MAX_PROMISED_S = 3_600  # seconds for which a header is given memory before they are read
OFFSET = 0.01  # of a channel's RMS: a DC offset of less is none
LIMITER_S = 0.005  # look-ahead and release of the peak limiter

VIDEO_SUFFIXES = frozenset(
    [".m4a", ".m4b", ".aac", ".mp4", ".mov", ".mkv", ".mka", ".webm", ".wma", ".avi", ".3gp"]
)
SOUND_SUFFIXES = frozenset(
    [".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"]
)
SUFFIXES = VIDEO_SUFFIXES | SOUND_SUFFIXES
MAX_WAV_BYTES = 4_290_000_000  # what its 32-bit sizes can count, less the headers
WRITERS = {  # suffix: libsndfile's format, its encoding, highest peak (lossy codecs overshoot)
    ".wav": ("WAV", "PCM_24", 0.999),
    ".flac": ("FLAC", "PCM_24", 0.999),
    ".aiff": ("AIFF", "PCM_24", 0.999),
    ".ogg": ("OGG", "VORBIS", 0.84),
    ".mp3": ("MP3", "MPEG_LAYER_III", 0.84),
}


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


def find_recordings(folder: Path) -> list[Path]:
    """All files below `folder` with an audio or video suffix, sorted; hidden ones are left out.

    Raises AudioError if it, or a folder inside, cannot be read.
    """

    def refused(error: OSError) -> None:
        raise AudioError(f"{error.filename}: cannot be read ({error.strerror}); see who may")

    found = []
    for place, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place) / name for name in names if not name.startswith("."))
        found += [path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()]
    return sorted(found)


def blocks(path: Path, *, sr: int | None = SR, mono: bool = True) -> Iterator[Wave]:
    """Decode a recording piece by piece.

    sr: rate of the result in Hz (soxr, high quality), None for the file's own.
    mono: mix all channels, see `mixed`.

    Yields (n_channels, n_samples) blocks, none empty. Raises AudioError on a file that is missing,
    not audio, empty, cut short, damaged, or that holds NaN or infinite samples.
    """
    header = info(path)
    stream = decoded(path, header)
    if mono:
        stream = (mixed(block, places=header.places) for block in stream)
    if sr is not None and sr != header.sr:
        stream = resampled(
            stream, sr_in=header.sr, sr_out=sr, n_channels=1 if mono else header.n_channels
        )
    return stream


def resampled(
    stream: Iterable[Wave], *, sr_in: int, sr_out: int, n_channels: int
) -> Iterator[Wave]:
    """Change the rate of a stream of (n_channels, n_samples) blocks with soxr."""
    if sr_in == sr_out:
        yield from stream
        return
    resampler = soxr.ResampleStream(sr_in, sr_out, n_channels, dtype="float32")
    for block in stream:
        for start in range(0, block.shape[1], BLOCK):  # soxr's output buffer is one block too
            out = resampler.resample_chunk(_interleaved(block[:, start : start + BLOCK]))
            if len(out):
                yield out.reshape(-1, n_channels).T
    out = resampler.resample_chunk(_interleaved(np.zeros((n_channels, 0), np.float32)), last=True)
    if len(out):
        yield out.reshape(-1, n_channels).T


def _interleaved(block: Wave) -> Wave:
    """(n_channels, n_samples) -> what soxr takes: (n_samples,) for one channel, else transposed."""
    return np.ascontiguousarray(block[0] if block.shape[0] == 1 else block.T)


def read(path: Path, *, sr: int | None = SR, mono: bool = True) -> tuple[Wave, int]:
    """Read a whole recording, held in memory once.

    Returns the wave, (n_samples,) if `mono` else (n_channels, n_samples), and its rate in Hz.
    Raises AudioError as `blocks` does.
    """
    header = info(path)
    rate = sr or header.sr
    promised = math.ceil(header.n_samples * rate / header.sr)
    capacity = min(promised, MAX_PROMISED_S * rate) + rate  # beyond, it grows with what is there
    wave = np.zeros((capacity, 1 if mono else header.n_channels), np.float32)
    n_read = 0
    for block in blocks(path, sr=sr, mono=mono):
        if n_read + block.shape[1] > len(wave):
            wave.resize((2 * (n_read + block.shape[1]), wave.shape[1]), refcheck=False)
        wave[n_read : n_read + block.shape[1]] = block.T
        n_read += block.shape[1]
    return (wave[:n_read, 0] if mono else wave[:n_read].T), rate


def measure(path: Path, *, mono: bool = True) -> Level:
    """Listen to a whole recording once: its length and its loudness. Raises AudioError."""
    return level_of(blocks(path, sr=None, mono=mono))


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
            self._power = self._power + np.square(block, dtype=np.float64).sum(axis=1)
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


def ahead(stream: Iterable[Wave], *, n_blocks: int = 4) -> Iterator[Wave]:
    """The same blocks, made in a thread of their own, up to `n_blocks` before they are asked for.

    It begins at once. Worth it where what makes them, or uses them, runs outside Python.
    """
    iterator, thread = iter(stream), ThreadPoolExecutor(1)

    def one() -> Wave | None:
        return next(iterator, None)

    made = deque(thread.submit(one) for _ in range(n_blocks))

    def asked() -> Iterator[Wave]:
        with thread:
            while (block := made.popleft().result()) is not None:
                made.append(thread.submit(one))
                yield block

    return asked()


def windows(stream: Iterable[NDArray], *, size: int, hop: int) -> Iterator[NDArray]:
    """Cut a stream along its last axis into overlapping windows of `size`, one every `hop`.

    The last window is filled up with zeros. A stream of n > 0 items gives
    1 + max(0, ceil((n - size) / hop)) windows.
    """
    buffer: NDArray | None = None
    for block in stream:
        buffer = block if buffer is None else np.concatenate([buffer, block], axis=-1)
        while buffer.shape[-1] > size:
            yield buffer[..., :size]
            buffer = buffer[..., hop:]
    if buffer is not None:
        n_missing = size - buffer.shape[-1]
        yield np.pad(buffer, [(0, 0)] * (buffer.ndim - 1) + [(0, n_missing)])


def overlap_add(stream: Iterable[NDArray], *, hop: int, margin: int = 0) -> Iterator[NDArray]:
    """Join windows made by `windows` again, with linear cross-fades that sum to one.

    margin: items at each inner end of a window that are not used at all.

    Yields arrays along the last axis: what went into `windows`, then its zeros at the end. Raises
    ValueError where more than two windows would overlap or the margins leave nothing to fade.
    """
    tail: NDArray | None = None
    for window in stream:
        overlap = window.shape[-1] - hop
        n_fade = overlap - 2 * margin
        if overlap > hop or n_fade < 0:
            raise ValueError(f"hop {hop} and margin {margin} do not suit {window.shape[-1]} items")
        joined = window
        if tail is not None:
            fade = np.linspace(0, 1, n_fade + 2, dtype=window.dtype)[1:-1]
            rise = np.concatenate([np.zeros(margin), fade, np.ones(margin)]).astype(window.dtype)
            head = tail * (1 - rise) + window[..., :overlap] * rise
            joined = np.concatenate([head, window[..., overlap:]], axis=-1)
        yield joined[..., :hop]
        tail = joined[..., hop:]
    if tail is not None and tail.shape[-1]:
        yield tail


def exactly(stream: Iterable[Wave], *, n_samples: int, n_channels: int) -> Iterator[Wave]:
    """Cut a stream of blocks, or fill it with silence, to exactly `n_samples`."""
    n_left = n_samples
    for block in stream:
        if n_left > 0:
            yield block[:, :n_left]
        n_left -= block.shape[1]
    while n_left > 0:
        yield np.zeros((n_channels, min(n_left, BLOCK)), np.float32)
        n_left -= BLOCK


def limited(stream: Iterable[Wave], *, ceiling: float, sr: int = SR) -> Iterator[Wave]:
    """Keep every sample within +-`ceiling` by turning the level down smoothly around peaks.

    The gain is the least that any sample within `LIMITER_S` needs, averaged over as long again, so
    it is never more than a sample needs: the bound is exact. Below the ceiling nothing changes.
    """
    reach = max(1, round(LIMITER_S * sr))
    buffer: Wave | None = None

    def turned_down(part: Wave) -> Wave:
        peak = np.abs(part).max(axis=0)
        if peak.max() <= ceiling:
            return part
        from scipy.ndimage import minimum_filter1d, uniform_filter1d  # half a second

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


def ceiling_of(path: Path) -> float:
    """The highest peak that is safe in a file of this name. Raises AudioError on other endings."""
    if path.suffix.lower() not in WRITERS:
        raise AudioError(
            f"{path}: cannot write '{path.suffix or 'no ending'}'; end the name in "
            + ", ".join(WRITERS)
        )
    return WRITERS[path.suffix.lower()][2]


def write(path: Path, stream: Iterable[Wave], *, sr: int, n_channels: int) -> int:
    """Write blocks as WAV (24-bit), FLAC, AIFF, OGG or MP3, by the name's ending.

    Returns the samples per channel. The file appears whole or not at all. Raises AudioError for an
    unknown ending, a rate or number of channels the format cannot hold, and a full disk.
    """
    ceiling_of(path)
    file_format, subtype, _ = WRITERS[path.suffix.lower()]
    n_written = 0
    compression = 0.2 if file_format in ("OGG", "MP3") else None  # 0: largest, 1: smallest
    with whole_file(path) as temporary:
        temporary.touch()  # so that the system says what is wrong with the place, if anything is
        try:
            with sf.SoundFile(
                str(temporary),
                "w",
                sr,
                n_channels,
                subtype,
                format=file_format,
                compression_level=compression,
            ) as file:
                for block in stream:
                    for start in range(0, block.shape[1], 1 << 16):
                        file.write(block[:, start : start + (1 << 16)].T)
                    n_written += block.shape[1]
                    if file_format == "WAV" and 3 * n_channels * n_written > MAX_WAV_BYTES:
                        raise AudioError(f"{path}: WAV holds 4 GB at most; choose .flac")
        except sf.SoundFileError as error:
            raise AudioError(
                f"{path}: cannot be written as {sr} Hz, {n_channels} channels ({error}); "
                "free some space, or choose .wav or .flac"
            ) from error
        if info(temporary).n_samples < n_written:
            raise OSError(28, "no space left on the disk")
    return n_written
