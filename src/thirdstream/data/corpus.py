"""A corpus: folders of recordings made into segments of mel power, split by recording.

On disk, below the corpus folder:

    corpus.json                 the manifest, written last: without it there is no corpus
    recordings/KEY.json         one record for each finished recording, so that work can resume
    features/KEY.npy            (n_segments, n_frames, n_mels) float16: the fourth root of mel power

The fourth root is what float16 holds well: mel power from 1e-17 to 1e19 keeps a relative error
below 0.2 %, and zero stays zero. The recording's loudness is not in the array: the manifest has the
gain that brings the piece to -20 dB, and mel power grows with its square.
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from thirdstream.files import ThirdstreamError, is_style, reaching, read_json
from thirdstream.mel.features.logmel import MelConfig, Statistics
from thirdstream.records import record
from thirdstream.storage import Remote, place_of

VERSION = 2
MAX_SEGMENTS = 100_000  # of a recording, which then lasts three days: what a manifest may claim
LARGEST = 1e12  # of a gain or a deviation, which a manifest may claim
TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
VARIANT = re.compile(r"\.\d+$")  # what names of one piece's variants end in: NAME.1, NAME.2
ALIGNED = "are aligned"  # no style can be called so
CHUNK = 16  # segments in memory at a time: 4 MB as power


class CorpusError(ThirdstreamError):
    """A corpus that cannot be made or read."""


@dataclass(frozen=True)
class Recording:
    """One prepared recording, as the manifest keeps it.

    sha256: of the file. sound: of its decoded samples, the same for copies with other tags.
    sr, n_channels: the file's own. gain: to -20 dB. features: the array's path in the corpus.
    piece: what the two versions of a piece have in common, one in each style; empty where there are
    none.
    """

    path: str
    style: str
    split: str
    sha256: str
    sound: str
    duration_s: float
    sr: int
    n_channels: int
    gain: float
    n_segments: int
    features: str
    size: int
    mtime_ns: int
    piece: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file that is not in the corpus, and why; a duplicate in the same style is no fault."""

    path: str
    style: str
    reason: str
    fault: bool = True
    duplicate: bool = False


@reaching()
def is_corpus(where: str | Path) -> bool:
    """Whether a corpus, perhaps unfinished, is there. Raises ThirdstreamError where that cannot be
    seen."""
    path = place_of(where)
    if isinstance(path, Remote):
        return path.has("corpus.json")
    return (path / "corpus.json").exists() or (path / "recordings").is_dir()


@reaching()
def _manifest_in(path: Path | Remote) -> Any:
    if isinstance(path, Remote):
        try:
            return json.loads(path.read("corpus.json"))
        except ValueError as error:
            raise CorpusError(f"{path}: has a damaged manifest; prepare it anew") from error
    if not (path / "corpus.json").is_file():
        remedy = (
            "is an unfinished corpus; run the same `thirdstream prepare` again"
            if is_corpus(path)
            else "holds no corpus; make one with `thirdstream prepare`"
        )
        raise CorpusError(f"{path}: {remedy}")
    return read_json(path / "corpus.json", kind="corpus manifest")


