"""Where the bundled `travel` and `twin-cnn-features` begin: begun.py SYSTEM AUTOENCODER OUT VIEW...

A model of SYSTEM whose encoders see the VIEWs (mel alone if none is named), with the encoders and
decoders of a twin CNN of the same shape, such as autoencoder.py makes. Views that the twin CNN does
not see count for nothing at first. `thirdstream train SYSTEM --init OUT` goes on from there.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
import tyro

from thirdstream import registry
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import MelSystem, build


@torch.no_grad()
def main(name: str, autoencoder: str, out: str, *views: Any) -> None:
    known = registry.load(autoencoder)
    assert isinstance(known, MelSystem)
    preset, shape = FAMILIES[name].kind.PRESETS["default"], known.model.config
    config = replace(
        preset, channels=shape.channels, n_convs=shape.n_convs, features=views or ("mel",)
    )
    torch.manual_seed(0)
    system = build(name, known.styles, config, known.mel)
    system.features.load_state_dict(known.features.state_dict())
    for style in known.styles:
        system.model.decoders[style].load_state_dict(known.model.decoders[style].state_dict())
        weights = known.model.encoders[style].state_dict()
        for key, value in system.model.encoders[style].state_dict().items():
            value.zero_()
            n_known = weights[key].shape[1:2]  # of inputs: the mel's stand first
            cast(torch.Tensor, value[:, : n_known[0]] if n_known else value).copy_(weights[key])
    system.card["cpu_s"] = known.training_s()
    system.card["recipe"] = f"begun.py: {name} with the autoencoders of {Path(autoencoder).name}"
    system.eval().save(Path(out))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
