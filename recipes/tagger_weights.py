"""The tagger's weights, converted once: python recipes/tagger_weights.py MUSICNN

MUSICNN is the folder of the package musicnn 0.1.0 (`pip download --no-deps musicnn==0.1.0`,
unpacked). Its two networks, trained on MagnaTagATune and on the Million Song Dataset, go as float32
to evaluation/tagger.safetensors; evaluation/tagger.md has their ISC licence.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from thirdstream import checkpoint
from thirdstream.evaluation.tagger import WEIGHTS, MusiCNN
from thirdstream.research import tensorflow_checkpoint

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


def converted(prefix: str) -> dict[str, Tensor]:
    """The state of a MusiCNN from a published checkpoint.

    Kernels come as (height, width, in, out); those of the middle span all features as width.
    """
    tensors = tensorflow_checkpoint.read(Path(prefix))

    def variable(name: str, number: int, part: str) -> Tensor:
        return torch.from_numpy(tensors[f"{name}_{number}/{part}" if number else f"{name}/{part}"])

    network = MusiCNN()
    state = network.state_dict()
    for number in range(8):
        kernel = variable("conv2d", number, "kernel")
        layer = f"front.{number}" if number < 5 else f"middle.{number - 5}"
        order = (3, 2, 0, 1) if number < 5 else (3, 1, 0, 2)
        state[f"{layer}.weight"] = kernel.permute(order).reshape(state[f"{layer}.weight"].shape)
        state[f"{layer}.bias"] = variable("conv2d", number, "bias")
    for number, layer in enumerate(("dense", "tags")):
        state[f"{layer}.weight"] = variable("dense", number, "kernel").T
        state[f"{layer}.bias"] = variable("dense", number, "bias")
    for number in range(len(network.norms)):
        for ours, theirs in NORMS.items():
            state[f"norms.{number}.{ours}"] = variable("batch_normalization", number, theirs)
    network.load_state_dict(state)
    return state


def main(musicnn: str) -> None:
    state = {
        f"{name}.{key}": value
        for name in TAGS
        for key, value in converted(f"{Path(musicnn) / name}_musicnn/").items()
    }
    tags = {name: text.split() for name, text in TAGS.items()}
    header = {
        "package": "musicnn 0.1.0",
        "tags": {name: [tag.replace("_", " ") for tag in found] for name, found in tags.items()},
    }
    checkpoint.save(WEIGHTS, state, header)


if __name__ == "__main__":
    main(*sys.argv[1:])
