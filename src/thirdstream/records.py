"""JSON as the types it is meant to have: what comes from a file may be anything."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def record(kind: type[T], content: Any) -> T:
    """A dataclass or NamedTuple of the fields in `content`; lists become tuples where it has some.

    Raises ValueError on a field that is missing, unknown or of another type, on a number that is
    not finite, and as `kind` itself does.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{_short(content)} is no {kind.__name__}")
    hints = _hints(kind)
    unknown = next((name for name in content if name not in hints), None)
    if unknown is not None:
        raise ValueError(f"a {kind.__name__} has no {_short(unknown)}")
    try:
        return kind(**{name: _named(name, value, hints[name]) for name, value in content.items()})
    except TypeError as error:  # a field is of another type, or missing
        raise ValueError(str(error)) from error


def _named(name: str, value: Any, hint: Any) -> Any:
    try:
        return fitting(value, hint)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from error


def fitting(value: Any, hint: Any) -> Any:
    """A JSON value as a type has it: a simple one, list, tuple, Mapping, or Literal.

    Raises TypeError where the value does not fit. Text may hold what no UTF-8 can, such as the
    names of files, which pydantic refuses.
    """
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):  # with None
        known = next(one for one in inner if one is not NoneType)
        return None if value is None else fitting(value, known)
    if origin in (list, tuple) and isinstance(value, list):
        return origin(fitting(one, inner[0]) for one in value)
    if origin is Mapping and isinstance(value, dict):
        return {key: fitting(one, inner[1]) for key, one in value.items()}
    if not _is_simple(value, origin, inner):
        raise TypeError(f"{_short(value)} is out of place")
    return value


def _is_simple(value: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if origin is Literal:
        return value in inner
    if origin is float:
        return type(value) in (int, float) and -1e308 < value < 1e308
    return type(value) is origin


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Of the fields; a dataclass has annotations that are none."""
    hints = get_type_hints(kind)
    if dataclasses.is_dataclass(kind):
        return {one.name: hints[one.name] for one in dataclasses.fields(kind)}
    return hints


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
