"""Mel spectra of the learner: where a sine lies in them, and how strong it is."""

import numpy as np
import pytest

from thirdstream.audio import SR
from thirdstream.audio.melscale import mel_places_hz
from thirdstream.notes.learning import spectra
from thirdstream.notes.learning.spectra import mel_magnitudes

SETTINGS = {"n_fft": 4096, "hop_length": 2048, "n_mels": 72, "f_min": 40.0, "f_max": 14_000.0}


@pytest.mark.parametrize("band", [20, 40, 60])
def test_a_sine_is_about_a_half_in_its_own_band(band: int) -> None:
    hz = mel_places_hz(74, 40.0, 14_000.0)[band + 1]
    wave = np.sin(2 * np.pi * hz * np.arange(SR) / SR).astype(np.float32)
    found = mel_magnitudes(wave, **SETTINGS)[:, 5:-5]
    assert (found.argmax(axis=0) == band).all()
    assert found.max(axis=0) == pytest.approx(0.55, abs=0.07)


def test_frames_are_the_same_however_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, SR).astype(np.float32)
    whole = mel_magnitudes(wave, **SETTINGS)
    monkeypatch.setattr(spectra, "AT_ONCE", 3)
    assert mel_magnitudes(wave, **SETTINGS) == pytest.approx(whole, rel=1e-5)
    assert whole.shape == (72, SR // 2048 + 1)
