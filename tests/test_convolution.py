"""Blocks of few channels give what torch's own convolutions give, forward and back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import thirdstream
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import Batch, weighted_sum
from thirdstream.mel.networks import blocks
from thirdstream.mel.networks.blocks import Block

TOLERANCE = 1e-5  # of the largest number


def block_of(seed: int, n_in: int = 1, n_out: int = 2, **shape: Any) -> Block:
    """A block of quarters: sums are exact, so rounding turns no ReLU on or off."""
    torch.manual_seed(seed)
    block = Block(n_in, n_out, **{"kernel_size": 5, "n_convs": 4, **shape})
    for parameter in block.parameters():
        parameter.data = torch.randint(-1, 2, parameter.shape) / 4
    return block


def image(*shape: int) -> Tensor:
    return torch.randint(0, 4, shape).float().requires_grad_()


def plain(block: Block, x: Tensor, n_frames: int | None = None) -> Tensor:
    """The definition, in double precision: resize, convolutions with ReLU, first plus last."""
    x = x.double()
    if block.resize == "halve":
        x = functional.avg_pool2d(functional.pad(x, (0, 0, 0, x.shape[2] % 2)), 2)
    if block.resize == "double":
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)[:, :, :n_frames]
    made = []
    for layer in block.layers:
        assert isinstance(layer, nn.Sequential)
        conv = layer[0]
        assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
        over = functional.conv2d if isinstance(conv, nn.Conv2d) else functional.conv_transpose2d
        x = over(x, conv.weight.double(), conv.bias.double(), padding=conv.padding).relu()  # type: ignore[union-attr, arg-type]
        made.append(x)
    return made[0] + made[-1]


def assert_near(found: Tensor, true: Tensor) -> None:
    assert found.shape == true.shape
    far = (found.detach().double() - true.detach()).abs().max()
    assert far <= TOLERANCE * true.detach().abs().max().clamp(min=1)


def gradients(block: Block, x: Tensor, out: Tensor) -> list[Tensor]:
    """Of a weighted sum of the output: by the image, and by each parameter."""
    weights = (torch.arange(out.numel()) * 7 % 5 - 2).view(out.shape).double()
    return list(torch.autograd.grad((out * weights).sum(), [x, *block.parameters()]))


SHAPES = st.fixed_dictionaries({
    "n_in": st.integers(1, 4),
    "n_out": st.integers(1, 4),
    "n_convs": st.integers(1, 4),
    "kernel_size": st.sampled_from([1, 3, 5]),
    "transposed": st.booleans(),
    "resize": st.sampled_from(["no", "halve", "double"]),
})  # fmt: skip
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 23), st.integers(2, 37))


@settings(deadline=None, max_examples=60)
@given(SHAPES, SIZES, st.booleans(), st.integers(0, 99))
def test_output_and_gradients_are_those_of_torch(
    shape: dict[str, Any], size: tuple[int, int, int], odd: bool, seed: int
) -> None:
    n_images, n_frames, n_mels = size
    block = block_of(seed, **shape)
    x = image(n_images, shape["n_in"], n_frames, n_mels)
    length = 2 * n_frames - odd if shape["resize"] == "double" else None
    out, true = block(x, length), plain(block, x, length)
    assert_near(out, true)
    for found, expected in zip(gradients(block, x, out), gradients(block, x, true), strict=True):
        assert_near(found, expected)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_papers_sizes_whatever_the_threads(n_threads: int) -> None:
    before = torch.get_num_threads()
    block, x = block_of(0), image(3, 1, 259, 256)
    torch.set_num_threads(n_threads)
    try:
        out = block(x)
        found = gradients(block, x, out)
    finally:
        torch.set_num_threads(before)
    true = plain(block, x)
    assert_near(out, true)
    for one, expected in zip(found, gradients(block, x, true), strict=True):
        assert_near(one, expected)


def test_it_is_used_for_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in double precision, nor for transfers, nor while operations are traced."""
    kernels, used = blocks.few_channels(), []
    assert kernels is not None
    made = kernels.block
    monkeypatch.setattr(kernels, "block", lambda *a, **k: used.append(1) or made(*a, **k))
    block, x = block_of(0), image(1, 1, 8, 16).detach()
    out = block(x).detach()
    assert used.pop()
    with torch.no_grad():
        assert_near(block(torch.cat([x, x])), torch.cat([out, out]).double())
        assert used.pop()
        assert_near(block.eval()(x), out.double())
    block.train()
    for watcher, asked in ((torch.jit, "is_tracing"), (torch.compiler, "is_compiling")):
        with monkeypatch.context() as patch:
            patch.setattr(watcher, asked, lambda: True)
            assert_near(block(x), out.double())
    assert_near(block_of(0).double()(x.double()), out.double())
    with torch.autocast("cpu", torch.bfloat16):
        block(x)
    block(x[:0])
    assert not used


