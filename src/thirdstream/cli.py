"""The commands. Each function is one; its signature and docstring are its --help."""

import dataclasses
import io
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from thirdstream import checkpoint, corpus, systems
from thirdstream.corpus import Corpus, Skipped
from thirdstream.evaluation import Settings as Evaluation
from thirdstream.files import ThirdstreamError, read_json, write_json
from thirdstream.mel import TWINS, tuning
from thirdstream.mel.blocks import Norm
from thirdstream.mel.run import Interrupted, load_state
from thirdstream.mel.run import train as train_run
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training import State, Step, TrainingConfig, begin, begin_with
from thirdstream.mel.twin import TwinConfig
from thirdstream.transfer import Options, Outcome, plan, transfer_files

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
    sources: tuple[str, ...],
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
    with progress_bar() as bar:
        task = bar.add_task("preparing", total=len(found))
        for outcome in corpus.prepare(found, out, n_jobs=n_jobs, seed=seed):
            bar.advance(task)
            if isinstance(outcome, Skipped):
                _report(outcome, bar.console)
    opened = Corpus.open(out)
    for one in opened.skipped:
        if one.duplicate:
            _report(one, ERR)
    _print_corpus(opened)
    n_faults = sum(one.fault for one in opened.skipped)
    if n_faults:
        raise Failed(f"{n_faults} of {len(found)} files could not be used; {out} holds the others")


def _report(one: Skipped, console: Console) -> None:
    console.print(f"skipped {one.path}: {one.reason}", soft_wrap=True, markup=False)


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

    init: str | None = None
    """Begin with the weights of a trained model instead of random ones: its name, file or run. The
    network is that model's, then."""
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
    style_channels: tuple[int, ...] | None = None
    """Of the style encoder's blocks, in adversarial twins."""
    style_size: int | None = None
    """Numbers that a style is reduced to, in adversarial twins."""
    critic_channels: tuple[int, ...] | None = None
    """Of the discriminators' convolutions, in adversarial twins."""

    def changed(self, preset: TwinConfig) -> TwinConfig:
        """The preset with these changes. Raises ThirdstreamError if they make no sense."""
        given = {key: value for key, value in vars(self).items() if value is not None}
        if "init" in given:
            raise ThirdstreamError("--init keeps a model's network; leave changes to it out")
        try:
            return dataclasses.replace(preset, **given)
        except ValueError as error:
            raise ThirdstreamError(str(error)) from error


def train(
    system: str,
    /,
    *,
    corpus: Path,
    out: Path,
    preset: str = "default",
    resume: bool = False,
    training: tyro.conf.OmitArgPrefixes[TrainingConfig] = TrainingConfig(),  # noqa: B008
    network: tyro.conf.OmitArgPrefixes[Network] = Network(),
) -> None:
    """Train a system on a prepared corpus.

    Example: thirdstream train twin-cnn --corpus corpus --out run --epochs 50 --batch-size 16

    Ctrl-C saves everything; --resume goes on exactly where it stopped. Watch the losses, pictures
    and sounds with: tensorboard --logdir run

    Args:
        system: which one; `thirdstream systems` lists them.
        corpus: folder that `thirdstream prepare` made.
        out: folder of the run; its best model is best.safetensors.
        preset: size of the network and weights of the losses: default, or paper, as published.
        resume: go on with the run in --out, with the settings it was begun with.
        training: how long and how fast.
        network: changes to the preset.
    """
    opened = Corpus.open(corpus)
    state, config = _state(system, opened, out, preset, resume, (training, network))
    with progress_bar() as bar:
        task = bar.add_task(f"training {system}", total=None, completed=state.step)
        for step in train_run(state, opened, config, out):
            text = f"epoch {step.epoch}/{config.epochs} {_losses(step.losses)}"
            bar.update(task, total=step.n_steps, completed=step.step, description=text)
            _report_epoch(step, bar.console)
    OUT.print(f"the best model is {out / 'best.safetensors'}", soft_wrap=True, markup=False)


