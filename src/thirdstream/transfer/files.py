"""Transfer of files and folders: what is read, where results go, and what became of each."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from thirdstream import audio
from thirdstream.audio import Level, dynamics
from thirdstream.audio.dynamics import Contour
from thirdstream.audio.loudness import Progress, match_loudness
from thirdstream.files import (
    MIDI_SUFFIXES,
    MUSICXML_SUFFIXES,
    ThirdstreamError,
    apart,
    check_free,
    fault_of,
    make_folder,
    reaching,
    remove_orphans,
)
from thirdstream.system import Options, System

MADE = (".html", ".json", ".pdf", ".png", ".safetensors", ".style")  # what commands write besides
FILE_SUFFIXES = frozenset((*audio.SUFFIXES, *MIDI_SUFFIXES, *MUSICXML_SUFFIXES, *MADE))
REMARKED_DB = 1.0  # how much softer a result must be for that to be said
THERE = "is there already"  # the remark on a recording that was skipped


def transfer_file(
    system: System[Any],
    path: Path,
    out: Path,
    options: Options,
    *,
    force: bool = False,
    progress: Progress = lambda share: None,
) -> str | None:
    """Transfer one recording of any length into the file `out`, in flat memory.

    Rate, length, loudness and, for one or two channels, channels stay; more channels are mixed to
    one. Returns a remark for the user, or None. Raises AudioError if `path` cannot be read or `out`
    cannot be written, and ThirdstreamError if `out` exists and `force` is not given.
    """
    accepted = system.accept(options)
    ceiling = audio.ceiling_of(out)
    header = audio.info(path)
    _check_place(out, path, force=force)
    mono = header.n_channels > 2
    n_channels = 1 if mono else header.n_channels
    level, blocks = audio.measured(path, sr=None, mono=mono)
    system.check_length(accepted, level.n_samples / header.sr)
    before, after = Contour(), Contour()
    recording = before.of(audio.centred(blocks, level))
    make_folder(out.parent)
    result = match_loudness(
        lambda blocks: system.stream(blocks, accepted),
        recording,
        sr=header.sr,
        n_channels=n_channels,
        level=level,
        ceiling=ceiling,
        keeps_dynamics=system.keeps_dynamics,
        fades_ends=system.fades_ends,
        blend=accepted.blend,
        spool_in=out.parent,
        progress=progress,
    )
    audio.write(out, after.of(result), sr=header.sr, n_channels=n_channels)
    return _remark(level, before, after, n_mixed=header.n_channels if mono else 0)


@reaching()
def _check_place(out: Path, path: Path, *, force: bool) -> None:
    """Raise ThirdstreamError where the result of a recording may not be written."""
    if out.exists() and out.samefile(path):
        raise ThirdstreamError(f"{out}: is the recording itself; choose another place")
    check_free(out, force=force)


def _remark(level: Level, before: Contour, after: Contour, *, n_mixed: int) -> str | None:
    """What a user should know of a recording beside its result: "the recording ..."."""
    if level.silent:
        return "is silent, and so is the result"
    remarks = [f"had {n_mixed} channels, mixed to one"] if n_mixed else []
    share = dynamics.share(recording=before.powers, made=after.powers)
    wanted = share * level.rms**2
    softer_db = 10 * math.log10(wanted / max(after.powers.mean(), 1e-12))
    if softer_db > REMARKED_DB:
        remarks.append(f"is {softer_db:.1f} dB louder than its result, whose peaks would clip")
    return " and ".join(remarks) or None


@dataclass(frozen=True)
class Outcome:
    """What became of one file: written, skipped (`remark` says why), or failed with `error`."""

    path: Path
    out: Path
    remark: str | None = None
    error: str | None = None


def names_a_file(out: Path) -> bool:
    """Whether an `out` that need not exist is to be a file, and no folder."""
    return out.suffix.lower() in FILE_SUFFIXES and not out.is_dir()


@reaching()
def plan(inputs: Sequence[Path], out: Path, *, suffix: str = ".wav") -> list[tuple[Path, Path]]:
    """Pair each recording, in the given files and folders, with its place below `out`.

    A folder keeps its inner folders; what lies below `out` itself, results of before, is left out.
    A single file may be given an `out` with an audio ending. Recordings that would get one name get
    two, see `apart`. Raises ThirdstreamError if there is nothing to do, or `out` is one of the
    folders or the name of a file.
    """
    if not inputs:
        raise ThirdstreamError("no recordings to transfer; give files or folders")
    if names_a_file(out):
        audio.ceiling_of(out)
        if len(inputs) == 1 and not inputs[0].is_dir():
            return [(inputs[0], out)]
        raise ThirdstreamError(f"{out}: is one file for several recordings; give a folder")
    pairs: dict[Path, Path] = {}
    for path in inputs:
        if not path.is_dir():
            pairs[path] = out / (path.stem + suffix)
            continue
        if suffix and out.resolve() == path.resolve():
            raise ThirdstreamError(f"{out}: holds the recordings themselves; choose another folder")
        inside = [one for one in audio.find_recordings(path) if not _is_below(one, out, path)]
        if not inside:
            raise ThirdstreamError(f"{path}: holds no recordings; check the folder")
        pairs |= {one: out / one.relative_to(path).with_suffix(suffix) for one in inside}
    return list(zip(pairs, apart(list(pairs), list(pairs.values())), strict=True))


def _is_below(one: Path, out: Path, folder: Path) -> bool:
    """Whether a recording found in a folder lies in an inner one that is for results."""
    results = out.resolve()
    return folder.resolve() in results.parents and results in one.resolve().parents


def transfer_files(
    system: System[Any],
    pairs: Sequence[tuple[Path, Path]],
    options: Options,
    *,
    force: bool = False,
    skip_existing: bool = False,
    progress: Callable[[Path, float], None] = lambda path, share: None,
) -> Iterator[Outcome]:
    """Transfer many recordings; a bad one does not stop the others. Yields each one's outcome."""
    accepted = system.accept(options)
    for folder in {out.parent for _, out in pairs}:
        remove_orphans(folder)
    for path, out in pairs:
        try:
            if skip_existing and out.exists() and not (path.exists() and out.samefile(path)):
                yield Outcome(path, out, remark=THERE)
                continue
            share = partial(progress, path)
            remark = transfer_file(system, path, out, accepted, force=force, progress=share)
            yield Outcome(path, out, remark)
        except Exception as error:  # whatever it is, the other recordings are transferred
            yield Outcome(path, out, error=fault_of(path, error))
