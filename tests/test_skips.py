"""A skip that is not on the list fails the run, in one process and in several."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SKIPS = """
import pytest

def test_passes():
    pass

@pytest.mark.skipif(True, reason={reason!r})
def test_skips():
    pass
"""


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "by workers"])
@pytest.mark.parametrize(
    ("reason", "status"), [("needs a CUDA GPU", 0), ("the moon is not full", 1)]
)
def test_only_listed_skips_pass(
    reason: str, status: int, more: tuple[str, ...], tmp_path: Path
) -> None:
    for name, copy in (("skips.py", "conftest.py"), ("skips.txt", "skips.txt")):
        (tmp_path / copy).write_text((HERE / name).read_text())
    (tmp_path / "test_one.py").write_text(SKIPS.format(reason=reason))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *more, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("test_one.py::test_skips: the moon" in done.stdout) == (status == 1)
