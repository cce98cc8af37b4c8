"""The search for phases: what its steps are, and how near they come."""

import pytest
import torch
from torch import Tensor

from conftest import music
from thirdstream.audio import SEGMENT, SR
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.threads import in_threads
from thirdstream.mel.vocoder.search import ACCELERATED, FAST, FROM_CONTENT, Steps
from thirdstream.mel.vocoder.synthesis import Synthesiser

SYNTHESISER = Synthesiser()
WINDOW = torch.hann_window(2048, dtype=torch.float64)


def defined(magnitude: Tensor, start: Tensor, steps: Steps, n_iter: int) -> Tensor:
    """Algorithm 4 of Nenov et al. (2023), in double precision, with torch's transforms."""

    def with_magnitude(c: Tensor) -> Tensor:
        return torch.polar(magnitude.double(), c.angle())

    def wave(c: Tensor) -> Tensor:
        return torch.istft(with_magnitude(c), 2048, 512, window=WINDOW)

    c = before = ahead = with_magnitude(start.to(torch.complex128))
    for _ in range(n_iter):
        projected = torch.stft(wave(c), 2048, 512, window=WINDOW, pad_mode="constant",
                               return_complex=True)  # fmt: skip
        t = (1 - steps.gamma) * ahead + steps.gamma * projected
        c, ahead, before = (
            t + steps.alpha * (t - before), t + steps.beta * (t - before), t
        )  # fmt: skip
    return wave(c)


@pytest.mark.parametrize("steps", [FAST, ACCELERATED, Steps(0, 0, 1)])
def test_its_steps_are_the_defined_ones(steps: Steps) -> None:
    wave = torch.from_numpy(music(0, 40 * 512))[None]
    magnitude = SYNTHESISER.stft(wave).abs()
    start = SYNTHESISER.noise(magnitude.shape, torch.Generator().manual_seed(0))
    found = SYNTHESISER.griffin_lim(magnitude, start=start, n_iter=3, steps=steps)
    true = defined(magnitude, start, steps, 3)
    torch.testing.assert_close(found.double(), true, atol=1e-4, rtol=0)


def inconsistency(made: Tensor, magnitude: Tensor) -> float:
    return float((SYNTHESISER.stft(made).abs() - magnitude).norm() / magnitude.norm())


@pytest.mark.parametrize("begun", ["content", "noise"])
def test_accelerated_steps_come_nearer_than_as_many_fast_ones(begun: str) -> None:
    """To a mel whose upper half is 12 dB louder than the recording's."""
    wave = torch.from_numpy(music(5, SEGMENT))[None]
    power = LogMel().power(wave)
    power[..., 128:] *= 16
    magnitude, (n_iter, _, steps) = SYNTHESISER.magnitude(power), FROM_CONTENT
    content = SYNTHESISER.stft(torch.nn.functional.pad(wave, (0, 1024)))
    noise = SYNTHESISER.noise(magnitude.shape, torch.Generator().manual_seed(0))
    start = content if begun == "content" else noise
    accelerated, fast = (
        inconsistency(
            SYNTHESISER.griffin_lim(magnitude, start=start, n_iter=n_iter, steps=one), magnitude
        )
        for one in (steps, FAST)
    )
    assert accelerated < fast


def test_channels_are_found_alike_in_any_number_of_threads() -> None:
    n_before, wave = torch.get_num_threads(), torch.from_numpy(music(1, SR))
    power = LogMel().power(torch.stack([wave, wave.flip(0)]))
    made = []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        made.append(SYNTHESISER(power, generator=torch.Generator().manual_seed(0)))
        assert torch.get_num_threads() == n_threads
    torch.set_num_threads(n_before)
    assert torch.equal(*made)


def test_of_no_spectra_there_are_no_waves() -> None:
    magnitude = torch.zeros(0, 1025, 3)
    start = torch.zeros(magnitude.shape, dtype=torch.complex64)
    assert SYNTHESISER.griffin_lim(magnitude, start=start).shape == (0, 2 * 512)


def test_an_error_in_a_thread_is_raised_and_torch_keeps_its_threads() -> None:
    n_before = torch.get_num_threads()

    def fail(row: int) -> None:
        raise ValueError(row)

    torch.set_num_threads(2)
    with pytest.raises(ValueError, match="0"):
        in_threads(fail, 2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(n_before)
