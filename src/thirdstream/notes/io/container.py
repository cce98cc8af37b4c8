"""The XML inside a MusicXML file, plain or packed (.mxl), as elements, if it can be a score's.

Files come from anywhere, so nothing in one is believed: not how much an archive unpacks to, nor an
entity, which may stand for gigabytes or for another file. Elements are counted while they are read,
and only those that say what sounds are kept. Nothing is written to disk on the way.
"""

import contextlib
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from thirdstream.notes.io.limits import MAX_NOTES, too_long
from thirdstream.notes.types import ScoreError

MAX_BYTES = 40_000_000  # unpacked; the score of a symphony has about 30 MB
MAX_DEPTH = 64  # of elements in one another
MAX_ELEMENTS = 1_500_000  # the score of a symphony has about a million
MAX_BARS = 50_000  # of all parts together
MAX_PARTS = 200
MAX_MARKS = 50_000  # directions, sounds and chord symbols, each
MAX_TEXT = 10_000  # characters in an element
MAX_ARCHIVE = 20_000_000  # bytes, packed
LIMITS = {
    "note": MAX_NOTES, "measure": MAX_BARS, "part": MAX_PARTS, "score-part": MAX_PARTS,
    "harmony": MAX_MARKS, "direction": MAX_MARKS, "sound": MAX_MARKS, "barline": MAX_MARKS,
    "attributes": MAX_MARKS,
}  # fmt: skip
KEPT = frozenset((
    "score-partwise", "work", "work-title", "movement-title", "part-list", "score-part",
    "midi-instrument", "midi-channel", "part", "measure", "attributes", "divisions", "time",
    "beats", "beat-type", "senza-misura", "transpose", "chromatic", "octave-change", "clef",
    "sign", "note", "pitch", "step", "alter", "octave", "rest", "chord", "duration", "tie",
    "notations", "tied", "grace", "cue", "type", "notehead", "beam", "staff", "backup", "forward",
    "harmony", "root", "root-step", "root-alter", "numeral", "function", "kind", "inversion",
    "bass", "bass-step", "bass-alter", "degree", "degree-value", "degree-alter", "degree-type",
    "offset", "direction", "direction-type", "words", "segno", "coda", "metronome", "beat-unit",
    "beat-unit-dot", "per-minute", "sound", "barline", "repeat", "ending", "container",
    "rootfiles", "rootfile",
))  # fmt: skip
CONTAINER = "META-INF/container.xml"  # says which file of an archive is the score


def opened(path: Path) -> Element:
    """The root element, with those in KEPT. Raises ScoreError on what no score is.

    Time and memory grow with the length of the file.
    """
    try:
        root = _Reader(path).read(_contents(path))
    except ElementTree.ParseError as error:
        raise ScoreError(
            f"{path}: is no MusicXML ({error}); export it again from a notation program"
        ) from error
    if root is None or root.tag != "score-partwise":
        raise ScoreError(f"{path}: is no score by parts; export it again as MusicXML")
    return root


def _contents(path: Path) -> bytes:
    """The XML of a file, plain or in an archive, never more than may be read of it."""
    if zipfile.is_zipfile(path):
        data = _unpacked(path)
    else:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise too_long(path, f"holds more than {MAX_BYTES // 1_000_000} MB of XML")
    return data


def _unpacked(path: Path) -> bytes:
    if path.stat().st_size > MAX_ARCHIVE:
        raise too_long(path, f"has more than {MAX_ARCHIVE // 1_000_000} MB")
    try:
        with zipfile.ZipFile(path) as archive:
            return _member(archive, _score_in(archive, path), MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, KeyError, EOFError,
            OSError, ValueError) as error:  # fmt: skip
        raise ScoreError(f"{path}: is a damaged archive ({error}); export it again") from error


def _member(archive: zipfile.ZipFile, name: str, n_bytes: int) -> bytes:
    """The beginning of a file in an archive. Raises ValueError where it is packed in a way that the
    format does not have: others may ask for any memory."""
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is packed in a way that scores are not")
    with archive.open(name) as file:
        return file.read(n_bytes)


def _score_in(archive: zipfile.ZipFile, path: Path) -> str:
    """The name of the score in an archive, as its container says, or the first that looks like one.

    Some programs write a container that is no XML, where a title has an apostrophe.
    """
    names = archive.namelist()
    if CONTAINER in names:
        data = _member(archive, CONTAINER, 100_000)
        with contextlib.suppress(ElementTree.ParseError):
            root = _Reader(path).read(data)
            for element in () if root is None else root.iter("rootfile"):
                return element.get("full-path", "")
    endings = (".musicxml", ".xml")
    found = (name for name in names if name.endswith(endings) and "META-INF" not in name)
    return next(found, "no score")


class _Reader:
    """Looks at every element as it comes, and makes a tree of those that are kept."""

    def __init__(self, path: Path) -> None:
        self.path, self.depth, self.n_elements, self.n_characters = path, 0, 0, 0
        self.counts = dict.fromkeys(LIMITS, 0)
        self.left_out_at = 0  # the depth of the outermost element that is not kept
        self.builder = TreeBuilder()

    def read(self, data: bytes) -> Element | None:
        """The root, None where that is not kept. Raises ScoreError on what no score has, ParseError
        on what is no XML."""
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
        return None if self.left_out_at else self.builder.close()

    def _refuse(self, what: str) -> None:
        raise ScoreError(f"{self.path}: {what}, as no score does; export it again")

    def _entity(self, name: str, *about: object) -> None:
        self._refuse(f"declares the entity {name[:40]}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.n_elements += 1
        if self.depth > MAX_DEPTH:
            self._refuse(f"has elements {MAX_DEPTH} deep in one another")
        if self.n_elements > MAX_ELEMENTS:
            self._refuse(f"holds more than {MAX_ELEMENTS} elements")
        name = name.rpartition(":")[2]
        if name in self.counts:
            self.counts[name] += 1
            if self.counts[name] > LIMITS[name]:
                self._refuse(f"holds more than {LIMITS[name]} elements <{name}>")
        if self.left_out_at == 0 and name not in KEPT:
            self.left_out_at = self.depth
        if self.left_out_at == 0:
            self.n_characters = 0
            self.builder.start(name, attributes)

    def _end(self, name: str) -> None:
        if self.left_out_at == 0:
            self.builder.end(name.rpartition(":")[2])
        elif self.left_out_at == self.depth > 1:
            self.left_out_at = 0
        self.depth -= 1

    def _characters(self, text: str) -> None:
        self.n_characters += len(text)
        if self.left_out_at == 0 and self.n_characters <= MAX_TEXT:
            self.builder.data(text)
