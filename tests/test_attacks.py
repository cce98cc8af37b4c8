"""Anticipation: instruments that speak slowly begin earlier, and are heard on time."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thirdstream.audio import SR
from thirdstream.notes import attacks
from thirdstream.notes.attacks import LONGEST_S, lags_s, on_time
from thirdstream.notes.midi import Song, Track
from thirdstream.notes.rendering import play, pretty_midi_soundfont
from thirdstream.notes.score import Note
from thirdstream.notes.timing import Timing

PIANO, STRINGS = 0, 48
RUBATO = Timing((0.5, 1.0, 1.8, 2.2, 3.0))


@pytest.fixture(scope="module")
def soundfont() -> Path:
    path = pretty_midi_soundfont()
    assert path is not None
    return path


def track(program: int, *starts: float, is_drums: bool = False) -> Track:
    notes = tuple(Note(start, 0.75, 60, 80) for start in starts)
    return Track("someone", program, notes, is_drums=is_drums)


def test_strings_take_longer_than_a_piano_and_drums_nothing(soundfont: Path) -> None:
    tracks = track(PIANO, 0.0), track(STRINGS, 0.0), track(0, 0.0, is_drums=True), track(STRINGS)
    piano, strings, drums, silent = lags_s(tracks, soundfont)
    assert 0 <= piano < 0.015 < strings <= LONGEST_S
    assert drums == silent == 0.0


@pytest.mark.parametrize("rise_s", [0.0, 0.05, 0.2])
def test_a_note_is_heard_where_it_has_grown_to_a_quarter(
    rise_s: float, soundfont: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tone that rises in a straight line passes -12 dB after a quarter of its rise."""

    def tone(song: Song, soundfont: Path, n_samples: int) -> np.ndarray:
        t = np.arange(n_samples) / SR
        return np.sin(2000 * np.pi * t) * np.clip(t / max(rise_s, 1e-9), 0, 1) * np.ones((2, 1))

    monkeypatch.setattr(attacks, "play", tone)
    (lag,) = lags_s((track(PIANO, 0.0),), soundfont)
    assert lag == pytest.approx(rise_s / 4, abs=0.006)


def test_notes_begin_earlier_by_the_same_seconds_at_any_tempo_and_end_where_they_did(
    soundfont: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacks, "lags_s", lambda tracks, soundfont: [0.1, 0.0])
    song = Song((track(STRINGS, 0.0, 1.5, 3.0), track(PIANO, 1.0)), 120.0)
    slow, quick = on_time(song, RUBATO, soundfont).tracks
    assert quick == song.tracks[1]
    before, after = (RUBATO.seconds([n.start for n in t.notes]) for t in (song.tracks[0], slow))
    np.testing.assert_allclose(before - after, 0.1)
    assert [n.end for n in slow.notes] == pytest.approx([n.end for n in song.tracks[0].notes])


def test_anticipated_strings_are_heard_with_the_piano(soundfont: Path) -> None:
    song = Song((track(STRINGS, 1.0, 3.0, 5.0),), 60.0)
    early = on_time(song, Timing.steady(60.0), soundfont)

    def heard_s(one: Song) -> np.ndarray:
        wave = np.abs(play(one, soundfont, 7 * SR)).mean(axis=0)
        level = np.convolve(wave, np.ones(882) / 882, "same")
        parts = [level[round((at - 0.3) * SR) : round((at + 0.7) * SR)] for at in (1, 3, 5)]
        return np.array([np.argmax(part > part.max() / 4) / SR - 0.3 for part in parts])

    assert (np.abs(heard_s(early)) < 0.02).all()
    assert (heard_s(song) > heard_s(early) + 0.01).all()


def test_a_pitch_that_is_struck_again_is_heard_again(
    soundfont: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a note must not silence the next of its pitch, which begins before it by now."""
    notes = tuple(Note(float(at), 0.97, 60, 80) for at in range(6))
    song = Song((Track("strings", STRINGS, notes),), 60.0)
    early = on_time(song, Timing.steady(60.0), soundfont)
    (moved,) = early.tracks
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(moved.notes))
    wave = play(early, soundfont, 6 * SR).mean(axis=0)
    levels = [
        np.sqrt(np.square(wave[round((at + 0.5) * SR) :][: SR // 4]).mean()) for at in range(6)
    ]
    assert min(levels) > 0.5 * levels[0]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0.05, 3), st.integers(60, 62)), max_size=20),
    st.floats(0.0, LONGEST_S),
)
def test_anticipated_notes_of_one_pitch_never_overlap_and_none_is_lost(
    drawn: list[tuple[int, float, int]], lag: float
) -> None:
    """As long as those that are written do not; other pitches may sound on."""
    written = {(start, pitch): length for start, length, pitch in drawn}
    notes = []
    for (start, pitch), length in sorted(written.items()):
        later = [s for s, p in written if p == pitch and s > start]
        notes.append(Note(float(start), min([length, *(s - start for s in later)]), pitch))
    song = Song((Track("someone", STRINGS, tuple(notes)),), 120.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attacks, "lags_s", lambda tracks, soundfont: [lag])
        (moved,) = on_time(song, RUBATO, Path("none")).tracks
    assert [n.pitch for n in moved.notes] == [n.pitch for n in notes]
    for pitch in (60, 61, 62):
        own = [note for note in moved.notes if note.pitch == pitch]
        assert all(a.length > 0 and a.end <= b.start + 1e-9 for a, b in itertools.pairwise(own))


def test_a_song_without_notes_is_itself(soundfont: Path) -> None:
    song = Song((replace(track(PIANO), notes=()),), 120.0)
    assert on_time(song, RUBATO, soundfont) == song
