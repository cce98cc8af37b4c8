import warnings

import librosa
import numpy as np
import pytest
import torch

from conftest import music, tone
from thirdstream.audio import SEGMENT, SR
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.vocoder.synthesis import Chunk, Synthesiser

PADDED = torch.nn.ConstantPad1d((0, 1024), 0.0)


@pytest.fixture(scope="module")
def synthesiser() -> Synthesiser:
    return Synthesiser()


@pytest.fixture(scope="module")
def log_mel() -> LogMel:
    return LogMel()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def convergence(synthesiser: Synthesiser, made: torch.Tensor, original: torch.Tensor) -> float:
    """Spectral convergence: the relative error of the magnitudes."""
    reference = synthesiser.stft(PADDED(original)).abs()
    n_missing = reference.shape[2] * 512 - 512 - made.shape[1]
    found = synthesiser.stft(torch.nn.functional.pad(made, (0, n_missing))).abs()
    return float((found - reference).norm() / reference.norm())


def test_magnitudes_explain_the_mel(synthesiser: Synthesiser, log_mel: LogMel) -> None:
    power = log_mel.power(torch.from_numpy(np.stack([music(0, SEGMENT), music(1, SEGMENT)])))
    magnitude = synthesiser.magnitude(power)
    assert magnitude.shape == (2, 1025, 259)
    assert (magnitude >= 0).all()
    filters = torch.from_numpy(log_mel.config.filters())
    explained = (filters @ magnitude.square()).transpose(1, 2)
    assert float((explained - power).norm() / power.norm()) < 1e-2


def test_the_filter_bank_is_the_dense_one(synthesiser: Synthesiser, log_mel: LogMel) -> None:
    spectrum, mel = torch.rand(1025, 7), torch.rand(256, 7)
    dense = torch.from_numpy(log_mel.config.filters())
    torch.testing.assert_close(synthesiser.filters.gather(spectrum), dense @ spectrum)
    torch.testing.assert_close(synthesiser.filters.spread(mel), dense.T @ mel)


@pytest.mark.parametrize("n_frames", [2, 3, 5, 40])
def test_the_inverse_transform_is_torchs(synthesiser: Synthesiser, n_frames: int) -> None:
    """Also of a spectrogram that no wave has."""
    spectrum = torch.randn(2, 1025, n_frames, dtype=torch.complex64)
    expected = torch.istft(spectrum, 2048, 512, window=synthesiser.window)
    found = synthesiser.griffin_lim(spectrum.abs(), start=spectrum, n_iter=0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_silence_stays_silence(synthesiser: Synthesiser) -> None:
    wave = synthesiser(torch.zeros(1, 20, 256), generator=seeded())
    assert wave.shape == (1, 19 * 512)
    assert not wave.any()


def test_true_magnitudes_and_phases_are_a_fixed_point(synthesiser: Synthesiser) -> None:
    wave = torch.from_numpy(music(0, 60 * 512))[None]
    spectrum = synthesiser.stft(wave)
    again = synthesiser.griffin_lim(spectrum.abs(), start=spectrum, n_iter=4)
    torch.testing.assert_close(again, wave, atol=1e-4, rtol=0)


def test_more_iterations_come_nearer(synthesiser: Synthesiser) -> None:
    wave = torch.from_numpy(music(0, SEGMENT))[None]
    magnitude = synthesiser.stft(PADDED(wave)).abs()
    errors = []
    for n_iter in (0, 4, 32):
        start = synthesiser.noise(magnitude.shape, seeded())
        made = synthesiser.griffin_lim(magnitude, start=start, n_iter=n_iter)
        errors.append(convergence(synthesiser, made, wave))
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.slow
def test_no_worse_than_librosa_on_the_same_mels_and_better_from_the_contents_phase(
    synthesiser: Synthesiser, log_mel: LogMel
) -> None:
    wave = torch.from_numpy(music(5, SEGMENT))[None]
    power = log_mel.power(wave)
    ours = convergence(synthesiser, synthesiser(power, generator=seeded()), wave)
    from_content = synthesiser(power, generator=seeded(), content=PADDED(wave))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = librosa.feature.inverse.mel_to_audio(
            power[0].T.numpy(), sr=SR, n_fft=2048, hop_length=512, n_iter=32
        )
    bound = convergence(synthesiser, torch.from_numpy(theirs)[None, : 258 * 512], wave)
    assert ours <= bound
    assert convergence(synthesiser, from_content, wave) < 0.8 * ours


def test_the_same_seed_gives_the_same_sound(synthesiser: Synthesiser, log_mel: LogMel) -> None:
    power = log_mel.power(torch.from_numpy(music(0, SEGMENT))[None])[:, :40]
    same = [synthesiser(power, generator=seeded(7)) for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], synthesiser(power, generator=seeded(8)))


@pytest.mark.parametrize("hz", [220.0, 3_000.0])
def test_a_tone_survives_at_its_frequency(
    synthesiser: Synthesiser, log_mel: LogMel, hz: float
) -> None:
    power = log_mel.power(torch.from_numpy(tone(SEGMENT, hz=hz))[None])
    made = synthesiser(power, generator=seeded())[0, SR : 2 * SR]
    assert abs(int(torch.fft.rfft(made).abs().argmax()) - hz) < SR / 2048


def test_known_samples_are_kept(synthesiser: Synthesiser) -> None:
    wave = torch.from_numpy(music(0, 40 * 512))[None]
    magnitude = synthesiser.stft(wave).abs()
    start = synthesiser.noise(magnitude.shape, seeded())
    made = synthesiser.griffin_lim(magnitude, start=start, known=wave[:, :5000])
    assert torch.equal(made[:, :5000], wave[:, :5000])


@pytest.mark.parametrize("sizes", [[120], [60, 60], [100, 17, 3], [1] * 30])
def test_a_stream_has_all_samples_and_no_seams(synthesiser: Synthesiser, sizes: list[int]) -> None:
    """A steady tone from noise phases: cut into chunks of any size, its level never dips."""
    n_frames = sum(sizes)
    wave = torch.from_numpy(tone((n_frames - 1) * 512, hz=440))[None]
    power = LogMel().power(wave)[:, :n_frames].transpose(1, 2)
    start = synthesiser.noise((1, 1025, n_frames), seeded())
    ends = np.cumsum(sizes)
    chunks = [
        Chunk(power[:, :, end - n : end], start[:, :, end - n : end])
        for n, end in zip(sizes, ends, strict=True)
        if end > 1
    ]
    if sizes[0] == 1:  # a chunk must have two frames to have samples
        chunks[0] = Chunk(power[:, :, :2], start[:, :, :2])
    made = np.concatenate(list(synthesiser.stream(chunks)), axis=1)[0]
    assert len(made) == (n_frames - 1) * 512
    if n_frames > 100:
        inner = made[4096:-4096]
        levels = np.sqrt(np.mean(inner[: len(inner) // 2048 * 2048].reshape(-1, 2048) ** 2, axis=1))
        assert 20 * np.log10(levels.max() / levels.min()) < 1.5
