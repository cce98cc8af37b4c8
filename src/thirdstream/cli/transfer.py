"""Recordings into another style."""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from thirdstream import registry
from thirdstream.cli import pipes
from thirdstream.cli.console import Failed, FilesBar, complain, print_json, progress_bar, say
from thirdstream.cli.locks import writes_either
from thirdstream.cli.system_options import options_of_all
from thirdstream.cli.systems import default_system
from thirdstream.files import ThirdstreamError, check_free
from thirdstream.parallel import Workers, results
from thirdstream.system import Options, System
from thirdstream.transfer.files import (
    THERE,
    Outcome,
    names_a_file,
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
    model: Annotated[
        str | None, tyro.conf.arg(help_behavior_hint=f"(default: {registry.DEFAULT})")
    ] = None,
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
        model: name of a system or of a model (see `thirdstream systems`), a .safetensors file, or a
            run folder. Where parts of the default are not installed, twin-cnn takes its place, and
            a remark says so.
        files: what happens to files.
        workers: who does the work.
        json: print what became of each recording as JSON on standard output.
    """
    name = model or default_system()
    entry = registry.SYSTEMS.get(name)
    if entry is not None and entry.is_indexed and style.to and Path(style.to).is_dir():
        name, style = _with_folder_indexed(style, inputs, out, files)
    system = registry.load(name)
    if system.terms:
        say(system.terms)
    is_piped = pipes.DASH in (*inputs, out)
    if is_piped:
        _check_piped(inputs, out, json=json)
    options = system.accept(_with_folder_learned(system, style, inputs, out, files))
    if is_piped:
        outcomes = [_piped(system, inputs[0], out, options, files)]
    else:
        pairs, outcomes = plan(inputs, out, suffix=f".{files.format}"), []
        with workers.ready() as n_jobs, progress_bar() as bar:
            bar_of_files = FilesBar(bar, "transferring", len(pairs))
            if workers.alone:
                made = transfer_files(
                    system,
                    pairs,
                    options,
                    force=files.force,
                    skip_existing=files.skip_existing,
                    progress=bar_of_files.show,
                )
            else:
                import joblib

                tasks = (joblib.delayed(_by_worker)(name, pair, options, files) for pair in pairs)
                made = results(tasks, n_jobs=n_jobs, in_order=True)
            for one in made:
                if not one.error:
                    bar_of_files.done(one.path)
                if not one.error or len(pairs) > 1:  # the fault of a single one is said at the end
                    _report(one)
                outcomes.append(one)
    if json:
        print_json({"results": [_as_json(one) for one in outcomes]})
    _check(outcomes, out)


def _with_folder_learned(
    system: System[Any], style: Options, inputs: Sequence[Path], out: Path, files: Files
) -> Options:
    """The options with a style file in place of the folder to learn it from, if `to` is one.

    The file is kept beside the results. Faults that would come up afterwards are said before.
    """
    folder = Path(style.to)
    is_known = style.to in system.styles or not system.learns_styles
    if is_known or not style.to or not folder.is_dir():
        return style
    builtin = {"to": system.styles[0], "ensemble": None}  # its players are known when it is learned
    own = {field.name for field in dataclasses.fields(style)}
    as_builtin = dataclasses.replace(style, **{k: v for k, v in builtin.items() if k in own})
    system.accept(as_builtin)
    from thirdstream.cli.styles import learned_from

    beside, is_done = _beside(folder, inputs, out, files)
    if is_done:  # nothing is played, by whatever style
        return as_builtin
    return dataclasses.replace(style, to=str(learned_from(folder, beside)))


def _with_folder_indexed(
    style: Options, inputs: Sequence[Path], out: Path, files: Files
) -> tuple[str, Options]:
    """The index of the folder that `to` is, and the options with the style that it has.

    The index is kept beside the results. Faults that would come up afterwards are said before.
    """
    from thirdstream.cli.index import indexed_from, style_of
    from thirdstream.notes.mosaicing.system import to_be_indexed

    folder = Path(style.to)
    own = dataclasses.replace(style, to=style_of(folder))
    to_be_indexed(own.to).accept(own)
    beside, _ = _beside(folder, inputs, out, files)
    return str(indexed_from(folder, beside)), own


def _beside(folder: Path, inputs: Sequence[Path], out: Path, files: Files) -> tuple[Path, bool]:
    """Where what is learned of a folder is kept, and whether all results are there to be skipped.

    Raises ThirdstreamError where nothing could be transferred or written.
    """
    if inputs and not any(path == pipes.DASH or path.exists() for path in inputs):
        raise ThirdstreamError(f"{inputs[0]}: there is no such file; check the path")
    if out == pipes.DASH:
        return Path(), False
    beside = out.parent if names_a_file(out) else out
    if beside.resolve() == folder.resolve():
        raise ThirdstreamError(
            f"{beside}: holds the recordings that the style is learned from; choose another folder "
            "for the results"
        )
    targets = _targets(inputs, out, suffix=f".{files.format}")
    is_done = not files.force and all(target.exists() for target in targets)
    if is_done and not files.skip_existing:
        check_free(targets[0])
    return beside, is_done


def _targets(inputs: Sequence[Path], out: Path, *, suffix: str) -> list[Path]:
    """Where results go."""
    if pipes.DASH in inputs:
        return [out if names_a_file(out) else out / f"{pipes.KEPT}{suffix}"]
    return [target for _, target in plan(inputs, out, suffix=suffix)]


def _by_worker(name: str, pair: tuple[Path, Path], options: Options, files: Files) -> Outcome:
    """One recording; runs in a process of its own."""
    [outcome] = transfer_files(
        _loaded(name), [pair], options, force=files.force, skip_existing=files.skip_existing
    )
    return outcome


@lru_cache(maxsize=2)
def _loaded(name: str) -> System[Any]:
    """A system, loaded once a process."""
    return registry.load(name)


def _report(one: Outcome) -> None:
    if one.error:
        complain(one.error)
    else:
        say(f"{one.path} -> {one.out}" + (f" ({one.remark})" if one.remark else ""))


def _check_piped(inputs: Sequence[Path], out: Path, *, json: bool) -> None:
    """Raise ThirdstreamError where more is asked for than goes through a pipe."""
    if len(inputs) != 1 or inputs[0].is_dir():
        raise ThirdstreamError("- stands for a single recording; give one file, or - and no other")
    if json and out == pipes.DASH:
        raise ThirdstreamError("standard output can't hold both; leave --json out, or give a file")


def _piped(system: System[Any], path: Path, out: Path, options: Options, files: Files) -> Outcome:
    """One recording from standard input, or to standard output, or both. Raises its fault."""
    suffix = f".{files.format}"
    with pipes.recording_in(path) as recording, pipes.result_to(out, suffix=suffix) as made:
        [(_, target)] = plan([recording], made, suffix=suffix)
        if files.skip_existing and target.exists():
            return Outcome(path, target, THERE)
        remark = transfer_file(system, recording, target, options, force=files.force)
    done = Outcome(path, out if out == pipes.DASH else target, remark)
    _report(done)
    return done


def _check(outcomes: Sequence[Outcome], out: Path) -> None:
    """Raise Failed where recordings failed: with the fault of a single one, or their number."""
    faults = [one.error for one in outcomes if one.error is not None]
    if len(outcomes) == 1 and faults:
        raise Failed(faults[0])
    if faults:
        rest = f"; the others are in {out}" if len(faults) < len(outcomes) else ""
        raise Failed(f"{len(faults)} of {len(outcomes)} recordings failed{rest}")


def _as_json(one: Outcome) -> dict[str, str | None]:
    status = "failed" if one.error else "skipped" if one.remark == THERE else "written"
    return {
        "input": str(one.path),
        "output": str(one.out),
        "status": status,
        "remark": one.remark,
        "error": one.error,
    }
