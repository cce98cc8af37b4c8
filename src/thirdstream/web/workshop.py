"""What the page does with a clip: check, transfer, draw, write down, measure. No browser in here.

Everything lies in one folder that goes when the page does. An upload is decoded once, so that the
original beside a result is WAV of as many samples; errors name files as their owner does.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.evaluation import needed
from thirdstream.files import ThirdstreamError
from thirdstream.transfer import Options, System, transfer_file

if TYPE_CHECKING:
    from thirdstream.notes.system import Played

MP3_SR = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # Hz
MEASURED_S = 30.0  # from the middle of a clip
SHOWN = (  # of METRICS: what one transfer can be told by
    "chroma_cosine", "beat_f_measure", "note_precision", "note_recall",
    "target_tag", "source_tag", "clipping_share", "silence_share",
)  # fmt: skip
Progress = Callable[[float, str], None]  # is told the share that is done, and of what


class Cancelled(Exception):
    """The user does not want the result any more."""


@dataclass(frozen=True)
class Limits:
    """What one page takes on. keep_minutes: how long files stay after they were last worked on."""

    max_minutes: float = 10.0
    max_mb: int = 200
    jobs: int = 1
    keep_minutes: float = 60.0

    def __post_init__(self) -> None:
        if not (self.max_minutes > 0 and self.max_mb >= 1 and self.jobs >= 1):
            raise ThirdstreamError("max-minutes must be above 0, max-mb and jobs 1 or more")
        if not self.keep_minutes >= 1:
            raise ThirdstreamError("keep-minutes must be 1 or more: files are needed for a moment")


class Track(NamedTuple):
    """Something to listen to: a WAV file, and the PNG of its mel beside it."""

    name: str
    path: Path
    picture: Path


class Sheet(NamedTuple):
    """What was heard on the way, of systems that go by way of a score. bars: chords of each."""

    roll: Path
    bars: tuple[str, ...]


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


class Score(NamedTuple):
    """One number of a transfer: its name and group in METRICS."""

    metric: str
    value: float


class Workshop:
    """The only folder whose files the page serves, and the work that is done in it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.root = Path(tempfile.mkdtemp(prefix="thirdstream-page-")).resolve()
        self._places = threading.BoundedSemaphore(limits.jobs)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.root, ignore_errors=True)

    def sweep(self, *, now_s: float | None = None) -> None:
        """Remove what has not been worked on for as long as files are kept."""
        oldest = (time.time() if now_s is None else now_s) - 60 * self.limits.keep_minutes
        for folder in self.root.iterdir():
            with suppress(OSError):  # a file went while we looked, so the folder is in use
                changed = [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
                if max(changed) < oldest:
                    shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def job(self) -> Iterator[Path]:
        """A folder for one result, removed again if there is none. As many at a time as allowed."""
        self.sweep()
        folder = Path(tempfile.mkdtemp(prefix="result-", dir=self.root))
        try:
            with self.place():
                yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for one of the `jobs` places to work in, and hold it."""
        with self._places:
            yield

    def lent(self, path: Path) -> str:
        """A copy of a file of ours, as if it had been uploaded."""
        folder = Path(tempfile.mkdtemp(prefix="lent-", dir=self.root))
        return str(shutil.copy(path, folder / path.name))

    def accepted(self, upload: str | None) -> Path:
        """An upload that may be worked on.

        Raises ThirdstreamError, in the owner's words, where it is missing, not from this page, too
        large, too long, empty or not audio.
        """
        if not upload:
            raise ThirdstreamError("there is no recording yet; drop a file above, or record one")
        path = Path(upload).resolve()
        if not path.is_relative_to(self.root):
            raise ThirdstreamError("that file was not uploaded to this page; upload it")
        if not path.is_file():
            raise ThirdstreamError(f"{path.name}: is not here any more; upload it again")
        n_bytes = path.stat().st_size
        if n_bytes == 0:
            raise ThirdstreamError(f"{path.name}: is empty (0 bytes); choose another file")
        if n_bytes > 1_000_000 * self.limits.max_mb:
            raise ThirdstreamError(
                f"{path.name}: has {n_bytes / 1e6:.0f} MB; this page takes {self.limits.max_mb} at "
                "most; save it as MP3 or FLAC, or start `thirdstream serve` with a larger --max-mb"
            )
        with owners_names(path):
            header = audio.info(path)
        self._in_time(path, header.n_samples / header.sr)
        os.utime(path)  # it is used now, so it stays
        return path

    def _in_time(self, path: Path, seconds: float) -> None:
        if seconds > 60 * self.limits.max_minutes:
            raise ThirdstreamError(
                f"{path.name}: lasts {seconds / 60:.1f} minutes; this page takes "
                f"{self.limits.max_minutes:g} at most; cut it, or use `thirdstream transfer`, "
                "which takes any length"
            )

    def original(self, path: Path, folder: Path) -> Path:
        """An accepted upload as WAV: of its own rate, one or two channels, no longer than allowed.

        Raises ThirdstreamError if it is damaged or goes on longer than its header says.
        """
        with owners_names(path, folder):
            header = audio.info(path)
            mono = header.n_channels > 2
            wav = folder / f"{path.stem}.wav"

            def blocks() -> Iterator[Wave]:
                n_read = 0
                for block in audio.blocks(path, sr=None, mono=mono):
                    n_read += block.shape[1]
                    self._in_time(path, n_read / header.sr)
                    yield block

            audio.write(wav, blocks(), sr=header.sr, n_channels=1 if mono else header.n_channels)
        return wav


def restyle(
    shop: Workshop,
    systems: Mapping[str, System],
    clip: str | None,
    options: Options,
    *,
    progress: Progress,
) -> Result:
    """Transfer an uploaded clip with each system, by label; the style recording goes where it can.

    Raises ThirdstreamError that a user can act on, and whatever `progress` raises.
    """
    path = shop.accepted(clip)
    style_from = shop.accepted(str(options.style_from)) if options.style_from else None
    with shop.job() as folder:
        progress(0.0, "reading and drawing")
        wav = shop.original(path, folder)
        tracks, files, remarks, written = [track("original", wav)], {}, [], None
        for label, system in systems.items():
            fitting = replace(
                options, style_from=style_from if "style_from" in system.takes else None
            )
            told: list[Played] = []
            by_score = "score" in system.takes
            made, remark = transferred(
                telling(told) if by_score else system, wav, fitting, label=label, progress=progress
            )
            progress(1.0, f"{label}: drawing")
            tracks.append(track(label, made))
            remarks += [remark] if remark else []
            by = f"{label}: " if len(systems) > 1 else ""
            files |= {f"{by}WAV": made, f"{by}MP3": as_mp3(made)}
            if by_score and told:
                progress(1.0, f"{label}: writing it down")
                written, sheets = written_down(told[0], wav, midi=made.with_suffix(".mid"))
                files |= {f"{by}{kind}": file for kind, file in sheets.items()}
        first = next(iter(systems.values()))
        source = next(style for style in first.styles if style != options.to)
        return Result(path.name, source, options.to, tuple(tracks), files, written, tuple(remarks))


@contextmanager
def owners_names(*places: Path) -> Iterator[None]:
    """Errors inside name files as the page shows them: without the folders they lie in.

    places: files whose folder, and folders themselves, that are not to be seen.
    """
    try:
        yield
    except ThirdstreamError as error:
        text = str(error)
        for place in places:
            folder = place if place.is_dir() else place.parent
            text = text.replace(f"{folder}{os.sep}", "")
        raise ThirdstreamError(text) from error


def transferred(
    system: System, wav: Path, options: Options, *, label: str, progress: Progress
) -> tuple[Path, str | None]:
    """Transfer a WAV into one beside it, NAME_to_STYLE_by_LABEL.wav; with the remark, if any.

    Raises ThirdstreamError as `transfer_file` does, and whatever `progress` raises.
    """
    system.ready()
    out = wav.with_name(f"{wav.stem}_to_{options.to}_by_{label}.wav")
    hidden = [wav] + ([options.style_from] if options.style_from else [])
    with owners_names(*hidden):
        remark = transfer_file(
            system, wav, out, options, progress=lambda share: progress(share, label)
        )
    return out, remark and f"the recording {remark}"


def track(name: str, wav: Path) -> Track:
    """A file to listen to, and the picture of its mel, drawn here."""
    from thirdstream.evaluation.report import mel_picture
    from thirdstream.mel.features import LogMel

    picture = wav.with_suffix(".mel.png")
    picture.write_bytes(mel_picture(wav, LogMel()))
    return Track(name, wav, picture)


def as_mp3(wav: Path) -> Path:
    """The same sound as MP3, of 44.1 kHz where MP3 does not know the rate."""
    header = audio.info(wav)
    sr = header.sr if header.sr in MP3_SR else 44_100
    out = wav.with_suffix(".mp3")
    audio.write(
        out, audio.blocks(wav, sr=sr, mono=False), sr=sr, n_channels=header.n_channels
    )  # fmt: skip
    return out


def telling(told: "list[Played]") -> System:
    """The score system, which says in `told` what it went by way of."""
    from thirdstream.notes.system import ScoreSystem

    return ScoreSystem(told.append)


def written_down(played: "Played", wav: Path, *, midi: Path) -> tuple[Sheet, dict[str, Path]]:
    """What a transfer of `wav` went by way of: picture and chords, and files to take away.

    midi: where to write what is played in the new style.
    """
    from thirdstream.notes.harmonising import Key
    from thirdstream.notes.midi import write_midi
    from thirdstream.notes.sheet import chords_of_bars, write_sheets

    heard = replace(played.heard, score=replace(played.heard.score, title=wav.stem))
    with owners_names(wav):
        write_midi(midi, played.arrangement.song, played.timing)
        heard_midi, lead_sheet, roll, _ = write_sheets(heard, wav.parent, f"{wav.stem}_heard")
    files = {
        "MIDI": midi,
        "Lead sheet (MusicXML)": lead_sheet,
        "What was heard, as MIDI": heard_midi,
    }
    return Sheet(roll, chords_of_bars(heard.score, Key(heard.key, heard.is_minor))), files


def measured(
    *, original: Path, made: Path, source: str, target: str
) -> tuple[list[Score], list[str]]:
    """Scores of one transfer, over 30 s from the middle, and what could not be measured and why.

    Raises ThirdstreamError without the extra `evaluate`, and on silence.
    """
    with needed():
        from thirdstream.evaluation.material import excerpt
        from thirdstream.evaluation.measure import analysed, compared, judges

    ears = judges()
    with owners_names(original, made):
        heard = [analysed(excerpt(path, MEASURED_S), ears) for path in (original, made)]
        row = compared(original=heard[0], made=heard[1], source=source, target=target)
    left = ears.left_out((source, target))
    reasons = {reason: [name for name in SHOWN if left.get(name) == reason]
               for reason in left.values()}  # fmt: skip
    missing = [f"{', '.join(names).replace('_', ' ')}: {reason}"
               for reason, names in reasons.items() if names]  # fmt: skip
    return [Score(name, float(row[name])) for name in SHOWN if name in row], missing
