"""The answers that listeners send back, and what can be wrong with them: they may be anything."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from thirdstream.files import ThirdstreamError, read_json
from thirdstream.listening.design import (
    ANSWERS_KIND,
    QUESTIONS,
    VERSION,
    Code,
    Key,
)
from thirdstream.report.results import Record, fault_in

Value = Annotated[int, Field(ge=0, le=100)]
Choice = Literal["a", "none", "b"]  # the first sound, no difference, the second


EITHER = (  # what is said of a file that is neither
    "file of results or of answers; give what `thirdstream evaluate` or a listener's page wrote"
)


class Screen(Record):
    """One recording's answers: order, the sounds as they were shown; ratings: code -> question ->
    0 to 100; or choices: question -> which of two. seconds: how long it was looked at."""

    item: Code
    order: list[Code]
    seconds: Annotated[float, Field(ge=0)]
    ratings: Mapping[Code, Mapping[str, Value]] = {}
    choices: Mapping[str, Choice] = {}


class Answers(Record):
    """What one listener said; n_screens: how many were asked. seed: of the order."""

    kind: Literal["thirdstream listening test: answers"]
    version: int
    test: Code
    listener: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    seed: Annotated[int, Field(ge=0)]
    playback: Literal["headphones", "loudspeakers", "phone"]
    n_screens: Annotated[int, Field(ge=1)]
    screens: list[Screen]


def is_answers(path: Path) -> bool:
    """Whether a file says that it holds answers. Raises ThirdstreamError where it is no JSON."""
    content = read_json(path, kind=EITHER)
    return isinstance(content, dict) and content.get("kind") == ANSWERS_KIND


def read_answers(paths: Sequence[Path], key: Key) -> list[Answers]:
    """Those of several listeners to one test.

    Raises ThirdstreamError on a file that is damaged, that is of another test or version, or that
    comes from a listener who is there already.
    """
    found: dict[str, Answers] = {}
    files: dict[str, Path] = {}
    for path in paths:
        one = _read(path, key)
        if one.listener in found:
            raise ThirdstreamError(
                f"{path}: is of the same listener as {files[one.listener]}; give the later of both "
                "alone"
            )
        found[one.listener], files[one.listener] = one, path
    if not any(one.screens for one in found.values()):
        raise ThirdstreamError("no screen was answered; give files with answers")
    return list(found.values())


def _read(path: Path, key: Key) -> Answers:
    content: Any = read_json(path, kind="file of answers")
    if not isinstance(content, dict) or content.get("kind") != ANSWERS_KIND:
        raise ThirdstreamError(
            f"{path}: holds no answers of a listening test; give files of answers alone, or one "
            "results file"
        )
    if content.get("version") != VERSION:
        raise ThirdstreamError(
            f"{path}: was written by the page of another version of thirdstream; read it with that "
            "one"
        )
    try:
        answers = Answers.model_validate(content)
    except ValidationError as error:
        raise _damaged(path, fault_in(error)) from error
    if answers.test != key.test:
        raise ThirdstreamError(
            f"{path}: is of another listening test ({answers.test}, not {key.test}); give --test "
            "and the folder of its own, and each test's answers apart"
        )
    for fault in _contradictions(answers, key):
        raise _damaged(path, fault)
    return answers


def _damaged(path: Path, fault: str) -> ThirdstreamError:
    return ThirdstreamError(
        f"{path}: is damaged ({fault}); have the listener save it again, or leave it out"
    )


def _contradictions(answers: Answers, key: Key) -> Iterator[str]:
    if len(answers.screens) > answers.n_screens:
        yield f"it has {len(answers.screens)} screens of {answers.n_screens}"
    shown = [(one.item, *sorted(one.order)) for one in answers.screens]
    if len(set(shown)) < len(shown):
        yield "it has a screen twice"
    for number, screen in enumerate(answers.screens, 1):
        for fault in _contradictions_of(screen, key):
            yield f"screen {number} {fault}"


def _contradictions_of(screen: Screen, key: Key) -> Iterator[str]:
    item = key.item(screen.item)
    if item is None:
        yield "is of a recording that the test has not"
    elif len(set(screen.order)) < len(screen.order) or not set(screen.order) <= set(item.sounds):
        yield "has sounds that its recording has not"
    if key.mode == "rating":
        if set(screen.ratings) != set(screen.order):
            yield "has not rated its sounds"
        asked = list(screen.ratings.values())
    else:
        if len(screen.order) != 2:
            yield "does not compare two sounds"
        asked = [screen.choices]
    if any(set(one) != set(QUESTIONS) for one in asked):
        yield "has not answered all questions"
