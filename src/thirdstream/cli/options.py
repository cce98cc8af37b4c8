"""Which options were typed: a value that is the default may have been given or not."""

from collections.abc import Sequence
from contextvars import ContextVar

_TYPED: ContextVar[frozenset[str]] = ContextVar("typed", default=frozenset())


def note(arguments: Sequence[str]) -> None:
    """Remember the options of the command that is about to run."""
    long = (one[2:].partition("=")[0] for one in arguments if one.startswith("--"))
    _TYPED.set(frozenset(name.replace("-", "_") for name in long))


def typed() -> frozenset[str]:
    """Their names, as parameters have them; none where a command is called from Python."""
    return _TYPED.get()