def _report_epoch(step: Step, console: Console) -> None:
    if step.validation is not None:
        scores = _losses(step.validation) or "none, for want of validation recordings"
        line = f"epoch {step.epoch}: last step {_losses(step.losses)}; validation {scores}"
        console.print(line, soft_wrap=True)
    if step.alarm:
        console.print(f"warning: {step.alarm}", soft_wrap=True)


def _losses(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {loss:.5f}" for name, loss in losses.items())


def _state(
    system: str,
    opened: Corpus,
    out: Path,
    preset: str,
    resume: bool,
    changes: tuple[TrainingConfig, Network],
) -> tuple[State, TrainingConfig]:
    """A new run's state, or an old one's."""
    training, network = changes
    if resume:
        state, config = load_state(out)
        for name, value in vars(training).items():
            if value not in (getattr(TrainingConfig(), name), getattr(config, name)):
                raise ThirdstreamError(
                    f"{out}: was begun with {name} {getattr(config, name)}, not {value}; "
                    "leave the option out to go on, or start a new run"
                )
        return state, config
    if (out / "resume.safetensors").exists() or (out / "best.safetensors").exists():
        raise ThirdstreamError(f"{out}: holds a run; go on with --resume, or choose another folder")
    if network.init is not None and network == Network(init=network.init):
        model = systems.load(network.init)
        if isinstance(model, MelSystem) and (model.name, model.styles) == (system, opened.styles):
            return begin_with(model, opened, training), training
        kind, wanted = " and ".join(model.styles), " and ".join(opened.styles)
        raise ThirdstreamError(
            f"{network.init}: is a {model.name} of {kind}, not a {system} of {wanted}; "
            "begin without --init"
        )
    return begin(system, network.changed(_preset(system, preset)), opened, training), training


def _preset(system: str, preset: str) -> TwinConfig:
    if system not in TWINS:
        raise ThirdstreamError(f"{system}: no such system to train; there are {', '.join(TWINS)}")
    presets = TWINS[system].PRESETS
    if preset not in presets:
        raise ThirdstreamError(f"{system} has no preset {preset!r}; it has {', '.join(presets)}")
    return presets[preset]


def tune(
    system: str,
    /,
    *,
    corpus: Path,
    out: Path,
    search: tyro.conf.OmitArgPrefixes[tuning.Search] = tuning.Search(),  # noqa: B008
) -> None:
    """Search for hyper-parameters: width, depth, batch size and learning rate.

    Example: thirdstream tune twin-cnn --corpus corpus --out search --trials 30

    Trials are short trainings, compared by the error of the self-reconstruction (eq. 1) on the
    validation recordings. Run it again to go on after an interruption, or with more trials.

    Args:
        system: which one; `thirdstream systems` lists them.
        corpus: folder that `thirdstream prepare` made.
        out: folder of the search; trials.json has every trial.
        search: how long.
    """
    network, opened = _preset(system, search.preset), Corpus.open(corpus)
    with progress_bar() as bar:
        task = bar.add_task(f"tuning {system}", total=search.trials)
        for one in tuning.search(system, network, opened, out, search):
            bar.advance(task)
            score = "" if one.score is None else f" {one.score:.5f}"
            bar.console.print(f"trial {one.number}: {one.state}{score} {one.settings}")
    table = Table("trial", "state", "eq. 1", "settings")
    for row in read_json(out / "trials.json", kind="table of trials"):
        score = "" if row["score"] is None else f"{row['score']:.5f}"
        settings = ", ".join(f"{name} {value:.4g}" for name, value in row["settings"].items())
        table.add_row(str(row["number"]), row["state"], score, settings)
    OUT.print(table)


@dataclasses.dataclass(frozen=True)
class Files:
    """What happens to files that are there already, and how new ones are written."""

    force: bool = False
    """Replace results that exist."""
    skip_existing: bool = False
    """Leave recordings out whose result exists."""
    format: Literal["wav", "flac", "ogg", "mp3", "aiff"] = "wav"
    """Of results whose name you do not give; WAV, FLAC and AIFF have 24 bits."""


def transfer(
    inputs: tuple[Path, ...],
    /,
    *,
    out: Path,
    style: tyro.conf.OmitArgPrefixes[Options],
    model: str = systems.DEFAULT,
    files: tyro.conf.OmitArgPrefixes[Files] = Files(),
) -> None:
    """Turn recordings into another style.

    Example: thirdstream transfer song.mp3 --to jazz --out restyled

    Length, rate and loudness stay as they are; stereo stays stereo, more channels become one.

    Args:
        inputs: files, or folders that are searched for recordings.
        out: folder for the results; for a single recording also a file name.
        style: into which style, and how.
        model: name of a bundled model, a .safetensors file, or a run folder.
        files: what happens to files.
    """
    loaded = systems.load(model)
    pairs = plan(inputs, out, suffix=f".{files.format}")
    n_failed = 0
    with progress_bar() as bar:
        task = bar.add_task("transferring", total=len(pairs))

        def show(path: Path, share: float) -> None:
            bar.update(task, description=f"{path.name} {share:.0%}")

        for outcome in transfer_files(
            loaded,
            pairs,
            style,
            force=files.force,
            skip_existing=files.skip_existing,
            progress=show,
        ):
            bar.advance(task)
            n_failed += outcome.error is not None
            bar.console.print(_outcome(outcome), soft_wrap=True, markup=False)
    if n_failed:
        rest = f"; the others are in {out}" if n_failed < len(pairs) else ""
        raise Failed(f"{n_failed} of {len(pairs)} recordings failed{rest}")


def _outcome(one: Outcome) -> str:
    remark = f" ({one.remark})" if one.remark else ""
    return one.error or f"{one.path} -> {one.out}{remark}"


def figures(
    paths: tuple[str, ...],
    /,
    *,
    out: Path = Path("figures"),
    corpus: Path | None = None,
) -> None:
    """Draw the paper's figures: 1-4 of a corpus; 7, 8, 9 and 11 of trained systems.

    Example: thirdstream figures corpus run twin-vae --out figures

    Each is written as PNG and as SVG; one that is there already is replaced.

    Args:
        paths: corpus folders, run folders, .safetensors files and names of bundled models.
        out: folder for the figures.
        corpus: whose test recordings the systems are shown; without it, the bundled clips.
    """
    from thirdstream import figures as drawing

    shown = Corpus.open(corpus) if corpus else None
    clips = systems.bundled_clips()
    for path in paths or (systems.DEFAULT,):
        if (Path(path) / "corpus.json").exists():
            written = drawing.corpus_figures(Corpus.open(Path(path)), out)
        else:
            system = systems.load(path)
            if not isinstance(system, MelSystem):
                raise ThirdstreamError(f"{path}: {system.name} has no mels to draw")
            powers = drawing.examples(system, corpus=shown, clips=clips)
            name = Path(path).resolve().name.removesuffix(".safetensors")
            written = drawing.system_figures(system, powers, out, name=name)
        for file in written:
            OUT.print(str(file), soft_wrap=True, markup=False)


def claims(corpus: Path, /, *, out: Path = Path("claims"), n_segments: int = 8) -> None:
    """Check what the paper says of mel spectrograms (section 2.2) on a corpus.

    Size, sparsity and effective rank of each representation; quality of the sound that comes back
    from so many mels and in so many iterations. Writes claims.json and a figure.

    Args:
        corpus: folder that `thirdstream prepare` made, with its recordings still in place.
        out: folder for the results.
        n_segments: how many a style, each from another recording.
    """
    from thirdstream import claims as checking

    opened = Corpus.open(corpus)
    with ERR.status("measuring") as status:
        results = checking.check(opened, n_segments=n_segments, progress=status.update)
    write_json(out / "claims.json", results)
    table = Table("of one segment", "values", "near zero", "effective rank")
    for row in checking.rows(results):
        table.add_row(*row)
    OUT.print(table)
    for key, of in (("n_mels", "mels"), ("n_iter", "iterations")):
        values = results[f"convergence_by_{key}"]
        text = ", ".join(f"{count}: {value:.3f}" for count, value in values.items())
        OUT.print(f"spectral convergence by {of}: {text}", soft_wrap=True)
    for file in (out / "claims.json", *checking.draw(results, out)):
        OUT.print(str(file), soft_wrap=True, markup=False)


def evaluate(
    *,
    corpus: Path,
    out: Path,
    models: tuple[str, ...] = (systems.DEFAULT,),
    recordings: tuple[str, ...] = (),
    settings: tyro.conf.OmitArgPrefixes[Evaluation] = Evaluation(),  # noqa: B008
    n_jobs: int = -1,
) -> None:
    """Measure systems on test recordings: content, style, sound and speed, both directions.

    Example: thirdstream evaluate --corpus corpus --models twin-cnn runs/mine --out results.json

    The table shows means; OUT has them with 95 % intervals over recordings. There are always three
    corners: copying the content, copying a target recording, and resynthesis without transfer.
    Run the same command again to go on after an interruption; see `thirdstream report`.

    Args:
        corpus: folder that `thirdstream prepare` made, with its recordings still in place.
        out: file for the results; beside it a folder .work keeps what is done and the excerpts.
        models: names of bundled models, .safetensors files or run folders.
        recordings: STYLE=FOLDER, twice: recordings of your own instead of the corpus's test ones.
        settings: what is measured.
        n_jobs: recordings at a time; -1 is one a core.
    """
    from thirdstream.evaluation import needed, work_of

    with needed():
        from thirdstream.evaluation import evaluate as evaluation

    opened = Corpus.open(corpus)
    subjects = evaluation.subjects_of(models, opened.styles)
    jobs, references = evaluation.plan(opened, subjects, settings, recordings)
    if out.exists() and "scores" not in read_json(out, kind="results file; choose another --out"):
        raise ThirdstreamError(f"{out}: exists and holds no results; choose another --out")
    done = []
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=len(jobs) + sum(map(len, references.values())))
        for one in evaluation.run(jobs, references, settings, work_of(out), n_jobs=n_jobs):
            bar.advance(task)
            done.append(one)
    results = evaluation.summarise(done, opened, subjects, settings)
    write_json(out, results)
    _print_results(results)
    OUT.print(f"the results are in {out}", soft_wrap=True, markup=False)
    if results["skipped"]:
        raise Failed(f"{len(results['skipped'])} recordings could not be measured; see above")


