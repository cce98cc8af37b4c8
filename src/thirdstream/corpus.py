"""A corpus: folders of recordings made into segments of mel power, split by recording.

On disk, below the corpus folder:

    corpus.json                 the manifest, written last: without it there is no corpus
    recordings/KEY.json         one record for each finished recording, so that work can resume
    features/KEY.npy            (n_segments, n_frames, n_mels) float16: the fourth root of mel power

The fourth root is what float16 holds well: mel power from 1e-17 to 1e19 keeps a relative error
below 0.2 %, and zero stays zero. The recording's loudness is not in the array: the manifest has the
gain that brings the piece to -20 dB, and mel power grows with its square.
"""

import csv
import hashlib
import io
import json
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from thirdstream import audio
from thirdstream.audio import SEGMENT, SR, AudioError, Level
from thirdstream.files import (
    ThirdstreamError,
    is_style,
    make_folder,
    read_json,
    remove_orphans,
    whole_file,
    write_json,
)
from thirdstream.mel.features import (
    LogMel,
    MelConfig,
    Moments,
    Statistics,
    moments,
    statistics_of,
)
from thirdstream.parallel import results
from thirdstream.records import record
from thirdstream.storage import Remote, place_of

VERSION = 2
MAX_SEGMENTS = 100_000  # of a recording, which then lasts three days: what a manifest may claim
TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
SHARES = {TRAIN: 0.8, VALIDATION: 0.1, TEST: 0.1}
CHUNK = 16  # segments in memory at a time: 4 MB as power
FMA_SPLITS = {"training": TRAIN, "validation": VALIDATION, "test": TEST}


class CorpusError(ThirdstreamError):
    """A corpus that cannot be made or read."""


@dataclass(frozen=True)
class Found:
    """A file that belongs to a style; `split` only where its collection fixes one."""

    path: Path
    style: str
    split: str | None = None


