"""Spectral balance: gains in closed form, and covers that sound as the style's recordings do."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.signal import welch

from test_reverberation import style
from thirdstream.audio import SR
from thirdstream.audio.spectral_balance import (
    CENTRES_HZ,
    FLOOR_DB,
    HOP,
    N_FFT,
    TOGETHER,
    third_octaves,
    third_octaves_db,
)
from thirdstream.notes.learning.performance import performance_of
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.rendering import ORCHESTRA, Room, Scene, stream
from thirdstream.notes.rendering.equaliser import HIGHEST_DB, LOWEST_DB, equalised, gains_db
from thirdstream.notes.rendering.room import COLOUR_HZ, FLAT
from thirdstream.notes.styles.learned import LearnedStyle, write_learned
from thirdstream.notes.system import played, scene_of
from thirdstream.notes.timing import Timing
from thirdstream.notes.types import Note, Song, Track

BAND = st.floats(FLOOR_DB, 0.0)
BALANCE = st.lists(BAND, min_size=len(CENTRES_HZ), max_size=len(CENTRES_HZ))
PINK = np.full(len(CENTRES_HZ), -10 * np.log10(len(CENTRES_HZ)))
SECONDS = 6
TIMING = Timing.steady(120.0)
DRY = Scene(Room(0.3, 0.0, 0.004, 8000.0), FLAT, 0)


def test_long_recordings_take_no_more_memory_than_their_wave() -> None:
    """Welch's method as scipy has it keeps all spectra: eight times a wave of 64 bits."""
    wave = np.random.default_rng(0).standard_normal(3 * 60 * SR).astype(np.float32)
    third_octaves_db(wave[:SR], SR)  # imports what it needs
    tracemalloc.start()
    try:
        found = third_octaves_db(wave, SR)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 3.5 * wave.nbytes
    two = [third_octaves_db(half, SR) for half in np.split(wave, 2)]
    assert found == pytest.approx(
        10 * np.log10(np.mean(10 ** (np.array(two) / 10), axis=0)), abs=0.01
    )


@pytest.mark.parametrize("n_windows", [1, 2, TOGETHER - 1, TOGETHER, TOGETHER + 1])
def test_each_window_counts_once_wherever_a_part_ends(n_windows: int) -> None:
    wave = np.random.default_rng(1).standard_normal(N_FFT + (n_windows - 1) * HOP + HOP // 2)
    _, powers = welch(wave, SR, nperseg=N_FFT, noverlap=N_FFT - HOP)
    bands = np.array([powers[inside].sum() for inside in third_octaves(SR, N_FFT)])
    assert third_octaves_db(wave, SR) == pytest.approx(10 * np.log10(bands / bands.sum()))


def song() -> Song:
    """Piano, bass and drums, so that all bands sound."""
    notes = [Note(k / 2, 0.5, 48 + 5 * k % 40, 90) for k in range(4 * SECONDS)]
    bass = [Note(float(k), 1.0, 31 + k % 7, 90) for k in range(2 * SECONDS)]
    drums = [Note(k / 2, 0.2, (36, 42, 38, 51)[k % 4], 90) for k in range(4 * SECONDS)]
    parts = (("piano", 0, notes), ("bass", 32, bass), ("drums", 0, drums))
    tracks = (Track(name, of, tuple(some), name == "drums") for name, of, some in parts)
    return Song(tuple(tracks), 120.0)


def sounding(scene: Scene, seconds: float = SECONDS) -> np.ndarray:
    blocks = stream(song(), TIMING, ORCHESTRA, scene, n_samples=round(seconds * SR), n_channels=1)
    return np.concatenate(list(blocks), axis=1)[0]


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(one - other))))


@given(gains=st.lists(st.floats(-5, 5), min_size=len(COLOUR_HZ), max_size=len(COLOUR_HZ)))
def test_the_gains_between_two_balances_are_those_that_were_given(gains: list[float]) -> None:
    """But for the level, which no balance has, and what the regularisation takes."""
    known = np.interp(np.log(CENTRES_HZ), np.log(COLOUR_HZ), gains)
    found = np.interp(
        np.log(CENTRES_HZ), np.log(COLOUR_HZ), gains_db(own=PINK, wanted=PINK + known)
    )
    error = (found - found.mean()) - (known - known.mean())
    assert np.sqrt(np.mean(error**2)) <= 0.2 * np.std(known) + 0.3


@given(own=BALANCE, wanted=BALANCE)
def test_gains_are_within_their_limits_whatever_is_asked(
    own: list[float], wanted: list[float]
) -> None:
    found = np.array(gains_db(own=own, wanted=wanted))
    assert found.shape == (len(COLOUR_HZ),)
    assert (found >= LOWEST_DB).all() and (found <= HIGHEST_DB).all()


