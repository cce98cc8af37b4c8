"""The bundled clips in the other style."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from thirdstream import registry
from thirdstream.cli.console import OUT, progress_bar, tell
from thirdstream.cli.locks import writes_folder
from thirdstream.cli.systems import default_system


@writes_folder
def demo(*, out: Path = Path("out"), force: bool = False) -> None:
    """Transfer the bundled clips with ten systems, with pictures and a page to listen on.

    Args:
        out: folder for the results.
        force: replace results that exist.
    """
    from thirdstream.report.demo import PAGE, run

    names = dict.fromkeys([default_system(), *registry.DEMONSTRATED])
    loaded = {name: registry.load(name) for name in names}
    clips = registry.bundled_clips()
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)  # so that it fits 80 columns
    table.add_column("clip", overflow="fold")
    table.add_column("system", no_wrap=True)
    for column in ("to", "RMS dB", "peak"):
        table.add_column(column)
    with progress_bar() as bar:
        task = bar.add_task("demo", total=len(clips) * len(loaded))
        for row in run(loaded, clips, out, force=force):
            level = (f"{row.rms_db:.1f}", f"{row.peak:.2f}")
            table.add_row(row.clip.stem, row.system, row.to, *level)
            bar.advance(task)
    OUT.print(table)
    tell(f"Look and listen: {(out / PAGE).resolve()}")
