"""What the system would not give: disk, memory or file handles, and how much is needed of them.

Each library says it in its own way; whoever is told should know what is short, not where.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress

# Measured on two cores, with one worker and short recordings: every command works with these.
# With less, libraries fail while they are loaded, each in its own way.
NEEDED_BYTES = 1_250_000_000  # of memory that may be asked for
NEEDED_HANDLES = 16  # figures needs 12, others 9 or fewer
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
HANDLES = (errno.EMFILE, errno.ENFILE)
OF_MEMORY = (
    "failed to map segment",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad allocation",
    "bad_alloc",
    "can't start new thread",
    "resource temporarily unavailable",
)


def at_start() -> str | None:
    """What is said where a limit is lower than what any command needs; None where none is."""
    limit = _limit("RLIMIT_AS")
    if limit is not None and limit < NEEDED_BYTES:
        return _of_memory()
    limit = _limit("RLIMIT_NOFILE")
    return _of_handles() if limit is not None and limit < NEEDED_HANDLES else None


def said(error: BaseException) -> str | None:
    """What is said of a fault that comes of a shortage; None of any other fault."""
    for one in _chain(error):  # also ours, which say what was behind them
        text = str(one).lower()
        number = one.errno if isinstance(one, OSError) else None
        if number in FULL or "no space left on device" in text:
            place = getattr(one, "filename", None)
            known = isinstance(place, str | bytes)
            where = f"{os.fsdecode(place)}:" if known else "the disk or standard output"
            return f"{where} is full ({os.strerror(number or errno.ENOSPC)}); free some space"
        if number in HANDLES or "too many open files" in text:
            return _of_handles()
        if isinstance(one, MemoryError) or number == errno.ENOMEM:
            return _of_memory()
        if any(phrase in text for phrase in OF_MEMORY):
            return _of_memory()
    return None


def _of_memory() -> str:
    limit = _limit("RLIMIT_AS")
    given = f"this process may have {limit / 1e9:.1f} GB" if limit else "the system has no more"
    remedy = "raise the limit (ulimit -v)" if limit else "close other programs"
    return (
        f"memory is short: {given}, and {NEEDED_BYTES / 1e9:.2f} GB are needed for short "
        f"recordings, more for each of several workers; {remedy}, or lower --n-jobs and "
        "--batch-size where the command has them"
    )


def _of_handles() -> str:
    limit = _limit("RLIMIT_NOFILE")
    given = f"this process may have {limit} open" if limit else "the system has no more"
    return (
        f"file handles are short: {given}, and {NEEDED_HANDLES} are needed, more for several "
        "workers; raise the limit (ulimit -n), or lower --n-jobs"
    )


def _limit(name: str) -> int | None:
    """The limit that the system sets this process; None where there is none."""
    with suppress(ImportError):  # Windows has no such limits
        import resource

        soft, _ = resource.getrlimit(getattr(resource, name))
        return None if soft == resource.RLIM_INFINITY else soft
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """A fault and those behind it."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
