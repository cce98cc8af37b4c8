"""What a worker of the page is asked to do: its arguments and answers are what JSON can say."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thirdstream import audio, registry
from thirdstream.files import ThirdstreamError
from thirdstream.system import Sheet, options_of
from thirdstream.web import worker, workshop
from thirdstream.web.rooms import Limits, Room
from thirdstream.web.workshop import Progress, Result, Track

SAMPLE_BYTES = 4  # more than a sample takes as WAV and as MP3 together
PICTURES_BYTES = 3_000_000  # of one track
OTHER_BYTES = 5_000_000  # MIDI, sheets, and what is cached on the way


def described(models: Mapping[str, str], *, tell: Progress) -> dict[str, dict[str, Any]]:
    """What the form shows of each system, by label, and what it lacks ("" where nothing)."""
    found = {}
    for label, model in models.items():
        tell(0.0, label)
        system = registry.load(model)
        try:
            system.ready()
            lack = ""
        except ThirdstreamError as error:
            lack = f"{label} cannot be used yet: {error}"
        options = {one.name: one.default for one in options_of(system.options)}
        found[label] = {
            "styles": list(system.styles), "strength": options["style_strength"],
            "keep": options["keep_content"], "takes": list(options), "lack": lack,
        }  # fmt: skip
    return found


def accepted(
    room: str, limits: Mapping[str, Any], uploads: Sequence[str], n_tracks: int, *, tell: Progress
) -> int:
    """Read the headers of uploads: how many bytes a result of so many tracks may take.

    From here on this process is limited. Raises ThirdstreamError, as `Room.accepted` does.
    """
    given = Limits(**limits)
    worker.limit(memory_mb=given.memory_mb, file_mb=given.total_mb)
    tell(0.0, "reading")
    own = Room(Path(room), given)
    headers = [audio.info(own.accepted(upload)) for upload in uploads]
    first = headers[0]
    sample = SAMPLE_BYTES * max(min(first.n_channels, 2), 1)
    longest = int(60 * given.max_minutes * first.sr) * sample + OTHER_BYTES
    worker.limit(memory_mb=given.memory_mb, file_mb=longest // 1_000_000 + 1)
    n_samples = first.n_samples
    return n_tracks * (n_samples * sample + PICTURES_BYTES) + OTHER_BYTES


def restyled(
    room: str, limits: Mapping[str, Any], models: Mapping[str, str], clip: str, folder: str,
    options: Mapping[str, Any], *, tell: Progress,
) -> dict[str, Any]:  # fmt: skip
    """`restyle`."""
    chosen = {label: registry.load(model) for label, model in models.items()}
    own = Room(Path(room), Limits(**limits))
    result = workshop.restyle(own, chosen, clip, options, Path(folder), progress=tell)
    return written(result)


def measured(original: str, made: str, source: str, target: str, *, tell: Progress) -> Any:
    """Scores of one transfer, as pairs of name and value, and what could not be measured."""
    del tell
    scores, missing = workshop.measured(
        original=Path(original), made=Path(made), source=source, target=target
    )
    return [list(score) for score in scores], missing


def written(result: Result) -> dict[str, Any]:
    """A result as JSON has it."""
    plain = asdict(result) | {
        "tracks": [[one.name, str(one.path), str(one.picture)] for one in result.tracks],
        "downloads": {label: str(path) for label, path in result.downloads.items()},
        "sheet": result.sheet and [str(result.sheet.picture), list(result.sheet.bars)],
    }
    return plain | {"remarks": list(result.remarks)}


def read(plain: Mapping[str, Any]) -> Result:
    """The inverse of `written`."""
    sheet = plain["sheet"]
    return Result(
        name=plain["name"],
        source=plain["source"],
        to=plain["to"],
        tracks=tuple(Track(name, Path(wav), Path(png)) for name, wav, png in plain["tracks"]),
        downloads={label: Path(path) for label, path in plain["downloads"].items()},
        sheet=Sheet(Path(sheet[0]), tuple(sheet[1]), {}) if sheet else None,
        remarks=tuple(plain["remarks"]),
    )
