"""What is learned of a folder of recordings, and kept beside the results."""

from collections.abc import Callable, Sequence
from pathlib import Path

from thirdstream.cli.console import Failed


def recordings_of(
    folder: Path, beside: Path, *, find: Callable[[Path], Sequence[Path]]
) -> list[Path]:
    """What `find` finds in a folder. What lies below `beside`, results of before, is left out where
    that is a folder inside. Raises Failed where nothing else is there."""
    every, results = find(folder), beside.resolve()
    inside = folder.resolve() in results.parents
    paths = [path for path in every if not (inside and results in path.resolve().parents)]
    if not paths:
        which = "no recordings but results" if every else "no recordings"
        raise Failed(f"{folder}: holds {which}; give a folder of some")
    return paths


def is_newer(kept: Path, paths: Sequence[Path]) -> bool:
    """Whether a file is there, and newer than all of these, and their folders: one that was moved
    in may be old."""
    places = {path.parent for path in paths}
    newest = max(path.stat().st_mtime for path in (*paths, *places))
    return kept.is_file() and newest < kept.stat().st_mtime
