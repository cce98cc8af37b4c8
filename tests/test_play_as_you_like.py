"""Play as You Like: its channels, networks and losses, and a problem that it learns."""

import dataclasses

import numpy as np
import pytest
import scipy.fft
import torch

import toy
from conftest import STYLES
from thirdstream.mel.features import channels
from thirdstream.mel.models.adversarial import relativistic
from thirdstream.mel.models.model import DISCRIMINATOR, MODEL, Batch, weighted_sum
from thirdstream.mel.models.play_as_you_like import (
    PlayAsYouLike,
    PlayAsYouLikeConfig,
    intrinsic_losses,
    volume_loss,
)
from thirdstream.mel.networks.munit import MultiScaleDiscriminator, conv

TINY = PlayAsYouLikeConfig(
    n_channels=4, n_residual=1, n_hidden=16, patch=2, kernel_size=3,
    discriminator_channels=4, discriminator_layers=2, discriminator_scales=2, crop=12,
)  # fmt: skip


def tiny(config: PlayAsYouLikeConfig = TINY, seed: int = 0) -> PlayAsYouLike:
    torch.manual_seed(seed)
    return PlayAsYouLike(STYLES, config)


def mel(n_frames: int = 12, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, n_frames, 32, generator=torch.Generator().manual_seed(1))


def test_the_channels_are_what_scipy_makes_of_the_mel() -> None:
    spectrum = mel(40).double().numpy()
    cosines = scipy.fft.dct(spectrum, norm="ortho")
    smooth = cosines.copy()
    smooth[..., 15:] = 0
    grown = np.pad(spectrum[:, 2:] - spectrum[:, :-2], ((0, 0), (1, 1), (0, 0)), mode="edge")
    expected = [spectrum, cosines, grown, scipy.fft.idct(smooth, norm="ortho")]
    found = channels.channels(mel(40))
    assert np.allclose(found.numpy(), np.maximum(expected, 0).swapaxes(0, 1), atol=1e-5)


def test_the_difference_of_one_frame_is_nothing_and_of_two_what_they_grew_by() -> None:
    assert not channels.difference(mel(1)).any()
    two = torch.tensor([[[1.0, 4.0], [3.0, 2.0]]])
    assert channels.difference(two).tolist() == [[[2.0, 0.0], [2.0, 0.0]]]


def test_channels_that_are_of_their_mel_cost_nothing_and_others_their_distance() -> None:
    images = {style: channels.channels(mel() + k) for k, style in enumerate(STYLES)}
    assert all(loss.item() == 0 for loss in intrinsic_losses(images).values())
    for image in images.values():
        image[:, 1] += 0.5
        image[:, 2] += 0.25
    images["jazz"][:, 3] += 1
    losses = {name: loss.item() for name, loss in intrinsic_losses(images).items()}
    assert losses == pytest.approx({"mfcc": 0.5, "difference": 0.25, "envelope": 0.5}, abs=1e-5)


def test_no_gradient_reaches_the_mel_by_its_channels() -> None:
    image = torch.rand(1, 4, 8, 32, requires_grad=True)
    sum(intrinsic_losses(dict.fromkeys(STYLES, image)).values()).backward()  # type: ignore[union-attr]
    assert image.grad is not None
    assert not image.grad[:, 0].any() and image.grad[:, 1:].any()


def test_the_volume_is_that_of_each_recordings_mel() -> None:
    image = torch.rand(2, 4, 8, 32)
    louder = image.clone()
    louder[0, 0] += 1
    louder[1, 0] -= 0.5
    louder[:, 1:] += 7
    assert volume_loss(image, restyled=louder).item() == pytest.approx(0.75, abs=1e-5)


def test_scales_are_added() -> None:
    winner, loser = [torch.tensor([2.0]), torch.tensor([0.0])], [torch.zeros(1)] * 2
    assert (
        relativistic(winner=winner[0], loser=loser[0]).item() == 1
    )  # ((2 - 1)^2 + (-2 + 1)^2) / 2
    assert relativistic(winner=winner, loser=loser).item() == 2


def test_the_paper_preset_has_the_published_networks() -> None:
    def of(n_in: int, n_out: int, size: int) -> int:
        return n_in * n_out * size**2 + n_out

    blocks = 4 * 2 * of(256, 256, 3)
    start = of(4, 64, 7) + of(64, 128, 4) + of(128, 256, 4)
    style = start + 2 * of(256, 256, 4) + of(256, 8, 1)
    mlp = of(8, 256, 1) + of(256, 256, 1) + of(256, 4 * 2 * 2 * 256, 1)
    ends = of(256, 128, 5) + 2 * 128 + of(128, 64, 5) + 2 * 64 + of(64, 4, 7)
    scale = of(4, 64, 4) + of(64, 128, 4) + of(128, 256, 4) + of(256, 512, 4) + of(512, 1, 1)
    players = tiny(PlayAsYouLike.PRESETS["paper"]).players()
    counts = {name: sum(p.numel() for p in one.parameters) for name, one in players.items()}
    generator = start + blocks + style + mlp + blocks + ends
    assert counts == {DISCRIMINATOR: 2 * 3 * scale, MODEL: 2 * generator}


def test_a_model_of_the_default_preset_is_small() -> None:
    model = tiny(PlayAsYouLike.PRESETS["default"])
    assert sum(p.numel() for p in model.parameters()) < 500_000  # 2 MB


def test_players_step_as_published() -> None:
    players = tiny().players()
    assert list(players) == [DISCRIMINATOR, MODEL]
    assert {(one.betas, one.weight_decay) for one in players.values()} == {((0.5, 0.999), 1e-4)}
    assert (players[DISCRIMINATOR].clip_value, players[MODEL].clip_value) == (None, 1.0)


