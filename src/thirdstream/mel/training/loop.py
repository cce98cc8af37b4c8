"""Training a model: a generator that yields one record a step.

Every random draw depends on the seed and on the number of the epoch or step alone, so that nothing
but these numbers has to be remembered.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from thirdstream.data.corpus import ALIGNED, TRAIN, VALIDATION, Corpus, Pairs
from thirdstream.files import ThirdstreamError
from thirdstream.mel.models.model import Batch, MelModel, Mels, Player, weighted_sum
from thirdstream.mel.system import MelSystem, build

if TYPE_CHECKING:
    from accelerate import Accelerator


class TrainingError(ThirdstreamError):
    """Training that cannot start or go on."""


EARLY = 100  # steps in which transfers may be alike: every training begins so


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. Adam and 50 epochs are the paper's."""

    epochs: int = 50
    """Passes over the style with fewer segments."""
    cpu_hours: float | None = None
    """End with the epoch in which so many hours of processor time are reached, all parts of an
    interrupted run together (two busy cores take two hours of it an hour); by default there is no
    such end. For comparisons under one budget."""
    batch_size: int = 16
    """Pairs a step, over all processes."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Of the learning rate; cosine goes down to zero at the last step."""
    seed: int = 0
    """Of the weights, the pairs and the noise."""
    ema: float = 0.0
    """Keep a moving average of the weights, which changes by 1 - EMA a step, and validate and
    save that; 0: the weights themselves. 0.999 suits a thousand steps or more."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """For GPUs."""
    compile: bool = False
    """Compile the network first (torch.compile; on a processor it needs a C++ compiler): minutes
    that only long trainings give back."""

    def __post_init__(self) -> None:
        hours = 1.0 if self.cpu_hours is None else self.cpu_hours
        for name, value, holds, allowed in (
            ("epochs", self.epochs, self.epochs >= 1, "1 or more"),
            ("batch-size", self.batch_size, self.batch_size >= 1, "1 or more"),
            ("lr", self.lr, 0 < self.lr < math.inf, "a number above 0"),
            ("cpu-hours", hours, 0 < hours < math.inf, "a number above 0"),
            ("ema", self.ema, 0 <= self.ema < 1, "at least 0 and less than 1"),
        ):
            if not holds:
                raise TrainingError(f"--{name} must be {allowed} (got {value:g}); choose another")

    def lr_at(self, share: float) -> float:
        """The learning rate when `share` (0 to 1) of all steps is done."""
        if self.schedule == "constant":
            return self.lr
        return self.lr * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Step:
    """One training step, numbered from 1; the rest only on the last step of an epoch.

    validation: losses. diversity: of the transfers of the last batch. alarm: a sentence, if
    training has failed (see `MelModel.alarm`); none in the first EARLY steps.
    """

    step: int
    n_steps: int
    epoch: int
    losses: Mapping[str, float]
    validation: Mapping[str, float] | None = None
    diversity: float | None = None
    alarm: str | None = None


@dataclass
class State:
    """What changes during training.

    optimizers: of the model's players (see `MelModel.players`). averaged: holds the system with
    the moving average of the weights. sums, counts: of each loss over the steps of the running
    epoch, and how many there were. cpu_s: processor time of all steps, in seconds.
    """

    system: MelSystem
    optimizers: dict[str, torch.optim.Adam]
    averaged: AveragedModel | None = None
    step: int = 0
    best: float = math.inf
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0

    def add(self, losses: Mapping[str, float]) -> None:
        """Count the losses of a step, which may lack those of a player that took none."""
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + loss
            self.counts[name] = self.counts.get(name, 0) + 1

    @property
    def means(self) -> dict[str, float]:
        """Of each loss over the steps of the running epoch."""
        return {name: total / self.counts[name] for name, total in self.sums.items()}

    @property
    def shown(self) -> MelSystem:
        """The system to validate and to save."""
        return self.system if self.averaged is None else cast(MelSystem, self.averaged.module)


def begin(name: str, network: Any, corpus: Corpus, config: TrainingConfig) -> State:
    """The state before the first step: weights drawn from the seed, statistics of the corpus.

    network: the family's configuration.
    """
    torch.manual_seed(config.seed)
    system = build(name, corpus.styles, network, corpus.mel)
    system.set_statistics(corpus.statistics)
    system.card["training"] = asdict(config)
    system.model.initialise(lambda n: some(system, corpus, n, config))
    return with_optimizers(system, config)


def some(
    system: MelSystem, corpus: Corpus, n: int, config: TrainingConfig
) -> Iterator[dict[str, Tensor]]:
    """Normalised mels of `n` random training segments of each style, or of all, in batches."""
    pairs = Pairs(corpus, TRAIN, seed=config.seed)
    loader = DataLoader(pairs, config.batch_size, sampler=range(min(n, len(pairs))))
    return (_normalised(system, _moved(batch, system)) for batch in loader)


def begin_with(model: MelSystem, corpus: Corpus, config: TrainingConfig) -> State:
    """As `begin`, but with the weights of a trained model, which is not changed.

    The processor time of its training counts as the new one's.
    """
    state = begin(model.name, model.model.config, corpus, config)
    state.system.model.load_state_dict(model.model.state_dict())
    state.system.card["began_with"] = model.card
    begun = with_optimizers(state.system, config)  # the average starts from these weights too
    begun.cpu_s = model.training_s() or 0.0
    return begun


@contextmanager
def compiling_in(folder: Path) -> Iterator[None]:
    """Within it, what torch's compiler keeps lies in `folder`, which goes at the end.

    By itself it leaves code and headers in the temporary folder, and an empty folder there when
    the first optimiser is made.
    """
    name, default = "TORCHINDUCTOR_CACHE_DIR", tempfile.tempdir
    before = os.environ.get(name)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[name] = tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = default
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
        shutil.rmtree(folder, ignore_errors=True)


def with_optimizers(system: MelSystem, config: TrainingConfig) -> State:
    """The state of a system that has taken no step."""
    with compiling_in(Path(tempfile.mkdtemp())):
        optimizers = {
            # Its epsilon is torch's 1e-8; the published code has TensorFlow's, 1e-7.
            name: torch.optim.Adam(
                player.parameters,
                lr=config.lr * player.lr_scale,
                betas=player.betas,
                weight_decay=player.weight_decay,
            )
            for name, player in system.model.players().items()
        }
    average = get_ema_multi_avg_fn(config.ema) if config.ema else None
    averaged = AveragedModel(system, multi_avg_fn=average) if average else None
    return State(system, optimizers, averaged)


def steps_per_epoch(model: MelModel, corpus: Corpus, config: TrainingConfig) -> int:
    """Whole batches an epoch.

    Raises ThirdstreamError if the corpus has not even one, or lacks what the model learns from.
    """
    n_pairs = len(cast(Sized, model.training_set(corpus, TRAIN)))
    if n_pairs < config.batch_size:
        n_segments = {style: corpus.n_segments(style, TRAIN) for style in corpus.styles}
        have = ", ".join(f"{count} of {style}" for style, count in n_segments.items())
        raise TrainingError(
            f"{corpus.path}: has too few training segments ({have}) for batches of "
            f"{config.batch_size}; add recordings, or lower --batch-size"
        )
    return n_pairs // config.batch_size


def fit(
    state: State, corpus: Corpus, config: TrainingConfig, accelerator: "Accelerator"
) -> Iterator[Step]:
    """Train from where `state` is to the last epoch, yielding after every step.

    Raises TrainingError at the first loss or gradient that is not finite, before it reaches the
    weights, and if the corpus is too small.
    """
    per_epoch = steps_per_epoch(state.system.model, corpus, config)
    n_steps = config.epochs * per_epoch
    system = state.system.to(accelerator.device)
    model, players = _prepared(system.model, config, accelerator), system.model.players()
    optimizers = {name: accelerator.prepare(one) for name, one in state.optimizers.items()}
    since_s = process_time()
    while state.step < n_steps:
        epoch = state.step // per_epoch
        model.train()
        for powers in _left_of_epoch(state, corpus, config, accelerator, per_epoch):
            torch.manual_seed(_seed(config, state, accelerator))
            lr, batch = config.lr_at(state.step / n_steps), batch_of(system, powers)
            record: dict[str, float] = {}
            for name, optimizer in optimizers.items():
                if state.step % players[name].every:
                    continue
                losses = model(batch, name)
                total = weighted_sum(losses, system.model.loss_weights(name))
                _take_step(optimizer, total, losses, players[name], lr, accelerator, state.step + 1)
                record |= {loss: value.item() for loss, value in losses.items()}
            if state.averaged is not None:
                state.averaged.update_parameters(system)
            record = _of_all(record, accelerator)
            state.step += 1
            state.add(record)
            step = Step(state.step, n_steps, epoch + 1, record)
            if state.step % per_epoch == 0:
                step = _ended(step, state, corpus, config, batch)
            state.cpu_s, since_s = state.cpu_s + process_time() - since_s, process_time()
            yield step


def _left_of_epoch(
    state: State,
    corpus: Corpus,
    config: TrainingConfig,
    accelerator: "Accelerator",
    per_epoch: int,
) -> Iterator[dict[str, Tensor]]:
    """Mel power of the batches that are left of the epoch in which the state is."""
    epoch, first = divmod(state.step, per_epoch)
    pairs = state.system.model.training_set(corpus, TRAIN, seed=config.seed, epoch=epoch)
    left = range(first * config.batch_size, per_epoch * config.batch_size)
    loader = accelerator.prepare(DataLoader(pairs, config.batch_size, sampler=left))  # type: ignore[arg-type]
    yield from loader
    accelerator._dataloaders.remove(loader)  # it would keep every epoch's order of pairs


def _prepared(model: MelModel, config: TrainingConfig, accelerator: "Accelerator") -> Any:
    """The model as training calls it: prepared as for evaluation, see `_average_gradients`."""
    ready = accelerator.prepare_model(model, evaluation_mode=True)
    if not config.compile:
        return ready
    for method in model.EAGER:
        setattr(model, method, torch.compiler.disable(getattr(model, method)))
    return torch.compile(ready)


def _seed(config: TrainingConfig, state: State, accelerator: "Accelerator") -> int:
    """Of the noise of a step, in which each process has its own."""
    return config.seed * 1_000_003 + state.step + accelerator.process_index * 999_983


def _of_all(record: dict[str, float], accelerator: "Accelerator") -> dict[str, float]:
    """Losses of the whole batch: the mean over processes, whose shares are equally large."""
    if accelerator.num_processes == 1:
        return record
    own = torch.tensor(list(record.values()), device=accelerator.device)
    means: Any = accelerator.reduce(own, "mean")
    return dict(zip(record, means.tolist(), strict=True))


def _average_gradients(parameters: list[Tensor], accelerator: "Accelerator") -> None:
    """Give every process the gradients of the whole batch.

    Torch's DistributedDataParallel, which does so as gradients come, waits for those of all
    parameters; here players step in turn, so that it would let their copies drift apart.
    """
    if accelerator.num_processes == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    whole: Any = accelerator.reduce(torch.cat([one.flatten() for one in gradients]), "mean")
    parts = whole.split([one.numel() for one in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def _take_step(
    optimizer: Any,
    total: Any,
    losses: Mapping[str, Tensor],
    player: Player,
    lr: float,
    accelerator: "Accelerator",
    step: int,
) -> None:
    """A player's gradient step. Raises TrainingError if a loss or gradient is not finite."""
    optimizer.zero_grad()
    accelerator.backward(total)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    _average_gradients(parameters, accelerator)
    norm = accelerator.clip_grad_norm_(parameters, math.inf)
    scaled = accelerator.mixed_precision == "fp16"  # there the scaler skips what overflows
    _check_finite(losses, None if scaled else norm, step=step)
    if player.clip_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, player.clip_value)
    for group in optimizer.param_groups:
        group["lr"] = lr * player.lr_scale
    optimizer.step()


