"""The networks that the paper's author published, as systems to compare with. Not ours to ship.

They are in the author's repository, github.com/FlorSanders/AutoStyleTransfer, as TensorFlow's
checkpoints. It states no licence: read them, hand nothing on. There are five for the paper's four
systems, as the twin GAN of section 3.3 has its style as a feature map or as 8 numbers.
"""

import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thirdstream.data.corpus import TRAIN, Corpus
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.gan import GANConfig, TwinGAN
from thirdstream.mel.system import MelSystem, build
from thirdstream.research import tensorflow_checkpoint

AdaIN = Literal["moving", "instance"]
COMMIT = "66f9546"  # of the author's repository, in which all five are
N_SEGMENTS = 4  # of each training recording, from which the mean style is learnt
FAULTS = (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error)


class Source(NamedTuple):
    """Where a network is published, and which of ours it is.

    folder: in `results` of the repository; the checkpoint in it is called model.
    """

    folder: str
    family: str
    preset: str


SOURCES = {
    "published-cnn": Source("ConvolutionalTranscoder", "twin-cnn", "paper"),
    "published-vae": Source("VariationalTranscoder", "twin-vae", "paper"),
    "published-gan": Source("GANTranscoderALT", "twin-gan", "paper"),
    "published-gan-style-code": Source("MUNITTranscoderALT", "twin-gan", "paper-style-code"),
    "published-variational-gan": Source("MUNITTranscoder", "twin-variational-gan", "paper"),
}
STYLES = {"X": "classical", "Y": "jazz"}
NETWORKS = {
    "encoder": "encoders",
    "content_encoder": "encoders",
    "mean_encoder": "encoders",
    "mu_encoder": "encoders",
    "log_variance_encoder": "log_variance_encoders",
    "sigma2_encoder": "log_variance_encoders",
    "style_encoder": "style_encoders",
    "decoder": "decoders",
}
KINDS = {"kernel": "weight", "mean": "moving_mean", "std": "moving_std"}
ORDERS = {4: (3, 2, 0, 1), 2: (1, 0)}  # of a kernel's axes, by their number
VARIABLE = re.compile(  # of a checkpoint
    r"coder(?P<style>[XY])/(?P<part>\w+)/(\w+/)?(layer_with_weights-(?P<block>\d)/)?"
    r"(conv_block/conv_layers/(?P<layer>\d)/)?(?P<kind>kernel|bias|mean|std)"
    r"/\.ATTRIBUTES/VARIABLE_VALUE"
)
ARRAY = re.compile(  # of a file SYSTEM_weights.npz
    r"(?P<style>classical|jazz)\.(?P<part>\w+)\.((block|dense)(?P<block>\d)\.)?"
    r"(conv(_transpose)?(?P<layer>\d?)\.)?(?P<kind>kernel|bias|moving_mean|moving_std)"
)


def load(directory: Path, corpus: Corpus, *, adain: AdaIN = "moving") -> dict[str, MelSystem]:
    """The published systems in a folder, by the names of SOURCES; at least one.

    directory: a checkout of the author's repository, its folder `results`, or a folder of files
        such as gan_style_code_weights.npz, with the names and layouts of Keras.
    corpus: of classical and jazz. The author published neither the statistics of the mels nor mean
        styles, which a transfer with a twin GAN takes where no other is given; those of this
        corpus's training recordings take their place.
    adain: of both systems whose style is a code: moving, as in the published code, or instance, by
        the paper's eq. 7, on the same weights.

    Raises ThirdstreamError where there is no published network, and where one is damaged or is
    another network than that of the paper.
    """
    if missing := set(STYLES.values()) - set(corpus.styles):
        raise ThirdstreamError(
            f"{corpus.path}: has the styles {' and '.join(corpus.styles)}, and the published "
            f"networks need {' and '.join(sorted(missing))} too; prepare a corpus with that name"
        )
    systems = networks(directory, mel=corpus.mel, adain=adain)
    for system in systems.values():
        system.set_statistics(corpus.statistics)
        if type(system.model) is TwinGAN:  # a variational one draws its styles
            _learn_mean_styles(system, system.model, corpus)
    return systems


def load_both(directory: Path, corpus: Corpus) -> dict[str, MelSystem]:
    """As `load`; those whose style is a code twice: NAME with the AdaIN of the published code, and
    NAME-instance-adain with that of the paper's eq. 7."""
    systems = load(directory, corpus)
    for name, system in load(directory, corpus, adain="instance").items():
        if system.model.config != systems[name].model.config:
            systems[f"{name}-instance-adain"] = system
    return systems