@dataclass(frozen=True)
class Corpus:
    """An open corpus; segments are read from disk, or fetched, when they are asked for."""

    path: Path | Remote
    mel: MelConfig
    statistics: Mapping[str, Statistics]
    recordings: Sequence[Recording]
    skipped: Sequence[Skipped] = ()

    @classmethod
    def open(cls, where: str | Path) -> "Corpus":
        """Open the corpus in a folder, or at an address such as s3://bucket/corpus.

        Raises CorpusError if there is none, or only a part, StorageError, and ThirdstreamError
        where it cannot be reached.
        """
        path = place_of(where)
        manifest = _manifest_in(path)
        try:
            if manifest["version"] != VERSION:
                raise ValueError(f"it is of version {str(manifest['version'])[:20]}")
            opened = cls(
                path,
                record(MelConfig, manifest["mel"]),
                {name: record(Statistics, one) for name, one in manifest["statistics"].items()},
                [record(Recording, one) for one in manifest["recordings"]],
                [record(Skipped, one) for one in manifest["skipped"]],
            )
            opened._check()
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CorpusError(
                f"{path}: has a damaged manifest ({error!r}); prepare it anew"
            ) from error
        return opened

    def _check(self) -> None:
        """Raise ValueError where the manifest contradicts itself or leads out of the corpus."""
        styles = {one.style for one in self.recordings}
        if len(styles) != 2 or styles != set(self.statistics) or not all(map(is_style, styles)):
            raise ValueError("it has not two styles with statistics")
        for one in self.statistics.values():
            if {len(one.mel_std), len(one.mel_max)} != {self.mel.n_mels}:
                raise ValueError(f"its statistics are not those of {self.mel.n_mels} mels")
            if not all(1 / LARGEST < size < LARGEST for size in (one.scale, *one.mel_std)):
                raise ValueError("its statistics are not those of recordings")
        for one in self.recordings:
            if not re.fullmatch(r"features/[0-9a-f]+\.npy", one.features):
                raise ValueError(f"it looks for features in {one.features[:60]!r}")
            if not 1 <= one.n_segments <= MAX_SEGMENTS or not 0 < one.gain < LARGEST:
                raise ValueError(f"it has {one.n_segments} segments of gain {one.gain} in a file")

    @property
    def styles(self) -> tuple[str, str]:
        """The two style names, in alphabetical order."""
        first, second = sorted({one.style for one in self.recordings})
        return first, second

    def of(self, style: str, split: str) -> list[Recording]:
        """The recordings of one style and split."""
        return [one for one in self.recordings if (one.style, one.split) == (style, split)]

    def aligned(self, split: str) -> list[tuple[Recording, Recording]]:
        """The two versions of each piece that has them, styles in alphabetical order."""
        first, second = ({r.piece: r for r in self.of(style, split)} for style in self.styles)
        return [(one, second[name]) for name, one in first.items() if name and name in second]

    def n_segments(self, style: str, split: str) -> int:
        """How many segments these have together."""
        return sum(one.n_segments for one in self.of(style, split))

    def features(self, recording: Recording) -> NDArray[np.float16]:
        """(n_segments, n_frames, n_mels), the fourth root of mel power, mapped from disk."""
        assert isinstance(self.path, Path)
        path = self.path / recording.features
        try:
            array = np.lib.format.open_memmap(path, mode="r")
        except Exception as error:  # numpy raises whatever it likes on damaged headers
            raise CorpusError(
                f"{path}: cannot be read ({error}); prepare the corpus again"
            ) from error
        wanted = (recording.n_segments, self.mel.n_frames, self.mel.n_mels)
        if array.shape != wanted or array.dtype != np.float16 or not array.flags.c_contiguous:
            raise CorpusError(f"{path}: has shape {array.shape}; prepare the corpus again")
        return array

    def power(self, recording: Recording, which: slice) -> NDArray[np.float32]:
        """Mel power of some of a recording's segments, with the piece brought to -20 dB."""
        if isinstance(self.path, Remote):
            roots = self._fetched(self.path, recording, which)
        else:
            roots = self.features(recording)[which]
        root = torch.from_numpy(np.array(roots)).float()
        if not root.isfinite().all():
            raise CorpusError(
                f"{self.path}: {recording.features} holds NaN or infinite values; "
                "prepare the corpus again"
            )
        return root.square_().square_().mul_(recording.gain**2).numpy()

    def _fetched(self, store: Remote, recording: Recording, which: slice) -> NDArray[np.float16]:
        """As `features(recording)[which]`, by one request for just these bytes."""
        shape = (recording.n_segments, self.mel.n_frames, self.mel.n_mels)
        header = io.BytesIO()
        write_header(header, shape)
        first, last, _ = which.indices(recording.n_segments)
        size = 2 * self.mel.n_frames * self.mel.n_mels
        start, stop = (header.tell() + number * size for number in (first, last))
        data = store.read(recording.features, start, stop)
        return np.frombuffer(data, "<f2").reshape(-1, *shape[1:])

    def chunks(self, style: str, split: str) -> Iterator[NDArray[np.float32]]:
        """All mel power of a style and split, a few segments at a time."""
        for one in self.of(style, split):
            yield from self.chunks_of(one)

    def chunks_of(self, recording: Recording) -> Iterator[NDArray[np.float32]]:
        """All mel power of a recording, likewise."""
        for start in range(0, recording.n_segments, CHUNK):
            yield self.power(recording, slice(start, start + CHUNK))

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """style -> split -> recordings, segments, hours."""
        table: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
        for style in self.styles:
            for split in SPLITS:
                own = self.of(style, split)
                table[style][split] = {
                    "recordings": len(own),
                    "segments": sum(one.n_segments for one in own),
                    "hours": sum(one.duration_s for one in own) / 3600,
                }
        return dict(table)


