"""The `paper` presets are the paper's networks: sections 3.1 to 3.4, written down again in numpy.

Weights are ours, drawn at random or bundled, so this runs in any clone; and the author's own, where
they are (recipes/published_weights.py fetches them out of the author's checkpoints).
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import convolve2d, correlate2d

import thirdstream
from conftest import STYLES
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.twin import TwinAutoencoder

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
import published  # scripts beside the tests
import published_weights

Image = NDArray[np.float64]  # (n_channels, n_frames, n_mels)
PRESETS = [
    ("twin-cnn", "paper"),
    ("twin-vae", "paper"),
    ("twin-gan", "paper"),
    ("twin-gan", "paper-style-code"),
    ("twin-variational-gan", "paper"),
]
BUNDLED = [f"{name}-paper" for name in dict(PRESETS)]


class Network:
    """The networks of one twin by their weights, in double precision."""

    def __init__(self, twin: TwinAutoencoder) -> None:
        self.weights = {name: value.double().numpy() for name, value in twin.state_dict().items()}

    def layer(self, x: Image, name: str, *, up: bool) -> Image:
        """5 x 5 convolution, or its transpose; same size; ReLU."""
        w, b = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        n_out = w.shape[1] if up else w.shape[0]
        return np.stack([
            np.maximum(b[o] + sum(
                convolve2d(x[i], w[i, o], "same") if up else correlate2d(x[i], w[o, i], "same")
                for i in range(len(x))), 0)
            for o in range(n_out)
        ])  # fmt: skip

    def block(self, x: Image, name: str, *, up: bool = False) -> Image:
        """Four layers, with a skip from the first to the last."""
        first = x = self.layer(x, f"{name}.layers.0.0", up=up)
        for number in (1, 2, 3):
            x = self.layer(x, f"{name}.layers.{number}.0", up=up)
        return x + first

    def encoded(self, mel: Image, part: str, style: str) -> Image:
        """Blocks 0 and 1, each averaged two by two, then block 2; an odd time is padded by one."""
        x = mel[None]
        for number in (0, 1):
            x = self.block(x, f"{part}.of.style-{style}.blocks.{number}")
            x = np.pad(x, [(0, 0), (0, x.shape[1] % 2), (0, 0)])
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).mean(axis=(2, 4))
        return self.block(x, f"{part}.of.style-{style}.blocks.2")

    def decoded(self, code: Image, style: str, *, n_frames: int) -> Image:
        """Nearest neighbours two by two, cropped to the time that was there, and a block; twice."""
        lengths = [n_frames, (n_frames + 1) // 2]
        for number in (0, 1):
            code = code.repeat(2, axis=1).repeat(2, axis=2)[:, : lengths.pop()]
            code = self.block(code, f"decoders.of.style-{style}.blocks.{number}", up=True)
        return code[0]

    def cross_faded(self, content: Image, style_map: Image, style: str) -> Image:
        """Eq. 7: content with the mean and deviation of the style, or what its code asks for."""
        name, epsilon = f"heads.of.style-{style}", 1e-7
        shift, scale = style_map.mean(axis=(1, 2)), np.sqrt(style_map.var(axis=(1, 2)) + epsilon)
        if f"{name}.reducer.weight" in self.weights:
            w, b = self.weights[f"{name}.reducer.weight"], self.weights[f"{name}.reducer.bias"]
            epsilon, code = 1e-5, np.array([
                np.maximum(b[o] + sum(correlate2d(style_map[i], w[o, i], "valid")
                                      for i in range(len(style_map))), 0).mean()
                for o in range(len(w))
            ])  # fmt: skip
            for number in (0, 2):
                code = self.weights[f"{name}.mlp.{number}.weight"] @ code
                code += self.weights[f"{name}.mlp.{number}.bias"]
                code = np.maximum(code, 0) if number == 0 else code
            shift, scale = code[: len(content)], code[len(content) :]
        mean, deviation = content.mean(axis=(1, 2)), np.sqrt(content.var(axis=(1, 2)) + epsilon)
        return ((content.T - mean) / deviation * scale + shift).T


def mels(n_frames: int) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(7)
    return {style: rng.gamma(0.6, 0.8, (n_frames, 32)) for style in STYLES}


def check(twin: TwinAutoencoder, n_frames: int) -> None:
    """Codes and transfers of both styles."""
    network, batch = Network(twin), mels(n_frames)
    tensors = {style: torch.from_numpy(mel).float()[None] for style, mel in batch.items()}
    has_styles = any(name.startswith("style_encoders") for name in network.weights)
    with torch.no_grad():
        codes = {style: twin.encode(mel, style) for style, mel in tensors.items()}
        for style, mel in batch.items():
            other = twin.other(style)
            content = network.encoded(mel, "encoders", style)
            assert content.any()
            close(codes[style].content[0].numpy(), content)
            if codes[style].log_variance is not None:
                wanted = network.encoded(mel, "log_variance_encoders", style)
                close(codes[style].log_variance[0].numpy(), wanted)
            joined = content
            if has_styles:
                style_map = network.encoded(batch[other], "style_encoders", other)
                joined = network.cross_faded(content, style_map, other)
            made = twin.transfer(
                tensors[style], source=style, target=other, condition=codes[other].style
            )
            close(made[0].numpy(), network.decoded(joined, other, n_frames=n_frames))


def close(ours: NDArray, papers: NDArray) -> None:
    assert ours.shape == papers.shape
    assert np.abs(ours - papers).max() <= 2e-4 * max(1e-3, np.abs(papers).max())


@pytest.mark.parametrize("n_frames", [20, 21, 23])
@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_random_weights_give_the_papers_answers(name: str, preset: str, n_frames: int) -> None:
    torch.manual_seed(3)
    check(FAMILIES[name].kind(STYLES, FAMILIES[name].kind.PRESETS[preset]).eval(), n_frames)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_models_are_the_papers_networks(name: str) -> None:
    check(thirdstream.load(name).model.eval(), 21)


@pytest.mark.parametrize("file", published.FILES)
def test_the_published_weights_give_the_papers_answers(reference: Path, file: str) -> None:
    check(with_weights(file, reference / f"{file}_weights.npz"), 21)


def with_weights(file: str, path: Path) -> TwinAutoencoder:
    """One of the author's networks, its weights as they are published."""
    name, preset = published.FILES[file]
    twin = FAMILIES[name].kind(STYLES, FAMILIES[name].kind.PRESETS[preset]).eval()
    weights = published.weights(path)
    parameters = {key for key, _ in twin.named_parameters() if not key.startswith("discriminators")}
    assert parameters == weights.keys()
    twin.load_state_dict(weights, strict=False)
    return twin


