"""The author's networks, from checkpoints as in the author's repository; values drawn at random."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import tensorflow_writer
import thirdstream
from conftest import STYLES
from thirdstream.data.corpus import TRAIN, Corpus
from thirdstream.files import ThirdstreamError
from thirdstream.mel.models.gan import TwinGAN
from thirdstream.mel.system import MelSystem
from thirdstream.research import published

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
import published as recipe  # scripts beside the tests
import score

ENCODERS = {
    "published-cnn": {"encoder": "encoder"},
    "published-vae": {"mu_encoder": "mean_encoder", "sigma2_encoder": "log_variance_encoder"},
    "published-gan": {"content_encoder": "content_encoder", "style_encoder": "style_encoder"},
}
CODED = ("published-gan-style-code", "published-variational-gan")
SIZES = dict(zip(published.SOURCES, (8_054, 14_834, 14_834, 16_618, 16_618), strict=True))
Shape = tuple[int, ...]


def variables(name: str) -> Iterator[tuple[str, str, Shape]]:
    """(name in the checkpoint, in a file of arrays, shape) of one style's variables."""
    for part, plain in ENCODERS.get(name, ENCODERS["published-gan"]).items():
        for block, (n_in, n_out) in enumerate(((1, 2), (2, 4), (4, 4))):
            for layer in range(4):
                where = f"{part}/encoder/layer_with_weights-{block}/conv_block/conv_layers/{layer}"
                to = f"{plain}.block{block}.conv{layer}"
                yield from both(where, to, (5, 5, n_out if layer else n_in, n_out), n_out)
    for block, (n_in, n_out) in enumerate(((4, 2), (2, 1))):
        for layer in range(4):
            where = f"decoder/decoder/layer_with_weights-{block}/conv_block/conv_layers/{layer}"
            to = f"decoder.block{block}.conv_transpose{layer}"
            yield from both(where, to, (5, 5, n_out, n_out if layer else n_in), n_out)
    if name in CODED:
        reducer, mlp = "style_reducer/layer_with_weights", "style_mlp/mlp/layer_with_weights"
        yield from both(f"{reducer}-0", "style_reducer.conv", (5, 5, 4, 8), 8)
        yield from both(f"{mlp}-0", "style_mlp.dense0", (8, 4), 4)
        yield from both(f"{mlp}-1", "style_mlp.dense1", (4, 8), 8)
        for kind in ("mean", "std"):
            yield f"style_adain/{kind}", f"adain.moving_{kind}", (1, 1, 1, 4)


def both(where: str, to: str, shape: Shape, n_out: int) -> Iterator[tuple[str, str, Shape]]:
    yield f"{where}/kernel", f"{to}.kernel", shape
    yield f"{where}/bias", f"{to}.bias", (n_out,)


def drawn(name: str, *, plain: bool) -> dict[str, NDArray]:
    """All variables of a system, by their names in a file of arrays or in the checkpoint."""
    rng, tensors = np.random.default_rng(len(name)), {}
    for x, style in zip("XY", STYLES, strict=True):
        for where, to, shape in variables(name):
            key = f"{style}.{to}" if plain else f"coder{x}/{where}/.ATTRIBUTES/VARIABLE_VALUE"
            tensors[key] = rng.uniform(-0.2, 0.5, shape).astype(np.float32)
    return tensors


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the author's repository."""
    root = tmp_path_factory.mktemp("checkout")
    for name, source in published.SOURCES.items():
        others = {"optimizer/_variables/1/.ATTRIBUTES/VARIABLE_VALUE": np.ones(3, np.float32)}
        prefix = root / "results" / source.folder / "model"
        tensorflow_writer.write(prefix, drawn(name, plain=False) | others)
    return root


@pytest.fixture(scope="module")
def systems(checkout: Path) -> dict[str, MelSystem]:
    """All of them; no test may change them."""
    return published.networks(checkout)


