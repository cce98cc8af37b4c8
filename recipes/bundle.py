"""A trained model as it is bundled: without the networks that no transfer uses. bundle.py RUN OUT

RUN is a run folder or a file; its history is written beside OUT. Training can begin with OUT
(`--init`), with new discriminators.
"""

import shutil
import sys
from pathlib import Path

from thirdstream import registry
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training import history


def main(run: str, out: str) -> None:
    system = registry.load(run)
    assert isinstance(system, MelSystem)
    system.save(Path(out), for_training=False)
    beside = history.beside(registry.find(run))
    if beside is not None:
        shutil.copy(beside, Path(out).with_suffix(f".{history.NAME}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
