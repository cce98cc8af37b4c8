"""Which options were typed: a value that is the default may have been given or not."""

from collections.abc import Collection, Sequence
from contextvars import ContextVar
from itertools import pairwise

from thirdstream.cli.console import Failed

_GIVEN: ContextVar[tuple[str, ...]] = ContextVar("given", default=())


def note(arguments: Sequence[str]) -> None:
    """Remember what was typed after the command that is about to be read and run."""
    _GIVEN.set(tuple(arguments))


def refuse_empty() -> None:
    """Raise Failed on an argument with nothing in it, such as a shell makes of a variable that is
    not set: as a path it would be the folder one is in."""
    for before, one in pairwise(["", *_GIVEN.get()]):
        of_flag = one.startswith("--") and one.endswith("=")
        if of_flag or not one:
            flag = one[:-1] if of_flag else before
            what = flag if flag.startswith("--") and "=" not in flag else "an argument"
            raise Failed(f"{what}: is empty; give what is meant ('.' is the folder you are in)")


def first_of(names: Collection[str]) -> str | None:
    """The first argument that is one of these; None without one."""
    return next((one for one in _GIVEN.get() if one in names), None)


def value_of(name: str) -> str | None:
    """What was typed for an option; None where it was not."""
    given, flag = _GIVEN.get(), f"--{name}"
    for number, one in enumerate(given):
        if one.startswith(f"{flag}="):
            return one.partition("=")[2]
        if one == flag and number + 1 < len(given):
            return given[number + 1]
    return None


def typed() -> frozenset[str]:
    """Their names, as parameters have them; none where a command is called from Python."""
    long = (one[2:].partition("=")[0] for one in _GIVEN.get() if one.startswith("--"))
    return frozenset(name.replace("-", "_") for name in long)
