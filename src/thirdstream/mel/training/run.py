"""A run folder: training that is saved, watched, interrupted and resumed.

It holds last.safetensors and best.safetensors (models, ready to use), resume.safetensors (all that
is needed to go on bit for bit), history.jsonl (a line an epoch) and TensorBoard's logs.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from thirdstream import checkpoint
from thirdstream.data.corpus import TRAIN, VALIDATION, Corpus, Pairs
from thirdstream.files import Interrupted, ThirdstreamError, make_folder, unwritable
from thirdstream.mel.system import MelSystem, is_old, rebuild
from thirdstream.mel.training import history
from thirdstream.mel.training.history import Epoch
from thirdstream.mel.training.loop import (
    State,
    Step,
    TrainingConfig,
    TrainingError,
    compiling_in,
    fit,
    steps_per_epoch,
    with_optimizers,
)
from thirdstream.packages import extra
from thirdstream.records import record

if TYPE_CHECKING:
    from accelerate import Accelerator

SAVE_EVERY_S = 300.0  # seconds between saves within an epoch


def train(state: State, corpus: Corpus, config: TrainingConfig, out: Path) -> Iterator[Step]:
    """Train in the run folder `out`, saving as it goes; yields what `fit` yields.

    On Ctrl-C the running step is finished and saved, then Interrupted is raised. Raises
    TrainingError as `fit` does, and ThirdstreamError without the extra `train`.
    """
    with _logging_in(out):
        yield from _train(state, corpus, config, out)


def _train(state: State, corpus: Corpus, config: TrainingConfig, out: Path) -> Iterator[Step]:
    limit_s = math.inf if config.cpu_hours is None else 3600 * config.cpu_hours
    steps_per_epoch(state.system.model, corpus, config)  # refused before there is a folder
    accelerator = _accelerator(out, config, state)
    if accelerator.is_main_process and not (out / "resume.safetensors").exists():
        save_state(state, config, out)  # whatever happens from here on, --resume goes on
    if state.step and not state.sums and _any(state.cpu_s >= limit_s, accelerator):
        accelerator.end_training()  # its last epoch was ended before
        return
    saved_at = time.monotonic()
    compiler = compiling_in(out / "compiled") if config.compile else nullcontext()
    with interruptible() as interrupted, compiler:
        for step in fit(state, corpus, config, accelerator):
            accelerator.log({f"train/{k}": v for k, v in step.losses.items()}, step=step.step)
            if step.validation is not None and accelerator.is_main_process:
                _end_epoch(state, step, corpus, out)
                _log_epoch(accelerator, state.shown, step, corpus)
            due = step.validation is not None or time.monotonic() - saved_at > SAVE_EVERY_S
            if due and accelerator.is_main_process:
                save_state(state, config, out)
                saved_at = time.monotonic()
            yield step
            if step.validation is not None and _any(state.cpu_s >= limit_s, accelerator):
                break
            if _any(interrupted.is_set(), accelerator) and step.step < step.n_steps:
                if accelerator.is_main_process:
                    save_state(state, config, out)
                raise Interrupted(
                    f"stopped after step {step.step} of {step.n_steps}; all is saved. "
                    f"To go on: thirdstream train {state.system.name} --corpus {corpus.path} "
                    f"--out {out} --resume"
                )
        accelerator.end_training()


@contextmanager
def _logging_in(out: Path) -> Iterator[None]:
    """What TensorBoard cannot write is a full disk; its thread would only print where it died."""
    before = threading.excepthook

    def told(fault: threading.ExceptHookArgs) -> None:
        if not isinstance(fault.exc_value, OSError):  # it is raised again where more is logged
            before(fault)

    threading.excepthook = told
    try:
        yield
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        threading.excepthook = before


def _any(own: bool, accelerator: "Accelerator") -> bool:
    """Whether it is true in one of the processes, so that all stop after the same step."""
    if accelerator.num_processes == 1:
        return own
    total: Any = accelerator.reduce(torch.tensor(float(own), device=accelerator.device), "sum")
    return bool(total)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Within it, a first Ctrl-C or SIGTERM only sets the event yielded; a second one interrupts.

    One of each sets it too: after a Ctrl-C, what launched the processes sends them SIGTERM.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: Any) -> None:
        event.set()
        signal.signal(number, previous[signal.Signals(number)])

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _accelerator(out: Path, config: TrainingConfig, state: State) -> "Accelerator":
    with extra("train", "training"):
        import tensorboard  # noqa: F401  # what logs through accelerate
        from accelerate import Accelerator
        from accelerate.utils import DataLoaderConfiguration
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    if config.batch_size % n_processes:
        raise TrainingError(
            f"{n_processes} processes cannot share batches of {config.batch_size} equally; "
            "make --batch-size a multiple"
        )
    make_folder(out)
    try:
        accelerator = Accelerator(
            cpu=n_processes > 1 and not torch.cuda.is_available(),  # else each would train alone
            mixed_precision=config.mixed_precision,
            dataloader_config=DataLoaderConfiguration(split_batches=True),
            log_with="tensorboard",
            project_dir=out,
        )
        options = {"purge_step": state.step + 1}  # a resumed run replaces what it does again
        accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": options})
    except OSError as error:
        raise unwritable(out, error) from error
    return accelerator


def _end_epoch(state: State, step: Step, corpus: Corpus, out: Path) -> None:
    """Write the epoch's line of history and its models."""
    means, metric = state.means, state.system.model.SELECTION_METRIC
    state.sums, state.counts = {}, {}
    score = -step.epoch if metric is None else (step.validation or means)[metric]
    epoch = Epoch(step.epoch, step.step, means, step.validation, step.diversity, step.alarm)
    history.append(epoch, out / history.NAME)
    state.shown.card |= {"corpus": corpus.summary(), "cpu_s": state.cpu_s, **asdict(epoch)}
    state.shown.save(out / "last.safetensors")
    if score < state.best:
        state.best = score
        state.shown.save(out / "best.safetensors")


