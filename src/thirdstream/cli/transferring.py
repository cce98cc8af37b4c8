"""Transfer, and what there is to transfer with."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import joblib
import tyro
from rich.table import Table

from thirdstream import system as systems
from thirdstream.cli import pipes
from thirdstream.cli.console import OUT, Failed, complain, print_json, progress_bar, say, tell
from thirdstream.cli.locks import writes_either, writes_folder
from thirdstream.files import ThirdstreamError
from thirdstream.parallel import Workers, results
from thirdstream.transfer import (
    THERE,
    Options,
    Outcome,
    System,
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
    style: tyro.conf.OmitArgPrefixes[Options],
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
    loaded = systems.load(name)
    if pipes.DASH not in (*inputs, out):
        pairs = plan(inputs, out, suffix=f".{files.format}")
        if workers.alone:
            outcomes = _transfer(loaded, pairs, style, files)
        else:
            loaded.check(style)
            outcomes = _transfer_by(workers, name, pairs, style, files)
    elif len(inputs) != 1 or inputs[0].is_dir():
        raise ThirdstreamError("- stands for a single recording; give one file, or - and no other")
    elif json and out == pipes.DASH:
        raise ThirdstreamError("standard output can't hold both; leave --json out, or give a file")
    else:
        outcomes = _piped(loaded, inputs[0], out, style, files)
    if json:
        print_json({"results": [_as_json(one) for one in outcomes]})
    n_failed = sum(one.error is not None for one in outcomes)
    if n_failed:
        rest = f"; the others are in {out}" if n_failed < len(outcomes) else ""
        raise Failed(f"{n_failed} of {len(outcomes)} recordings failed{rest}")


def _transfer(
    system: System, pairs: Sequence[tuple[Path, Path]], style: Options, files: Files
) -> list[Outcome]:
    """All of them in turn, with a bar that shows how far each is."""
    with progress_bar() as bar:
        task = bar.add_task("transferring", total=len(pairs))

        def show(path: Path, share: float) -> None:
            bar.update(task, description=f"{path.name} {share:.0%}")

        made = transfer_files(
            system,
            pairs,
            style,
            force=files.force,
            skip_existing=files.skip_existing,
            progress=show,
        )
        return [_reported(outcome, lambda: bar.advance(task)) for outcome in made]


def _transfer_by(
    workers: Workers, model: str, pairs: Sequence[tuple[Path, Path]], style: Options, files: Files
) -> list[Outcome]:
    """All of them by several workers, each of which loads the model; in the order of `pairs`."""
    tasks = (joblib.delayed(_transfer_one)(model, *pair, style, files) for pair in pairs)
    with workers.ready() as n_jobs, progress_bar() as bar:
        task = bar.add_task("transferring", total=len(pairs))
        made = results(tasks, n_jobs=n_jobs)
        outcomes = [_reported(outcome, lambda: bar.advance(task)) for outcome in made]
    order = {pair: number for number, pair in enumerate(pairs)}
    return sorted(outcomes, key=lambda one: order[one.path, one.out])


def _transfer_one(model: str, path: Path, out: Path, style: Options, files: Files) -> Outcome:
    """One of them; runs in a process of its own."""
    return outcome_of(
        _loaded(model), path, out, style, force=files.force, skip_existing=files.skip_existing
    )


@lru_cache(maxsize=2)
def _loaded(model: str) -> System:
    """A system, read once a process."""
    return systems.load(model)


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


def _piped(system: System, path: Path, out: Path, style: Options, files: Files) -> list[Outcome]:
    """One recording from standard input, or to standard output, or both. Raises its fault."""
    suffix = f".{files.format}"
    with pipes.recording_in(path) as recording, pipes.result_to(out, suffix=suffix) as made:
        [(_, target)] = plan([recording], made, suffix=suffix)
        if files.skip_existing and target.exists():
            return [Outcome(path, target, THERE)]
        remark = transfer_file(system, recording, target, style, force=files.force)
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
    name, reason = systems.usual()
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

    names = dict.fromkeys([_usual(), *systems.DEMONSTRATED])
    loaded = {name: systems.load(name) for name in names}
    clips = systems.bundled_clips()
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
    if path == systems.SCORE:
        raise ThirdstreamError(f"{path}: is a system without a model; see `thirdstream systems`")
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
    found = systems.find(path)
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
    from thirdstream.mel.models import FAMILIES
    from thirdstream.mel.system import size_of

    models = [_model(name, "bundled") for name in systems.bundled_names()]
    models += [_model(name, "user") for name in systems.user_names()]
    sizes = {
        name: {
            preset: size_of(family.kind(("a", "b"), config))
            for preset, config in family.kind.PRESETS.items()
        }
        for name, family in FAMILIES.items()
    }
    if json:
        found = [{"name": name, "presets": presets} for name, presets in sizes.items()]
        found.append({"name": systems.SCORE, "presets": {}})
        folder = str(systems.user_folder())
        print_json({"systems": found, "models": models, "user_folder": folder})
        return
    table = Table("system", "presets", "parameters", "models")
    for name, presets in sizes.items():
        own = [str(model["name"]) for model in models if model["system"] == name] or ["none"]
        columns = (list(presets), [f"{size:,}" for size in presets.values()], own)
        table.add_row(name, *("\n".join(column) for column in columns))
    table.add_row(systems.SCORE, "", "", "needs no training")
    OUT.print(table)
    tell(f"your own: {systems.user_folder()}")


def _model(name: str, origin: Literal["bundled", "user"]) -> dict[str, str | None]:
    """What is listed of a model; the system of a file that is none is None."""
    from thirdstream import checkpoint

    path, system = systems.find(name), None
    try:
        system = checkpoint.read_header(path)["family"]
    except ThirdstreamError as error:
        complain(str(error))
    return {"name": name, "system": system, "origin": origin, "path": str(path)}
