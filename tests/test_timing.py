"""The tempo map: closed forms and the way back."""

import tempfile
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.timing import Timing, from_zero
from thirdstream.notes.types import Note, Song, Track

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


@settings(deadline=None, max_examples=50)
@given(
    gaps, st.floats(-4, 0), st.integers(2, 4), st.lists(st.floats(0, 20), min_size=1, max_size=8)
)
def test_a_midi_file_is_in_step_with_its_recording(
    gaps: list[float], start: float, beats_per_bar: int, beats: list[float]
) -> None:
    """Both begin at 0 s, though the first bar line may lie before: by the file's own clock."""
    beats_s = start + np.cumsum([0.0, *gaps])
    assume(beats_s[-1] > 0.05)
    timing = Timing(tuple(beats_s.tolist()))
    notes = tuple(Note(beat, 1.0, 60 + k) for k, beat in enumerate(sorted(set(beats))))
    song = Song((Track("one", 0, notes),), 120.0, Metres.steady(metre(beats_per_bar, 4)))
    with tempfile.TemporaryDirectory() as folder:
        write_midi(Path(folder) / "a.mid", song, timing)
        file, now_s, heard = mido.MidiFile(Path(folder) / "a.mid"), 0.0, {}
        for message in file:
            now_s += message.time
            if message.type == "note_on" and message.velocity:
                heard[message.note] = now_s
    for note in notes:
        wanted = max(0.0, float(timing.seconds(note.start)))
        assert heard[note.pitch] == pytest.approx(wanted, abs=0.01)


def test_bar_lines_after_the_first_stay_where_they_are() -> None:
    """A bar that begins 0.5 s before the recording lasts 1.5 s of its 2 s."""
    song = Song((Track("one", 0, (Note(4.0, 4.0, 60),)),), 120.0)
    moved, timing = from_zero(song, Timing(tuple((0.5 * np.arange(17) - 0.5).tolist())))
    assert timing.beats_s == pytest.approx((0, 0.375, 0.75, 1.125, *(0.5 * np.arange(3, 16))))
    assert (moved.tracks[0].notes[0].start, moved.tracks[0].notes[0].length) == (4.0, 4.0)


def test_less_than_half_a_bar_belongs_to_the_next() -> None:
    _, timing = from_zero(Song((), 120.0), Timing(tuple((0.5 * np.arange(17) - 1.8).tolist())))
    assert timing.seconds([0, 4, 8, 12]) == pytest.approx([0, 1.1, 2.2, 4.2])
