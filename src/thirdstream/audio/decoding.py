"""From a file's bytes to samples: what its header says, and all the sound that is there.

Headers lie: recorders crash before they write a length, and recordings are joined end to end.
libsndfile stops where the header says, so it reads only WAV and OGG, and those once their headers
were checked against the file's bytes. PyAV (FFmpeg) reads everything else, to the end of the file.

A file is refused where it holds less than its header promises, or where sound in its middle is
damaged. Stray bytes, tags and zeros between or after the sound are passed over, as players do.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import soundfile as sf
from av.audio.resampler import AudioResampler
from av.error import FFmpegError, InvalidDataError, UndefinedError
from numpy.typing import NDArray

from thirdstream import shortage
from thirdstream.audio.mixing import mixed, spread
from thirdstream.files import MIDI_SUFFIXES, MUSICXML_SUFFIXES, ThirdstreamError

BLOCK = 1 << 18  # samples read at a time
MIN_SR, MAX_SR, MAX_CHANNELS = 1_000, 1_000_000, 64  # of recordings that are read
SLACK_S = 0.25  # seconds of sound whose loss is no fault: encoders' delays, scratches
STREAMED = 0x7FFF_0000  # bytes of a WAV from which on its writer did not know how many would come
OGG_LOST = 65_307  # bytes of the largest OGG page, after which FFmpeg looks for none
AC3_ERRORS = (InvalidDataError, UndefinedError)  # its decoder has numbers of its own
MAX_CHUNKS = 10_000  # after the sound of a WAV
MPEG = (0x50, 0x55)  # layers 2 and 3 in a WAV: libsndfile stops, and prints, where it is damaged
RIFF = (b"RIFF", b"RF64")
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")  # may follow the sound, and have any length
# Playlists and the like, which name other files or hosts, are not among these.
AV_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,matroska,webm,aac,asf,avi,mp3,ogg,flac,wav,ac3,mpeg,"
    "aiff,au,caf,w64",
}
GUESSES = ("mp3", "aac", "ac3", "mpeg")  # formats whose length FFmpeg guesses from the first frames
# Channels in the order of WAV (Rec. ITU-R BS.2051), where the file does not name them.
USUAL = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}

Wave = NDArray[np.float32]


class AudioError(ThirdstreamError):
    """A recording that cannot be read or written."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: rate in Hz, channels, samples per channel (0: it does not say).

    places: of the loudspeakers that the channels are for (FL: front left), of more than two.
    """

    sr: int
    n_channels: int
    n_samples: int
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Riff:
    """The sound in a WAV: where its bytes begin, how many the header promises, how many of them
    make one sample of all channels (0: its coding has no such number), and that coding.
    """

    start: int
    size: int
    align: int
    coding: int


def info(path: Path) -> AudioInfo:
    """Read the header; raises AudioError if the file is missing, empty or not audio."""
    try:  # in a folder that is closed, to ask for a file raises, too
        if not path.is_file():
            raise AudioError(f"{path}: there is no such file; check the path")
        path.open("rb").close()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}); see who may") from error
    _check_single(path)
    return _sane(_sf_info(path) if _is_plain(path) else _av_info(path), path)


def decoded(path: Path, header: AudioInfo) -> Iterator[Wave]:
    """All of a file's sound in blocks (n_channels, n_samples) at the rate of its header.

    A channel's samples lie side by side: numpy is ten times as quick with them as where channels
    are interleaved. Where the rate or the number of channels changes on the way, it is brought to
    the header's. Raises AudioError on what is not audio, empty, cut short, damaged, NaN or
    infinite, and where the file or its disk is gone on the way.
    """
    held, n_held = list[Wave](), 0
    parts = _checked(path, header)
    while (part := _next(parts, path)) is not None:  # of FFmpeg, frames of a thousand samples
        held.append(part)
        n_held += part.shape[1]
        if n_held >= BLOCK:
            yield _joined(held)
            held, n_held = [], 0
    if held:
        yield _joined(held)


def _next(parts: Iterator[Wave], path: Path) -> Wave | None:
    """The next part, None after the last. A fault of the system names the recording, for whoever
    writes a result meanwhile would take it for the result's; but for shortages, which are said
    as such.
    """
    try:
        return next(parts, None)
    except OSError as error:
        if shortage.said(error):
            raise
        raise AudioError(
            f"{path}: cannot be read to its end ({error.strerror or error}); see whether it and "
            "its disk are still there, then run the same command again"
        ) from error


def _joined(parts: list[Wave]) -> Wave:
    return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))


def _checked(path: Path, header: AudioInfo) -> Iterator[Wave]:
    """Its sound as it comes, with the faults that `decoded` names."""
    raw = _sf_blocks(path) if _is_plain(path) else _av_blocks(path, header)
    n_read = 0
    try:
        for block in raw:
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
        raise _damaged(path, n_read / header.sr, error) from error
    if n_read == 0:
        raise AudioError(f"{path}: holds no samples; leave it out")
    n_promised = _promised(path, header, n_read)
    if n_read < n_promised - SLACK_S * header.sr:
        raise AudioError(
            f"{path}: ends after {n_read / header.sr:.2f} s of the "
            f"{n_promised / header.sr:.2f} s its header promises; "
            "fetch it again, or save what is there as a new file"
        )


def _damaged(path: Path, after_s: float, error: Exception | str | None) -> AudioError:
    return AudioError(f"{path}: is damaged after {after_s:.2f} s ({error}); fetch it again")


def _unknown(path: Path) -> AudioError:
    if path.suffix.lower() in (*MIDI_SUFFIXES, *MUSICXML_SUFFIXES):
        return AudioError(
            f"{path}: is a score, no recording; `thirdstream arrange` plays scores, as jazz "
            "and as classical music"
        )
    return AudioError(
        f"{path}: is not audio in a format we know; "
        "convert it to WAV, FLAC, OGG, MP3, AIFF or M4A, or leave it out"
    )


def _sane(header: AudioInfo, path: Path) -> AudioInfo:
    """The header, if it can be true: some rates turn a small file into hours of samples."""
    if not (header.sr and header.n_channels):  # what FFmpeg says of a text that is called .flac
        raise _unknown(path)
    if not (MIN_SR <= header.sr <= MAX_SR and 1 <= header.n_channels <= MAX_CHANNELS):
        raise AudioError(
            f"{path}: has {header.n_channels} channels of {header.sr} Hz; from 1 to {MAX_CHANNELS} "
            f"of {MIN_SR:,} to {MAX_SR:,} Hz are read, convert it"
        )
    return header


# --- WAV and OGG, by libsndfile -------------------------------------------------------------------


def _native(path: Path) -> Any:
    """A name libsndfile can open, also where it is no text."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _is_plain(path: Path) -> bool:
    """Whether libsndfile reads it to its end: a WAV of one or two channels, a single OGG, or an
    AIFF, AU or CAF that FFmpeg cannot open.
    """
    sound = _riff(path)
    if sound and sound.coding in MPEG:
        return False
    if not (_n_past(path, sound) == 0 if sound else _is_single_ogg(path) or _is_rare(path)):
        return False
    try:
        return sf.info(_native(path)).channels <= 2
    except sf.SoundFileError:
        return False


