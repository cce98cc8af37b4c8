"""Folders of recordings -> a corpus (see `corpus`), recording by recording and in parallel."""

import csv
import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray

from thirdstream import audio, shortage
from thirdstream.audio import SEGMENT, SR, AudioError, Meter
from thirdstream.data.corpus import (
    TEST,
    TRAIN,
    VALIDATION,
    VARIANT,
    VERSION,
    Corpus,
    CorpusError,
    Recording,
    Skipped,
    write_header,
)
from thirdstream.files import (
    ThirdstreamError,
    fault_of,
    is_style,
    new_folder,
    read_json,
    remove_orphans,
    sha256_now,
    whole_file,
    write_json,
)
from thirdstream.lock import is_empty
from thirdstream.mel.features.logmel import (
    LogMel,
    MelConfig,
    Moments,
    Statistics,
    moments,
    statistics_of,
)
from thirdstream.parallel import go_on, results
from thirdstream.records import record

SHARES = {TRAIN: 0.8, VALIDATION: 0.1, TEST: 0.1}
FMA_SPLITS = {"training": TRAIN, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class Found:
    """A file that belongs to a style.

    split: only where its collection fixes one. name: in its folder, without the ending. piece: the
    name again, where it is one of the two versions of a piece.
    """

    path: Path
    style: str
    split: str | None = None
    name: str = ""
    piece: str = ""


# --- finding ------------------------------------------------------------------------------------


def find(sources: Sequence[str], *, paired: bool = False) -> list[Found]:
    """Find the recordings of `STYLE=WHERE` sources.

    WHERE is a folder, searched with all folders below it; `musicnet:DIR`, MusicNet as published;
    `fma:DIR`, the Free Music Archive's tracks of the genre named like the style; or
    `fma/GENRE:DIR`. paired: two recordings of one name, in folders of both styles, are versions of
    one piece, bar by bar at one time. Raises CorpusError unless there are two styles, each with
    recordings, and some of these are paired if they should be.
    """
    found: list[Found] = []
    for source in sources:
        style, _, where = source.partition("=")
        if not where or not is_style(style):
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
    return _with_pieces(found) if paired else found


def _with_pieces(found: Sequence[Found]) -> list[Found]:
    """The same with `piece` where just one recording of each style has a name."""
    styles: dict[str, list[str]] = defaultdict(list)
    for one in found:
        styles[one.name].append(one.style)
    both = {name for name, of in styles.items() if name and len(of) == len(set(of)) == 2}
    if not both:
        raise CorpusError(
            "no recording of one style has the name of one of the other; leave --paired out, or "
            "name the two versions of a piece alike"
        )
    return [replace(one, piece=one.name if one.name in both else "") for one in found]


def _find_in(where: str, style: str) -> list[Found]:
    if musicnet := re.fullmatch("musicnet:(.+)", where):
        return find_musicnet(folder_at(musicnet[1]), style)
    if fma := re.fullmatch(r"fma(?:/([^:]+))?:(.+)", where):
        return find_fma(folder_at(fma[2]), style, genre=fma[1] or style)
    folder = folder_at(where)
    return [
        Found(path, style, name=path.relative_to(folder).with_suffix("").as_posix())
        for path in audio.find_recordings(folder)
    ]


def folder_at(name: str) -> Path:
    """A folder by its name. Raises CorpusError where there is none."""
    folder = Path(name)
    if not folder.is_dir():
        raise CorpusError(f"{folder}: there is no such folder; check the path")
    return folder


def find_musicnet(folder: Path, style: str) -> list[Found]:
    """MusicNet (Thickstun et al. 2017): train_data and test_data, its own test recordings kept.

    They lie in `folder` or in one of its folders.
    """
    train = next(iter([*folder.glob("train_data"), *sorted(folder.glob("*/train_data"))]), None)
    if train is None:
        raise CorpusError(f"{folder}: has no train_data folder; give MusicNet's unpacked folder")
    return [
        Found(path, style, TEST if part == "test_data" else None)
        for part in ("train_data", "test_data")
        for path in audio.find_recordings(train.with_name(part))
    ]


def find_fma(folder: Path, style: str, *, genre: str) -> list[Found]:
    """The Free Music Archive (Defferrard et al. 2017): tracks whose genre_top is `genre`.

    Reads fma_metadata/tracks.csv; audio lies in fma_*/NNN/NNNNNN.mp3. FMA's own split, made by
    artist, is kept.
    """
    table = fma_table(folder)
    if table is None:
        raise CorpusError(f"{folder}: has no fma_metadata/tracks.csv; unpack fma_metadata.zip here")
    files = {path.stem: path for path in audio.find_recordings(folder)}
    found = []
    for track, track_genre, split in fma_tracks(table):
        path = files.get(track.zfill(6))
        if path and track_genre.casefold() == genre.casefold():
            found.append(Found(path, style, FMA_SPLITS.get(split)))
    return found


def fma_table(folder: Path) -> Path | None:
    """FMA's table of tracks in a folder, or in one of its folders; None where there is none."""
    places = ("fma_metadata/tracks.csv", "tracks.csv", "*/fma_metadata/tracks.csv")
    return next((path for place in places for path in sorted(folder.glob(place))), None)


def fma_tracks(table: Path) -> Iterator[tuple[str, str, str]]:
    """(track id, top genre, split) of each row of tracks.csv, whose header has three lines."""
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
) -> Generator[Recording | Skipped, None, None]:
    """Make a corpus of the recordings found, and yield what became of each as it is done.

    What had to be left out, duplicates among them, is in the manifest too, as `skipped`.

    n_jobs: processes, -1 for one a core (see `parallel`). seed: of the split.

    Finished recordings are not done again: run it once more after a kill, or with more recordings.
    The manifest appears when all is done; where nothing could be used, nothing is left. Raises
    CorpusError if `out` is something else's folder or a style has no usable recording.
    """
    if out.is_dir() and not is_empty(out) and not (out / "recordings").is_dir():
        raise CorpusError(f"{out}: is not empty and no corpus; choose a new folder")
    folders = out / "recordings", out / "features"
    with new_folder(folders[0]), new_folder(folders[1]):
        remove_orphans(out, *folders)
        jobs = (joblib.delayed(_prepare_one)(one, out) for one in found)
        done: list[tuple[Found, Recording | Skipped]] = []
        for one, outcome in results(jobs, n_jobs=n_jobs, threads=True):
            done.append((one, outcome))
            yield outcome
        remove_orphans(*folders)  # of workers that were lost
        _write_manifest(out, done, seed, n_jobs)


