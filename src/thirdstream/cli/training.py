"""Training models, and the search for better ones."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro
from rich.table import Table

from thirdstream import registry
from thirdstream.cli import options
from thirdstream.cli.console import OUT, Failed, complain, progress_bar, say, set_loudness, tell
from thirdstream.cli.locks import writes_folder
from thirdstream.data.corpus import Corpus
from thirdstream.files import ThirdstreamError, read_json
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import MelModel, OptionError
from thirdstream.mel.system import MelSystem
from thirdstream.mel.system import load as load_model
from thirdstream.mel.training.loop import (
    State,
    Step,
    TrainingConfig,
    begin,
    begin_with,
    steps_per_epoch,
)
from thirdstream.mel.training.run import load_state
from thirdstream.mel.training.run import train as train_run
from thirdstream.research import tuning
from thirdstream.system import options_of

# How long and where; not what is learnt.
MAY_CHANGE = ("epochs", "cpu_hours", "mixed_precision", "compile")


def network_options() -> type[Any]:
    """The configuration of the family that was asked for, for tyro: defaults are the preset's.

    A dataclass without fields where there is no such family or preset, which the command explains.
    """
    name, preset = options.first_of(FAMILIES), options.value_of("preset") or "default"
    kind = FAMILIES[name].kind if name else None
    if kind is None or preset not in kind.PRESETS:
        return dataclasses.make_dataclass("Network", ())
    values = vars(kind.PRESETS[preset])
    fields = (
        (
            one.name,
            Annotated[one.type, tyro.conf.arg(help=one.help), tyro.conf.FlagConversionOff],
            _default(values[one.name]),
        )
        for one in options_of(kind.Config)
    )
    return dataclasses.make_dataclass("Network", fields, frozen=True)


def _default(value: Any) -> Any:
    """A field with this default, which may be a table."""
    return dataclasses.field(default_factory=lambda: value)


@writes_folder
def train(
    system: str,
    /,
    *,
    corpus: str,
    out: Path,
    preset: str = "default",
    init: str | None = None,
    resume: bool = False,
    training: tyro.conf.OmitArgPrefixes[TrainingConfig] = TrainingConfig(),  # noqa: B008
    network: Annotated[
        Any,
        tyro.conf.OmitArgPrefixes,
        tyro.conf.arg(constructor_factory=network_options),
    ],
) -> None:
    """Train a system on a prepared corpus.

    Example: thirdstream train twin-cnn --corpus corpus --out run --epochs 50 --batch-size 16

    Ctrl-C saves everything; --resume goes on exactly where it stopped, with --epochs also to more
    epochs than the run was begun with. Watch the losses, pictures
    and sounds with: tensorboard --logdir run

    Args:
        system: which one; `thirdstream systems` lists them. `thirdstream train SYSTEM --help` also
            lists the options of its network.
        corpus: folder that `thirdstream prepare` made, or its address (s3://..., https://...), from
            where only the segments that are asked for are fetched.
        out: folder of the run; its best model is best.safetensors.
        preset: size of the network and weights of the losses: default, ours; paper, as published
            (not of twin-paired and travel); of twin-cnn, twin-vae, twin-gan and
            twin-variational-gan also paper-stable, with remedies against networks that fall silent;
            of twin-gan also paper-style-code, whose styles are 8 numbers; of twin-paired also
            travel, with the travel loss, for recordings without a version.
        init: begin with the weights of a trained model instead of random ones: its name, file or
            run. The network is that model's, then.
        resume: go on with the run in --out, with the settings it was begun with; --epochs,
            --cpu-hours, --mixed-precision and --compile may be others. A cosine of the learning
            rate is then laid out over all epochs.
        training: how long and how fast.
        network: the network of SYSTEM, which its --help lists; by default the preset's.
    """
    first = os.environ.get("RANK", "0") == "0"  # of the processes that were launched together
    if not first:
        set_loudness(quiet=True, verbose=False)
    opened = Corpus.open(corpus)
    asked = Asked(system, preset, init, network)
    state, config = _state(asked, opened, out, training, resume=resume)
    with progress_bar() as bar:
        task = bar.add_task(f"training {system}", total=None, completed=state.step)
        for step in train_run(state, opened, config, out):
            text = f"epoch {step.epoch}/{config.epochs} {_losses(step.losses)}"
            bar.update(task, total=step.n_steps, completed=step.step, description=text)
            _report_epoch(step)
    if first:
        spent = timedelta(seconds=round(state.cpu_s))
        tell(
            f"{state.step:,} steps took {spent} (h:mm:ss) of processor time; the best model is "
            f"{out / 'best.safetensors'}"
        )


def _report_epoch(step: Step) -> None:
    if step.validation is not None:
        scores = _losses(step.validation) or "none, for want of validation recordings"
        line = f"epoch {step.epoch}: last step {_losses(step.losses)}; validation {scores}"
        say(line)
    if step.alarm:
        complain(f"warning: {step.alarm}")


def _losses(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {loss:.5f}" for name, loss in losses.items())


class Asked(NamedTuple):
    """Which model is to be trained. network: an instance of `network_options`."""

    system: str
    preset: str
    init: str | None
    network: Any

    def config(self) -> Any:
        """The family's configuration. Raises ThirdstreamError if there is none such."""
        kind, preset = _preset(self.system, self.preset)
        with self.explained():
            config = dataclasses.replace(preset, **vars(self.network))
        named = [set(one.weights or {}) for one in (preset, *kind.PRESETS.values())]
        if set(config.weights or {}) not in named:
            losses = " or ".join(dict.fromkeys(" ".join(sorted(one)) for one in named))
            raise ThirdstreamError(
                f"--weights needs a number for each loss of a {self.system}, no other: {losses}"
            )
        return config

    def typed(self) -> set[str]:
        """The options typed that say which network."""
        own = vars(self.network)
        return set(options.typed()) & {"preset", "init", *own, *(own.get("weights") or {})}

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Inside, an option that cannot be is said as it is typed, with the remedy."""
        try:
            yield
        except OptionError as error:
            typed, preset = self.typed() - {"preset", "init"}, _preset(self.system, self.preset)[1]
            name, remedy = _flag(error.name), "choose another"
            if error.name in typed:
                remedy += f", or leave {name} out for {_text(getattr(preset, error.name))}"
            elif typed:
                remedy += f", or leave {' and '.join(map(_flag, sorted(typed)))} out"
            if error.name == "weights" and error.name not in typed:
                name = "each loss's weight"
            raise ThirdstreamError(f"{name} {error.fault}; {remedy}") from error


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _text(value: Any) -> str:
    """A default, as it is typed."""
    if isinstance(value, Mapping):
        return " ".join(f"{name} {weight:g}" for name, weight in value.items())
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _state(
    asked: Asked, opened: Corpus, out: Path, training: TrainingConfig, *, resume: bool
) -> tuple[State, TrainingConfig]:
    """A new run's state, or an old one's."""
    if resume:
        return _resumed(out, asked, opened, training)
    if (out / "resume.safetensors").exists() or (out / "best.safetensors").exists():
        raise ThirdstreamError(f"{out}: holds a run; go on with --resume, or choose another folder")
    if asked.init is None:
        with asked.explained():
            return begin(asked.system, asked.config(), opened, training), training
    if changes := sorted(asked.typed() - {"init"}):
        raise ThirdstreamError(f"--init keeps a model's network; leave {_flag(changes[0])} out")
    model = load_model(registry.find(asked.init))
    if (model.name, model.styles) == (asked.system, opened.styles):
        return begin_with(model, opened, training), training
    kind, wanted = " and ".join(model.styles), " and ".join(opened.styles)
    raise ThirdstreamError(
        f"{asked.init}: is a {model.name} of {kind}, not a {asked.system} of {wanted}; "
        "begin without --init"
    )


def _resumed(
    out: Path, model: Asked, opened: Corpus, training: TrainingConfig
) -> tuple[State, TrainingConfig]:
    """An old run's state, and how it goes on.

    What is as by default and was not typed counts as not asked for. Raises ThirdstreamError where
    the run was begun otherwise than it is asked for.
    """
    state, config = load_state(out)
    asked = {
        name: value
        for name, value in vars(training).items()
        if name in options.typed() or value != getattr(TrainingConfig(), name)
    }
    faults = [
        f"{name} {getattr(config, name)}, not {value}"
        for name, value in asked.items()
        if value != getattr(config, name) and name not in MAY_CHANGE
    ]
    faults += _other_models(state.system, model, opened)
    if faults:
        raise ThirdstreamError(
            f"{out}: was begun with {'; '.join(faults)}; leave the options out to go on (only "
            f"{', '.join(MAY_CHANGE)} may change), or start a new run"
        )
    later = dataclasses.replace(config, **{name: asked.get(name, getattr(config, name))
                                           for name in MAY_CHANGE})  # fmt: skip
    if later.epochs != config.epochs:
        _lay_out_anew(state, opened, config, later, out)
    state.system.card["training"] = dataclasses.asdict(later)
    return state, later


def _other_models(began: MelSystem, asked: Asked, opened: Corpus) -> Iterator[str]:
    """What a run was begun with, where another is asked for."""
    if began.name != asked.system:
        yield f"{began.name}, not {asked.system}"
    elif began.styles != opened.styles:
        yield f"{' and '.join(began.styles)}, not {' and '.join(opened.styles)}"
    elif asked.typed() and asked.init is None and asked.config() != began.model.config:
        yield "another network"


def _lay_out_anew(
    state: State, opened: Corpus, config: TrainingConfig, later: TrainingConfig, out: Path
) -> None:
    """Say what another number of epochs does to the learning rate.

    Raises ThirdstreamError where more epochs are done already.
    """
    per_epoch = steps_per_epoch(state.system.model, opened, config)
    if later.epochs * per_epoch < state.step:
        raise ThirdstreamError(
            f"{out}: has been trained for {state.step / per_epoch:g} epochs already; "
            f"ask for more than {later.epochs}, or leave --epochs out"
        )
    was, is_now = (
        one.lr_at(min(1.0, state.step / (one.epochs * per_epoch))) for one in (config, later)
    )
    rate = f"stays {is_now:.3g}"
    if config.schedule != "constant":
        rate = (
            f"follows its {config.schedule} over all {later.epochs} epochs from here on: it is "
            f"{is_now:.3g} now, not {was:.3g}"
        )
    say(f"{later.epochs} epochs instead of {config.epochs}; the learning rate {rate}")


def _preset(system: str, preset: str) -> tuple[type[MelModel], Any]:
    """A family and one of its presets. Raises ThirdstreamError where there is none."""
    if system not in FAMILIES:
        there = ", ".join(FAMILIES)
        raise ThirdstreamError(f"{system}: no such system to train; there are {there}")
    kind = FAMILIES[system].kind
    if preset not in kind.PRESETS:
        there = ", ".join(kind.PRESETS)
        raise ThirdstreamError(f"{system} has no preset {preset!r}; it has {there}")
    return kind, kind.PRESETS[preset]


@writes_folder
def tune(
    system: str,
    /,
    *,
    corpus: str,
    out: Path,
    search: tyro.conf.OmitArgPrefixes[tuning.Search] = tuning.Search(),  # noqa: B008
) -> None:
    """Search for hyper-parameters: width, depth, batch size and learning rate.

    Example: thirdstream tune twin-cnn --corpus corpus --out search --trials 30

    Trials are short trainings, compared by the error of the self-reconstruction (eq. 1) on the
    validation recordings. Run it again to go on after an interruption, or with more trials.

    Args:
        system: which one; `thirdstream systems` lists them.
        corpus: folder that `thirdstream prepare` made, or its address.
        out: folder of the search; trials.json has every trial.
        search: how long.
    """
    _, network = _preset(system, search.preset)
    opened = Corpus.open(corpus)
    with progress_bar() as bar:
        task = bar.add_task(f"tuning {system}", total=search.trials)
        for one in tuning.search(system, network, opened, out, search):
            bar.advance(task)
            score = "" if one.score is None else f" {one.score:.5f}"
            say(f"trial {one.number}: {one.state}{score} {one.settings}")
            if one.fault:
                complain(f"trial {one.number} failed: {one.fault}")
    table = Table("trial", "state", "eq. 1", "settings")
    rows = read_json(out / "trials.json", kind="table of trials")
    for row in rows:
        score = "" if row["score"] is None else f"{row['score']:.5f}"
        settings = ", ".join(f"{name} {value:.4g}" for name, value in row["settings"].items())
        table.add_row(str(row["number"]), row["state"], score, settings)
    OUT.print(table)
    if rows and all(row["score"] is None for row in rows):
        raise Failed("no trial came to its end; see above")