def _is_single_ogg(path: Path) -> bool:
    """Whether it is a whole number of OGG pages, of one stream. (Of Vorbis, FFmpeg drops the first
    128 samples.)
    """
    n_bytes, begun = path.stat().st_size, False
    with path.open("rb") as file:
        while (head := file.read(27))[:4] == b"OggS" and len(head) == 27:
            if begun and head[5] & 2:  # another stream begins
                return False
            begun = True
            file.seek(sum(file.read(head[26])), os.SEEK_CUR)
        return begun and file.tell() == n_bytes and not head


def _sf_info(path: Path) -> AudioInfo:
    header, sound = sf.info(_native(path)), _riff(path)
    n_samples = header.frames
    if sound and sound.align and sound.size < STREAMED:  # libsndfile says what is there
        n_samples = max(n_samples, sound.size // sound.align)
    return AudioInfo(header.samplerate, header.channels, n_samples)


def _sf_blocks(path: Path) -> Iterator[Wave]:
    with sf.SoundFile(_native(path)) as file:
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            yield np.asarray(block.T, np.float32)


def _after_id3(file: BinaryIO) -> int:
    """Move to what comes after an ID3 tag at the beginning, if there is one; returns where."""
    start = file.read(10)
    bits = zip(start[6:], (21, 14, 7, 0), strict=False)  # its size is four times seven bits
    at = 10 + sum((byte & 0x7F) << shift for byte, shift in bits) if start[:3] == b"ID3" else 0
    return file.seek(at)


def _riff(path: Path) -> _Riff | None:
    """Where a WAV has its sound; None where it is none, or has none."""
    align, coding, n_large = 0, 0, 0
    with path.open("rb") as file:
        _after_id3(file)
        start = file.read(12)
        if start[:4] not in RIFF or start[8:] != b"WAVE":
            return None
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                size = n_large if n_large and size == 0xFFFF_FFFF else size
                return _Riff(file.tell(), size, align, coding)
            chunk = file.read(16) if name in (b"fmt ", b"ds64") else b""
            if name == b"fmt ":
                coding = int.from_bytes(chunk[:2], "little")
                align = int.from_bytes(chunk[12:14], "little") if coding in (1, 3, 0xFFFE) else 0
            if name == b"ds64":
                n_large = int.from_bytes(chunk[8:], "little")
            file.seek(size + size % 2 - len(chunk), os.SEEK_CUR)
    return None


def _n_past(path: Path, sound: _Riff) -> int:
    """Bytes after the promised sound that are neither chunks nor a tag: sound without a promise."""
    n_past = path.stat().st_size - sound.start - sound.size
    if sound.size == 0 or n_past <= 0:
        return max(n_past, 0)
    with path.open("rb") as file:
        is_sound = (
            n_past > SLACK_S * _bytes_per_s(file)
            and not _are_chunks(file, sound)
            and _holds_more_than_zeros(file, sound.start + sound.size)
        )
    return n_past if is_sound else 0


def _are_chunks(wav: BinaryIO, sound: _Riff) -> bool:
    """Whether chunks, or a tag, follow the sound to the end of the file. A byte fills each chunk of
    an odd size up; some programs leave it out.
    """
    n_bytes = wav.seek(0, os.SEEK_END)
    end = sound.start + sound.size
    ways, seen = [end, end + sound.size % 2], set[int]()
    while ways and len(seen) < MAX_CHUNKS:
        at = ways.pop()
        if n_bytes - 8 < at <= n_bytes + 1:
            return True
        if at in seen or at > n_bytes:
            continue
        seen.add(wav.seek(at))
        head = wav.read(8)
        if head.startswith(TAGS):
            return True
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name.isascii() and name.decode().isprintable():
            ways += [at + 8 + size, at + 8 + size + size % 2]
    return False


def _holds_more_than_zeros(file: BinaryIO, start: int) -> bool:
    file.seek(start)
    return any(part.strip(b"\0") for part in iter(lambda: file.read(1 << 20), b""))


def _bytes_per_s(wav: BinaryIO) -> int:
    """Of the sound, by the header."""
    wav.seek(0)
    _after_id3(wav)
    head = wav.read(4096)
    at = head.find(b"fmt ") + 16
    return int.from_bytes(head[at : at + 4], "little")


# --- everything else, by FFmpeg -------------------------------------------------------------------


def _av_open(path: Path) -> Any:
    options = dict(AV_OPTIONS)
    if _riff(path):  # its packets are small, and it would stop where the header says
        options |= {"ignore_length": "1", "max_size": str(BLOCK)}
    return av.open(f"file:{path}", options=options)  # else "Bach: Air.mp3" names a protocol


def _is_rare(path: Path) -> bool:
    """Whether it is of libsndfile's other formats, and nothing FFmpeg can open."""
    with path.open("rb") as file:
        _after_id3(file)
        if file.read(4) not in (b"FORM", b".snd", b"caff"):
            return False
    try:
        with _av_open(path) as container:
            return not container.streams.audio
    except (FFmpegError, ValueError):
        return True


def _track(container: Any, path: Path) -> Any:
    """The audio track that players play: the one marked as default, else the first."""
    track = container.streams.best("audio") or next(iter(container.streams.audio), None)
    if track is None:
        raise AudioError(f"{path}: holds no sound; give a file with an audio track")
    return track


def _av_info(path: Path) -> AudioInfo:
    try:
        with _av_open(path) as container:
            track = _track(container, path)
            places = _places(track.layout)
            known = container.format.name != "ogg" or _ends_in_a_page(path)
            n_samples = round(_duration_s(container, track) * track.sample_rate) if known else 0
            return AudioInfo(track.sample_rate, len(track.layout.channels), n_samples, places)
    except (FFmpegError, ValueError, AttributeError) as error:  # no decoder: no sample_rate
        raise _unknown(path) from error


def _ends_in_a_page(path: Path) -> bool:
    """Whether an OGG's last page is so near its end that FFmpeg finds it, and need not guess."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - OGG_LOST))
        return b"OggS" in file.read()


def _places(layout: Any) -> tuple[str, ...]:
    names = tuple(channel.name for channel in layout.channels)
    return USUAL.get(len(names), ()) if "NONE" in names else names


def _duration_s(container: Any, track: Any) -> Fraction:
    """How long the sound lasts by its own account, else the file's: a picture may outlast it."""
    own = (track.duration or 0) * (track.time_base or Fraction(0))
    return max(own, Fraction(0)) or Fraction(max(0, container.duration or 0), 1_000_000)


def _av_blocks(path: Path, header: AudioInfo) -> Iterator[Wave]:
    """Frame by frame, each at the rate and with the channels of the header."""
    with _av_open(path) as container:
        resampler, kind = None, None
        for frame in _frames(container, path):
            n_channels = len(frame.layout.channels)
            if kind != (frame.sample_rate, n_channels, frame.format.name):
                _sane(AudioInfo(frame.sample_rate, n_channels, 0), path)
                yield from _converted(resampler, None, header)
                kind = (frame.sample_rate, n_channels, frame.format.name)
                resampler = None
                if kind != (header.sr, n_channels, "fltp") or n_channels > 2:
                    # Interleaved, for PyAV reads beyond its memory where many channels lie apart.
                    resampler = AudioResampler(format="flt", layout=frame.layout, rate=header.sr)
            yield from _converted(resampler, frame, header)
        yield from _converted(resampler, None, header)


def _converted(resampler: AudioResampler | None, frame: Any, header: AudioInfo) -> Iterator[Wave]:
    """A frame, or with None what the resampler still holds, with the header's channels. What needs
    no resampler is at the header's rate."""
    for made in resampler.resample(frame) if resampler else [frame] if frame else []:
        block = np.asarray(made.to_ndarray(), np.float32)
        if not made.format.is_planar:
            block = block.reshape(-1, len(made.layout.channels)).T
        if len(block) != header.n_channels:  # it changes on the way
            one = mixed(block, places=_places(made.layout))
            block = spread(one, header.n_channels, places=header.places)
        if block.shape[1]:
            yield block


def _frames(container: Any, path: Path) -> Iterator[Any]:
    """All frames of the track. What is no sound is passed over, unless it is as long as SLACK_S
    and sound follows: then AudioError says where.
    """
    n_good, n_lost, done_s, next_s, tag_end, fault = 0, 0, 0.0, 0.0, 0, None
    no_sound = AC3_ERRORS if container.format.name == "ac3" else InvalidDataError
    for packet in _packets(container, path):
        if isinstance(packet, int):
            n_lost += packet
            continue
        try:
            frames = packet.decode()
        except no_sound as error:
            fault, data = error, bytes(packet)
            if any(tag in data for tag in TAGS):
                tag_end = (packet.pos or 0) + packet.size
            n_lost += packet.size if (packet.pos or 0) >= tag_end else 0
            continue
        if frames and n_lost:
            if done_s and n_lost * done_s > SLACK_S * n_good:
                raise _damaged(path, done_s, fault)
            n_lost = 0
        if next_s and _numbered_s(packet, container) > next_s + SLACK_S:
            raise _damaged(path, done_s, "blocks are missing")
        next_s = _numbered_s(packet, container) + sum(map(_length_s, frames))
        n_good += packet.size
        done_s += sum(map(_length_s, frames))
        yield from frames


def _length_s(frame: Any) -> float:
    return frame.samples / frame.sample_rate


def _numbered_s(packet: Any, container: Any) -> float:
    """When a block of a FLAC sounds by its own number, 0 of other formats: FFmpeg reads on after
    what is no block, and says nothing.
    """
    own = container.format.name == "flac" and packet.pts is not None
    return float(packet.pts * packet.time_base) if own else 0.0


def _packets(container: Any, path: Path) -> Iterator[Any]:
    """All packets of the track, and a number for so many bytes without sound that are in none: at
    OGG_LOST of them FFmpeg gives an OGG up, and goes on if it is asked again.
    """
    track = _track(container, path)
    for _ in range(2 + path.stat().st_size // OGG_LOST):
        try:
            yield from container.demux(track)
        except InvalidDataError:
            if container.format.name != "ogg":
                raise
            yield OGG_LOST
        else:
            return


# --- what headers promise -------------------------------------------------------------------------


def _check_single(path: Path) -> None:
    """Raise AudioError where a second WAV, AIFF, CAF or MP4 follows: players play the first.
    (FFmpeg reads on in the formats that are made for streams.)
    """
    seen: set[bytes] = set()
    for kind, at in _parts(path):
        if kind in seen:
            raise AudioError(
                f"{path}: holds a second recording, from byte {at:,} on; split the file"
            )
        seen |= {kind} & {b"WAVE", b"AIFF", b"AIFC", b"caff", b"ftyp"}


def _parts(path: Path) -> Iterator[tuple[bytes, int]]:
    """The outermost parts of a RIFF, AIFF, CAF or MP4: of which kind, and where they begin."""
    at, n_bytes, is_caf = 0, path.stat().st_size, False
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            if head[:4] in (b"RIFF", b"FORM"):
                order = "little" if head[:4] == b"RIFF" else "big"
                kind, size = head[8:12], 8 + int.from_bytes(head[4:8], order)
                size += size % 2
            elif head[:4] == b"caff":
                kind, size, is_caf = head[:4], 8, True
            elif is_caf:
                kind, size = head[:4], 12 + int.from_bytes(head[4:12], "big", signed=True)
            elif at or head[4:8] == b"ftyp":
                kind, size = head[4:8], int.from_bytes(head[:4], "big")
                size = int.from_bytes(head[8:], "big") if size == 1 else size
            else:
                return
            yield kind, at
            if not 8 <= size < n_bytes - at:  # it goes to the end, or says so
                return
            at = file.seek(at + size)


def _promised(path: Path, header: AudioInfo, n_read: int) -> int:
    """Samples that must be there by the header; 0 where it makes no promise."""
    by_bytes = _by_bytes(path, n_read)
    if _is_plain(path):
        return max(by_bytes, header.n_samples)
    with _av_open(path) as container:
        name = container.format.name
    if name in GUESSES:
        return _xing_promised(path, header, n_read)
    return by_bytes if name == "wav" else max(by_bytes, header.n_samples)


def _by_bytes(path: Path, n_read: int) -> int:
    """Samples that must be there by how many bytes a WAV, an AVI or a W64 says it has; 0 where all
    of these are there, or its writer did not know.
    """
    sound, n_bytes = _riff(path), path.stat().st_size
    with path.open("rb") as file:
        head = file.read(24)
    if sound:
        n_bytes, n_promised = n_bytes - sound.start, sound.size
    elif head[:4] == b"RIFF":
        n_promised = 8 + int.from_bytes(head[4:8], "little")
    else:
        n_promised = int.from_bytes(head[16:], "little") if head[:4] == b"riff" else 0
    return n_read * n_promised // n_bytes if n_bytes < n_promised < STREAMED else 0


def _xing_promised(path: Path, header: AudioInfo, n_read: int) -> int:
    """Samples that an MP3's first frame promises by its count of frames, else by its count of
    bytes; 0 where it has neither, and where all its bytes are there.
    """
    with path.open("rb") as file:
        start = _after_id3(file)
        head = file.read(4096)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0:
        return 0
    flags, *counts = struct.unpack(">III", head[at + 4 : at + 16].ljust(12, b"\0"))
    n_frames, n_bytes = [*counts, 0][:2] if flags & 1 else (0, counts[0])
    n_samples = n_frames * (1152 if header.sr >= 32_000 else 576)
    n_bytes *= flags >> 1 & 1
    if n_bytes and n_bytes <= path.stat().st_size - start:
        return 0
    return n_samples or n_read * n_bytes // (path.stat().st_size - start)