def _print_results(results: Mapping[str, Any]) -> None:
    shown = ("chroma_cosine", "note_f1", "accepted_share", "tag_difference", "kad")
    for direction in next(iter(results["scores"].values())):
        present = [name for name in shown if name not in results["left_out"]]
        table = Table("system", *present, title=direction.replace("_", " "))
        for system, scores in results["scores"].items():
            cells = (scores[direction].get(name) for name in present)
            table.add_row(
                system, *("" if cell is None else f"{cell['mean']:.2f}" for cell in cells)
            )
        OUT.print(table)
    for reason in sorted(set(results["left_out"].values())):
        names = [name for name, why in results["left_out"].items() if why == reason]
        ERR.print(f"left out {', '.join(names)}: {reason}", soft_wrap=True, markup=False)
    for one in results["skipped"]:
        ERR.print(f"skipped {one['reason']}", soft_wrap=True, markup=False)


def report(results: Path, /, *, out: Path, force: bool = False) -> None:
    """Make one page of the results of `evaluate`: table, picture, players. It opens offline.

    Example: thirdstream report results.json --out report.html

    Args:
        results: file that `thirdstream evaluate` wrote, its .work folder still beside it.
        out: file for the page.
        force: replace a page that exists.
    """
    from thirdstream.evaluation import report as page

    if out.exists() and not force:
        raise ThirdstreamError(f"{out}: exists already; add --force to replace it")
    page.write(results, out)
    OUT.print(f"the page is {out}", soft_wrap=True, markup=False)


