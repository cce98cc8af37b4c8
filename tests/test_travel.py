"""The travel loss, and the input features of encoders."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given
from hypothesis import strategies as st

import toy
from conftest import STYLES, TINY
from thirdstream.mel.features.inputs import (
    INPUT_FEATURES,
    difference,
    envelope,
    input_features,
    mfcc,
)
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.adversarial import ADVERSARIAL
from thirdstream.mel.models.model import MODEL, RECONSTRUCTION, Batch, weighted_sum
from thirdstream.mel.models.travel import CHUNK, MARGIN, MIN_DISTANCE, TRAVEL, Travel, travel_losses
from thirdstream.mel.models.twin import TwinConfig


def vectors(seed: int, n: int = 4) -> torch.Tensor:
    return 5 * torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))


# --- the travel loss ----------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), by=st.floats(-3, 3))
def test_a_shift_of_all_is_no_travel(seed: int, by: float) -> None:
    before = vectors(seed)
    assert travel_losses(before, after=before + by)[0].item() == pytest.approx(0, abs=1e-5)


def test_turning_and_stretching_cost_as_defined() -> None:
    before = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    turned = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    stretched = torch.tensor([[0.0, 0.0], [6.0, 0.0]])
    assert travel_losses(before, after=turned)[0].item() == pytest.approx(1 + (9 + 9) / 2)
    assert travel_losses(before, after=-before)[0].item() == pytest.approx(2 + 36 / 2)
    assert travel_losses(before, after=stretched)[0].item() == pytest.approx(0 + 9 / 2)


@pytest.mark.parametrize(
    ("apart", "loss"), [(0.0, MIN_DISTANCE), (0.5, MIN_DISTANCE - 0.5), (3.0, 0.0)]
)
def test_what_lies_together_is_pushed_apart(apart: float, loss: float) -> None:
    before = torch.tensor([[0.0, 0.0], [apart, 0.0]])
    assert travel_losses(before, after=before)[1].item() == pytest.approx(loss)


def test_a_batch_of_one_travels_nowhere() -> None:
    assert [loss.item() for loss in travel_losses(vectors(0, 1), after=vectors(1, 1))] == [0, 0]


def test_each_direction_has_a_network_of_its_own() -> None:
    twin = Travel(STYLES, Travel.PRESETS["default"])
    mel = torch.rand(2, 12, 16)
    twin.transfer(mel, source="classical", target="jazz").sum().backward()
    touched = {key for key, p in twin.named_parameters() if p.grad is not None}
    assert touched and all("style-jazz" in key for key in touched)
    same = twin.transfer(mel, source="jazz", target="jazz")
    assert torch.equal(same, twin.transfer(mel, source="classical", target="jazz"))


def test_transfers_are_discriminated_whole_but_made_of_chunks() -> None:
    twin = Travel(STYLES, Travel.PRESETS["default"])
    batch = {style: torch.rand(2, 2 * CHUNK + 3, 16) for style in STYLES}
    restyled = twin.transfers(batch)["classical"]
    assert restyled.shape == batch["jazz"].shape
    parts = batch["jazz"].split(CHUNK, 1)
    made = [twin.transfer(part, source="jazz", target="classical") for part in parts]
    torch.testing.assert_close(restyled, torch.cat(made, 1))


def test_the_vectors_learn_with_the_networks() -> None:
    twin = Travel(STYLES, Travel.PRESETS["default"])
    batch = {style: torch.rand(3, 20, 16) for style in STYLES}
    losses = twin(Batch(batch, batch))
    (losses[TRAVEL] + losses[MARGIN]).backward()
    assert all(p.grad is not None for p in twin.siamese.parameters())


def test_it_learns_a_toy_problem() -> None:
    """Better than a copy and than another melody, in both directions. With Adam's usual first decay
    the two players swing about each other for longer.

    Most starts succeed. Rounding, which is each processor's own, is as good as another start, so
    there are up to five.
    """
    config = dataclasses.replace(
        Travel.PRESETS["default"],
        channels=(16,), n_convs=1, latent_channels=16, patch=2, kernel_size=5,
        discriminator_channels=(8, 16), gradient_penalty=2.5, warm_up=0,
        weights={RECONSTRUCTION: 2.0, ADVERSARIAL: 0.5, TRAVEL: 1.0, MARGIN: 1.0},
    )  # fmt: skip
    training = {"n_steps": 200, "batch_size": 8, "lr": 3e-3, "betas": (0.5, 0.99)}
    needed = max(toy.baselines(n_frames=16).values()) + 0.1

    def learns(seed: int) -> bool:
        torch.manual_seed(seed)
        twin = toy.train(Travel(STYLES, config), **training, n_frames=16)
        return min(toy.likeness(twin, n_frames=16).values()) > needed

    assert any(map(learns, range(5)))


# --- input features -----------------------------------------------------------------------------


def mel(seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 10, 32, generator=torch.Generator().manual_seed(seed))


def test_the_cosine_transform_is_scipys() -> None:
    wanted = scipy.fft.dct(mel().numpy(), type=2, norm="ortho", axis=-1) / math.sqrt(32)
    np.testing.assert_allclose(mfcc(mel()).numpy(), wanted, atol=1e-6)
    torch.testing.assert_close(mfcc(mel())[..., 0], mel().mean(dim=-1))


def test_the_envelope_is_smooth_and_its_own_envelope() -> None:
    smooth = envelope(mel())
    torch.testing.assert_close(envelope(smooth), smooth)
    assert mfcc(smooth)[..., 15:].abs().max() < 1e-6
    flat = torch.ones(1, 3, 32)
    torch.testing.assert_close(envelope(flat), flat)


def test_the_difference_has_onsets_and_no_ends() -> None:
    step = torch.zeros(1, 6, 4)
    step[:, 2:4] = 2.0
    grown = difference(step)
    assert grown.sum() == 2 * 4 and (grown[:, 2] == 2).all()
    assert (difference(torch.ones(1, 6, 4))[:, 1:] == 0).all()


def test_all_features_are_channels_of_one_image() -> None:
    image = input_features(mel(), tuple(INPUT_FEATURES))
    assert image.shape == (2, 4, 10, 32)
    assert torch.equal(image[:, 0], mel())


FEATURED = [name for name, one in FAMILIES.items() if hasattr(one.kind.Config, "features")]


@pytest.mark.parametrize("name", FEATURED)
def test_every_model_takes_every_feature(name: str) -> None:
    kind = FAMILIES[name].kind
    config = dataclasses.replace(kind.PRESETS["default"], features=tuple(INPUT_FEATURES))
    model = kind(STYLES, config)
    batch = {style: torch.rand(2, 9, getattr(config, "n_mels", 16)) for style in STYLES}
    weighted_sum(model(Batch(batch, batch)), model.loss_weights(MODEL)).backward()
    assert model.reconstruct(batch["jazz"], "jazz").shape == batch["jazz"].shape


def test_features_that_are_none_are_refused() -> None:
    for features in ((), ("mel", "smell")):
        with pytest.raises(ValueError, match="features must be"):
            TwinConfig(features=features)
    with pytest.raises(ValueError, match="features must be"):
        dataclasses.replace(TINY, features=())