def _key(one: Found) -> str:
    """The name of a recording's files in the corpus."""
    place = one.style.encode() + b"\n" + os.fsencode(one.path.resolve())
    return hashlib.sha256(place).hexdigest()[:20]


def _prepare_one(one: Found, out: Path) -> tuple[Found, Recording | Skipped]:
    """Prepare a recording, or find that it has been; runs beside others."""
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
            sha256=sha256_now(one.path),
            features=features.relative_to(out).as_posix(),
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            **measured,
        )
        write_json(record_path, asdict(done))
        return one, done
    except OSError as error:  # it went away, or its disk did
        if shortage.said(error):
            raise
        return one, Skipped(str(one.path), one.style, f"cannot be read ({error.strerror})")
    except Exception as error:  # whatever it is, the other recordings are prepared
        if isinstance(error, ThirdstreamError) and not isinstance(error, AudioError):
            raise  # the corpus cannot be written
        reason = fault_of(one.path, error).removeprefix(f"{one.path}: ")
        return one, Skipped(str(one.path), one.style, reason)


def _finished(path: Path) -> Recording | None:
    """What was written of a recording; None where that is damaged, so that it is done again."""
    try:
        return record(Recording, read_json(path, kind="record of a recording"))
    except (ThirdstreamError, ValueError):
        return None


