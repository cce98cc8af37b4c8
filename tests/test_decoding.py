"""Files whose headers lie, that were joined, or that hold more than sound: all of it is read, or it
is said what is not."""

import struct
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf

from conftest import tone
from thirdstream import audio
from thirdstream.audio import SR, AudioError

N_S = 4  # seconds of each recording
JOINED = [".mp3", ".ogg", ".opus", ".flac", ".aac", ".mka"]


def encoded(folder: Path, suffix: str, hz: float) -> bytes:
    """N_S of a tone, as a file's bytes."""
    path, wave = folder / f"{hz:.0f}{suffix}", tone(N_S * SR, hz=hz)
    if suffix in (".opus", ".aac", ".mka", ".m4a", ".caf", ".au"):
        codec = {".opus": "libopus", ".caf": "pcm_s16be", ".au": "pcm_s16be"}.get(suffix, "aac")
        write_tracks(path, [wave], codec=codec)
    else:
        sf.write(path, wave, SR)
    return path.read_bytes()


def write_tracks(path: Path, waves: list[np.ndarray], *, codec: str, default: int = 0) -> None:
    """Each wave (n_samples,) as a track of its own; `default` is the one players choose."""
    rate = 48_000 if codec == "libopus" else SR
    with av.open(str(path), "w", format="adts" if path.suffix == ".aac" else None) as container:
        tracks = [container.add_stream(codec, rate=rate, layout="mono") for _ in waves]
        if len(waves) > 1:
            for number, track in enumerate(tracks):
                track.disposition = av.stream.Disposition.default * int(number == default)
        for wave, track in zip(waves, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            frame.sample_rate = SR
            container.mux([*track.encode(frame), *track.encode(None)])


def write_layout(path: Path, codec: str, layout: str, *, format: str | None = None) -> None:
    """N_S of a tone of 440 Hz in the front pair, or in all of one or two channels."""
    layout = {"1c": "mono", "2c": "stereo"}.get(layout, layout)
    with av.open(str(path), "w", format=format) as container:
        track = container.add_stream(codec, rate=SR, layout=layout)
        assert isinstance(track, av.AudioStream)
        wave = np.zeros((len(track.layout.channels), N_S * SR), np.float32)
        wave[:2] = tone(N_S * SR, hz=440)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
        frame.sample_rate = SR
        container.mux([*track.encode(frame), *track.encode(None)])


def pitch(wave: np.ndarray) -> float:
    """The loudest frequency of a second and a half in Hz."""
    middle = len(wave) // 2
    part = wave[middle - 3 * SR // 4 : middle + 3 * SR // 4]
    return float(np.argmax(np.abs(np.fft.rfft(part))) / 1.5)


def assert_holds(path: Path, pitches: list[float]) -> None:
    """That the recording is one tone after the other, N_S each, give or take an encoder's delay."""
    wave, _ = audio.read(path)
    assert len(wave) == pytest.approx(len(pitches) * N_S * SR, abs=0.15 * SR)
    for part, hz in zip(np.array_split(wave, len(pitches)), pitches, strict=True):
        assert pitch(part) == pytest.approx(hz, abs=2)
        assert np.quantile(np.abs(part), 0.98) == pytest.approx(0.1, abs=0.01)


# --- joined end to end ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", JOINED)
def test_recordings_joined_end_to_end_are_read_to_the_end(tmp_path: Path, suffix: str) -> None:
    whole = encoded(tmp_path, suffix, 440) + encoded(tmp_path, suffix, 660)
    (tmp_path / f"joined{suffix}").write_bytes(whole)
    assert_holds(tmp_path / f"joined{suffix}", [440, 660])


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".caf", ".m4a"])
def test_two_recordings_of_which_players_play_one_are_refused(tmp_path: Path, suffix: str) -> None:
    first = encoded(tmp_path, suffix, 440)
    (tmp_path / f"joined{suffix}").write_bytes(first + encoded(tmp_path, suffix, 660))
    with pytest.raises(AudioError, match=rf"a second recording, from byte {len(first):,} on"):
        audio.read(tmp_path / f"joined{suffix}")


@pytest.mark.parametrize(("sr", "n_channels"), [(48_000, 1), (22_050, 1), (SR, 2), (48_000, 2)])
@pytest.mark.parametrize("mono_first", [True, False])
def test_rate_and_channels_may_change_on_the_way(
    tmp_path: Path, sr: int, n_channels: int, mono_first: bool
) -> None:
    """As in a recorded radio stream. The level stays."""
    sf.write(tmp_path / "a.mp3", tone(N_S * SR), SR)
    wave = np.stack([tone(N_S * sr, hz=660, sr=sr)] * n_channels, axis=1)
    sf.write(tmp_path / "b.mp3", wave, sr)
    names, pitches = ["a.mp3", "b.mp3"], [440.0, 660.0]
    if not mono_first:
        names, pitches = names[::-1], pitches[::-1]
    (tmp_path / "radio.mp3").write_bytes(b"".join((tmp_path / n).read_bytes() for n in names))
    assert_holds(tmp_path / "radio.mp3", pitches)


