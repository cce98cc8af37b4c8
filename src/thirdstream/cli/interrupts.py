"""Ctrl-C, once it has been heard."""

import signal
import threading


def ignore_interrupts() -> None:
    """Nothing comes of a further Ctrl-C: the program is about to end, and what it cleans up would
    be broken off, with a traceback after its last word."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
