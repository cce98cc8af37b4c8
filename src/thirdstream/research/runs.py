"""Trainings of several systems by several seeds, each in a run folder of its own, all resumable."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from thirdstream import checkpoint
from thirdstream.data.corpus import TRAIN
from thirdstream.files import Interrupted, ThirdstreamError, read_json, write_json
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import RECONSTRUCTION
from thirdstream.mel.training import history
from thirdstream.mel.training.loop import Step, TrainingConfig, TrainingError, begin
from thirdstream.mel.training.run import load_state, train
from thirdstream.records import record
from thirdstream.research.findings import PAPER_LOSSES
from thirdstream.research.share import Part

SYSTEMS = tuple(PAPER_LOSSES)
LAST, RESUME, FAILED = "last.safetensors", "resume.safetensors", "failed.json"  # of a run


@dataclass(frozen=True)
class How:
    """How much to do, and how to train. Where the paper leaves it open: as the published code."""

    seeds: int = 3
    """Trainings of each system, which differ in weights, pairs and noise."""
    epochs: int = 50
    """Of each training; the model of the last one counts."""
    batch_size: int = 32
    """Pairs a step."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    preset: str = "paper"
    """Of all four systems: paper is exactly the paper's, paper-stable the same with what keeps
    training from failing."""
    scale: float = 1.0
    """Share of the corpus's segments that is used; 0.05 is a twentieth."""
    published: Path | None = None
    """The author's repository with the published weights (results/*/model.*), which are measured
    too."""

    def check(self) -> None:
        """Raise ThirdstreamError where that cannot be."""
        if not 0 < self.scale <= 1:
            raise ThirdstreamError(f"--scale is above 0 and at most 1 (got {self.scale:g})")
        for name in ("seeds", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise ThirdstreamError(f"--{flag} is at least 1 (got {getattr(self, name)})")
        self.training(0)  # which checks what else it takes
        known = [set(FAMILIES[name].kind.PRESETS) for name in SYSTEMS]
        if self.preset not in (common := set.intersection(*known)):
            there = ", ".join(sorted(common))
            raise ThirdstreamError(f"there is no preset {self.preset!r} of all systems: {there}")

    def training(self, seed: int) -> TrainingConfig:
        """Of one run."""
        return TrainingConfig(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr, seed=seed)


class Progress(NamedTuple):
    """task: what is under way, done of total. now: more exactly. remark, alarm: something to say
    that stays."""

    task: str
    done: int
    total: int
    now: str
    remark: str | None = None
    alarm: str | None = None


@dataclass(frozen=True)
class Runs:
    """The run folders, below `out`."""

    part: Part
    how: How
    out: Path

    def folder(self, system: str, seed: int) -> Path:
        """Of one run."""
        return self.out / f"{system}-seed{seed}"

    def train_all(self, seed: int) -> Iterator[Progress]:
        """All four systems by one seed; one that fails is said, and keeps no other from it."""
        total = self.how.seeds * len(SYSTEMS) * self.n_steps
        for number, system in enumerate(SYSTEMS, start=seed * len(SYSTEMS)):
            name, before, warned = f"{system}, seed {seed}", number * self.n_steps, False
            for step in self._steps(system, seed):
                now = f"training {name}: epoch {step.epoch}/{self.how.epochs}"
                alarm = f"{name}, epoch {step.epoch}: {step.alarm}" if step.alarm else None
                told = None if warned else alarm  # once: most go on to the end
                yield Progress("training", before + step.step, total, now, alarm=told)
                warned = warned or alarm is not None
            after, said = before + self.n_steps, f"trained {name}"
            if fault := self.fault_of(system, seed):
                yield Progress("training", after, total, said, alarm=f"{name}: {fault}")
            else:
                score = self.validation(system, seed)
                error = "not known, for want of recordings" if score is None else f"{score:.5f}"
                remark = f"{name}: trained; eq. 1 on validation recordings: {error}"
                yield Progress("training", after, total, said, remark)

    @property
    def n_steps(self) -> int:
        """Of one run."""
        n_pairs = min(self.part.n_segments(style, TRAIN) for style in self.part.styles)
        return self.how.epochs * (n_pairs // self.how.batch_size)

    def _steps(self, system: str, seed: int) -> Iterator[Step]:
        """Those that are left of a run."""
        folder, config = self.folder(system, seed), self.how.training(seed)
        if self.is_finished(system, seed):
            return
        if (folder / RESUME).is_file():
            state, _ = load_state(folder)
        else:
            state = begin(system, self.network(system), self.part, config)
        try:
            yield from train(state, self.part, config, folder)
        except Interrupted:
            raise Interrupted(
                f"stopped in {folder.name} after step {state.step} of {self.n_steps}; all is "
                "saved. Run the same command again to go on"
            ) from None
        except TrainingError as error:
            if not state.step:  # it did not begin
                raise
            self.give_up(system, seed, error)

    def give_up(self, system: str, seed: int, error: Exception) -> None:
        """Note that a run failed: with the same settings it always does."""
        write_json(self.folder(system, seed) / FAILED, {"fault": str(error)})

    def fault_of(self, system: str, seed: int) -> str | None:
        """Why a run failed; None where it did not."""
        path = self.folder(system, seed) / FAILED
        return read_json(path, kind="note of a failed run")["fault"] if path.is_file() else None

    def good_seeds(self, system: str, n_seeds: int) -> list[int]:
        """Those of the first so many by which a system could be trained."""
        return [seed for seed in range(n_seeds) if self.fault_of(system, seed) is None]

    def network(self, system: str) -> Any:
        """The configuration that the preset says."""
        return FAMILIES[system].kind.PRESETS[self.how.preset]

    def is_done(self, seed: int) -> bool:
        """Whether all systems are trained by a seed."""
        return all(self.is_finished(system, seed) for system in SYSTEMS)

    def is_finished(self, system: str, seed: int) -> bool:
        """Whether a run is. Raises ThirdstreamError where it was begun otherwise."""
        folder = self.folder(system, seed)
        if not (folder / RESUME).is_file():
            return False
        header = checkpoint.read_header(folder / RESUME)
        wanted = self.network(system), self.how.training(seed)
        began = header.get("config"), header.get("training")
        if not all(_is_of(one, value) for one, value in zip(wanted, began, strict=True)):
            raise ThirdstreamError(
                f"{folder}: was begun by another version, or with other settings; delete the folder"
            )
        ended = header["step"] >= self.n_steps and (folder / LAST).is_file()
        return ended or (folder / FAILED).is_file()

    def validation(self, system: str, seed: int) -> float | None:
        """Eq. 1 of the last epoch; None without validation recordings."""
        epochs = history.read(self.folder(system, seed) / history.NAME)
        return (epochs[-1].validation or {}).get(RECONSTRUCTION)


def _is_of(settings: Any, content: Any) -> bool:
    """Whether a header's content is of these settings; what it lacks is as by default."""
    try:
        return record(type(settings), content) == settings
    except ValueError:
        return False
