"""Weights of the key finder: key_weights.py PAIRS SCORES WORK

PAIRS: folder of `recipes/versions.py`; the first 60 s of each recording are transcribed, with the
beats given. SCORES: folder around the lead sheets they were made of, and others. WORK: keeps the
transcriptions. Chorales come with music21. The weights go to notes/transcription/key_weights.json.

A lead sheet's key is the major key of its signature. Where the last notes say otherwise, it is
theirs, or the piece is left out; KEYS are those that we read ourselves. The benchmark's validation
and test pieces are left out of the training (benchmarks/keys.json names them).
"""

import json
import random
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import music21
import numpy as np
import tyro
from scipy.optimize import minimize

from pair_features import first_minute, records_of  # a script beside this one
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.io.score import read_score
from thirdstream.notes.key import Key
from thirdstream.notes.transcription import keys
from thirdstream.notes.transcription.known import Known
from thirdstream.notes.transcription.transcribe import transcribe
from thirdstream.notes.types import Chord, Note, Score

SHRINK, SEED = 3e-5, 0
STRETCHES = ((0, 60), (0, 40), (20, 60), (0, 30))  # of a recording, in seconds
CHORALES = 220
MINOR = 2.5  # times a minor key counts for more than a major one: there are few
BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "keys.json"
KEYS = {  # where neither signature nor end says so
    "Ain't_Misbehavin'.mxl": Key(5, False), "Avalon.mxl": Key(5, False),
    "Flight_of_the_Bumblebee.mxl": Key(9, True), "Je_crois_entendre_encore.mxl": Key(9, True),
    "Life's_Railway_to_Heaven.mxl": Key(8, False), "Nobody's_Sweetheart.mxl": Key(7, False),
    "Jeanie_with_the_Light_Brown_Hair.mxl": Key(5, False), "Swanee.mxl": Key(5, False),
    "Tea_for_Two.mxl": Key(5, False), "Three_O'Clock_in_the_Morning.mxl": Key(0, False),
}  # fmt: skip
DOUBTFUL = {
    "Love_Me_or_Leave_Me.mxl", "Waiting_for_the_Robert_E._Lee.mxl", "Chloe.mxl",
    "(What_Did_I_Do_to_Be_So)_Black_and_Blue?.mxl", "I_Wanna_Be_Loved_by_You.mxl",
}  # fmt: skip


class Example(NamedTuple):
    """A score or a stretch of one, its key, and how much it counts."""

    score: Score
    key: Key
    weight: float


def signature(path: Path) -> int | None:
    """Sharps, flats negative, of a compressed MusicXML; None where none is written."""
    with zipfile.ZipFile(path) as parts:
        name = next(n for n in parts.namelist() if n.endswith("xml") and "META" not in n)
        found = re.search(r"<fifths>(-?\d+)", parts.read(name).decode("utf-8", "replace"))
    return int(found[1]) if found else None


def key_of_sheet(path: Path, score: Score) -> Key | None:
    """As this file's first lines say."""
    sharps = signature(path)
    if path.name in KEYS or path.name in DOUBTFUL or sharps is None:
        return KEYS.get(path.name)
    tonic, relative = 7 * sharps % 12, (7 * sharps - 3) % 12
    chord, note = score.chords[-1], score.melody[-1].pitch % 12
    if chord.root == relative and chord.is_minor:
        return Key(relative, True)
    if note == relative and chord.root in (relative, (relative + 7) % 12):
        return Key(relative, True)
    if (chord.root == tonic and not chord.is_minor) or note == tonic:
        return Key(tonic, False)
    if sharps == 0 and chord.root == note:  # often no signature at all
        return Key(note, chord.is_minor)
    return None


def stretch(score: Score, start: float, end: float) -> Score:
    """What lies between two positions, in quarter notes."""

    def inside(one: Any) -> Any:
        first, last = max(one.start, start), min(one.end, end)
        return replace(one, start=first - start, length=last - first)

    melody = tuple(inside(n) for n in score.melody if start <= n.start < end)
    chords = tuple(inside(c) for c in score.chords if c.end > start and c.start < end)
    return replace(score, melody=melody, chords=chords)


def with_errors(score: Score, share: float, rng: random.Random) -> Score:
    """With so many chords and notes wrong, as a transcription has them."""

    def chord(one: Chord) -> Chord:
        drawn, triad = rng.random() / share, (0, 4, 7) if one.is_minor else (0, 3, 7)
        if drawn < 0.35:
            root = (one.root + (3 if one.is_minor else 9)) % 12
            one = replace(one, root=root, intervals=triad, bass=root)
        elif drawn < 0.6:
            one = replace(one, intervals=triad)
        elif drawn < 1:
            root = (one.root + rng.choice((5, 7, 4, 2))) % 12
            one = replace(one, root=root, bass=root)
        return replace(one, intervals=one.intervals[:3]) if rng.random() < 0.2 else one

    def note(one: Note) -> Note:
        steps = (-12, -5, -3, -4, 3, 4, 7, 12)
        return replace(one, pitch=one.pitch + (rng.choice(steps) if rng.random() < share else 0))

    kept = [note(one) for one in score.melody if rng.random() > share]
    return replace(score, melody=tuple(kept), chords=tuple(map(chord, score.chords)))


def transcribed(pairs: Path, work: Path, record: dict[str, Any], name: str, style: str) -> Score:
    """The first minute of a recording, transcribed with the beats given."""
    kept = work / f"{name}.{style}.pkl"
    if not kept.is_file():
        known = Known(
            tempo=record["beats_per_minute"],
            metre=f"{round(record['beats_per_bar'])}/4",
            start_bar_s=0.0,
        )
        wave = first_minute(pairs, record, name, style)
        joblib.dump(transcribe([wave], known=known).score, kept)
    return joblib.load(kept)


