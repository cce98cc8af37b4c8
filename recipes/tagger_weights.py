"""The weights of the taggers, converted once: python recipes/tagger_weights.py MUSICNN [--big OUT]

MUSICNN is the folder of the package musicnn 0.1.0 (`pip download --no-deps musicnn==0.1.0`,
unpacked). Its networks were trained on MagnaTagATune and on the Million Song Dataset. The musicnn
ones go as float32 to evaluation/tagger.safetensors, the VGG ones, kernels as float16, to
evaluation/tagger-vgg.safetensors; evaluation/tagger.md has their ISC licence.

--big OUT makes a file for `thirdstream evaluate --classifiers OUT` instead: the MTT network, and
MSD_musicnn_big. No release on PyPI has that one; MUSICNN is then the folder musicnn of
https://github.com/jordipons/musicnn.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bundle import halved  # a script beside this one
from thirdstream import checkpoint
from thirdstream.evaluation.tagger import VGG, VGG_WEIGHTS, WEIGHTS, MusiCNN
from thirdstream.files import ThirdstreamError
from thirdstream.research import tensorflow_checkpoint

Variables = Mapping[str, NDArray[np.float32]]

# The tags of each network, in the order of its outputs (musicnn's documentation).
TAGS = {
    "MTT": (
        "guitar classical slow techno strings drums electronic rock fast piano ambient beat "
        "violin vocal synth female indian opera male singing vocals no_vocals harpsichord "
        "loud quiet flute woman male_vocal no_vocal pop soft sitar solo man classic choir "
        "voice new_age dance male_voice female_vocal beats harp cello no_voice weird "
        "country metal female_voice choral"
    ),
    "MSD": (
        "rock pop alternative indie electronic female_vocalists dance 00s alternative_rock "
        "jazz beautiful metal chillout male_vocalists classic_rock soul indie_rock Mellow "
        "electronica 80s folk 90s chill instrumental punk oldies blues hard_rock ambient "
        "acoustic experimental female_vocalist guitar Hip-Hop 70s party country "
        "easy_listening sexy catchy funk electro heavy_metal Progressive_rock 60s rnb "
        "indie_pop sad House happy"
    ),
}
NORMS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def musicnn_state(tensors: Variables) -> dict[str, Tensor]:
    """The state of a MusiCNN from the variables of a published checkpoint.

    Kernels come as (height, width, in, out); those of the middle span all features as width.
    """
    network = MusiCNN(tensors["conv2d_7/kernel"].shape[3], tensors["dense/kernel"].shape[1])
    state = network.state_dict() | norms(tensors, len(network.norms))
    for number in range(8):
        variable, kernel = (
            numbered("conv2d", number),
            kernel_of(tensors, numbered("conv2d", number)),
        )
        layer = f"front.{number}" if number < 5 else f"middle.{number - 5}"
        kernel = kernel if number < 5 else kernel.transpose(1, 3)
        state[f"{layer}.weight"] = kernel.reshape(state[f"{layer}.weight"].shape)
        state[f"{layer}.bias"] = torch.from_numpy(tensors[f"{variable}/bias"])
    for number, layer in enumerate(("dense", "tags")):
        state |= dense(tensors, numbered("dense", number), layer)
    network.load_state_dict(state)
    return state


def vgg_state(tensors: Variables) -> dict[str, Tensor]:
    """The state of a VGG from the variables of a published checkpoint."""
    network = VGG()
    state = norms(tensors, len(network.norms)) | dense(tensors, "dense", "tags")
    for number in range(5):
        variable, layer = f"{number + 1}CNN", f"convolutions.{number}"
        state[f"{layer}.weight"] = kernel_of(tensors, variable)
        state[f"{layer}.bias"] = torch.from_numpy(tensors[f"{variable}/bias"])
    network.load_state_dict(state)
    return state


def numbered(name: str, number: int) -> str:
    """TensorFlow's name of the layer: the first has no number."""
    return f"{name}_{number}" if number else name


def kernel_of(tensors: Variables, variable: str) -> Tensor:
    """(height, width, in, out) -> (out, in, height, width)."""
    return torch.from_numpy(tensors[f"{variable}/kernel"]).permute(3, 2, 0, 1)


def dense(tensors: Variables, variable: str, layer: str) -> dict[str, Tensor]:
    return {
        f"{layer}.weight": torch.from_numpy(tensors[f"{variable}/kernel"]).T,
        f"{layer}.bias": torch.from_numpy(tensors[f"{variable}/bias"]),
    }


def norms(tensors: Variables, n_norms: int) -> dict[str, Tensor]:
    return {
        f"norms.{number}.{ours}": torch.from_numpy(
            tensors[f"{numbered('batch_normalization', number)}/{theirs}"]
        )
        for number in range(n_norms)
        for ours, theirs in NORMS.items()
    }


def write(out: Path, states: Mapping[str, Mapping[str, Tensor]], **about: str) -> None:
    """Networks by name as one file, with their tags."""
    tags = {name: [tag.replace("_", " ") for tag in TAGS[name].split()] for name in states}
    state = {f"{name}.{key}": one for name, found in states.items() for key, one in found.items()}
    checkpoint.save(out, state, {"package": "musicnn 0.1.0", **about, "tags": tags})


def main(musicnn: Path, big: Path | None) -> None:
    if big and not (musicnn / "MSD_musicnn_big").is_dir():
        raise ThirdstreamError(
            f"{musicnn}: has no MSD_musicnn_big, as all releases on PyPI; give the folder musicnn "
            "of a clone of https://github.com/jordipons/musicnn"
        )
    read = {
        name: tensorflow_checkpoint.read(musicnn / name)
        for name in (("MTT_musicnn", "MSD_musicnn_big") if big else
                     ("MTT_musicnn", "MSD_musicnn", "MTT_vgg", "MSD_vgg"))
    }  # fmt: skip
    mtt = musicnn_state(read["MTT_musicnn"])
    if big:
        states = {"MTT": mtt, "MSD": musicnn_state(read["MSD_musicnn_big"])}
        write(big, states, classifier="big")
        return
    write(WEIGHTS, {"MTT": mtt, "MSD": musicnn_state(read["MSD_musicnn"])})
    vgg = {name: halved(vgg_state(read[f"{name}_vgg"])) for name in TAGS}
    write(VGG_WEIGHTS, vgg, classifier="vgg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("musicnn", type=Path)
    parser.add_argument("--big", type=Path)
    given = parser.parse_args()
    try:
        main(given.musicnn, given.big)
    except ThirdstreamError as error:
        raise SystemExit(str(error)) from None
