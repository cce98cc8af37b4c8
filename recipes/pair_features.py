"""The first minute of recordings of `recipes/versions.py`, and its features, for other recipes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.notes.transcription.features import FrameFeatures, frame_features
from thirdstream.notes.transcription.transcriber import Posteriors

SECONDS = 60


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