def same(ours: dict[str, MelSystem], theirs: dict[str, MelSystem]) -> bool:
    return ours.keys() == theirs.keys() and all(
        torch.equal(value, theirs[name].state_dict()[key])
        for name, system in ours.items()
        for key, value in system.state_dict().items()
    )


def test_all_five_are_read_with_the_published_number_of_parameters(
    systems: dict[str, MelSystem],
) -> None:
    assert {name: one.n_parameters() for name, one in systems.items()} == SIZES
    assert not any(parameter.requires_grad for parameter in systems["published-gan"].parameters())


def test_each_weight_takes_its_place(systems: dict[str, MelSystem]) -> None:
    """Keras has kernels as (time, mel, in, out), transposed ones as (time, mel, out, in)."""
    system = systems["published-variational-gan"]
    theirs, ours = drawn("published-variational-gan", plain=True), system.model.state_dict()
    for style in STYLES:
        first = theirs[f"{style}.content_encoder.block1.conv0.kernel"]
        up = theirs[f"{style}.decoder.block0.conv_transpose0.kernel"]
        conv = ours[f"encoders.of.style-{style}.blocks.1.layers.0.0.weight"]
        transposed = ours[f"decoders.of.style-{style}.blocks.0.layers.0.0.weight"]
        for time, mel, one, other in np.ndindex(5, 5, 2, 4):
            assert conv[other, one, time, mel] == first[time, mel, one, other]
            assert transposed[other, one, time, mel] == up[time, mel, one, other]
        head = f"heads.of.style-{style}"
        dense = theirs[f"{style}.style_mlp.dense1.kernel"]
        assert np.array_equal(ours[f"{head}.mlp.2.weight"].numpy(), dense.T)
        for kind in ("moving_mean", "moving_std"):
            assert np.array_equal(ours[f"{head}.{kind}"], theirs[f"{style}.adain.{kind}"].ravel())


def test_the_folder_of_results_and_files_of_arrays_are_read_too(
    checkout: Path, systems: dict[str, MelSystem], tmp_path: Path
) -> None:
    for name in published.SOURCES:
        file = name.removeprefix("published-").replace("-", "_")
        np.savez(tmp_path / f"{file}_weights.npz", **drawn(name, plain=True))
    assert same(systems, published.networks(checkout / "results"))
    assert same(systems, published.networks(tmp_path))