# --- headers that lie -----------------------------------------------------------------------------


def xing(data: bytes, *, flags: int | None = None, n_frames: int | None = None) -> bytes:
    """An MP3 whose first frame says something else; flags 1: a count of frames, 2: of bytes."""
    at = max(data.find(b"Xing"), data.find(b"Info"))
    assert at > 0 and data[at + 7] & 3 == 3
    changed = bytearray(data)
    if flags is not None:
        changed[at + 7] = flags
    if n_frames is not None:
        changed[at + 8 : at + 12] = n_frames.to_bytes(4, "big")
    return bytes(changed)


@pytest.mark.parametrize(
    "change",
    [{"n_frames": 0}, {"n_frames": 40}, {"n_frames": 400}, {"n_frames": 1 << 31},
     {"flags": 0}, {"flags": 2}, {"flags": 12}, {"flags": 1, "n_frames": 40}],
)  # fmt: skip
def test_an_mp3_is_read_to_its_end_whatever_its_count_of_frames(
    tmp_path: Path, change: dict[str, int]
) -> None:
    (tmp_path / "a.mp3").write_bytes(xing(encoded(tmp_path, ".mp3", 440), **change))
    assert_holds(tmp_path / "a.mp3", [440])


@pytest.mark.parametrize("flags", [1, 2, 3])
def test_half_an_mp3_is_noticed_by_either_count(tmp_path: Path, flags: int) -> None:
    data = encoded(tmp_path, ".mp3", 440)
    at = max(data.find(b"Xing"), data.find(b"Info"))
    if flags == 2:  # the count of bytes comes first, where there is none of frames
        data = data[: at + 8] + data[at + 12 : at + 16] + bytes(4) + data[at + 16 :]
    (tmp_path / "a.mp3").write_bytes(xing(data, flags=flags)[: len(data) // 2])
    with pytest.raises(AudioError, match=r"ends after \d\.\d\d s of the [34]\.\d\d s its header"):
        audio.read(tmp_path / "a.mp3")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("share", [0, 0.5, 0.9])
def test_a_wav_whose_recorder_crashed_is_read_to_its_end(
    tmp_path: Path, subtype: str, share: float
) -> None:
    """It counted nothing, or not all, of what it wrote."""
    sf.write(tmp_path / "a.wav", np.stack([tone(N_S * SR)] * 2, axis=1), SR, subtype=subtype)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.find(b"data") + 4
    size = struct.unpack("<I", data[at : at + 4])[0]
    data[at : at + 4] = struct.pack("<I", int(share * size) // 24 * 24)
    data[4:8] = bytes(4) if share == 0 else data[4:8]
    (tmp_path / "a.wav").write_bytes(data)
    assert_holds(tmp_path / "a.wav", [440])


def test_a_flac_that_counts_too_few_samples_is_read_to_its_end(tmp_path: Path) -> None:
    data = bytearray(encoded(tmp_path, ".flac", 440))
    data[22:26] = (SR).to_bytes(4, "big")
    (tmp_path / "a.flac").write_bytes(data)
    assert_holds(tmp_path / "a.flac", [440])


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".flac", ".au"])
def test_half_a_file_whose_header_counts_is_refused(tmp_path: Path, suffix: str) -> None:
    data = encoded(tmp_path, suffix, 440)
    (tmp_path / f"a{suffix}").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"ends after [12]\.\d\d s of the 4\.00 s its header"):
        audio.read(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("suffix", "codec", "n_channels"),
    [
        (".wav", "pcm_s16le", 6), (".wav", "pcm_alaw", 1), (".wav", "adpcm_ms", 2),
        (".wav", "mp3", 2), (".w64", "pcm_s16le", 2), (".avi", "pcm_s16le", 2), (".avi", "mp3", 1),
    ],
)  # fmt: skip
def test_half_a_file_that_counts_its_bytes_is_refused(
    tmp_path: Path, suffix: str, codec: str, n_channels: int
) -> None:
    """Of these FFmpeg, or libsndfile, says how long what is there lasts."""
    whole, half = (tmp_path / f"{name}{suffix}" for name in ("whole", "half"))
    write_layout(whole, codec, "5.1" if n_channels == 6 else f"{n_channels}c")
    assert_holds(whole, [440])
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"ends after [12]\.\d\d s of the [34]\.\d\d s its header"):
        audio.read(half)


