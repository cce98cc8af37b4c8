"""Give a trained twin-paired another index: python recipes/build_index.py MODEL CORPUS OUT [N]

Of the corpus's training recordings, N segments a style (512), drawn and chosen as at the end of an
epoch of training; nothing is learnt anew. OUT is the new model, its matrices in half precision.
CORPUS need not be the one it learnt from: what is indexed is what it plays.
"""

from dataclasses import replace
from pathlib import Path

import tyro

from bundle import halved  # a script beside this one
from thirdstream import checkpoint, registry
from thirdstream.data.corpus import Corpus
from thirdstream.mel.system import MelSystem, build
from thirdstream.mel.training import loop as training

BATCH = 16
N_SEGMENTS = 512


def with_index(model: MelSystem, n_segments: int, corpus: Corpus) -> MelSystem:
    """The same networks with another index."""
    network = replace(model.model.config, n_index_segments=n_segments)
    other = build(model.name, model.styles, network, model.mel).eval().requires_grad_(False)
    fitting = {k: v for k, v in model.state_dict().items() if ".indices." not in k}
    other.load_state_dict(
        fitting | {k: v for k, v in other.state_dict().items() if k not in fitting}
    )
    other.card.update(model.card)
    config = training.TrainingConfig(batch_size=BATCH)
    other.model.end_epoch(lambda n: training.some(other, corpus, n, config))
    return other


def main(name: str, corpus: str, out: str, n_segments: str = str(N_SEGMENTS)) -> None:
    model = registry.load(name)
    assert isinstance(model, MelSystem)
    other = with_index(model, int(n_segments), Corpus.open(corpus))
    checkpoint.save(Path(out), halved(other.state_dict()), other.header())


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
