"""The paper author's published weights as models of ours, to compare with. Not ours to ship.

    python recipes/published.py REFERENCE CORPUS OUT

REFERENCE holds SYSTEM_weights.npz, as published_weights.py makes them; OUT gets
SYSTEM.safetensors, with the statistics of CORPUS.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from thirdstream.data.corpus import Corpus
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import MelSystem

FILES = {
    "cnn": ("twin-cnn", "paper"),
    "vae": ("twin-vae", "paper"),
    "gan": ("twin-gan", "paper"),
    "gan_style_code": ("twin-gan", "paper-style-code"),
    "variational_gan": ("twin-variational-gan", "paper"),
}
PARTS = {
    "encoder": "encoders",
    "mean_encoder": "encoders",
    "content_encoder": "encoders",
    "log_variance_encoder": "log_variance_encoders",
    "style_encoder": "style_encoders",
    "decoder": "decoders",
}


def weights(path: Path) -> dict[str, Tensor]:
    """Published weights under the names that our `paper` presets have."""
    state = {}
    for name, value in np.load(path).items():
        style, part, *rest, kind = name.split(".")
        if part == "adain":  # moving statistics; the paper's eq. 7 takes the instance's own
            continue
        if part in PARTS:
            block, conv = rest
            key = f"{PARTS[part]}.of.style-{style}.blocks.{block[-1]}.layers.{conv[-1]}.0."
        elif part == "style_reducer":
            key = f"heads.of.style-{style}.reducer."
        else:
            key = f"heads.of.style-{style}.mlp.{2 * int(rest[0][-1])}."
        tensor = torch.from_numpy(value)
        if kind == "kernel":
            tensor = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor.T
        state[key + ("weight" if kind == "kernel" else "bias")] = tensor
    return state


def main(reference: str, corpus_path: str, out: str) -> None:
    corpus = Corpus.open(Path(corpus_path))
    for file, (name, preset) in FILES.items():
        twin = FAMILIES[name].kind(corpus.styles, FAMILIES[name].kind.PRESETS[preset])
        twin.load_state_dict(twin.state_dict() | weights(Path(reference) / f"{file}_weights.npz"))
        system = MelSystem(name, twin, card={"origin": f"the author's published {file}"})
        system.set_statistics(corpus.statistics)
        system.save(Path(out) / f"published-{file}.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