def networks(
    directory: Path, *, mel: MelConfig | None = None, adain: AdaIN = "moving"
) -> dict[str, MelSystem]:
    """As `load`, without a corpus: they take normalised mels, but no recordings."""
    systems = {}
    for name in SOURCES:
        found = _weights(directory, name)
        if found is not None:
            systems[name] = _system(name, *found, mel=mel or MelConfig(), adain=adain)
    if not systems:
        raise ThirdstreamError(
            f"{directory}: holds none of the published networks; give a checkout of "
            f"github.com/FlorSanders/AutoStyleTransfer, at commit {COMMIT}"
        )
    return systems


def _weights(directory: Path, name: str) -> tuple[Path, dict[str, Tensor]] | None:
    """Where a published network is, and its tensors by our names; None where it is not."""
    for folder in (directory / "results", directory):
        prefix = folder / SOURCES[name].folder / "model"
        files = [prefix.with_name(prefix.name + end) for end in tensorflow_checkpoint.ENDINGS]
        if any(path.exists() for path in files):
            return files[0], _renamed(tensorflow_checkpoint.read(prefix), VARIABLE)
    path = directory / f"{name.removeprefix('published-').replace('-', '_')}_weights.npz"
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
            return path, _renamed(dict(arrays), ARRAY)
    except FAULTS as error:
        raise ThirdstreamError(f"{path}: cannot be read ({error}); fetch it again") from error


def _renamed(arrays: Mapping[str, NDArray], names: re.Pattern[str]) -> dict[str, Tensor]:
    """Those arrays that are of the networks, by our names and in torch's layouts."""
    tensors = {}
    for name, array in arrays.items():
        if match := names.fullmatch(name):
            tensor = torch.from_numpy(array)
            if match["kind"] == "kernel" and tensor.ndim in ORDERS:
                tensor = tensor.permute(ORDERS[tensor.ndim])
            elif match["kind"] not in ("kernel", "bias"):
                tensor = tensor.flatten()  # (1, 1, 1, n_latent), of AdaIN
            tensors[_name(match)] = tensor
    return tensors


def _name(match: re.Match[str]) -> str:
    """What a tensor is called in our models."""
    style, part = STYLES.get(match["style"], match["style"]), match["part"]
    kind = KINDS.get(match["kind"], match["kind"])
    if part in NETWORKS:
        block = f"{NETWORKS[part]}.of.style-{style}.blocks.{match['block']}"
        return f"{block}.layers.{match['layer']}.0.{kind}"
    inner = {"style_reducer": "reducer.", "style_mlp": f"mlp.{2 * int(match['block'] or 0)}."}
    return f"heads.of.style-{style}.{inner.get(part, '')}{kind}"


def _system(
    name: str, path: Path, tensors: dict[str, Tensor], *, mel: MelConfig, adain: AdaIN
) -> MelSystem:
    """Our `paper` network with the published weights; its discriminators are not published."""
    _, family, preset = SOURCES[name]
    config = FAMILIES[family].kind.PRESETS[preset]
    if isinstance(config, GANConfig) and config.style_size is not None:
        config = replace(config, adain=adain)
        if adain == "instance":
            tensors = {key: one for key, one in tensors.items() if ".moving_" not in key}
    first, second = STYLES.values()
    with torch.random.fork_rng(devices=[]):  # of the discriminators
        torch.manual_seed(0)
        system = build(family, (first, second), config, mel)
    found = {key: one.shape for key, one in tensors.items()}
    wanted = {
        key: one.shape
        for key, one in system.model.named_parameters()
        if not key.startswith("discriminators.")
    }
    if odd := sorted(dict(found.items() ^ wanted.items())):
        raise ThirdstreamError(
            f"{path}: is not the author's network that is {name} here ({len(odd)} tensors are "
            f"others, such as {odd[0]}); give a checkout of "
            f"github.com/FlorSanders/AutoStyleTransfer, at commit {COMMIT}"
        )
    system.model.load_state_dict(tensors, strict=False)
    system.card["origin"] = f"the paper author's published network, {SOURCES[name].folder}"
    return system.eval().requires_grad_(False)


@torch.inference_mode()
def _learn_mean_styles(system: MelSystem, model: TwinGAN, corpus: Corpus) -> None:
    """The mean style of each style's training recordings, from some segments of each."""
    for style in corpus.styles:
        codes = []
        for one in corpus.of(style, TRAIN):
            middle = one.n_segments // 2
            power = torch.from_numpy(corpus.power(one, slice(middle, middle + N_SEGMENTS)))
            codes.append(model.style_code(system.log_mel(style).normalise(power), style))
        model.mean_styles[style].update(torch.cat(codes))