@pytest.mark.parametrize("size", [0, 7, 1 << 32, (1 << 64) - 1])
def test_an_mp4_whose_boxes_have_impossible_sizes_is_read_or_refused(
    tmp_path: Path, size: int
) -> None:
    data = encoded(tmp_path, ".m4a", 440)
    at = data.index(b"mdat") - 4
    long_box = (1).to_bytes(4, "big") + b"mdat" + size.to_bytes(8, "big")
    (tmp_path / "a.m4a").write_bytes(data[:at] + long_box + data[at + 8 :])
    with suppress(AudioError):
        audio.read(tmp_path / "a.m4a")


@pytest.mark.parametrize("padded", [True, False])
def test_chunks_after_a_wavs_sound_are_no_sound(tmp_path: Path, padded: bool) -> None:
    """Chunks of odd sizes are to be filled up with a byte; some programs leave it out."""
    data = encoded(tmp_path, ".wav", 440)
    for name, n_bytes in ((b"LIST", 601), (b"id3 ", 60_001), (b"bext", 602)):
        data += name + struct.pack("<I", n_bytes) + bytes(n_bytes + (n_bytes % 2 if padded else 0))
    (tmp_path / "a.wav").write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    assert_holds(tmp_path / "a.wav", [440])


# --- more than sound ------------------------------------------------------------------------------

EXTRAS = {
    "zeros": bytes(40_000),
    "ID3v1": b"TAG" + b"x" * 125,
    "ID3v2": b"ID3\x04\0\0\0\x02\x08\0" + bytes(2 * 16384 + 1024),
    "APE": b"APETAGEX" + struct.pack("<4I", 2000, 1000, 0, 0x80000000) + bytes(1000),
    "stray": np.random.default_rng(0).bytes(3000),
}


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("counted", [True, False])
def test_what_follows_an_mp3_is_passed_over(tmp_path: Path, extra: str, counted: bool) -> None:
    data = encoded(tmp_path, ".mp3", 440)
    data = data if counted else data.replace(b"Info", b"none").replace(b"Xing", b"none")
    (tmp_path / "a.mp3").write_bytes(data + EXTRAS[extra])
    assert_holds(tmp_path / "a.mp3", [440])


@pytest.mark.parametrize("extra", ["ID3v1", "ID3v2", "APE"])
def test_tags_between_two_mp3s_are_passed_over(tmp_path: Path, extra: str) -> None:
    first, second = (encoded(tmp_path, ".mp3", hz) for hz in (440, 660))
    (tmp_path / "a.mp3").write_bytes(first + EXTRAS[extra] + second)
    assert_holds(tmp_path / "a.mp3", [440, 660])


@pytest.mark.parametrize("extra", ["ID3v1", "ID3v2", "APE", "stray"])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_tags_after_other_formats_are_passed_over(tmp_path: Path, suffix: str, extra: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(encoded(tmp_path, suffix, 440) + EXTRAS[extra])
    assert_holds(tmp_path / f"a{suffix}", [440])


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".ac3"])
@pytest.mark.parametrize("n_zeros", [3000, 70_000, 300_000])
def test_zeros_after_a_stream_are_passed_over(tmp_path: Path, suffix: str, n_zeros: int) -> None:
    """As a disk that was recovered leaves them: FFmpeg takes so many for a damaged file."""
    if suffix == ".ac3":
        write_layout(tmp_path / "440.ac3", "ac3", "stereo")
        data = (tmp_path / "440.ac3").read_bytes()
    else:
        data = encoded(tmp_path, suffix, 440)
    (tmp_path / f"a{suffix}").write_bytes(data + bytes(n_zeros))
    assert_holds(tmp_path / f"a{suffix}", [440])


def test_sound_after_a_hole_in_an_ogg_is_not_lost_without_a_word(tmp_path: Path) -> None:
    data = encoded(tmp_path, ".ogg", 440)
    (tmp_path / "a.ogg").write_bytes(data + bytes(300_000) + encoded(tmp_path, ".ogg", 660))
    with pytest.raises(AudioError, match=r"is damaged after 4\.\d\d s"):
        audio.read(tmp_path / "a.ogg")


@pytest.mark.parametrize("subtype", ["PCM_16", "ULAW"])
def test_zeros_after_a_wav_are_no_sound(tmp_path: Path, subtype: str) -> None:
    """In mu-law they would be as loud as can be."""
    sf.write(tmp_path / "a.wav", tone(N_S * SR), SR, subtype=subtype)
    with (tmp_path / "a.wav").open("ab") as file:
        file.write(bytes(2 * SR))
    wave, _ = audio.read(tmp_path / "a.wav")
    assert len(wave) == N_S * SR
    assert np.abs(wave).max() < 0.2


