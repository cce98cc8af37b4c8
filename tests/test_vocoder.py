"""The network that guesses magnitudes, and its loss."""

import math
import sys
from pathlib import Path

import pytest
import torch

from conftest import music
from thirdstream.audio import SEGMENT
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.vocoder.synthesis import Synthesiser

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from vocoder import Vocoder, magnitude_loss


@pytest.fixture(scope="module")
def heard() -> tuple[torch.Tensor, torch.Tensor]:
    """Mel power of a segment of music, and the magnitudes behind it."""
    wave = torch.from_numpy(music(1, SEGMENT))[None]
    padded = torch.nn.functional.pad(wave, (0, 1024))
    return LogMel().power(wave), Synthesiser().stft(padded).abs()


def test_an_even_spectrum_is_told_exactly() -> None:
    """Power that is the same in all bins: then nothing is lost in a mel."""
    vocoder = Vocoder()
    mel = vocoder.filters.gather(torch.full((1025, 3), 4.0))
    made = vocoder(mel.T[None])
    heard = vocoder.even[:, 0] > 1e-9  # the lowest and the highest bins are hardly in any filter
    torch.testing.assert_close(made[0, heard], torch.full((int(heard.sum()), 3), 2.0))


def test_untrained_it_is_the_smooth_guess_and_then_it_learns(heard) -> None:
    torch.manual_seed(0)
    power, real = heard
    vocoder = Vocoder(n_channels=32, n_blocks=1)
    assert torch.equal(vocoder(power), vocoder.smooth(power))
    first = magnitude_loss(made=vocoder(power), real=real).item()
    optimizer = torch.optim.Adam(vocoder.parameters(), lr=3e-3)
    for _ in range(30):
        loss = magnitude_loss(made=vocoder(power), real=real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.8 * first


def test_silence_stays_silent() -> None:
    assert not Vocoder()(torch.zeros(1, 4, 256)).any()


def test_the_loss_is_0_where_nothing_is_missing_and_counts_in_nepers(heard) -> None:
    _, real = heard
    assert magnitude_loss(made=real, real=real).item() == 0
    loud = 1e3 * (1 + torch.rand(1, 20, 5))  # far above the floor
    doubled = magnitude_loss(made=2 * loud, real=loud).item()
    assert doubled == pytest.approx(1 + math.log(2), rel=1e-4)
