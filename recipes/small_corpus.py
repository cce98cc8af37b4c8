"""A part of a corpus's recordings, for the trainings of the `paper` presets.

    python recipes/small_corpus.py CORPUS OUT
    thirdstream prepare classical=OUT/classical jazz=OUT/jazz --out small

All validation and test recordings, and those for training that come first by their SHA-256 until
there are 21 minutes of each style; OUT gets links to them. A recording's split depends on its sound
alone, so each keeps the split that it has in CORPUS.
"""

import sys
from pathlib import Path

from thirdstream.data.corpus import TRAIN, Corpus, Recording

MINUTES = 21


def chosen(corpus: Corpus, style: str) -> list[Recording]:
    """The recordings of one style that belong in the part."""
    held_out = [one for one in corpus.recordings if one.style == style and one.split != TRAIN]
    training, seconds = [], 0.0
    for one in sorted(corpus.of(style, TRAIN), key=lambda one: one.sha256):
        if seconds >= MINUTES * 60:
            break
        training.append(one)
        seconds += one.duration_s
    return held_out + training


def main(corpus_path: str, out: str) -> None:
    corpus = Corpus.open(Path(corpus_path))
    for style in corpus.styles:
        folder = Path(out) / style
        folder.mkdir(parents=True)
        for one in chosen(corpus, style):
            (folder / Path(one.path).name).symlink_to(one.path)


if __name__ == "__main__":
    main(*sys.argv[1:])