def arrange(
    scores: tuple[Path, ...],
    /,
    *,
    out: Path,
    seed: int = 0,
    n_jobs: int = -1,
    soundfont: tuple[Path, ...] = (),
    variants: int = 1,
    format: Literal["flac", "wav", "ogg", "mp3", "aiff"] = "flac",
) -> None:
    """Turn scores into pairs: the same piece in both styles, as sound and as MIDI.

    Example: thirdstream arrange scores --out pairs

    Both versions have one key and one tempo, and the same bars at the same moments. Run it again
    after an interruption or with more scores: what is done is not done again.

    Args:
        scores: lead sheets with chord symbols, or scores of four parts (MusicXML or MIDI), or
            folders of them.
        out: folder of the pairs; pairs.json says how each was made.
        seed: of key, tempo, ensemble, groove, soundfont, room and microphone.
        n_jobs: pairs at a time; -1 is one a core.
        soundfont: from which each pair draws one; by default, all that are installed.
        variants: pairs of each score, each in another setting.
        format: of the sound; WAV, FLAC and AIFF have 24 bits.
    """
    from thirdstream.notes import pairs

    found = pairs.find_scores(scores)
    jobs = pairs.plan(found, seed=seed, variants=variants, soundfonts=soundfont, format=format)
    left: set[Path] = set()
    with progress_bar() as bar:
        task = bar.add_task("arranging", total=len(jobs))
        for outcome in pairs.make_pairs(jobs, out, n_jobs=n_jobs):
            bar.advance(task)
            if isinstance(outcome, pairs.Left) and outcome.path not in left:
                left.add(outcome.path)
                text = f"skipped {outcome.path}: {outcome.reason}"
                bar.console.print(text, soft_wrap=True, markup=False)
    n_made = len(found) - len(left)
    OUT.print(f"{out} holds the pairs of {n_made} scores", soft_wrap=True, markup=False)
    if left:
        raise Failed(
            f"{len(left)} of {len(found)} scores could not be used; see {out / 'pairs.json'}"
        )


