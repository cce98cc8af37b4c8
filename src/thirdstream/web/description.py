"""What the form shows of a system, made from the system's entry in the registry."""

from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from thirdstream import registry
from thirdstream.files import ThirdstreamError
from thirdstream.system import Option, options_of

# Options that are no fields of their own. Weights are whoever runs the page's to choose.
ASKED_OTHERWISE = ("to", "source", "weights")
KINDS = {float: "share", int: "number", str: "text", Path: "file"}


@dataclass(frozen=True)
class Field:
    """An option as a field of the form. kind: share, number, decimal, text, file or choice."""

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Description:
    """What a system does, what it takes, and what it cannot be used for lack of, or ""."""

    about: str
    styles: tuple[str, ...]
    fields: tuple[Field, ...]
    lack: str = ""


def describe(label: str, model: str) -> Description:
    """Load a system by name or path, and describe it. Raises ThirdstreamError where it is none."""
    system, lack = registry.load(model), ""
    try:
        system.ready()
    except ThirdstreamError as error:
        lack = f"{label} cannot be used yet: {error}"
    path = system.checkpoint
    entry = registry.entry_of(path) if path else registry.SYSTEMS[model]
    taken = [one for one in options_of(system.options) if one.name not in system.refuses]
    fields = [field_of(one) for one in taken]
    about = (
        entry.about
        if label == entry.name or entry.is_indexed
        else f"A {entry.name} trained in another way."
    )
    if label == f"{entry.name}-paper":
        about = f"The {entry.name} of the paper, its own network: keeps little of the recording."
    return Description(about, system.styles, tuple(filter(None, fields)), lack)


def field_of(option: Option) -> Field | None:
    """The field of an option; None where a form has none for it."""
    if option.name in ASKED_OTHERWISE:
        return None
    is_union = get_origin(option.type) in (Union, UnionType)
    kinds = get_args(option.type) if is_union else (option.type,)
    kind = next(one for one in kinds if one is not NoneType)
    if get_origin(kind) is Literal:
        return Field(option.name, "choice", option.default or "", option.help, get_args(kind))
    if kind is float and option.default is None:  # a slider has a value always
        return Field(option.name, "decimal", None, option.help)
    if kind not in KINDS:
        return None
    return Field(option.name, KINDS[kind], option.default, option.help)
