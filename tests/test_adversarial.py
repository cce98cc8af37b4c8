"""AdaIN, discriminators and drawn styles: what must be true of the paper's equations 3 to 7."""

import dataclasses
import math
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conftest import STYLES, TINY
from thirdstream.mel.models.adversarial import (
    ADVERSARIAL,
    GRADIENT_PENALTY,
    Adversarial,
    frozen,
    relativistic,
)
from thirdstream.mel.models.gan import CONTENT, STYLE, GANConfig, TwinGAN
from thirdstream.mel.models.model import DISCRIMINATOR, MODEL, Batch, Losses, weighted_sum
from thirdstream.mel.models.twin import Code, Pass, size_of
from thirdstream.mel.models.vae import TwinVAE, divergence
from thirdstream.mel.models.variational_gan import TwinVariationalGAN
from thirdstream.mel.networks.blocks import Discriminator, MapStyle, MovingCodeStyle, adain, moments

TINY_GAN = GANConfig(
    **size_of(TINY), weights=TwinGAN.PRESETS["paper"].weights, discriminator_channels=(2,)
)
WARM_UP, PENALTY = TINY_GAN.warm_up, TINY_GAN.gradient_penalty


def code(mean: float, variance: float) -> Code:
    shape = (2, 4, 6, 5)
    return Code(torch.full(shape, mean), 24, log_variance=torch.full(shape, math.log(variance)))


# --- eqs. 3 and 4 -------------------------------------------------------------------------------


def test_the_divergence_of_a_standard_normal_is_zero() -> None:
    assert divergence(code(0.0, 1.0)).item() == 0.0


@pytest.mark.parametrize(("mean", "variance"), [(2.0, 1.0), (0.0, 4.0), (-1.0, 0.25)])
def test_the_divergence_is_the_closed_form_and_torchs(mean: float, variance: float) -> None:
    drawn = torch.distributions.Normal(mean, math.sqrt(variance))
    expected = torch.distributions.kl_divergence(drawn, torch.distributions.Normal(0.0, 1.0))
    assert divergence(code(mean, variance)).item() == pytest.approx(expected.item(), rel=1e-5)


def test_draws_have_the_codes_mean_and_deviation() -> None:
    """sigma is exp(log_variance / 2), not its square."""
    twin = TwinVAE(STYLES, TwinVAE.PRESETS["paper"])
    torch.manual_seed(0)
    shape = (1, 4, 100, 100)
    log_variance = torch.full(shape, math.log(0.25))
    wide = Code(torch.full(shape, 3.0), 400, log_variance=log_variance)
    drawn = twin.sampled(wide).content
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(twin.eval().sampled(wide).content, wide.content)


def test_the_published_codes_draw_is_another() -> None:
    """exp of the log-variance, which is at least 0 there, and one draw for the whole batch."""
    twin = TwinVAE(STYLES, dataclasses.replace(TwinVAE.PRESETS["paper"], sigma="published"))
    zeros = torch.zeros(2, 4, 100, 100)
    for variance, deviation in ((4.0, 4.0), (0.25, 1.0), (math.exp(12), math.exp(10))):
        wide = Code(zeros, 400, log_variance=torch.full_like(zeros, math.log(variance)))
        drawn = twin.sampled(wide).content
        assert drawn.std().item() == pytest.approx(deviation, rel=0.02)
        assert torch.equal(drawn[0], drawn[1])


def test_the_noise_grows_from_batch_to_batch_and_stays() -> None:
    twin = TwinVAE(STYLES, dataclasses.replace(TwinVAE.PRESETS["paper-stable"], warm_up=2))
    mels = {style: torch.rand(1, 8, 256) for style in STYLES}
    code = Code(torch.zeros(1, 4, 50, 50), 200, log_variance=torch.zeros(1, 4, 50, 50))
    found = []
    for _ in range(4):
        found.append(twin.sampled(code).content.std().item())
        twin.passes(mels)
    assert found == pytest.approx([0.0, 0.5, 1.0, 1.0], abs=0.03)
    twin.eval()
    twin.passes(mels)
    assert twin.n_batches == 2  # validation does not count
    assert torch.equal(twin.sampled(code).content, code.content)


