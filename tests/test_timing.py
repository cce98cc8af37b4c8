"""The tempo map: closed forms and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.timing import Timing

gaps = st.lists(st.floats(0.05, 4.0), min_size=1, max_size=30)


def test_a_steady_tempo_is_a_straight_line() -> None:
    timing = Timing.steady(90, start_s=-1.0)
    assert timing.seconds([-3, 0, 1.5, 300]) == pytest.approx([-3, -1, 0, 199])


@given(gaps, st.floats(-5, 5))
def test_seconds_and_beats_are_each_other_s_inverse(gaps: list[float], start: float) -> None:
    timing = Timing((start, *(start + np.cumsum(gaps)).tolist()))
    beats = np.linspace(-4, len(gaps) + 4, 41)
    assert timing.seconds(np.arange(len(gaps) + 1)) == pytest.approx(timing.beats_s)
    assert timing.beats(timing.seconds(beats)) == pytest.approx(beats, abs=1e-6)
    assert (np.diff(timing.seconds(beats)) > 0).all()


@pytest.mark.parametrize("beats_s", [(), (1.0,), (0.0, 1.0, 1.0), (2.0, 1.0), (0.0, float("nan"))])
def test_beats_that_do_not_follow_each_other_are_refused(beats_s: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="later than the one before"):
        Timing(beats_s)
