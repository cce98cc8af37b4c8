"""Systems x metrics on test recordings, both directions, with the corners that no system may miss.

The corners say what a number means: copying the content keeps all of it and changes no style;
copying a recording of the target style is all style and no content; resynthesis goes through mel
and Griffin-Lim without a transfer, so it shows what the sound alone costs; and where the same piece
is there in the other style, that is what a perfect transfer might be.

Beside the results OUT.json lies the folder OUT.work: one JSON for each system and recording, whose
name is a hash of all it depends on, so that work can resume; and the excerpts that `report` plays.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch

import thirdstream
from thirdstream import audio, checkpoint, registry, shortage
from thirdstream.audio import SR, Wave
from thirdstream.evaluation import VERSION, Settings, measure, metrics
from thirdstream.evaluation.cost import Cost, cost_of_transfer
from thirdstream.evaluation.material import Item, Material, excerpt, short_hash, truth_of
from thirdstream.evaluation.measure import METRICS, YES_OR_NO, Judges
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
TRUE_TARGET = "true-target"
CORNERS = (COPY_CONTENT, COPY_TARGET, RESYNTHESIS, TRUE_TARGET)
ORIGINAL, REFERENCE = "original", "reference"
KNOBS = ("style-strength", "keep-content", "blend")  # what a model may be measured with
PREVIEW_S = 12.0  # of an excerpt, kept for the page


@dataclass(frozen=True)
class Subject:
    """A row of the table: a corner, or a system by the name or path it loads by.

    sha256: of its checkpoint, where it has one. knobs: options it transfers with, by name.
    parts: what it needs outside the package (see System.parts).
    """

    name: str
    model: str = ""
    sha256: str = ""
    knobs: tuple[tuple[str, float], ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """What its transfers depend on, beside its name."""
        return (self.sha256, *self.parts)


@dataclass(frozen=True)
class Job:
    """One recording with all that is asked of it; `copied` is the target recording to copy."""

    item: Item
    target: str
    subjects: tuple[Subject, ...]
    copied: Item | None = None
    keep_sound: bool = False


class Done(NamedTuple):
    """What became of a recording: rows by subject, or why there are none."""

    job: Job
    rows: Mapping[str, dict[str, Any]]
    fault: str = ""


# --- what to do ---------------------------------------------------------------------------------


def subjects_of(models: Sequence[str], material: Material) -> list[Subject]:
    """The corners and the models. Raises ThirdstreamError on unknown models, styles and twice one
    name."""
    found = [Subject(name) for name in CORNERS if name != TRUE_TARGET or material.has_pairs]
    for wanted in models:
        model, knobs = _parted(wanted)
        name = "+".join([
            Path(model).resolve().name.removesuffix(".safetensors"),
            *(f"{knob.replace('_', '-')}={value:g}" for knob, value in knobs),
        ])  # fmt: skip
        if name in {one.name for one in found}:
            raise ThirdstreamError(
                f"{wanted}: another one is called {name} too; rename one of them"
            )
        loaded = registry.load(model)
        for style in material.styles:
            loaded.choose(to=style, **dict(knobs))
        digest = sha256(loaded.checkpoint) if loaded.checkpoint else ""
        found.append(Subject(name, model, digest, knobs, loaded.parts()))
    return found


def _parted(wanted: str) -> tuple[str, tuple[tuple[str, float], ...]]:
    """MODEL+KNOB=VALUE+... -> model and knobs. Raises ThirdstreamError on what is no knob."""
    model, *settings = re.split(rf"\+(?=(?:{'|'.join(KNOBS)})=)", wanted)
    knobs = []
    for setting in settings:
        knob, _, value = setting.partition("=")
        try:
            knobs.append((knob.replace("-", "_"), float(value)))
        except ValueError:
            raise ThirdstreamError(
                f"{wanted}: {value!r} is no number; write for example {model}+{knob}=0.5"
            ) from None
    return model, tuple(knobs)


def plan(
    material: Material, subjects: Sequence[Subject], settings: Settings
) -> tuple[list[Job], dict[str, list[Item]]]:
    """The jobs, and by style the recordings that sets are compared with."""
    jobs = []
    for style, target in (material.styles, material.styles[::-1]):
        chosen = _drawn(material.tests[style], settings.max_recordings, settings.seed)
        others = _others(chosen, material.tests[target], settings.seed)
        for number, (item, copied) in enumerate(zip(chosen, others, strict=True)):
            keep = number < settings.examples
            jobs.append(Job(item, target, tuple(subjects), copied, keep))
    limited = {
        style: _drawn(items, settings.references, settings.seed)
        for style, items in material.references.items()
    }
    return jobs, limited


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
    return order[:n_items] if n_items else order


# --- one recording ------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _loaded(model: str) -> System:
    """A system, read once a process."""
    return registry.load(model)


def made(
    subject: Subject, original: Wave, job: Job, settings: Settings
) -> tuple[Wave, dict[str, Any]]:
    """What a subject makes of an excerpt, as long, and what is measured of the subject alone."""
    if subject.name == COPY_CONTENT:
        return original, {}
    if subject.name == COPY_TARGET:
        assert job.copied is not None
        other = excerpt(job.copied.path, settings.excerpt_s)
        return np.resize(other, len(original)), {}
    if subject.name == RESYNTHESIS:
        return measure.resynthesised(original)
    if subject.name == TRUE_TARGET:
        assert job.item.pair is not None
        return np.resize(excerpt(job.item.pair, settings.excerpt_s), len(original)), {}
    system, source, seed = _loaded(subject.model), job.item.style, settings.seed
    knobs: dict[str, Any] = dict(subject.knobs)
    wave = system.transfer(original, SR, to=job.target, source=source, seed=seed, **knobs)
    row: dict[str, Any] = measure.inside(
        system, original, source=source, target=job.target, seed=seed
    )
    if row:
        again = system.transfer(original, SR, to=source, source=source, seed=seed)
        row |= measure.rebuilt(original=original, made=again)
    return wave, row


def _place(job: Job, subject: Subject, settings: Settings, ears: Judges) -> str:
    """The name of the work file: a hash of all that its content depends on."""
    copied = job.copied.key if job.copied and subject.name == COPY_TARGET else ""
    heard = json.dumps(ears.about(), sort_keys=True)
    pair = (str(job.item.pair), job.item.manifest and sha256(job.item.manifest))
    depends = (VERSION, versions(), code_digest(), subject.name, subject.identity, job.item.key,
               pair, job.target, copied, settings.excerpt_s, settings.seed, heard)  # fmt: skip
    return f"{subject.name}-{short_hash(repr(depends))}"


def measure_job(job: Job, settings: Settings, work: Path) -> Done:
    """All subjects on one recording; runs in a process of its own."""
    ears, rows = measure.judges(), {}
    original: measure.Analysis | None = None
    truth = truth_of(job.item, settings.excerpt_s)
    try:
        if job.keep_sound:
            _keep(work / "audio" / f"{ORIGINAL}-{job.item.key}.mp3",
                  lambda: excerpt(job.item.path, settings.excerpt_s))  # fmt: skip
        for subject in job.subjects:
            place = _place(job, subject, settings, ears)
            path, sound = work / f"{place}.json", work / "audio" / f"{place}.mp3"
            if not path.is_file() or (job.keep_sound and not sound.is_file()):
                original = original or measure.analysed(
                    excerpt(job.item.path, settings.excerpt_s), ears
                )
                wave, alone = made(subject, original.wave, job, settings)
                if job.keep_sound:
                    _keep(sound, lambda wave=wave: wave)
                new = measure.compared(
                    original=original,
                    made=measure.analysed(wave, ears),
                    source=job.item.style,
                    target=job.target,
                    truth=truth,
                )
                write_json(path, alone | new)
            rows[subject.name] = read_json(path, kind="measured recording") | {
                "sound": str(sound.relative_to(work).as_posix()) if job.keep_sound else ""
            }
    except ThirdstreamError as error:
        if shortage.said(error):  # not the recording's fault
            raise
        return Done(job, {}, str(error))
    return Done(job, rows)


def measure_reference(item: Item, settings: Settings, work: Path) -> Done:
    """Timbre and embeddings of a recording that sets are compared with."""
    ears, job = measure.judges(), Job(item, item.style, ())
    path = work / f"{_place(job, Subject(REFERENCE), settings, ears)}.json"
    try:
        if not path.is_file():
            write_json(path, measure.listened(excerpt(item.path, settings.excerpt_s), ears))
        return Done(job, {REFERENCE: read_json(path, kind="measured recording")})
    except ThirdstreamError as error:
        if shortage.said(error):  # not the recording's fault
            raise
        return Done(job, {}, str(error))


def _keep(path: Path, wave_of: Callable[[], Wave]) -> None:
    """Write the middle of an excerpt for the page, unless it is there."""
    if path.is_file():
        return
    wave = wave_of()
    start = max(0, (len(wave) - round(PREVIEW_S * SR)) // 2)
    part = wave[None, start : start + round(PREVIEW_S * SR)]
    limited = audio.limited([part], ceiling=audio.ceiling_of(path))
    audio.write(path, limited, sr=SR, n_channels=1)


# --- all of them --------------------------------------------------------------------------------


def run(
    jobs: Sequence[Job],
    references: Mapping[str, Sequence[Item]],
    settings: Settings,
    work: Path,
    *,
    n_jobs: int,
) -> Iterator[Done]:
    """Do all jobs and listen to all references, in parallel; yields each as it is done."""
    make_folder(work / "audio")
    remove_orphans(work, work / "audio")
    if n_jobs != 1:
        metrics.compile_all()
    tasks = [joblib.delayed(measure_job)(job, settings, work) for job in jobs]
    tasks += [
        joblib.delayed(measure_reference)(item, settings, work)
        for items in references.values()
        for item in items
    ]
    yield from results(tasks, n_jobs=n_jobs)
    remove_orphans(work, work / "audio")


def measured_cost(subject: Subject, job: Job, work: Path) -> Cost:
    """What a model's transfer of the job's whole recording costs; measured once, and kept.

    Nothing else should run meanwhile. Raises ThirdstreamError if the transfer fails.
    """
    depends = (VERSION, versions(), code_digest(), subject.identity, job.item.key, job.target)
    path = work / f"cost-{subject.name}-{short_hash(repr(depends))}.json"
    if not path.is_file():
        cost = cost_of_transfer(job.item.path, model=subject.model, to=job.target)
        write_json(path, cost._asdict())
    try:
        return record(Cost, read_json(path, kind="measured cost"))
    except ValueError as error:
        raise ThirdstreamError(f"{path}: is damaged ({error}); remove it") from error


def summarise(
    done: Iterable[Done],
    costs: Mapping[str, Cost],
    material: Material,
    subjects: Sequence[Subject],
    settings: Settings,
) -> dict[str, Any]:
    """The results, as plain data: see the keys. Raises ThirdstreamError if nothing was measured."""
    everything = sorted(done, key=lambda one: (one.job.item.style, one.job.item.key))
    tests = [one for one in everything if one.job.subjects and one.rows]
    if not tests:
        faults = "; ".join(one.fault for one in everything if one.fault)
        raise ThirdstreamError(f"no recording could be measured: {faults}")
    references = {
        style: [one.rows[REFERENCE] for one in everything
                if REFERENCE in one.rows and one.job.item.style == style]
        for style in material.styles
    }  # fmt: skip
    scores = {
        one.name: _scores(one.name, tests, references, material.styles, settings)
        for one in subjects
    }
    for name, cost in costs.items():
        for direction in scores[name]:
            scores[name][direction] |= _cost_scores(cost)
    return _circumstances(material, settings) | {
        "systems": {one.name: _about(one) for one in subjects},
        "recordings": [{"name": one.job.item.path.name, "style": one.job.item.style}
                       for one in tests],
        "references": {style: len(rows) for style, rows in references.items()},
        "skipped": [{"path": str(one.job.item.path), "reason": one.fault}
                    for one in everything if one.fault],
        "floors": {style: _floors(rows, settings) for style, rows in references.items()},
        "scores": scores,
        "costs": {name: cost._asdict() for name, cost in costs.items()},
        "examples": _examples(tests),
    }  # fmt: skip


def _circumstances(material: Material, settings: Settings) -> dict[str, Any]:
    """What was measured on what, by what."""
    ears = measure.judges()
    return {
        "version": VERSION,
        "corpus": material.name,
        "settings": asdict(settings),
        "versions": versions(),
        "torch_threads": torch.get_num_threads(),
        "judges": ears.about(),
        "left_out": ears.left_out(material.styles),
        "styles": list(material.styles),
        "metrics": {name: metric._asdict() for name, metric in METRICS.items()},
    }


def _cost_scores(cost: Cost) -> dict[str, dict[str, float]]:
    found = {"speed_audio_s_per_s": {"mean": cost.audio_s / cost.seconds, "n": 1}}
    if cost.peak_memory_mb is not None:
        found["peak_memory_mb"] = {"mean": cost.peak_memory_mb, "n": 1}
    return found


def _about(subject: Subject) -> dict[str, Any]:
    if not subject.model:
        return {"kind": "corner"}
    return {
        "kind": "model",
        "model": subject.name.partition("+")[0] if subject.knobs else subject.name,
        "knobs": dict(subject.knobs),
        "sha256": subject.sha256,
        "parts": list(subject.parts),
        "parameters": n_parameters(subject.model),
    }


def _scores(
    name: str,
    tests: Sequence[Done],
    references: Mapping[str, Sequence[Mapping[str, Any]]],
    styles: tuple[str, str],
    settings: Settings,
) -> dict[str, dict[str, Any]]:
    """direction -> metric -> mean, interval and n of one subject; of sets the value alone."""
    table = {}
    for source, target in (styles, styles[::-1]):
        rows = [one.rows[name] for one in tests if one.job.item.style == source]
        if not rows:
            continue
        values: dict[str, Any] = {
            key: (
                metrics.proportion(measured)
                if key in YES_OR_NO
                else metrics.bootstrap(measured, seed=settings.seed)
            )._asdict()
            for key in METRICS
            if (measured := [row[key] for row in rows if key in row])
        }
        if references[target]:
            distances = metrics.timbre_distances(
                reference=[row["timbre"] for row in references[target]],
                estimate=[row["timbre"] for row in rows],
            )
            interval = metrics.bootstrap(distances, seed=settings.seed)
            values["timbre_distance_mfcc"] = interval._asdict()
        table[f"{source}_to_{target}"] = values | _set_distances(rows, references[target])
    return table


def _set_distances(
    rows: Sequence[Mapping[str, Any]], references: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """KAD and FAD over all patches of all recordings; none without embeddings."""
    first, second = _patches(references), _patches(rows)
    if min(len(first), len(second)) < 2:
        return {}
    kad = metrics.kernel_audio_distance(reference=first, estimate=second)
    fad = metrics.frechet_audio_distance(reference=first, estimate=second)
    return {"kad": {"mean": kad, "n": len(rows)}, "fad": {"mean": fad, "n": len(rows)}}


def _patches(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return np.array([patch for row in rows for patch in row.get("embeddings", [])], np.float64)


def _floors(rows: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, float]:
    """What the references score against themselves."""
    floors: dict[str, float] = {}
    if len(rows) >= 2:
        floors["timbre_distance_mfcc"] = metrics.timbre_floor([row["timbre"] for row in rows])
    groups = [row["embeddings"] for row in rows if row.get("embeddings")]
    if len(groups) >= 4:  # two recordings a half, so that no half is a single patch
        floors |= metrics.reference_floor(groups, seed=settings.seed)._asdict()
    return floors


def _examples(tests: Sequence[Done]) -> list[dict[str, Any]]:
    """What the page plays: paths below the work folder, and each system's own scores."""
    return [
        {
            "name": one.job.item.path.stem,
            "style": one.job.item.style,
            "to": one.job.target,
            "original": f"audio/{ORIGINAL}-{one.job.item.key}.mp3",
            "systems": {
                name: {key: row[key] for key in ("sound", *METRICS) if key in row}
                for name, row in one.rows.items()
            },
        }
        for one in tests
        if one.job.keep_sound
    ]


def versions() -> dict[str, str]:
    """What the results depend on."""
    names = ("mir_eval", "auraloss", "scipy")
    return checkpoint.versions() | {name: version(name) for name in names}


@lru_cache(1)
def code_digest() -> str:
    """Of this package's own code, so that another version's work is not taken for this one's."""
    digest = hashlib.sha256()
    for path in sorted(Path(thirdstream.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def n_parameters(model: str) -> int | None:
    """Of a transfer: a mel twin's own, without critics; None where there are none to count."""
    return _loaded(model).n_parameters()
