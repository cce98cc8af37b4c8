"""Recordings written: whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

import soundfile as sf

from thirdstream.audio.decoding import AudioError, Wave, info
from thirdstream.files import whole_file

MAX_WAV_BYTES = 4_290_000_000  # what its 32-bit sizes can count, less the headers
WRITERS = {  # suffix: libsndfile's format, its encoding, highest peak (lossy codecs overshoot)
    ".wav": ("WAV", "PCM_24", 0.999),
    ".flac": ("FLAC", "PCM_24", 0.999),
    ".aiff": ("AIFF", "PCM_24", 0.999),
    ".ogg": ("OGG", "VORBIS", 0.84),
    ".mp3": ("MP3", "MPEG_LAYER_III", 0.84),
}


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
