"""Search for hyper-parameters, as the paper's author did by hand.

Trials are short trainings, compared by eq. 1 on the validation recordings; a trial that lags behind
the median of the others at the same epoch is given up. The weights of the losses are not searched:
eq. 1 alone would drive all others to zero.
"""

import dataclasses
import json
from collections.abc import Iterator, Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from thirdstream.data.corpus import VALIDATION, Corpus
from thirdstream.files import Interrupted, ThirdstreamError, make_folder, write_json
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import RECONSTRUCTION
from thirdstream.mel.training.loop import TrainingConfig, TrainingError, begin, fit
from thirdstream.packages import extra

if TYPE_CHECKING:
    import optuna

WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)  # times the preset's channels
BATCH_SIZES = (2, 4, 8, 16)
LR = (3e-4, 1e-2)
FAULT = "fault"  # what a trial that failed remembers


@dataclass(frozen=True)
class Search:
    """How long to search, and from where."""

    trials: int = 20
    """How many, those of an earlier run in --out included."""
    epochs: int = 3
    """Of each trial's training."""
    preset: str = "default"
    """The network that is made wider, narrower, deeper or shallower."""
    seed: int = 0
    """Of the proposals and the trainings."""


@dataclass(frozen=True)
class Outcome:
    """A finished trial. score: eq. 1 on validation, None if it was given up or failed.

    fault: why it failed.
    """

    number: int
    state: str
    score: float | None
    settings: dict[str, Any]
    fault: str | None = None


def search(name: str, network: Any, corpus: Corpus, out: Path, how: Search) -> Iterator[Outcome]:
    """Search until the folder `out` holds `how.trials` finished trials; yields each new one.

    network: the preset's. Run it again after an interruption: what is finished counts, what was
    under way starts anew. Writes trials.json after each. Raises ThirdstreamError if Optuna or
    validation recordings are missing, if the network has other sizes than those that are searched,
    or if `out` holds trials that do not compare with these; Interrupted on Ctrl-C.
    """
    if not {"channels", "n_convs"} <= {one.name for one in dataclasses.fields(network)}:
        raise ThirdstreamError(
            f"{name}: its network has no width and depth of the kind that is searched; tune one "
            "of the twins or travel"
        )
    if not len(cast(Sized, FAMILIES[name].kind.training_set(corpus, VALIDATION))):
        raise ThirdstreamError(
            f"{corpus.path}: has no validation recordings that a {name} can be compared on; add "
            "recordings (three of a style or more; for twin-paired with --paired)"
        )
    study = _study(name, out, how.seed)
    _compare(study, out, {
        "network": asdict(network), "epochs": how.epochs,
        "statistics": {style: one.scale for style, one in corpus.statistics.items()},
    })  # fmt: skip
    while sum(map(_counts, study.trials)) < how.trials:
        trial = study.ask()
        try:
            score, state = _run(trial, name, network, corpus, how)
        except KeyboardInterrupt:
            study.tell(trial, state=_states().FAIL)
            raise Interrupted(
                f"stopped in trial {trial.number}; run the same command again to go on"
            ) from None
        study.tell(trial, score, state)
        outcomes = finished(study)
        write_json(out / "trials.json", [dataclasses.asdict(outcome) for outcome in outcomes])
        yield next(outcome for outcome in outcomes if outcome.number == trial.number)


def finished(study: "optuna.Study") -> list[Outcome]:
    """All finished trials of a study, the best first."""
    complete = _states().COMPLETE
    outcomes = [
        Outcome(
            trial.number,
            trial.state.name.lower(),
            trial.value if trial.state == complete else None,
            trial.params,
            trial.user_attrs.get(FAULT),
        )
        for trial in study.trials
        if _counts(trial)
    ]
    return sorted(outcomes, key=lambda one: (one.score is None, one.score, one.number))


def _counts(trial: "optuna.trial.FrozenTrial") -> bool:
    """Whether it came to its end, if only to a fault; what was interrupted did not."""
    interrupted = trial.state == _states().FAIL and FAULT not in trial.user_attrs
    return trial.state.is_finished() and not interrupted


def _compare(study: "optuna.Study", out: Path, made_with: dict[str, Any]) -> None:
    """Note what trials are made with; raise ThirdstreamError where others were made otherwise."""
    wanted = json.loads(json.dumps(made_with))  # as it is read again
    before = study.user_attrs.get("made_with", wanted)
    if before != wanted:
        changed = " and ".join(key for key in wanted if before.get(key) != wanted[key])
        raise ThirdstreamError(
            f"{out}: holds trials with other {changed}, which do not compare; choose a new folder"
        )
    study.set_user_attr("made_with", wanted)


def _states() -> Any:
    from optuna.trial import TrialState

    return TrialState


def _study(name: str, out: Path, seed: int) -> "optuna.Study":
    with extra("tune", "tuning"):
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    make_folder(out)
    study = optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(out / "study.log"))),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        load_if_exists=True,
    )
    for trial in study.trials:  # under way when the last search was killed
        if not trial.state.is_finished():
            study.tell(trial.number, state=_states().FAIL)
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _run(
    trial: "optuna.Trial", name: str, preset: Any, corpus: Corpus, how: Search
) -> tuple[float | None, Any]:
    """Train with the trial's settings; its score and how it ended."""
    from accelerate import Accelerator

    states, score = _states(), None
    network, config = suggested(trial, preset, how)
    try:
        state = begin(name, network, corpus, config)
        for step in fit(state, corpus, config, Accelerator()):
            if step.validation is not None:
                score = step.validation[RECONSTRUCTION]
                trial.report(score, step.epoch)
                if step.step < step.n_steps and trial.should_prune():
                    return None, states.PRUNED
    except TrainingError as error:  # it diverged, or has too few segments for its batch
        trial.set_user_attr(FAULT, str(error))
        return None, states.FAIL
    return score, states.COMPLETE


def suggested(trial: "optuna.Trial", preset: Any, how: Search) -> tuple[Any, TrainingConfig]:
    """A network like the preset's and a way to train it, as the trial proposes."""
    width = trial.suggest_categorical("width", WIDTHS)
    network = dataclasses.replace(
        preset,
        channels=_scaled(preset.channels, width),
        n_convs=trial.suggest_int("n_convs", 1, 4),
    )
    training = TrainingConfig(
        epochs=how.epochs,
        batch_size=trial.suggest_categorical("batch_size", BATCH_SIZES),
        lr=trial.suggest_float("lr", *LR, log=True),
        schedule="cosine",
        seed=how.seed,
    )
    return network, training


def _scaled(channels: int | tuple[int, ...], width: float) -> int | tuple[int, ...]:
    if isinstance(channels, int):
        return max(1, round(width * channels))
    return tuple(max(1, round(width * n)) for n in channels)
