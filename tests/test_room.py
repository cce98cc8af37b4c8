"""Rooms and microphones, by their physics."""

import numpy as np
import pytest
from scipy.signal import butter, fftconvolve, sosfilt

from conftest import music, tone
from thirdstream.audio import SR, Wave
from thirdstream.notes.rendering import Room, Scene, draw_scene
from thirdstream.notes.rendering.room import COLOUR_HZ, FLAT, N_FIR, _colour, in_room, response

DRY = Scene(Room(0.3, 0.0, 0.004, 4000.0), FLAT, 0)


def recorded(dry: Wave, scene: Scene) -> Wave:
    """A whole mono sound in its room: (n_samples,), as long as it was."""
    return np.concatenate(list(in_room([np.stack([dry, dry])], scene, n_channels=1)), axis=1)[
        0, : len(dry)
    ]


@pytest.mark.parametrize("decay_s", [0.4, 1.5])
def test_a_room_dies_away_as_it_should(decay_s: float) -> None:
    room = Room(decay_s, 0.5, 0.02, 20_000.0)
    echo = response(room, seed=1)
    assert echo[0] == 1.0
    assert not echo[1 : round(0.02 * SR)].any()
    tail = echo[round(0.02 * SR) :]
    assert np.square(tail).sum() == pytest.approx(0.25, rel=1e-3)
    left_db = 10 * np.log10(np.square(tail[::-1], dtype=np.float64).cumsum()[::-1])
    fall = left_db[0] - left_db
    t60 = 60 / 20 * (np.searchsorted(fall, 25) - np.searchsorted(fall, 5)) / SR  # ISO 3382's T20
    assert t60 == pytest.approx(decay_s, rel=0.15)


def test_highs_die_first() -> None:
    tail = response(Room(1.0, 0.5, 0.0, 3000.0), seed=2)[1:]

    def share_above_6k(part: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(part)) ** 2
        return power[np.fft.rfftfreq(len(part), 1 / SR) > 6000].sum() / power.sum()

    assert share_above_6k(tail[SR // 2 :][: SR // 4]) < share_above_6k(tail[: SR // 4]) / 2


def test_no_room_and_a_flat_microphone_change_nothing() -> None:
    wave = np.random.default_rng(0).standard_normal(SR).astype(np.float32)
    high_pass = butter(2, 20.0, "highpass", fs=SR, output="sos")
    np.testing.assert_allclose(recorded(wave, DRY), sosfilt(high_pass, wave), atol=1e-4)


def test_nothing_below_hearing_is_left() -> None:
    wave = np.full(2 * SR, 0.2, np.float32) + tone(2 * SR, hz=440)
    heard = recorded(wave, DRY)[SR:]
    assert abs(heard.mean()) < 1e-4
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(0.1 / np.sqrt(2), rel=0.01)


def test_a_microphone_colours_as_told() -> None:
    colour = (0.0, 0.0, 0.0, 3.0, -3.0, 0.0, 0.0)
    t = np.arange(SR) / SR
    for hz, gain_db in zip(COLOUR_HZ[2:5], colour[2:5], strict=True):
        wave = np.sin(2 * np.pi * hz * t).astype(np.float32)
        out = recorded(wave, Scene(DRY.room, colour, 0))[SR // 4 : -SR // 4]
        assert 20 * np.log10(out.std() / np.sqrt(0.5)) == pytest.approx(gain_db, abs=0.3)


def test_scenes_are_drawn_by_seed_and_style() -> None:
    assert draw_scene("jazz", seed="1") == draw_scene("jazz", seed="1")
    assert draw_scene("jazz", seed="1") != draw_scene("jazz", seed="2")
    for seed in range(30):
        scene = draw_scene("classical", seed=str(seed))
        assert 1.2 <= scene.room.decay_s <= 2.4
        assert max(map(abs, scene.colour_db)) <= 3.0


def test_a_stream_through_a_room_is_the_room_of_the_whole() -> None:
    """The oracle: scipy's convolution with the echoes and the microphone, and its high-pass."""
    room = Room(1.0, 0.4, 0.01, 5000.0)
    scene = Scene(room, (1.0, 0.0, -2.0, 0.0, 2.0, 0.0, -1.0), 3)
    dry = music(4, 700_000)
    cut = (np.stack([part, part]) for part in np.split(dry, [10, 5000, 300_000, 650_000]))
    wet = np.concatenate(list(in_room(cut, scene, n_channels=1)), axis=1)[0]
    high_pass = butter(2, 20.0, "highpass", fs=SR, output="sos")
    through = fftconvolve(response(room, seed=3), _colour(scene.colour_db))
    whole = fftconvolve(sosfilt(high_pass, dry), through)[N_FIR // 2 :]
    inside = slice(0, len(dry) - N_FIR)  # its very end is cut off more sharply
    np.testing.assert_allclose(wet[: len(dry)][inside], whole[: len(dry)][inside], atol=1e-4)


def test_both_sides_have_echoes_of_their_own() -> None:
    room = Room(1.0, 1.0, 0.02, 8000.0)
    click = np.zeros((2, 60_000), np.float32)
    click[:, 0] = 1.0
    flat = Scene(room, (0.0,) * 7, 5)
    wet = np.concatenate(list(in_room([click], flat, n_channels=2)), axis=1)
    left, right = wet[:, 2000:40_000]
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.1
    assert np.square(left).sum() == pytest.approx(np.square(right).sum(), rel=0.2)
    assert wet[0, 0] == pytest.approx(1.0, abs=0.1)
