"""The results table: eqs. 1 and 2 of the paper over every segment of a corpus's test recordings.

    python recipes/score.py CORPUS MODEL... > docs/results.md
    python recipes/score.py --all CORPUS MODEL...     every recording, where none was trained on

A model is a bundled name, a file or a run folder. Those called published-... (see published.py) are
the paper author's own networks: the others of the same system are compared with the best of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro

from thirdstream import checkpoint, registry
from thirdstream.data.corpus import SPLITS, TEST, Corpus
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.gan import TwinGAN
from thirdstream.mel.models.model import MelModel
from thirdstream.mel.models.twin import TwinAutoencoder
from thirdstream.mel.system import MelSystem
from thirdstream.research.findings import PAPER_LOSSES

PUBLISHED, MOVING = "published-", "adain moving"


@dataclass(frozen=True)
class Row:
    """One model's scores. reconstruction: eq. 1 by style; latent: eq. 2, mean of both styles."""

    model: str
    system: str
    preset: str
    n_parameters: int
    reconstruction: dict[str, float]
    latent: float

    @property
    def mean(self) -> float:
        """Eq. 1 averaged over the styles."""
        return sum(self.reconstruction.values()) / len(self.reconstruction)


@torch.inference_mode()
def score(
    system: MelSystem, corpus: Corpus, style: str, splits: Sequence[str] = (TEST,)
) -> tuple[float, float]:
    """(reconstruction, latent) of one style, averaged over segments."""
    model, other, sums = system.model, system.model.other(style), torch.zeros(2)
    generator = torch.Generator().manual_seed(0)
    for power in (power for split in splits for power in corpus.chunks(style, split)):
        mel = system.log_mel(style).normalise(torch.from_numpy(power))
        reconstruction = (model.reconstruct(mel, style) - mel).abs().mean()
        latent = torch.tensor(torch.nan)  # of models without one latent space
        if isinstance(model, TwinAutoencoder):
            condition = model.default_condition(other, generator=generator)
            restyled = model.transfer(mel, source=style, target=other, condition=condition)
            came = model.content(restyled, other)
            latent = (came - model.content(mel, style)).abs().mean()
        sums += len(mel) * torch.stack([reconstruction, latent])
    n_segments = sum(corpus.n_segments(style, split) for split in splits)
    first, second = (sums / n_segments).tolist()
    return first, second


def row(
    name: str, corpus: Corpus, splits: Sequence[str] = (TEST,), *, updating: bool = False
) -> Row:
    """Score one model on its own normalisation, as it would be used.

    updating: the stored statistics of moving AdaIN move with what is scored.
    """
    system = registry.load(name)
    assert isinstance(system, MelSystem)
    twin = system.model
    if updating and isinstance(twin, TwinGAN):
        twin.heads.train()
    scores = {style: score(system, corpus, style, splits) for style in corpus.styles}
    model = Path(name).resolve().name.removesuffix(".safetensors")
    return Row(
        f"{model}, updating" if updating else model,
        system.name,
        preset_of(twin),
        system.n_parameters(),
        {style: one for style, (one, _) in scores.items()},
        sum(latent for _, latent in scores.values()) / len(scores),
    )


def preset_of(model: MelModel) -> str:
    """The preset's name, with the published code's AdaIN beside it where the model has that."""
    adain = getattr(model.config, "adain", "instance")
    plain = replace(model.config, adain="instance") if adain == "moving" else model.config
    name = next((key for key, preset in model.PRESETS.items() if preset == plain), "other")
    return f"{name}, {MOVING}" if adain == "moving" else name


def table(rows: list[Row], corpus: Corpus) -> str:
    """Markdown."""
    published = [one for one in rows if one.model.startswith(PUBLISHED)]
    styles = corpus.styles
    lines = [
        f"| model | system | preset | parameters | eq. 1, {styles[0]} | eq. 1, {styles[1]} "
        "| eq. 1, mean | of the published | eq. 2 | the paper's eq. 1 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in sorted(rows, key=lambda one: (list(FAMILIES).index(one.system), one.mean)):
        known = [other for other in published if other.system == one.system]
        values = (
            one.model,
            one.system,
            one.preset,
            f"{one.n_parameters:,}",
            *(f"{one.reconstruction[style]:.4f}" for style in styles),
            f"**{one.mean:.4f}**",
            of_the_published(one, known),
            f"{one.latent:.4f}",
            f"{PAPER_LOSSES[one.system]:.5f}" if one.model.startswith(PUBLISHED) else "",
        )
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines)


def of_the_published(one: Row, published: Sequence[Row]) -> str:
    """A model's error and parameters in those of the best published weights of its system."""
    if not published:
        return ""
    best = min(published, key=lambda other: other.mean)
    error, size = one.mean / best.mean, one.n_parameters / best.n_parameters
    return f"{error:.3f}x, with {size:.3g}x the parameters"


def counted(corpus: Corpus, style: str, splits: Sequence[str]) -> str:
    """How much of one style is scored."""
    n_recordings = sum(len(corpus.of(style, split)) for split in splits)
    n_segments = sum(corpus.n_segments(style, split) for split in splits)
    return f"{n_recordings} of {style} ({n_segments} segments)"


def main(corpus_path: str, /, *models: tyro.conf.Positional[str], all: bool = False) -> None:
    corpus, splits = Corpus.open(Path(corpus_path)), SPLITS if all else (TEST,)
    rows = [row(name, corpus, splits) for name in models]
    moving = [name for name, one in zip(models, rows, strict=True) if MOVING in one.preset]
    rows += [row(name, corpus, splits, updating=True) for name in moving]
    counts = ", ".join(counted(corpus, style, splits) for style in corpus.styles)
    versions = ", ".join(f"{name} {version}" for name, version in checkpoint.versions().items())
    print(HEAD.format(recordings=counts, versions=versions))
    print(table(rows, corpus))


HEAD = """# Results: self-reconstruction

Made by `python recipes/score.py CORPUS MODEL... > docs/results.md`, on the test recordings (with
`--all` on every recording) of a corpus: {recordings}. No part of them was trained on.

- *eq. 1* is the mean absolute error of the self-reconstruction in normalised mels. Each model of
  ours is given mels with its own statistics, those of its training data. The published networks
  come without statistics: they are given mels with this corpus's.
- *of the published* compares it with the author's published network for the same system, on the
  same recordings (the best one where several are there, with either AdaIN), and their numbers of
  parameters. Ours were trained in the domain that they are tested on; the published ones on real
  recordings.
- *adain moving* is the AdaIN of the published code, by statistics that are stored: those rows are
  the published systems. In the rows *updating* the statistics go on moving with what is scored, as
  in the published code where it is not told that training is over. The rows with *instance* in
  their names have the paper's eq. 7, by each segment's own statistics, on the same weights, which
  were not trained so.
- *eq. 2* is how far a content code comes back changed through the other half. It is in units of
  the model's own code, so it can't be compared between models. GANs restyle with the mean style of
  their training data, the published with this corpus's, variational GANs with a drawn style.
- *the paper's eq. 1* is the number printed in the paper, on another corpus: not comparable.
- One training each, one seed. A small error says that a network keeps the music, not that it
  changes its style.

Versions: {versions}.
"""


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
