"""Weights of `notes/learning/reverberation.py`: reverberation_weights.py MIDI_FOLDER SOUNDFONT...

MIDI_FOLDER: any songs of several parts, such as the MIDI files of `thirdstream benchmark` (its
training pieces). A stretch of each is played by drawn instruments, by one of the soundfonts or the
bundled orchestra, in two drawn rooms. Prints the correlation with the true decay and
strength, for songs that were left out (five folds). Writes notes/learning/reverberation.json.
"""

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from drawn_ensembles import LENGTH_S, at_level, played, recorded  # a script beside this one
from thirdstream.audio import SR
from thirdstream.notes.learning.reverberation import WEIGHTS, falls
from thirdstream.notes.rendering import ORCHESTRA, Room, Scene, draw_scene

N_SONGS, N_ROOMS = 200, 2
DECAY_S, WET = (0.25, 2.6), (0.06, 0.65)
RIDGE = 30.0


class Take(NamedTuple):
    """A song in a room: its description, and logarithms of decay and strength."""

    song: str
    described: np.ndarray
    room: tuple[float, float]


def scene(rng: random.Random) -> Scene:
    """A room of any decay and strength."""
    decay_s, wet = (math.exp(rng.uniform(*map(math.log, ends))) for ends in (DECAY_S, WET))
    seed = f"{decay_s} {wet}"
    room = Room(decay_s, wet, rng.uniform(0.004, 0.03), rng.uniform(3000, 8000))
    return replace(draw_scene("jazz", seed=seed), room=room)


def takes(path: Path, fonts: Sequence[Path], rng: random.Random) -> Iterator[Take]:
    """A stretch of a song in N_ROOMS rooms; none where it has too few notes."""
    found = played(path, fonts, rng)
    for _ in range(N_ROOMS if found else 0):
        where = scene(rng)
        wave = at_level(recorded(found[2], where)[: round(LENGTH_S * SR)])
        yield Take(path.stem, falls(wave), (math.log(where.room.decay_s), math.log(where.room.wet)))


def main(folder: str, *fonts: str) -> None:
    rng = random.Random(0)
    paths = sorted(Path(folder).rglob("*.mid"))
    rng.shuffle(paths)
    voices = [ORCHESTRA, *map(Path, fonts)]
    found = [take for path in tqdm(paths[:N_SONGS], unit="song")
             for take in takes(path, voices, rng)]  # fmt: skip
    rows = np.array([one.described for one in found])
    rooms = np.array([one.room for one in found])
    songs = [one.song.partition(".")[0] for one in found]
    model = make_pipeline(StandardScaler(), Ridge(RIDGE))
    apart = cross_val_predict(model, rows, rooms, groups=songs, cv=GroupKFold(5))
    for name, true, estimated in zip(("decay", "strength"), rooms.T, apart.T, strict=True):
        print(f"{name}: r = {np.corrcoef(true, estimated)[0, 1]:.2f}, n = {len(rows)}")
    scaler, ridge = model.fit(rows, rooms)[0], model[1]
    slopes = (ridge.coef_ / scaler.scale_).T
    mean = ridge.intercept_ - scaler.mean_ @ slopes
    content = {"mean": np.round(mean, 4).tolist(), "slopes": np.round(slopes, 5).tolist()}
    WEIGHTS.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
