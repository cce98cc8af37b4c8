"""What is in results.json, and how it is read: it may come from somebody else.

`evaluate` writes more than is here; these are the parts that a report is made of.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from thirdstream.evaluation import VERSION
from thirdstream.files import ThirdstreamError, read_json
from thirdstream.records import fitting

INTERVALS = ("chroma_cosine", "melody_recall", "tag_difference", "target_tag", "accepted_share")


class Score(TypedDict):
    """A mean over n recordings, with its interval; of sets the value alone."""

    mean: float
    n: NotRequired[int]
    low: NotRequired[float]
    high: NotRequired[float]


class Metric(TypedDict):
    group: str
    better: str
    about: str


class Subject(TypedDict):
    """A row of the tables: a corner or a model."""

    kind: str
    model: NotRequired[str]
    knobs: NotRequired[Mapping[str, float]]


class Settings(TypedDict):
    excerpt_s: float
    seed: int


class Recording(TypedDict):
    name: str
    style: str


class Judge(TypedDict):
    package: str


class Skipped(TypedDict):
    reason: str


class Played(TypedDict):
    """What a system made of an example, and some of its scores."""

    sound: str
    chroma_cosine: NotRequired[float]
    tag_difference: NotRequired[float]


class Example(TypedDict):
    name: str
    style: str
    to: str
    original: str
    systems: Mapping[str, Played]


class Results(TypedDict):
    """scores: by system, direction (STYLE_to_STYLE) and metric. Sounds lie in the work folder."""

    corpus: str
    settings: Settings
    versions: Mapping[str, str]
    judges: Mapping[str, Judge]
    left_out: Mapping[str, str]
    styles: list[str]
    metrics: Mapping[str, Metric]
    systems: Mapping[str, Subject]
    recordings: list[Recording]
    references: Mapping[str, int]
    skipped: list[Skipped]
    floors: Mapping[str, Mapping[str, float]]
    scores: Mapping[str, Mapping[str, Mapping[str, Score]]]
    examples: list[Example]


def read_results(path: Path) -> Mapping[str, Any]:
    """The content of a results file: what is listed here, and nothing else of it.

    Raises ThirdstreamError where it is of another version, and where a value is not what `evaluate`
    writes there.
    """
    content = read_json(path, kind="results file of `thirdstream evaluate`")
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ThirdstreamError(
            f"{path}: is no results file of this version; run `thirdstream evaluate` again"
        )
    try:
        results = fitting(content, Results)
        for fault in _faults(results):
            raise TypeError(fault)
    except TypeError as error:
        raise ThirdstreamError(
            f"{path}: is damaged ({error}); run the same `thirdstream evaluate` again"
        ) from error
    return results


def _faults(results: Mapping[str, Any]) -> Iterator[str]:
    """Where parts contradict one another, or a sound lies elsewhere."""
    if len(results["styles"]) != 2 or not results["scores"]:
        yield "it has not two styles, or no scores"
    if set(results["scores"]) != set(results["systems"]):
        yield "its scores are not those of its systems"
    for name, about in results["systems"].items():
        if about.get("knobs") and "model" not in about:
            yield f"it does not say which model {name[:60]!r} is"
    for directions in results["scores"].values():
        for direction, scores in directions.items():
            if direction.count("_to_") != 1:
                yield f"{direction[:60]!r} is no direction"
            for metric, score in scores.items():
                missing = {"low", "high"} - set(score)
                if len(missing) == 1 or (missing and metric in INTERVALS):
                    yield f"{metric[:60]} has no interval"
    for example in results["examples"]:
        for sound in (example["original"], *(one["sound"] for one in example["systems"].values())):
            if not re.fullmatch(r"audio/[^/\\:]+\.mp3", sound):
                yield f"it looks for a sound in {sound[:60]!r}"
