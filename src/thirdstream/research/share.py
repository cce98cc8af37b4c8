"""A share of a corpus, to train on less of it."""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import SEGMENT, SR
from thirdstream.data.corpus import SPLITS, TEST, TRAIN, Corpus, Recording


@dataclass(frozen=True)
class Part(Corpus):
    """A corpus of which some recordings are used, the last of them perhaps only at its beginning.

    lengths: segments of each array, by its path.
    """

    lengths: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def features(self, recording: Recording) -> NDArray[np.float16]:
        """As the corpus's, so many segments as are used."""
        whole = replace(recording, n_segments=self.lengths[recording.features])
        return super().features(whole)[: recording.n_segments]


def part_of(corpus: Corpus, *, scale: float, at_least: int) -> Part:
    """A share of the training and validation segments of each style, `at_least` so many to train.

    Recordings are taken whole in a random order that is always the same; the last is cut. All test
    recordings remain.
    """
    used: list[Recording] = []
    for style, split in itertools.product(corpus.styles, SPLITS):
        own, total = corpus.of(style, split), corpus.n_segments(style, split)
        least = at_least if split == TRAIN else 1
        wanted = min(total, max(least, math.ceil(scale * total)))
        used += own if split == TEST else _first(own, wanted)
    lengths = {one.features: one.n_segments for one in corpus.recordings}
    return Part(corpus.path, corpus.mel, corpus.statistics, used, corpus.skipped, lengths)


def _first(recordings: Sequence[Recording], n_segments: int) -> Iterator[Recording]:
    """So many segments of recordings in a random order, the same in every corpus."""
    for one in sorted(recordings, key=lambda one: hashlib.sha256(one.sound.encode()).digest()):
        if n_segments <= 0:
            return
        n = min(n_segments, one.n_segments)
        n_segments -= n
        cut = {"n_segments": n, "duration_s": n * SEGMENT / SR} if n < one.n_segments else {}
        yield replace(one, **cut)


def digest_of(corpus: Corpus) -> str:
    """Of the recordings, their split and their statistics, wherever the corpus lies."""
    content = {
        "recordings": sorted((r.style, r.split, r.sound, r.n_segments) for r in corpus.recordings),
        "statistics": {style: dataclasses.asdict(s) for style, s in corpus.statistics.items()},
    }
    return digest(content)


def digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
