"""How threads wait that share their cores with other processes."""

import os
import subprocess
import sys


def policy(given: dict[str, str]) -> str:
    """What the library of torch's threads, which reads it as it is loaded, says that it goes by."""
    code = "import thirdstream, torch; torch.ones(9).sum()"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= given | {"OMP_DISPLAY_ENV": "TRUE"}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return said.stderr.replace(" ", "")  # GNU's has spaces around "=", LLVM's has none


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise() -> None:
    assert "OMP_WAIT_POLICY='PASSIVE'" in policy({})
    assert "OMP_WAIT_POLICY='ACTIVE'" in policy({"OMP_WAIT_POLICY": "ACTIVE"})
