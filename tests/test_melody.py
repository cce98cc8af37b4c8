"""The melody among notes, and its places on the grid."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import melody
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.quantisation import DOTTED, quantised, swing_of
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


def placed(starts: list[float], *, lengths: float = 0.3, tempo: float = 120) -> list[Note]:
    """Notes on the grid, whose eighths may be swung."""
    notes = [Note(start, lengths, 60) for start in starts]
    swing = swing_of(np.array(starts) % 1)
    return list(quantised(notes, Timing.steady(tempo), swing=swing))


def row(*notes: tuple[float, float, int]) -> NoteEvents:
    found = np.array(notes, float)
    return NoteEvents(found[:, :2], found[:, 2], np.full(len(found), 0.8))


def test_a_rest_is_not_filled_with_what_is_unlikely() -> None:
    notes = row((0, 0.5, 72), (0.5, 1, 74), (1.2, 1.6, 60), (2, 2.4, 62), (3, 3.5, 72))
    odds = np.array([3.0, 3.0, -3.0, -3.0, 3.0])
    assert melody.line_of(notes, odds).tolist() == [0, 1, 4]


def test_a_chord_that_has_the_melody_an_octave_lower_does_not_take_its_place() -> None:
    rows = [(float(k), k + 0.9, top - below) for k, top in enumerate((74, 78, 76, 72))
            for below in (19, 16, 12, 0)]  # fmt: skip
    notes = row(*rows)
    odds = np.where(notes.pitches > 70, 5.0, -15.0)
    assert notes.pitches[melody.line_of(notes, odds)].tolist() == [74, 78, 76, 72]


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
    line = placed([beat + phase for beat in range(16) for phase in (0.0, swing)])
    assert [note.start for note in line] == [k / 2 for k in range(32)]


def test_triplets_stay_triplets() -> None:
    starts = [beat + phase / 3 for beat in range(8) for phase in range(3)]
    np.testing.assert_allclose([n.start for n in placed(starts, tempo=80)], starts, atol=1e-9)


def test_triplets_between_swung_eighths_are_triplets() -> None:
    swung = [beat + phase for beat in range(12) for phase in (0.0, 2 / 3)]
    line = placed([*swung, 12.0, 12 + 1 / 3, 12 + 2 / 3, 13.0], tempo=100)
    assert [note.start for note in line[:24]] == [k / 2 for k in range(24)]
    np.testing.assert_allclose([n.start for n in line[24:]], [12, 12 + 1 / 3, 12 + 2 / 3, 13])


def test_a_player_who_is_always_late_is_written_on_the_beat() -> None:
    starts = [1.0, 2.0, 2.5, 3.0, 5.0, 6.0, 7.0, 7.5, 8.0]
    assert [note.start for note in placed([at + 0.09 for at in starts])] == starts


def test_a_note_that_is_late_alone_makes_no_sixteenths() -> None:
    starts = [0.0, 1.0, 2.0, 3.17, 4.0, 5.0]
    assert [note.start for note in placed(starts)] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_sixteenths_stay_sixteenths() -> None:
    starts = [beat + phase / 4 for beat in range(8) for phase in range(4)]
    assert [note.start for note in placed(starts, tempo=80)] == starts


@pytest.mark.parametrize(
    ("played", "following", "written"),
    [
        (3.4, 5.0, 3.0), (3.6, 5.0, 4.0), (3.6, 4.0, 4.0), (2.4, 4.0, 2.0), (2.6, 4.5, 3.0),
        (2.9, 3.5, 3.0), (1.5, 4.0, 1.5), (0.5, 4.0, 0.5),
    ],
)  # fmt: skip
def test_long_notes_end_on_beats_before_rests(
    played: float, following: float, written: float
) -> None:
    """The last one too."""
    line = [Note(0.0, played, 60), Note(following, 1.0, 62), Note(8.0, 2.6, 64)]
    found = quantised(line, Timing.steady(120))
    assert [note.start for note in found] == [0.0, following, 8.0]
    assert [found[0].length, found[2].length] == [written, 3.0]


def test_long_notes_without_a_rest_after_them_keep_their_length() -> None:
    line = quantised([Note(0.0, 2.4, 60), Note(2.5, 0.4, 62)], Timing.steady(120))
    assert [(note.start, note.length) for note in line] == [(0.0, 2.5), (2.5, 0.5)]


@given(st.lists(st.tuples(st.floats(0.0, 1.5), st.floats(0.05, 2.0)), min_size=1, max_size=40))
def test_what_is_written_is_readable(steps: list[tuple[float, float]]) -> None:
    """One note at a time, on halves, quarters and thirds of beats, without tiny rests."""
    starts = np.cumsum([gap for gap, _ in steps]).tolist()
    notes = [Note(at, length, 60) for at, (_, length) in zip(starts, steps, strict=True)]
    line = quantised(notes, Timing.steady(120))
    for one, after in itertools.pairwise(line):
        assert one.end <= after.start + 1e-6
        assert after.start - one.end < 1e-6 or after.start - one.end > 0.39
    for note in line:
        assert abs(12 * note.start - round(12 * note.start)) < 1e-6
        assert note.length > 0.2


def test_compound_beats_have_eighths_and_sixteenths() -> None:
    starts = [0.0, 1 / 3, 2 / 3, 1.0, 5 / 3, 2.0, 2 + 1 / 6, 2 + 1 / 3, 3.0]
    notes = [Note(start, 0.2, 60) for start in starts]
    line = quantised(notes, Timing.steady(60), DOTTED)
    np.testing.assert_allclose([note.start for note in line], starts, atol=1e-9)
