"""Seconds and memory are the command's own."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

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


def test_a_recording_that_cannot_be_timed_is_named_once(tmp_path: Path) -> None:
    nan = tmp_path / "nan.wav"
    sf.write(nan, np.full(4_000, np.nan), 44_100, subtype="FLOAT")
    with pytest.raises(ThirdstreamError, match="could not be timed: holds NaN") as caught:
        cost.cost_of_transfer(nan, model="twin-cnn", to="jazz")
    assert str(caught.value).count("nan.wav") == 1
