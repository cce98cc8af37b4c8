"""Transfer, and what there is to transfer with."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import joblib
import tyro
from rich.table import Table

from thirdstream import registry
from thirdstream.cli import pipes
from thirdstream.cli.console import OUT, Failed, complain, print_json, progress_bar, say, tell
from thirdstream.cli.locks import writes_either, writes_folder
from thirdstream.cli.system_options import options_of_all
from thirdstream.files import ThirdstreamError
from thirdstream.parallel import Workers, results
from thirdstream.system import Options, System, options_of
from thirdstream.transfer.files import (
    THERE,
    Outcome,
    outcome_of,
    plan,
    transfer_file,
    transfer_files,
)


@dataclasses.dataclass(frozen=True)
class Files:
    """What happens to files that are there already, and how new ones are written."""

    force: bool = False
    """Replace results that exist."""
    skip_existing: bool = False
    """Leave recordings out whose result exists."""
    format: Literal["wav", "flac", "ogg", "mp3", "aiff"] = "wav"
    """Of results whose name you do not give; WAV, FLAC and AIFF have 24 bits."""


@writes_either
def transfer(
    inputs: tuple[Path, ...],
    /,
    *,
    out: Path,
    style: Annotated[
        Options,
        tyro.conf.OmitArgPrefixes,
        tyro.conf.arg(constructor_factory=options_of_all),
    ],
    model: str | None = None,
    files: tyro.conf.OmitArgPrefixes[Files] = Files(),
    workers: tyro.conf.OmitArgPrefixes[Workers] = Workers(n_jobs=1),  # noqa: B008
    json: bool = False,
) -> None:
    """Turn recordings into another style.

    Example: thirdstream transfer song.mp3 --to jazz --out restyled

    Length, rate and loudness stay as they are; stereo stays stereo, more channels become one.

    Args:
        inputs: files, or folders that are searched for recordings; - is standard input.
        out: folder for the results; for a single recording also a file name, or - for standard
            output.
        style: into which style, and how.
        model: score, the name of a model (see `thirdstream systems`), a .safetensors file, or a run
            folder. By default score, which plays the piece anew; twin-cnn where parts of it are
            missing, and it says so.
        files: what happens to files.
        workers: who does the work.
        json: print what became of each recording as JSON on standard output.
    """
    name = model or _usual()
    loaded = registry.load(name)
    options = loaded.accept(style)
    if pipes.DASH not in (*inputs, out):
        pairs = plan(inputs, out, suffix=f".{files.format}")
        if workers.alone:
            outcomes = _transfer(loaded, pairs, options, files)
        else:
            outcomes = _transfer_by(workers, name, pairs, options, files)
    elif len(inputs) != 1 or inputs[0].is_dir():
        raise ThirdstreamError("- stands for a single recording; give one file, or - and no other")
    elif json and out == pipes.DASH:
        raise ThirdstreamError("standard output can't hold both; leave --json out, or give a file")
    else:
        outcomes = _piped(loaded, inputs[0], out, options, files)
    if json:
        print_json({"results": [_as_json(one) for one in outcomes]})
    n_failed = sum(one.error is not None for one in outcomes)
    if n_failed:
        rest = f"; the others are in {out}" if n_failed < len(outcomes) else ""
        raise Failed(f"{n_failed} of {len(outcomes)} recordings failed{rest}")


def _transfer(
    system: System[Any], pairs: Sequence[tuple[Path, Path]], options: Options, files: Files
) -> list[Outcome]:
    """All of them in turn, with a bar that shows how far each is."""
    with progress_bar() as bar:
        task = bar.add_task("transferring", total=len(pairs))

        def show(path: Path, share: float) -> None:
            bar.update(task, description=f"{path.name} {share:.0%}")

        made = transfer_files(
            system,
            pairs,
            options,
            force=files.force,
            skip_existing=files.skip_existing,
            progress=show,
        )
        return [_reported(outcome, lambda: bar.advance(task)) for outcome in made]


def _transfer_by(
    workers: Workers, model: str, pairs: Sequence[tuple[Path, Path]], options: Options, files: Files
) -> list[Outcome]:
    """All of them by several workers, each of which loads the model; in the order of `pairs`."""
    tasks = (joblib.delayed(_transfer_one)(model, *pair, options, files) for pair in pairs)
    with workers.ready() as n_jobs, progress_bar() as bar:
        task = bar.add_task("transferring", total=len(pairs))
        made = results(tasks, n_jobs=n_jobs)
        outcomes = [_reported(outcome, lambda: bar.advance(task)) for outcome in made]
    order = {pair: number for number, pair in enumerate(pairs)}
    return sorted(outcomes, key=lambda one: order[one.path, one.out])


def _transfer_one(model: str, path: Path, out: Path, options: Options, files: Files) -> Outcome:
    """One of them; runs in a process of its own."""
    return outcome_of(
        _loaded(model), path, out, options, force=files.force, skip_existing=files.skip_existing
    )


@lru_cache(maxsize=2)
def _loaded(model: str) -> System[Any]:
    """A system, read once a process."""
    return registry.load(model)


def _reported(one: Outcome, advance: Callable[[], None]) -> Outcome:
    """The outcome, after a line on it."""
    advance()
    if one.error:
        complain(one.error)
    else:
        say(_written(one))
    return one


def _written(one: Outcome) -> str:
    return f"{one.path} -> {one.out}" + (f" ({one.remark})" if one.remark else "")


def _piped(
    system: System[Any], path: Path, out: Path, options: Options, files: Files
) -> list[Outcome]:
    """One recording from standard input, or to standard output, or both. Raises its fault."""
    suffix = f".{files.format}"
    with pipes.recording_in(path) as recording, pipes.result_to(out, suffix=suffix) as made:
        [(_, target)] = plan([recording], made, suffix=suffix)
        if files.skip_existing and target.exists():
            return [Outcome(path, target, THERE)]
        remark = transfer_file(system, recording, target, options, force=files.force)
    done = Outcome(path, out if out == pipes.DASH else target, remark)
    say(_written(done))
    return [done]


def _as_json(one: Outcome) -> dict[str, str | None]:
    status = "failed" if one.error else "skipped" if one.remark == THERE else "written"
    return {
        "input": str(one.path),
        "output": str(one.out),
        "status": status,
        "remark": one.remark,
        "error": one.error,
    }


def _usual() -> str:
    """The default system; says what is missing where it is not the best."""
    name, reason = registry.default_system()
    if reason:
        say(
            f"{name} transfers the sound alone; score, which plays the piece anew, is not complete "
            f"here: {reason}"
        )
    return name


@writes_folder
def demo(*, out: Path = Path("out"), force: bool = False) -> None:
    """Transfer the bundled clips with six systems, with pictures and a page to listen on.

    Args:
        out: folder for the results.
        force: replace results that exist.
    """
    from thirdstream.report.demo import PAGE, run

    names = dict.fromkeys([_usual(), *registry.DEMONSTRATED])
    loaded = {name: registry.load(name) for name in names}
    clips = registry.bundled_clips()
    table = Table("clip", "system", "to", "RMS dB", "peak")
    with progress_bar() as bar:
        task = bar.add_task("demo", total=len(clips) * len(loaded))
        for row in run(loaded, clips, out, force=force):
            level = (f"{row.rms_db:.1f}", f"{row.peak:.2f}")
            table.add_row(row.clip.stem, row.system, row.to, *level)
            bar.advance(task)
    OUT.print(table)
    tell(f"Look and listen: {(out / PAGE).resolve()}")


def info(path: str, /, *, json: bool = False) -> None:
    """Say what is in a corpus or a model.

    Args:
        path: a corpus folder or its address, a run folder, a .safetensors file, or a model's name.
        json: print it as JSON on standard output.
    """
    from thirdstream import checkpoint
    from thirdstream.cli.corpora import print_corpus
    from thirdstream.data.corpus import Corpus, is_corpus

    if is_corpus(path):
        opened = Corpus.open(path)
        if json:
            print_json({"kind": "corpus", "path": path, "styles": opened.summary()})
        else:
            print_corpus(opened)
        return
    found = registry.find(path)
    header = checkpoint.read_header(found)
    if json:
        print_json({"kind": "model", "path": str(found), "header": header})
        return
    tell(str(found))
    print_json(header)


def list_systems(*, json: bool = False) -> None:
    """List all systems and all models that are found by name.

    A model of your own is found by name in the folder that is shown, as NAME.safetensors or as a
    run folder NAME. The environment variable THIRDSTREAM_MODELS names another folder.

    Args:
        json: print them as JSON on standard output.
    """
    models = [_model(name, "bundled") for name in registry.bundled_names()]
    models += [_model(name, "user") for name in registry.user_names()]
    entries, folder = registry.SYSTEMS.values(), str(registry.user_folder())
    sizes = {entry.name: entry.sizes() for entry in entries}
    if json:
        found = [
            {"name": one.name, "about": one.about, "presets": sizes[one.name],
             "options": {option.name: option.help for option in options_of(one.options, own=True)}}
            for one in entries
        ]  # fmt: skip
        print_json({"systems": found, "models": models, "user_folder": folder})
        return
    kinds = Table("system", "what it does", "its own options")
    trained = Table("system", "presets", "parameters", "models")
    for one in entries:
        flags = (
            f"--{option.name.replace('_', '-')}" for option in options_of(one.options, own=True)
        )
        kinds.add_row(one.name, one.about, "\n".join(flags))
        if one.is_trained:
            names = [str(model["name"]) for model in models if model["system"] == one.name]
            numbers = [f"{size:,}" for size in sizes[one.name].values()]
            columns = (list(sizes[one.name]), numbers, names or ["none"])
            trained.add_row(one.name, *("\n".join(column) for column in columns))
    OUT.print(kinds)
    OUT.print(trained)
    tell(f"your own: {folder}")


def _model(name: str, origin: Literal["bundled", "user"]) -> dict[str, str | None]:
    """What is listed of a model; the system of a file that is none is None."""
    from thirdstream import checkpoint

    path, system = registry.find(name), None
    try:
        system = checkpoint.read_header(path)["system"]
    except ThirdstreamError as error:
        complain(str(error))
    return {"name": name, "system": system, "origin": origin, "path": str(path)}