def listen(recordings: tuple[Path, ...], /, *, out: Path, force: bool = False) -> None:
    """Write down what is played in recordings: notes, lead sheet, piano roll.

    Example: thirdstream listen song.mp3 --out heard

    Of each recording NAME.mid has all notes in its own tempo, NAME.musicxml melody and chords,
    NAME.png a picture of both, NAME.json beats, key, chords and melody. Bars of four and of three
    quarter notes are told apart, no others.

    Args:
        recordings: files, or folders that are searched for recordings.
        out: folder for the results.
        force: replace results that exist.
    """
    from thirdstream.notes.listening import listen_file
    from thirdstream.notes.sheet import write_sheets

    pairs = plan(recordings, out, suffix="")
    n_failed = 0
    with progress_bar() as bar:
        task = bar.add_task("listening", total=len(pairs))
        for path, target in pairs:

            def show(share: float, path: Path = path) -> None:
                bar.update(task, description=f"{path.name} {share:.0%}")

            try:
                heard = listen_file(path, progress=show)
                write_sheets(heard, target.parent, target.name, force=force)
                text = f"{path} -> {target}.*"
            except ThirdstreamError as error:
                n_failed += 1
                text = str(error)
            bar.advance(task)
            bar.console.print(text, soft_wrap=True, markup=False)
    if n_failed:
        raise Failed(f"{n_failed} of {len(pairs)} recordings could not be written down")


