"""What a worker of the page is asked to do: its arguments and answers are what JSON can say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, validate_call

from thirdstream import audio, registry
from thirdstream.web import jobs, worker
from thirdstream.web.description import Description, describe
from thirdstream.web.jobs import Progress, Result
from thirdstream.web.limits import Limits
from thirdstream.web.sessions import Session

SAMPLE_BYTES = 4  # more than a sample takes as WAV and as MP3 together
PICTURES_BYTES = 3_000_000  # of one track
OTHER_BYTES = 5_000_000  # MIDI, sheets, and what is cached on the way
DESCRIPTIONS = TypeAdapter(dict[str, Description])  # to and from JSON
RESULT = TypeAdapter(Result)


def described(models: Mapping[str, str], *, progress: Progress) -> dict[str, Any]:
    """Descriptions by label, for DESCRIPTIONS to read. models: label -> name or path."""
    found: dict[str, Description] = {}
    for label, model in models.items():
        progress(0.0, label)
        found[label] = describe(label, model)
    return DESCRIPTIONS.dump_python(found, mode="json")


@validate_call
def accepted(
    session: Path, limits: Limits, clip: Path, files: dict[str, Path], n_tracks: int, *,
    progress: Any,
) -> int:  # fmt: skip
    """Read the headers of uploads: how many bytes a result of so many tracks may take.

    session: its folder. files: option -> upload. From here on this process is limited. Raises
    ThirdstreamError, as `Session.accepted` does.
    """
    worker.limit(memory_mb=limits.memory_mb, file_mb=limits.total_mb)
    progress(0.0, "reading")
    own = Session(session, limits)
    header = audio.info(own.accepted(clip))
    for file in files.values():
        own.accepted_file(file)
    sample = SAMPLE_BYTES * max(min(header.n_channels, 2), 1)
    longest = int(60 * limits.max_minutes * header.sr) * sample + OTHER_BYTES
    worker.limit(memory_mb=limits.memory_mb, file_mb=longest // 1_000_000 + 1)
    return n_tracks * (header.n_samples * sample + PICTURES_BYTES) + OTHER_BYTES


@validate_call
def restyled(
    session: Path, limits: Limits, models: dict[str, str], clip: Path, folder: Path,
    options: dict[str, Any], files: dict[str, Path], *, progress: Any,
) -> dict[str, Any]:  # fmt: skip
    """`jobs.restyle`, for RESULT to read. files: option -> upload."""
    systems = {label: registry.load(model) for label, model in models.items()}
    own = Session(session, limits)
    uploads = {name: own.accepted_file(file) for name, file in files.items()}
    result = jobs.restyle(own, systems, clip, options | uploads, folder, progress=progress)
    return RESULT.dump_python(result, mode="json")


@validate_call
def measured(original: Path, made: Path, source: str, target: str, *, progress: Any) -> Any:
    """`jobs.measured`."""
    del progress
    return jobs.measured(original=original, made=made, source=source, target=target)
