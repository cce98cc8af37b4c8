"""The run has a temporary folder of its own; what a test or a command leaves there fails the run.

Pytest's own folders (tmp_path) stay where they are.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

TORCH = "torch"
LEFT = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Before the workers start: they inherit it."""
    if hasattr(config, "workerinput"):
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    config.stash[LEFT] = Path(tempfile.mkdtemp(prefix="thirdstream-tests-"))
    os.environ["TMPDIR"] = str(config.stash[LEFT])
    tempfile.tempdir = None  # it is looked up anew
    # Torch makes this with the first optimiser; tests make some that are none of ours.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(config.stash[LEFT] / TORCH)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What is left fails the run, and is removed all the same."""
    folder = session.config.stash.get(LEFT, None)
    if folder is None:
        return
    left = sorted(path.name for path in folder.iterdir() if path.name != TORCH)
    shutil.rmtree(folder, ignore_errors=True)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if left and reporter is not None:
        reporter.line("")
        reporter.line(f"left in the temporary folder: {', '.join(left)}")
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
