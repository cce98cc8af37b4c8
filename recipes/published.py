"""The paper author's published networks as model files, to compare with. Not ours to hand on.

    git clone https://github.com/FlorSanders/AutoStyleTransfer
    python recipes/published.py AutoStyleTransfer CORPUS OUT

OUT gets published-NAME.safetensors, with the statistics and mean styles of CORPUS: `thirdstream
evaluate`, `thirdstream figures` and score.py take them. Those whose style is a code are there
twice: with the AdaIN of the published code, and as -instance-adain with that of the paper's eq. 7.
"""

from pathlib import Path

import tyro

from thirdstream.data.corpus import Corpus
from thirdstream.research import published


def main(directory: str, corpus_path: str, out: str) -> None:
    systems = published.load_both(Path(directory), Corpus.open(Path(corpus_path)))
    for name, system in systems.items():
        system.save(Path(out) / f"{name}.safetensors")
        print(f"{name}: {system.n_parameters():,} parameters")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
