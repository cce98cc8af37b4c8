"""What an index plays as: python recipes/mosaicing.py BENCH INDEX [SPLIT] [N] [SYSTEM ...]

INDEX: of `thirdstream index`, made of recordings of BENCH/train. The excerpts, the metrics and the
sets are those of `thirdstream evaluate --excerpt-s 20 --max-recordings N --references 16`, without
its baselines: of the benchmark's test recordings, or of those of another SPLIT. SYSTEM: others to
measure beside it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from tqdm import tqdm

from thirdstream import registry
from thirdstream.evaluation import measure, metrics, retrieval
from thirdstream.evaluation.evaluate import Entry, Job, Settings, output_of, plan
from thirdstream.evaluation.material import Material, excerpt, paired, truth_of
from thirdstream.notes.arranging import STYLES

SHOWN = ("target_style_rate", "melody_recall", "chroma_cosine", "true_note_f1", "beat_f_measure")
EXCERPT_S, N_REFERENCES = 20.0, 16

Row = dict[str, Any]


def material_of(bench: Path, split: str) -> Material:
    """The split's recordings, compared with those of the splits that no system is tested on."""
    others = [paired(bench / one) for one in ("train", "validation")]
    joined = {style: [item for one in others for item in one[style]] for style in STYLES}
    return Material(bench.name, STYLES, paired(bench / split), joined)


def rows_of(job: Job, settings: Settings) -> dict[str, Row]:
    """What is measured of each system's transfer of a recording, and the recording's chroma."""
    models = measure.evaluation_models()
    original = measure.analyse(excerpt(job.item.path, settings.excerpt_s), models)
    truth = truth_of(job.item, settings.excerpt_s)
    rows: dict[str, Row] = {"original": {"chroma": measure.chroma_of(original.chroma)}}
    for entry in job.entries:
        wave, _ = output_of(entry, original.wave, job, settings)
        rows[entry.name] = measure.compare(
            original=original, output=measure.analyse(wave, models), source=job.item.style,
            target=job.target, truth=truth,
        )  # fmt: skip
    return rows


def reference_row(job: Job) -> Row:
    """The embeddings and the chroma of a recording that others are compared with."""
    wave = excerpt(job.item.path, EXCERPT_S)
    return measure.reference_features(wave, measure.evaluation_models())


def shown(name: str, style: str, found: Mapping[Job, dict[str, Row]]) -> None:
    """A row of the table: one system into one style."""
    rows = [one[name] for job, one in found.items() if job.target == style]
    means = [np.mean([row[metric] for row in rows if metric in row]) for metric in SHOWN]
    print(f"| {name} | {style} | {len(rows)} | " + " | ".join(f"{one:.3f}" for one in means) + " |",
          flush=True)  # fmt: skip


def sets(name: str, found: Mapping[Job, dict[str, Row]], references: Mapping[Job, Row]) -> None:
    """KAD and cover retrieval of a system, both ways."""
    for style in STYLES:
        jobs = [job for job in found if job.target == style]
        made = np.concatenate([found[job][name]["embeddings"] for job in jobs])
        real = np.concatenate(
            [row["embeddings"] for job, row in references.items() if job.item.style == style]
        )
        kad = metrics.kernel_audio_distance(reference=real, estimate=made)
        ranks = []
        for job in jobs:
            gallery = {other.item.key: found[other]["original"]["chroma"] for other in found}
            gallery |= {other.item.key: row["chroma"] for other, row in references.items()}
            pieces = {other.item.key: other.item.piece for other in (*found, *references)}
            others = {key: chroma for key, chroma in gallery.items()
                      if key == job.item.key or pieces[key] != job.item.piece}  # fmt: skip
            ranks.append(retrieval.rank(job.item.key, found[job][name]["chroma"], others))
        print(f"{name} to {style}: KAD {kad:.3f}, cover MRR "
              f"{np.mean([1 / rank for rank in ranks]):.3f}, {len(jobs)} recordings")  # fmt: skip


def main(bench: str, index: str, split: str = "test", n: str = "10", *others: str) -> None:
    settings = Settings(excerpt_s=EXCERPT_S, max_recordings=int(n), references=N_REFERENCES)
    entries = [Entry(Path(name).stem, name) for name in (index, *others)]
    for entry in entries:
        registry.load(entry.model).ready()
    jobs: Sequence[Job] = plan(material_of(Path(bench), split), entries, settings)
    found = {job: rows_of(job, settings) for job in tqdm(jobs) if job.entries}
    print("| system | to | n | " + " | ".join(SHOWN) + " |")
    for entry in entries:
        for style in STYLES:
            shown(entry.name, style, found)
    references = {job: reference_row(job) for job in tqdm(jobs) if not job.entries}
    for entry in entries:
        sets(entry.name, found, references)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
