"""The transcriber, and note events of its posteriors."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music
from thirdstream.notes.transcription import note_events
from thirdstream.notes.transcription.note_events import (
    GAP,
    SHORTEST,
    SHORTEST_STRUCK,
    confident,
    notes_of,
    struck_notes,
)
from thirdstream.notes.transcription.spectra import COLUMN, HOP, SR
from thirdstream.notes.transcription.transcriber import (
    EDGE,
    KEPT,
    LOWEST,
    WINDOW,
    Posteriors,
    Transcriber,
    cut,
)


@settings(deadline=None, max_examples=20)
@given(n_samples=st.integers(1, 3 * KEPT * HOP))
def test_windows_cover_a_recording_and_join(n_samples: int) -> None:
    wave = np.arange(1, n_samples + 1, dtype=np.float32)
    kept = [window[::HOP][EDGE:][:KEPT] for window in cut([wave[None]])]
    found = np.concatenate(kept)
    expected = wave[::HOP]
    np.testing.assert_array_equal(found[: len(expected)], expected)
    assert not found[len(expected) :].any()


def test_the_runtime_reports_nothing_to_its_makers_and_leaves_nothing(tmp_path: Path) -> None:
    """By itself onnxruntime 1.32 keeps an identifier of the user in the temporary folder."""
    code = "from thirdstream.notes.transcription.transcriber import Transcriber; Transcriber()"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment | {"TMPDIR": str(tmp_path)}
    )
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber()


def posteriors_of(transcriber: Transcriber, wave: np.ndarray) -> Posteriors:
    """All of a wave at 22,050 Hz."""
    parts = zip(*(transcriber.run(window)[0] for window in cut([wave[None]])), strict=True)
    return Posteriors(*(np.concatenate(part)[: 1 + len(wave) // HOP] for part in parts))


def test_answers_do_not_depend_on_where_windows_begin(transcriber: Transcriber) -> None:
    wave = np.pad(music(0, 2 * WINDOW), 0).astype(np.float32)
    (one, leads), n = transcriber.run(wave[:WINDOW]), 7
    other, also = transcriber.run(wave[n * COLUMN :][:WINDOW])
    for whole, moved in zip((*one, leads), (*other, also), strict=True):
        np.testing.assert_allclose(whole[2 * n :], moved[: -2 * n], atol=1e-4)


def posteriors(
    sounds: list[tuple[int, int, int]], begins: list[tuple[int, int]], n_frames: int = 200
) -> Posteriors:
    found = Posteriors(*np.zeros((2, n_frames, 88), np.float32))
    for pitch, start, end in sounds:
        found.notes[start:end, pitch] = 0.6
    for pitch, at in begins:
        found.onsets[at, pitch] = 0.8
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


FLUX = np.ones(200, np.float32)


@pytest.mark.parametrize(("drum", "n_notes"), [(1.0, 2), (8.0, 1)])
def test_a_dip_tells_a_repeated_note_and_a_drum_does_not(drum: float, n_notes: int) -> None:
    given = posteriors([(48, 20, 120)], [(48, 20)])
    given.onsets[70, 48], given.notes[66:70, 48] = 0.45, 0.2  # too faint for `notes_of`
    flux = FLUX.copy()
    flux[70] = drum
    assert len(notes_of(given).pitches) == 1
    assert len(struck_notes(given, flux).pitches) == n_notes


def test_struck_notes_are_those_of_notes_of_where_nothing_is_repeated() -> None:
    given = posteriors([(48, 20, 60), (52, 30, 90), (50, 9, 9 + SHORTEST)], [(48, 20), (52, 30)])
    for one, other in zip(struck_notes(given, FLUX), notes_of(given), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("length", "n_notes"), [(SHORTEST_STRUCK, 1), (SHORTEST_STRUCK - 1, 0)])
def test_quick_notes_are_struck(length: int, n_notes: int) -> None:
    given = posteriors([(48, 20, 20 + length)], [(48, 20)])
    assert len(struck_notes(given, FLUX).pitches) == n_notes


@pytest.mark.parametrize("rows", [100, 777, 1 << 14])
def test_notes_amid_noise_are_left_out_in_however_many_pieces(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Ten seconds of music, then ten in which all pitches sound a little."""
    monkeypatch.setattr(note_events, "ROWS", rows)
    second = round(SR / HOP)
    sounds = np.zeros((20 * second, 88), np.float16)
    sounds[10 * second :] = 0.2
    onsets = np.zeros_like(sounds)
    for start in range(0, 20, 2):
        sounds[start * second : (start + 1) * second, 40] = 0.9
        onsets[start * second, 40] = 0.9
    found = notes_of(Posteriors(sounds, onsets))
    kept = note_events.without_noise(found, Posteriors(sounds, onsets))
    assert [round(start) for start in found.intervals[:, 0]] == list(range(0, 20, 2))
    assert [round(start) for start in kept.intervals[:, 0]] == [0, 2, 4, 6, 8]


def test_the_roll_has_pitches_first() -> None:
    roll = posteriors([(48, 20, 60)], []).roll
    assert roll.shape == (88, 200)
    assert roll.sum() == 40


def chord(pitches: tuple[int, ...]) -> np.ndarray:
    """3 s of plucked tones with four partials."""
    t = np.arange(3 * SR) / SR
    voices = [np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * h * t) / h
              for p in pitches for h in (1, 2, 3, 4)]  # fmt: skip
    return (0.1 * np.sum(voices, axis=0) * np.exp(-t)).astype(np.float32)


@pytest.mark.parametrize("pitches", [(57, 64, 69), (40,), (48, 52, 55, 70), (81, 86)])
def test_a_chord_is_found_where_it_is(transcriber: Transcriber, pitches: tuple[int, ...]) -> None:
    silence = np.zeros(5 * SR, np.float32)
    notes = notes_of(posteriors_of(transcriber, np.concatenate([silence, chord(pitches), silence])))
    for pitch in pitches:
        starts = notes.intervals[notes.pitches == pitch, 0]
        assert np.abs(starts - 5.0).min(initial=9) < 0.05
    sure = notes.pitches[
        notes.confidences >= 0.5
    ]  # partials may be found too, with less confidence
    assert set(sure.tolist()) <= set(pitches)


def test_silence_holds_no_notes_and_noise_none_that_is_sure(transcriber: Transcriber) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * SR).astype(np.float32)
    assert not len(notes_of(posteriors_of(transcriber, 0 * noise)).pitches)
    found = posteriors_of(transcriber, noise)
    notes = notes_of(found)
    assert notes.confidences.max(initial=0) < 0.75
    assert len(confident(notes, found).pitches) <= len(notes.pitches) / 4


def test_a_note_is_kept_for_its_sound_or_its_onset() -> None:
    sounds, begins = np.zeros((2, 300, 88), np.float32)
    for key, (sound, begin) in enumerate([(0.9, 0.0), (0.4, 0.9), (0.4, 0.4), (0.6, 0.2)]):
        sounds[50:100, key], begins[50, key] = sound, begin
    given = Posteriors(sounds, begins)
    found = confident(notes_of(given), given)
    assert found.pitches.tolist() == [LOWEST, LOWEST + 1]
