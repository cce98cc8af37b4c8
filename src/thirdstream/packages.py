"""Packages that are installed by hand, for the weights inside them; they are not imported."""

import importlib.util
from pathlib import Path

from thirdstream.files import ThirdstreamError

INSTALL = {
    "musicnn": "pip install --no-deps musicnn==0.1.0",
    "basic_pitch": "pip install --no-deps basic-pitch==0.4.0",
    "onnxruntime": "pip install onnxruntime",
    "mido": "pip install 'thirdstream[scores]'",
}


class MissingPackage(ThirdstreamError):
    """A package that is not installed; the text names the command that installs it."""


def folder_of(name: str) -> Path:
    """The folder of an installed package, which is not imported. Raises MissingPackage."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(f"the package {name} is not installed; type: {INSTALL[name]}")
    return Path(spec.submodule_search_locations[0])