def info(path: str, /) -> None:
    """Say what is in a corpus or a model.

    Args:
        path: a corpus folder, a run folder, a .safetensors file, or a bundled model's name.
    """
    if (Path(path) / "corpus.json").exists() or (Path(path) / "recordings").is_dir():
        _print_corpus(Corpus.open(Path(path)))
        return
    found = systems.find(path)
    OUT.print(f"[bold]{found}[/bold]", soft_wrap=True)
    OUT.print_json(data=checkpoint.read_header(found))


def list_systems() -> None:
    """List the systems that can be trained and the models that come with the package."""
    table = Table("system", "presets", "parameters", "bundled models")
    bundled: dict[str, list[str]] = {name: [] for name in TWINS}
    for model in systems.bundled_names():
        bundled[checkpoint.read_header(systems.find(model))["system"]].append(model)
    for name, twin in TWINS.items():
        sizes = [sum(p.numel() for p in twin(("a", "b"), c).own_parameters())
                 for c in twin.PRESETS.values()]  # fmt: skip
        columns = (twin.PRESETS, [f"{size:,}" for size in sizes], bundled[name] or ["none"])
        table.add_row(name, *("\n".join(column) for column in columns))
    OUT.print(table)


def demo(*, out: Path = Path("out"), force: bool = False) -> None:
    """Transfer the bundled clips, with pictures and a table of losses.

    Args:
        out: folder for the results.
        force: replace results that exist.
    """
    from thirdstream.demo import run

    loaded = systems.load()
    clips = systems.bundled_clips()
    rows = []
    with progress_bar() as bar:
        task = bar.add_task("demo", total=len(clips))
        for row in run(loaded, clips, out, force=force):
            rows.append(row)
            bar.advance(task)
    table = Table(
        *("clip", "to", "eq. 1", "eq. 2", "RMS dB", "peak"),
        title="Losses of the clip's own half, and the level of the transfer",
        caption="eq. 1: error of the self-reconstruction; eq. 2: how far a code comes back changed",
    )
    for row in rows:
        numbers = (f"{row.reconstruction:.5f}", f"{row.latent:.5f}", f"{row.rms_db:.1f}")
        table.add_row(row.clip, row.to, *numbers, f"{row.peak:.2f}")
    OUT.print(table)
    OUT.print(f"The results lie in {out.resolve()}", soft_wrap=True, markup=False)


CONVENTIONS = (
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.DisallowNone,
    tyro.conf.PositionalMetavarFromFieldName,
)
COMMANDS = {
    "demo": demo,
    "prepare": prepare,
    "train": train,
    "tune": tune,
    "transfer": transfer,
    "figures": figures,
    "claims": claims,
    "evaluate": evaluate,
    "report": report,
    "arrange": arrange,
    "listen": listen,
    "info": info,
    "systems": list_systems,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 all done, 1 a fault that was explained, 2 misuse, 130 Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for file names that are no text
    given = [argument for argument in given if argument != "--debug"]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="thirdstream",
            description=f"thirdstream {version('thirdstream')}: classical recordings into jazz and "
            "jazz into classical. Every command explains itself: thirdstream COMMAND --help. "
            "With --debug, a fault shows where in the program it happened.",
            args=given,
            config=CONVENTIONS,
        )
    except (Interrupted, KeyboardInterrupt) as error:
        _complain(str(error) or "interrupted; run the same command again to go on")
        raise SystemExit(130) from None
    except (Failed, ThirdstreamError) as error:
        if debug:
            raise
        _complain(str(error))
        raise SystemExit(1) from None
    except Exception as error:
        if debug:
            raise
        _complain(f"an unexpected fault ({error!r}); run it with --debug and report what it prints")
        raise SystemExit(1) from None


def _stop(number: int, frame: object) -> None:
    """SIGTERM ends the program as an error does, so that no temporary file is left."""
    raise SystemExit(128 + number)


def _complain(text: str) -> None:
    ERR.print(f"thirdstream: {text}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
