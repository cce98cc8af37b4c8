"""How far a recording lies from A = 440 Hz, and that a cover is played there."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thirdstream import audio
from thirdstream.notes.io.midi import BEND, read_midi, write_midi
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.timing import Timing, timed
from thirdstream.notes.transcription.spectra import SR
from thirdstream.notes.transcription.tuning import BESIDE, shares, tuning_of
from thirdstream.notes.types import Note, Song, Track

KEYS = (-9, -5, -2, 3, 7)  # semitones from A


def chord(tuning: float, seconds: float = 3.0) -> np.ndarray:
    t = np.arange(round(seconds * SR)) / SR
    hz = [440 * 2 ** ((key + tuning) / 12) for key in KEYS]
    return sum(0.1 * np.sin(2 * np.pi * one * t + k) for k, one in enumerate(hz)).astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(tuning=st.floats(-0.49, 0.49), n_parts=st.integers(1, 3))
def test_what_is_played_beside_the_keys_is_found(tuning: float, n_parts: int) -> None:
    found = tuning_of(
        np.stack([shares(part) for part in np.split(chord(tuning)[:66_000], n_parts)])
    )
    if abs(abs(tuning) - BESIDE) > 0.02:
        assert found == pytest.approx(tuning if abs(tuning) > BESIDE else 0.0, abs=0.02)


@pytest.mark.parametrize("n_samples", [1, 100, 50_000])
def test_silence_and_noise_have_no_tuning(n_samples: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    for wave in (np.zeros(n_samples, np.float32), noise if n_samples > 1000 else 0 * noise):
        assert tuning_of(shares(wave)[None]) == 0.0


@pytest.mark.parametrize("tuning", [-0.4, 0.3])
def test_a_song_is_played_in_its_tuning(tuning: float) -> None:
    notes = tuple(Note(0.0, 4.0, 69 + key, 90) for key in KEYS)
    heard = []
    for one in (0.0, tuning):
        wave = play(Song((Track("piano", 0, notes),), 60.0, tuning=one), ORCHESTRA, 4 * audio.SR)
        angles, _ = shares(wave.mean(axis=0)[::2].astype(np.float32))
        heard.append(np.angle(angles) / (2 * np.pi))
    assert heard[1] - heard[0] == pytest.approx(tuning, abs=0.03)


def test_the_tuning_is_in_the_midi_file_of_every_instrument_but_the_drums(tmp_path: Path) -> None:
    import mido

    note = (Note(0.0, 1.0, 60, 90),)
    tracks = Track("piano", 0, note), Track("drums", 0, note, is_drums=True)
    write_midi(tmp_path / "a.mid", Song(tracks, 120.0, tuning=0.5))
    bends = [
        (message.channel, message.pitch)
        for track in mido.MidiFile(tmp_path / "a.mid").tracks
        for message in track
        if message.type == "pitchwheel"
    ]
    assert bends == [(0, round(0.5 / BEND * 8191))]
    assert len(read_midi(tmp_path / "a.mid").tracks) == 2


def test_a_cover_keeps_the_tuning_along_a_tempo_map() -> None:
    song = Song((Track("piano", 0, (Note(0.0, 1.0, 60, 90),)),), 120.0, tuning=0.4)
    along = timed(song, Timing.steady(90.0), duration_s=5.0)
    assert along.tuning == 0.4
