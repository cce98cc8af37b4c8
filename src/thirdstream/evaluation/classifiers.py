"""Further classifiers of style beside the tagger, and how far all of them agree.

`vgg`: two VGG networks, of the same package and training sets as the tagger. `big`: musicnn with
more features. `probe`: a linear probe on VGG's embeddings, fitted to real recordings. The weights
of the first come along, the others are files of one's own, made by recipes/tagger_weights.py and
recipes/style_probe.py. Nothing that makes music is trained against any of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from thirdstream import checkpoint
from thirdstream.audio import Wave
from thirdstream.evaluation.tagger import THRESHOLD, VGG_WEIGHTS, Tagger, is_target_style
from thirdstream.files import ThirdstreamError, sha256

Values = Mapping[str, float]  # style -> 0 to 1

DEFAULT = "musicnn"  # the tagger itself
LOWER = {("vgg", "jazz"): 0.2}  # by classifier and style, where less than the tagger's value counts
OWN = {  # classifiers of one's own, and what makes them
    "big": "python recipes/tagger_weights.py MUSICNN --big FILE",
    "probe": "python recipes/style_probe.py STYLE=FOLDER STYLE=FOLDER --out FILE",
}


@dataclass(frozen=True)
class Probe:
    """Logistic regression on an embedding: labels, and the file that `Probe.read` reads when asked.

    The tensors are `weights` (n_labels, n_dimensions), `bias` (n_labels,), and `mean` and `scale`
    (n_dimensions,) of the embeddings that it was fitted to.
    """

    path: Path

    @cached_property
    def _header(self) -> dict[str, Any]:
        return checkpoint.read_header(self.path)

    @cached_property
    def labels(self) -> list[str]:
        return self._header["labels"]

    @cached_property
    def _tensors(self) -> dict[str, NDArray[np.float64]]:
        return {name: one.double().numpy() for name, one in checkpoint.read(self.path)[0].items()}

    def about(self) -> dict[str, str]:
        """What it was fitted to, how often it was right, and its hash, for the results."""
        numbers, accuracy = self._header.get("recordings", {}), self._header.get("accuracy", 0.0)
        fitted = ", ".join(f"{n} of {label}" for label, n in numbers.items())
        right = f"{accuracy:.2f} right, each by a probe of the others"
        return {"package": f"linear probe ({fitted}; {right})", "sha256": sha256(self.path)}

    def predict(self, embeddings: NDArray[np.float32]) -> dict[str, float]:
        """label -> probability, of a recording's embeddings (n_patches, n_dimensions)."""
        of = self._tensors
        row = (embeddings.mean(0, dtype=np.float64) - of["mean"]) / of["scale"]
        return dict(zip(self.labels, softmax(of["weights"] @ row + of["bias"]).tolist(),
                        strict=True))  # fmt: skip


@dataclass(frozen=True)
class StyleClassifiers:
    """Those beside the tagger; big and probe where a file was given."""

    vgg: Tagger
    big: Tagger | None = None
    probe: Probe | None = None

    def about(self) -> dict[str, dict[str, str]]:
        """Packages and weights, for the results."""
        found = {"vgg": self.vgg, "big": self.big, "probe": self.probe}
        return {name: one.about() for name, one in found.items() if one}

    def predict(self, wave: Wave, sr: int) -> dict[str, Values]:
        """classifier -> style -> 0 to 1, of a mono wave (n_samples,) of any rate in Hz."""
        output = self.vgg.predict(wave, sr)
        found: dict[str, Values] = {"vgg": output.styles()}
        if self.big:
            found["big"] = self.big.predict(wave, sr).styles()
        if self.probe:
            found["probe"] = self.probe.predict(output.embeddings)
        return found


def read(files: Sequence[str] = ()) -> StyleClassifiers:
    """VGG, and those in the files. Raises ThirdstreamError that says how a missing one is made."""
    found: dict[str, Path] = {}
    for file in files:
        path = Path(file)
        if not path.is_file():
            made = " or ".join(f"`{command}`" for command in OWN.values())
            raise ThirdstreamError(f"{path}: there is no such classifier; make it with {made}")
        header = checkpoint.read_header(path)
        kind = header.get("classifier")
        if kind not in OWN:
            raise ThirdstreamError(
                f"{path}: holds no classifier of styles; give a file that recipes/style_probe.py "
                "or recipes/tagger_weights.py --big made"
            )
        if kind == "probe" and header.get("network") != sha256(VGG_WEIGHTS):
            raise ThirdstreamError(
                f"{path}: was fitted to other weights of VGG; make it again with `{OWN[kind]}`"
            )
        if kind in found:
            raise ThirdstreamError(f"{path}: is a second {kind}, after {found[kind]}; give one")
        found[kind] = path
    big, probe = found.get("big"), found.get("probe")
    return StyleClassifiers(
        Tagger(VGG_WEIGHTS), Tagger(big) if big else None, Probe(probe) if probe else None
    )


def threshold_of(classifier: str, style: str) -> float:
    """The least value of a style that counts: VGG's tags of jazz are lower than the tagger's."""
    return LOWER.get((classifier, style), THRESHOLD)


def style_scores(values: Mapping[str, Values], *, source: str, target: str) -> dict[str, float]:
    """target_style_rate_NAME of each classifier but the default, 0 or 1, and `agreement`.

    values: classifier -> style -> 0 to 1; one that does not know both styles is left out.
    """
    accepted = {
        name: is_target_style(
            target=found[target], other=found[source], threshold=threshold_of(name, target)
        )
        for name, found in values.items() if {source, target} <= found.keys()
    }  # fmt: skip
    row = {f"target_style_rate_{name}": float(one) for name, one in accepted.items()
           if name != DEFAULT}  # fmt: skip
    if len(accepted) > 1:
        row["agreement"] = agreement(list(accepted.values()))
    return row


def agreement(answers: Sequence[bool]) -> float:
    """The share of pairs of classifiers whose answers are the same, 0 to 1; of two or more."""
    return float(np.mean([one == other for one, other in combinations(answers, 2)]))
