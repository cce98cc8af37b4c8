"""Recordings: read, measure, cut, join and write.

Conventions: a wave is float32, full scale 1.0, shaped (n_channels, n_samples) in blocks and
(n_samples,) where it is mono. Everything works on streams of blocks, so that a recording of any
length needs the memory of a few blocks. Inside the package the rate is 44,100 Hz.
"""

import math
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile as sf
import soxr
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from thirdstream.files import ThirdstreamError, whole_file

SR = 44_100  # Hz
SEGMENT = 131_072  # samples: 2.97 s, the paper's segment
TARGET_RMS_DB = -20.0  # of the whole piece, full scale
SILENCE_DB = -80.0  # a piece whose RMS is below this is silent
BLOCK = 1 << 18  # samples read at a time
MIN_SR, MAX_SR, MAX_CHANNELS = 1_000, 1_000_000, 64  # of recordings that are read
MAX_PROMISED_S = 3_600  # seconds for which a header is given memory before they are read
UNKNOWN = (1 << 63) - 1  # libsndfile's number of samples where the header gives none
STREAMED = 0x7FFF_0000  # bytes of a WAV from which on its writer did not know how many would come
WAV_PLAIN = (1, 3, 0xFFFE)  # its kinds that have so many bytes a sample: integers and floats
MP3_BEGINS = re.compile(rb"\xff[\xe0-\xff]")  # a frame of MPEG audio
CANCELLED = 1e-4  # of one channel's power, -40 dB: what channels leave that cancel each other
SLACK_S = 0.25  # how much less than its header promises a recording may hold
LIMITER_S = 0.005  # look-ahead and release of the peak limiter

Wave = NDArray[np.float32]

# Sound inside these is left to PyAV; everything else is tried with libsndfile first.
VIDEO_SUFFIXES = frozenset(
    [".m4a", ".m4b", ".aac", ".mp4", ".mov", ".mkv", ".mka", ".webm", ".wma", ".avi", ".3gp"]
)
SOUND_SUFFIXES = frozenset(
    [".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"]
)
SUFFIXES = VIDEO_SUFFIXES | SOUND_SUFFIXES
# Playlists and the like, which name other files or hosts, are not among these.
AV_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,matroska,webm,aac,asf,avi,mp3,ogg,flac,wav,ac3,mpeg",
}
MAX_WAV_BYTES = 4_290_000_000  # what its 32-bit sizes can count, less the headers
WRITERS = {  # suffix: libsndfile's format, its encoding, highest peak (lossy codecs overshoot)
    ".wav": ("WAV", "PCM_24", 0.999),
    ".flac": ("FLAC", "PCM_24", 0.999),
    ".aiff": ("AIFF", "PCM_24", 0.999),
    ".ogg": ("OGG", "VORBIS", 0.84),
    ".mp3": ("MP3", "MPEG_LAYER_III", 0.84),
}


class AudioError(ThirdstreamError):
    """A recording that cannot be read or written."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: rate in Hz, channels, samples per channel (0: it does not say)."""

    sr: int
    n_channels: int
    n_samples: int


@dataclass(frozen=True)
class Level:
    """A measured recording: samples per channel, RMS over all channels, highest peak (full scale
    1), infinite where it was not measured.
    """

    n_samples: int
    rms: float
    peak: float = math.inf

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


def info(path: Path) -> AudioInfo:
    """Read the header; raises AudioError if the file is missing, empty or not audio."""
    if not path.is_file():
        raise AudioError(f"{path}: there is no such file; check the path")
    try:
        path.open("rb").close()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}); see who may") from error
    if not _is_for_av(path):
        header = sf.info(_native(path))
        n_samples = header.frames + _lacking(path)
        return _sane(AudioInfo(header.samplerate, header.channels, n_samples), path)
    try:
        with av.open(str(path), options=AV_OPTIONS) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: holds no sound; give a file with an audio track")
            stream = container.streams.audio[0]
            n_samples = int(_duration_s(container, stream) * stream.sample_rate)
            return _sane(AudioInfo(stream.sample_rate, stream.channels, n_samples), path)
    except (FFmpegError, ValueError, AttributeError) as error:  # no decoder: no sample_rate
        raise AudioError(
            f"{path}: is not audio in a format we know; "
            "convert it to WAV, FLAC, OGG, MP3, AIFF or M4A, or leave it out"
        ) from error


def _lacking(path: Path) -> int:
    """Samples that a WAV's header promises beyond the file's end, which libsndfile passes over."""
    align = 0  # bytes of all channels' one sample
    with path.open("rb") as file:
        start = file.read(12)
        while start[:4] + start[8:] == b"RIFFWAVE" and len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                n_bytes = path.stat().st_size - file.tell()
                known = align and size < STREAMED
                return max(0, size - n_bytes) // align if known else 0
            chunk = file.read(16) if head[:4] == b"fmt " else b""
            if int.from_bytes(chunk[:2], "little") in WAV_PLAIN:
                align = int.from_bytes(chunk[12:14], "little")
            file.seek(size + size % 2 - len(chunk), os.SEEK_CUR)
    return 0


def _duration_s(container: Any, stream: Any) -> Fraction:
    """How long the sound lasts by its own account, else the file's: a picture may outlast it."""
    own = (stream.duration or 0) * (stream.time_base or Fraction(0))
    return max(own, Fraction(0)) or Fraction(max(0, container.duration or 0), 1_000_000)


