"""What the diagrams say is what the modules do."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from conftest import STYLES
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import DISCRIMINATOR, MODEL, Batch
from thirdstream.mel.models.twin import TwinAutoencoder
from thirdstream.mel.system import size_of
from thirdstream.research import dataflow, diagrams

MEL = MelConfig()
TWINS = {  # family: parameters of the published network, without discriminators
    "twin-cnn": 8_054, "twin-vae": 14_834, "twin-gan": 14_834, "twin-variational-gan": 16_602,
}  # fmt: skip


def twin(family: str, preset: str = "paper", **changes: Any) -> TwinAutoencoder:
    torch.manual_seed(0)
    kind = FAMILIES[family].kind
    model = kind(STYLES, dataclasses.replace(kind.PRESETS[preset], **changes))
    assert isinstance(model, TwinAutoencoder)
    return model


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def layers(model: TwinAutoencoder) -> tuple[list[dataflow.Layer], list[dataflow.Layer]]:
    """Of the encoder and the decoder."""
    segment = torch.zeros(1, 259, 256)
    code = model.content(segment, "jazz")
    encoder, decoder = model.encoders["jazz"], model.decoders["jazz"]
    return (
        dataflow.layers_of(encoder, lambda: model.content(segment, "jazz")),
        dataflow.layers_of(decoder, lambda: decoder(code, n_frames=259)),
    )


def test_the_published_encoder_and_decoder() -> None:
    """Channels 1-2-4-4, two poolings by two, four convolutions of 5 x 5 a block; and back."""
    encoder, decoder = layers(twin("twin-cnn"))
    assert [layer.size for layer in encoder] == [
        "259 x 256 x 2", "130 x 128 x 2", "130 x 128 x 4", "65 x 64 x 4", "65 x 64 x 4",
    ]  # fmt: skip
    assert [layer.text for layer in encoder[:2]] == ["block", "average\npooling by 2"]
    assert encoder[0].convs == ["conv\n5 x 5, 1 to 2", *["conv\n5 x 5, 2 to 2"] * 3]
    assert [layer.size for layer in decoder][::2] == ["130 x 128 x 4", "260 x 256 x 2"]
    assert decoder[-1].size == "259 x 256 x 1"
    assert decoder[1].convs[0] == "transposed\n5 x 5, 4 to 2"


@pytest.mark.parametrize("family", TWINS)
def test_labels_are_those_of_the_modules(family: str) -> None:
    """Kernels and channels of figure 5, parameters of figures 6 and 10."""
    model = twin(family)
    drawn = [text for text in texts(diagrams.layers_figure(model, MEL, "m")) if " to " in text]
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    network = [*model.encoders["classical"].modules(), *model.decoders["classical"].modules()]
    convs = [one for one in network if isinstance(one, kinds)]
    assert [text.partition("\n")[2] for text in drawn] == [
        f"{one.kernel_size[0]} x {one.kernel_size[1]}, {one.in_channels} to {one.out_channels}"
        for one in convs
    ]
    (title,) = (text for text in texts(diagrams.twin_figure(model, MEL, "m")) if text[:2] == "m:")
    apart = " without discriminators" if "gan" in family else ""
    assert title == f"m: {TWINS[family]:,} parameters{apart}"
    assert size_of(model) == TWINS[family]


def counted(nodes: Mapping[dataflow.Key, dataflow.Node], model: TwinAutoencoder) -> int:
    """Parameters of all networks that a way passes; heads have some for codes, some for AdaIN."""
    found: dict[tuple[str, bool], int] = {}
    for node in nodes.values():
        joined = any(role.endswith("style") for _, role in node.sources)
        found |= {
            (name, name.startswith("heads") and joined): n for name, n in node.networks.items()
        }
    return sum(found.values())


@pytest.mark.parametrize("preset", ["paper", "default"])
@pytest.mark.parametrize("family", TWINS)
def test_every_parameter_lies_on_the_way(family: str, preset: str) -> None:
    model = twin(family, preset)
    assert counted(dataflow.dataflow_of(model, MEL).nodes, model) == size_of(model)


def test_other_channels_and_kernels_are_drawn() -> None:
    model = twin("twin-cnn", channels=(3, 5, 7), kernel_size=3, n_convs=2)
    encoder, _ = layers(model)
    assert [layer.size for layer in encoder][-1] == "65 x 64 x 7"
    assert encoder[0].convs == ["conv\n3 x 3, 1 to 3", "conv\n3 x 3, 3 to 3"]
    drawn = texts(diagrams.twin_figure(model, MEL, "m"))
    assert "code\n65 x 64 x 7" in drawn
    assert f"m: {size_of(model):,} parameters" in drawn


@pytest.mark.parametrize("preset", ["paper", "default"])
@pytest.mark.parametrize("family", TWINS)
def test_losses_are_those_of_a_training_step(family: str, preset: str) -> None:
    """All of them, with the weights of the configuration."""
    model = twin(family, preset)
    batch = Batch(mels := {style: torch.rand(2, 259, 256) for style in STYLES}, mels)
    players = model.players()
    names = [name for player in players for name in model.training_losses(batch, player)]
    flow = dataflow.dataflow_of(model, MEL)
    assert sorted(flow.losses) == sorted(names)
    drawn = "\n".join(texts(diagrams.twin_figure(model, MEL, "m")))
    for name, weight in model.loss_weights(MODEL).items():
        if name != "adversarial":  # whose weight grows in a warm-up
            assert re.search(rf"^{name}(, eq. \d)?: x {weight:g}$", drawn, re.M)
    if DISCRIMINATOR in players:
        assert "discriminator, eq. 5: x 1" in drawn
        assert f"adversarial, eq. 6: x {model.config.weights['adversarial']:g}" in drawn


def terms(model: TwinAutoencoder, loss: str) -> set[frozenset[dataflow.Key]]:
    return {frozenset(term) for term in dataflow.dataflow_of(model, MEL).losses[loss]}


def test_which_tensors_the_losses_compare() -> None:
    own, other = STYLES
    model = twin("twin-gan")
    assert terms(model, "reconstruction") == {
        frozenset({(style, "mel"), (style, "rebuilt")}) for style in STYLES
    }
    assert terms(model, "content") == {
        frozenset({(style, "content"), (style, "content again")}) for style in STYLES
    }
    assert terms(model, "style") == {
        frozenset({(one, "style again"), (another, "style")})
        for one, another in ((own, other), (other, own))
    }
    for loss in ("adversarial", "discriminator"):
        assert terms(model, loss) == {
            frozenset({(one, "restyled"), (another, "mel")})
            for one, another in ((own, other), (other, own))
        }


def test_the_slips_of_the_published_code_are_seen() -> None:
    assert terms(twin("twin-cnn", latent_pairs="styles"), "latent") == {
        frozenset((style, role) for style in STYLES) for role in ("content", "content again")
    }
    model = twin("twin-gan", style_losses="second")
    assert terms(model, "style") == {frozenset({("classical", "style again"), ("jazz", "style")})}
    drawn = "\n".join(texts(diagrams.twin_figure(model, MEL, "m")))
    assert "from classical to jazz only" in drawn
    model = twin("twin-variational-gan", adain="moving")
    assert any("stored" in text for text in texts(diagrams.twin_figure(model, MEL, "m")))


def test_what_a_transfer_is_made_of() -> None:
    """A GAN takes the style from the other recording, a variational GAN draws it (section 3.4)."""
    for family, style in (
        ("twin-gan", ("jazz", "style")),
        ("twin-variational-gan", ("classical", "drawn style")),
    ):
        node = dataflow.dataflow_of(twin(family), MEL).nodes["classical", "restyled"]
        assert set(node.sources) == {("classical", "content"), style}
        assert "decoders.jazz" in node.networks
    node = dataflow.dataflow_of(twin("twin-vae"), MEL).nodes["classical", "drawn content"]
    assert set(node.sources) == {
        ("classical", "content"), ("classical", "log_variance"), dataflow.NOISE,
    }  # fmt: skip


def test_the_model_is_left_as_it_was() -> None:
    model = twin("twin-vae", "paper-stable").eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    dataflow.dataflow_of(model, MEL)
    assert not model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_boxes_do_not_cover_each_other() -> None:
    """But those of convolutions lie in the box of their block; and texts are within their boxes."""
    for family, preset in (("twin-vae", "paper"), ("twin-gan", "default")):
        model = twin(family, preset)
        for figure in (
                diagrams.layers_figure(model, MEL, "m"), diagrams.twin_figure(model, MEL, "m"),
            ):  # fmt: skip
            figure.draw_without_rendering()
            boxes = [one.get_window_extent() for one in figure.axes[0].patches
                         if hasattr(one, "get_boxstyle")]  # fmt: skip
            for number, box in enumerate(boxes):
                for other in boxes[number + 1 :]:
                    nested = other.fully_containsx(box.x0) or box.fully_containsx(other.x0)
                    assert not box.overlaps(other) or nested
            for text in figure.axes[0].texts:
                extent = text.get_window_extent()
                assert extent.x0 >= 0
                assert extent.x1 <= figure.bbox.x1
                inside = [box for box in boxes if box.contains(*text.get_transform().transform(
                        text.get_position()))]  # fmt: skip
                assert not inside or max(box.width for box in inside) >= extent.width


def test_files_are_written_and_other_models_refused(tmp_path: Path) -> None:
    written = list(diagrams.draw(twin("twin-gan", "default"), tmp_path, name="tiny"))
    assert [path.name for path in written] == [
        "figure-05-tiny.png", "figure-05-tiny.svg", "figure-10-tiny.png", "figure-10-tiny.svg",
    ]  # fmt: skip
    kind = FAMILIES["travel"].kind
    with pytest.raises(ThirdstreamError, match="tiny: is no twin autoencoder"):
        list(diagrams.draw(kind(STYLES, kind.PRESETS["default"]), tmp_path, name="tiny"))
