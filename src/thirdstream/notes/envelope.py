"""The XML inside a MusicXML file, plain or packed (.mxl), as elements, if it can be a score's.

Files come from anywhere, so nothing in one is believed: not how much an archive unpacks to, nor an
entity, which may stand for gigabytes or for another file. Nothing is written to disk on the way.
"""

import contextlib
import re
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

from thirdstream.notes.score import MAX_NOTES, ScoreError

MAX_BYTES = 40_000_000  # unpacked; the score of a symphony has about 30 MB
MAX_DEPTH = 64  # of elements in one another
MAX_BEATS_PER_BAR = 64  # beyond, music21 works for hours
CONTAINER = "META-INF/container.xml"  # says which file of an archive is the score


def opened(path: Path) -> Element:
    """The root element. Raises ScoreError on what no score has, ParseError on what is no XML."""
    data = _unpacked(path) if zipfile.is_zipfile(path) else _plain(path)
    _Inspector(path).inspect(data)
    return ElementTree.fromstring(data)


def _plain(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file.read(MAX_BYTES + 1), path)


def _bounded(data: bytes, path: Path) -> bytes:
    if len(data) > MAX_BYTES:
        raise ScoreError(
            f"{path}: holds more than {MAX_BYTES // 1_000_000} MB of XML; no score we read is so "
            "long, give a part of it"
        )
    return data


def _unpacked(path: Path) -> bytes:
    """The score in an archive, never more than may be read of it."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = _score_in(archive, path)
            with archive.open(name) as file:
                return _bounded(file.read(MAX_BYTES + 1), path)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, KeyError, EOFError,
            OSError, ValueError) as error:  # fmt: skip
        raise ScoreError(f"{path}: is a damaged archive ({error}); export it again") from error


def _score_in(archive: zipfile.ZipFile, path: Path) -> str:
    """The name of the score in an archive, as its container says, or the first that looks like one.

    Some programs write a container that is no XML, where a title has an apostrophe.
    """
    names = archive.namelist()
    if CONTAINER in names:
        with archive.open(CONTAINER) as file:
            data = file.read(100_000)
        with contextlib.suppress(ElementTree.ParseError):
            _Inspector(path).inspect(data)
            for element in ElementTree.fromstring(data).iter():
                if element.tag.rpartition("}")[2] == "rootfile":
                    return element.get("full-path", "")
    endings = (".musicxml", ".xml")
    found = (name for name in names if name.endswith(endings) and "META-INF" not in name)
    return next(found, "no score")


class _Inspector:
    """Looks at every element once, before anything is made of them."""

    def __init__(self, path: Path) -> None:
        self.path, self.depth, self.n_notes, self.text = path, 0, 0, ""

    def inspect(self, data: bytes) -> None:
        """Raise ScoreError on what no score has, ParseError on what is no XML."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.EntityDeclHandler = self._entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, LookupError) as error:  # LookupError: an unknown encoding
            raise ElementTree.ParseError(str(error)) from error

    def _refuse(self, what: str) -> None:
        raise ScoreError(f"{self.path}: {what}, as no score does; export it again")

    def _entity(self, name: str, *about: object) -> None:
        self._refuse(f"declares the entity {name[:40]}")

    def _start(self, name: str, attributes: object) -> None:
        self.depth += 1
        self.n_notes += name == "note"
        self.text = ""
        if self.depth > MAX_DEPTH:
            self._refuse(f"has elements {MAX_DEPTH} deep in one another")
        if self.n_notes > MAX_NOTES:
            self._refuse(f"holds more than {MAX_NOTES} notes")

    def _end(self, name: str) -> None:
        self.depth -= 1
        if name == "beats" and any(
            len(number) > 4 or int(number) > MAX_BEATS_PER_BAR
            for number in re.findall(r"\d+", self.text)
        ):
            self._refuse(f"has bars of {self.text[:20]} beats")

    def _characters(self, text: str) -> None:
        self.text = (self.text + text)[:1000]
