"""Phases found in one pass."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music, tone
from thirdstream.audio import SR
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.system import MelSystem
from thirdstream.mel.vocoder.phases import propagated
from thirdstream.mel.vocoder.synthesis import Chunk, Synthesiser

SYNTHESISER = Synthesiser()
HOW = {"n_fft": 2048, "hop_length": 512}


def error(magnitude: torch.Tensor, start: torch.Tensor, *, n_iter: int) -> float:
    """Spectral convergence: how far the sound's magnitudes are from those that were asked for."""
    wave = SYNTHESISER.griffin_lim(magnitude, start=start, n_iter=n_iter)
    found = SYNTHESISER.stft(wave).abs()
    return float((found - magnitude).norm() / magnitude.norm())


@settings(max_examples=20)
@given(hz=st.floats(100, 15_000), amplitude=st.floats(0.01, 1))
def test_a_steady_tone_is_found_without_a_search(hz: float, amplitude: float) -> None:
    wave = amplitude * torch.from_numpy(tone(30 * 512, hz=hz))[None]
    magnitude = SYNTHESISER.stft(wave).abs()[..., 4:-4]  # past its start and end
    assert (
        error(magnitude, propagated(magnitude, **HOW), n_iter=0) < 0.25
    )  # all of it at both ends, where there is half a tone


def test_a_tone_goes_on_from_the_frame_before() -> None:
    wave = torch.from_numpy(tone(40 * 512, hz=1234.5))[None]
    spectrum = SYNTHESISER.stft(wave)[..., 4:-4]
    found = propagated(spectrum[..., 1:].abs(), **HOW, before=spectrum[..., 0])
    peak = int(spectrum[0, :, 5].abs().argmax())
    turn = found[0, peak] / torch.sgn(spectrum[0, peak, 1:])
    assert turn.angle().abs().max() < 1  # a parabola errs by a fortieth of a radian a frame


def test_music_is_nearer_than_from_noise() -> None:
    """A tenth of the search from these phases does what all of it does from noise."""
    wave = torch.from_numpy(music(3, 3 * SR))[None]
    magnitude = SYNTHESISER.stft(wave).abs()
    noise = SYNTHESISER.noise(magnitude.shape, torch.Generator().manual_seed(0))
    assert error(magnitude, propagated(magnitude, **HOW), n_iter=3) < error(
        magnitude, noise, n_iter=32
    )


def test_silence_and_single_bins_have_phases_too() -> None:
    magnitude = torch.zeros(2, 1025, 5)
    assert torch.allclose(propagated(magnitude, **HOW).abs(), torch.ones(()))
    magnitude[:, 0] = 1  # a constant, which has no neighbour below
    assert propagated(magnitude, **HOW).isfinite().all()


@pytest.mark.parametrize("n_frames", [1, 2])
def test_few_frames_will_do(n_frames: int) -> None:
    magnitude = torch.rand(1, 1025, n_frames)
    unit = propagated(magnitude, **HOW, before=torch.polar(magnitude[..., 0], magnitude[..., 0]))
    assert unit.shape == magnitude.shape
    assert math.isclose(float(unit.abs().min()), 1, abs_tol=1e-6)


def test_what_is_propagated_runs_on_from_chunk_to_chunk() -> None:
    """In chunks as in one go: where they meet, the tone neither jumps nor sags."""
    wave = torch.from_numpy(tone(200 * 512, hz=997))[None]
    power = LogMel().power(wave).mT[:, :, :200]
    parts = [Chunk(part, None) for part in power.split(50, dim=2)]
    made = np.concatenate(list(SYNTHESISER.stream(parts, propagation=1)), axis=1)[0]
    assert len(made) == 199 * 512
    level = np.sqrt(np.square(made[4096:-4096]).reshape(-1, 256).mean(axis=1))
    assert level.min() > 0.8 * level.max()
    jumps = np.abs(np.diff(made, n=2))[4096:-4096]
    assert jumps.max() < 1.3 * np.percentile(jumps, 99)


@pytest.mark.parametrize("keep_content", [None, 0.5])
def test_a_system_can_carry_phases_on(unchanging: MelSystem, keep_content: float | None) -> None:
    wave = tone(6 * SR, hz=440)
    how = {"to": "jazz", "source": "jazz", "phase": "propagated", "keep_content": keep_content}
    made = unchanging.transfer(wave, SR, **how)
    assert made.shape == wave.shape
    spectrum = np.abs(np.fft.rfft(made[SR:-SR]))
    assert np.argmax(spectrum) / 4 == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(made**2)) == pytest.approx(np.sqrt(np.mean(wave**2)), rel=0.1)
