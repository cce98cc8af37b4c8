"""The bundled clips are what their tunes say: what is heard of them is what was written."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from thirdstream import audio, registry
from thirdstream.notes.transcription.transcribe import Transcription, transcribe_file
from thirdstream.notes.types import Score

ROOT = Path(__file__).parents[1]
NAMES = [path.stem for path in registry.bundled_clips()]


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(ROOT / "recipes"))
    made = importlib.import_module("clips")
    patch.undo()
    return made


@pytest.fixture(scope="module", params=NAMES)
def clip(recipe: ModuleType, request: pytest.FixtureRequest) -> tuple[Score, float, Transcription]:
    """The score, when its first bar begins in the clip, and what is heard."""
    score = recipe.score_of(recipe.CLIPS[request.param], request.param)
    path = registry.CLIPS / f"{request.param}.ogg"
    return score, -recipe.silence_s(score), transcribe_file(path)


def test_every_clip_has_its_tune(recipe: ModuleType) -> None:
    assert set(recipe.CLIPS) == set(NAMES)
    for name, tune in recipe.CLIPS.items():
        assert name.startswith(f"{tune.style}_")
        score = recipe.score_of(tune, name)
        first = score.beats_per_bar if tune.pickup else 0.0
        assert score.melody[0].start >= first - tune.pickup
        assert score.chords[0].start == first
        assert [one.end for one in score.chords[:-1]] == [one.start for one in score.chords[1:]]
        last = max(score.melody[-1].end, score.n_beats - score.beats_per_bar)
        assert last <= score.chords[-1].end == score.n_beats  # whole bars, and chords in all


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_lasts_twelve_seconds_at_the_level_of_all(name: str) -> None:
    wave, sr = audio.read(registry.CLIPS / f"{name}.ogg")
    assert len(wave) == 12 * sr and sr == audio.SR
    assert audio.level_of([wave[None]]).rms_db == pytest.approx(-20, abs=0.1)
    assert np.abs(wave[: sr // 100]).max() < 0.2  # it does not begin with a click


def test_metre_tempo_and_upbeat_are_heard(clip: tuple[Score, float, Transcription]) -> None:
    score, _, heard = clip
    assert heard.score.metres.changes[0][1].name == score.metres.changes[0][1].name
    assert heard.score.beats_per_minute == pytest.approx(score.beats_per_minute, rel=0.02)
    assert heard.score.pickup == score.pickup


def test_a_chord_is_heard_where_it_begins(clip: tuple[Score, float, Transcription]) -> None:
    """Within a beat of it, for the longest of them: the bars of Greensleeves, not its beats."""
    score, first_s, heard = clip
    beat_s = 60 / (score.beats_per_minute or 120)
    starts_s = heard.timing.seconds(np.array([chord.start for chord in heard.score.chords]))
    found = [
        (start_s, chord.root) for start_s, chord in zip(starts_s, heard.score.chords, strict=True)
    ]
    longest = max(chord.length for chord in score.chords)
    for chord in score.chords[1:]:
        at_s = first_s + chord.start * beat_s
        if chord.length == longest:
            assert any(abs(at_s - start_s) < beat_s and root == chord.root
                       for start_s, root in found), (chord, found)  # fmt: skip


def test_the_notes_of_the_melody_are_heard(clip: tuple[Score, float, Transcription]) -> None:
    """Repeated ones too. Jazz players anticipate some."""
    score, first_s, heard = clip
    beat_s = 60 / (score.beats_per_minute or 120)
    near_s = 0.6 * beat_s
    starts_s = heard.timing.seconds(np.array([note.start for note in heard.score.melody]))
    left = [
        (start_s, note.pitch) for start_s, note in zip(starts_s, heard.score.melody, strict=True)
    ]
    n_found = 0
    for note in score.melody:
        at_s = first_s + note.start * beat_s
        near = [
            one for one in left if abs(one[0] - at_s) < near_s and (one[1] - note.pitch) % 12 == 0
        ]
        if near:
            n_found += 1
            left.remove(min(near, key=lambda one: abs(one[0] - at_s)))
    assert n_found >= 0.85 * len(score.melody), (n_found, len(score.melody))
