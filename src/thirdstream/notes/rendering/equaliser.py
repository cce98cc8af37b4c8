"""A song as a style's recordings sound: its spectral balance is brought near to theirs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thirdstream.audio import SR
from thirdstream.audio.spectral_balance import CENTRES_HZ, third_octaves_db
from thirdstream.notes.rendering.recording import stream
from thirdstream.notes.rendering.room import COLOUR_HZ, FLAT, Scene
from thirdstream.notes.timing import Timing
from thirdstream.notes.types import Song

MEASURED_S = 20.0  # of a song, from its middle
SILENT_DB = -55.0  # a band of the song from which on it tells nothing
FARTHEST_DB = 15.0  # how unlike a band may be to count
RIDGE = 0.01
LOWEST_DB, HIGHEST_DB = -12.0, 6.0


def equalised(
    scene: Scene,
    song: Song,
    timing: Timing,
    soundfont: Path,
    *,
    balance_db: Sequence[float],
    n_samples: int,
) -> Scene:
    """The scene with the microphone's colour that brings a song's balance near to `balance_db`.

    balance_db: as of `third_octaves_db`, (26,). timing, n_samples: as of `stream`. A stretch of the
    song is played to measure its own balance.
    """
    own_s = n_samples / SR
    start_s = max(own_s - MEASURED_S, 0) / 2
    middle = replace(timing, beats_s=tuple(at - start_s for at in timing.beats_s))
    n_measured = round(min(own_s, MEASURED_S) * SR)
    blocks = stream(
        song, middle, soundfont, replace(scene, colour_db=FLAT), n_samples=n_measured, n_channels=1
    )
    own_db = third_octaves_db(np.concatenate(list(blocks), axis=1)[0], SR)
    return replace(scene, colour_db=gains_db(own=own_db, wanted=balance_db))


def gains_db(*, own: ArrayLike, wanted: ArrayLike) -> tuple[float, ...]:
    """The gains at COLOUR_HZ by which the balance `own` is nearest to `wanted`, both (26,): the
    least squares, regularised, and within -12 and 6 dB. Of a silent sound, 0.
    """
    own_db, wanted_db = np.asarray(own, np.float64), np.asarray(wanted, np.float64)
    counts = own_db > SILENT_DB
    if not counts.any():
        return FLAT
    apart = (wanted_db - own_db)[counts]
    apart = np.clip(apart - apart.mean(), -FARTHEST_DB, FARTHEST_DB)
    shapes = _shapes()[counts]
    normal = shapes.T @ shapes / len(shapes) + RIDGE * np.eye(len(COLOUR_HZ))
    gains = np.linalg.solve(normal, shapes.T @ (apart - apart.mean()) / len(shapes))
    return tuple(np.clip(gains, LOWEST_DB, HIGHEST_DB).round(2).tolist())


def _shapes() -> NDArray[np.float64]:
    """What a gain of 1 dB at each of COLOUR_HZ does to each third octave, (26, 7)."""
    return np.stack(
        [np.interp(np.log(CENTRES_HZ), np.log(COLOUR_HZ), one) for one in np.eye(len(COLOUR_HZ))],
        axis=1,
    )
