"""What the page does with a clip: check, transfer, draw, write down, measure. No browser in here.

An upload is decoded once, so that the original beside a result is WAV of as many samples; errors
name files as their owner does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from thirdstream import audio
from thirdstream.files import ThirdstreamError
from thirdstream.packages import extra
from thirdstream.system import Notation, Sheet, System, options_of
from thirdstream.transfer.files import transfer_file
from thirdstream.web.sessions import Session, without_folders

MP3_SR = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # Hz
MEASURED_S = 30.0  # from the middle of a clip
SHOWN = (  # of METRICS: what one transfer can be told by
    "chroma_cosine", "beat_f_measure", "note_precision", "note_recall",
    "target_tag", "source_tag", "clipping_share", "silence_share",
)  # fmt: skip
Progress = Callable[[float, str], None]  # is told the share that is done, and of what


class Track(NamedTuple):
    """Something to listen to: a sound file, and the PNG of its mel spectrogram beside it."""

    name: str
    path: Path
    picture: Path


@dataclass(frozen=True)
class Result:
    """What came of one clip: the original first, then what each system made of it."""

    name: str
    source: str
    to: str
    tracks: tuple[Track, ...]
    downloads: Mapping[str, Path] = field(default_factory=dict)
    sheet: Sheet | None = None
    remarks: tuple[str, ...] = ()


def restyle(
    session: Session,
    systems: Mapping[str, System[Any]],
    clip: str | Path | None,
    options: Mapping[str, Any],
    folder: Path,
    *,
    progress: Progress,
) -> Result:
    """Transfer an uploaded clip with each system, by label.

    options: by name; each system gets those that it takes. folder: of the session, for what is
    made. Raises ThirdstreamError that a user can act on, and whatever `progress` raises.
    """
    path = session.accepted(clip)
    progress(0.0, "reading and drawing")
    wav = session.decoded(path, folder)
    tracks, files, remarks, sheet = [track("original", wav)], {}, [], None
    for label, system in systems.items():
        music: list[Notation] = []
        system.on_notation = music.append
        made, remark = transferred(system, wav, options, label=label, progress=progress)
        progress(1.0, f"{label}: drawing")
        tracks.append(track(label, made))
        remarks += [remark] if remark else []
        by = f"{label}: " if len(systems) > 1 else ""
        files |= {f"{by}WAV": made, f"{by}MP3": as_mp3(made)}
        if music:
            progress(1.0, f"{label}: writing it down")
            with without_folders(wav):
                sheet = music[0].write(wav, made)
            files |= {f"{by}{kind}": file for kind, file in sheet.files.items()}
    first, to = next(iter(systems.values())), options["to"]
    source = options.get("source") or next((one for one in first.styles if one != to), to)
    return Result(path.name, source, to, tuple(tracks), files, sheet, tuple(remarks))


def transferred(
    system: System[Any], wav: Path, options: Mapping[str, Any], *, label: str, progress: Progress
) -> tuple[Path, str | None]:
    """Transfer a WAV into one beside it, NAME_to_STYLE_by_LABEL.wav; with the remark, if any.

    Raises ThirdstreamError as `transfer_file` does, and whatever `progress` raises.
    """
    system.ready()
    taken = values_for(system, options)
    out = wav.with_name(f"{wav.stem}_to_{options['to']}_by_{label}.wav")
    with without_folders(wav, *(one for one in taken.values() if isinstance(one, Path))):
        remark = transfer_file(
            system, wav, out, system.choose(**taken), progress=lambda share: progress(share, label)
        )
    return out, remark and f"the recording {remark}"


def values_for(system: System[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that a system takes, of the types that it takes.

    Raises ThirdstreamError on one that has no such value.
    """
    values: dict[str, Any] = {}
    for one in options_of(system.options):
        if one.name in options:
            try:
                values[one.name] = TypeAdapter(one.type).validate_python(options[one.name])
            except ValidationError:
                raise ThirdstreamError(f"{one.name.replace('_', ' ')}: has no such value") from None
    return values


def track(name: str, wav: Path) -> Track:
    """A file to listen to, and the picture of its mel spectrogram, drawn here."""
    from thirdstream.mel.features.logmel import LogMel
    from thirdstream.report.spectrograms import mel_picture

    picture = wav.with_suffix(".mel.png")
    picture.write_bytes(mel_picture(wav, LogMel()))
    return Track(name, wav, picture)


def as_mp3(wav: Path) -> Path:
    """The same sound as MP3, of 44.1 kHz where MP3 does not know the rate."""
    header = audio.info(wav)
    sr = header.sr if header.sr in MP3_SR else 44_100
    out = wav.with_suffix(".mp3")
    blocks = audio.blocks(wav, sr=sr, mono=False)
    audio.write(out, blocks, sr=sr, n_channels=header.n_channels)
    return out


def measured(
    *, original: Path, made: Path, source: str, target: str
) -> tuple[dict[str, float], list[str]]:
    """METRICS of one transfer, over 30 s from the middle, and what could not be measured and why.

    Raises ThirdstreamError without the extra `evaluate`, and on silence.
    """
    with extra("evaluate", "evaluating"):
        from thirdstream.evaluation.material import excerpt
        from thirdstream.evaluation.measure import analyse, compare, evaluation_models

    models = replace(evaluation_models(), classifiers=None)  # the page shows one tagger's answer
    with without_folders(original, made):
        before, after = [analyse(excerpt(path, MEASURED_S), models) for path in (original, made)]
        row = compare(original=before, output=after, source=source, target=target)
    left = models.left_out((source, target))
    missing = []
    for reason in dict.fromkeys(left.values()):
        names = [name.replace("_", " ") for name in SHOWN if left.get(name) == reason]
        missing += [f"{', '.join(names)}: {reason}"] if names else []
    return {name: float(row[name]) for name in SHOWN if name in row}, missing
