"""Styles as data: one TOML file each, which a musician can edit; docs/styles.md explains them.

style = read_style("jazz", Path("my-jazz.toml"))
style = read_style("jazz")  # the one that comes along
"""

import tomllib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from thirdstream.files import ThirdstreamError
from thirdstream.notes.styles.classical import ClassicalStyle
from thirdstream.notes.styles.entries import Instrument, Style, fault_in
from thirdstream.notes.styles.jazz import JazzStyle
from thirdstream.notes.styles.learned import SUFFIX, LearnedStyle, read_learned

FOLDER = Path(__file__).parent
STYLES = ("classical", "jazz")
ANY = (36, 96)  # lowest and highest pitch of noises, such as applause
S = TypeVar("S", bound=Style)
SEE = "docs/styles.md explains it"


class StyleError(ThirdstreamError):
    """A style file that cannot be used."""


def read_style(name: str, path: Path | None = None) -> ClassicalStyle | JazzStyle | LearnedStyle:
    """The style of that name, from a file, or else the one that comes along. A name that ends in
    .style is the file of a learned style, and so may `path` be.

    Raises StyleError that names file, entry and remedy; ThirdstreamError for a style there is not.
    """
    if path is not None and path.suffix == SUFFIX:
        return read_learned(path)
    if name.endswith(SUFFIX):
        if path is not None:
            raise StyleError(f"{path}: {name} is a style's file itself; give one of the two")
        return read_learned(Path(name))
    if name not in STYLES:
        raise ThirdstreamError(
            f"{name}: no such style; there are {', '.join(STYLES)}, and .style files of "
            "`thirdstream learn-style`"
        )
    if path is None:
        return jazz_style() if name == "jazz" else classical_style()
    return _read(JazzStyle if name == "jazz" else ClassicalStyle, name, path)


@lru_cache
def classical_style() -> ClassicalStyle:
    """The one that comes along."""
    return _read(ClassicalStyle, "classical", FOLDER / "classical.toml")


@lru_cache
def jazz_style() -> JazzStyle:
    """The one that comes along."""
    return _read(JazzStyle, "jazz", FOLDER / "jazz.toml")


@lru_cache(128)
def instrument(program: int) -> Instrument:
    """That of a General MIDI program, with the notes it can play; where a bundled style has it, its
    place on the stage is that style's."""
    one = _general_midi()[program] if program in _general_midi() else _noise(program)
    both = (*classical_style().instruments.values(), *jazz_style().instruments.values())
    staged = next((own for own in both if own.program == program), one)
    return replace(one, pan=staged.pan, comping_pan=staged.comping_pan)


def _noise(program: int) -> Instrument:
    return Instrument(f"program {program}", program, *ANY)


@lru_cache
def _general_midi() -> dict[int, Instrument]:
    """Programs 0 to 118; the others are noises."""
    tables = tomllib.loads((FOLDER / "general_midi.toml").read_text(encoding="utf-8"))
    numbered = {key: {**table, "program": int(key)} for key, table in tables.items()}
    return TypeAdapter(dict[int, Instrument]).validate_python(numbered)


def _read(schema: type[S], name: str, path: Path) -> S:
    try:
        # Editors on Windows may begin a file with a byte order mark, which TOML knows nothing of.
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StyleError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StyleError(f"{path}: is not TOML: {error}; correct that place") from error
    if tables.get("style") != name:
        raise StyleError(
            f'{path}: style is {tables.get("style")!r}, not "{name}"; write style = "{name}", or '
            "give a file of that style"
        )
    try:
        return schema.model_validate(tables, context={})
    except ValidationError as error:
        raise StyleError(f"{path}: {fault_in(error)} ({SEE})") from error
