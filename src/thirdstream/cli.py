"""The commands. Each function is one; its signature and docstring are its --help."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from thirdstream import checkpoint, corpus, systems
from thirdstream.corpus import Corpus, Recording, Skipped
from thirdstream.files import ThirdstreamError
from thirdstream.mel import TWINS, training
from thirdstream.mel.blocks import Norm
from thirdstream.mel.training import Interrupted, TrainingConfig
from thirdstream.mel.twin import TwinConfig
from thirdstream.transfer import Options, Phase, plan, transfer_files

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)


class Failed(Exception):
    """Part of the work failed and has been reported; the exit code is 1."""


def progress_bar() -> Progress:
    """A bar on standard error: what, how many, how much longer."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=ERR,
    )


def prepare(
    sources: Annotated[tuple[str, ...], tyro.conf.Positional],
    /,
    *,
    out: Path,
    n_jobs: int = -1,
    seed: int = 0,
) -> None:
    """Make a training corpus of two folders of recordings.

    Example: thirdstream prepare classical=music/classical jazz=music/jazz --out corpus

    Run it again after an interruption or with more recordings: what is done is not done again.

    Args:
        sources: STYLE=FOLDER, twice. Instead of a folder: musicnet:FOLDER or fma:FOLDER for these
            collections as published (fma/GENRE:FOLDER for a genre that is not named as the style).
        out: folder of the corpus.
        n_jobs: recordings at a time; -1 is one a core.
        seed: of the split into training, validation and test recordings.
    """
    found = corpus.find(sources)
    skipped: list[Skipped] = []
    with progress_bar() as bar:
        task = bar.add_task("preparing", total=len(found))
        for outcome in corpus.prepare(found, out, n_jobs=n_jobs, seed=seed):
            if isinstance(outcome, Recording) or not outcome.reason.startswith("the same"):
                bar.advance(task)
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
    for one in skipped:
        ERR.print(f"skipped {one.path}: {one.reason}", soft_wrap=True, markup=False)
    _print_corpus(Corpus.open(out))
    n_faults = sum(one.fault for one in skipped)
    if n_faults:
        raise Failed(f"{n_faults} of {len(found)} files could not be used; {out} holds the others")


def _print_corpus(opened: Corpus) -> None:
    table = Table(title=str(opened.path), title_justify="left")
    for heading in ("style", "split", "recordings", "segments", "hours"):
        table.add_column(heading, justify="left" if heading in ("style", "split") else "right")
    for style, splits in opened.summary().items():
        for split, row in splits.items():
            counts = f"{row['recordings']:.0f}", f"{row['segments']:.0f}", f"{row['hours']:.2f}"
            table.add_row(style, split, *counts)
    OUT.print(table)


@dataclasses.dataclass(frozen=True)
class Network:
    """Changes to the preset's network; what is not given is as in the preset."""

    channels: tuple[int, ...] | None = None
    """Of each encoder block; between blocks both axes are halved."""
    latent_channels: int | None = None
    """Of the code; the paper's code has 4."""
    kernel_size: int | None = None
    """Of all convolutions, odd."""
    n_convs: int | None = None
    """Convolutions a block."""
    norm: Norm | None = None
    """Normalisation after each convolution."""
    patch: int | None = None
    """Fold patch x patch points of the mel into channels first."""

    def changed(self, preset: TwinConfig) -> TwinConfig:
        """The preset with these changes. Raises ThirdstreamError if they make no sense."""
        given = {key: value for key, value in vars(self).items() if value is not None}
        try:
            return dataclasses.replace(preset, **given)
        except ValueError as error:
            raise ThirdstreamError(str(error)) from error


def train(
    system: Annotated[str, tyro.conf.Positional],
    /,
    *,
    corpus: Path,
    out: Path,
    preset: str = "default",
    resume: bool = False,
    training: tyro.conf.OmitArgPrefixes[TrainingConfig] = TrainingConfig(),  # noqa: B008
    network: tyro.conf.OmitArgPrefixes[Network] = Network(),  # noqa: B008
) -> None:
    """Train a system on a prepared corpus.

    Example: thirdstream train twin-cnn --corpus corpus --out run --epochs 50 --batch-size 16

    Ctrl-C saves everything; --resume goes on exactly where it stopped, with the settings the run
    was begun with. Watch it with: tensorboard --logdir run

    Args:
        system: which one; `thirdstream systems` lists them.
        corpus: folder that `thirdstream prepare` made.
        out: folder of the run; its best model is best.safetensors.
        preset: size of the network and weights of the losses: default, or paper, as published.
        resume: go on with the run in --out.
        training: how long and how fast.
        network: changes to the preset.
    """
    state, config = _state(system, corpus, out, preset, resume, training, network)
    opened = Corpus.open(corpus)
    with progress_bar() as bar:
        task = bar.add_task(f"training {system}", total=None, completed=state.step)
        for step in globals()["training"].train(state, opened, config, out):
            losses = ", ".join(f"{name} {loss:.4f}" for name, loss in step.losses.items())
            description = f"epoch {step.epoch}/{config.epochs}  {losses}"
            bar.update(task, total=step.n_steps, completed=step.step, description=description)
            if step.validation:
                scores = ", ".join(f"{name} {loss:.5f}" for name, loss in step.validation.items())
                bar.console.print(f"epoch {step.epoch}: validation {scores}")
    OUT.print(f"the best model is {out / 'best.safetensors'}", soft_wrap=True, markup=False)
