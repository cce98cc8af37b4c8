import itertools
import math
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music, tone
from thirdstream import audio
from thirdstream.audio import SEGMENT, SR, AudioError, decoding, reading
from thirdstream.audio.streams import MOST_THREADS
from thirdstream.files import ThirdstreamError, apart
from thirdstream.mel.features.logmel import Statistics
from thirdstream.mel.options import MelOptions
from thirdstream.mel.system import HOP_FRAMES, MelSystem
from thirdstream.system import Options, System
from thirdstream.transfer.files import plan, transfer_file, transfer_files

JAZZ = MelOptions("jazz")


def level_steps_db(wave: np.ndarray, size: int = 2048) -> float:
    """How far the level of a steady sound strays, in dB."""
    rows = wave[: len(wave) // size * size].reshape(-1, size)
    levels = np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=1))
    return float(20 * np.log10(levels.max() / levels.min()))


# --- arrays -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n", [1, 2, 511, 5_000, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT + 77]
)
def test_any_length_comes_back_as_long(system: MelSystem, n: int) -> None:
    wave = music(0, max(n, 100))[:n] + np.float32(0.01)
    result = system.transfer(wave, SR, to="jazz")
    assert result.shape == (n,)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()


@pytest.mark.parametrize("sr", [8_000, 22_050, 48_000, 192_000])
@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_rate_shape_and_loudness_stay(system: MelSystem, sr: int, shape: tuple[int, ...]) -> None:
    wave = np.broadcast_to(music(1, sr // 2, sr=sr), (*shape, sr // 2)).copy()
    result = system.transfer(wave, sr, to="classical")
    assert result.shape == wave.shape
    levels = [audio.level_of([np.atleast_2d(x)]).rms_db for x in (wave, result)]
    assert levels[1] == pytest.approx(levels[0], abs=0.5)
    assert np.abs(result).max() <= 0.999


def test_loudness_stays_though_the_limiter_takes_most(unchanging: MelSystem) -> None:
    """A result of +40 dB with rare peaks far above the rest."""
    wave = music(1, SR)

    def spiky(blocks: Iterable[np.ndarray], options: Options) -> Iterator[np.ndarray]:
        for block in blocks:
            spikes = 1 + 200 * (np.arange(block.shape[1]) % 4000 < 8)
            yield 30 * block * spikes.astype(np.float32)

    unchanging.stream = spiky  # type: ignore[method-assign]
    result = unchanging.transfer(wave, SR, to="jazz")
    levels = [audio.level_of([x[None]]).rms_db for x in (wave, result)]
    assert levels[1] == pytest.approx(levels[0], abs=0.5)


@pytest.mark.parametrize("sr", [22_050, SR])
def test_a_blend_goes_from_the_result_to_the_recording(system: MelSystem, sr: int) -> None:
    wave = music(1, sr)
    made = [system.transfer(wave, sr, to="jazz", blend=b) for b in (0.0, 0.25, 0.5, 0.75, 1.0)]
    errors = [float(np.abs(one - wave).mean()) for one in made]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.03 * float(np.abs(wave).mean())
    np.testing.assert_array_equal(made[0], system.transfer(wave, sr, to="jazz"))
    for one in made:
        levels = [audio.level_of([x[None]]).rms_db for x in (wave, one)]
        assert levels[1] == pytest.approx(levels[0], abs=0.5)


def test_a_silent_result_blends_into_the_recording_alone(unchanging: MelSystem) -> None:
    unchanging.stream = lambda blocks, options: (0 * block for block in blocks)  # type: ignore
    wave = music(1, SR)
    np.testing.assert_allclose(
        unchanging.transfer(wave, SR, to="jazz", blend=0.3), wave, atol=0.01 * np.abs(wave).max()
    )


def test_what_a_system_does_not_take_is_refused(system: MelSystem) -> None:
    with pytest.raises(ThirdstreamError, match="twin-cnn takes no ensemble; leave --ensemble out"):
        system.transfer(music(0, 5000), SR, to="jazz", ensemble="swing")


def test_a_mel_that_training_never_heard_does_not_explode(unchanging: MelSystem) -> None:
    """Hiss at 15 kHz, where the source style's training data had next to nothing."""
    quiet, usual = [0.3] * 256, [8.0] * 256
    quiet[220:] = [1e-3] * 36
    for style, mel_std in {"classical": quiet, "jazz": [0.3] * 256}.items():
        unchanging.log_mel(style).set_statistics(Statistics(1.0, mel_std, usual))
    power = torch.full((1, 20, 256), 5.0)
    result = unchanging.convert(power, source="classical", target="jazz")
    assert result.max() <= 10 ** (0.3 * 8.0)
    torch.testing.assert_close(result[..., :220], power[..., :220])


def test_silence_stays_silence(system: MelSystem) -> None:
    assert not system.transfer(np.zeros(5000, np.float32), SR, to="jazz").any()


@pytest.mark.parametrize("phase", ["content", "noise"])
def test_a_long_steady_tone_has_no_seam(unchanging: MelSystem, phase: str) -> None:
    """With a twin that changes nothing, what is heard is windows, cross-fades and phases alone."""
    n_windows = 5
    wave = tone(n_windows * HOP_FRAMES * 512, hz=440)
    result = unchanging.transfer(wave, SR, to="jazz", phase=phase)  # type: ignore[arg-type]
    assert level_steps_db(result[4096:-4096]) < (0.1 if phase == "content" else 1.5)
    spectrum = np.abs(np.fft.rfft(result * np.hanning(len(result))))
    around = round(440 * len(result) / SR)
    near, bound = (400, -45) if phase == "content" else (1300, -30)  # 30 Hz, 100 Hz
    outside = np.delete(spectrum, np.arange(around - near, around + near))
    assert 20 * math.log10(outside.max() / spectrum.max()) < bound


def test_a_twin_that_changes_nothing_gives_the_recording_back(unchanging: MelSystem) -> None:
    wave = music(3, 2 * SEGMENT)
    result = unchanging.transfer(wave, SR, to="jazz")
    assert np.corrcoef(result, wave)[0, 1] > 0.95


def test_a_result_neither_begins_nor_ends_with_a_click(system: MelSystem) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 50_000).astype(np.float32)
    made = system.transfer(wave, SR, to="jazz")
    assert np.abs(made).max() > 0.1
    assert max(abs(made[0]), abs(made[-1])) < 0.02


@pytest.mark.parametrize("cut", [1_000, 70_000, SEGMENT])
def test_a_stream_does_not_depend_on_how_it_is_cut(system: MelSystem, cut: int) -> None:
    wave = music(4, 2 * SEGMENT + 999)[None]
    whole = np.concatenate(list(system.stream([wave], JAZZ)), axis=1)
    blocks = [wave[:, at : at + cut] for at in range(0, wave.shape[1], cut)]
    again = np.concatenate(list(system.stream(blocks, JAZZ)), axis=1)
    assert whole.shape[1] >= wave.shape[1]
    np.testing.assert_array_equal(again, whole)


def test_opposite_channels_are_not_taken_for_silence(unchanging: MelSystem) -> None:
    wave = np.stack([music(0, SEGMENT), -music(0, SEGMENT)])
    result = unchanging.transfer(wave, SR, to="jazz")
    levels = [audio.level_of([x]).rms_db for x in (wave, result)]
    assert levels[1] == pytest.approx(levels[0], abs=0.1)


def test_channels_stay_apart(unchanging: MelSystem) -> None:
    wave = np.stack([tone(SEGMENT, hz=440), 0.3 * tone(SEGMENT, hz=1000)])
    result = unchanging.transfer(wave, SR, to="jazz")
    for channel, hz in zip(result, (440, 1000), strict=True):
        spectrum = np.abs(np.fft.rfft(channel[:SR]))
        assert abs(int(spectrum.argmax()) - hz) <= 2


def test_the_seed_decides_the_noise(unchanging: MelSystem) -> None:
    wave = music(0, 30_000)
    first, again, other = (
        unchanging.transfer(wave, SR, to="jazz", phase="noise", seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_to_its_own_style_is_the_self_reconstruction(system: MelSystem) -> None:
    wave = music(0, 30_000)
    same = system.transfer(wave, SR, to="jazz", source="jazz")
    assert not np.array_equal(same, system.transfer(wave, SR, to="jazz"))


@pytest.mark.parametrize(
    "wave", [np.zeros(0), np.array([0.0, np.nan]), np.array([np.inf]), np.zeros((2, 2, 2))]
)
def test_waves_that_cannot_be_transferred(system: MelSystem, wave: np.ndarray) -> None:
    with pytest.raises(ThirdstreamError, match="not empty and without NaN"):
        system.transfer(wave.astype(np.float32), SR, to="jazz")


@pytest.mark.parametrize(
    ("shape", "sr", "says"),
    [((44_100, 2), SR, r"44100 channels; .* so give wave\.T"), ((100,), 0, "sr must lie between")],
)
def test_waves_that_were_read_otherwise_are_explained(
    system: MelSystem, shape: tuple[int, ...], sr: int, says: str
) -> None:
    with pytest.raises(ThirdstreamError, match=says):
        system.transfer(np.ones(shape, np.float32), sr, to="jazz")


def test_unknown_styles_are_refused(system: MelSystem) -> None:
    for options in ({"to": "polka"}, {"to": "jazz", "source": "polka"}):
        with pytest.raises(ThirdstreamError, match="does not know the style 'polka'; it knows"):
            system.transfer(tone(100), SR, **options)


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_file_keeps_length_rate_channels_and_loudness(
    unchanging: MelSystem, tmp_path: Path, suffix: str, n_channels: int
) -> None:
    wave = np.stack([music(k, 60_001, sr=48_000) for k in range(n_channels)])
    sf.write(tmp_path / "in.wav", wave.T, 48_000)
    out = tmp_path / f"out{suffix}"
    assert transfer_file(unchanging, tmp_path / "in.wav", out, JAZZ) is None
    result, sr = audio.read(out, sr=None, mono=False)
    assert (sr, result.shape) == (48_000, wave.shape)
    assert np.abs(result).max() < 1.0
    # both measured as a listener would, whatever the codec does
    levels = [audio.measure(path).rms_db for path in (tmp_path / "in.wav", out)]
    assert levels[1] == pytest.approx(levels[0], abs=0.6)
    assert abs(result.mean()) < 1e-3  # no DC


def test_a_file_is_transferred_as_its_array_is(system: MelSystem, tmp_path: Path) -> None:
    wave = music(0, 2 * SEGMENT + 5)
    sf.write(tmp_path / "in.wav", wave, SR, subtype="FLOAT")
    transfer_file(system, tmp_path / "in.wav", tmp_path / "out.wav", JAZZ)
    result, _ = audio.read(tmp_path / "out.wav")
    np.testing.assert_allclose(result, system.transfer(wave, SR, to="jazz"), atol=1e-5)


def test_odd_recordings_have_a_defined_outcome(system: MelSystem, tmp_path: Path) -> None:
    kinds = {
        "silence": (np.zeros(10_000), SR, "is silent, and so is the result"),
        "offset": (np.full(10_000, 0.5), SR, "is silent, and so is the result"),
        "two_samples": (np.array([0.5, -0.4]), SR, None),
        "8k": (music(0, 4_000, sr=8_000), 8_000, None),
        "clipped": (np.clip(20 * music(0, SR), -1, 1), SR, "louder than its result, whose peaks"),
        "six": (np.stack([music(k, 96_000, sr=192_000) for k in range(6)], axis=1), 192_000,
                "had 6 channels, mixed to one"),
    }  # fmt: skip
    for name, (wave, sr, remark) in kinds.items():
        sf.write(tmp_path / f"{name}.wav", wave, sr)
        out = tmp_path / "out" / f"{name}.wav"
        told = transfer_file(system, tmp_path / f"{name}.wav", out, JAZZ)
        assert told == remark or (remark is not None and told is not None and remark in told)
        header = sf.info(out)
        assert (header.frames, header.samplerate, header.channels) == (len(wave), sr, 1)


def test_existing_results_are_kept_without_force(system: MelSystem, tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", music(0, 5_000), SR)
    (tmp_path / "out.wav").write_text("precious")
    with pytest.raises(ThirdstreamError, match="exists already; add --force"):
        transfer_file(system, tmp_path / "in.wav", tmp_path / "out.wav", JAZZ)
    assert (tmp_path / "out.wav").read_text() == "precious"
    transfer_file(system, tmp_path / "in.wav", tmp_path / "out.wav", JAZZ, force=True)
    assert sf.info(tmp_path / "out.wav").frames == 5_000


def test_a_recording_is_never_replaced_by_its_own_transfer(
    system: MelSystem, tmp_path: Path
) -> None:
    sf.write(tmp_path / "in.wav", music(0, 5_000), SR)
    before = (tmp_path / "in.wav").read_bytes()
    with pytest.raises(ThirdstreamError, match="is the recording itself"):
        transfer_file(system, tmp_path / "in.wav", tmp_path / "in.wav", JAZZ, force=True)
    assert (tmp_path / "in.wav").read_bytes() == before


def test_a_bad_output_name_is_refused_before_any_work(system: MelSystem, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"cannot write '\.txt'"):
        transfer_file(system, tmp_path / "missing.wav", tmp_path / "out.txt", JAZZ)


def test_progress_goes_to_the_end(system: MelSystem, tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", music(0, SEGMENT), SR)
    shares: list[float] = []
    transfer_file(system, tmp_path / "in.wav", tmp_path / "o.wav", JAZZ, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


class HearsAllFirst(System):
    """Listens to the end before it makes a sound."""

    name, styles = "echo", ("classical", "jazz")

    def stream(self, blocks: Iterable[np.ndarray], options: Options) -> Iterator[np.ndarray]:
        yield from list(blocks)


def test_a_recording_that_was_heard_is_half_done(tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", music(0, 4 * audio.BLOCK), SR)
    shares: list[float] = []
    transfer_file(
        HearsAllFirst(), tmp_path / "in.wav", tmp_path / "o.wav", JAZZ, progress=shares.append
    )
    assert shares == pytest.approx([k / 8 for k in range(1, 9)])


# --- made ahead ---------------------------------------------------------------------------------


def test_blocks_made_ahead_are_the_same_blocks() -> None:
    made = [np.full((1, 3), k, np.float32) for k in range(20)]
    for n_blocks in (1, 4, 50):
        assert [b[0, 0] for b in audio.ahead(iter(made), n_items=n_blocks)] == list(range(20))
    assert list(audio.ahead([])) == []


def test_a_fault_ahead_is_raised_where_the_block_is_asked_for() -> None:
    def faulty() -> Iterator[np.ndarray]:
        yield np.zeros((1, 1), np.float32)
        raise AudioError("broken there")

    blocks = audio.ahead(faulty())
    assert next(blocks).shape == (1, 1)
    with pytest.raises(AudioError, match="broken there"):
        next(blocks)


def test_what_waits_to_be_made_ahead_is_not_made_when_nobody_asks_any_more() -> None:
    made, is_first_taken = list[int](), threading.Event()

    def slow() -> Iterator[int]:
        yield 0
        is_first_taken.wait()
        while not stream.gi_running:  # it is being closed
            time.sleep(0.001)
        for number in range(1, 2000):
            time.sleep(0.001)
            made.append(number)
            yield number

    stream: Any = audio.ahead(slow(), n_items=1000)
    assert next(stream) == 0
    is_first_taken.set()
    stream.close()
    assert len(made) < 999
    assert not [one for one in threading.enumerate() if "ThreadPool" in one.name]


def test_threads_keep_the_order_and_are_few_items_ahead() -> None:
    taken = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    squares = audio.mapped(lambda number: number**2, endless())
    assert [next(squares) for _ in range(50)] == [number**2 for number in range(50)]
    assert len(taken) < 50 + 3 * MOST_THREADS
    assert list(audio.mapped(abs, [])) == []


def test_a_fault_in_a_thread_is_raised_in_its_turn() -> None:
    inverses = audio.mapped(lambda number: 1 / number, [4, 2, 0, 1])
    assert [next(inverses), next(inverses)] == [0.25, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(inverses)


# --- folders ------------------------------------------------------------------------------------


def test_one_bad_file_does_not_stop_the_others(system: MelSystem, tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "inner").mkdir(parents=True)
    sf.write(source / "a.wav", music(0, 3_000), SR)
    (source / "b.wav").write_text("no music")
    sf.write(source / "inner" / "c.flac", music(1, 3_000), SR)
    pairs = plan([source], tmp_path / "out")
    outcomes = list(transfer_files(system, pairs, JAZZ))
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert (tmp_path / "out" / "inner" / "c.wav").is_file()
    assert not (tmp_path / "out" / "b.wav").exists()
    again = list(transfer_files(system, pairs, JAZZ, skip_existing=True))
    assert [outcome.remark for outcome in again] == ["is there already", None, "is there already"]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (FileNotFoundError(2, "No such file"), r"is gone\.flac: cannot be read .*\(No such"),
        (OSError(5, "Input/output error"), r"is gone\.flac: cannot be read .*\(Input"),
        (OSError(24, "Too many open files"), "file handles are short"),
    ],
)
def test_a_recording_that_goes_away_on_the_way_is_not_taken_for_a_full_disk(
    gone: OSError, said: str, system: MelSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long one is read twice; the second time while its result is written."""
    recording, n_times = tmp_path / "is gone.flac", itertools.count(1)
    sf.write(recording, tone(3 * SR), SR)

    def checked(path: Path, header: Any) -> Iterator[np.ndarray]:
        yield from real(path, header)
        if next(n_times) == 2:
            raise gone

    real = decoding._checked
    monkeypatch.setattr(decoding, "_checked", checked)
    monkeypatch.setattr(reading, "HELD", 1)
    pairs = [(recording, tmp_path / "out" / "a.wav")]
    [outcome] = transfer_files(system, pairs, system.choose(to="jazz"))
    assert re.search(said, outcome.error or "")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_plan(tmp_path: Path) -> None:
    (tmp_path / "a" / "x").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("one.mp3", "a/two.wav", "a/x/three.ogg", "a/two.flac"):
        (tmp_path / name).touch()
    one, out = tmp_path / "one.mp3", tmp_path / "out"
    assert plan([one], out / "named.flac") == [(one, out / "named.flac")]
    assert plan([one], out) == [(one, out / "one.wav")]
    assert plan([tmp_path / "a" / "x"], out, suffix=".ogg")[0][1] == out / "three.ogg"
    with pytest.raises(ThirdstreamError, match="give files or folders"):
        plan([], out)
    with pytest.raises(ThirdstreamError, match="holds no recordings"):
        plan([tmp_path / "empty"], out)
    inside = ["two.flac.wav", "two.wav.wav", "x/three.wav"]
    assert [target for _, target in plan([tmp_path / "a"], out)] == [out / name for name in inside]
    assert plan([one, one], out) == [(one, out / "one.wav")]
    with pytest.raises(ThirdstreamError, match=r"cannot write '\.m4a'; end the name in \.wav"):
        plan([one], tmp_path / "out.m4a")
    with pytest.raises(ThirdstreamError, match=r"cannot write '\.mid'; end the name in \.wav"):
        plan([one], tmp_path / "out.mid")
    missing = tmp_path / "missing.wav"  # its own fault is said where it is read
    assert plan([missing], out / "named.wav") == [(missing, out / "named.wav")]
    with pytest.raises(ThirdstreamError, match="is one file for several recordings; give a folder"):
        plan([one, tmp_path / "a" / "two.wav"], tmp_path / "out.wav")


def test_results_below_the_recordings_are_not_recordings(system: MelSystem, tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", music(0, 3_000), SR)
    for _ in range(2):
        pairs = plan([tmp_path], tmp_path / "out")
        assert pairs == [(tmp_path / "a.wav", tmp_path / "out" / "a.wav")]
        list(transfer_files(system, pairs, JAZZ, force=True))
    with pytest.raises(ThirdstreamError, match="holds the recordings themselves"):
        plan([tmp_path], tmp_path / "out" / "..")
    above = tmp_path.parent  # where the recordings' folder lies itself
    assert (tmp_path / "a.wav", above / "a.wav") in plan([tmp_path], above)


def test_a_recording_is_never_its_own_result(system: MelSystem, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, music(0, 3_000), SR)
    for skip in (True, False):
        (one,) = transfer_files(system, [(path, path)], JAZZ, skip_existing=skip)
        assert one.error is not None and "is the recording itself" in one.error


@settings(deadline=None, max_examples=30)
@given(
    names=st.sets(st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?\.(wav|mp3)", fullmatch=True), min_size=1)
)
def test_a_plan_never_writes_two_recordings_to_one_file(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("in")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    targets = [target for _, target in plan([folder], folder / "out")]
    assert len(set(targets)) == len(names)


def test_results_of_one_name_are_told_apart_by_their_sources_endings() -> None:
    sources = [Path(name) for name in ("a.mp3", "a.wav", "x/a.wav", "a.wav.ogg", "b.wav")]
    targets = [Path("out", source.stem + ".wav") for source in sources]
    names = [path.name for path in apart(sources, targets)]
    assert names == ["a.mp3.wav", "a.wav 2.wav", "a.wav 3.wav", "a.wav.wav", "b.wav"]


def test_names_that_differ_in_case_alone_are_one_file_on_some_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [tmp_path / "a" / "Song.wav", tmp_path / "b" / "song.wav"]
    for caseless, names in (
        (True, ["Song.wav.wav", "song.wav 2.wav"]),
        (False, ["Song.wav", "song.wav"]),
    ):
        monkeypatch.setattr("thirdstream.files.CASELESS", caseless)
        assert [target.name for _, target in plan(pairs, tmp_path / "out")] == names


# --- faults from outside ------------------------------------------------------------------------

SCRIPT = """
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.system import MelSystem
from thirdstream.mel.models.cnn import CNNConfig
from thirdstream.system import Options
from thirdstream.transfer.files import transfer_file
system = MelSystem("x", TwinCNN(("classical", "jazz"), CNNConfig((2, 3), 2, 3, 1, patch=4)))
transfer_file(system, Path(sys.argv[1]), Path(sys.argv[2]), Options("jazz"),
              progress=lambda share: share < 0.5 or print("half", flush=True))
"""


def test_a_full_disk_leaves_nothing_behind(system: MelSystem, tmp_path: Path) -> None:
    """A limit on the size of files is what a full disk is to a process."""
    sf.write(tmp_path / "in.wav", music(0, SEGMENT), SR)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ThirdstreamError, match="free some space"):
            transfer_file(system, tmp_path / "in.wav", tmp_path / "out" / "o.wav", JAZZ)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_in_the_middle_leaves_nothing_half_written(tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", music(0, 40 * SEGMENT), SR)
    out = tmp_path / "out" / "o.wav"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "in.wav"), str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    os.kill(process.pid, signal.SIGINT)
    process.wait(timeout=60)
    process.stdout.close()
    assert process.returncode != 0
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def test_a_fault_names_its_file(
    system: MelSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(*_: object) -> Iterator[np.ndarray]:
        raise ThirdstreamError("no notes are found in it")

    monkeypatch.setattr(system, "stream", deaf)
    song = tmp_path / "song.wav"
    sf.write(song, music(0, SR), SR)
    (outcome,) = transfer_files(system, [(song, tmp_path / "out.wav")], JAZZ)
    assert outcome.error == f"{song}: no notes are found in it"