def _write_features(path: Path, features: Path) -> dict[str, Any]:
    """Write the array of a recording, segment by segment; returns what was measured on the way."""
    header = audio.info(path)
    mel, sound, meter = LogMel(), hashlib.sha256(), Meter()

    def listened() -> Iterator[NDArray[np.float32]]:
        for block in meter.of(audio.blocks(path)):
            go_on()
            sound.update((block * 32768).round().astype("<i2").tobytes())
            yield block

    with whole_file(features) as temporary, temporary.open("wb") as file:
        shape = (0, mel.config.n_frames, mel.config.n_mels)
        write_header(file, shape)
        n_segments = 0
        for window in audio.windows(listened(), size=SEGMENT, hop=SEGMENT):
            if (n_segments + 1) * SEGMENT > meter.n_samples:
                break  # the last one, filled up with zeros: the paper's segments are whole
            root = mel.power(torch.from_numpy(window))[0].sqrt_().sqrt_().half()
            file.write(root.numpy().tobytes())
            n_segments += 1
        level, duration_s = meter.level, meter.n_samples / SR
        if n_segments == 0:
            raise AudioError(
                f"{path}: lasts {duration_s:.2f} s, less than one segment "
                f"({SEGMENT / SR:.2f} s); leave it out"
            )
        if level.silent:
            raise AudioError(f"{path}: is silent ({level.rms_db:.0f} dB); leave it out")
        write_header(file, (n_segments, *shape[1:]))
    return {
        "sound": sound.hexdigest(),
        "duration_s": duration_s,
        "sr": header.sr,
        "n_channels": header.n_channels,
        "gain": level.gain,
        "n_segments": n_segments,
    }


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

    Both versions of a piece go where its name says, and with them its variants: `thirdstream
    arrange` calls those of one score NAME.1, NAME.2 and so on.
    """
    split: dict[str, str] = {}
    of_piece: dict[str, str] = {}
    for style in sorted({one.style for one in recordings}):
        own = [one for one in recordings if one.style == style]
        draw = {one.sound: _draw(VARIANT.sub("", one.piece) or one.sound, seed) for one in own}
        for one in own:
            given = fixed.get(Path(one.features).stem)
            split[one.sound] = given or (TRAIN if len(own) < 3 else _split_at(draw[one.sound]))
        free = [one.sound for one in own if fixed.get(Path(one.features).stem) is None]
        if len(own) >= 3:
            _fill_empty_splits(split, free, draw, [one.sound for one in own])
        for one in own:
            if one.piece:
                split[one.sound] = of_piece.setdefault(one.piece, split[one.sound])
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
        counts = Counter({draw[sound]: split[sound] for sound in own}.values())  # of pieces
        if counts[wanted]:
            continue
        givers = [sound for sound in free if counts[split[sound]] > 1]
        if givers:
            pick = (max if wanted == TRAIN else min)(givers, key=draw.__getitem__)
            split |= {sound: wanted for sound in free if draw[sound] == draw[pick]}


def _statistics(corpus: Corpus, style: str, n_jobs: int) -> Statistics:
    """Of the style's training recordings, each measured by itself."""

    def moments_at(scale: float | None) -> Moments:
        own = corpus.of(style, TRAIN)
        tasks = (joblib.delayed(_moments_of)(corpus, one, scale) for one in own)
        return reduce(Moments.joined, results(tasks, n_jobs=n_jobs, in_order=True, threads=True))

    return statistics_of(moments_at)


def _moments_of(corpus: Corpus, recording: Recording, scale: float | None) -> Moments:
    return moments(corpus.chunks_of(recording), scale=scale)


def _check_versions(one: Recording, other: Recording) -> None:
    """Raise CorpusError if these cannot be one piece at one time."""
    if abs(one.duration_s - other.duration_s) > SEGMENT / SR:
        raise CorpusError(
            f"{one.path} lasts {one.duration_s:.1f} s, {other.path} {other.duration_s:.1f} s: they "
            "are no versions of one piece; rename one of them, or leave --paired out"
        )


def _write_manifest(
    out: Path, done: Sequence[tuple[Found, Recording | Skipped]], seed: int, n_jobs: int
) -> None:
    outcomes = [
        replace(outcome, piece=one.piece) if isinstance(outcome, Recording) else outcome
        for one, outcome in sorted(done, key=lambda pair: str(pair[0].path))
    ]
    unique, duplicates = _without_duplicates([x for x in outcomes if isinstance(x, Recording)])
    skipped = [outcome for outcome in outcomes if isinstance(outcome, Skipped)] + duplicates
    recordings = _split(unique, {_key(one): one.split for one, _ in done}, seed)
    styles = sorted({one.style for one in recordings if one.split == TRAIN})
    if len(styles) != 2:
        raise CorpusError(
            f"{out}: needs recordings of two styles to train on, has them of: "
            f"{', '.join(styles) or 'none'}; see the reasons above"
            + (", and run it again: what is done stays" if recordings else "")
        )
    corpus = Corpus(out, MelConfig(), {}, recordings)
    for versions in corpus.aligned(TRAIN):
        _check_versions(*versions)
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
