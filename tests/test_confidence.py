"""How far a transcription may be trusted: invariants, closed forms, and comparisons."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from pieces import piece, sounding
from thirdstream import audio
from thirdstream.notes.metre import COMMON_TIME
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import chords
from thirdstream.notes.transcription.beats import LATE_S, Bars
from thirdstream.notes.transcription.chords import N_STATES, ChordBeats, posterior_of
from thirdstream.notes.transcription.confidence import beats_of, chords_of, melody_of
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.known import Known
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.sheets import write_sheets
from thirdstream.notes.transcription.transcribe import Transcription, transcribe
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors, Transcriber
from thirdstream.notes.types import Chord

TRUSTED = ("beats", "chords", "melody")


@pytest.fixture(scope="module")
def transcriber() -> None:
    Transcriber()


def playing(*, random: bool = False, noise: float = 0.0, n_bars: int = 16) -> np.ndarray:
    """A piece in four at 112, as written, each note anywhere, or amid noise; (1, n_samples)."""
    tune, rest, _ = piece(4, n_bars)
    notes, timing = tune + rest, Timing.steady(112)
    seconds = timing.seconds([[n.start, n.end] for n in notes])
    duration_s = float(timing.seconds(4 * n_bars)) + 0.5
    rng = np.random.default_rng(0)
    if random:
        starts = rng.uniform(0, duration_s - 1, len(notes))
        seconds = starts[:, None] + seconds - seconds[:, :1]
    wave = sounding(notes, seconds, duration_s)
    wave = (wave + noise * rng.standard_normal(wave.shape)).astype(np.float32)
    return wave * np.float32(audio.level_of([wave]).gain)


@pytest.fixture(scope="module")
def clear(transcriber: None) -> Transcription:
    return transcribe([playing()])


def means(found: Transcription) -> dict[str, float]:
    return {k: float(np.mean([getattr(bar, k) for bar in found.confidence])) for k in TRUSTED}


def well_formed(found: Transcription) -> None:
    n_beats = len(found.timing.beats_s) - 1
    per_bar = round(found.score.beats_per_bar / found.timing.beat)
    assert len(found.confidence) == n_beats // per_bar
    starts = [bar.start_s for bar in found.confidence]
    assert starts == pytest.approx(found.timing.beats_s[:-1:per_bar])
    for bar, name in itertools.product(found.confidence, TRUSTED):
        assert 0 <= getattr(bar, name) <= 1


@pytest.mark.parametrize(
    "known", [Known(metre="6/8"), Known(tempo=300), Known(start_bar_s=1.3), Known(metre="7/8")]
)
def test_every_bar_has_its_own(transcriber: None, known: Known) -> None:
    well_formed(transcribe([playing(n_bars=4)], known=known))


def test_short_and_steady_recordings_have_it_too(transcriber: None) -> None:
    found = transcribe([playing(n_bars=1)])
    well_formed(found)
    assert means(found)["beats"] == 0.0  # no pulse


def test_what_is_played_clearly_is_trusted_more(clear: Transcription) -> None:
    well_formed(clear)
    assert all(mean > 0.75 for mean in means(clear).values())
    random = transcribe([playing(random=True)])
    noisy = transcribe([playing(noise=0.3)])
    for found in (random, noisy):
        well_formed(found)
        assert means(found)["beats"] < means(clear)["beats"]
    assert means(random)["chords"] < means(clear)["chords"] - 0.1


def test_noise_is_trusted_less_than_a_piece(clear: Transcription) -> None:
    """The second half of the recording is noise."""
    wave = playing()
    noise = 0.1 * np.random.default_rng(1).standard_normal(wave.shape)
    found = transcribe([np.concatenate([wave, noise.astype(np.float32)], axis=1)])
    well_formed(found)
    half = len(found.confidence) // 2
    values = [bar.beats for bar in found.confidence]
    assert np.mean(values[: half - 1]) > 2 * np.mean(values[half + 1 :])
    assert means(found)["beats"] < means(clear)["beats"]


# --- closed forms -------------------------------------------------------------------------------

BARS = Bars(0.5 * np.arange(17.0), 4, lead=np.inf)
N_FRAMES = round(8 * FPS)


def features_with(
    *, flux: np.ndarray | None = None, melody: np.ndarray | None = None
) -> FrameFeatures:
    empty = np.zeros((N_FRAMES, 88), np.float16)
    row = np.zeros(N_FRAMES, np.float32) if flux is None else flux
    line = empty if melody is None else melody
    return FrameFeatures(Posteriors(empty, empty), line, row, row, row, N_FRAMES / FPS)


def clicks(at_s: np.ndarray) -> FrameFeatures:
    flux = np.zeros(N_FRAMES, np.float32)
    frames = np.round((at_s + LATE_S) * FPS).astype(int)
    flux[frames[frames < N_FRAMES]] = 1
    return features_with(flux=flux)


def test_onsets_on_beats_are_trusted_and_others_not() -> None:
    on = beats_of(clicks(0.5 * np.arange(16)), BARS)
    between = beats_of(clicks(0.5 * np.arange(16) + 0.25), BARS)
    both = beats_of(clicks(0.25 * np.arange(32)), BARS)
    assert (on > 0.85).all()
    assert (between == 0).all()
    assert (both < on).all() and (both > 0.5).all()
    assert (beats_of(clicks(np.array([])), BARS) == 0).all()


@pytest.mark.parametrize(("lead", "ahead"), [(0.0, 0.0), (1.0, 0.46212), (np.inf, 1.0)])
def test_the_lead_is_a_difference_of_probabilities(lead: float, ahead: float) -> None:
    """Of two readings that are lead apart in logarithms of odds."""
    features = clicks(0.5 * np.arange(16))
    share = beats_of(features, Bars(BARS.beats_s, 4, lead)) / beats_of(features, BARS)
    assert share**2 == pytest.approx(ahead, abs=1e-4)


def test_the_posterior_is_that_of_all_sequences() -> None:
    """Three beats: all of them are tried."""
    chroma = np.random.default_rng(0).random((3, 3, 12))
    chroma[:, 2] = chroma[:, 2] ** 4
    sounding = np.array([True, True, False])
    suits, changes, motion = chords._field(chroma, COMMON_TIME, sounding)
    step = np.where(np.eye(N_STATES, dtype=bool), 0.0, motion)
    first, second = (
        step + np.where(np.eye(N_STATES, dtype=bool), 0.0, changes[beat][None]) for beat in (1, 2)
    )
    joint = np.exp(
        suits[0][:, None, None] + (first + suits[1])[:, :, None] + (second + suits[2])[None]
    )
    joint /= joint.sum()
    wanted = [joint.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    found = posterior_of(chroma, COMMON_TIME, sounding=sounding)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_chords_without_notes() -> None:
    """A bar with a triad of 0.3 and its seventh of 0.2, one of silence, two of notes alone."""
    sounding = np.repeat([True, False, True, True], 4)
    posterior = np.full((16, N_STATES), 0.5 / (N_STATES - 3))
    posterior[:, :3] = 0.0
    posterior[:, 0], posterior[:, 2], posterior[:, 1] = 0.3, 0.2, 0.0
    harmony = ChordBeats((Chord(0.0, 4.0, 0, (0, 4, 7), 0),), posterior, sounding)
    major = sum(kind[:3] == (0, 4, 7) for kind in chords.KINDS)
    wanted = 0.5 + (major - 2) * 0.5 / (N_STATES - 3)
    assert chords_of(harmony, BARS) == pytest.approx([wanted, 1.0, 0.0, 0.0], abs=1e-6)


def test_melody_and_rests() -> None:
    """A bar of a note at 0.8, one of rest, one of rest while 0.9 sounds, one half of each."""
    melody = np.zeros((N_FRAMES, 88), np.float16)
    edges = np.round(np.arange(5) * 2 * FPS).astype(int)
    melody[: edges[1], 60 - LOWEST] = 0.8
    melody[edges[2] : edges[3], 70 - LOWEST] = 0.9
    melody[edges[3] :, 62 - LOWEST] = 0.4
    notes = NoteEvents(
        np.array([[0.0, 2.0], [6.0, 7.0]]), np.array([60.0, 62.0]), np.array([1.0, 1.0])
    )
    found = melody_of(features_with(melody=melody), BARS, notes)
    assert found == pytest.approx([0.8, 1.0, 0.0, 0.7], abs=0.01)


def test_files_say_it(clear: Transcription, tmp_path: Path) -> None:
    write_sheets(clear, tmp_path, "song")
    bars = json.loads((tmp_path / "song.json").read_text())["confidence"]
    assert [set(bar) for bar in bars] == [{"start_s", *TRUSTED}] * len(clear.confidence)
    assert bars[3]["chords"] == pytest.approx(clear.confidence[3].chords, abs=1e-3)
    assert (tmp_path / "song.png").stat().st_size > 10_000
