"""The tagger: its weights against a stored oracle, its input, and the styles it tells apart."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d, relu

from conftest import tone
from thirdstream import registry
from thirdstream.audio import read
from thirdstream.evaluation import measure, tagger
from thirdstream.evaluation.tagger import (
    STYLE_TAGS,
    VGG,
    VGG_WEIGHTS,
    FilterSpectra,
    MusiCNN,
    Tagger,
    is_target_style,
    log_mel_patches,
    network_of,
)
from thirdstream.evaluation.transcriber import BasicPitch
from thirdstream.files import ThirdstreamError
from thirdstream.packages import MissingPackage

# Of the bundled clips: the tags classical and jazz, of weights that answer as musicnn 0.1.0's do.
CLIPS = {
    "classical_greensleeves": (0.4400800, 0.0553615),
    "classical_ode_to_joy": (0.6217291, 0.0535853),
    "jazz_oh_susanna": (0.0386033, 0.6875227),
    "jazz_when_the_saints": (0.1710151, 0.5758348),
}


def test_the_weights_are_the_published_ones() -> None:
    """tagger_oracle.npz: outputs for these patches of weights read from musicnn 0.1.0 itself."""
    patches = torch.from_numpy(3 * np.random.default_rng(0).random((2, 187, 96)).astype("f4"))
    oracle = np.load(Path(__file__).with_name("tagger_oracle.npz"))
    networks = Tagger()._networks
    assert set(networks) == {"MTT", "MSD"}
    for name, (network, names) in networks.items():
        assert sum(one.numel() for one in network.parameters()) == 787_159
        assert len(set(names)) == 50
        assert all(tag in names for of, tag in STYLE_TAGS.values() if of == name)
        tags, embedding = network(patches)
        np.testing.assert_allclose(tags, oracle[name], atol=1e-5)
    np.testing.assert_allclose(embedding, oracle["embedding"], atol=1e-5)


def test_the_vgg_weights_are_the_published_ones() -> None:
    """The oracle's outputs are those of musicnn 0.1.0's own program with TensorFlow 2.15.1, whose
    weights are float32. Ours are float16: tags differ by less than 0.001."""
    patches = torch.from_numpy(3 * np.random.default_rng(0).random((2, 187, 96)).astype("f4"))
    oracle = np.load(Path(__file__).with_name("tagger_oracle.npz"))
    networks = Tagger(VGG_WEIGHTS)._networks
    assert set(networks) == {"MTT", "MSD"}
    for name, (network, names) in networks.items():
        layers = 10 * 128 + 4 * (9 * 128 + 1) * 128 + (256 + 1) * 50
        norms = 2 * (1 + 5 * 128)
        assert sum(one.numel() for one in network.parameters()) == layers + norms == 605_748
        assert names == Tagger()._networks[name][1]
        tags, embedding = network(patches)
        np.testing.assert_allclose(tags, oracle[f"{name}_vgg"], atol=5e-4)
    np.testing.assert_allclose(embedding, oracle["embedding_vgg"], atol=5e-3)


def test_the_large_network_has_the_published_number_of_parameters() -> None:
    """By the shapes in MSD_musicnn_big's index: 204 and 51 filters, 512 and 500 features."""
    front = 204 * (7 * 38 + 7 * 67 + 2) + 51 * (128 + 64 + 32 + 3)
    middle = 512 * (7 * (561 + 512 + 512) + 3)
    dense = (4194 + 1) * 500 + (500 + 1) * 50
    norms = 2 * (1 + 561 + 3 * 512 + 4194 + 500)
    network = network_of(MusiCNN(512, 500).state_dict())
    n_parameters = sum(one.numel() for one in network.parameters())
    assert n_parameters == front + middle + dense + norms
    tags, embedding = network(torch.zeros(1, 187, 96))
    assert tags.shape == (1, 50) and embedding.shape == (1, 500)


@pytest.mark.parametrize("width", [38, 67, 96])
def test_filters_as_spectra_find_what_a_convolution_finds(width: int) -> None:
    """Even and odd numbers of places, and one place; weights of either sign."""
    torch.manual_seed(0)
    filters, signs = torch.nn.Conv2d(1, 6, (7, width)), torch.tensor([1.0, -1.0] * 3)
    image = torch.randn(1, 1, 20, 96)
    frames = torch.view_as_real(torch.fft.rfft(image[0, 0])).unfold(0, 7, 1)
    found = FilterSpectra.of(filters, signs).highest(frames.transpose(0, 1).flatten(2))
    expected = (filters(image) * signs[:, None, None]).amax(3)[0].T
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


def test_pooling_first_is_normalising_first_whatever_the_weights_signs() -> None:
    torch.manual_seed(0)
    network, mel = VGG().eval(), torch.rand(1, 187, 96)
    for norm in network.norms[1:]:
        torch.nn.init.normal_(norm.weight)
    with torch.inference_mode():
        image = network.norms[0](mel[:, None])
        layers = zip(network.convolutions, network.norms[1:], network.POOLS, strict=True)
        for layer, norm, pool in layers:
            image = max_pool2d(norm(relu(layer(image))), *pool)
        embedding = network(mel)[1]
    torch.testing.assert_close(embedding, image.permute(0, 2, 3, 1).flatten(1))


def test_the_tagger_tells_the_bundled_clips_apart() -> None:
    found = Tagger()
    for clip in registry.bundled_clips():
        output = found.predict(*read(clip))
        tags = {style: output.style(style) for style in ("classical", "jazz")}
        assert tuple(tags.values()) == pytest.approx(CLIPS[clip.stem], abs=1e-3)
        target = tags.pop(clip.stem.split("_")[0])
        assert is_target_style(target=target, other=tags.popitem()[1])
        assert output.embeddings.shape == (4, 200)
    assert len(found.about()["sha256"]) == 64
    with pytest.raises(ThirdstreamError, match="no tag for the style 'polka'"):
        output.style("polka")


def test_the_licence_of_the_weights_is_beside_them() -> None:
    assert "Permission to use, copy" in tagger.WEIGHTS.with_suffix(".md").read_text()


@pytest.mark.parametrize(("seconds", "n_patches"), [(0.1, 1), (3.0, 1), (5.9, 1), (6.1, 2)])
def test_patches_are_three_seconds_and_finite_however_loud(seconds: float, n_patches: int) -> None:
    wave = 0.999 * np.sign(tone(int(seconds * 16_000), sr=16_000)).astype(np.float32)
    patches = log_mel_patches(wave, 16_000)
    assert patches.shape == (n_patches, 187, 96)
    assert patches.dtype == torch.float32
    assert bool(torch.isfinite(patches).all())


@pytest.mark.parametrize(
    ("target", "other", "expected"),
    [(0.3, 0.2, True), (0.25, 0.1, True), (0.24, 0.1, False), (0.5, 0.5, False), (0.5, 0.9, False)],
)
def test_classified_as_the_target_style(target: float, other: float, expected: bool) -> None:
    assert is_target_style(target=target, other=other) is expected


def test_a_missing_transcriber_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    command = "pip install --no-deps basic-pitch==0.4.0"
    with pytest.raises(MissingPackage, match=command):
        BasicPitch()
    reasons = measure.evaluation_models.__wrapped__().left_out(("classical", "polka"))
    left_out = (measure.NOTE_METRICS, measure.TAG_METRICS, measure.MELODY_METRICS,
                measure.CHORD_METRICS)  # fmt: skip
    assert {name for names in left_out for name in names} == set(reasons)
    assert reasons.keys() < measure.METRICS.keys()
    assert command in reasons["note_f1"]