def _sane(header: AudioInfo, path: Path) -> AudioInfo:
    """The header, if it can be true: some rates turn a small file into hours of samples."""
    if not (MIN_SR <= header.sr <= MAX_SR and 1 <= header.n_channels <= MAX_CHANNELS):
        raise AudioError(
            f"{path}: has {header.n_channels} channels of {header.sr} Hz; from 1 to {MAX_CHANNELS} "
            f"of {MIN_SR:,} to {MAX_SR:,} Hz are read, convert it"
        )
    return header


def _native(path: Path) -> Any:
    """A name libsndfile can open, also where it is no text."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _is_for_av(path: Path) -> bool:
    """Whether libsndfile cannot open the file, or would stop where it guesses the end."""
    if path.suffix.lower() in VIDEO_SUFFIXES or not _promise_is_exact(path):
        return True
    try:
        return sf.info(_native(path)).frames == UNKNOWN  # it cannot read what does not say
    except sf.SoundFileError:
        return True


def blocks(path: Path, *, sr: int | None = SR, mono: bool = True) -> Iterator[Wave]:
    """Decode a recording piece by piece.

    sr: rate of the result in Hz (soxr, high quality), None for the file's own.
    mono: mix all channels in equal parts.

    Yields (n_channels, n_samples) blocks, none empty. Raises AudioError on a file that is missing,
    not audio, empty, cut short, damaged, or that holds NaN or infinite samples.
    """
    header = info(path)
    raw = _av_blocks(path, header) if _is_for_av(path) else _sf_blocks(path)
    stream = _checked(path, raw, header)
    if mono:
        stream = (mixed(block) for block in stream)
    if sr is not None and sr != header.sr:
        stream = resampled(
            stream, sr_in=header.sr, sr_out=sr, n_channels=1 if mono else header.n_channels
        )
    return stream


def mixed(block: Wave) -> Wave:
    """All channels in equal parts: (n_channels, n_samples) -> (1, n_samples). The first one where
    they cancel each other, as those of a microphone that was wired the wrong way round do.

    Row by row, for numpy takes twenty times as long over the mean of samples that lie interleaved.
    """
    if len(block) == 1:
        return block
    total = block[:1]
    for row in block[1:]:
        total = total + row
    total = total / np.float32(len(block))
    first = block[:1]
    return first if _power(total) < CANCELLED * _power(first) else total


def _power(row: Wave) -> float:
    return float(np.vdot(row, row))


def _sf_blocks(path: Path) -> Iterator[Wave]:
    with sf.SoundFile(_native(path)) as file:
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            yield np.asarray(block.T, np.float32)


def _av_blocks(path: Path, header: AudioInfo) -> Iterator[Wave]:
    with av.open(str(path), options=AV_OPTIONS) as container:
        resampler = AudioResampler(format="fltp")
        for frame in container.decode(audio=0):
            if (frame.sample_rate, len(frame.layout.channels)) != (header.sr, header.n_channels):
                raise AudioError(
                    f"{path}: changes its rate or channels on the way; convert it to WAV or FLAC"
                )
            for converted in resampler.resample(frame):
                yield np.asarray(converted.to_ndarray(), np.float32)
        for converted in resampler.resample(None):
            yield np.asarray(converted.to_ndarray(), np.float32)


def _checked(path: Path, stream: Iterator[Wave], header: AudioInfo) -> Iterator[Wave]:
    """Pass blocks on; turn every fault of decoding into an AudioError that says where."""
    n_read = 0
    try:
        for block in stream:
            finite = np.isfinite(block)
            if not finite.all():
                at_s = (n_read + int(np.argmin(finite.all(axis=0)))) / header.sr
                raise AudioError(
                    f"{path}: holds NaN or infinite samples, the first at {at_s:.3f} s; "
                    "export it again from the program that made it"
                )
            n_read += block.shape[1]
            yield block
    except (sf.SoundFileError, FFmpegError, ValueError) as error:
        raise AudioError(
            f"{path}: is damaged after {n_read / header.sr:.2f} s ({error}); fetch it again"
        ) from error
    if n_read == 0:
        raise AudioError(f"{path}: holds no samples; leave it out")
    if n_read < header.n_samples - SLACK_S * header.sr and _promise_is_exact(path):
        raise AudioError(
            f"{path}: ends after {n_read / header.sr:.2f} s of the "
            f"{header.n_samples / header.sr:.2f} s its header promises; "
            "fetch it again, or save what is there as a new file"
        )


def _promise_is_exact(path: Path) -> bool:
    """Whether the length in the header can be relied on: an MP3 without a Xing tag has a guess."""
    with path.open("rb") as file:
        start = file.read(10)
        if start[:3] == b"ID3":  # skip this tag; its size is four times seven bits
            bits = zip(start[6:], (21, 14, 7, 0), strict=False)
            file.seek(10 + sum((byte & 0x7F) << shift for byte, shift in bits))
        elif path.suffix.lower() != ".mp3" and not MP3_BEGINS.match(start):  # it may have no name
            return True
        frame = start + file.read(4096)
    return b"Xing" in frame or b"Info" in frame


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


def level_of(stream: Iterable[Wave]) -> Level:
    """The Level of a stream of (n_channels, n_samples) blocks."""
    n_samples, n_values, power, peak = 0, 0, 0.0, 0.0
    for block in stream:
        power += float(np.square(block, dtype=np.float64).sum())
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        n_samples += block.shape[1]
        n_values += block.size
    return Level(n_samples, math.sqrt(power / max(n_values, 1)), peak)


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
        if sf.info(_native(temporary)).frames < n_written:
            raise OSError(28, "no space left on the disk")
    return n_written
