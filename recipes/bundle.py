"""A trained model as it is bundled: without the networks that no transfer uses. bundle.py RUN OUT

RUN is a run folder or a file; its history is written beside OUT. Training can begin with OUT
(`--init`), with new discriminators. --half halves the size: kernels are in half precision.
"""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from thirdstream import checkpoint, registry
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training import history


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Kernels as float16; biases and normalisation, which are few, as they are."""
    return {
        key: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for key, value in state.items()
    }


def main(run: str, out: Path, *, half: bool) -> None:
    system = registry.load(run)
    assert isinstance(system, MelSystem)
    beside = history.beside(registry.find(run))
    system.save(out, for_training=False)
    if half:
        state, header = checkpoint.read(out)
        checkpoint.save(out, halved(state), header)
    if beside is not None and beside != out.with_suffix(f".{history.NAME}"):
        shutil.copy(beside, out.with_suffix(f".{history.NAME}"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("out", type=Path)
    parser.add_argument("--half", action="store_true")
    main(**vars(parser.parse_args()))
