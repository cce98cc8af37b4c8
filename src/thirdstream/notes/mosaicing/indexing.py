"""Folders of recordings -> an index: each recording is heard once, and its units are kept.

What was found of a recording stays in a folder beside the index until that is written, so work that
was interrupted goes on where it stopped. Of more than MOST_S of a style, each recording gives its
share.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.files import (
    ThirdstreamError,
    fault_of,
    is_style,
    new_folder,
    parts_of,
    sha256,
    whole_file,
)
from thirdstream.notes.mosaicing.collection import SHAPES, Collection, joined
from thirdstream.notes.mosaicing.grains import Grains, grains_of
from thirdstream.notes.mosaicing.sounds import Sounds, coded
from thirdstream.notes.mosaicing.units import units_of
from thirdstream.notes.transcription.features import frame_features

NAME = "concatenative"
MOST_S = 3_600.0  # of a style
LONGEST_S = 300.0  # of a recording that is heard as one
LEAST_SHARE_S = 20.0  # of a recording, where there are more than all fit
SHORTEST_S = 2.0  # of a recording
LEAST_S = 20.0  # of a style
SOUNDING = 0.3  # notes that sound at a time in music, on average, at least
INDEXING = 1  # changes whenever the same recording gives something else

Progress = Callable[[Path, float], None]


@dataclass(frozen=True)
class Excerpt:
    """A part of a recording, in seconds; the whole of a file that cannot be read."""

    path: Path
    start_s: float = 0.0
    length_s: float = 0.0


@dataclass(frozen=True)
class Indexed:
    """What became of an excerpt; fault: why nothing of it is used, as a sentence, or None."""

    excerpt: Excerpt
    fault: str | None = None


def find(sources: Sequence[str]) -> dict[str, list[Path]]:
    """The recordings of STYLE=FOLDER sources, by style. Raises ThirdstreamError where there are
    none, and where a source is something else."""
    found: dict[str, list[Path]] = {}
    for source in sources:
        style, _, where = source.partition("=")
        if not where or not is_style(style):
            raise ThirdstreamError(
                f"{source}: is not STYLE=FOLDER; write for example jazz=recordings/jazz"
            )
        if not Path(where).is_dir():
            raise ThirdstreamError(f"{where}: there is no such folder; check the path")
        paths = audio.find_recordings(Path(where))
        if not paths:
            raise ThirdstreamError(f"{where}: holds no recordings for {style}; check the folder")
        found.setdefault(style, []).extend(paths)
    if not found:
        raise ThirdstreamError("no recordings to index; write for example jazz=recordings/jazz")
    return found


def excerpts_of(paths: Sequence[Path], most_s: float = MOST_S) -> list[Excerpt]:
    """What of some recordings is indexed: all, or the middle of each, so many seconds in all."""
    whole = [part for path in paths for part in _parts(path)]
    if sum(part.length_s for part in whole) <= most_s:
        return whole
    every = -(-len(whole) // max(int(most_s / LEAST_SHARE_S), 1))  # rounded up
    whole = whole[::every]
    lengths = np.array([part.length_s for part in whole])
    low, high = 0.0, LONGEST_S
    for _ in range(40):  # the share that fits
        share = (low + high) / 2
        low, high = (share, high) if np.minimum(lengths, share).sum() <= most_s else (low, share)
    return [
        Excerpt(one.path, one.start_s + max(one.length_s - low, 0) / 2, min(one.length_s, low))
        for one in whole
    ]


def _parts(path: Path) -> list[Excerpt]:
    try:
        header = audio.info(path)
        n_samples = header.n_samples or audio.measure(path).n_samples
    except ThirdstreamError:
        return [Excerpt(path)]  # is said when it is its turn
    duration_s = n_samples / header.sr
    n_parts = max(1, -int(-duration_s // LONGEST_S))
    length_s = duration_s / n_parts
    return [Excerpt(path, number * length_s, length_s) for number in range(n_parts)]


def index(
    excerpts: Sequence[Excerpt], out: Path, *, progress: Progress = lambda path, share: None
) -> Iterator[Indexed]:
    """Hear each excerpt in turn, so that `collection_of` knows what was found.

    progress: told the file and the share of it done. A recording of no use is no error here: its
    fault is in what is yielded.
    """
    reader: Reader | None = None
    with new_folder(parts_of(out)):
        for one in excerpts:
            try:
                part = _part_of(one, out)
                if not _readable(part):
                    if reader is None or reader.path != one.path:
                        reader = Reader(one.path)
                    arrays = _heard(one, reader.read(one), progress)
                    with whole_file(part) as temporary:
                        save_file(arrays, temporary)
                yield Indexed(one)
            except Exception as error:  # whatever it is, the others are indexed
                reader = None  # the next excerpt of the file is decoded anew
                yield Indexed(one, fault_of(one.path, error))


def _part_of(one: Excerpt, out: Path) -> Path:
    place = f"{round(one.start_s * SR)}-{round(one.length_s * SR)}"
    return parts_of(out) / f"{sha256(one.path)[:32]}.{place}.{INDEXING}.safetensors"


def _readable(part: Path) -> bool:
    try:
        with safe_open(part, framework="numpy") as found:
            return set(found.keys()) == set(SHAPES)
    except (OSError, SafetensorError):
        return False


def _heard(one: Excerpt, wave: Wave, progress: Progress) -> dict[str, NDArray[Any]]:
    level = audio.level_of([wave])
    if level.silent:
        raise ThirdstreamError(f"{one.path}: is silent; give recordings with music in them")
    offsets = np.array(level.offsets or 0.0, np.float32).reshape(-1, 1)
    wave = (wave - offsets) * np.float32(level.gain)
    mono = audio.mixed(wave)
    with threadpool_limits(1, "blas"):
        features = frame_features(
            [mono], progress=lambda at_s: progress(one.path, min(at_s / one.length_s, 1.0))
        )
    grains, units = grains_of(features), units_of(features, mono[0])
    _check(one, grains, features.duration_s)
    data = coded(wave)
    tunings = np.array([features.tuning], np.float32)
    sounds = Sounds(data, np.array([len(data)], np.int64))
    return Collection(units, grains, tunings, sounds).arrays()


def _check(one: Excerpt, grains: Grains, duration_s: float) -> None:
    """Raise ThirdstreamError where there is hardly a note in it."""
    if float((grains.ends - grains.starts).sum()) < SOUNDING * duration_s:
        raise ThirdstreamError(
            f"{one.path}: hardly any notes are found in it (it may be speech, or noise); "
            "leave it out"
        )


class Reader:
    """A recording at 44.1 kHz, decoded once, of which parts are read one after the other. More than
    two channels are mixed to one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks = audio.blocks(path, mono=audio.info(path).n_channels > 2)
        self._start, self._block = 0, np.zeros((1, 0), np.float32)

    def read(self, one: Excerpt) -> Wave:
        """(n_channels, n_samples) of an excerpt that begins no earlier than the last one ended.

        Raises ThirdstreamError where there is too little of it.
        """
        first, n_wanted = round(one.start_s * SR), round(one.length_s * SR)
        if not n_wanted:
            audio.measure(one.path)  # says why its length is not known
        parts = [self._inside(first, first + n_wanted)]
        while self._start + self._block.shape[1] < first + n_wanted:
            following = next(self._blocks, None)
            if following is None:
                break
            self._start, self._block = self._start + self._block.shape[1], following
            parts.append(self._inside(first, first + n_wanted))
        wave = np.concatenate([part for part in parts if part.size] or parts[:1], axis=1)
        if wave.shape[1] < SHORTEST_S * SR:  # a header may promise more than there is
            after = f" after the first {one.start_s:.0f} s" if first else ""
            raise ThirdstreamError(
                f"{one.path}: lasts {wave.shape[1] / SR:.1f} s{after}; give recordings of "
                f"{SHORTEST_S:.0f} s or more"
            )
        return wave

    def _inside(self, first: int, end: int) -> Wave:
        return self._block[:, max(first - self._start, 0) : max(end - self._start, 0)]


