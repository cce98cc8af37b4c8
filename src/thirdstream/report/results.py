"""What is in results.json, and how it is read: it may come from somebody else.

`evaluate` writes more than is here; these are the parts that a report is made of.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thirdstream import evaluation
from thirdstream.files import ThirdstreamError, read_json

BENCHMARK = "benchmark-results.json"
CHANCE, FLOOR = "chance", "floor: the target against itself"  # rows that no system made
INTERVALS = ("chroma_cosine", "melody_recall", "tag_difference", "target_tag", "target_style_rate")
Sound = Annotated[str, Field(pattern=r"^audio/[^/\\:]+\.mp3$")]  # in the work folder
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # SHA-256
Direction = Annotated[str, Field(pattern=r"^(?s:.*)_to_(?s:.*)$")]  # STYLE_to_STYLE


class Record(BaseModel):
    """Fields of exactly these types, numbers finite; others are left out."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, frozen=True)


class Score(Record):
    """A mean over n recordings, with its 95 % interval; of sets of recordings the value alone.

    n_pieces: how many pieces these recordings are of; results of before do not say.
    """

    mean: float
    n: int | None = None
    low: float | None = None
    high: float | None = None
    n_pieces: int | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """None where there is none, as of sets, or where it says nothing, as of one piece."""
        if self.low is None or self.high is None or 1 in (self.n, self.n_pieces):
            return None
        return self.low, self.high


class Metric(Record):
    """better: "higher", "lower", or anything else where neither is."""

    group: str
    better: str
    about: str


class Subject(Record):
    """A row of the tables: a baseline or a model; options: what was set, by name. parts: what else
    it is made of, with licences where they are not the package's."""

    kind: str
    model: str | None = None
    options: Mapping[str, float] = {}
    parts: list[str] = []


class Settings(Record):
    excerpt_s: float
    seed: int


class Recording(Record):
    name: str
    style: str


class EvaluationModel(Record):
    package: str
    licence: str = ""

    def __str__(self) -> str:
        return f"{self.package} ({self.licence})" if self.licence else self.package


class Skipped(Record):
    reason: str


class Made(Record):
    """What a system made of an example, and some of its scores."""

    sound: Sound
    chroma_cosine: float | None = None
    tag_difference: float | None = None


class Example(Record):
    name: str
    style: str
    to: str
    original: Sound
    systems: Mapping[str, Made]


class Results(Record):
    """scores: by system, direction and metric. chance: of the metrics that it has a part in.
    gallery: how many recordings a result's original is looked for among, at most. hashes: of what
    the results depend on."""

    corpus: str
    settings: Settings
    versions: Mapping[str, str]
    hashes: Mapping[str, Hash] = {}
    evaluation_models: Mapping[str, EvaluationModel]
    left_out: Mapping[str, str]
    styles: Annotated[list[str], Field(min_length=2)]
    metrics: Mapping[str, Metric]
    systems: Mapping[str, Subject]
    recordings: list[Recording]
    references: Mapping[str, int]
    skipped: list[Skipped]
    floors: Mapping[str, Mapping[str, float]]
    gallery: int | None = None
    chance: Mapping[Direction, Mapping[str, float]] = {}
    scores: Annotated[Mapping[str, Mapping[Direction, Mapping[str, Score]]], Field(min_length=1)]
    examples: list[Example]

    def directions(self) -> list[str]:
        """STYLE_to_STYLE, as the first system has them."""
        return list(next(iter(self.scores.values())))

    def not_measured(self) -> dict[str, str]:
        """reason -> the metrics that were left out for it, as text."""
        return {
            reason: ", ".join(name for name, why in self.left_out.items() if why == reason)
            for reason in sorted(set(self.left_out.values()))
        }

    def bounds(self, direction: str) -> dict[str, dict[str, Score]]:
        """What chance and the target's own recordings score, by row and metric."""
        floors = self.floors.get(direction.partition("_to_")[2], {})
        rows = {CHANCE: self.chance.get(direction, {}), FLOOR: floors}
        return {row: {name: Score(mean=value) for name, value in values.items()}
                for row, values in rows.items()}  # fmt: skip

    def of(self, direction: str) -> dict[str, Mapping[str, Score]]:
        """The scores of the systems that have some in a direction, by system and metric."""
        return {name: one[direction] for name, one in self.scores.items() if direction in one}


@cache
def benchmark_results() -> Results:
    """The numbers of docs/benchmark.md, which come with the package."""
    return read_results(Path(evaluation.__file__).with_name(BENCHMARK))


def read_results(path: Path) -> Results:
    """The content of a results file: what is listed here, and nothing else of it.

    Raises ThirdstreamError where it is of another version, and where a value is not what `evaluate`
    writes there.
    """
    content = read_json(path, kind="results file of `thirdstream evaluate`")
    if not isinstance(content, dict) or "version" not in content:
        raise ThirdstreamError(f"{path}: is no results file of `thirdstream evaluate`")
    if content["version"] != evaluation.VERSION:
        raise ThirdstreamError(
            f"{path}: was written by another version of thirdstream, whose results this one does "
            "not read; run the same `thirdstream evaluate` again"
        )
    try:
        results = Results.model_validate(content)
    except ValidationError as error:
        raise _damaged(path, fault_in(error)) from error
    for fault in _contradictions(results):
        raise _damaged(path, fault)
    return results


def fault_in(error: ValidationError) -> str:
    """The first fault of a record: where, what, and the value."""
    first = error.errors(include_url=False)[0]
    place = ": ".join(str(part)[:60] for part in first["loc"])
    return f"{place}: {first['msg']}, not {str(first['input'])[:60]!r}"


def _damaged(path: Path, fault: str) -> ThirdstreamError:
    return ThirdstreamError(
        f"{path}: is damaged ({fault}); run the same `thirdstream evaluate` again"
    )


def _contradictions(results: Results) -> Iterator[str]:
    if results.scores.keys() != results.systems.keys():
        yield "its scores are not those of its systems"
    for name, about in results.systems.items():
        if about.options and about.model is None:
            yield f"it does not say which model {name[:60]!r} is"
    for directions in results.scores.values():
        for scores in directions.values():
            for metric, score in scores.items():
                ends = [end for end in (score.low, score.high) if end is not None]
                if len(ends) == 1 or (not ends and metric in INTERVALS):
                    yield f"{metric[:60]} has no interval"