def of_recordings(pairs: Path, scores: Path, work: Path) -> Iterator[Example]:
    """Stretches of the transcriptions."""
    sheets = {path.name: path for path in scores.rglob("*.mxl")}
    for name, record in records_of(pairs).items():
        sheet = sheets[record["score"]]
        key = key_of_sheet(sheet, read_score(sheet))
        if key is None or record["beats_per_bar"] not in (2, 3, 4, 6):
            continue
        key = Key((key.tonic + record["semitones"]) % 12, key.is_minor)
        quarters = record["beats_per_minute"] / 60
        for style in STYLES:
            whole = transcribed(pairs, work, record, name, style)
            for start, end in STRETCHES:
                if end <= record["n_bars"] * record["bar_s"] + 15:
                    yield Example(stretch(whole, start * quarters, end * quarters), key, 0.25)


def of_sheets(scores: Path, rng: random.Random) -> Iterator[Example]:
    """Lead sheets, whole and in part, right and with errors."""
    held_out = set(json.loads(BENCHMARK.read_text()))
    for path in sorted(scores.rglob("*.mxl")):
        if path.name in held_out:
            continue
        score = read_score(path)
        key = key_of_sheet(path, score)
        if key is None:
            continue
        end = score.n_beats
        begin = end * rng.uniform(0, 0.5)
        for start, stop, share in (
            (0.0, end, 1e-9), (0.0, end * rng.uniform(0.4, 0.7), 0.1),
            (begin, begin + end * rng.uniform(0.3, 0.5), 0.2), (0.0, end, 0.2),
        ):  # fmt: skip
            part = stretch(with_errors(score, share, rng), start, stop)
            yield Example(part, key, 0.45 if key.is_minor else 0.3)


def of_chorales(rng: random.Random) -> Iterator[Example]:
    """Bach's, half of them minor: the last root is the tonic, the mode that of the signature."""
    folder, n_found = Path(music21.__file__).parent / "corpus" / "bach", 0
    for path in sorted(folder.glob("bwv*.mxl")):
        try:
            score = read_score(path)
        except ThirdstreamError:
            continue  # fewer than three parts
        tonic, home = score.chords[-1].root, 7 * (signature(path) or 0)
        degree = (home - tonic) % 12  # of the signature's major key; 10 is Dorian
        if degree in (0, 3, 10) and n_found < CHORALES:
            n_found += 1
            key, end = Key(tonic, degree != 0), score.n_beats
            yield Example(with_errors(score, 0.05, rng), key, 0.25)
            part = stretch(with_errors(score, 0.2, rng), 0.0, end * rng.uniform(0.5, 0.9))
            yield Example(part, key, 0.25)


def fitted(examples: list[Example]) -> dict[str, Any]:
    """Weights of maximum likelihood, the squares shrunk: one set for all tonics."""
    found = np.stack([
        [np.roll(one, -tonic, axis=0).ravel() for tonic in range(12)]
        for one in (keys.features(example.score) for example in examples)
    ]).astype(np.float32)  # fmt: skip
    right = np.array([keys.KEYS.index(example.key) for example in examples])
    each = np.array([e.weight * (MINOR if e.key.is_minor else 1) for e in examples])
    each /= each.sum()
    n, _, n_features = found.shape
    flat, rows = found.reshape(-1, n_features), np.arange(n)

    def loss(flattened: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = flattened[:-1].reshape(n_features, 2), flattened[-1]
        log = (flat @ weights).reshape(n, 24) + np.tile([0.0, bias], 12)
        log -= log.max(axis=1, keepdims=True)
        log -= np.log(np.exp(log).sum(axis=1, keepdims=True))
        slope = np.exp(log)
        slope[rows, right] -= 1
        slope *= each[:, None]
        of_weights = flat.T @ slope.reshape(-1, 2) + 2 * SHRINK * weights
        of_bias = slope[:, 1::2].sum()
        total = -(each * log[rows, right]).sum() + SHRINK * np.square(weights).sum()
        return float(total), np.append(of_weights.ravel(), of_bias)

    start = np.zeros(2 * n_features + 1)
    found_weights = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    both = found_weights[:-1].reshape(12, -1, 2).round(2)
    return {
        "bias": round(float(found_weights[-1]), 2),
        "major": both[:, :, 0].tolist(),
        "minor": both[:, :, 1].tolist(),
    }


def written(weights: dict[str, Any]) -> str:
    """JSON, a row a line."""
    rows = {k: ",\n  ".join(map(json.dumps, weights[k])) for k in ("major", "minor")}
    parts = (f' "{k}": [\n  {rows[k]}\n ]' for k in rows)
    return f'{{\n "bias": {weights["bias"]},\n' + ",\n".join(parts) + "\n}\n"


def main(pairs: str, scores: str, work: str) -> None:
    warnings.simplefilter("ignore")
    Path(work).mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    examples = [
        *of_recordings(Path(pairs), Path(scores), Path(work)),
        *of_sheets(Path(scores), rng),
        *of_chorales(rng),
    ]
    examples = [e for e in examples if len(e.score.chords) > 1 and len(e.score.melody) > 3]
    print(f"{len(examples)} examples, {sum(e.key.is_minor for e in examples)} of them minor")
    keys.PATH.write_text(written(fitted(examples)))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