@pytest.mark.parametrize("format", ["ac3", "mpeg"])
def test_a_hole_in_ac3_is_noticed(tmp_path: Path, format: str) -> None:
    write_layout(tmp_path / "whole", "ac3", "stereo", format=format)
    assert_holds(tmp_path / "whole", [440])
    data = bytearray((tmp_path / "whole").read_bytes())
    data[len(data) // 2 : 3 * len(data) // 4] = bytes(len(data) // 4)
    (tmp_path / "a.mpg").write_bytes(data)
    with pytest.raises(AudioError, match=r"is damaged after [12]\.\d\d s"):
        audio.read(tmp_path / "a.mpg")


def test_a_hole_in_a_flac_that_counts_nothing_is_noticed(tmp_path: Path) -> None:
    """As it is written to a pipe."""
    data = bytearray(encoded(tmp_path, ".flac", 440))
    data[21] &= 0xF0  # its count of samples has 36 bits
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert_holds(tmp_path / "a.flac", [440])
    data[len(data) // 2 : 3 * len(data) // 4] = bytes(len(data) // 4)
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.raises(AudioError, match=r"is damaged after [12]\.\d\d s .blocks are missing"):
        audio.read(tmp_path / "a.flac")


def test_a_scratch_is_passed_over_and_a_hole_is_not(tmp_path: Path) -> None:
    data = encoded(tmp_path, ".mp3", 440)
    middle = len(data) // 2
    (tmp_path / "a.mp3").write_bytes(data[:middle] + bytes(40) + data[middle + 40 :])
    wave, _ = audio.read(tmp_path / "a.mp3")
    assert len(wave) == pytest.approx(N_S * SR, abs=0.15 * SR)
    n_lost = len(data) // 4  # a second
    (tmp_path / "a.mp3").write_bytes(data[:middle] + bytes(n_lost) + data[middle + n_lost :])
    with pytest.raises(AudioError, match=r"is damaged after [12]\.\d\d s"):
        audio.read(tmp_path / "a.mp3")


def test_nothing_is_printed_about_a_damaged_mp3(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """libmpg123 writes to standard error by itself, of MP3 in a WAV too."""
    write_layout(tmp_path / "a.wav", "mp3", "mono")
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[:20_000] + bytes(1000) + data[21_000:])
    audio.read(tmp_path / "a.wav")
    (tmp_path / "a.mp3").write_bytes(encoded(tmp_path, ".mp3", 440) + EXTRAS["zeros"])
    audio.read(tmp_path / "a.mp3")
    assert capfd.readouterr() == ("", "")


# --- tracks and channels --------------------------------------------------------------------------


@pytest.mark.parametrize("default", [0, 1])
@pytest.mark.parametrize("suffix", [".mkv", ".m4a"])
def test_the_track_marked_as_default_is_read(tmp_path: Path, suffix: str, default: int) -> None:
    waves = [tone(N_S * SR, hz=440), tone(N_S * SR, hz=660)]
    write_tracks(tmp_path / f"a{suffix}", waves, codec="aac", default=default)
    assert_holds(tmp_path / f"a{suffix}", [[440.0, 660.0][default]])


def test_more_than_eight_channels_are_read(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (2000, 12)).astype(np.float32)
    sf.write(tmp_path / "a.wav", wave, SR, subtype="FLOAT")
    read, _ = audio.read(tmp_path / "a.wav", mono=False)
    np.testing.assert_array_equal(read, wave.T)


@pytest.mark.parametrize("suffix", [".ac3", ".aac"])
@pytest.mark.parametrize("layouts", [("stereo", "5.1"), ("5.1", "stereo"), ("5.1", "mono")])
def test_the_loudness_stays_where_surround_comes_and_goes(
    tmp_path: Path, suffix: str, layouts: tuple[str, str]
) -> None:
    """As in broadcasts, whose commercials have two channels."""
    parts = []
    for layout in layouts:
        part = tmp_path / f"{layout}{suffix}"
        write_layout(part, suffix[1:], layout, format="adts" if suffix == ".aac" else None)
        parts.append(part.read_bytes())
    (tmp_path / f"a{suffix}").write_bytes(b"".join(parts))
    assert_holds(tmp_path / f"a{suffix}", [440, 440])


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Bach: Air", "12:30", "file:other", "concat:a|b", "pipe:0"])
@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".m4a"])
def test_a_name_is_a_name_and_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, name: str
) -> None:
    """Names as a user types them in the folder they are in: FFmpeg takes them for protocols."""
    (tmp_path / f"other{suffix}").write_bytes(encoded(tmp_path, suffix, 660))
    (tmp_path / f"{name}{suffix}").write_bytes(encoded(tmp_path, suffix, 440))
    monkeypatch.chdir(tmp_path)
    assert_holds(Path(f"{name}{suffix}"), [440])
