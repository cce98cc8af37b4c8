"""The metrics of sound: closed forms, and what they say of noise."""

import numpy as np
import pytest
from pytest import approx

from thirdstream.audio.spectral_balance import CENTRES_HZ, FLOOR_DB
from thirdstream.evaluation import sound
from thirdstream.evaluation.metrics import MetricError

SR = 44_100
SECONDS = 8
T = np.arange(SECONDS * SR) / SR


def sine(hz: float = 1000.0, rms_db: float = -20.0) -> np.ndarray:
    return np.sqrt(2) * 10 ** (rms_db / 20) * np.sin(2 * np.pi * hz * T)


def noise(rms_db: float = -20.0, seed: int = 0) -> np.ndarray:
    return 10 ** (rms_db / 20) * np.random.default_rng(seed).standard_normal(len(T))


@pytest.mark.parametrize("step_db", [0.0, 10.0, 15.0])
def test_the_loudness_range_of_two_levels_is_their_difference(step_db: float) -> None:
    """As the test signals of EBU Tech 3342: a tone of two levels."""
    long = np.concatenate([sine(), 10 ** (-step_db / 20) * sine(), sine()])
    assert sound.loudness_range_lu(long, SR) == approx(step_db, abs=0.1)
    assert sound.loudness_range_lu(0.1 * long, SR) == approx(step_db, abs=0.1)


def test_what_is_20_lu_softer_and_silence_have_no_part_in_the_loudness_range() -> None:
    quiet = 10 ** (-40 / 20) * sine()
    assert sound.loudness_range_lu(np.concatenate([sine(), sine(), quiet]), SR) < 12
    assert sound.loudness_range_lu(0 * T, SR) == 0
    assert sound.loudness_range_lu(noise(), SR) < 0.5
    with pytest.raises(MetricError, match="needs 3 s"):
        sound.loudness_range_lu(noise()[: 2 * SR], SR)


def test_a_tone_is_in_its_third_octave_and_white_noise_rises_by_1_db_a_band() -> None:
    bands = sound.third_octaves_db(sine(1000), SR)
    at = int(np.abs(CENTRES_HZ - 1000).argmin())
    assert bands[at] == approx(0, abs=0.01)
    assert (np.delete(bands, at) < -40).all()
    rises = np.diff(sound.third_octaves_db(noise(), SR))[12:]  # where bands have many bins
    assert rises.mean() == approx(10 * np.log10(2) / 3, abs=0.05)
    assert np.abs(rises - rises.mean()).max() < 0.6


def test_a_spectrum_has_no_level_and_silence_has_the_lowest_everywhere() -> None:
    wave = sine(300) + noise(-30)
    assert sound.third_octaves_db(0.1 * wave, SR) == approx(sound.third_octaves_db(wave, SR))
    assert (sound.third_octaves_db(0 * T, SR) == FLOOR_DB).all()
    assert sound.third_octaves_db(noise()[:100], SR).shape == CENTRES_HZ.shape


@pytest.mark.parametrize("below_db", [20.0, 40.0])
def test_noise_under_a_chord_is_found_at_its_level(below_db: float) -> None:
    chord = sum(sine(hz, -25) for hz in (440.0, 554.4, 659.3, 1318.5))
    level = 20 * np.log10(np.sqrt(np.square(chord).mean()))
    found = sound.noise_floor_db(chord + noise(level - below_db), SR)
    share = (CENTRES_HZ[-1] * 2 ** (1 / 6) - 400 / 2 ** (1 / 6)) / (SR / 2)  # of the noise
    assert found == approx(-below_db + 10 * np.log10(share), abs=1)


def test_noise_alone_is_all_noise_and_a_tone_or_silence_has_none() -> None:
    assert sound.noise_floor_db(noise(), SR) == approx(0, abs=0.8)
    assert sound.noise_floor_db(sine(), SR) < -50
    assert sound.noise_floor_db(0 * T, SR) == sound.NOISE_FLOOR_DB
    bursts = noise() * (T % 1 < 0.5)  # what pauses is no floor
    assert sound.noise_floor_db(bursts, SR) < -60


@pytest.mark.parametrize("rise_s", [0.02, 0.05, 0.1])
def test_a_straight_rise_takes_four_fifths_of_it_between_10_and_90_per_cent(rise_s: float) -> None:
    wave = sine(2000) * np.clip((T % 0.5) / rise_s, 0, 1) * (T % 0.5 < 0.3)
    assert sound.attack_ms(wave, SR) == approx(800 * rise_s, abs=3)


def test_clicks_are_sharp_and_noise_has_no_attacks() -> None:
    clicks = np.zeros(len(T))
    clicks[SR // 4 :: SR // 2] = 1
    sharp = sound.attack_ms(clicks, SR)
    assert sharp is not None and sharp < 3
    assert sound.attack_ms(noise(), SR) is None
    assert sound.attack_ms(sine(), SR) is None
    assert sound.attack_ms(0 * T, SR) is None


def test_low_rates_and_what_is_not_finite_are_refused() -> None:
    for metric in (sound.third_octaves_db, sound.noise_floor_db):
        with pytest.raises(MetricError, match="36 kHz"):
            metric(noise()[:SR], 22_050)
    for one in (sound.third_octaves_db, sound.noise_floor_db, sound.attack_ms):
        with pytest.raises(MetricError, match="NaN"):
            one(np.full(SR, np.nan), SR)
