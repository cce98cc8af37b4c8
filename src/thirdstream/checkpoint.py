"""One file holds a model: weights, statistics, configuration and model card.

A checkpoint is a safetensors file; what is not a tensor is JSON in its header. Nothing in it is
code, and loading it runs none.
"""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from thirdstream.files import ThirdstreamError, from_json, whole_file

HEADER = "thirdstream"


class CheckpointError(ThirdstreamError):
    """A file that is not a model, or not one this version can use."""


def save(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and header as one file, whole or not at all. Raises ThirdstreamError."""
    text = json.dumps(header, allow_nan=False)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as temporary:
        temporary.write_bytes(to_bytes(contiguous, metadata={HEADER: text}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file that `save` wrote. Raises CheckpointError."""
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: holds something else than tensors that torch knows ({_why(error)}); "
            "fetch it again, or train it again"
        ) from error


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, by what follows it."""
    return {key.removeprefix(prefix): v for key, v in tensors.items() if key.startswith(prefix)}


def read_header(path: Path) -> dict[str, Any]:
    """The header alone, without reading a tensor. Raises CheckpointError."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        header = from_json(metadata[HEADER])
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        return header
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path}: is not a thirdstream model ({_why(error)}); "
            "give a .safetensors file or a run folder that `thirdstream train` made"
        ) from error


def _why(error: Exception) -> str:
    """A fault of a file in plain words; libraries have their own."""
    if isinstance(error, SafetensorError):
        return "it is no .safetensors file, or not a whole one"
    if isinstance(error, KeyError):
        return "it does not say of which system it is"
    return str(getattr(error, "strerror", None) or error)


def versions() -> dict[str, str]:
    """What a result depends on: the versions of Python and of the packages that compute."""
    names = ("thirdstream", "torch", "numpy", "librosa", "soundfile", "soxr")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
