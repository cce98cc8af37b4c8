"""Systems and baselines on test recordings, both directions.

The baselines say what a number means: copying the content keeps all of it and changes no style;
copying a recording of the target style is all style and no content; resynthesis goes through mel
and Griffin-Lim without a transfer, so it shows what the sound alone costs; noise has neither; and
where the same piece is there in the other style, that is what a perfect transfer might be.

Beside the results OUT.json lies the folder OUT.work: one JSON for each entry and recording, whose
name is a hash of all it depends on, so that work can resume; what was heard in each sound, by the
sound (`analyses`); and the excerpts that `report` plays.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np

import thirdstream
from thirdstream import audio, notes, registry, shortage
from thirdstream.audio import SR, Wave
from thirdstream.evaluation import Settings, dependencies, measure, metrics
from thirdstream.evaluation.analyses import ANALYSES, analysed, kept_analysis
from thirdstream.evaluation.cost import Cost, cost_of_transfer
from thirdstream.evaluation.dependencies import code_of, versions
from thirdstream.evaluation.material import Item, Material, excerpt, short_hash, truth_of
from thirdstream.evaluation.measure import EvaluationModels
from thirdstream.files import (
    ThirdstreamError,
    make_folder,
    read_json,
    remove_orphans,
    sha256,
    write_json,
)
from thirdstream.parallel import results
from thirdstream.records import record
from thirdstream.system import System

COPY_CONTENT, COPY_TARGET, RESYNTHESIS = "copy-content", "copy-target", "resynthesis"
NOISE, TRUE_TARGET = "noise", "true-target"
BASELINES = (COPY_CONTENT, COPY_TARGET, RESYNTHESIS, NOISE, TRUE_TARGET)
ORIGINAL, REFERENCE = "original", "reference"
OPTIONS = ("style-strength", "keep-content", "blend")  # what a model may be evaluated with
# What measures, with all that it imports; what says alone which excerpt, and which notes are right;
# what a cost depends on besides.
MEASURING = ("thirdstream.evaluation.measure", "thirdstream.notes.io.midi")
DRAWING = (
    "thirdstream.evaluation.evaluate", "thirdstream.evaluation.material", "thirdstream.data.pairs"
)  # fmt: skip
TRANSFERRING = ("thirdstream.cli.transfer", "thirdstream.transfer.files")
PREVIEW_S = 12.0  # of an excerpt, kept for the page


@dataclass(frozen=True)
class Entry:
    """A row of the table: a baseline, or a system by the name or path it loads by.

    sha256: of its checkpoint, where it has one. options: what it transfers with, by name.
    parts: what it needs outside the package (see System.parts). code: the digest of its own.
    """

    name: str
    model: str = ""
    sha256: str = ""
    options: tuple[tuple[str, float], ...] = ()
    parts: tuple[str, ...] = ()
    code: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What its transfers depend on, beside its name."""
        return (self.sha256, self.code, *self.parts)


@dataclass(frozen=True)
class Job:
    """One recording with all that is asked of it: entries, or none of a reference.

    copied: the target recording that the baseline copies.
    """

    item: Item
    target: str
    entries: tuple[Entry, ...] = ()
    copied: Item | None = None
    keep_sound: bool = False


class Outcome(NamedTuple):
    """What became of a recording: rows by entry, or why there are none."""

    job: Job
    rows: Mapping[str, dict[str, Any]]
    fault: str = ""


# --- what to do ---------------------------------------------------------------------------------


def entries_of(models: Sequence[str], material: Material) -> list[Entry]:
    """The baselines and the models, MODEL or MODEL+OPTION=VALUE.

    Raises ThirdstreamError on unknown models, styles and options, and twice one name.
    """
    found = [Entry(name) for name in BASELINES if name != TRUE_TARGET or material.has_pairs]
    for wanted in models:
        model, options = _parted(wanted)
        name = "+".join([
            registry.label_of(model),
            *(f"{option.replace('_', '-')}={value:g}" for option, value in options),
        ])  # fmt: skip
        if name in {one.name for one in found}:
            raise ThirdstreamError(
                f"{wanted}: another one is called {name} too; rename one of them"
            )
        loaded = registry.load(model)
        for style in material.styles:
            try:
                loaded.choose(to=style, **dict(options))
            except ThirdstreamError as error:
                if style in loaded.styles:
                    raise
                raise ThirdstreamError(
                    f"{error}; give the folders of recordings the names of styles that it knows"
                ) from error
        digest = sha256(loaded.checkpoint) if loaded.checkpoint else ""
        found.append(Entry(name, model, digest, options, loaded.parts(), code_of(loaded)))
    return found


