"""MelGAN-VC: its networks, its losses, and slices."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d

import toy
from conftest import STYLES
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models.adversarial import ADVERSARIAL
from thirdstream.mel.models.melgan_vc import (
    IDENTITY,
    MARGIN,
    RANGE_DB,
    TRAVEL,
    MelGANVC,
    MelGANVCConfig,
    hinge_loss,
    margin_loss,
    travel_loss,
)
from thirdstream.mel.models.model import DISCRIMINATOR, MODEL, Batch, weighted_sum
from thirdstream.mel.networks.melgan_vc import Convolution, Critic, Generator, Siamese
from thirdstream.mel.system import build, load

TOY = MelGANVCConfig(
    channels=16, critic_channels=16, embedding_size=32, slice_frames=8, n_mels=toy.N_MELS,
    lr_scale=1.0, critic_lr_scale=2.0,
    weights={ADVERSARIAL: 1.0, IDENTITY: 5.0, TRAVEL: 1.0, MARGIN: 1.0},
)  # fmt: skip
SMALL = MelGANVCConfig(channels=4, critic_channels=6, embedding_size=5, slice_frames=8, n_mels=16)


def model(config: MelGANVCConfig = SMALL) -> MelGANVC:
    torch.manual_seed(0)
    return MelGANVC(STYLES, config)


def mels(n_frames: int = 30) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {style: torch.rand(3, n_frames, 16, generator=generator) for style in STYLES}


def size(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# --- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_mels", "generator", "siamese", "critic"),
    [(192, 2_934_785, 1_394_304, 4_498_433), (256, 3_016_705, 1_443_456, 4_596_737)],
)
def test_the_networks_have_the_published_size(
    n_mels: int, generator: int, siamese: int, critic: int
) -> None:
    """Of 192 mels in the notebook, and of the 256 here."""
    n, c, d, e = n_mels, 256, 512, 128
    assert generator == 3 * n * c + (9 + 7 + 7 + 2 * 9) * c**2 + 4 * 2 * c + 2 * c * n + 1
    assert siamese == 3 * n * c + (9 + 7) * c**2 + 3 * 2 * c + 6 * c * e + e
    assert critic == 3 * n * d + (9 + 7) * d**2 + 18 * d + 1
    with torch.device("meta"):
        assert size(Generator(n, c)) == generator
        assert size(Siamese(n, c, n_frames=24, n_embedding=e)) == siamese
        assert size(Critic(n, d, n_frames=72)) == critic


def test_mels_as_channels_are_a_convolution_over_the_whole_frequency_axis() -> None:
    """The first and the last convolution, as the notebook has them, on images of one channel."""
    torch.manual_seed(0)
    x, enter = torch.rand(2, 16, 9), Convolution(16, 4, 3, norm=False)
    image = conv2d(x[:, None], enter.convolution.weight[:, None])[:, :, 0]
    wanted = torch.nn.functional.leaky_relu(image, 0.2)
    torch.testing.assert_close(enter.eval()(x), wanted, atol=1e-5, rtol=1e-4)
    leave = torch.rand(16, 4, 1)
    image = conv_transpose2d(wanted[:, :, None], leave.permute(1, 2, 0)[..., None])
    torch.testing.assert_close(image[:, 0], torch.nn.functional.conv1d(wanted, leave))


@pytest.mark.parametrize(("n", "before"), [(24, 3), (23, 4), (70, 3)])
def test_padding_is_tensorflows(n: int, before: int) -> None:
    """Of 9 taps at stride 2: "same" puts 7 zeros around an even number of frames, 3 before."""
    layer = Convolution(1, 1, 9, stride=2, spectral=False, norm=False)
    with torch.no_grad():
        layer.convolution.weight.copy_(torch.arange(1.0, 10.0))
    impulse = torch.zeros(1, 1, n)
    impulse[..., 0] = 1
    out = layer(impulse)
    assert out.shape[2] == math.ceil(n / 2)
    assert out[0, 0, 0].item() == before + 1


def test_spectral_normalisation_divides_by_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    for network in (Generator(16, 4), Critic(16, 6, n_frames=24)):
        for _ in range(100):
            network(torch.rand(2, 16, 24))
        found: list[Any] = [one for one in network.modules() if hasattr(one, "parametrizations")]
        assert len(found) == (6 if isinstance(network, Generator) else 4)
        for layer in found:
            original = layer.parametrizations.weight.original
            largest = torch.linalg.svdvals(original.flatten(1)).max()
            torch.testing.assert_close(layer.weight, original / largest, rtol=1e-3, atol=1e-5)
            assert layer.bias is None or isinstance(layer, torch.nn.Linear)


def test_power_iterations_happen_in_training_alone() -> None:
    twin = model()
    before = {name: value.clone() for name, value in twin.state_dict().items()}
    twin.eval()(Batch(mels(), mels()))
    assert all(torch.equal(value, before[name]) for name, value in twin.state_dict().items())
    twin.train()(Batch(mels(), mels()))
    changed = {n for n, value in twin.state_dict().items() if not torch.equal(value, before[n])}
    assert any(name.endswith("weight.0._u") for name in changed)
    assert changed <= {name for name, _ in twin.named_buffers()}


# --- losses -------------------------------------------------------------------------------------


def test_the_travel_loss_in_numbers() -> None:
    before = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]])
    turned = torch.tensor([[[-4.0, 3.0]], [[0.0, 0.0]]])
    assert travel_loss(before, after=before + 7).item() == pytest.approx(0 - 1)
    assert travel_loss(before, after=2 * before).item() == pytest.approx((9 + 16) / 2 - 1)
    assert travel_loss(before, after=turned).item() == pytest.approx((49 + 1) / 2 - 0)


def test_the_margin_loss_in_numbers() -> None:
    ends = torch.tensor([[[0.0, 0.5], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert margin_loss(ends).item() == pytest.approx((1.5**2 + 0) / 2)
    assert margin_loss(ends[:, :1] * 0).item() == pytest.approx(4)
    assert margin_loss(ends[:, :1] * 4).item() == 0


def test_the_hinge_loss_in_numbers() -> None:
    at, wrong = torch.tensor([1.0, 3.0]), torch.tensor([0.5, -2.0])
    assert hinge_loss(real=at, fake=-at).item() == 0
    assert hinge_loss(real=wrong, fake=-at).item() == pytest.approx((0.5 + 3) / 2 / 2)
    assert hinge_loss(real=at, fake=wrong).item() == pytest.approx((1.5 + 0) / 2 / 2)


@torch.no_grad()
def test_the_losses_of_a_batch_are_what_they_are_named() -> None:
    """In validation, of the middle of each recording."""
    twin = model().eval()
    batch = mels(25)
    middle = {style: twin.scaled(mel[:, :24], style) for style, mel in batch.items()}
    losses = twin(Batch(batch, batch))
    identity, fooled = [], []
    for style in STYLES:
        made = twin.restyled(middle[twin.other(style)], style)
        fooled.append(-twin.critics[style](made.transpose(1, 2)).mean())
        rebuilt = twin.restyled(middle[style], style)
        identity.append((rebuilt - middle[style]).abs().mean())
    assert losses[IDENTITY].item() == pytest.approx(torch.stack(identity).mean().item(), rel=1e-5)
    assert losses[ADVERSARIAL].item() == pytest.approx(torch.stack(fooled).mean().item(), rel=1e-4)
    weights = {ADVERSARIAL: 1.0, IDENTITY: 0.5, TRAVEL: 10.0, MARGIN: 10.0}
    assert twin.loss_weights(MODEL) == weights


def test_one_direction_touches_only_its_own_networks() -> None:
    twin = model()
    twin.transfer(mels()["jazz"], source="jazz", target="classical").sum().backward()
    names = {name for name, p in twin.named_parameters() if p.grad is not None}
    assert names and all(name.startswith("generators.of.style-classical") for name in names)


def test_critics_learn_faster_and_apart() -> None:
    players = model().players()
    assert players[DISCRIMINATOR].lr_scale == 4 * players[MODEL].lr_scale
    assert {player.betas for player in players.values()} == {(0.5, 0.999)}


# --- slices -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_frames", [1, 5, 8, 9, 16, 21, 24])
def test_slices_are_joined_and_the_last_one_ends_with_the_recording(n_frames: int) -> None:
    twin = model().eval()
    mel = mels(n_frames)["jazz"]
    made = twin.transfer(mel, source="jazz", target="classical")
    assert made.shape == mel.shape
    n_whole = n_frames // 8 * 8
    for start in range(0, n_whole, 8):
        part = twin.transfer(mel[:, start : start + 8], source="jazz", target="classical")
        torch.testing.assert_close(made[:, start : start + 8], part)
    if n_frames > 8:
        last = twin.transfer(mel[:, -8:], source="jazz", target="classical")
        n_left = n_frames - n_whole
        torch.testing.assert_close(made[:, n_whole:], last[:, 8 - n_left :])


def test_the_range_of_the_networks_is_that_of_the_training_mels() -> None:
    twin = model()
    batch = {style: 5 * mel for style, mel in mels().items()}
    twin.initialise(lambda n: [batch, {style: mel / 2 for style, mel in batch.items()}])
    for style, mel in batch.items():
        x = twin.scaled(mel, style)
        assert x.amax(dim=(0, 1)).tolist() == pytest.approx([1.0] * 16)
        torch.testing.assert_close(twin.unscaled(x, style), mel)
        assert twin.scaled(torch.zeros(1, 1, 16), style).unique().tolist() == [-1]
        peak = mel.amax(dim=(0, 1), keepdim=True)
        half = twin.scaled(peak * 10 ** (-RANGE_DB / 20), style)  # half of the range below it
        torch.testing.assert_close(half, torch.zeros_like(half), atol=1e-5, rtol=0)
        made = twin.transfer(100 * mel, source=style, target=twin.other(style))
        assert (made <= batch[twin.other(style)].amax(dim=(0, 1)) * 1.001).all()
        assert made.min() >= 0


def test_crops_are_random_in_training_alone() -> None:
    twin = model()
    batch = mels(200)
    torch.manual_seed(0)
    first, second = twin.cropped(batch), twin.cropped(batch)
    assert first["jazz"].shape == (3, 24, 16)
    assert not torch.equal(first["jazz"], second["jazz"])
    twin.eval()
    assert torch.equal(twin.cropped(batch)["jazz"], twin.cropped(batch)["jazz"])


def test_slices_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        dataclasses.replace(SMALL, slice_frames=10)
    with pytest.raises(ValueError, match="slice_frames must be at most 84"):  # 3 of a segment's 259
        dataclasses.replace(SMALL, slice_frames=88)
    with pytest.raises(ValueError, match="critic_lr_scale must be a number above 0"):
        dataclasses.replace(SMALL, critic_lr_scale=0.0)
    with pytest.raises(ValueError, match=r"n_mels must be 256, .* \(got 16\)"):
        model().check_mels(256)


def test_what_is_saved_is_all_of_it(tmp_path: Path) -> None:
    system = build("melgan-vc", STYLES, dataclasses.replace(SMALL, n_mels=256), MelConfig())
    batch = {style: torch.rand(2, 30, 256) for style in STYLES}
    losses = system.model(Batch(batch, batch))  # moves power iterations and batch statistics
    weighted_sum(losses, system.model.loss_weights(MODEL)).backward()
    system.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    made = [
        one.model.eval().transfer(batch["jazz"], source="jazz", target="classical")
        for one in (system, again)
    ]
    assert torch.equal(*made)
    assert not any(parameter.requires_grad for parameter in again.parameters())


# --- training -----------------------------------------------------------------------------------


def test_the_toy_problem_is_learnt() -> None:
    """Better than a copy and than another melody, in both directions; with its own widths, weights
    and learning rates, as it has a few hundred steps.
    """
    torch.manual_seed(0)
    twin = MelGANVC(STYLES, TOY)
    n_frames = 3 * TOY.slice_frames
    toy.train(twin, n_steps=300, batch_size=8, n_frames=n_frames, lr=3e-3)
    found = toy.likeness(twin, n_frames=n_frames)
    best = max(toy.baselines(n_frames=n_frames).values())
    assert min(found.values()) > best + 0.3, found
