"""The recording's dynamics: closed forms, invariants, and what comes of a transfer."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import music
from thirdstream.audio import SR, Wave, dynamics
from thirdstream.audio.dynamics import AFTER, BEFORE, FADE, HOP, MOST_UP_DB, Contour, followed
from thirdstream.system import Options, System

powers = st.lists(st.just(0.0) | st.floats(1e-9, 10), min_size=1, max_size=200).map(np.array)


def noise(n_samples: int) -> Wave:
    return np.random.default_rng(0).normal(0, 0.1, (2, n_samples)).astype(np.float32)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=6), st.integers(1, 3))
def test_a_contour_does_not_depend_on_blocks(sizes: list[int], n_channels: int) -> None:
    wave = np.random.default_rng(1).normal(size=(n_channels, sum(sizes))).astype(np.float32)
    contour, blocks = Contour(), np.split(wave, np.cumsum(sizes)[:-1], axis=1)
    assert np.array_equal(np.concatenate(list(contour.of(blocks)), axis=1), wave)
    parts = [wave[:, at : at + HOP] for at in range(0, wave.shape[1], HOP)]
    expected = [np.square(part, dtype=np.float64).mean() for part in parts]
    np.testing.assert_allclose(contour.powers, expected, rtol=1e-9)


@given(powers)
def test_what_follows_already_is_left_alone_and_rests_are_silent(power: np.ndarray) -> None:
    found = dynamics.gains(recording=power, made=3.0 * power)
    assert np.logical_or(np.abs(found - 1) < 1e-6, found == 0).all()
    assert (found[power > 0.01 * power.mean()] > 0).all()


@given(powers, st.floats(0.01, 100), st.floats(0.01, 100))
def test_how_loud_either_is_as_a_whole_does_not_matter(
    power: np.ndarray, here: float, there: float
) -> None:
    made = power[::-1] + 0.1
    found = dynamics.gains(recording=power, made=made)
    again = dynamics.gains(recording=here * power, made=there * made)
    assert np.isfinite(found).all() and (found >= 0).all()
    # The least powers above 0 are no music at any scale; what is a rest may turn on rounding there.
    assert (np.abs(again - found) <= 1e-6 + 1e-6 * found).mean() > 0.9


def test_a_fade_is_a_fade_again() -> None:
    fade_db = np.linspace(0, -40, 600)
    found = dynamics.gains(recording=10 ** (fade_db / 10), made=np.ones(600))
    gain_db = 20 * np.log10(found)
    slope_db = np.polyfit(np.arange(100, 500), gain_db[100:500], 1)[0]
    assert slope_db == pytest.approx(-40 / 599, rel=0.02)


def test_nothing_is_turned_up_further_than_echoes_bear() -> None:
    made = np.ones(600)
    made[300:] = 1e-4
    found = dynamics.gains(recording=np.ones(600), made=made)
    assert 20 * np.log10(found.max() / found[0]) <= 2 * MOST_UP_DB


def test_a_rest_is_silent_but_for_its_edges() -> None:
    recording = np.ones(600)
    recording[200:400] = 0
    found = dynamics.gains(recording=recording, made=np.ones(600))
    assert (found[200 + AFTER : 400 - BEFORE] == 0).all()
    assert (found[: 200 + AFTER] > 0).all() and (found[400 - BEFORE :] > 0).all()


def test_gains_are_straight_lines_between_hops_and_both_ends_are_faded() -> None:
    wave = np.ones((1, 4 * HOP), np.float32)
    blocks = np.split(wave, [5, 3000], axis=1)
    curve = np.array([1.0, 1.0, 0.0, 0.0])
    made = np.concatenate(list(followed(blocks, curve, n_samples=4 * HOP)), axis=1)
    assert made[0, FADE : HOP + HOP // 2] == pytest.approx(1)
    assert made[0, 2 * HOP] == pytest.approx(0.5, abs=1e-3)
    assert np.abs(np.diff(made[0, FADE:-FADE])).max() <= 1.01 / HOP
    assert made[0, 0] == pytest.approx(1 / FADE)


class Deaf(System):
    """Plays on and on, whatever it hears."""

    name, styles, keeps_dynamics = "deaf", ("classical", "jazz"), False

    def stream(self, blocks: Iterable[Wave], options: Options) -> Iterator[Wave]:
        for block in blocks:
            yield noise(block.shape[1])[: block.shape[0]]


@pytest.mark.parametrize("cuts", [(), (100,), (127, 128, 129, 900)])
def test_both_ends_of_a_stream_are_faded_however_it_is_cut(cuts: tuple[int, ...]) -> None:
    ones = np.split(np.ones((2, 1000), np.float32), cuts, axis=1)
    made = np.concatenate(list(dynamics.faded(ones, n_samples=1000)), axis=1)
    assert made.dtype == np.float32
    assert 0 < made[0, 0] < 0.01
    assert (made[:, FADE:-FADE] == 1).all()
    assert (np.diff(made[0, :FADE]) > 0).all()
    np.testing.assert_allclose(made[0], made[1, ::-1])


def test_a_band_that_does_not_listen_rests_and_fades_with_the_recording() -> None:
    seconds = np.arange(30 * SR) / SR
    wave = music(0, 30 * SR) * 10 ** (-2 * np.clip(seconds - 15, 0, 15) / 20)
    wave[5 * SR : 9 * SR] = 0
    made = Deaf().transfer(wave, SR, to="jazz")
    assert np.abs(made[round(5.4 * SR) : round(8.85 * SR)]).max() == 0
    levels = [
        [20 * np.log10(np.sqrt(np.square(x[at * SR :][: 2 * SR]).mean())) for x in (wave, made)]
        for at in (1, 11, 18, 22, 26)
    ]
    heard, played = np.array(levels).T
    np.testing.assert_allclose(played - played[0], heard - heard[0], atol=2.5)
    assert np.abs(made[0]) < 0.01


@given(n_hops=st.integers(1, 5), cuts=st.lists(st.integers(0, 5 * HOP), max_size=4))
def test_gains_lie_on_straight_lines_between_the_middles_of_hops(
    n_hops: int, cuts: list[int]
) -> None:
    gains, n_samples = np.random.default_rng(n_hops).random(n_hops), n_hops * HOP
    cut = np.split(
        np.ones((1, n_samples), np.float32), sorted({min(c, n_samples) for c in cuts}), 1
    )
    found = np.concatenate(list(followed(cut, gains, n_samples=n_samples)), axis=1)[0]
    along = np.interp(np.arange(n_samples), (np.arange(n_hops) + 0.5) * HOP, gains)
    np.testing.assert_array_equal(found[FADE:-FADE], along.astype(np.float32)[FADE:-FADE])