@dataclass(frozen=True)
class Recording:
    """One prepared recording, as the manifest keeps it.

    sha256: of the file. sound: of its decoded samples, the same for copies with other tags.
    sr, n_channels: the file's own. gain: to -20 dB. features: the array's path in the corpus.
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


@dataclass(frozen=True)
class Skipped:
    """A file that is not in the corpus, and why; a duplicate in the same style is no fault."""

    path: str
    style: str
    reason: str
    fault: bool = True
    duplicate: bool = False


# --- finding ------------------------------------------------------------------------------------


def find(sources: Sequence[str]) -> list[Found]:
    """Find the recordings of `STYLE=WHERE` sources.

    WHERE is a folder, searched with all folders below it; `musicnet:DIR`, MusicNet as published;
    `fma:DIR`, the Free Music Archive's tracks of the genre named like the style; or
    `fma/GENRE:DIR`. Raises CorpusError unless there are two styles, each with recordings.
    """
    found: list[Found] = []
    for source in sources:
        style, equals, where = source.partition("=")
        if not equals or not is_style(style):
            raise CorpusError(f"{source}: is not STYLE=DIR; write for example jazz=recordings/jazz")
        new = _find_in(where, style)
        if not new:
            raise CorpusError(f"{where}: holds no recordings for {style}; check the folder")
        found += new
    styles = {one.style for one in found}
    if len(styles) != 2:
        raise CorpusError(
            f"a corpus needs two styles (got {', '.join(sorted(styles))}); "
            "write for example: classical=DIR jazz=DIR"
        )
    return found


def _find_in(where: str, style: str) -> list[Found]:
    if where.startswith("musicnet:"):
        return find_musicnet(_folder(where.removeprefix("musicnet:")), style)
    if fma := re.fullmatch(r"fma(?:/([^:]+))?:(.+)", where):
        return find_fma(_folder(fma[2]), style, genre=fma[1] or style)
    return [Found(path, style) for path in audio.find_recordings(_folder(where))]


def _folder(name: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise CorpusError(f"{folder}: there is no such folder; check the path")
    return folder


def find_musicnet(folder: Path, style: str) -> list[Found]:
    """MusicNet (Thickstun et al. 2017): train_data and test_data, its own test recordings kept."""
    if not (folder / "train_data").is_dir():
        raise CorpusError(f"{folder}: has no train_data folder; give MusicNet's unpacked folder")
    return [
        Found(path, style, TEST if part == "test_data" else None)
        for part in ("train_data", "test_data")
        for path in audio.find_recordings(folder / part)
    ]


def find_fma(folder: Path, style: str, *, genre: str) -> list[Found]:
    """The Free Music Archive (Defferrard et al. 2017): tracks whose genre_top is `genre`.

    Reads fma_metadata/tracks.csv; audio lies in fma_*/NNN/NNNNNN.mp3. FMA's own split, made by
    artist, is kept.
    """
    tables = [folder / "fma_metadata" / "tracks.csv", folder / "tracks.csv"]
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        raise CorpusError(f"{folder}: has no fma_metadata/tracks.csv; unpack fma_metadata.zip here")
    files = {path.stem: path for path in audio.find_recordings(folder)}
    found = []
    for track, track_genre, split in _fma_rows(table):
        path = files.get(track.zfill(6))
        if path and track_genre.casefold() == genre.casefold():
            found.append(Found(path, style, FMA_SPLITS.get(split)))
    return found


def _fma_rows(table: Path) -> Iterator[tuple[str, str, str]]:
    """(track id, top genre, split) of each row of tracks.csv, whose header has two lines."""
    with table.open(newline="", encoding="utf-8") as file:
        try:
            rows = csv.reader(file)
            columns = list(zip(next(rows), next(rows), strict=True))
            genre, split = columns.index(("track", "genre_top")), columns.index(("set", "split"))
            for row in rows:
                if row and row[0].isdigit():
                    yield row[0], row[genre], row[split]
        except (ValueError, IndexError, StopIteration, csv.Error) as error:
            raise CorpusError(f"{table}: is not FMA's tracks.csv ({error})") from error


# --- preparing ----------------------------------------------------------------------------------


def prepare(
    found: Sequence[Found], out: Path, *, n_jobs: int = -1, seed: int = 0
) -> Iterator[Recording | Skipped]:
    """Make a corpus of the recordings found, and yield what became of each as it is done.

    What had to be left out, duplicates among them, is in the manifest too, as `skipped`.

    n_jobs: processes, -1 for one a core (see `parallel`). seed: of the split.

    Finished recordings are not done again: run it once more after a kill, or with more recordings.
    The manifest appears when all is done. Raises CorpusError if `out` is something else's folder or
    a style has no usable recording.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / "recordings").is_dir():
        raise CorpusError(f"{out}: is not empty and no corpus; choose a new folder")
    for name in ("recordings", "features"):
        make_folder(out / name)
    remove_orphans(out, ours=True)
    jobs = (joblib.delayed(_prepare_one)(one, out) for one in found)
    done: list[tuple[Found, Recording | Skipped]] = []
    for one, outcome in results(jobs, n_jobs=n_jobs):
        done.append((one, outcome))
        yield outcome
    remove_orphans(out, ours=True)
    outcomes = [outcome for _, outcome in sorted(done, key=lambda pair: str(pair[0].path))]
    recordings, duplicates = _without_duplicates([x for x in outcomes if isinstance(x, Recording)])
    fixed = {_key(one): one.split for one in found}
    skipped = [outcome for outcome in outcomes if isinstance(outcome, Skipped)] + duplicates
    _write_manifest(out, _split(recordings, fixed, seed), skipped, seed, n_jobs)


def _key(one: Found) -> str:
    """The name of a recording's files in the corpus."""
    place = one.style.encode() + b"\n" + os.fsencode(one.path.resolve())
    return hashlib.sha256(place).hexdigest()[:20]


