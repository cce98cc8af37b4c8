"""Which slip of the published code moves its results, and by how much.

    python recipes/slips.py CORPUS OUT [--seeds SEED...] [--epochs N] [--batch-size N] \
      [--scale SHARE] [--only SLIP...]

Trains each system as the paper has it and with one slip of the published code at a time, with the
same recordings, seeds and steps, and measures both on the test recordings. OUT gets a run folder
SYSTEM-seedN or SYSTEM+SLIP-seedN for each training; what is there already is not trained again, as
of runs/ that `thirdstream reproduce` made of the same. The table is printed.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray

from thirdstream.data.corpus import TEST, TRAIN, Corpus, Recording
from thirdstream.files import read_json, write_json
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import load
from thirdstream.mel.training.loop import TrainingConfig, begin
from thirdstream.mel.training.run import load_state, train
from thirdstream.research import measuring
from thirdstream.research.runs import LAST, RESUME
from thirdstream.research.share import Part, part_of

SEGMENTS = "segments"  # the slip that is none of a model
N_SEGMENTS = 200  # of each style, that a model is measured on
HELD_OUT = 10  # every tenth segment, where segments are split instead of recordings


class Slip(NamedTuple):
    """A setting of a system that the published code has and the paper has not."""

    system: str
    about: str
    change: Mapping[str, Any]


SLIPS = {
    "latent-pairs": Slip(
        "twin-cnn", "the latent loss compares codes of the two styles", {"latent_pairs": "styles"}
    ),
    "sigma": Slip("twin-vae", "exp without the 1/2, one draw a batch", {"sigma": "published"}),
    "style-losses": Slip(
        "twin-gan", "the style loss leaves out classical", {"style_losses": "second"}
    ),
    "adain": Slip(
        "twin-variational-gan", "AdaIN by stored statistics, which are trained", {"adain": "moving"}
    ),
}
MEASURES = {"level_db": "level (dB)", "audible_ratio": "area", "correlation_gain": "correlation"}


@dataclass(frozen=True)
class How:
    """How much to train."""

    corpus: Path
    out: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 50
    batch_size: int = 32
    scale: float = 1.0
    only: tuple[str, ...] = (*SLIPS, SEGMENTS)


class BySegment(Part):
    """A part whose training recordings are split by segment: every tenth is for testing."""

    @classmethod
    def of_part(cls, part: Part) -> "BySegment":
        """Of the training recordings of a part."""
        own = [one for one in part.recordings if one.split == TRAIN]
        held = {one.features: len(range(0, one.n_segments, HELD_OUT)) for one in own}
        train = [replace(one, n_segments=one.n_segments - held[one.features]) for one in own]
        test = [replace(one, split=TEST, n_segments=held[one.features]) for one in own]
        used = [one for one in [*train, *test] if one.n_segments]
        return cls(part.path, part.mel, part.statistics, used, (), part.lengths)

    def features(self, recording: Recording) -> NDArray[np.float16]:
        """Those of the recording's split."""
        total = recording.n_segments
        for one in self.recordings:
            if one.features == recording.features and one.split != recording.split:
                total += one.n_segments
        whole = super().features(replace(recording, n_segments=total))
        held = np.arange(total) % HELD_OUT == 0
        return whole[held if recording.split == TEST else ~held]


def measured(name: str, config: Any, part: Part, how: How, seed: int) -> dict[str, Any]:
    """What `measuring.measure` says of the last epoch of a training, which is run if it was not."""
    system, _, _ = name.partition("+")
    folder = how.out / f"{name}-seed{seed}"
    kept = folder / "measures.json"
    if kept.is_file():
        return read_json(kept, kind="measurement")
    training = TrainingConfig(epochs=how.epochs, batch_size=how.batch_size, seed=seed)
    resumed = (folder / RESUME).is_file()
    state = load_state(folder)[0] if resumed else begin(system, config, part, training)
    for step in train(state, part, training, folder):
        if step.validation is not None:
            print(f"{folder.name}: epoch {step.epoch}", file=sys.stderr)
    trained = load(folder / LAST)
    found = measuring.measure(trained, part, n_segments=N_SEGMENTS, seed=seed)
    write_json(kept, found)
    return found


def compared(how: How) -> Iterator[list[str]]:
    """The rows of the table: each slip beside the paper's own."""
    part = part_of(Corpus.open(how.corpus), scale=how.scale, at_least=how.batch_size)
    for name in how.only:
        about, change = "split by segment, not by recording", {}
        system, trained_on = "twin-cnn", part
        if name == SEGMENTS:
            trained_on = BySegment.of_part(part)
        else:
            system, about, change = SLIPS[name]
        config = FAMILIES[system].kind.PRESETS["paper"]
        paper = [measured(system, config, part, how, seed) for seed in how.seeds]
        slipped = replace(config, **change)
        found = [measured(f"{system}+{name}", slipped, trained_on, how, seed) for seed in how.seeds]
        yield row("as in the paper", system, paper, paper)
        yield row(about, system, found, paper)


def row(
    about: str, system: str, found: Sequence[Mapping[str, Any]], paper: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Eq. 1, its difference from the paper's own by seed, and the measures of transfers."""
    own, other = eq_1(found), eq_1(paper)
    moved = "" if found is paper else spread(own - other, 4, signed=True)
    cells = [system, about, spread(own, 4), moved]
    for name in MEASURES:
        values = [[way[name]["mean"] for way in one["transfers"].values()] for one in found]
        cells.append(spread(np.array(values, dtype=np.float64).mean(axis=1), 2))
    return cells


def eq_1(found: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """(n_seeds,), averaged over the styles."""
    by_style = [list(one["reconstruction"].values()) for one in found]
    return np.array(by_style, dtype=np.float64).mean(axis=1)


def spread(values: NDArray[np.float64], digits: int, *, signed: bool = False) -> str:
    """Mean and, of several seeds, the range."""
    mean, low, high = (
        f"{value:{'+' if signed else ''}.{digits}f}"
        for value in (values.mean(), values.min(), values.max())
    )
    return f"{mean} [{low}, {high}]" if len(values) > 1 else mean


def main() -> None:
    how = tyro.cli(How, config=(tyro.conf.PositionalRequiredArgs,))
    head = ["system", "", "eq. 1", "difference", *MEASURES.values()]
    print("\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head)]))
    for cells in compared(how):
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