# --- eqs. 5 and 6 -------------------------------------------------------------------------------


def test_the_discriminator_is_content_where_real_scores_lie_one_above_false_ones() -> None:
    real, fake = torch.full((4,), 0.7), torch.full((4,), -0.3)
    assert relativistic(winner=real, loser=fake).item() == pytest.approx(0.0, abs=1e-12)
    assert relativistic(winner=fake, loser=real).item() == pytest.approx(2.0**2)  # the twin's


def test_equations_5_and_6_by_hand() -> None:
    """Eq. 5: 1/2 (mean (p - mean q - 1)^2 + mean (q - mean p + 1)^2) of real p and fake q."""
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.5])
    # means 1.5 and 0.75: p - 1.75 is -0.75 and 0.25; q - 0.5 is -0.5 and 1.
    eq_5 = ((0.5625 + 0.0625) / 2 + (0.25 + 1.0) / 2) / 2
    assert relativistic(winner=real, loser=fake).item() == pytest.approx(eq_5)
    # Eq. 6: q - 1.5 - 1 is -2.5 and -1; p - 0.75 + 1 is 1.25 and 2.25.
    eq_6 = ((6.25 + 1.0) / 2 + (1.5625 + 5.0625) / 2) / 2
    assert relativistic(winner=fake, loser=real).item() == pytest.approx(eq_6)


@settings(deadline=None, max_examples=50)
@given(real=st.lists(st.floats(-3, 3), min_size=2, max_size=5), shift=st.floats(-3, 3))
def test_only_the_difference_of_scores_counts_and_nothing_beats_the_minimum(
    real: list[float], shift: float
) -> None:
    scores = torch.tensor(real, dtype=torch.float64)
    loss = relativistic(winner=scores, loser=scores - shift)
    moved = relativistic(winner=scores + 5, loser=scores - shift + 5)
    assert loss.item() == pytest.approx(moved.item(), abs=1e-9)
    assert loss.item() >= (shift - 1) ** 2 - 1e-9


def test_the_gradient_moves_scores_apart() -> None:
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    relativistic(winner=real, loser=fake).backward()
    assert real.grad is not None and (real.grad < 0).all()
    assert fake.grad is not None and (fake.grad > 0).all()


def test_the_adversarial_weight_grows_to_its_own() -> None:
    twin = TwinGAN(STYLES, TINY_GAN)
    losses = {name: torch.tensor(1.0) for name in TINY_GAN.weights or {}}
    whole = sum((TINY_GAN.weights or {}).values())
    for share in (0.0, 0.5, 1.0, 3.0):
        twin.n_batches.fill_(share * WARM_UP)
        missing = (1 - min(share, 1.0)) * (TINY_GAN.weights or {})[ADVERSARIAL]
        assert weighted_sum(losses, twin.loss_weights(MODEL)).item() == pytest.approx(
            whole - missing
        )