def test_weights_begin_as_published() -> None:
    model = tiny(PlayAsYouLike.PRESETS["paper"])
    discriminator = torch.cat([p.flatten() for p in model.discriminators.parameters()])
    assert discriminator.std().item() == pytest.approx(0.02, rel=0.02)
    decoder = model.decoders["jazz"]
    assert decoder.ups[0][0].weight.std().item() == pytest.approx((2 / (256 * 25)) ** 0.5, rel=0.02)
    assert (decoder.last.weight.sum(dim=(1, 2, 3)) >= 0).all()


def test_a_discriminator_scores_places_at_half_the_size_each() -> None:
    scores = MultiScaleDiscriminator(4, 2, n_layers=4, n_scales=3)(torch.rand(1, 4, 256, 128))
    assert [tuple(one.shape) for one in scores] == [(1, 1, 16, 8), (1, 1, 8, 4), (1, 1, 4, 2)]


@pytest.mark.parametrize("size", [3, 4, 5, 7])
def test_convolutions_keep_the_size_or_halve_it(size: int) -> None:
    x = torch.rand(1, 1, 8, 12)
    expected = (8, 12) if size % 2 else (4, 6)
    assert conv(1, 1, size, stride=1 + (size == 4))(x).shape[2:] == expected


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_transfers_are_fixed_by_their_style(patch: int) -> None:
    model = tiny(dataclasses.replace(TINY, patch=patch)).eval()
    styles = [
        model.default_condition("jazz", generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    made = [
        model.transfer(mel(), source="classical", target="jazz", condition=one) for one in styles
    ]
    assert torch.equal(made[0], made[1]) and not torch.allclose(made[0], made[2])
    assert made[0].min() >= 0


def test_a_reconstruction_has_its_own_style() -> None:
    model = tiny().eval()
    own = model.style_code(mel(), "jazz")
    assert own.shape == (2, 8)
    given = model.transfer(mel(), source="jazz", target="jazz", condition=own)
    assert torch.equal(model.reconstruct(mel(), "jazz"), given)


def test_players_leave_one_another_alone() -> None:
    model, batch = tiny(), {style: mel(20) for style in STYLES}
    players = model.players()
    for player, other in ((MODEL, DISCRIMINATOR), (DISCRIMINATOR, MODEL)):
        model.zero_grad()
        weighted_sum(model(Batch(batch, batch), player), model.loss_weights(player)).backward()
        assert all(p.grad is None for p in players[other].parameters)
        assert all(p.grad is not None for p in players[player].parameters)


def test_crops_are_drawn_and_shorter_recordings_are_taken_whole() -> None:
    model = tiny()
    batch = {style: mel(40) for style in STYLES}
    torch.manual_seed(0)
    drawn = [model.images(batch)["jazz"] for _ in range(5)]
    assert {one.shape for one in drawn} == {(2, 4, 12, 32)}
    assert len({one.sum().item() for one in drawn}) > 1
    whole = model.images({"jazz": mel(7)})["jazz"]
    assert torch.equal(whole[:, 0, :7], mel(7)) and torch.equal(whole[:, 0, 7], mel(7)[:, 6])


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"patch": 3}, "patch must be"), ({"kernel_size": 4}, "odd"),
     ({"crop": 0}, "crop must be from 1"), ({"n_residual": 65}, "n_residual must be from 1 to 64"),
     ({"n_channels": 2_000}, "n_channels must be at most 1024"),
     ({"discriminator_channels": 64, "discriminator_layers": 9},
      "discriminator_layers must be fewer"),
     ({"weights": {"volume": 1.0}}, "weights must be")],
)  # fmt: skip
def test_networks_that_cannot_be_are_refused(change: dict, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        dataclasses.replace(TINY, **change)


def test_mels_that_do_not_divide_are_refused() -> None:
    tiny().check_mels(8)
    for n_mels in (4, 30):
        with pytest.raises(ValueError, match="multiple of 4"):
            tiny().check_mels(n_mels)


def test_halves_may_begin_alike() -> None:
    for shared in (False, True):
        model = tiny(dataclasses.replace(TINY, shared_start=shared))
        for networks in (model.content_encoders, model.style_encoders, model.decoders):
            states = [networks[style].state_dict().values() for style in STYLES]
            assert all(map(torch.equal, *states)) == shared


def test_it_learns_a_toy_problem() -> None:
    """Better than a copy and than another melody, in both directions. Narrow networks and large
    batches learn this from most starts; rounding, which is each processor's own, is as good as
    another start, so there are up to five.

    Behind its last ReLU a network may be dead where there is silence between the notes, so there
    is noise instead.
    """
    config = PlayAsYouLikeConfig(
        n_channels=8, n_residual=1, n_hidden=32, style_size=2, patch=2, kernel_size=3,
        discriminator_channels=8, discriminator_layers=3, discriminator_scales=2, crop=16,
        shared_start=True, weights=PlayAsYouLike.PRESETS["default"].weights,
    )  # fmt: skip
    how = {"n_frames": 16, "floor": 0.3}
    training = {"n_steps": 200, "batch_size": 16, "lr": 5e-3, "betas": (0.5, 0.99), "ema": 0.97}
    needed = max(toy.baselines(n_frames=16).values()) + 0.1
    starts = (toy.train(tiny(config, seed), **training, **how) for seed in range(5))
    assert any(min(toy.likeness(made, **how).values()) > needed for made in starts)
