"""Recordings of `recipes/versions.py`, their first minutes, beats and scores, for others."""

import json
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.metre import Metres, of_length
from thirdstream.notes.transcription.features import FrameFeatures, frame_features
from thirdstream.notes.transcription.transcriber import Posteriors
from thirdstream.notes.types import Chord, Note, Score

SECONDS = 60
METRES = (2, 3, 4, 5, 6, 7)
Recording = tuple[dict[str, Any], FrameFeatures, str]  # its record and its style


def records_of(pairs: Path) -> dict[str, dict[str, Any]]:
    """Those of a folder by name, in order."""
    paths = sorted((pairs / "records").glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def first_minute(pairs: Path, record: dict[str, Any], name: str, style: str) -> Wave:
    """(n_channels, n_samples), of -20 dB RMS."""
    path = pairs / style / f"{name}.{record['format']}"
    wave = np.concatenate(list(audio.blocks(path)), axis=1)[:, : SECONDS * audio.SR]
    return (wave * audio.level_of([wave]).gain).astype(np.float32)


def features_of(pairs: Path, work: Path, name: str, style: str) -> FrameFeatures:
    """Of the first minute; the folder `work` keeps them."""
    work.mkdir(parents=True, exist_ok=True)
    kept = work / f"{name}.{style}.npz"
    if not kept.is_file():
        record = json.loads((pairs / "records" / f"{name}.json").read_text())
        o = frame_features([first_minute(pairs, record, name, style)])
        np.savez(kept, notes=o.posteriors.notes, onsets=o.posteriors.onsets, melody=o.melody,
                 flux=o.flux, bass_flux=o.bass_flux, level=o.level,
                 duration_s=o.duration_s)  # fmt: skip
    z = dict(np.load(kept))
    return FrameFeatures(
        Posteriors(z["notes"], z["onsets"]), z["melody"], z["flux"], z["bass_flux"], z["level"],
        float(z["duration_s"]),
    )  # fmt: skip


def material_of(folder: Path, work: Path, parallel: joblib.Parallel) -> list[Recording]:
    """The recordings of a folder, in the styles that it has."""
    records = records_of(folder)
    names = [(name, style) for name in records for style in STYLES if (folder / style).is_dir()]
    found = parallel(joblib.delayed(features_of)(folder, work / folder.name, *one) for one in names)
    return [
        (records[name], o, style)
        for o, (name, style) in zip(found, names, strict=True)
        if records[name]["beats_per_bar"] in METRES
    ]


def beats_of(record: dict[str, Any], observed: FrameFeatures) -> tuple[np.ndarray, float]:
    """All beats of a recording, in seconds, and where the music ends."""
    end = min(observed.duration_s, record["n_bars"] * record["bar_s"])
    return np.arange(0, end, 60 / record["beats_per_minute"]), end


def score_of(record: dict[str, Any]) -> Score:
    """Melody and chords of a piece, as the record has them."""
    return Score(
        title="",
        melody=tuple(Note(*note) for note in record["melody"]),
        chords=tuple(Chord(*one[:3], tuple(one[3]), one[4]) for one in record["chords"]),
        metres=Metres.steady(of_length(record["beats_per_bar"])),
        beats_per_minute=record["beats_per_minute"],
    )


def half_of(title: str) -> int:
    """Which half of the pieces one is in, 0 or 1, in whatever setting."""
    return zlib.crc32(title.encode()) % 2