class Linear(nn.Module):
    """A discriminator whose slope is known: `weight` times the sum of its input."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x.sum(dim=(1, 2, 3))


@dataclasses.dataclass(frozen=True)
class PlainConfig:
    """Of a model that only inherits."""

    weights: Mapping[str, float]
    warm_up: int = 500
    gradient_penalty: float = 1.0


class Plain(Adversarial):
    """A number times the mel, and discriminators of its own."""

    Config = PlainConfig

    def __init__(self, styles: tuple[str, str], config: PlainConfig) -> None:
        super().__init__(styles, config)
        self.gain = nn.Parameter(torch.tensor(2.0))

    def new_discriminator(self) -> nn.Module:
        return Linear(0.5)

    def transfer(
        self, mel: torch.Tensor, *, source: str, target: str, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self.gain * mel

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        if player == DISCRIMINATOR:
            return super().training_losses(batch, player)
        fake = self.transfers(batch.mels)
        return {ADVERSARIAL: self.adversarial_loss(real=batch.mels, fake=fake)}


def test_a_model_that_only_inherits_plays_against_discriminators_of_its_own() -> None:
    model = Plain(STYLES, PlainConfig({ADVERSARIAL: 0.2}))
    mels = {style: torch.rand(2, 8, 16) for style in STYLES}
    players = model.players()
    assert list(players) == [DISCRIMINATOR, MODEL]  # as in the published code
    losses = {player: model(Batch(mels, mels), player) for player in players}
    assert model.loss_weights(MODEL)[ADVERSARIAL] == pytest.approx(0.2 / WARM_UP)
    losses[MODEL][ADVERSARIAL].backward()
    assert model.gain.grad is not None and model.gain.grad != 0
    theirs = players[DISCRIMINATOR].parameters
    assert len(theirs) == 2 and all(one.grad is None for one in theirs)
    model.eval()(Batch(mels, mels))
    assert model.n_batches == 1  # validation does not count


def test_the_papers_game_has_its_whole_weight_at_once_and_no_penalty() -> None:
    twin = TwinGAN(STYLES, TwinGAN.PRESETS["paper"])
    mels = {style: torch.rand(1, 64, 256) for style in STYLES}
    assert list(twin(Batch(mels, mels), DISCRIMINATOR)) == [DISCRIMINATOR]
    assert twin.loss_weights(MODEL) == TwinGAN.PRESETS["paper"].weights
    # Of each: 3 x 3 convolutions 1 -> 2 -> 4, then 16 x 16 x 4 -> 32 -> 1, the last without a bias.
    size = (9 * 2 + 2) + (9 * 2 * 4 + 4) + (1024 * 32 + 32) + 32
    assert sum(p.numel() for p in twin.players()[DISCRIMINATOR].parameters) == 2 * size


def test_a_steep_discriminator_pays_for_the_square_of_its_slope() -> None:
    twin = TwinGAN(STYLES, TINY_GAN)
    for style, weight in {"classical": 0.5, "jazz": -2.0}.items():
        twin.discriminators.of[f"style-{style}"] = Linear(weight)
    batch = {style: torch.rand(3, 8, 16) for style in twin.styles}
    slope = twin.discriminator_losses(real=batch, fake=batch)[GRADIENT_PENALTY]
    assert slope.item() == pytest.approx(PENALTY * 8 * 16 * (0.5**2 + 2.0**2) / 2)
    slope.backward()
    grads = [p.grad.item() for p in twin.discriminators.parameters() if p.grad is not None]
    assert grads == pytest.approx([PENALTY * 8 * 16 * 0.5, PENALTY * 8 * 16 * -2.0])


@pytest.mark.parametrize("n_frames", [1, 3, 20, 259])
def test_discriminators_score_any_length(n_frames: int) -> None:
    assert Discriminator((2, 4))(torch.rand(3, 1, n_frames, 256)).shape == (3,)


def test_a_frozen_discriminator_passes_gradients_on_and_keeps_none() -> None:
    discriminator, x = Discriminator((2,)), torch.rand(1, 1, 16, 16, requires_grad=True)
    frozen(discriminator)(x).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())


# --- eq. 7 --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(shift=st.floats(-5, 5), scale=st.floats(0.01, 5), seed=st.integers(0, 99))
def test_adain_gives_the_styles_mean_and_deviation(shift: float, scale: float, seed: int) -> None:
    content = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(seed)).double()
    wanted = {
        "shift": torch.full((2, 3), shift).double(),
        "scale": torch.full((2, 3), scale).double(),
    }
    mean, deviation = moments(adain(content, epsilon=0.0, **wanted), epsilon=0.0)
    torch.testing.assert_close(mean[..., 0, 0], wanted["shift"])
    torch.testing.assert_close(deviation[..., 0, 0], wanted["scale"])


def test_a_map_gives_its_own_mean_and_deviation() -> None:
    head, content, style = MapStyle(3), torch.randn(2, 3, 9, 8), 2 + 3 * torch.randn(2, 3, 5, 4)
    shift, scale = head.shift_and_scale(head.reduce(style))
    joined = adain(content, shift=shift, scale=scale, epsilon=head.EPSILON)
    for made, given_ in zip(moments(joined, epsilon=0), moments(style, epsilon=0), strict=True):
        torch.testing.assert_close(made, given_, rtol=1e-5, atol=1e-5)


def test_content_joined_with_its_own_style_is_itself() -> None:
    content = torch.randn(2, 3, 9, 8)
    mean, deviation = moments(content, epsilon=1e-7)
    again = adain(content, shift=mean[..., 0, 0], scale=deviation[..., 0, 0], epsilon=1e-7)
    torch.testing.assert_close(again, content)


def moving(**buffers: float) -> MovingCodeStyle:
    head = MovingCodeStyle(2, 3, signed=False)
    with torch.no_grad():
        head.moving_mean.fill_(buffers["mean"])
        head.moving_std.fill_(buffers["std"])
    return head


def test_the_published_adain_normalises_by_what_is_stored() -> None:
    head, content, style = (
        moving(mean=1.0, std=2.0).eval(),
        torch.rand(2, 2, 6, 5),
        torch.rand(2, 3),
    )
    shift, scale = (x[..., None, None] for x in head.shift_and_scale(style))
    expected = (content - 1) / (2 + 1e-5) * scale + shift
    torch.testing.assert_close(head.join(content=content, style=style), expected)
    assert (head.moving_mean == 1).all() and (head.moving_std == 2).all()


def test_in_training_what_is_stored_moves_a_tenth_of_the_way_and_is_learnt_too() -> None:
    head, content = moving(mean=1.0, std=2.0).train(), torch.randn(2, 2, 6, 5)
    joined = head.join(content=content, style=torch.rand(2, 3))
    std, mean = torch.std_mean(content.detach(), dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(head.moving_mean.detach(), 0.9 * torch.ones(2) + 0.1 * mean)
    torch.testing.assert_close(head.moving_std.detach(), 1.8 * torch.ones(2) + 0.1 * std)
    joined.sum().backward()
    assert head.moving_mean.grad is not None and head.moving_mean.grad.any()


def test_how_diverse_transfers_are_is_measured_without_learning() -> None:
    twin = TwinGAN(STYLES, dataclasses.replace(TINY_GAN, style_size=3, adain="moving")).train()
    before = {name: value.clone() for name, value in twin.state_dict().items()}
    mels = {style: torch.rand(2, 32, 16) for style in STYLES}
    assert twin.diversity(Batch(mels, mels)) is not None
    assert twin.training
    assert all(torch.equal(value, before[name]) for name, value in twin.state_dict().items())


def test_the_style_loss_of_the_published_code_leaves_out_the_first_style() -> None:
    torch.manual_seed(0)
    both = TwinGAN(STYLES, TINY_GAN)
    second = TwinGAN(STYLES, dataclasses.replace(TINY_GAN, style_losses="second"))
    second.load_state_dict(both.state_dict())
    mels = {style: torch.rand(2, 16, 16) for style in STYLES}
    passes = both.passes(mels)
    changed = passes["classical"].again.style, passes["classical"].swapped.style  # through jazz
    assert changed[0] is not None and changed[1] is not None
    assert second.losses(mels, passes)[STYLE].item() == pytest.approx(
        (changed[0] - changed[1]).abs().mean().item()
    )
    assert both.losses(mels, passes)[STYLE] != second.losses(mels, passes)[STYLE]


# --- the game -----------------------------------------------------------------------------------


def perfect(style: torch.Tensor) -> dict[str, Pass]:
    """Passes of a twin whose codes come back as they were, though both styles' differ."""
    passes = {}
    for number, name in enumerate(STYLES):
        own = Code(torch.full((2, 3, 4, 4), float(number)), 16, style + number)
        swapped = own._replace(style=style + 5)
        passes[name] = Pass(own, torch.zeros(2, 16, 16), swapped, torch.zeros(2, 16, 16), swapped)
    return passes


