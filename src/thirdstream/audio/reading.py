"""Recordings read, in blocks or whole, at any rate."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soxr

from thirdstream.audio.decoding import BLOCK, AudioError, Wave, decoded, info
from thirdstream.audio.level import Level, Meter, level_of
from thirdstream.audio.mixing import mixed
from thirdstream.audio.streams import SR, ahead
from thirdstream.files import ThirdstreamError, files_below

HELD = 1 << 25  # samples that are held rather than decoded twice: 6 minutes of stereo
MAX_PROMISED_S = 3_600  # seconds for which a header is given memory before they are read
VIDEO_SUFFIXES = frozenset(
    [".m4a", ".m4b", ".aac", ".mp4", ".mov", ".mkv", ".mka", ".webm", ".wma", ".avi", ".3gp"]
)
SOUND_SUFFIXES = frozenset(
    [".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"]
)
SUFFIXES = VIDEO_SUFFIXES | SOUND_SUFFIXES


def find_recordings(folder: Path) -> list[Path]:
    """All files below `folder` with an audio or video suffix, sorted; hidden ones are left out.

    Raises AudioError if it, or a folder inside, cannot be read.
    """
    try:
        return files_below(folder, SUFFIXES)
    except ThirdstreamError as error:
        raise AudioError(str(error)) from error


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
                yield np.ascontiguousarray(out.reshape(-1, n_channels).T)
    out = resampler.resample_chunk(_interleaved(np.zeros((n_channels, 0), np.float32)), last=True)
    if len(out):
        yield np.ascontiguousarray(out.reshape(-1, n_channels).T)


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


def middle_start(path: Path, seconds: float) -> int:
    """The first sample, at 44.1 kHz, of the middle `seconds` of a recording. Raises AudioError."""
    header = info(path)
    n_samples = header.n_samples or measure(path).n_samples
    return max(0, (n_samples * SR // header.sr - round(seconds * SR)) // 2)


def middle(path: Path, seconds: float, *, mono: bool = True) -> Wave:
    """The middle `seconds` of a recording, all of a shorter one: (n_channels, n_samples), 44.1 kHz.

    Raises AudioError as `blocks` does.
    """
    start = middle_start(path, seconds)
    end, at, parts = start + round(seconds * SR), 0, []
    for block in blocks(path, mono=mono):
        parts.append(block[:, max(0, start - at) : max(0, end - at)])
        at += block.shape[1]
        if at >= end:
            break
    return np.concatenate(parts, axis=1)


def measure(path: Path, *, mono: bool = True) -> Level:
    """Listen to a whole recording once: its length and its loudness. Raises AudioError."""
    return level_of(blocks(path, sr=None, mono=mono))


def measured(path: Path, *, sr: int | None = SR, mono: bool = True) -> tuple[Level, Iterator[Wave]]:
    """A recording's level, and then itself as `blocks` gives it.

    It is decoded once and held in memory, or twice where it has more than HELD samples; ahead, in
    a thread of its own. Raises AudioError.
    """
    meter, held, n_held = Meter(), deque[Wave](), 0
    for block in meter.of(ahead(blocks(path, sr=None, mono=mono))):
        held.append(block)
        n_held += block.size
        if n_held > HELD:
            held.clear()
    if n_held > HELD:
        return meter.level, ahead(blocks(path, sr=sr, mono=mono))
    own, n_channels = info(path).sr, len(held[0])
    again = (held.popleft() for _ in range(len(held)))
    return meter.level, resampled(again, sr_in=own, sr_out=sr or own, n_channels=n_channels)