def _parted(wanted: str) -> tuple[str, tuple[tuple[str, float], ...]]:
    """MODEL+OPTION=VALUE+... -> model and options. Raises ThirdstreamError on what is no number."""
    model, *settings = re.split(rf"\+(?=(?:{'|'.join(OPTIONS)})=)", wanted)
    options = []
    for setting in settings:
        option, _, value = setting.partition("=")
        try:
            options.append((option.replace("-", "_"), float(value)))
        except ValueError:
            raise ThirdstreamError(
                f"{wanted}: {value!r} is no number; write for example {model}+{option}=0.5"
            ) from None
    return model, tuple(options)


def plan(material: Material, entries: Sequence[Entry], settings: Settings) -> list[Job]:
    """A job for each test recording, then one for each reference."""
    jobs = []
    for style, target in (material.styles, material.styles[::-1]):
        chosen = _drawn(material.tests[style], settings.max_recordings, settings.seed)
        others = _others(chosen, material.tests[target], settings.seed)
        for number, (item, copied) in enumerate(zip(chosen, others, strict=True)):
            jobs.append(Job(item, target, tuple(entries), copied, number < settings.examples))
    for style, items in material.references.items():
        jobs += [Job(one, style) for one in _drawn(items, settings.references, settings.seed)]
    return jobs


def _others(chosen: Sequence[Item], tests: Sequence[Item], seed: int) -> Iterator[Item]:
    """For each recording one of the target to copy: of another piece, none twice while there are
    enough; the same on any machine.
    """
    left: list[Item] = []
    for item in chosen:
        if not any(one.piece != item.piece for one in left):
            left += _drawn(tests, 0, f"{seed} copied")
        copied = next((one for one in left if one.piece != item.piece), left[0])
        left.remove(copied)
        yield copied


def _drawn(items: Sequence[Item], n_items: int, seed: object) -> list[Item]:
    """So many items (0: all) in an order that depends on seed and recording alone."""
    order = sorted(items, key=lambda item: short_hash(f"{seed} {item.path.name} {item.style}"))
    return order[: n_items or None]


def models_of(settings: Settings) -> EvaluationModels:
    """The networks that measure. Raises ThirdstreamError if a classifier's file is missing."""
    return measure.evaluation_models().having(settings.classifiers)


# --- one recording ------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def loaded(model: str) -> System[Any]:
    """A system, read once a process."""
    return registry.load(model)


def output_of(
    entry: Entry, original: Wave, job: Job, settings: Settings
) -> tuple[Wave, dict[str, Any]]:
    """What an entry makes of an excerpt, as long, and what is measured of the entry alone."""
    if entry.name == COPY_CONTENT:
        return original, {}
    if entry.name == RESYNTHESIS:
        return measure.resynthesise(original)
    if entry.name == NOISE:
        return measure.white_noise(len(original), seed=f"{settings.seed} {job.item.path.name}"), {}
    if not entry.model:
        copied = job.copied if entry.name == COPY_TARGET else job.item.pair
        assert copied is not None
        path = copied.path if isinstance(copied, Item) else copied
        return np.resize(excerpt(path, settings.excerpt_s), len(original)), {}
    system, source, seed = loaded(entry.model), job.item.style, settings.seed
    options: dict[str, Any] = dict(entry.options)
    wave = system.transfer(original, SR, to=job.target, source=source, seed=seed, **options)
    row: dict[str, Any] = measure.mel_metrics(
        system, original, source=source, target=job.target, seed=seed
    )
    if row:
        again = system.transfer(original, SR, to=source, source=source, seed=seed)
        row |= measure.reconstruction_metrics(original=original, output=again)
    return wave, row


def _place(job: Job, entry: Entry, settings: Settings, models: EvaluationModels) -> str:
    """The name of the work file: a hash of all that its content depends on."""
    copied = job.copied.key if job.copied and entry.name == COPY_TARGET else ""
    about = json.dumps(models.about(), sort_keys=True)
    pair = (str(job.item.pair), job.item.manifest and sha256(job.item.manifest))
    depends = (versions(), measuring_code(), entry.name, entry.identity, job.item.key,
               pair, job.target, copied, settings.excerpt_s, settings.seed, about)  # fmt: skip
    return f"{entry.name}-{short_hash(repr(depends))}"


def measure_job(job: Job, settings: Settings, work: Path) -> Outcome:
    """All entries on one recording, or a reference; runs in a process of its own."""
    rows_of = _rows if job.entries else _reference_rows
    try:
        return Outcome(job, rows_of(job, settings, work))
    except ThirdstreamError as error:
        if shortage.said(error):  # not the recording's fault
            raise
        return Outcome(job, {}, str(error))


