"""Bar lines: harmony tells them, wherever a recording begins, and a slip is rare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.transcription import beats, hypotheses
from thirdstream.notes.transcription.activations import Activations
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors
from thirdstream.notes.transcription.weights import downbeat_weights

PERIOD = 43  # frames: 120 beats a minute
ROOTS = (0, 5, 7, 2, 9, 4)  # of major triads, one after the other


def combo(n_beats: int, *, upbeat: int, loud: float, bars_a_chord: int) -> FrameFeatures:
    """Clicks on beats, 2 and 4 so much louder; triads that change on bar lines.

    upbeat: beats before the first bar line.
    """
    n_frames = PERIOD * n_beats
    flux, notes = np.zeros(n_frames, np.float32), np.zeros((n_frames, 88), np.float16)
    for beat in range(n_beats):
        at = slice(PERIOD * beat, PERIOD * (beat + 1))
        flux[at.start] = loud if (beat - upbeat) % 2 else 1.0
        root = ROOTS[(beat - upbeat) // (4 * bars_a_chord) % len(ROOTS)]
        notes[at, [[60 - LOWEST + (root + step) % 12] for step in (0, 4, 7)]] = 0.8
    onsets = np.zeros_like(notes)
    return FrameFeatures(Posteriors(notes, onsets), notes, flux, flux, flux, n_frames / FPS)


def bars_heard(features: FrameFeatures) -> list[np.ndarray]:
    """The frames of the bar lines, of each list of as many beats as there are, counted in four."""
    none = np.full(features.n_frames, 0.1)
    of = hypotheses.levels(features, Activations(none, none), downbeat_weights())
    assert of is not None
    bars = zip(of.beats, of.bars(4), strict=True)
    return [
        at[places == 0]
        for at, (_, places) in bars
        if np.abs(np.diff(at) - PERIOD).max() < 4 and (at[0] + 4) % PERIOD < 8
    ]


@pytest.mark.parametrize("upbeat", range(4))
def test_loud_backbeats_do_not_draw_bar_lines(upbeat: int) -> None:
    every = bars_heard(combo(96, upbeat=upbeat, loud=4.0, bars_a_chord=4))
    assert every
    for lines in every:
        assert set(np.round(lines / PERIOD).astype(int) % 4) == {upbeat}
