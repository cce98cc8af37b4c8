"""A linear probe of style, fitted to real recordings whose styles are known.

    python recipes/style_probe.py classical=FOLDER jazz=FOLDER [LABEL=FOLDER ...] --out FILE
    thirdstream evaluate --corpus bench --classifiers FILE --out results.json

Logistic regression on the last layer but one of VGG (MSD), 30 s from the middle of each recording.
Patches of a recording are always on one side of a split: each recording is predicted by a probe of
all others, and the share of right ones is printed with its 95 % interval. Of fewer than 20
recordings a label no figure is worth much, and the program says so.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from thirdstream import audio, checkpoint
from thirdstream.audio import SR
from thirdstream.evaluation.material import excerpt
from thirdstream.evaluation.metrics import proportion
from thirdstream.evaluation.tagger import VGG_WEIGHTS, Tagger
from thirdstream.files import ThirdstreamError, sha256

EXCERPT_S = 30.0
LEAST = 2  # recordings a label, so that one can be kept aside
FEW = 20
C = 0.1  # the inverse of the regularisation's strength; fixed, not tuned
Array = NDArray[np.float64]


class Recording(NamedTuple):
    """embeddings: (n_patches, n_dimensions)."""

    name: str
    label: str
    embeddings: Array


class Fit(NamedTuple):
    """weights: (n_labels, n_dimensions), bias: (n_labels,), mean, scale: (n_dimensions,)."""

    labels: list[str]
    weights: Array
    bias: Array
    mean: Array
    scale: Array

    def label(self, embeddings: Array) -> str:
        """The most probable one of a recording (n_patches, n_dimensions)."""
        row = (embeddings.mean(0) - self.mean) / self.scale
        return self.labels[int(np.argmax(self.weights @ row + self.bias))]


def fit(recordings: Sequence[Recording]) -> Fit:
    """Every label counts as much as any other, and of a label every recording, however long."""
    rows = np.concatenate([one.embeddings for one in recordings])
    names = np.repeat(
        [one.label for one in recordings], [len(one.embeddings) for one in recordings]
    )
    of_label = {one.label: 0 for one in recordings}
    for one in recordings:
        of_label[one.label] += 1
    shares = [np.full(len(one.embeddings), 1 / (len(one.embeddings) * of_label[one.label]))
              for one in recordings]  # fmt: skip
    importance = np.concatenate(shares) * len(recordings) / len(of_label)
    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(C=C, max_iter=1000)
    model.fit((rows - mean) / scale, names, sample_weight=importance)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # of two labels it has the second's alone
        weights, bias = np.concatenate([0 * weights, weights]), np.append(0 * bias, bias)
    return Fit(model.classes_.tolist(), weights, bias, mean, scale)


def kept_aside(recordings: Sequence[Recording]) -> list[str]:
    """What each recording is to a probe of all others."""
    return [
        fit([*recordings[:at], *recordings[at + 1 :]]).label(one.embeddings)
        for at, one in enumerate(recordings)
    ]


def read(sources: Sequence[str]) -> list[Recording]:
    """The recordings of LABEL=FOLDER. Raises ThirdstreamError where there are too few."""
    tagger, found = Tagger(VGG_WEIGHTS), []
    for source in sources:
        label, _, folder = source.partition("=")
        if not (label and folder and Path(folder).is_dir()):
            raise ThirdstreamError(f"{source}: is not LABEL=FOLDER; give a folder of recordings")
        paths = audio.find_recordings(Path(folder))
        if len(paths) < LEAST:
            raise ThirdstreamError(
                f"{source}: has {len(paths)} recordings; put {LEAST} or more into the folder"
            )
        for path in paths:
            embeddings = tagger.predict(excerpt(path, EXCERPT_S), SR).embeddings
            found.append(Recording(path.name, label, embeddings.astype(np.float64)))
    if len({one.label for one in found}) < 2:
        raise ThirdstreamError("a probe tells labels apart; give two or more LABEL=FOLDER")
    return found


def save(out: Path, found: Fit, recordings: Sequence[Recording], right: Sequence[bool]) -> None:
    """For `thirdstream evaluate --classifiers OUT`."""
    tensors = {name: torch.from_numpy(np.asarray(value)).float()
               for name, value in found._asdict().items() if name != "labels"}  # fmt: skip
    header = {
        "package": "linear probe", "classifier": "probe", "labels": found.labels,
        "network": sha256(VGG_WEIGHTS), "accuracy": float(np.mean(right)),
        "recordings": {label: sum(one.label == label for one in recordings)
                       for label in found.labels},
    }  # fmt: skip
    checkpoint.save(out, tensors, header)


def main(sources: Sequence[str], out: Path) -> None:
    recordings = read(sources)
    predicted = kept_aside(recordings)
    right = [one.label == label for one, label in zip(recordings, predicted, strict=True)]
    for one, label in zip(recordings, predicted, strict=True):
        print(f"{one.name}: {one.label}, predicted {label}")
    labels = list(dict.fromkeys(one.label for one in recordings))
    for label in ("all", *labels):
        kept = [float(ok) for one, ok in zip(recordings, right, strict=True)
                if label in ("all", one.label)]  # fmt: skip
        share = proportion(kept)
        print(f"{label}: {share.mean:.2f} [{share.low:.2f}, {share.high:.2f}] of {len(kept)}")
        if label != "all" and len(kept) < FEW:
            print(
                f"{label}: fewer than {FEW} recordings; the figures and the probe are no evidence"
            )
    save(out, fit(recordings), recordings, right)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        main(given.sources, given.out)
    except ThirdstreamError as error:
        raise SystemExit(str(error)) from None
