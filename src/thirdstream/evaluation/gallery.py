"""A larger gallery for cover retrieval: recordings of which nothing but the chroma is asked.

A result's original is looked for among all recordings that are evaluated, and all references. These
may be few, and then it is easily found. Others that stand beside them cost little.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import joblib

from thirdstream import audio, shortage
from thirdstream.audio import SR
from thirdstream.data import benchmark, pairs
from thirdstream.evaluation import Settings, dependencies, measure, metrics
from thirdstream.evaluation.evaluate import Job, Outcome
from thirdstream.evaluation.material import Item, Material, excerpt, item_of, paired, short_hash
from thirdstream.files import ThirdstreamError, make_folder, read_json, write_json
from thirdstream.parallel import results

GALLERY = "gallery"


def find(folders: Sequence[Path], material: Material) -> list[Item]:
    """The recordings below folders, each once, but for those that are evaluated or references.

    Of the benchmark, and of folders of pairs, it is known which are of one piece; of others, files
    of one name are. Raises ThirdstreamError on a folder without recordings.
    """
    known = [*material.tests.values(), *material.references.values()]
    there = {item.path.resolve() for items in known for item in items}
    found: dict[Path, Item] = {}
    for folder in folders:
        items = list(_below(folder))
        if not items:
            raise ThirdstreamError(f"{folder}: holds no recordings; give a folder that does")
        found |= {item.path.resolve(): item for item in items}
    return [item for path, item in found.items() if path not in there]


def _below(folder: Path) -> Iterator[Item]:
    if (folder / pairs.MANIFEST).is_file():
        for items in paired(folder).values():
            yield from items
    elif (folder / benchmark.NAME).is_file():
        for split in benchmark.SPLITS:
            if (folder / split / pairs.MANIFEST).is_file():
                yield from _below(folder / split)
    else:
        yield from (item_of(path, "") for path in audio.find_recordings(folder))


def run(items: Sequence[Item], settings: Settings, work: Path, *, n_jobs: int) -> Iterator[Outcome]:
    """The chroma of each excerpt, in parallel; yields each as it is done. It is kept in `work`."""
    make_folder(work)
    tasks = [joblib.delayed(measure_item)(item, settings, work) for item in items]
    yield from results(tasks, n_jobs=n_jobs)


def measure_item(item: Item, settings: Settings, work: Path) -> Outcome:
    """The chroma of one recording, or why there is none; runs in a process of its own."""
    code = dependencies.digest("thirdstream.evaluation.metrics", alone=[__name__])
    path = work / f"{GALLERY}-{short_hash(repr((code, item.key, settings.excerpt_s)))}.json"
    job = Job(item, item.style)
    try:
        if not path.is_file():
            chroma = metrics.chroma(excerpt(item.path, settings.excerpt_s), SR)
            write_json(path, {"chroma": measure.chroma_of(chroma)})
        return Outcome(job, {GALLERY: read_json(path, kind="measured recording")})
    except ThirdstreamError as error:
        if shortage.said(error):  # not the recording's fault
            raise
        return Outcome(job, {}, str(error))
