"""CONTRIBUTING's walkthrough, followed to the letter in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LARGE = ("*.safetensors", "*.sf3", "*.history.jsonl", "__pycache__")


def after(text: str, anchor: str, addition: str) -> str:
    """The text with an addition behind the line that begins with the anchor."""
    lines = text.splitlines(keepends=True)
    [at] = [number for number, line in enumerate(lines) if line.startswith(anchor)]
    return "".join([*lines[: at + 1], addition, *lines[at + 1 :]])


def insert(path: Path, anchor: str, addition: str) -> None:
    path.write_text(after(path.read_text(encoding="utf-8"), anchor, addition), encoding="utf-8")


@pytest.mark.slow
def test_the_walkthrough_works(tmp_path: Path) -> None:
    package = tmp_path / "src" / "thirdstream"
    shutil.copytree(ROOT / "src" / "thirdstream", package, ignore=shutil.ignore_patterns(*LARGE))
    model, system = re.findall(r"^```python\n(.*?)^```", GUIDE, re.S | re.M)
    family, imported, entry = re.findall(r"^```text\n(.*?)^```", GUIDE, re.S | re.M)
    (package / "mel" / "models" / "shared_encoder.py").write_text(model, encoding="utf-8")
    insert(package / "mel" / "models" / "__init__.py", "FAMILIES = {", family)
    (package / "telephone.py").write_text(system, encoding="utf-8")
    registry = package / "registry.py"
    insert(registry, "from thirdstream.system import", imported)
    insert(registry, "    for entry in (", entry)
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", GUIDE, re.S | re.M))
    called = re.sub(r"^thirdstream ", f"{sys.executable} -m thirdstream ", commands, flags=re.M)
    done = subprocess.run(
        ["/bin/sh", "-ec", called],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "shared-encoder" in done.stdout and "telephone" in done.stdout
    for folder in ("restyled", "calls"):
        assert len(list((tmp_path / folder).glob("*.wav"))) == 2


def test_the_files_it_names_exist() -> None:
    """All but the two that a reader makes."""
    prose = re.sub(r"^```.*?^```$", "", GUIDE, flags=re.S | re.M)
    named = set(re.findall(r"`([\w/.]+\.(?:py|txt|md|lock|hashes))`", prose))
    made = {"src/thirdstream/mel/models/shared_encoder.py", "src/thirdstream/telephone.py"}
    assert made <= named
    missing = [one for one in named - made if not any(ROOT.glob(one)) and not any(
        path for path in (ROOT / "src").rglob(Path(one).name) if path.as_posix().endswith(f"/{one}")
    )]  # fmt: skip
    assert missing == []