@pytest.mark.parametrize("name", ["twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan"])
def test_the_papers_networks_lose_the_same_with_and_without(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a millionth, with noise that no memory layout reorders.

    The steps are as long as the gradients: Adam's first are not, and take the sign of a rounding
    error for a direction.
    """
    monkeypatch.setattr(torch, "randn_like", lambda like: torch.randn(like.shape))

    def losses() -> dict[str, float]:
        torch.manual_seed(0)
        family = FAMILIES[name].kind
        model = family(("classical", "jazz"), family.PRESETS["paper"])
        mels = {style: torch.rand(2, 33, 64) for style in model.styles}
        found = {}
        for step in range(3):
            for player, (parameters, *_) in model.players().items():
                optimizer = torch.optim.SGD(parameters, 1e-3)
                lost = model(Batch(mels, mels), player)
                found |= {f"{step} {loss}": value.item() for loss, value in lost.items()}
                weighted_sum(lost, model.loss_weights(player)).backward()
                optimizer.step()
                optimizer.zero_grad()
        return found

    fast = losses()
    monkeypatch.setattr(blocks, "few_channels", lambda: None)
    assert losses() == pytest.approx(fast, rel=1e-6, abs=1e-6)


def test_second_derivatives_are_those_of_torch() -> None:
    block, x = block_of(0, n_convs=2), image(1, 1, 8, 16)

    def penalty(out: Tensor) -> list[Tensor]:
        (first,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        return list(torch.autograd.grad(first.square().sum(), [x, *block.parameters()]))

    for found, expected in zip(penalty(block(x)), penalty(plain(block, x)), strict=True):
        assert_near(found, expected)


def test_numbers_that_are_none_come_through() -> None:
    x = torch.full((1, 1, 8, 16), torch.nan)
    assert block_of(0)(x).isnan().any()


ONCE = """
import sys, torch
from thirdstream.mel.networks import blocks
assert "numba" not in sys.modules
block = blocks.Block(1, 2, kernel_size=5, n_convs=2)
for shape in [(1, 1, 8, 16), (2, 1, 9, 17)]:
    block(torch.rand(shape, requires_grad=True)).sum().backward()
kernels = blocks.few_channels()
print("none" if kernels is None else
      sum(len(f.signatures) for f in (kernels._forward, kernels._backward)))
"""


@pytest.mark.parametrize(
    ("without", "said"), [({}, "2"), ({"NUMBA_DISABLE_JIT": "1"}, "none"), (None, "none")]
)
def test_it_is_compiled_once_and_can_be_missing(
    tmp_path: Path, without: dict[str, str] | None, said: str
) -> None:
    """A copy of the package that cannot be written to, with no home either."""
    package = shutil.copytree(
        Path(thirdstream.__file__).parent, tmp_path / "src" / "thirdstream",
        ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"),
    )  # fmt: skip
    if without is None:
        (tmp_path / "src" / "numba.py").write_text("raise ImportError")
    (package / "mel" / "networks" / "__pycache__").write_text("a file where a folder would be")
    nowhere = str(tmp_path / "src" / "thirdstream" / "__init__.py" / "home")
    places = {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", ONCE],
        env={**os.environ, **places, **(without or {})},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == said, done.stderr