def test_what_is_there_is_loaded(checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(
        checkout / "results" / "VariationalTranscoder", tmp_path / "VariationalTranscoder"
    )
    assert published.networks(tmp_path).keys() == {"published-vae"}


def test_adain_of_equation_7_takes_no_statistics(
    checkout: Path, systems: dict[str, MelSystem]
) -> None:
    """Both versions have one set of weights; where the style is a map, they are one."""
    instance = published.networks(checkout, adain="instance")
    for name, system in instance.items():
        stored = {key for key in systems[name].state_dict() if ".moving_" in key}
        assert len(stored) == (4 if name in CODED else 0)
        assert systems[name].state_dict().keys() - system.state_dict().keys() == stored
        assert system.n_parameters() == SIZES[name] - 4 * len(stored)


@pytest.mark.parametrize("name", ["ConvolutionalTranscoder", "MUNITTranscoder"])
def test_damaged_and_foreign_checkpoints_are_refused(
    checkout: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "results" / name
    shutil.copytree(checkout / "results" / "GANTranscoderALT", folder)
    with pytest.raises(ThirdstreamError, match=rf"{name}.model\.index: is not .* at commit"):
        published.networks(tmp_path)
    (folder / "model.data-00000-of-00001").unlink()
    with pytest.raises(ThirdstreamError, match=rf"{name}.model\.index: is no readable"):
        published.networks(tmp_path)


def test_a_network_of_other_shapes_is_refused(tmp_path: Path) -> None:
    tensors = drawn("published-cnn", plain=False)
    for shape in ((3, 3, 1, 2), (5, 5, 2), ()):
        tensors["coderX/encoder/encoder/layer_with_weights-0/conv_block/conv_layers/0/kernel"
                "/.ATTRIBUTES/VARIABLE_VALUE"] = np.ones(shape, np.float32)  # fmt: skip
        tensorflow_writer.write(tmp_path / "ConvolutionalTranscoder" / "model", tensors)
        with pytest.raises(ThirdstreamError, match=r"model\.index: is not .* at commit"):
            published.networks(tmp_path)


def test_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ThirdstreamError, match=r"holds none .* give a checkout of github\.com"):
            published.networks(folder)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more", b"no archive"])
def test_damaged_files_of_arrays_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cnn_weights.npz").write_bytes(content)
    with pytest.raises(ThirdstreamError, match=r"cnn_weights\.npz: .* fetch it again"):
        published.networks(tmp_path)


def test_the_corpus_lends_its_statistics_and_mean_styles(
    checkout: Path, small_corpus: Corpus
) -> None:
    """The author published neither; with a style of zeros all content would be lost."""
    for name, system in published.load(checkout, small_corpus).items():
        for style in STYLES:
            scale = system.log_mel(style).scale
            assert scale == pytest.approx(small_corpus.statistics[style].scale)
            if name in ("published-gan", "published-gan-style-code"):
                assert isinstance(system.model, TwinGAN)
                codes = [
                    system.model.style_code(system.log_mel(style).normalise(power), style)
                    for one in small_corpus.of(style, TRAIN)
                    for power in [torch.from_numpy(small_corpus.power(one, slice(0, None)))]
                    for power in [power[one.n_segments // 2 :]]
                ]
                mean = system.model.mean_style(style)
                torch.testing.assert_close(mean, torch.cat(codes).mean(0))
                assert mean.any(), name


def test_other_styles_than_the_authors_are_refused(checkout: Path, small_corpus: Corpus) -> None:
    class Folk(Corpus):
        styles = ("folk", "jazz")

    corpus = Folk(small_corpus.path, small_corpus.mel, {}, [])
    with pytest.raises(ThirdstreamError, match=r"has the styles folk and jazz, .* need classical"):
        published.load(checkout, corpus)


def test_the_recipes_make_models_and_the_table_of_them(
    checkout: Path, small_corpus: Corpus, tmp_path: Path
) -> None:
    """Each with what it is beside the best published one of its system."""
    recipe.main(str(checkout), str(small_corpus.path), str(tmp_path))
    files = sorted(tmp_path.glob("*.safetensors"))
    assert {path.stem for path in files} == {*SIZES, *(f"{name}-instance-adain" for name in CODED)}
    wave = np.sin(np.arange(140_000) / 30).astype(np.float32)
    system = thirdstream.load(tmp_path / "published-gan.safetensors")
    assert system.transfer(wave, sr=44_100, to="jazz").shape == wave.shape
    rows = [score.row(str(path), small_corpus) for path in [*files, Path("twin-gan")]]
    lines = {
        line.split(" |")[0].strip("| "): line
        for line in score.table(rows, small_corpus).splitlines()
    }
    coded = tmp_path / "published-gan-style-code.safetensors"
    updating = score.row(str(coded), small_corpus, updating=True)
    stored = next(one for one in rows if one.model == coded.stem)
    assert updating.model == f"{coded.stem}, updating"
    assert updating.reconstruction != stored.reconstruction
    assert "| paper-style-code, adain moving | 16,618 |" in lines["published-gan-style-code"]
    assert "| paper-style-code | 16,602 |" in lines["published-gan-style-code-instance-adain"]
    published_rows = [one for one in rows if one.system == "twin-gan" and "published" in one.model]
    best = min(published_rows, key=lambda one: one.mean)
    times = next(one for one in rows if one.model == "twin-gan").n_parameters / best.n_parameters
    assert f"x, with {times:.3g}x the parameters |" in lines["twin-gan"]
