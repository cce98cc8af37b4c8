"""How a training went: a line of JSON an epoch, beside the models that it made."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from thirdstream.files import ThirdstreamError, from_json, write_text
from thirdstream.records import record

NAME = "history.jsonl"


@dataclass(frozen=True)
class Epoch:
    """The mean of every loss over an epoch's steps, and what was known at its end.

    epoch, step: numbered from 1. validation: losses; empty without validation recordings.
    diversity, alarm: see `training.Step`.
    """

    epoch: int
    step: int
    train: Mapping[str, float]
    validation: Mapping[str, float] | None = None
    diversity: float | None = None
    alarm: str | None = None


def append(epoch: Epoch, path: Path) -> None:
    """Write an epoch's line in the place of it and of all that follow; damaged lines go."""
    lines = _lines(path) if path.exists() else []
    kept = [line for line in lines if _epoch_of(line) < epoch.epoch]
    write_text(path, "\n".join([*kept, json.dumps(asdict(epoch))]) + "\n")


def _epoch_of(line: str) -> float:
    """The number of a line of history; infinite, so that it is dropped, where it is damaged."""
    try:
        return float(from_json(line)["epoch"])
    except (KeyError, TypeError, ValueError):
        return math.inf


def beside(checkpoint: Path) -> Path | None:
    """The history of a model: the run folder's, or NAME.history.jsonl; None where there is none."""
    names = (checkpoint.with_suffix(f".{NAME}"), checkpoint.with_name(NAME))
    return next((path for path in names if path.is_file()), None)


def read(path: Path) -> list[Epoch]:
    """All epochs, one or more. Raises ThirdstreamError, with the line, where one tells of none."""
    epochs = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            epochs.append(record(Epoch, from_json(line)))
        except ValueError as error:
            raise ThirdstreamError(
                f"{path}: line {number} tells of no epoch ({error}); delete the line"
            ) from error
    if not epochs:
        raise ThirdstreamError(f"{path}: is empty; delete it, or train for an epoch")
    return epochs


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
