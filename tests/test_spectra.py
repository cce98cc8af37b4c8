"""Spectra on a piano's keys: where sines and clicks come out."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thirdstream.audio.melscale import mel_places_hz
from thirdstream.notes.transcription.spectra import (
    COLUMN,
    COMPRESSION,
    HOP,
    N_BINS,
    PER_SEMITONE,
    REACH,
    SR,
    columns,
    triangles,
)

LOWEST = 21


def magnitudes(wave: np.ndarray, n_columns: int) -> np.ndarray:
    padded = np.pad(wave.astype(np.float32), (REACH, REACH + COLUMN))
    return np.expm1(columns(padded, n_columns)) / COMPRESSION


@settings(deadline=None, max_examples=20)
@given(pitch=st.floats(34.0, 108.0), amplitude=st.floats(1e-3, 0.5))
def test_a_sine_is_at_its_key_and_as_large_as_it_is(pitch: float, amplitude: float) -> None:
    t = np.arange(SR) / SR
    found = magnitudes(amplitude * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t), 43)
    seen = found[0, :, 20]
    assert abs(LOWEST + (seen.argmax() - 1) / PER_SEMITONE - pitch) < 0.5
    assert seen.max() == pytest.approx(amplitude, rel=0.35)


@pytest.mark.parametrize("n", [8, 21])
def test_a_click_is_in_its_column(n: int) -> None:
    wave = np.zeros(SR)
    wave[n * COLUMN] = 1.0
    level = magnitudes(wave, 43)[:, 120:].sum(axis=1)
    assert level[0].argmax() == n
    assert level[1].argmax() == n
    wave = np.roll(wave, HOP)
    level = magnitudes(wave, 43)[:, 120:].sum(axis=1)
    assert level[2].argmax() == n


def test_shapes_and_silence() -> None:
    assert magnitudes(np.zeros(SR), 43).shape == (3, N_BINS, 43)
    assert not magnitudes(np.zeros(SR), 43).any()


@settings(deadline=None, max_examples=20)
@given(n_mels=st.integers(8, 72), f_min=st.floats(0, 900), f_max=st.floats(3000, 11_000))
def test_mel_filters_are_librosas(n_mels: int, f_min: float, f_max: float) -> None:
    places_hz = mel_places_hz(n_mels + 2, f_min, f_max)
    theirs = librosa.mel_frequencies(n_mels + 2, fmin=f_min, fmax=f_max)
    np.testing.assert_allclose(places_hz, theirs, rtol=1e-6, atol=1e-6)
    n_fft = 8192  # each filter is wider than a bin
    bank = librosa.filters.mel(sr=SR, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max, norm=None)
    np.testing.assert_allclose(triangles(places_hz, n_fft), bank, atol=1e-5)
