"""Weights of `notes/learning/timbre.py`: instrument_weights.py MIDI_FOLDER SOUNDFONT...

MIDI_FOLDER: any songs of several parts, such as the MIDI files of `thirdstream benchmark` (its
training pieces). Stretches of them are played by instruments and drums that are drawn anew
(`drawn_ensembles.py`), by one of the soundfonts or the bundled orchestra, in a room, and then
transcribed: the network learns from notes as it will be given them. Titles are kept aside for the
score that is printed: how often a part of melody, bass or harmony is given to who plays most of it.
Writes notes/learning/instruments.json.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import joblib
import numpy as np
import tyro
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from drawn_ensembles import BASSES, Drawn, drawn, written
from own_styles import title_of
from thirdstream.files import ThirdstreamError
from thirdstream.notes.learning.performance import ROLES, parts_of, sounded
from thirdstream.notes.learning.timbre import (
    WEIGHTS,
    InstrumentWeights,
    Sounded,
    described,
    instrument_weights,
    is_able,
    spread,
)
from thirdstream.notes.rendering import ORCHESTRA
from thirdstream.notes.transcription.transcribe import transcribe_file

N_DRAWS = 3  # of each song
KEPT_ASIDE = 5  # one of so many titles
NEAR_S = 0.1  # that a transcribed note begins from who played it
FEWEST = 5  # notes of a part that counts
N_HIDDEN = 96


class Part(NamedTuple):
    """A part as it was transcribed. programs: who played each note that was found; rows and
    of_rows: descriptions of some of its notes, and who played these."""

    role: str
    is_kept_aside: bool
    notes: Sequence[Sounded]
    programs: tuple[int, ...]
    rows: NDArray[np.float64]
    of_rows: tuple[int, ...]


def players(one: Drawn, notes: Sequence[Sounded]) -> dict[Sounded, int]:
    """Who played notes: of the same pitch, and begun at the same time."""
    beat_s = 60 / one.song.beats_per_minute
    every = [(note.start * beat_s, note.pitch, track.program)
             for track in one.song.tracks for note in track.notes]  # fmt: skip
    starts, pitches, programs = (np.array(column) for column in zip(*every, strict=True))
    found = {}
    for note in notes:
        far = np.abs(starts - note.start_s) + 1000 * (pitches != note.pitch)
        if far.min() < NEAR_S:
            found[note] = int(programs[far.argmin()])
    return found


def by_role(path: Path) -> dict[str, list[Sounded]]:
    """The notes of a recording's melody, bass and harmony."""
    found = transcribe_file(path)
    notes: dict[str, list[Sounded]] = {}
    for name, some in parts_of(found).items():
        notes.setdefault(ROLES[name], []).extend(sounded(found, some))
    return notes


def described_parts(one: Drawn, path: Path, *, is_kept_aside: bool) -> list[Part]:
    """Of an excerpt that is in a file."""
    parts = []
    for role, notes in by_role(path).items():
        known = players(one, notes)
        some = [note for note in spread(notes) if note in known]
        kept = [(note, row) for note in some for row in described(one.wave, [note])]
        if kept:
            rows = np.array([row for _, row in kept])
            of_rows = tuple(known[note] for note, _ in kept)
            parts.append(Part(role, is_kept_aside, notes, tuple(known.values()), rows, of_rows))
    return parts


def parts_of_excerpt(path: Path, fonts: Sequence[Path], number: int) -> list[Part]:
    """Of a drawn excerpt of a MIDI file; none where nothing is found in it."""
    one = drawn(path, fonts, seed=f"{path.parent.name} {path.stem} {number}")
    if one is None:
        return []
    title = title_of(Path(path.stem).with_suffix(".mid"))  # NAME.VERSION.mid
    is_kept_aside = crc32(title.encode()) % KEPT_ASIDE == 0
    with tempfile.TemporaryDirectory() as place:
        file = written(one, Path(place) / "one.flac")
        try:
            return described_parts(one, file, is_kept_aside=is_kept_aside)
        except ThirdstreamError as error:
            print(f"{path}: {error}", file=sys.stderr)
            return []


def all_parts(folder: Path, fonts: Sequence[Path]) -> list[Part]:
    paths = sorted(folder.rglob("*.mid"))
    excerpts = [*product(paths, range(N_DRAWS))]
    jobs = (joblib.delayed(parts_of_excerpt)(path, fonts, number)
            for path, number in tqdm(excerpts, unit="excerpt"))  # fmt: skip
    return [part for parts in joblib.Parallel(n_jobs=-1)(jobs) for part in parts]


def main(folder: str, *fonts: str) -> None:
    parts = all_parts(Path(folder), (ORCHESTRA, *map(Path, fonts)))
    training = [part for part in parts if not part.is_kept_aside]
    test = [part for part in parts if part.is_kept_aside]
    print("the weights of before:")
    score(instrument_weights(), test)
    rows = np.concatenate([part.rows for part in training])
    names = np.concatenate([part.of_rows for part in training])
    scaler = StandardScaler().fit(rows)
    network = MLPClassifier((N_HIDDEN,), alpha=1e-2, early_stopping=True, random_state=0)
    network.fit(scaler.transform(rows), names)
    (hidden, out), (bias, out_bias) = network.coefs_, network.intercepts_
    arrays = {
        "programs": network.classes_, "mean": scaler.mean_, "deviation": scaler.scale_,
        "hidden": hidden, "bias": bias, "out": out, "out_bias": out_bias,
    }  # fmt: skip
    content = {name: np.round(values, 3).tolist() for name, values in arrays.items()}
    print("these:")
    score(InstrumentWeights(**{name: np.array(value) for name, value in content.items()}), test)
    WEIGHTS.write_text(json.dumps(content) + "\n", encoding="utf-8")


def score(weights: InstrumentWeights, test: Sequence[Part]) -> None:
    """Print how often who plays most of a part is the likeliest of those that are able to."""
    right: dict[str, list[bool]] = {}
    for part in test:
        (program, n), *_ = Counter(part.programs).most_common(1)
        if min(len(part.rows), len(part.programs)) < FEWEST or n < len(part.programs) / 2:
            continue
        votes = weights.log_probabilities(part.rows).sum(axis=0)
        able = [is_able(int(one), part.notes) for one in weights.programs]
        result = int(weights.programs[np.where(able, votes, -np.inf).argmax()]) == program
        for kind in ("all", part.role):
            right.setdefault(kind, []).append(result)
        if part.role == "bass" and program in BASSES:
            right.setdefault("bass, by those that play basses", []).append(result)
    for kind, results in right.items():
        print(f"{kind}: {len(results)} parts: program right {np.mean(results):.2f}")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