def collection_of(excerpts: Sequence[Excerpt], out: Path, *, style: str) -> Collection:
    """The collection of the excerpts that `index` went through, in their order.

    Raises ThirdstreamError where they are too little to play with.
    """
    used = {part: one for one in excerpts if _readable(part := _part_of_known(one, out))}
    seconds = sum(one.length_s for one in used.values())
    if seconds < LEAST_S:
        place = parts_of(out)
        stays = f"; what was found stays in {place} for the next run"
        kept = stays if any(place.glob("*")) else ""
        raise ThirdstreamError(
            f"{style}: has {seconds:.0f} s of music that can be used, and {LEAST_S:.0f} s are "
            f"needed at least; give more recordings (an hour is best){kept}"
        )
    return joined([load_file(part) for part in used])


def _part_of_known(one: Excerpt, out: Path) -> Path:
    """As `_part_of`; of a file that cannot be read, a part that is not there."""
    try:
        return _part_of(one, out)
    except OSError:
        return parts_of(out) / "none"


def write(
    path: Path, collections: Mapping[str, Collection], names: Mapping[str, list[str]]
) -> None:
    """Write an index as one file. names: of the recordings of each style."""
    import torch

    from thirdstream import checkpoint

    tensors = {
        f"{style}/{name}": torch.from_numpy(np.ascontiguousarray(rows))
        for style, one in collections.items()
        for name, rows in one.arrays().items()
    }
    header = {
        "family": NAME,
        "styles": list(collections),
        "recordings": dict(names),
        "version": INDEXING,
        "versions": checkpoint.versions(),
    }
    checkpoint.save(path, tensors, header)