def _log_epoch(accelerator: "Accelerator", system: MelSystem, step: Step, corpus: Corpus) -> None:
    """TensorBoard: validation losses, and for one pair its mels and the sound of its transfers."""
    accelerator.log(
        {f"validation/{k}": v for k, v in (step.validation or {}).items()}, step=step.step
    )
    if step.diversity is not None:
        accelerator.log({"train/diversity": step.diversity}, step=step.step)
    writer: Any = accelerator.get_tracker("tensorboard", unwrap=True)  # a SummaryWriter
    split = VALIDATION if step.validation else TRAIN
    generator = torch.Generator().manual_seed(0)
    for style, power in Pairs(corpus, split, seed=0)[0].items():
        other = system.model.other(style)
        with torch.no_grad():
            batch = power[None].to(system.device)
            condition = system.model.default_condition(other, generator=generator)
            rows = {"original": batch} | {
                f"to {target}": system.convert(batch, source=style, target=target, condition=of)
                for target, of in ((style, None), (other, condition))
            }
            sound = system.synthesiser(rows[f"to {other}"], generator=generator)[0].cpu()
        mels = [system.log_mel(style).normalise(mel)[0].T.flip(0).cpu() for mel in rows.values()]
        picture = torch.cat(mels)[None].clamp(0, 6) / 6  # original, self-reconstruction, transfer
        writer.add_image(f"{style}: original, to {style}, to {other}", picture, step.step)
        writer.add_audio(f"{style} to {other}", sound.clamp(-1, 1)[None], step.step, system.mel.sr)


def save_state(state: State, config: TrainingConfig, out: Path) -> None:
    """Write everything that `load_state` needs to go on, as one file."""
    tensors = {f"system.{name}": value for name, value in state.system.state_dict().items()}
    if state.averaged is not None:
        tensors |= {f"averaged.{name}": v for name, v in state.averaged.state_dict().items()}
    for player, optimizer in state.optimizers.items():
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{player}.{number}.{name}": value for name, value in values.items()}
    header = state.system.header() | {
        "training": asdict(config),
        "step": state.step,
        "best": state.best if math.isfinite(state.best) else None,
        "sums": state.sums,
        "counts": state.counts,
        "cpu_s": state.cpu_s,
    }
    checkpoint.save(out / "resume.safetensors", tensors, header)


def load_state(out: Path) -> tuple[State, TrainingConfig]:
    """What `save_state` wrote in the run folder. Raises ThirdstreamError if there is none."""
    path = out / "resume.safetensors"
    if not path.is_file():
        raise TrainingError(f"{out}: holds no run to resume; start one without --resume")
    tensors, header = checkpoint.read(path)
    if is_old(header):
        raise TrainingError(
            f"{out}: was begun by an earlier version, whose runs cannot be resumed; bring its best "
            f"model up to date with: thirdstream convert {out} --out NEW.safetensors, and begin "
            "another run with --init NEW.safetensors"
        )
    try:
        return _state_of(tensors, header)
    except (KeyError, TypeError, ValueError, RuntimeError, ThirdstreamError) as error:
        raise TrainingError(
            f"{path}: is of another version or damaged ({error}); start the run anew"
        ) from error


def _state_of(
    tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> tuple[State, TrainingConfig]:
    """What `save_state` wrote. Raises ValueError and others where it could not have."""
    config, progress = record(TrainingConfig, header["training"]), _progress(header)
    own = checkpoint.below("system.", tensors)
    system = rebuild(header, {name: tensor.shape for name, tensor in own.items()})
    state = with_optimizers(system, config)
    state.system.load_state_dict(own)
    if state.averaged is not None:
        state.averaged.load_state_dict(checkpoint.below("averaged.", tensors))
        state.shown.card = state.system.card
    for player, optimizer in state.optimizers.items():
        moments = _moments(checkpoint.below(f"{player}.", tensors), optimizer)
        if progress.step and not moments:
            raise ValueError("it lacks the optimiser's state")
        optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    state.best = math.inf if progress.best is None else progress.best
    state.step, state.cpu_s = progress.step, progress.cpu_s
    state.sums, state.counts = dict(progress.sums), dict(progress.counts)
    return state, config


class Progress(NamedTuple):
    """How far a run is: the fields of State that are no tensors."""

    step: int
    best: float | None
    sums: Mapping[str, float]
    counts: Mapping[str, int]
    cpu_s: float


def _progress(header: Mapping[str, Any]) -> Progress:
    progress = record(Progress, {name: header[name] for name in Progress._fields})
    if progress.step < 0:
        raise ValueError(f"it is at step {progress.step}")
    if set(progress.counts) != set(progress.sums) or min(progress.counts.values(), default=1) < 1:
        raise ValueError("its losses are not counted")
    return progress


def _moments(
    tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[int, dict[str, Tensor]]:
    """Adam's moments by the number of the parameter. Raises ValueError where they do not fit."""
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".")
        moments.setdefault(int(number), {})[key] = value
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    for number, found in moments.items():
        shape = parameters[number].shape if 0 <= number < len(parameters) else None
        if {name: one.shape for name, one in found.items()} != {
            "step": torch.Size(), "exp_avg": shape, "exp_avg_sq": shape
        }:  # fmt: skip
            raise ValueError(f"the optimiser's state {number} fits no parameter")
    return moments