def write_header(file: Any, shape: tuple[int, ...]) -> None:
    """NPY's header at the file's start; it reserves room for the first axis to grow."""
    file.seek(0)
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


class Segments:
    """The segments of some recordings in a row, of which `n_of` says how many each gives."""

    def __init__(
        self, corpus: Corpus, recordings: Sequence[Recording], n_of: Sequence[int] | None = None
    ) -> None:
        self.corpus, self.recordings = corpus, recordings
        counts = [one.n_segments for one in recordings] if n_of is None else n_of
        self.ends = np.cumsum(counts, dtype=np.int64)

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, at: int) -> torch.Tensor:
        """(n_frames, n_mels), mel power at -20 dB."""
        if not 0 <= at < len(self):
            raise IndexError(at)
        which = int(np.searchsorted(self.ends, at, side="right"))
        inside = at - (int(self.ends[which - 1]) if which else 0)
        return torch.from_numpy(
            self.corpus.power(self.recordings[which], slice(inside, inside + 1))[0]
        )


class Pairs(Dataset[dict[str, torch.Tensor]]):
    """Random pairs, one segment of each style (paper, section 3): {style: (n_frames, n_mels)}.

    An epoch has as many pairs as the style with fewer segments has segments; each epoch draws both
    orders anew, from `seed` and `epoch` alone. Values are mel power at -20 dB.
    """

    def __init__(self, corpus: Corpus, split: str, *, seed: int, epoch: int = 0) -> None:
        self.segments = {
            style: Segments(corpus, corpus.of(style, split)) for style in corpus.styles
        }
        self.n_pairs = min(map(len, self.segments.values()))
        self.order: dict[str, NDArray[np.int64]] = {}
        for number, (style, own) in enumerate(self.segments.items()):
            draw = np.random.default_rng([seed, epoch, number])
            self.order[style] = draw.permutation(len(own))[: self.n_pairs]

    def __len__(self) -> int:
        return self.n_pairs

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {
            style: self.segments[style][int(order[index])] for style, order in self.order.items()
        }


class Versions(Dataset[dict[str, torch.Tensor]]):
    """Both versions of a piece at one place, and random pairs of the other recordings among them.

    As Pairs otherwise, with a further entry ALIGNED: 1 for two versions, 0 for a random pair.
    others: whether there are random pairs.
    """

    def __init__(
        self, corpus: Corpus, split: str, *, seed: int, epoch: int = 0, others: bool = True
    ) -> None:
        pairs = corpus.aligned(split)
        counts = [min(one.n_segments for one in pair) for pair in pairs]
        both = {one.path for pair in pairs for one in pair}
        self.versions, self.others, self.order = {}, {}, {}
        for number, style in enumerate(corpus.styles):
            self.versions[style] = Segments(corpus, [pair[number] for pair in pairs], counts)
            alone = [one for one in corpus.of(style, split) if one.path not in both]
            self.others[style] = Segments(corpus, alone)
            draw = np.random.default_rng([seed, epoch, number])
            self.order[style] = draw.permutation(len(self.others[style]))
        self.n_aligned = sum(counts)
        n_pairs = self.n_aligned + (min(map(len, self.others.values())) if others else 0)
        self.shuffled = np.random.default_rng([seed, epoch, 2]).permutation(n_pairs)

    def __len__(self) -> int:
        return len(self.shuffled)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        at = int(self.shuffled[index])
        if at < self.n_aligned:
            return {ALIGNED: torch.ones(()), **{s: own[at] for s, own in self.versions.items()}}
        places = {style: int(order[at - self.n_aligned]) for style, order in self.order.items()}
        return {ALIGNED: torch.zeros(()), **{s: self.others[s][k] for s, k in places.items()}}
