"""Transfer, and what there is to transfer with."""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro
from rich.table import Table

from thirdstream import checkpoint, systems
from thirdstream.commands.console import ERR, OUT, Failed, progress_bar
from thirdstream.commands.corpora import print_corpus
from thirdstream.corpus import Corpus
from thirdstream.mel import TWINS
from thirdstream.notes.system import ScoreSystem
from thirdstream.transfer import Options, Outcome, plan, transfer_files


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
    model: str | None = None,
    files: tyro.conf.OmitArgPrefixes[Files] = Files(),
) -> None:
    """Turn recordings into another style.

    Example: thirdstream transfer song.mp3 --to jazz --out restyled

    Length, rate and loudness stay as they are; stereo stays stereo, more channels become one.

    Args:
        inputs: files, or folders that are searched for recordings.
        out: folder for the results; for a single recording also a file name.
        style: into which style, and how.
        model: score, the name of a bundled model, a .safetensors file, or a run folder. By default
            score, which plays the piece anew; twin-cnn where parts of it are missing (it says so).
        files: what happens to files.
    """
    loaded = systems.load(model or _usual())
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


def _usual() -> str:
    """The default system; says what is missing where it is not the best."""
    name, reason = systems.usual()
    if reason:
        ERR.print(
            f"{name} transfers the sound alone; score, which plays the piece anew, is not complete "
            f"here: {reason}",
            soft_wrap=True,
            markup=False,
        )
    return name


def demo(*, out: Path = Path("out"), force: bool = False) -> None:
    """Transfer the bundled clips with every system, with pictures and a page to listen on.

    Args:
        out: folder for the results.
        force: replace results that exist.
    """
    from thirdstream.demo import PAGE, run

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
    OUT.print(f"Look and listen: {(out / PAGE).resolve()}", soft_wrap=True, markup=False)


def info(path: str, /) -> None:
    """Say what is in a corpus or a model.

    Args:
        path: a corpus folder, a run folder, a .safetensors file, or a bundled model's name.
    """
    if (Path(path) / "corpus.json").exists() or (Path(path) / "recordings").is_dir():
        print_corpus(Corpus.open(Path(path)))
        return
    found = systems.find(path)
    OUT.print(f"[bold]{found}[/bold]", soft_wrap=True)
    OUT.print_json(data=checkpoint.read_header(found))


def list_systems() -> None:
    """List all systems, and the models that come with the package."""
    table = Table("system", "presets", "parameters", "bundled models")
    bundled: dict[str, list[str]] = {name: [] for name in TWINS}
    for model in systems.bundled_names():
        bundled[checkpoint.read_header(systems.find(model))["system"]].append(model)
    for name, twin in TWINS.items():
        sizes = [sum(p.numel() for p in twin(("a", "b"), c).own_parameters())
                 for c in twin.PRESETS.values()]  # fmt: skip
        columns = (twin.PRESETS, [f"{size:,}" for size in sizes], bundled[name] or ["none"])
        table.add_row(name, *("\n".join(column) for column in columns))
    table.add_row(ScoreSystem.name, "", "", "needs no training")
    OUT.print(table)
