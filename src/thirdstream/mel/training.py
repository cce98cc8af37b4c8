"""Training a twin: a generator that yields one record a step.

Every random draw depends on the seed and on the number of the epoch or step alone, so that nothing
but these numbers has to be remembered.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from thirdstream.corpus import TRAIN, VALIDATION, Corpus, Pairs
from thirdstream.files import ThirdstreamError
from thirdstream.mel.system import MelSystem, build
from thirdstream.mel.twin import TwinConfig

if TYPE_CHECKING:
    from accelerate import Accelerator


class TrainingError(ThirdstreamError):
    """Training that cannot start or go on."""


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. Adam and 50 epochs are the paper's."""

    epochs: int = 50
    """Passes over the style with fewer segments."""
    batch_size: int = 16
    """Pairs a step, over all processes."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Of the learning rate; cosine goes down to zero at the last step."""
    seed: int = 0
    """Of the weights, the pairs and the noise."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """For GPUs."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not self.lr > 0:
            raise TrainingError(f"epochs, batch size and lr must be positive (got {self})")

    def lr_at(self, share: float) -> float:
        """The learning rate when `share` (0 to 1) of all steps is done."""
        return (
            self.lr
            if self.schedule == "constant"
            else self.lr * (1 + math.cos(math.pi * share)) / 2
        )


@dataclass(frozen=True)
class Step:
    """One training step, numbered from 1; `validation` only on the last step of an epoch."""

    step: int
    n_steps: int
    epoch: int
    losses: Mapping[str, float]
    validation: Mapping[str, float] | None = None


@dataclass
class State:
    """What changes during training. sums: of each loss over the steps of the running epoch."""

    system: MelSystem
    optimizer: torch.optim.Adam
    step: int = 0
    best: float = math.inf
    sums: dict[str, float] = field(default_factory=dict)


def begin(name: str, network: TwinConfig, corpus: Corpus, config: TrainingConfig) -> State:
    """The state before the first step: weights drawn from the seed, statistics of the corpus."""
    torch.manual_seed(config.seed)
    system = build(name, corpus.styles, network, corpus.mel)
    system.set_statistics(corpus.statistics)
    system.card["training"] = asdict(config)
    return with_optimizer(system, config)


def with_optimizer(system: MelSystem, config: TrainingConfig) -> State:
    """The state of a system that has taken no step."""
    return State(system, torch.optim.Adam(system.twin.parameters(), lr=config.lr))


def steps_per_epoch(corpus: Corpus, config: TrainingConfig) -> int:
    """Whole batches an epoch. Raises TrainingError if the corpus has not even one."""
    n_segments = {style: corpus.n_segments(style, TRAIN) for style in corpus.styles}
    if min(n_segments.values()) < config.batch_size:
        have = ", ".join(f"{count} of {style}" for style, count in n_segments.items())
        raise TrainingError(
            f"{corpus.path}: has too few training segments ({have}) for batches of "
            f"{config.batch_size}; add recordings, or lower --batch-size"
        )
    return min(n_segments.values()) // config.batch_size


def fit(
    state: State, corpus: Corpus, config: TrainingConfig, accelerator: "Accelerator"
) -> Iterator[Step]:
    """Train from where `state` is to the last epoch, yielding after every step.

    Raises TrainingError at the first loss or gradient that is not finite, before it reaches the
    weights, and if the corpus is too small.
    """
    per_epoch = steps_per_epoch(corpus, config)
    n_steps = config.epochs * per_epoch
    system = state.system.to(accelerator.device)
    twin, optimizer = accelerator.prepare(system.twin, state.optimizer)
    while state.step < n_steps:
        epoch, first = divmod(state.step, per_epoch)
        pairs = Pairs(corpus, TRAIN, seed=config.seed, epoch=epoch)
        left = range(first * config.batch_size, per_epoch * config.batch_size)
        loader = accelerator.prepare(DataLoader(pairs, config.batch_size, sampler=left))  # type: ignore[arg-type]
        twin.train()
        for batch in loader:
            torch.manual_seed(config.seed * 1_000_003 + state.step)
            for group in optimizer.param_groups:
                group["lr"] = config.lr_at(state.step / n_steps)
            losses = twin(_normalised(system, batch))
            total = system.twin.total(losses)
            optimizer.zero_grad()
            accelerator.backward(total)
            norm = accelerator.clip_grad_norm_(twin.parameters(), math.inf)
            scaled = config.mixed_precision == "fp16"  # there the scaler skips what overflows
            _check_finite(losses, None if scaled else norm, step=state.step + 1)
            optimizer.step()
            state.step += 1
            record = {name: loss.item() for name, loss in losses.items()}
            state.sums = {name: state.sums.get(name, 0.0) + loss for name, loss in record.items()}
            last = state.step % per_epoch == 0
            scores = validate(system, corpus, config) if last else None
            yield Step(state.step, n_steps, epoch + 1, record, scores)


def _normalised(system: MelSystem, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        return {style: system.log_mel(style).normalise(power) for style, power in batch.items()}


def _check_finite(losses: Mapping[str, Tensor], norm: Tensor | None, *, step: int) -> None:
    bad = [name for name, loss in losses.items() if not torch.isfinite(loss)]
    if norm is not None and not torch.isfinite(norm):
        bad.append("gradient")
    if bad:
        raise TrainingError(
            f"training stopped at step {step}: {' and '.join(bad)} not finite. The last good model "
            "is kept; start again with a lower --lr, or check the corpus for damaged recordings"
        )


@torch.no_grad()
def validate(system: MelSystem, corpus: Corpus, config: TrainingConfig) -> dict[str, float]:
    """Every loss, averaged over fixed pairs of the validation split; empty if it has none."""
    pairs = Pairs(corpus, VALIDATION, seed=0)
    sums: dict[str, float] = {}
    system.twin.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for batch in DataLoader(pairs, config.batch_size):
            on_device = {style: power.to(system.device) for style, power in batch.items()}
            n = len(next(iter(batch.values())))
            for name, loss in system.twin.losses(_normalised(system, on_device)).items():
                sums[name] = sums.get(name, 0.0) + loss.item() * n / len(pairs)
    system.twin.train()
    return sums
