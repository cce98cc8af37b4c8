"""The recipe of rate against distortion: what rounding costs, and what it saves."""

import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import STYLES
from thirdstream.audio import SEGMENT, SR
from thirdstream.data.corpus import Corpus
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models.gan import TwinGAN
from thirdstream.mel.models.travel import Travel
from thirdstream.mel.system import MelSystem, build

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
import rate


@pytest.fixture
def power(small_corpus: Corpus) -> torch.Tensor:
    """Four segments of music."""
    return rate.power_of(small_corpus, rate.chosen(small_corpus, STYLES[0], 4))


# --- quantisation -------------------------------------------------------------------------------


def test_the_entropy_of_known_distributions() -> None:
    eight = torch.arange(8.0).repeat(5)
    constant = torch.full((40,), 3.0)
    skewed = torch.tensor([0.0] * 30 + [1.0] * 10)  # a quarter: 2 - 3/4 log2 3
    found = rate.entropy(torch.stack([eight, constant, skewed], dim=1))
    assert found.tolist() == pytest.approx([3.0, 0.0, 2 - 0.75 * math.log2(3)])


def test_the_error_of_a_step_is_uniform() -> None:
    torch.manual_seed(0)
    values, step = 40 * torch.rand(20_000, 2), 0.5
    missed = rate.restored(rate.rounded(values, step), values, step) - values
    assert missed.abs().max() <= step / 2 + 1e-5
    assert missed.square().mean().item() == pytest.approx(step**2 / 12, rel=0.02)


def test_entropy_at_small_steps_is_the_differential_entropy_less_the_step() -> None:
    """Of a Gaussian: log2(deviation sqrt(2 pi e) / step)."""
    torch.manual_seed(0)
    values, step = 3 * torch.randn(200_000, 1), 0.25
    known = math.log2(3 * math.sqrt(2 * math.pi * math.e) / step)
    assert rate.entropy(rate.rounded(values, step)).item() == pytest.approx(known, abs=0.01)


@given(seed=st.integers(0, 99), step=st.floats(0.01, 10.0), power=st.sampled_from([1, 3, 5]))
def test_a_finer_step_never_costs_fewer_bits(seed: int, step: float, power: int) -> None:
    """A third of a step lies within the step, so the coarse symbols follow from the fine ones."""
    values = torch.randn(300, 3, generator=torch.Generator().manual_seed(seed)).double() ** power
    coarse, fine = (rate.entropy(rate.rounded(values, one)) for one in (step, step / 3))
    assert (fine >= coarse - 1e-9).all()


def test_a_column_is_one_channel_at_one_mel() -> None:
    content = torch.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    columns = rate.columns_of(content)
    assert columns.shape == (2 * 4, 3 * 5)
    assert torch.equal(columns[4:, 7], content[1, 1, :, 2])
    assert torch.equal(rate.content_of(columns, content), content)


# --- models -------------------------------------------------------------------------------------


def points_of(system: MelSystem, power: torch.Tensor, *steps: float) -> list[rate.Point]:
    style = STYLES[0]
    return rate.style_points(system, style, power, judge=system.log_mel(style), steps=steps)


def test_tiny_steps_lose_nothing_and_huge_ones_everything(
    system: MelSystem, power: torch.Tensor
) -> None:
    free, tiny, small, large, huge = points_of(system, power, 0, 1e-5, 0.1, 1.0, 1e9)
    assert tiny.error == pytest.approx(free.error, rel=1e-4)
    assert math.inf == free.bits > tiny.bits > small.bits > large.bits > huge.bits == 0


def test_the_error_without_rounding_is_that_of_the_reconstruction(
    system: MelSystem, power: torch.Tensor
) -> None:
    mel = system.log_mel(STYLES[0]).normalise(power)
    rebuilt = system.model.reconstruct(mel, STYLES[0]).clamp(min=0)  # power is not negative
    (free,) = points_of(system, power, 0)
    assert free.error == pytest.approx((rebuilt - mel).abs().mean().item(), rel=1e-4)


def test_a_style_code_is_paid_for(power: torch.Tensor) -> None:
    """Once a segment, at 32 bits a number, however coarse the content."""
    gan = build("twin-gan", STYLES, TwinGAN.PRESETS["paper-style-code"], MelConfig()).eval()
    (huge,) = points_of(gan, power, 1e9)
    assert huge.bits == pytest.approx(8 * 32 * SR / SEGMENT)


def test_what_has_no_code_is_refused(power: torch.Tensor) -> None:
    travel = build("travel", STYLES, Travel.PRESETS["default"], MelConfig()).eval()
    with pytest.raises(ThirdstreamError, match="travel: has no code"):
        points_of(travel, power, 0)


# --- test segments ------------------------------------------------------------------------------


def test_segments_come_evenly_from_all_recordings(small_corpus: Corpus) -> None:
    every = rate.chosen(small_corpus, STYLES[0], 0)
    assert len(every) == small_corpus.n_segments(STYLES[0], "test")
    assert rate.chosen(small_corpus, STYLES[0], 999) == every
    assert rate.chosen(small_corpus, STYLES[0], 1) == every[:1]


def test_the_sound_of_a_segment_is_that_of_its_mel(small_corpus: Corpus) -> None:
    segments = rate.chosen(small_corpus, STYLES[1], 3)
    judge = rate.judge_of(small_corpus, STYLES[1])
    waves = torch.stack([torch.from_numpy(wave) for wave in rate.waves_of(segments)])
    assert rate.eq1(judge.power(waves), rate.power_of(small_corpus, segments), judge) < 1e-3
