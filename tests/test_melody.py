"""The melody among notes, and its places on the grid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import melody
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.quantisation import quantised
from thirdstream.notes.transcription.salience import TOGETHER_S, log_odds
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors
from thirdstream.notes.types import Note


def test_the_line_stays_on_top_and_leaves_the_bass_alone() -> None:
    rows = [
        (0.5 * k, 0.5 * k + 0.45, pitch) for k in range(8) for pitch in (40, 60, 64, 76 - k % 3)
    ]
    rows.sort()
    found = np.array(rows)
    notes = NoteEvents(found[:, :2], found[:, 2], np.full(len(rows), 0.7))
    sounds = np.full((round(5 * FPS), 88), 0.7, np.float16)
    led = np.full_like(sounds, 0.05)
    led[:, 73 - LOWEST : 77 - LOWEST] = 0.5  # as unsure as it may be
    flat = np.ones(len(led), np.float32)
    seen = FrameFeatures(Posteriors(sounds, sounds), led, flat, flat, flat, 5.0)
    line = melody.melody_of(notes, seen)
    assert notes.pitches[line].tolist() == [76 - k % 3 for k in range(8)]


def row(*notes: tuple[float, float, int]) -> NoteEvents:
    found = np.array(notes, float)
    return NoteEvents(found[:, :2], found[:, 2], np.full(len(found), 0.8))


def test_a_rest_is_not_filled_with_what_is_unlikely() -> None:
    notes = row((0, 0.5, 72), (0.5, 1, 74), (1.2, 1.6, 60), (2, 2.4, 62), (3, 3.5, 72))
    odds = np.array([3.0, 3.0, -3.0, -3.0, 3.0])
    assert melody.line_of(notes, odds).tolist() == [0, 1, 4]


def test_some_note_is_the_melody_however_unlikely() -> None:
    notes = row((0, 0.5, 72), (1, 1.5, 74))
    assert melody.line_of(notes, np.array([-9.0, -8.0])).tolist() == [1]


@given(odds=st.lists(st.floats(-6, 6), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_the_line_is_in_order_and_never_two_at_a_time(odds: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.uniform(0, len(odds) / 4, len(odds)))
    notes = row(*((at, at + 0.3, int(rng.integers(40, 90))) for at in starts))
    line = melody.line_of(notes, np.array(odds))
    assert (np.diff(starts[line]) >= TOGETHER_S).all()


def test_salience_has_a_number_for_each_note() -> None:
    n_frames = round(4 * FPS)
    flat, none = np.ones(n_frames, np.float32), np.zeros((n_frames, 88), np.float16)
    seen = FrameFeatures(Posteriors(none, none), none, flat * 0, flat, flat, 4.0)
    notes = row((0, 4, 21), (0, 0.1, 108), (3.9, 4, 60))
    assert np.isfinite(log_odds(notes, seen)).all()
    assert len(log_odds(row((0, 1, 60)), seen)) == 1


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
