import math
import os
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music, tone
from thirdstream import audio
from thirdstream.audio import SEGMENT, SR, AudioError


def write_av(path: Path, wave: np.ndarray, sr: int, codec: str) -> None:
    """Encode a (n_channels, n_samples) wave with ffmpeg's libraries."""
    layout = {1: "mono", 2: "stereo"}[wave.shape[0]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=sr, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout=layout)
        frame.sample_rate = sr
        container.mux([*stream.encode(frame), *stream.encode(None)])


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff"])
def test_every_format_of_libsndfile_reads_back(tmp_path: Path, suffix: str) -> None:
    wave = tone(SR)
    sf.write(tmp_path / f"a{suffix}", wave, SR)
    read, sr = audio.read(tmp_path / f"a{suffix}")
    assert (read.shape, read.dtype, sr) == ((SR,), np.float32, SR)
    assert np.corrcoef(read, wave)[0, 1] > 0.999


@pytest.mark.parametrize(("suffix", "codec"), [(".m4a", "aac"), (".mkv", "aac"), (".mp4", "aac")])
def test_sound_that_libsndfile_cannot_read(tmp_path: Path, suffix: str, codec: str) -> None:
    wave = tone(2 * SR, hz=1000)
    write_av(tmp_path / f"a{suffix}", np.stack([wave, -0.5 * wave]), SR, codec)
    assert audio.info(tmp_path / f"a{suffix}").n_channels == 2
    read, _ = audio.read(tmp_path / f"a{suffix}", mono=False)
    assert read.shape[0] == 2
    assert abs(read.shape[1] - 2 * SR) < 4096  # the codec's own padding
    middle = np.abs(np.fft.rfft(read[0, SR // 2 : SR // 2 + SR]))
    assert np.argmax(middle) == 1000


@pytest.mark.parametrize("sr", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_any_rate_and_channels_become_mono_at_44100(
    tmp_path: Path, sr: int, n_channels: int
) -> None:
    wave = tone(sr, sr=sr)
    sf.write(tmp_path / "a.wav", np.stack([wave] * n_channels, axis=1), sr, subtype="FLOAT")
    read, _ = audio.read(tmp_path / "a.wav")
    assert abs(len(read) - SR) <= 1
    assert np.argmax(np.abs(np.fft.rfft(read))) == 440
    inner = read[SR // 10 : -SR // 10]
    gain = 1 + 2**0.5 if n_channels == 6 else 1  # 5.1: front 1, centre 0.71, back 2 * 0.35
    wanted = gain * tone(SR)[SR // 10 : -SR // 10][: len(inner)]
    np.testing.assert_allclose(inner, wanted, atol=5e-4)


@pytest.mark.parametrize("n_channels", [2, 10])
def test_mono_is_the_mean_of_channels_without_a_place(tmp_path: Path, n_channels: int) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (1000, n_channels)).astype(np.float32)
    sf.write(tmp_path / "a.wav", wave, SR, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav")[0], wave.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize(
    ("n_channels", "shares"),
    [
        (3, (0.5, 0.5, 0.7071)),
        (4, (0.5, 0.5, 0.3536, 0.3536)),
        (6, (0.5, 0.5, 0.7071, 0, 0.3536, 0.3536)),
        (8, (0.5, 0.5, 0.7071, 0, 0.3536, 0.3536, 0.3536, 0.3536)),
    ],
)
def test_surround_is_mixed_by_the_shares_of_bs_775(
    tmp_path: Path, suffix: str, n_channels: int, shares: tuple[float, ...]
) -> None:
    """In the channels' order of WAV and FLAC: left, right, centre, effects, back (and side)."""
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (9000, n_channels)).astype(np.float32)
    sf.write(tmp_path / f"a{suffix}", wave, SR, subtype="PCM_24")
    read, _ = audio.read(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read, wave @ np.array(shares), atol=1e-4)


def test_channels_that_cancel_each_other_are_not_silent(tmp_path: Path) -> None:
    """As when one of two microphones was wired the wrong way round."""
    wave = music(0, SR)
    sf.write(tmp_path / "a.wav", np.stack([wave, -wave], axis=1), SR, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav")[0], wave, atol=1e-7)
    assert not audio.measure(tmp_path / "a.wav").silent


def test_blocks_are_the_whole_and_bounded(tmp_path: Path) -> None:
    wave = music(0, 3 * audio.BLOCK + 17)
    sf.write(tmp_path / "a.wav", wave, SR, subtype="FLOAT")
    blocks = list(audio.blocks(tmp_path / "a.wav"))
    assert max(block.shape[1] for block in blocks) <= audio.BLOCK
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1)[0], wave)


@pytest.mark.parametrize("suffix", ["wav", "ogg", "mp3", "flac"])
def test_a_channel_lies_side_by_side_in_blocks_of_some_size(tmp_path: Path, suffix: str) -> None:
    """Also of frames, of which FFmpeg gives a thousand samples at a time."""
    n_samples = audio.BLOCK + 5000
    wave = np.stack([music(0, n_samples), music(1, n_samples)])
    sf.write(tmp_path / f"a.{suffix}", 0.5 * wave.T, SR)
    blocks = list(audio.blocks(tmp_path / f"a.{suffix}", mono=False))
    assert all(block.flags.c_contiguous for block in blocks)
    assert len(blocks) == 2
    whole, _ = audio.read(tmp_path / f"a.{suffix}", mono=False)
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """name: a file that cannot be used, and what its error says."""
    files = {name: folder / name for name in
             ("text.wav", "text.flac", "empty.wav", "nan.wav", "no_samples.wav", "cut.mp3",
              "cut.wav", "missing.wav", "list.m3u8", "silent_film.mp4", "song.mid",
              "song.xml")}  # fmt: skip
    files["song.mid"].write_bytes(b"MThd\0\0\0\6\0\1\0\1\0\x60")
    files["song.xml"].write_text("<score-partwise/>")
    files["text.wav"].write_text("this is not music\n" * 50)
    files["text.flac"].write_text("this is not music\n" * 50)
    files["empty.wav"].write_bytes(b"")
    wave = tone(SR)
    wave[22_050] = np.nan
    sf.write(files["nan.wav"], wave, SR, subtype="FLOAT")
    sf.write(files["no_samples.wav"], np.zeros(0), SR)
    sf.write(files["cut.mp3"], music(0, 10 * SR), SR)
    files["cut.mp3"].write_bytes(files["cut.mp3"].read_bytes()[:40_000])
    sf.write(files["cut.wav"], music(0, 10 * SR), SR)
    files["cut.wav"].write_bytes(files["cut.wav"].read_bytes()[:400_000])
    files["list.m3u8"].write_text("#EXTM3U\n#EXTINF:1,\nnan.wav\n#EXT-X-ENDLIST\n")
    with av.open(str(files["silent_film.mp4"]), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    reasons = {
        "text.wav": "is not audio in a format we know",
        "text.flac": "is not audio in a format we know",
        "empty.wav": "is not audio in a format we know",
        "nan.wav": r"holds NaN or infinite samples, the first at 0\.500 s",
        "no_samples.wav": "holds no samples",
        "cut.mp3": r"ends after \d\.\d\d s of the 10\.\d\d s its header promises",
        "cut.wav": r"ends after 4\.53 s of the 10\.00 s its header promises",
        "missing.wav": "there is no such file",
        "list.m3u8": "is not audio in a format we know",
        "silent_film.mp4": "holds no sound",
        "song.mid": "is a score, no recording; `thirdstream arrange` plays scores",
        "song.xml": "is a score, no recording; `thirdstream arrange` plays scores",
    }
    return {name: (path, reasons[name]) for name, path in files.items()}


@pytest.mark.parametrize(
    "name",
    ["text.wav", "empty.wav", "nan.wav", "no_samples.wav", "cut.mp3", "cut.wav", "missing.wav",
     "list.m3u8", "silent_film.mp4", "song.mid", "song.xml"],
)  # fmt: skip
def test_bad_files_are_refused_with_name_fault_and_remedy(tmp_path: Path, name: str) -> None:
    path, reason = bad_files(tmp_path)[name]
    with pytest.raises(AudioError, match=reason) as caught:
        audio.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert ";" in str(caught.value)  # after the fault, the remedy
    with pytest.raises(AudioError, match=reason):
        audio.measure(path)


@pytest.mark.parametrize("name", ["a.mp3", "stdin"])
def test_an_mp3_whose_length_is_a_guess_is_read_as_far_as_it_goes(
    tmp_path: Path, name: str
) -> None:
    """Without the tag that counts its frames, an MP3's length is estimated from its first frame,
    whatever the file is called."""
    sf.write(tmp_path / "a.mp3", np.concatenate([np.zeros(SR), music(0, 9 * SR)]), SR)
    data = (tmp_path / "a.mp3").read_bytes()
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    assert tag > 0
    (tmp_path / name).write_bytes(data[:tag] + b"none" + data[tag + 4 :])
    read, _ = audio.read(tmp_path / name)
    assert len(read) == pytest.approx(10 * SR, rel=0.02)


@pytest.mark.parametrize("size", [0x7FFF_F000, 0xFFFF_FFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_wav_from_a_pipe_promises_nothing(tmp_path: Path, size: int, subtype: str) -> None:
    """Its writer could not go back, so the size of its sound is the largest there is."""
    sf.write(tmp_path / "a.wav", tone(SR), SR, subtype=subtype)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.find(b"data") + 4
    data[at : at + 4] = size.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    assert len(audio.read(tmp_path / "a.wav")[0]) == SR


def test_sound_may_end_before_the_picture(tmp_path: Path) -> None:
    """The file's length is that of its longest track."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        picture = container.add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 16, 16, "yuv420p"
        sound = container.add_stream("aac", rate=SR, layout="mono")
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        for number in range(20):
            frame.pts = number
            container.mux(picture.encode(frame))
        heard = av.AudioFrame.from_ndarray(tone(SR)[None], format="fltp", layout="mono")
        heard.sample_rate = SR
        container.mux([*sound.encode(heard), *picture.encode(None), *sound.encode(None)])
    assert audio.info(tmp_path / "a.mp4").n_samples == pytest.approx(SR, abs=4096)
    read, _ = audio.read(tmp_path / "a.mp4")
    assert len(read) == pytest.approx(SR, abs=4096)


def test_flac_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    """Whoever cannot go back to the header leaves the number of samples there at 0."""
    sf.write(tmp_path / "a.flac", tone(SR), SR)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] &= 0xF0  # 36 bits of the stream's description
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert audio.info(tmp_path / "a.flac").n_samples == 0
    read, _ = audio.read(tmp_path / "a.flac")
    np.testing.assert_allclose(read, tone(SR), atol=1e-4)


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "open" / "a.wav").touch()
    seen = os.scandir

    def guarded(path: str) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return seen(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(AudioError, match=r"secret: cannot be read \(Permission denied\)"):
        audio.find_recordings(tmp_path)


def test_find_recordings_is_recursive_sorted_and_leaves_hidden_files(tmp_path: Path) -> None:
    for name in ("b/x.WAV", "a.mp3", "b/.hidden.wav", ".trash/y.wav", "notes.txt", "b/c/z.m4a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [str(path.relative_to(tmp_path)) for path in audio.find_recordings(tmp_path)]
    assert names == ["a.mp3", "b/c/z.m4a", "b/x.WAV"]


# --- loudness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sr", [8_000, 44_100, 48_000])
def test_measure_finds_length_and_rms_and_the_gain_leads_to_minus_20_db(
    tmp_path: Path, sr: int
) -> None:
    sf.write(tmp_path / "a.wav", np.stack([tone(3 * sr, sr=sr)] * 2, axis=1), sr, subtype="FLOAT")
    level = audio.measure(tmp_path / "a.wav")
    assert level.n_samples == 3 * sr
    assert level.rms_db == pytest.approx(20 * math.log10(0.1 / math.sqrt(2)), abs=0.01)
    assert level.rms * level.gain == pytest.approx(0.1)
    assert not level.silent


@pytest.mark.parametrize("sr", [SR, 48_000])
@pytest.mark.parametrize("held", [audio.reading.HELD, 1000])
def test_a_recording_that_is_measured_can_be_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sr: int, held: int
) -> None:
    """Whether it is short enough to be held in memory or not."""
    monkeypatch.setattr(audio.reading, "HELD", held)
    wave = np.stack([music(0, 2 * sr), music(1, 2 * sr)], axis=1)
    sf.write(tmp_path / "a.wav", 0.2 * wave, sr, subtype="FLOAT")
    for mono, rate in ((True, SR), (False, None)):
        level, blocks = audio.measured(tmp_path / "a.wav", sr=rate, mono=mono)
        assert level == audio.measure(tmp_path / "a.wav", mono=mono)
        read, _ = audio.read(tmp_path / "a.wav", sr=rate, mono=mono)
        np.testing.assert_array_equal(np.concatenate(list(blocks), axis=1), np.atleast_2d(read))


@pytest.mark.parametrize("offset", [0.02, 0.1, -0.5])
def test_a_dc_offset_is_no_loudness(tmp_path: Path, offset: float) -> None:
    """Of each channel its own; the music's level and peak are those without it."""
    left, right = 0.2 * music(0, 2 * SR), 0.2 * music(1, 2 * SR)
    pure = audio.level_of([np.stack([left, right])])
    sf.write(tmp_path / "a.wav", np.stack([left + offset, right], axis=1), SR, subtype="FLOAT")
    level = audio.measure(tmp_path / "a.wav", mono=False)
    assert level.rms == pytest.approx(pure.rms, rel=1e-3)
    assert level.peak == pytest.approx(pure.peak, abs=1e-3)
    assert level.offsets == pytest.approx((offset, 0), abs=1e-3)
    blocks = audio.centred(audio.blocks(tmp_path / "a.wav", mono=False), level)
    means = np.concatenate(list(blocks), axis=1).mean(axis=1)
    np.testing.assert_allclose(means, [0, right.mean()], atol=1e-6)


def test_a_level_does_not_depend_on_how_it_is_cut() -> None:
    wave = np.stack([music(0, 10_000) + 0.1, music(1, 10_000)])
    whole = audio.level_of([wave])
    parts = audio.level_of(np.split(wave, [10, 3_000], axis=1))
    assert parts.rms == pytest.approx(whole.rms)
    assert (parts.peak, parts.offsets) == (pytest.approx(whole.peak), pytest.approx(whole.offsets))


def test_silence_is_silent() -> None:
    assert audio.level_of([np.zeros((1, 100), np.float32)]).silent
    assert audio.level_of([np.zeros((1, 100), np.float32)]).rms_db == -math.inf


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 99),
    gain=st.floats(0.1, 20),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=6),
)
def test_the_limiter_holds_its_ceiling_keeps_length_and_leaves_quiet_alone(
    seed: int, gain: float, sizes: list[int]
) -> None:
    wave = (gain * music(seed, sum(sizes)))[None]
    parts = np.split(wave, np.cumsum(sizes)[:-1], axis=1)
    result = np.concatenate(list(audio.limited(parts, ceiling=0.9)), axis=1)
    assert result.shape == wave.shape
    assert np.abs(result).max() <= 0.9
    whole = np.concatenate(list(audio.limited([wave], ceiling=0.9)), axis=1)
    np.testing.assert_allclose(result, whole, atol=1e-6)  # however it is cut into blocks
    if np.abs(wave).max() <= 0.9:
        np.testing.assert_array_equal(result, wave)


# --- cutting and joining ------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 400),
    size=st.integers(2, 64),
    share=st.floats(0.5, 1.0),
    cut=st.integers(1, 400),
)
def test_overlap_add_of_windows_is_the_identity(n: int, size: int, share: float, cut: int) -> None:
    hop = max(-(-size // 2), int(size * share))
    wave = np.random.default_rng(n).standard_normal((2, n)).astype(np.float32)
    blocks = [wave[:, at : at + cut] for at in range(0, n, cut)]
    windows = list(audio.windows(blocks, size=size, hop=hop))
    assert len(windows) == 1 + max(0, math.ceil((n - size) / hop))
    joined = np.concatenate(list(audio.overlap_add(windows, hop=hop)), axis=1)
    np.testing.assert_allclose(joined[:, :n], wave, atol=1e-6)
    assert not joined[:, n:].any()


@pytest.mark.parametrize(
    "n", [1, 2, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 5]
)
def test_overlap_add_of_real_segments(n: int) -> None:
    wave = np.random.default_rng(0).standard_normal((1, n)).astype(np.float32)
    windows = audio.windows([wave], size=SEGMENT, hop=SEGMENT * 7 // 8)
    joined = np.concatenate(
        list(audio.overlap_add(windows, hop=SEGMENT * 7 // 8, margin=100)), axis=1
    )
    np.testing.assert_allclose(joined[:, :n], wave, atol=1e-6)


def test_margins_are_not_used_where_a_neighbour_knows_better() -> None:
    windows = [w.copy() for w in audio.windows([np.ones((1, 30))], size=10, hop=6)]
    for window in windows[1:]:
        window[:, 0] = 1e9
    for window in windows[:-1]:
        window[:, -1] = 1e9
    joined = np.concatenate(list(audio.overlap_add(windows, hop=6, margin=1)), axis=1)
    np.testing.assert_allclose(joined[:, :30], 1.0)


def test_overlap_add_refuses_windows_it_cannot_join() -> None:
    windows = [np.ones((1, 10))] * 3
    with pytest.raises(ValueError, match="do not suit"):
        list(audio.overlap_add(windows, hop=4))
    with pytest.raises(ValueError, match="do not suit"):
        list(audio.overlap_add(windows, hop=8, margin=2))


@pytest.mark.parametrize("n_in", [3, 10, 25])
def test_exactly_cuts_and_fills(n_in: int) -> None:
    parts = np.array_split(np.arange(n_in, dtype=np.float32)[None], 3, axis=1)
    result = np.concatenate(list(audio.exactly(parts, n_samples=10, n_channels=1)), axis=1)
    expected = np.zeros(10)
    expected[: min(n_in, 10)] = np.arange(min(n_in, 10))
    np.testing.assert_array_equal(result[0], expected)


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "subtype", "error"),
    [(".wav", "PCM_24", 2e-7), (".flac", "PCM_24", 2e-7), (".aiff", "PCM_24", 2e-7),
     (".ogg", "VORBIS", 0.05), (".mp3", "MPEG_LAYER_III", 0.05)],
)  # fmt: skip
@pytest.mark.parametrize("n_channels", [1, 2])
def test_written_files_read_back(
    tmp_path: Path, suffix: str, subtype: str, error: float, n_channels: int
) -> None:
    wave = np.stack([music(k, 2 * SR + 321) for k in range(n_channels)])
    n = audio.write(
        tmp_path / f"a{suffix}", [wave[:, :999], wave[:, 999:]], sr=SR, n_channels=n_channels
    )
    assert n == wave.shape[1]
    assert sf.info(tmp_path / f"a{suffix}").subtype == subtype
    read, _ = audio.read(tmp_path / f"a{suffix}", mono=False)
    assert read.shape == wave.shape
    assert np.abs(read - wave).mean() < error


def test_a_name_or_rate_the_format_does_not_know(tmp_path: Path) -> None:
    wave = [np.zeros((1, 10), np.float32)]
    with pytest.raises(AudioError, match=r"end the name in \.wav"):
        audio.write(tmp_path / "a.xyz", wave, sr=SR, n_channels=1)
    with pytest.raises(AudioError, match=r"cannot be written as 192000 Hz"):
        audio.write(tmp_path / "a.mp3", wave, sr=192_000, n_channels=1)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield np.zeros((1, 100_000), np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audio.write(tmp_path / "a.wav", broken(), sr=SR, n_channels=1)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# --- titles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff"])
def test_the_title_of_a_recording_is_that_of_its_tags(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"john-garner_bwv1002_mov6{suffix}"
    with sf.SoundFile(str(path), "w", SR, 1) as file:
        file.title = "Tempo di Borea"
        file.write(tone(SR))
    assert audio.title_of(path) == "Tempo di Borea"


@pytest.mark.parametrize(
    ("name", "title"),
    [("john-garner_bwv1002_mov6.wav", "john-garner bwv1002 mov6"), ("_.wav", "_"),
     ("a  b__c.wav", "a b c")],
)  # fmt: skip
def test_without_tags_the_title_is_the_name_with_spaces(
    tmp_path: Path, name: str, title: str
) -> None:
    assert audio.title_of(tmp_path / name) == title  # there is no such file
    sf.write(tmp_path / name, tone(SR), SR)
    assert audio.title_of(tmp_path / name) == title


@pytest.mark.parametrize(("tag", "title"), [("  ", "a song"), (" one\n  two ", "one two"),
                                            ("x" * 5000, "x" * 200)])  # fmt: skip
def test_a_tag_is_a_line_that_fits_or_none(tmp_path: Path, tag: str, title: str) -> None:
    with sf.SoundFile(str(tmp_path / "a_song.flac"), "w", SR, 1) as file:
        file.title = tag
        file.write(tone(SR))
    assert audio.title_of(tmp_path / "a_song.flac") == title


def test_a_file_that_is_no_recording_has_its_name(tmp_path: Path) -> None:
    (tmp_path / "some_notes.mp3").write_bytes(b"ID3" + bytes(range(256)) * 40)
    assert audio.title_of(tmp_path / "some_notes.mp3") == "some notes"
