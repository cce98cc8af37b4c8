"""Eqs. 1 and 2 of the paper, over every segment of a corpus's test recordings.

python recipes/score.py CORPUS MODEL...        a model is a name, a file or a run folder
"""

import sys
from pathlib import Path

import torch

from thirdstream import systems
from thirdstream.corpus import TEST, Corpus
from thirdstream.mel.system import MelSystem


@torch.inference_mode()
def score(system: MelSystem, corpus: Corpus, style: str) -> tuple[float, float]:
    """(reconstruction, latent) of one style, averaged over segments."""
    twin, other, sums = system.twin, system.twin.other(style), torch.zeros(2)
    generator = torch.Generator().manual_seed(0)
    for power in corpus.chunks(style, TEST, n_segments=8):
        mel = system.log_mel(style).normalise(torch.from_numpy(power))
        code = twin.encode(mel, style)
        usual = twin.usual_style(other, generator=generator)
        again = twin.encode(twin.transfer(mel, source=style, target=other, style=usual), other)
        reconstruction = (twin.decode(code, style) - mel).abs().mean()
        latent = (again.content - code.content).abs().mean()
        sums += len(mel) * torch.stack([reconstruction, latent])
    first, second = (sums / corpus.n_segments(style, TEST)).tolist()
    return first, second


def main(corpus_path: str, *models: str) -> None:
    corpus = Corpus.open(Path(corpus_path))
    for name in models:
        system = systems.load(name)
        assert isinstance(system, MelSystem)
        scores = {style: score(system, corpus, style) for style in corpus.styles}
        for style, (reconstruction, latent) in scores.items():
            print(f"{name} {style}: reconstruction {reconstruction:.5f}, latent {latent:.5f}")
        means = [sum(column) / len(column) for column in zip(*scores.values(), strict=True)]
        print(f"{name} mean: reconstruction {means[0]:.5f}, latent {means[1]:.5f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
