"""Seconds and memory are the command's own."""

import sys

import numpy as np
import pytest

from thirdstream.evaluation import cost
from thirdstream.files import ThirdstreamError


def test_the_memory_is_the_command_s_not_ours() -> None:
    ours = np.ones(80_000_000)  # 640 MB
    seconds, peak_mb = cost.run(
        [sys.executable, "-c", "import time; held = b'x' * 150_000_000; time.sleep(0.2)"]
    )
    if peak_mb is None:
        pytest.skip("this system does not tell the peak memory")
    assert ours.sum() == len(ours)
    assert 150 < peak_mb < 300
    assert seconds >= 0.2


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(ThirdstreamError, match="no such thing"):
        cost.run([sys.executable, "-c", "raise SystemExit('no such thing')"])
