"""The melody among notes, and its places on the grid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import melody
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.quantisation import quantised
from thirdstream.notes.transcription.transcriber import Posteriors
from thirdstream.notes.types import Note


def test_the_line_stays_on_top_and_leaves_the_bass_alone() -> None:
    rows = [
        (0.5 * k, 0.5 * k + 0.45, pitch) for k in range(8) for pitch in (40, 60, 64, 76 - k % 3)
    ]
    rows.sort()
    found = np.array(rows)
    notes = NoteEvents(found[:, :2], found[:, 2], np.full(len(rows), 0.7))
    empty = np.full((round(5 * FPS), 88), 0.7, np.float16)
    flat = np.ones(len(empty), np.float32)
    seen = FrameFeatures(Posteriors(empty, empty), empty, flat, flat, flat, 5.0)
    line = melody.melody_of(notes, seen)
    assert notes.pitches[line].tolist() == [76 - k % 3 for k in range(8)]


@given(swing=st.floats(0.58, 0.7))
def test_swung_eighths_are_written_even(swing: float) -> None:
    timing = Timing.steady(120)
    starts = [beat + phase for beat in range(16) for phase in (0.0, swing)]
    notes = [Note(start, 0.3, 60) for start in starts]
    line = quantised(notes, notes, timing)
    assert [note.start for note in line] == [k / 2 for k in range(32)]


def test_triplets_stay_triplets() -> None:
    starts = [beat + phase / 3 for beat in range(8) for phase in range(3)]
    notes = [Note(start, 0.3, 60) for start in starts]
    line = quantised(notes, notes, Timing.steady(80))
    np.testing.assert_allclose([note.start for note in line], starts, atol=1e-9)