def test_the_authors_checkpoints_are_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables named as in the author's repository, of section 3.4; values drawn at random."""
    rng = np.random.default_rng(0)
    sizes = {f"coder{x}/{part}/{inner}layer_with_weights-{name}": shape
             for x in "XY" for part, inner, name, shape in variables()}  # fmt: skip
    tensors = {
        f"{name}/{kind}/.ATTRIBUTES/VARIABLE_VALUE": rng.random(size).astype(np.float32)
        for name, (shape, n_out) in sizes.items()
        for kind, size in (("kernel", shape), ("bias", n_out))
    }
    others = {"optimizer/_variables/1/.ATTRIBUTES/VARIABLE_VALUE": np.ones(3, np.float32)}
    read = {str(tmp_path / "model"): tensors | others}
    monkeypatch.setattr(published_weights.tensorflow_checkpoint, "read", read.get)
    found = published_weights.weights(str(tmp_path / "model"))
    assert sum(one.size for one in found.values()) == sum(one.size for one in tensors.values())
    np.savez(tmp_path / "weights.npz", **found)
    check(with_weights("variational_gan", tmp_path / "weights.npz"), 21)


def variables() -> Iterator[tuple[str, str, str, tuple[tuple[int, ...], int]]]:
    """(part, model within it, number, (shape of the kernel, outputs)) of one style's layers."""
    for part in ("content_encoder", "style_encoder"):
        for block, (n_in, n_out) in enumerate(((1, 2), (2, 4), (4, 4))):
            for layer in range(4):
                shape = (5, 5, n_out if layer else n_in, n_out)
                yield part, "encoder/", f"{block}/conv_block/conv_layers/{layer}", (shape, n_out)
    for block, (n_in, n_out) in enumerate(((4, 2), (2, 1))):
        for layer in range(4):
            shape = (5, 5, n_out, n_out if layer else n_in)
            yield "decoder", "decoder/", f"{block}/conv_block/conv_layers/{layer}", (shape, n_out)
    yield "style_reducer", "", "0", ((5, 5, 4, 8), 8)
    yield "style_mlp", "mlp/", "0", ((8, 4), 4)
    yield "style_mlp", "mlp/", "1", ((4, 8), 8)
