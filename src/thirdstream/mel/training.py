"""Training a twin: a generator that yields one record a step, and a run folder around it.

A run folder holds last.safetensors and best.safetensors (models, ready to use), resume.safetensors
(everything needed to go on bit for bit), history.jsonl (a line an epoch) and TensorBoard's logs.
Every random draw depends on the seed and on the number of the epoch or step alone, so that nothing
but these numbers has to be remembered.
"""

import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from thirdstream import checkpoint
from thirdstream.corpus import TRAIN, VALIDATION, Corpus, Pairs
from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.mel.system import MelSystem, build, rebuild
from thirdstream.mel.twin import RECONSTRUCTION, TwinConfig

if TYPE_CHECKING:
    from accelerate import Accelerator

SAVE_EVERY_S = 300.0  # seconds between saves within an epoch


class TrainingError(ThirdstreamError):
    """Training that cannot start or go on."""


class Interrupted(ThirdstreamError):
    """Training was stopped by the user; everything is saved."""


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
    return _state(system, config)


def _state(system: MelSystem, config: TrainingConfig) -> State:
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


# --- the run folder -----------------------------------------------------------------------------


def train(state: State, corpus: Corpus, config: TrainingConfig, out: Path) -> Iterator[Step]:
    """Train in the run folder `out`, saving as it goes; yields what `fit` yields.

    On Ctrl-C the running step is finished and saved, then Interrupted is raised. Raises
    TrainingError as `fit` does, and if the packages of the extra `train` are missing.
    """
    accelerator = _accelerator(out, config, state)
    per_epoch = steps_per_epoch(corpus, config)
    saved_at = time.monotonic()
    with interruptible() as interrupted:
        for step in fit(state, corpus, config, accelerator):
            accelerator.log({f"train/{k}": v for k, v in step.losses.items()}, step=step.step)
            if step.validation is not None and accelerator.is_main_process:
                _end_epoch(state, step, corpus, out, per_epoch)
                _log_epoch(accelerator, state.system, step, corpus)
            due = step.validation is not None or time.monotonic() - saved_at > SAVE_EVERY_S
            if due and accelerator.is_main_process:
                save_state(state, config, out)
                saved_at = time.monotonic()
            yield step
            if interrupted.is_set() and step.step < step.n_steps:
                if accelerator.is_main_process:
                    save_state(state, config, out)
                raise Interrupted(
                    f"stopped after step {step.step} of {step.n_steps}; all is saved. "
                    f"To go on: thirdstream train {state.system.name} --corpus {corpus.path} "
                    f"--out {out} --resume"
                )
    accelerator.end_training()


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Within it, the first Ctrl-C only sets the event that is yielded; a second one interrupts."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


def _accelerator(out: Path, config: TrainingConfig, state: State) -> "Accelerator":
    try:
        import tensorboard  # noqa: F401  # what logs through accelerate
        from accelerate import Accelerator
        from accelerate.utils import DataLoaderConfiguration
    except ImportError as error:
        raise TrainingError(
            f"training needs {error.name}; install it with: pip install 'thirdstream[train]'"
        ) from error
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        dataloader_config=DataLoaderConfiguration(split_batches=True),
        log_with="tensorboard",
        project_dir=out,
    )
    options = {"purge_step": state.step + 1}  # a resumed run replaces what it does again
    accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": options})
    return accelerator


def _end_epoch(state: State, step: Step, corpus: Corpus, out: Path, per_epoch: int) -> None:
    """Write the epoch's line of history and its models."""
    means = {name: value / per_epoch for name, value in state.sums.items()}
    state.sums = {}
    score = (step.validation or means)[RECONSTRUCTION]
    row = {"epoch": step.epoch, "step": step.step, "train": means, "validation": step.validation}
    _append_history(out, row)
    state.system.card |= {"corpus": corpus.summary(), **row}
    state.system.save(out / "last.safetensors")
    if score < state.best:
        state.best = score
        state.system.save(out / "best.safetensors")


def _append_history(out: Path, row: Mapping[str, Any]) -> None:
    path = out / "history.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if json.loads(line)["epoch"] < row["epoch"]]
    with whole_file(path) as temporary:
        temporary.write_text("\n".join([*kept, json.dumps(row)]) + "\n", encoding="utf-8")


def _log_epoch(accelerator: "Accelerator", system: MelSystem, step: Step, corpus: Corpus) -> None:
    """TensorBoard: validation losses, and for one pair its mels and the sound of its transfers."""
    accelerator.log(
        {f"validation/{k}": v for k, v in (step.validation or {}).items()}, step=step.step
    )
    writer: Any = accelerator.get_tracker("tensorboard", unwrap=True)  # a SummaryWriter
    split = VALIDATION if step.validation else TRAIN
    generator = torch.Generator().manual_seed(0)
    for style, power in Pairs(corpus, split, seed=0)[0].items():
        other = system.twin.other(style)
        with torch.no_grad():
            batch = power[None].to(system.device)
            rows = {"original": batch} | {
                f"to {target}": system.convert(batch, source=style, target=target)
                for target in (style, other)
            }
            sound = system.synthesiser(rows[f"to {other}"], generator=generator)[0].cpu()
        mels = [system.log_mel(style).normalise(mel)[0].T.flip(0).cpu() for mel in rows.values()]
        picture = torch.cat(mels)[None].clamp(0, 6) / 6  # original, self-reconstruction, transfer
        writer.add_image(f"{style}: original, to {style}, to {other}", picture, step.step)
        writer.add_audio(f"{style} to {other}", sound.clamp(-1, 1)[None], step.step, system.mel.sr)


# --- saving and resuming ------------------------------------------------------------------------


def save_state(state: State, config: TrainingConfig, out: Path) -> None:
    """Write everything that `load_state` needs to go on, as one file."""
    tensors = {f"system.{name}": value for name, value in state.system.state_dict().items()}
    for number, values in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in values.items()}
    header = state.system.header() | {
        "training": asdict(config),
        "step": state.step,
        "best": state.best if math.isfinite(state.best) else None,
        "sums": state.sums,
    }
    checkpoint.save(out / "resume.safetensors", tensors, header)


def load_state(out: Path) -> tuple[State, TrainingConfig]:
    """What `save_state` wrote in the run folder. Raises ThirdstreamError if there is none."""
    path = out / "resume.safetensors"
    if not path.is_file():
        raise TrainingError(f"{out}: holds no run to resume; start one without --resume")
    tensors, header = checkpoint.read(path)
    config = TrainingConfig(**header["training"])
    state = _state(rebuild(header), config)
    state.system.load_state_dict(_below("system.", tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _below("optimizer.", tensors).items():
        number, key = name.split(".")
        moments.setdefault(int(number), {})[key] = value
    state.optimizer.load_state_dict(state.optimizer.state_dict() | {"state": moments})
    state.best = math.inf if header["best"] is None else header["best"]
    state.step, state.sums = header["step"], header["sums"]
    return state, config


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): v for key, v in tensors.items() if key.startswith(prefix)}
