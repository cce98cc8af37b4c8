"""Which of this package's files a measurement depends on, by what they import."""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from torch import nn

import thirdstream
from thirdstream import checkpoint
from thirdstream.files import sha256

PACKAGE = Path(thirdstream.__file__).parent
WEIGHTS = (".json", ".onnx", ".safetensors", ".sf3", ".toml")  # learnt, and tables of styles
MADE = ("benchmark-results.json",)  # by an evaluation: nothing depends on it


def versions() -> dict[str, str]:
    """Of Python and the packages that results depend on."""
    names = ("mir_eval", "auraloss", "pyloudnorm", "scipy")
    return checkpoint.versions() | {name: version(name) for name in names}


def digest(*modules: str, alone: Iterable[str] = ()) -> str:
    """Of the code of modules, by their full names, and of all that they import of this package.

    Imports within functions count too, and so do weights that lie beside modules of this package.
    alone: modules whose own code counts, and nothing else. Loaded modules of other packages count
    with their own code.
    """
    found: set[str] = set()
    left = list(modules)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += imported(name)
    paths = _sources(found)
    weights = {
        file
        for folder in {path.parent for path in paths if path.is_relative_to(PACKAGE)}
        for file in folder.iterdir()
        if file.suffix in WEIGHTS and file.name not in MADE
    }
    hashes = (sha256(path) for path in sorted({*paths, *_sources(alone), *weights}))
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _sources(names: Iterable[str]) -> set[Path]:
    return {path for name in names if (path := source(name)) is not None}


def code_of(system: object) -> str:
    """The digest of the modules that a system's classes are of: its own, and its networks'."""
    kinds = {type(system)}
    if isinstance(system, nn.Module):
        kinds |= {type(module) for module in system.modules()}
    return digest(*sorted({kind.__module__ for kind in kinds}))


@cache
def source(name: str) -> Path | None:
    """The file of a module; None where there is none, as of what a module defines."""
    if name == thirdstream.__name__ or name.startswith(f"{thirdstream.__name__}."):
        place = PACKAGE.joinpath(*name.split(".")[1:])
        both = (place.with_suffix(".py"), place / "__init__.py")
        return next((path for path in both if path.is_file()), None)
    file = getattr(sys.modules.get(name), "__file__", None)
    return Path(file) if file and file.endswith(".py") else None


@cache
def imported(name: str) -> tuple[str, ...]:
    """The modules of this package that a module imports, and the packages that it lies in."""
    path = source(name)
    if path is None:
        return ()
    parts = name.split(".")
    packages = [".".join(parts[:n]) for n in range(2, len(parts))]
    tree = ast.parse(path.read_bytes())
    return tuple(sorted({*packages, *_names(tree)}))


def _names(tree: ast.AST) -> Iterator[str]:
    """What is imported of this package but the package itself, which holds its public names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        else:
            continue
        yield from (name for name in names if name.startswith(f"{thirdstream.__name__}."))
