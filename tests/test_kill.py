"""Killed at any instant, nothing is half-written and nothing is lost (see benchmarks/kill.py)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thirdstream.files import remove_orphans, whole_file

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="commands run in forks")
@pytest.mark.parametrize("command", ["train", "transfer", "arrange"])
def test_a_killed_command_goes_on_where_it_was(command: str) -> None:
    script = [ROOT / "benchmarks" / "kill.py", "--kills", "1", "--only", command, "--no-disks"]
    done = subprocess.run(
        [sys.executable, *map(str, script)], capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_nobody_writes_any_more_goes_at_once(tmp_path: Path) -> None:
    names = (".0123abcd.part.wav", ".ffffffff.part", ".mine.part.wav", "song.part.wav")
    for name in names:
        (tmp_path / name).touch()
    with whole_file(tmp_path / "new.wav") as temporary:
        remove_orphans(tmp_path)
        assert temporary.exists()
    left = {".mine.part.wav", "song.part.wav", "new.wav"}
    assert {path.name for path in tmp_path.iterdir()} == left
