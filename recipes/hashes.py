"""requirements.hashes, anew from requirements.lock: a section for each step of the Makefile.

    python recipes/hashes.py        # needs uv, and PyPI

Torch is not in it: a build for one processor or graphics card is not the file that PyPI has.
"""

import re
import subprocess
import sys
from pathlib import Path

import tyro

ROOT = Path(__file__).parents[1]
OUT = ROOT / "requirements.hashes"
# What each step adds to those before it: extras of the package, and packages by themselves.
# basic-pitch's own requirements are too old to install; only its weights are used.
STEPS = {
    "main": ([], ["hatchling"]),
    "scores": (["scores"], []),
    "test": (["dev"], ["basic-pitch"]),
    "supply": (["supply"], []),
}


def compiled(*arguments: str) -> str:
    """What uv finds, for every system and the oldest Python."""
    how = ["--universal", "--python-version", "3.11.0", "--no-header", "--no-annotate", "--quiet"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments, *how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def names(requirements: str) -> set[str]:
    """Of the packages in a list of requirements."""
    return {
        re.sub(r"[-_.]+", "-", one).lower() for one in re.findall(r"^[\w.-]+", requirements, re.M)
    }


def main() -> None:
    """Write the file."""
    lock = (ROOT / "requirements.lock").read_text()
    hashed = compiled(
        "requirements.lock", "--no-deps", "--generate-hashes", "--no-emit-package", "torch"
    )
    left = {names(block).pop(): block for block in re.split(r"\n(?=[\w.-])", hashed.strip())}
    sections = []
    for step, (extras, more) in STEPS.items():
        given = [part for extra in extras for part in ("--extra", extra)]
        wanted = names(compiled("pyproject.toml", *given, "--constraint", "requirements.lock"))
        wanted |= {one for name in more for one in closure(name, lock)}
        sections.append((step, [left.pop(name) for name in sorted(wanted & set(left))]))
    sections.append(("others", list(left.values())))
    OUT.write_text("".join(f"# {step}\n" + "\n".join(some) + "\n" for step, some in sections))


def closure(name: str, lock: str) -> set[str]:
    """A package, and where its own requirements are as new as ours these too."""
    if name in STEPS["test"][1]:
        return {name}
    path = ROOT / "build" / "one.in"
    path.parent.mkdir(exist_ok=True)
    path.write_text(name + "\n")
    return names(compiled(str(path), "--constraint", "requirements.lock")) & names(lock)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