def test_what_sounds_as_it_should_or_not_at_all_is_left_as_it_is() -> None:
    assert gains_db(own=PINK, wanted=PINK) == FLAT
    assert gains_db(own=np.full(26, FLOOR_DB), wanted=PINK) == FLAT


def test_bands_in_which_the_song_is_silent_do_not_count() -> None:
    low = np.where(CENTRES_HZ < 2000, PINK, FLOOR_DB)
    some = gains_db(own=low, wanted=PINK + 3 * (CENTRES_HZ < 200))
    other = gains_db(own=low, wanted=PINK + 3 * (CENTRES_HZ < 200) - 20 * (CENTRES_HZ > 2000))
    assert some == other


@pytest.mark.parametrize(
    "colour", [(4, 2, 0, 0, -2, -4, -6), (-6, -3, 0, 1, 3, 4, 4), (-9, -4, 2, 3, 2, -9, -12)]
)
def test_a_song_is_brought_to_the_balance_of_a_microphone(colour: tuple[float, ...]) -> None:
    """It was recorded through one, and is asked to sound so again."""
    wanted = third_octaves_db(sounding(replace(DRY, colour_db=colour)), SR)
    scene = equalised(
        DRY, song(), TIMING, ORCHESTRA, balance_db=wanted.tolist(), n_samples=SECONDS * SR
    )
    before, after = (third_octaves_db(sounding(one), SR) for one in (DRY, scene))
    assert apart(after, wanted) < 0.35 * apart(before, wanted)
    assert (scene.room, scene.seed) == (DRY.room, DRY.seed)


def test_the_middle_of_a_long_song_is_measured() -> None:
    """What is played elsewhere does not count."""
    notes = tuple(Note(float(k), 1.0, 60, 90) for k in range(60, 121))
    late = Song((Track("piano", 0, notes),), 120.0)
    early = Song((Track("piano", 0, (Note(0.0, 20.0, 36, 127), *notes)),), 120.0)
    scenes = [
        equalised(DRY, one, TIMING, ORCHESTRA, balance_db=PINK.tolist(), n_samples=round(90 * SR))
        for one in (late, early)
    ]
    assert scenes[0] == scenes[1] != DRY


def learned(folder: Path, balance: np.ndarray | None) -> ScoreOptions:
    """Options of a style whose only recording has such a balance."""
    known = style(None)
    source = known.recordings[0].model_copy(
        update={"balance_db": None if balance is None else tuple(balance.round(1).tolist())}
    )
    write_learned(folder / "any.style", known.model_copy(update={"recordings": (source,)}))
    return ScoreOptions(to=str(folder / "any.style"))


def test_covers_have_the_balance_of_the_styles_recordings(tmp_path: Path) -> None:
    dull = third_octaves_db(sounding(replace(DRY, colour_db=(3, 3, 3, 0, -6, -9, -12))), SR)
    distances = []
    for balance in (None, dull):
        options = learned(tmp_path, balance)
        blocks = played(song(), TIMING, options, n_samples=SECONDS * SR, n_channels=2)
        made = np.concatenate(list(blocks), axis=1)
        assert made.shape == (2, SECONDS * SR)
        distances.append(apart(third_octaves_db(made.mean(axis=0), SR), dull))
    assert distances[1] < 0.6 * distances[0]


def test_of_midi_files_the_colour_is_drawn(tmp_path: Path) -> None:
    options = learned(tmp_path, None)
    blocks = played(song(), TIMING, options, n_samples=SR, n_channels=1)
    plain = stream(song(), TIMING, ORCHESTRA, scene_of(options), n_samples=SR, n_channels=1)
    np.testing.assert_array_equal(*(np.concatenate(list(one), axis=1) for one in (blocks, plain)))


def test_a_style_has_the_middle_of_its_recordings_balances() -> None:
    one = style(None).recordings[0]
    some = [one.model_copy(update={"balance_db": (float(db),) * 26}) for db in (-30, -10, -20)]
    both = LearnedStyle.model_construct(name="any", recordings=(*some, one), bars=())
    assert both.balance_db == (-20.0,) * 26


@pytest.mark.parametrize("balance", [(-10.0,) * 25, (1.0,) * 26, (-90.0,) * 26])
def test_a_faulty_balance_is_refused(balance: tuple[float, ...]) -> None:
    content = style(None).recordings[0].model_dump() | {"balance_db": balance}
    with pytest.raises(ValidationError):
        type(style(None).recordings[0]).model_validate(content)


def test_the_balance_of_a_recording_is_learned(tmp_path: Path) -> None:
    wave = np.concatenate([sounding(DRY), sounding(DRY)])
    soundfile.write(tmp_path / "song.wav", 0.3 * wave, SR)
    found = performance_of(tmp_path / "song.wav").balance_db
    assert found is not None
    assert apart(np.array(found), third_octaves_db(wave, SR)) < 0.1
