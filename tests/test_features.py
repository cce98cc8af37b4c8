import math
import warnings

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music, tone
from thirdstream.audio import SEGMENT, SR
from thirdstream.mel.features.logmel import LogMel, MelConfig, Statistics, moments, statistics_of


@pytest.fixture(scope="module")
def log_mel() -> LogMel:
    return LogMel()


def test_a_segment_is_259_frames_of_256_mels(log_mel: LogMel) -> None:
    assert log_mel(torch.zeros(3, SEGMENT)).shape == (3, 259, 256)
    assert MelConfig().n_frames == 259


@pytest.mark.parametrize("seed", range(3))
def test_power_equals_librosas_with_the_papers_padding(log_mel: LogMel, seed: int) -> None:
    wave = music(seed, SEGMENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = librosa.feature.melspectrogram(
            y=np.pad(wave, (0, 1024)), sr=SR, n_fft=2048, hop_length=512, n_mels=256
        ).T
    ours = log_mel.power(torch.from_numpy(wave)[None])[0].numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() / theirs.max() < 1e-5
    each_frame = np.abs(ours - theirs).max(axis=1) / np.maximum(theirs.max(axis=1), 1e-12)
    assert each_frame.max() < 1e-5


@settings(deadline=None, max_examples=30)
@given(
    n_mels=st.integers(1, 300),
    n_fft=st.sampled_from([512, 2048, 8192]),
    f_min=st.floats(0, 5_000),
    width=st.floats(1_001, 15_000),
)
def test_filters_are_librosas(n_mels: int, n_fft: int, f_min: float, width: float) -> None:
    f_max = f_min + width
    ours = MelConfig(n_fft=n_fft, n_mels=n_mels, f_min=f_min, f_max=f_max).filters()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of filters between two bins, which are empty
        theirs = librosa.filters.mel(sr=SR, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * theirs.max())


@pytest.mark.parametrize("hz", [110.0, 440.0, 1_760.0, 7_040.0])
def test_a_tone_lies_in_its_mel(log_mel: LogMel, hz: float) -> None:
    power = log_mel.power(torch.from_numpy(tone(SEGMENT, hz=hz))[None])[0]
    centres = librosa.mel_frequencies(258, fmin=0, fmax=SR / 2)[1:-1]
    found = centres[int(power[100].argmax())]
    assert abs(found - hz) < max(SR / 2048, 0.02 * hz)


def test_power_grows_with_the_square_of_the_wave(log_mel: LogMel) -> None:
    wave = torch.from_numpy(music(0, SEGMENT))[None]
    power = log_mel.power(wave)
    torch.testing.assert_close(
        log_mel.power(3 * wave), 9 * power, rtol=1e-4, atol=1e-6 * power.max().item()
    )


@settings(deadline=None, max_examples=50)
@given(
    exponent=st.floats(-12, 6),
    scale=st.floats(1e-3, 1e3),
    mel_std=st.floats(1e-3, 10),
)
def test_normalisation_and_its_inverse_are_exact(
    exponent: float, scale: float, mel_std: float
) -> None:
    log_mel = LogMel(MelConfig(n_mels=4))
    log_mel.set_statistics(Statistics(scale, [mel_std] * 4, [math.inf] * 4))
    power = torch.full((1, 2, 4), 10.0**exponent)
    torch.testing.assert_close(
        log_mel.denormalise(log_mel.normalise(power)), power, rtol=1e-4, atol=0
    )


def test_normalisation_is_the_papers_formula() -> None:
    log_mel = LogMel(MelConfig(n_mels=2))
    log_mel.set_statistics(Statistics(2.0, [0.5, 0.25], [9.0, 9.0]))
    mel = log_mel.normalise(torch.tensor([[[18.0, 198.0]]]))
    torch.testing.assert_close(mel, torch.tensor([[[1.0 / 0.5, 2.0 / 0.25]]]))


def test_zero_stays_zero_and_negative_mels_mean_no_power(log_mel: LogMel) -> None:
    assert not log_mel.normalise(torch.zeros(1, 3, 256)).any()
    assert not log_mel.denormalise(torch.full((1, 3, 256), -0.5)).any()


def test_statistics_are_in_the_state_and_the_filters_are_not() -> None:
    assert set(LogMel().state_dict()) == {"scale", "mel_std", "mel_max"}


def test_statistics_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="4 statistics for 256 mels"):
        LogMel().set_statistics(Statistics(1.0, [1.0] * 4, [9.0] * 4))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_statistics_equal_numpys_over_everything(size: int) -> None:
    power = np.random.default_rng(0).exponential(50, (100, 5, 8)).astype(np.float32)
    power[..., 3] = 0.0
    pieces = np.split(power, range(size, 100, size))
    statistics = statistics_of(lambda scale: moments(pieces, scale=scale))
    assert statistics.scale == pytest.approx(power.std(dtype=np.float64), rel=1e-6)
    compressed = np.log10(1 + power.astype(np.float64) / statistics.scale)
    expected = compressed.reshape(-1, 8).std(axis=0) + 1e-3
    np.testing.assert_allclose(statistics.mel_std, expected, rtol=1e-5)
    assert statistics.mel_std[3] == pytest.approx(1e-3)
    greatest = compressed.reshape(-1, 8).max(axis=0) / expected
    np.testing.assert_allclose(statistics.mel_max, greatest, rtol=1e-5)


def test_normalised_training_data_has_unit_deviation_in_each_mel() -> None:
    power = np.random.default_rng(1).exponential(5, (2000, 6)).astype(np.float32)
    log_mel = LogMel(MelConfig(n_mels=6))
    log_mel.set_statistics(statistics_of(lambda scale: moments([power], scale=scale)))
    deviation = log_mel.normalise(torch.from_numpy(power)).std(0)
    torch.testing.assert_close(deviation, torch.ones(6), rtol=0.02, atol=0)
