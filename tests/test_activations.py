"""Beat and downbeat activations of a recording's features."""

from pathlib import Path

import numpy as np
import pytest

from pieces import piece, sounding
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import activations
from thirdstream.notes.transcription.activations import activations_of, pooled
from thirdstream.notes.transcription.beats import LATE_S
from thirdstream.notes.transcription.features import FPS, FrameFeatures, frame_features
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors

BEAT_S = 0.5


def march(duration_s: float = 30.0) -> FrameFeatures:
    """Bass on one and three, a chord on two and four; another harmony in each bar."""
    n_frames = round(duration_s * FPS)
    notes, onsets = np.zeros((2, n_frames, 88), np.float16)
    flux, bass_flux = np.zeros((2, n_frames), np.float32)
    for beat in range(int(duration_s / BEAT_S)):
        at = round(beat * BEAT_S * FPS)
        root = (36, 41, 43, 36)[beat // 4 % 4]
        chord = [root] if beat % 2 == 0 else [root + 24, root + 28, root + 31]
        for pitch in chord:
            notes[at : at + 20, pitch - LOWEST] = onsets[at : at + 2, pitch - LOWEST] = 0.9
        flux[at] = 0.3
        bass_flux[at] = 0.6 * (beat % 2 == 0)
    level = np.full(n_frames, 0.1, np.float32)
    posteriors = Posteriors(notes, onsets)
    return FrameFeatures(posteriors, notes, flux, bass_flux, level, n_frames / FPS)


@pytest.mark.parametrize("metre", [3, 4])
def test_a_piece_has_its_beats_and_bar_lines(metre: int) -> None:
    timing, n_bars = Timing.steady(100), 12
    tune, rest, _ = piece(metre, n_bars)
    notes = tune + rest
    seconds = timing.seconds([[n.start, n.end] for n in notes])
    end_s = float(timing.seconds(n_bars * metre)) + 0.5
    heard = activations_of(frame_features([sounding(notes, seconds, end_s)]))

    def at(beats: np.ndarray, odds: np.ndarray) -> np.ndarray:
        return odds[np.round((timing.seconds(beats) + LATE_S) * FPS).astype(int)]

    beats = np.arange(metre, (n_bars - 1) * metre)
    assert at(beats, heard.beats).mean() > 3 * at(beats + 0.5, heard.beats).mean()
    lines = at(beats, heard.downbeats).reshape(-1, metre).mean(axis=0)
    assert lines.argmax() == 0


@pytest.mark.parametrize("n_frames", [1, 2, 3, 1001])
def test_each_frame_has_odds(n_frames: int) -> None:
    heard = activations_of(march(n_frames / FPS))
    for one in heard:
        assert one.shape == (n_frames,)
        assert ((one >= 0) & (one <= 1)).all()


def test_pieces_of_a_long_recording_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    music = march(120.0)
    monkeypatch.setattr(activations, "KEPT", 100_000)
    whole = activations_of(music)
    monkeypatch.setattr(activations, "KEPT", 1000)
    for joined, one in zip(activations_of(music), whole, strict=True):
        np.testing.assert_allclose(joined, one, atol=1e-5)


def test_the_networks_frames_keep_what_is_loudest() -> None:
    music = march(3.0)
    half = pooled(music)
    assert half.flux.max() == music.flux.max()
    assert half.posteriors.onsets.max() == music.posteriors.onsets.max()
    assert half.n_frames == -(-music.n_frames // activations.POOLED)
    np.testing.assert_allclose(half.posteriors.notes.mean(), music.posteriors.notes.mean(), 1e-2)


def test_the_network_is_small() -> None:
    folder = Path(activations.WEIGHTS).parent
    assert sum(path.stat().st_size for path in folder.glob("*.onnx")) < 1e6
