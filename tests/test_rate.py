"""The recipe of rate against distortion: what rounding costs, and what it saves."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import STYLES, music
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


def test_what_has_no_code_is_refused_before_anything_is_measured(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "power_of", None)
    travel = build("travel", STYLES, Travel.PRESETS["default"], MelConfig()).eval()
    travel.save(tmp_path / "travel.safetensors")
    corpus, picture = str(small_corpus.path), str(tmp_path / "rate.png")
    for name in (str(tmp_path / "travel.safetensors"), "score"):
        with pytest.raises(ThirdstreamError, match=r"has no code; give twin autoencoders"):
            rate.main(corpus, picture, name)
    with pytest.raises(ThirdstreamError, match=r"holds no config\.json"):
        rate.main(corpus, picture, "--encodec", str(tmp_path))


# --- codec --------------------------------------------------------------------------------------


class Halved:
    """A codec of two bandwidths: at the lower one half the level is lost."""

    bandwidths = (1.5, 3.0)

    def coded(self, wave: np.ndarray, bandwidth: float) -> tuple[np.ndarray, float]:
        return wave * np.float32(bandwidth / 3), 1000 * bandwidth


def test_a_codec_has_a_point_a_bandwidth(small_corpus: Corpus) -> None:
    low, high = rate.codec_curve(Halved(), small_corpus, 2).points
    assert (low.bits, high.bits, high.error) == (1500, 3000, 0)
    errors = []
    for style in STYLES:
        power = rate.power_of(small_corpus, rate.chosen(small_corpus, style, 2))
        errors.append(rate.eq1(power / 4, power, rate.judge_of(small_corpus, style)))
    assert low.error == pytest.approx(sum(errors) / 2, rel=1e-2)


def test_encodec_codes_a_segment_at_its_bandwidths(tmp_path: Path) -> None:
    """Random weights: 24,000 / 320 frames a second, of one and two tokens of 6 bits."""
    transformers = pytest.importorskip("transformers")
    config = transformers.EncodecConfig(
        num_filters=2, hidden_size=8, codebook_dim=8, codebook_size=64, num_lstm_layers=1,
        target_bandwidths=[0.45, 0.9],
    )  # fmt: skip
    transformers.EncodecModel(config).save_pretrained(tmp_path / "weights")
    codec = rate.Encodec(tmp_path / "weights")
    found = [codec.coded(music(0, SEGMENT), one) for one in codec.bandwidths]
    assert [bits for _, bits in found] == [450, 900]
    assert all(made.shape == (SEGMENT,) for made, _ in found)


def test_all_curves_are_in_one_table_and_one_picture(tmp_path: Path) -> None:
    points = [rate.Point(1000.0 * 2**k, 1 / (k + 1), step) for k, step in enumerate(rate.STEPS)]
    curves = [rate.Curve(name, points, 5600, 0.1) for name in ("components-9", "twin-cnn")]
    curves.append(rate.Curve("encodec", [rate.Point(1500, 0.25), rate.Point(3000, 0.125)]))
    rate.draw(curves, tmp_path / "rate.png")
    assert (tmp_path / "rate.png").stat().st_size > 1000
    rows = rate.table(curves).splitlines()
    assert len(rows) == 2 + 2 + 4
    assert rows[3].startswith("| twin-cnn | 5,600 | 1.0: 1.000 | 2.0: 0.500 |")
    assert rows[4:] == ["", "| encodec | |", "|---|---|", "| 1.5: 0.250 | 3.0: 0.125 |"]


def test_segments_below_none_are_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        rate.arguments_of(["corpus", "out.png", "--segments", "-2"])
    assert "--segments must be 0 or more (got -2)" in capsys.readouterr().err


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
