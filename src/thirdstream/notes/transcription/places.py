"""Where the files of a transcription go. It imports little: `listen` asks before it transcribes."""

from collections.abc import Iterable
from pathlib import Path

from thirdstream.files import check_free
from thirdstream.notes.io.engraving import can_engrave

SHEETS, PDF = (".mid", ".musicxml", ".png", ".json"), ".pdf"
CHECKS = ("_clicks.flac", "_chords.flac")


def sheet_paths(out: Path, name: str, *, force: bool = False) -> list[Path]:
    """Where `write_sheets` writes. Raises ThirdstreamError where one exists without `force`."""
    return _free(out, name, (*SHEETS, PDF) if can_engrave() else SHEETS, force=force)


def check_paths(out: Path, name: str, *, force: bool = False) -> list[Path]:
    """Where `write_checks` writes. Raises ThirdstreamError where one exists without `force`."""
    return _free(out, name, CHECKS, force=force)


def _free(out: Path, name: str, endings: Iterable[str], *, force: bool) -> list[Path]:
    paths = [out / f"{name}{ending}" for ending in endings]
    for path in paths:
        check_free(path, force=force)
    return paths
