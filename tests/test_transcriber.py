"""The transcriber that evaluates: its windows and, where it is installed, its notes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thirdstream.evaluation.metrics import MetricError
from thirdstream.evaluation.transcriber import EDGE, KEPT, BasicPitch, batches
from thirdstream.notes.transcription.note_events import notes_of
from thirdstream.notes.transcription.spectra import HOP, SR
from thirdstream.notes.transcription.transcriber import Posteriors


class Echo(BasicPitch):
    """Answers with the sample at each frame's centre: what went in must come out in place."""

    def __init__(self) -> None:
        pass

    def run(self, batch: np.ndarray) -> Posteriors:
        frames = batch[:, ::HOP][:, EDGE : EDGE + KEPT].reshape(-1, 1)
        return Posteriors(*2 * [np.repeat(frames, 88, axis=1)])


@settings(deadline=None, max_examples=20)
@given(n_samples=st.integers(1, 4 * KEPT * HOP))
def test_windows_are_joined_exactly(n_samples: int) -> None:
    wave = np.arange(1, n_samples + 1, dtype=np.float32) / n_samples
    found = Echo().predict(wave, SR)
    n_frames = 1 + n_samples // HOP
    expected = np.zeros(n_frames, np.float32)
    expected[: len(wave[::HOP])] = wave[::HOP]
    assert found.notes.shape == (n_frames, 88)
    assert sum(map(len, batches(wave))) == math.ceil(n_frames / KEPT)  # and none of silence alone
    np.testing.assert_array_equal(found.notes[:, 3], expected)


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((2, 9)), np.array([0.0, np.nan])])
def test_bad_waves_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(MetricError, match="not empty and without NaN"):
        Echo().predict(bad.astype(np.float32), SR)


def test_a_chord_is_transcribed_where_it_is() -> None:
    transcriber = BasicPitch()
    t = np.arange(3 * SR) / SR
    voices = [np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * h * t) / h
              for p in (57, 64, 69) for h in (1, 2, 3, 4)]  # fmt: skip
    wave = (0.1 * np.sum(voices, axis=0) * np.exp(-t)).astype(np.float32)
    late = np.concatenate([np.zeros(5 * SR, np.float32), wave, np.zeros(SR, np.float32)])
    notes = notes_of(transcriber.predict(late, SR))
    for pitch in (57, 64, 69):
        starts = notes.intervals[notes.pitches == pitch, 0]
        assert np.abs(starts - 5.0).min() < 0.05
    assert len(notes_of(transcriber.predict(np.zeros(9000, np.float32), SR)).pitches) == 0
