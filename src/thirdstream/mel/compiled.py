"""Machine code of Python's loops, by numba."""

from collections.abc import Callable
from typing import Any

from numba import njit

OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "reassoc"}}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Machine code, kept beside the function's file or in the user's cache where one can write.

    Each function is called with one signature only: processes that compile at the same time write
    the same.
    """
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # there is no folder to write to
        return njit(**OPTIONS)(function)
