"""The transcriber: its windows, its decoding and, where it is installed, its ears."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music
from thirdstream.files import ThirdstreamError
from thirdstream.notes.transcription import (
    EDGE,
    GAP,
    HOP,
    KEPT,
    SHORTEST,
    SR,
    Posteriors,
    Transcriber,
    notes_of,
)
from thirdstream.packages import MissingPackage


class Echo(Transcriber):
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
    found = Echo().listen(wave, SR)
    n_frames = 1 + n_samples // HOP
    expected = np.zeros(n_frames, np.float32)
    expected[: len(wave[::HOP])] = wave[::HOP]
    assert found.sounds.shape == (n_frames, 88)
    np.testing.assert_array_equal(found.sounds[:, 3], expected)


def posteriors(
    sounds: list[tuple[int, int, int]], begins: list[tuple[int, int]], n_frames: int = 200
) -> Posteriors:
    found = Posteriors(*np.zeros((2, n_frames, 88), np.float32))
    for pitch, start, end in sounds:
        found.sounds[start:end, pitch] = 0.6
    for pitch, at in begins:
        found.begins[at, pitch] = 0.8
    return found


@pytest.mark.parametrize(
    ("sounds", "begins", "expected"),
    [
        ([], [], []),
        ([(48, 20, 60)], [(48, 20)], [(20, 60, 69)]),
        ([(48, 20, 60)], [], [(20, 60, 69)]),
        ([(48, 20, 60)], [(48, 20), (48, 40)], [(20, 40, 69), (40, 60, 69)]),
        ([(48, 20, 40), (48, 40 + GAP, 80)], [(48, 20)], [(20, 80, 69)]),
        ([(48, 20, 40), (48, 41 + GAP, 80)], [], [(20, 40, 69), (41 + GAP, 80, 69)]),
        ([(48, 20, 20 + SHORTEST - 1)], [(48, 20)], []),
        ([(60, 5, 30), (48, 20, 60)], [], [(5, 30, 81), (20, 60, 69)]),
        ([(0, 0, 200)], [], [(0, 200, 21)]),
    ],
)
def test_notes_by_hand(
    sounds: list[tuple[int, int, int]],
    begins: list[tuple[int, int]],
    expected: list[tuple[int, int, int]],
) -> None:
    found = notes_of(posteriors(sounds, begins))
    frames = np.round(found.intervals * SR / HOP).astype(int)
    assert [
        (*row, int(p)) for row, p in zip(frames.tolist(), found.pitches, strict=True)
    ] == expected


def test_the_roll_has_pitches_first() -> None:
    roll = posteriors([(48, 20, 60)], []).roll
    assert roll.shape == (88, 200)
    assert roll.sum() == 40


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((2, 9)), np.array([0.0, np.nan])])
def test_bad_waves_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ThirdstreamError, match="not empty and without NaN"):
        Echo().listen(bad.astype(np.float32), SR)


def test_the_transcriber_hears_a_chord_where_it_is() -> None:
    try:
        transcriber = Transcriber()
    except MissingPackage as error:
        pytest.skip(str(error))
    t = np.arange(3 * SR) / SR
    voices = [np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * h * t) / h
              for p in (57, 64, 69) for h in (1, 2, 3, 4)]  # fmt: skip
    wave = (0.1 * np.sum(voices, axis=0) * np.exp(-t)).astype(np.float32)
    late = np.concatenate([np.zeros(5 * SR, np.float32), wave, np.zeros(SR, np.float32)])
    notes = notes_of(transcriber.listen(late, SR))
    for pitch in (57, 64, 69):
        starts = notes.intervals[notes.pitches == pitch, 0]
        assert np.abs(starts - 5.0).min() < 0.05
    assert len(notes_of(transcriber.listen(0 * music(0, 9000), SR)).pitches) == 0
