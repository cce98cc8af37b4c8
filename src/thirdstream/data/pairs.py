"""Scores -> a folder of pairs: the same piece in both styles, as sound and as MIDI.

OUT/STYLE/NAME.flac and .mid for both styles, OUT/records/NAME.json for each pair, with what the
sheet says in the pair's key: melody (start, length, pitch) and chords (start, length, root,
intervals, bass), times in quarter notes; and OUT/pairs.json, which has all records. OUT/classical
and OUT/jazz are ready for `prepare`.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from thirdstream import audio, shortage
from thirdstream.files import (
    ThirdstreamError,
    apart,
    files_below,
    make_folder,
    reaching,
    read_json,
    remove_orphans,
    sha256,
    sha256_now,
    write_json,
)
from thirdstream.lock import is_empty
from thirdstream.notes.arranging import STYLES, arrange, draw_setting
from thirdstream.notes.arranging.arrangement import Arrangement
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.io.score import SUFFIXES, read_score
from thirdstream.notes.rendering import ORCHESTRA, TAIL_S, draw_scene, render
from thirdstream.notes.rendering import VERSION as SYNTHESISER
from thirdstream.notes.rendering.soundfont import opened
from thirdstream.notes.types import Score
from thirdstream.parallel import results

MANIFEST = "pairs.json"
FORMATS = ("flac", "wav", "ogg", "mp3", "aiff")
VERSION = 7  # of the records; raise it too when the same seed gives other notes or another sound
KEYS = ("C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
MAJOR = (0, 2, 4, 5, 7, 9, 11)
PACKAGES = ("thirdstream", "numpy", "scipy", "mido")
MAX_BARS, BAR_S = 100_000, (0.01, 600.0)  # what a manifest may claim


@dataclass(frozen=True)
class Job:
    """One pair to make: a score, which of its variants, and what all pairs share.

    piece: the score's name, on which all that is drawn depends. name: of the files. repeats:
    whether they are played out.
    """

    score: Path
    piece: str
    name: str
    variant: int
    seed: int
    soundfonts: tuple[Path, ...]
    format: str
    repeats: bool = True


@dataclass(frozen=True)
class Made:
    """A pair that is there: its score, its name, and its record as in the manifest."""

    path: Path
    name: str
    record: dict[str, Any]

    @property
    def remarks(self) -> list[str]:
        """What a user should know of how the score was read."""
        return self.record.get("remarks", [])


@dataclass(frozen=True)
class Left:
    """A score that was left out, and why."""

    path: Path
    reason: str


@reaching()
def find_scores(inputs: Sequence[Path]) -> list[Path]:
    """Files as given and all scores below folders, sorted. Raises ThirdstreamError for none, and
    where a folder cannot be read."""
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found += files_below(path, SUFFIXES)
        else:
            found.append(path)
    if not found:
        names = ", ".join(map(str, inputs)) or "nothing"
        raise ThirdstreamError(
            f"{names}: holds no scores; give {', '.join(sorted(SUFFIXES))} files or their folder"
        )
    return sorted(set(found))


@reaching()
def plan(
    scores: Sequence[Path],
    *,
    seed: int = 0,
    variants: int = 1,
    soundfonts: Sequence[Path] = (),
    format: str = "flac",
) -> list[Job]:
    """One Job for each score and variant, with a name of its own.

    soundfonts: from which each pair draws one; by default the one that comes along. Raises
    ThirdstreamError where one is missing or is none.
    """
    fonts = tuple(soundfonts) or (ORCHESTRA,)
    for font in fonts:
        if not font.is_file():
            raise ThirdstreamError(f"{font}: there is no such soundfont; check the path")
        opened(font)  # says whether it is one
    if variants < 1:
        raise ThirdstreamError(f"--variants {variants}: make at least one")
    jobs = []
    for score, named in zip(scores, apart(scores, [Path(s.stem) for s in scores]), strict=True):
        for variant in range(variants):
            name = named.name if variants == 1 else f"{named.name}.{variant + 1}"
            jobs.append(Job(score, score.stem, name, variant, seed, fonts, format))
    return jobs


def make_pairs(jobs: Sequence[Job], out: Path, *, n_jobs: int = -1) -> Iterator[Made | Left]:
    """Make pairs in parallel, and yield what became of each as it is done.

    Pairs that are there, made of the same score in the same way, are not made again. The manifest
    appears when all is done; it lists the scores left out too. Raises ThirdstreamError if `out` is
    something else's folder.
    """
    if out.is_dir() and not is_empty(out) and not (out / "records").is_dir():
        raise ThirdstreamError(f"{out}: is not empty and holds no pairs; choose a new folder")
    folders = [out / name for name in ("records", *STYLES)]
    for folder in folders:
        make_folder(folder)
    remove_orphans(out, *folders)
    outcomes: list[Made | Left] = []
    tasks = (joblib.delayed(make_pair)(job, out) for job in jobs)
    for outcome in results(tasks, n_jobs=n_jobs):
        outcomes.append(outcome)
        yield outcome
    remove_orphans(*folders)  # of workers that were lost
    made = sorted((one for one in outcomes if isinstance(one, Made)), key=lambda one: one.name)
    left = sorted({(str(one.path), one.reason) for one in outcomes if isinstance(one, Left)})
    manifest = {
        "pairs": {one.name: one.record for one in made},
        "left_out": [{"score": path, "reason": reason} for path, reason in left],
    }
    write_json(out / MANIFEST, manifest)


def listed(manifest: Path) -> dict[str, dict[str, Any]]:
    """The records of a manifest, by name, of which every field that is read again is checked.

    Raises ThirdstreamError where one is not as `make_pairs` writes it, or leads out of the folder.
    """
    content = read_json(manifest, kind="manifest of pairs")
    try:
        records = content["pairs"]
        for name, one in records.items():
            if Path(name).name != name or "\\" in name or one["format"] not in FORMATS:
                raise ValueError(f"{name[:60]!r} names no pair")
            if not 1 <= one["beats_per_minute"] <= 1000:
                raise ValueError(f"{name}: has no tempo")
            np.array(one["melody"], np.float64).reshape(-1, 3)
            if not (1 <= one["n_bars"] <= MAX_BARS and BAR_S[0] <= one["bar_s"] <= BAR_S[1]):
                raise ValueError(f"{name}: has no bars")
            for start, length, root, intervals, _ in one["chords"]:
                np.array([start, length, root, *intervals], np.float64)
                _ = [int(semitones) % 12 for semitones in (root, *intervals)]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ThirdstreamError(
            f"{manifest}: is no manifest of pairs ({error!r}); run the same command again"
        ) from error
    return records


def make_pair(job: Job, out: Path) -> Made | Left:
    """Make one pair, or find that it is there."""
    try:
        made_of = _made_of(job)
        record_path = out / "records" / f"{job.name}.json"
        if (record := _finished(record_path, made_of, out)) is None:
            record = _make(job, out, made_of)
            write_json(record_path, record)
        return Made(job.score, job.name, record)
    except ThirdstreamError as error:
        if shortage.said(error):  # not the score's fault
            raise
        return Left(job.score, str(error).removeprefix(f"{job.score}: "))
    except OSError as error:
        return Left(job.score, f"cannot be read ({error.strerror})")
    except MemoryError:
        raise
    except Exception as error:  # one odd score must not stop hundreds of others
        return Left(job.score, f"an unexpected fault ({error!r}); please report it with the score")


def _soundfont(job: Job) -> Path:
    """The one that is drawn for the pair."""
    return random.Random(_seed(job)).choice(job.soundfonts)


def _made_of(job: Job) -> dict[str, Any]:
    """Everything that decides what a pair is."""
    if not job.score.is_file():
        raise ThirdstreamError(f"{job.score}: there is no such file; check the path")
    font = _soundfont(job)
    return {
        "score": job.score.name,
        "score_sha256": sha256_now(job.score),
        "seed": job.seed,
        "variant": job.variant,
        "soundfont": font.name,
        "soundfont_sha256": sha256(font),
        "synthesiser": SYNTHESISER,
        "format": job.format,
        "arrangers": VERSION,
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def _seed(job: Job) -> str:
    """Of everything drawn for a pair: other scores have no influence on it."""
    return f"{job.seed} {job.piece} {job.variant}"


def _finished(path: Path, made_of: dict[str, Any], out: Path) -> dict[str, Any] | None:
    """The record of a pair that is there, whole, and made in the same way."""
    if not path.is_file():
        return None
    record = read_json(path, kind="record of a pair")
    if any(record.get(key) != value for key, value in made_of.items()):
        return None
    for style in STYLES:
        for name, digest in record[style]["files"].items():
            file = out / name
            if not file.is_file() or sha256_now(file) != digest:
                return None
    return record


def _make(job: Job, out: Path, made_of: dict[str, Any]) -> dict[str, Any]:
    score = read_score(job.score, repeats=job.repeats)
    setting = draw_setting(score, seed=_seed(job))
    moved = score.transposed(setting.semitones)
    record: dict[str, Any] = {
        **made_of,
        "title": score.title,
        "key": key_of(moved),
        "semitones": setting.semitones,
        "beats_per_minute": setting.beats_per_minute,
        "beats_per_bar": score.beats_per_bar,
        "n_bars": score.n_bars,
        "bar_s": score.n_beats / score.n_bars * 60 / setting.beats_per_minute,
        "tail_s": TAIL_S,
        "melody": [(note.start, note.length, note.pitch) for note in moved.melody],
        "chords": [(c.start, c.length, c.root, c.intervals, c.bass) for c in moved.chords],
    }
    if score.remarks:
        record["remarks"] = list(score.remarks)
    for style in STYLES:
        record[style] = _write(job, out, style, arrange(score, style, setting))
    return record


def _write(job: Job, out: Path, style: str, arrangement: Arrangement) -> dict[str, Any]:
    """Write one style's sound and MIDI, and return what is recorded of them."""
    scene = draw_scene(style, seed=_seed(job))
    sound, midi = (out / style / f"{job.name}.{end}" for end in (job.format, "mid"))
    write_midi(midi, arrangement.song)
    wave = render(arrangement, _soundfont(job), scene)
    audio.write(sound, [wave[None]], sr=audio.SR, n_channels=1)
    return {
        "ensemble": arrangement.ensemble,
        "groove": arrangement.groove,
        "room": asdict(scene.room),
        "colour_db": scene.colour_db,
        "n_samples": len(wave),
        "files": {path.relative_to(out).as_posix(): sha256_now(path) for path in (sound, midi)},
    }


def key_of(score: Score) -> str:
    """The key, guessed: whose major scale the melody keeps best, and the last chord's root."""
    last = score.chords[-1]

    def kept(tonic: int) -> float:
        inside = sum(note.length for note in score.melody if (note.pitch - tonic) % 12 in MAJOR)
        return inside + (8.0 if last.root == tonic else 0.0)

    if last.is_minor:
        return f"{KEYS[last.root]} minor"
    return f"{KEYS[max(range(12), key=kept)]} major"
