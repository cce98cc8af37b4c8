"""Ctrl-C, once it has been heard."""

import signal
import threading
from contextvars import ContextVar

ENDS: ContextVar[bool] = ContextVar("ends", default=False)
"""Whether the process ends with the command: it does not where Python code calls `main`."""


def ignore_interrupts() -> None:
    """Nothing comes of a further Ctrl-C: the program is about to end, and what it cleans up would
    be broken off, with a traceback after its last word."""
    if ENDS.get() and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