def test_a_perfect_twin_loses_neither_content_nor_style() -> None:
    twin = TwinGAN(STYLES, TINY_GAN)
    batch = {name: torch.zeros(2, 16, 16) for name in STYLES}
    losses = twin.losses(batch, perfect(torch.zeros(2, 4)))
    assert losses[CONTENT].item() == 0.0
    assert losses[STYLE].item() == 0.0


def test_codes_of_the_wrong_style_are_lost() -> None:
    """The published code compares classical codes with jazz codes, and jazz styles twice."""
    twin = TwinGAN(STYLES, TINY_GAN)
    batch = {name: torch.zeros(2, 16, 16) for name in STYLES}
    passes = perfect(torch.zeros(2, 4))
    first, second = STYLES
    crossed = {first: passes[first]._replace(again=passes[second].again), second: passes[second]}
    assert twin.losses(batch, crossed)[CONTENT].item() == pytest.approx(0.5)
    worse = passes[first]._replace(again=passes[first].code)
    assert twin.losses(batch, passes | {first: worse})[STYLE].item() == pytest.approx(2.5)


def test_a_transfer_takes_the_style_it_is_given() -> None:
    twin = TwinGAN(STYLES, TINY_GAN).eval()
    mel, usual = torch.rand(2, 16, 16), torch.rand(1, 4)
    how = {"source": "classical", "target": "jazz"}
    given_ = twin.transfer(mel, **how, condition=usual)
    assert not torch.allclose(given_, twin.transfer(mel, **how, condition=usual + 1))
    assert torch.equal(given_, twin.transfer(mel, **how, condition=usual))