def _prepare_one(one: Found, out: Path) -> tuple[Found, Recording | Skipped]:
    """Prepare a recording, or find that it has been; runs in a process of its own."""
    record_path = out / "recordings" / f"{_key(one)}.json"
    features = out / "features" / f"{_key(one)}.npy"
    try:
        stat = one.path.stat()
        if record_path.is_file() and features.is_file():
            done = _finished(record_path)
            if done and (done.size, done.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                return one, done
        measured = _write_features(one.path, features)
        done = Recording(
            path=str(one.path.resolve()),
            style=one.style,
            split="",
            sha256=_sha256(one.path),
            features=str(features.relative_to(out).as_posix()),
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            **measured,
        )
        write_json(record_path, asdict(done))
        return one, done
    except AudioError as error:
        reason = str(error).removeprefix(f"{one.path}: ")
        return one, Skipped(str(one.path), one.style, reason)
    except OSError as error:  # it went away, or its disk did
        return one, Skipped(str(one.path), one.style, f"cannot be read ({error.strerror})")


def _finished(path: Path) -> Recording | None:
    """What was written of a recording; None where that is damaged, so that it is done again."""
    try:
        return record(Recording, read_json(path, kind="record of a recording"))
    except (ThirdstreamError, ValueError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_features(path: Path, features: Path) -> dict[str, Any]:
    """Write the array of a recording, segment by segment; returns what was measured on the way."""
    header = audio.info(path)
    mel, sound = LogMel(), hashlib.sha256()
    n_samples, power = 0, 0.0

    def listened() -> Iterator[NDArray[np.float32]]:
        nonlocal n_samples, power
        for block in audio.blocks(path):
            n_samples += block.shape[1]
            power += float(np.square(block, dtype=np.float64).sum())
            sound.update((block * 32768).round().astype("<i2").tobytes())
            yield block

    with whole_file(features) as temporary, temporary.open("wb") as file:
        shape = (0, mel.config.n_frames, mel.config.n_mels)
        _write_header(file, shape)
        n_segments = 0
        for window in audio.windows(listened(), size=SEGMENT, hop=SEGMENT):
            if (n_segments + 1) * SEGMENT > n_samples:
                break  # the last one, filled up with zeros: the paper's segments are whole
            root = mel.power(torch.from_numpy(window))[0].sqrt_().sqrt_().half()
            file.write(root.numpy().tobytes())
            n_segments += 1
        level = Level(n_samples, math.sqrt(power / max(n_samples, 1)))
        if n_segments == 0:
            raise AudioError(
                f"{path}: lasts {n_samples / SR:.2f} s, less than one segment "
                f"({SEGMENT / SR:.2f} s); leave it out"
            )
        if level.silent:
            raise AudioError(f"{path}: is silent ({level.rms_db:.0f} dB); leave it out")
        _write_header(file, (n_segments, *shape[1:]))
    return {
        "sound": sound.hexdigest(),
        "duration_s": n_samples / SR,
        "sr": header.sr,
        "n_channels": header.n_channels,
        "gain": level.gain,
        "n_segments": n_segments,
    }


def _write_header(file: Any, shape: tuple[int, ...]) -> None:
    """NPY's header at the file's start; it reserves room for the first axis to grow."""
    file.seek(0)
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _without_duplicates(recordings: Sequence[Recording]) -> tuple[list[Recording], list[Skipped]]:
    """Keep the first of each sound; the same sound under two styles is a fault."""
    first: dict[str, Recording] = {}
    duplicates = []
    for one in recordings:
        twin = first.setdefault(one.sound, one)
        if twin is not one:
            fault = twin.style != one.style
            reason = f"the same sound as {twin.path}"
            reason += f", which is {twin.style}: remove one of them" if fault else ""
            duplicates.append(Skipped(one.path, one.style, reason, fault, duplicate=True))
    return list(first.values()), duplicates


def _split(
    recordings: Sequence[Recording], fixed: Mapping[str, str | None], seed: int
) -> list[Recording]:
    """Give every recording its split, by its sound alone, so that a growing corpus moves none.

    A style of three recordings or more has each split at least once: where chance left one out, the
    recording whose hash is nearest goes there. With fewer, all are for training.
    """
    split: dict[str, str] = {}
    for style in sorted({one.style for one in recordings}):
        own = [one for one in recordings if one.style == style]
        draw = {one.sound: _draw(one.sound, seed) for one in own}
        for one in own:
            given = fixed.get(Path(one.features).stem)
            split[one.sound] = given or (TRAIN if len(own) < 3 else _split_at(draw[one.sound]))
        free = [one.sound for one in own if fixed.get(Path(one.features).stem) is None]
        if len(own) >= 3:
            _fill_empty_splits(split, free, draw, [one.sound for one in own])
    return [replace(one, split=split[one.sound]) for one in recordings]


def _draw(sound: str, seed: int) -> float:
    """A number in [0, 1) that depends on the recording and the seed alone."""
    return int(hashlib.sha256(f"{seed} {sound}".encode()).hexdigest()[:12], 16) / 16**12


def _split_at(draw: float) -> str:
    if draw < SHARES[TEST]:
        return TEST
    return VALIDATION if draw < SHARES[TEST] + SHARES[VALIDATION] else TRAIN


def _fill_empty_splits(
    split: dict[str, str], free: list[str], draw: Mapping[str, float], own: list[str]
) -> None:
    for wanted in (TEST, VALIDATION, TRAIN):
        counts = Counter(split[sound] for sound in own)
        if counts[wanted]:
            continue
        givers = [sound for sound in free if counts[split[sound]] > 1]
        if givers:
            pick = (
                max(givers, key=draw.__getitem__)
                if wanted == TRAIN
                else min(givers, key=draw.__getitem__)
            )
            split[pick] = wanted


def _statistics(corpus: "Corpus", style: str, n_jobs: int) -> Statistics:
    """Of the style's training recordings, each measured by itself."""

    def moments_at(scale: float | None) -> Moments:
        own = corpus.of(style, TRAIN)
        tasks = (joblib.delayed(_moments_of)(corpus, one, scale) for one in own)
        return reduce(Moments.joined, results(tasks, n_jobs=n_jobs, in_order=True))

    return statistics_of(moments_at)


def _moments_of(corpus: "Corpus", recording: Recording, scale: float | None) -> Moments:
    return moments(corpus.chunks_of(recording), scale=scale)


def _write_manifest(
    out: Path, recordings: list[Recording], skipped: list[Skipped], seed: int, n_jobs: int
) -> None:
    styles = sorted({one.style for one in recordings if one.split == TRAIN})
    if len(styles) != 2:
        raise CorpusError(
            f"{out}: needs recordings of two styles to train on, has them of: "
            f"{', '.join(styles) or 'none'}; see the reasons above"
        )
    corpus = Corpus(out, MelConfig(), {}, recordings)
    statistics = {style: asdict(_statistics(corpus, style, n_jobs)) for style in styles}
    write_json(
        out / "corpus.json",
        {
            "version": VERSION,
            "seed": seed,
            "mel": asdict(MelConfig()),
            "statistics": statistics,
            "recordings": [asdict(one) for one in recordings],
            "skipped": [asdict(one) for one in skipped],
        },
    )


# --- reading ------------------------------------------------------------------------------------


def is_corpus(where: str | Path) -> bool:
    """Whether a corpus, perhaps unfinished, is there."""
    path = place_of(where)
    if isinstance(path, Remote):
        return path.has("corpus.json")
    return (path / "corpus.json").exists() or (path / "recordings").is_dir()


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

        Raises CorpusError if there is none, or only a part, and StorageError.
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
            if {len(one.mel_std), len(one.mel_max)} != {self.mel.n_mels} or one.scale <= 0:
                raise ValueError(f"its statistics are not those of {self.mel.n_mels} mels")
        for one in self.recordings:
            if not re.fullmatch(r"features/[0-9a-f]+\.npy", one.features):
                raise ValueError(f"it looks for features in {one.features[:60]!r}")
            if not 1 <= one.n_segments <= MAX_SEGMENTS or not 0 < one.gain < math.inf:
                raise ValueError(f"it has {one.n_segments} segments of gain {one.gain} in a file")

    @property
    def styles(self) -> tuple[str, str]:
        """The two style names, in alphabetical order."""
        first, second = sorted({one.style for one in self.recordings})
        return first, second

    def of(self, style: str, split: str) -> list[Recording]:
        """The recordings of one style and split."""
        return [one for one in self.recordings if (one.style, one.split) == (style, split)]

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
        _write_header(header, shape)
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


class Pairs(Dataset[dict[str, torch.Tensor]]):
    """Random pairs, one segment of each style (paper, section 3): {style: (n_frames, n_mels)}.

    An epoch has as many pairs as the style with fewer segments has segments; each epoch draws both
    orders anew, from `seed` and `epoch` alone. Values are mel power at -20 dB.
    """

    def __init__(self, corpus: Corpus, split: str, *, seed: int, epoch: int = 0) -> None:
        self.corpus = corpus
        self.n_pairs = min(corpus.n_segments(style, split) for style in corpus.styles)
        self.order: dict[str, NDArray[np.int64]] = {}
        self.recordings = {style: corpus.of(style, split) for style in corpus.styles}
        self.ends = {
            style: np.cumsum([one.n_segments for one in own], dtype=np.int64)
            for style, own in self.recordings.items()
        }
        for number, style in enumerate(corpus.styles):
            draw = np.random.default_rng([seed, epoch, number])
            self.order[style] = draw.permutation(corpus.n_segments(style, split))[: self.n_pairs]

    def __len__(self) -> int:
        return self.n_pairs

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        pair = {}
        for style, order in self.order.items():
            at = int(order[index])
            which = int(np.searchsorted(self.ends[style], at, side="right"))
            recording = self.recordings[style][which]
            inside = at - (int(self.ends[style][which]) - recording.n_segments)
            power = self.corpus.power(recording, slice(inside, inside + 1))[0]
            pair[style] = torch.from_numpy(power)
        return pair