def _ended(step: Step, state: State, corpus: Corpus, config: TrainingConfig, batch: Batch) -> Step:
    """The epoch's last step, with what is known at its end."""
    shown = state.shown
    shown.model.end_epoch(lambda n: some(shown, corpus, n, config))
    spread = shown.model.diversity(batch)
    return replace(
        step,
        validation=validate(shown, corpus, config),
        diversity=spread,
        alarm=shown.model.alarm(state.means, spread) if state.step >= EARLY else None,
    )


def batch_of(system: MelSystem, powers: Mapping[str, Tensor], *, training: bool = True) -> Batch:
    """A batch of mel power, by style, as models get it. Only training augments."""
    own = {style: powers[style] for style in system.styles}
    mels = inputs = _normalised(system, own)
    if training:
        changed = {s: system.model.augment(power, system.mel) for s, power in own.items()}
        if any(changed[style] is not own[style] for style in own):
            inputs = _normalised(system, changed)
    return Batch(mels, inputs, powers.get(ALIGNED))


def _moved(batch: Mapping[str, Tensor], system: MelSystem) -> dict[str, Tensor]:
    """To where the system is."""
    return {style: power.to(system.device) for style, power in batch.items()}


def _normalised(system: MelSystem, batch: Mels) -> dict[str, Tensor]:
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
    pairs = system.model.training_set(corpus, VALIDATION)
    n_pairs, sums = len(cast(Sized, pairs)), {}
    training = system.training
    system.model.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for powers in DataLoader(pairs, config.batch_size):
            batch = batch_of(system, _moved(powers, system), training=False)
            n = len(batch.mels[system.styles[0]])
            for name, loss in system.model.validation_losses(batch).items():
                sums[name] = sums.get(name, 0.0) + loss.item() * n / n_pairs
    system.model.train(training)
    return sums