def _rows(job: Job, settings: Settings, work: Path) -> dict[str, dict[str, Any]]:
    """By entry, what is measured of it on the job's recording."""
    models, rows = models_of(settings), {}
    original: measure.Analysis | None = None
    truth = truth_of(job.item, settings.excerpt_s)
    kept = work / "audio" / f"{ORIGINAL}-{job.item.key}.mp3"
    if job.keep_sound and not kept.is_file():
        _write_preview(kept, excerpt(job.item.path, settings.excerpt_s))
    for entry in job.entries:
        place = _place(job, entry, settings, models)
        path, sound = work / f"{place}.json", work / "audio" / f"{place}.mp3"
        if not path.is_file() or (job.keep_sound and not sound.is_file()):
            original = original or analysed(
                excerpt(job.item.path, settings.excerpt_s), models, work
            )
            wave, alone = output_of(entry, original.wave, job, settings)
            if job.keep_sound:
                _write_preview(sound, wave)
            compared = measure.compare(
                original=original,
                output=original if wave is original.wave else analysed(wave, models, work),
                source=job.item.style,
                target=job.target,
                truth=truth,
            )
            write_json(path, alone | compared)
        rows[entry.name] = read_json(path, kind="measured recording") | {
            "sound": sound.relative_to(work).as_posix() if job.keep_sound else ""
        }
    return rows


def _reference_rows(job: Job, settings: Settings, work: Path) -> dict[str, dict[str, Any]]:
    """Timbre, embeddings and chroma of a recording that sets and results are compared with."""
    models = models_of(settings)
    path = work / f"{_place(job, Entry(REFERENCE), settings, models)}.json"
    if not path.is_file():
        wave = excerpt(job.item.path, settings.excerpt_s)
        known = kept_analysis(wave, models, work)
        write_json(path, measure.features_of(known) if known else
                   measure.reference_features(wave, models))  # fmt: skip
    return {REFERENCE: read_json(path, kind="measured recording")}


def _write_preview(path: Path, wave: Wave) -> None:
    """Write the middle of an excerpt for the page."""
    start = max(0, (len(wave) - round(PREVIEW_S * SR)) // 2)
    part = wave[None, start : start + round(PREVIEW_S * SR)]
    limited = audio.limited([part], ceiling=audio.ceiling_of(path))
    audio.write(path, limited, sr=SR, n_channels=1)


# --- all of them --------------------------------------------------------------------------------


def run(jobs: Sequence[Job], settings: Settings, work: Path, *, n_jobs: int) -> Iterator[Outcome]:
    """Do all jobs, in parallel; yields each as it is done."""
    folders = (work, work / "audio", work / ANALYSES)
    for folder in folders:
        make_folder(folder)
    remove_orphans(*folders)
    if n_jobs != 1:
        metrics.compile_all()
    tasks = [joblib.delayed(measure_job)(job, settings, work) for job in jobs]
    yield from results(tasks, n_jobs=n_jobs)
    remove_orphans(*folders)


def measured_cost(entry: Entry, job: Job, work: Path) -> Cost:
    """What a model's transfer of the job's whole recording costs; measured once, and kept.

    Nothing else should run meanwhile. Raises ThirdstreamError if the transfer fails.
    """
    code = dependencies.digest("thirdstream.evaluation.cost", alone=TRANSFERRING)
    depends = (versions(), code, entry.identity, job.item.key, job.target)
    path = work / f"cost-{entry.name}-{short_hash(repr(depends))}.json"
    if not path.is_file():
        cost = cost_of_transfer(job.item.path, model=entry.model, to=job.target)
        write_json(path, cost._asdict())
    try:
        return record(Cost, read_json(path, kind="measured cost"))
    except ValueError as error:
        raise ThirdstreamError(f"{path}: is damaged ({error}); remove it") from error


@lru_cache(1)
def code_digest() -> str:
    """Of this package's own code, so that another version's work is not used for this one's."""
    return _digest(Path(thirdstream.__file__).parent.rglob("*.py"))


@lru_cache(1)
def weights_digest() -> str:
    """Of what `score` has learnt and plays with, which lies beside its code."""
    return _digest(path for path in Path(notes.__file__).parent.rglob("*.*")
                   if path.suffix in dependencies.WEIGHTS)  # fmt: skip


def _digest(paths: Iterable[Path]) -> str:
    """Of files in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(1)
def measuring_code() -> str:
    """Of all that measures, so that another version's work is not used for this one's."""
    return dependencies.digest(*MEASURING, alone=DRAWING)