def test_the_mean_style_is_the_mean_of_what_training_saw() -> None:
    twin = TwinGAN(STYLES, TINY_GAN)
    batches = [{name: torch.rand(2, 16, 16) for name in STYLES} for _ in range(5)]
    seen = []
    for batch in batches:
        seen.append(twin.style_code(batch["jazz"], "jazz").detach())
        twin(Batch(batch, batch))
    usual = twin.default_condition("jazz", generator=torch.Generator())
    assert usual is not None
    torch.testing.assert_close(usual[0], torch.cat(seen).mean(0), rtol=1e-4, atol=1e-5)
    twin.eval()(Batch(batches[0], batches[0]))
    assert torch.equal(twin.default_condition("jazz", generator=torch.Generator()), usual)


def test_drawn_styles_are_standard_normal_and_repeatable() -> None:
    config = dataclasses.replace(TINY_GAN, style_size=8)
    twin = TwinVariationalGAN(STYLES, config)
    generator = torch.Generator().manual_seed(0)
    draws = torch.cat([twin.default_condition("jazz", generator=generator) for _ in range(2000)])
    assert draws.shape == (2000, 8)
    assert draws.mean(0).abs().max() < 0.1  # 4.5 deviations of the mean
    assert (draws.std(0) - 1).abs().max() < 0.1
    assert (torch.corrcoef(draws.T) - torch.eye(8)).abs().max() < 0.1
    again = twin.default_condition("jazz", generator=torch.Generator().manual_seed(0))
    assert torch.equal(again[0], draws[0])
    torch.manual_seed(0)
    code = Code(torch.zeros(2000, 3, 1, 1), 4, torch.zeros(2000, 8))
    swapped = twin.swapped(code, style_of=code).style
    assert swapped.mean(0).abs().max() < 0.1 and (swapped.std(0) - 1).abs().max() < 0.1


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"style_size": -1}, "style_size"), ({"discriminator_channels": ()}, "discriminator_channels"),
     ({"style_channels": (4,)}, "as many")],
)  # fmt: skip
def test_adversarial_networks_that_cannot_be_are_refused(change: dict, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        GANConfig(**change)
