"""What a listening test consists of: questions, hidden sounds, and the key to its file names.

The page knows sounds by codes alone. The key says which system a code stands for; whoever runs the
test keeps it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationError

from thirdstream.files import ThirdstreamError, read_json
from thirdstream.report.results import Record, fault_in

VERSION = 1  # of keys and answers
KEY_KIND, ANSWERS_KIND = "thirdstream listening test", "thirdstream listening test: answers"
KEY, PAGE, AUDIO = "key.json", "page", "audio"  # in the folder of a test
REFERENCE = "hidden reference"
ANCHOR = "hidden anchor"
OTHER = "another piece"
HIDDEN = {
    REFERENCE: "the original, unchanged: the same piece, no change of style",
    ANCHOR: "the original, low-passed at 3.5 kHz: the sound is bad",
    OTHER: "a recording of another piece in the target style: all style, not the piece",
}
Code = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Kind = Literal["rating", "ab"]


class Question(NamedTuple):
    """about: for tables. rating, choice: as the page asks; {to} is the target style. low, high:
    what the ends of a slider mean."""

    about: str
    rating: str
    choice: str
    low: str
    high: str


QUESTIONS = {
    "style": Question(
        "style", "How much does it sound like {to}?", "Which sounds more like {to}?",
        "not at all", "entirely",
    ),
    "piece": Question(
        "recognisable", "How well is the piece of the original recognisable?",
        "In which is the piece of the original more recognisable?", "not at all", "perfectly",
    ),
    "quality": Question(
        "quality", "How good is it overall?", "Which is better overall?", "bad", "excellent",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How the test asks, and how long it takes."""

    kind: Kind = "rating"
    """rating: sliders from 0 to 100 for several sounds at once; ab: two sounds, which is it?"""
    per_screen: int = 5
    """Systems on a screen of ratings, drawn for each listener so that all come equally often; 0 is
    all. Hidden sounds come on top."""
    seconds: float = 15.0
    """At most so long is a sound: the middle of each recording."""
    seed: int = 0
    """Of the names of the files, and of the other piece that is drawn."""

    def __post_init__(self) -> None:
        if not 3 <= self.seconds <= 60:
            raise ThirdstreamError(f"--seconds must lie between 3 and 60 (got {self.seconds:g})")
        if self.per_screen < 0:
            raise ThirdstreamError(f"--per-screen must not be negative (got {self.per_screen})")


class Source(Record):
    """What made the sounds of a name: kind is model, files or hidden."""

    kind: Literal["model", "files", "hidden"]
    about: str
    sha256: str = ""
    parts: Sequence[str] = ()


class Item(Record):
    """A recording, by the code of its original. sounds: code -> system."""

    code: Code
    title: str
    style: str
    to: str
    sounds: Annotated[Mapping[Code, str], Field(min_length=1)]


class Key(Record):
    """Which system made which sound. test: a hash of all else."""

    kind: Literal["thirdstream listening test"]
    version: int
    test: Code
    mode: Kind
    per_screen: int
    seed: int
    loudness_lufs: float
    versions: Mapping[str, str]
    systems: Mapping[str, Source]
    items: Annotated[list[Item], Field(min_length=1)]

    def item(self, code: str) -> Item | None:
        """The recording of a code."""
        return next((one for one in self.items if one.code == code), None)

    def directions(self) -> list[tuple[str, str]]:
        """(style, target), in order."""
        return list(dict.fromkeys((one.style, one.to) for one in self.items))


def identity(content: Mapping[str, object]) -> str:
    """The code of a test: of its key's content, but for `test` itself."""
    rest = {name: value for name, value in content.items() if name != "test"}
    return code_of(json.dumps(rest, sort_keys=True))


def code_of(*parts: object) -> str:
    """Twelve hexadecimal digits that tell nothing of what they stand for."""
    return hashlib.sha256(repr(parts).encode(errors="surrogateescape")).hexdigest()[:12]


def read_key(folder: Path) -> Key:
    """The key of a test, in the folder that `thirdstream listen-test` made.

    Raises ThirdstreamError where there is none, and where it is damaged or of another version.
    """
    path = folder / KEY
    if not path.exists():
        raise ThirdstreamError(
            f"{path}: is missing, and says which system made which sound; give --test and the "
            "folder that `thirdstream listen-test` made"
        )
    content = read_json(path, kind="key of a listening test")
    if not isinstance(content, dict) or content.get("kind") != KEY_KIND:
        raise ThirdstreamError(f"{path}: is no key of a listening test; give its folder as --test")
    if content.get("version") != VERSION:
        raise ThirdstreamError(
            f"{path}: was written by another version of thirdstream; read it with that one"
        )
    try:
        key = Key.model_validate(content)
    except ValidationError as error:
        raise ThirdstreamError(
            f"{path}: is damaged ({fault_in(error)}); make the same test again into another "
            f"folder, and take its {KEY}"
        ) from error
    if identity(content) != key.test:
        raise ThirdstreamError(
            f"{path}: was changed since the test was made; make the same test again into another "
            f"folder, and take its {KEY}"
        )
    return key
