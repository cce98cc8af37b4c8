"""What was heard in each sound, kept on disk: a sound is analysed once, whichever rows it is in.

A recording is at once the original of one row, a copy of the target in another, and a reference. So
what is heard is kept by the sound itself, and by what hears: a change of other code leaves it.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thirdstream import checkpoint
from thirdstream.audio import Wave
from thirdstream.evaluation import dependencies, measure
from thirdstream.evaluation.harmony import Chords
from thirdstream.evaluation.measure import Analysis, EvaluationModels, Transcribed
from thirdstream.evaluation.metrics import Chroma, Notes
from thirdstream.evaluation.pitch import Track
from thirdstream.evaluation.tagger import TaggerOutput
from thirdstream.files import ThirdstreamError

ANALYSES = "analyses"  # a folder of the work
# What hears, with all that it imports; what hands it the sound and takes its answers.
HEARING = tuple(
    f"thirdstream.{name}" for name in (
        "evaluation.classifiers", "evaluation.harmony", "evaluation.metrics", "evaluation.pitch",
        "evaluation.sound", "evaluation.tagger", "evaluation.transcriber",
        "notes.transcription.note_events",
    )
)  # fmt: skip
TAKING = ("thirdstream.evaluation.analyses", "thirdstream.evaluation.measure")


def analysed(wave: Wave, models: EvaluationModels, work: Path) -> Analysis:
    """`measure.analyse`, or what is kept of it in a work folder."""
    path = _place(wave, models, work)
    found = _kept(path, wave)
    if found is None:
        found = measure.analyse(wave, models)
        _keep(path, found)
    return found


def kept_analysis(wave: Wave, models: EvaluationModels, work: Path) -> Analysis | None:
    """What is kept of a sound; None of one that was not analysed, or whose file is damaged."""
    return _kept(_place(wave, models, work), wave)


def _kept(path: Path, wave: Wave) -> Analysis | None:
    try:
        return _read(path, wave) if path.is_file() else None
    except (ThirdstreamError, KeyError, TypeError, ValueError):
        return None


@lru_cache(1)
def hearing_code() -> str:
    """Of all that hears."""
    return dependencies.digest(*HEARING, alone=TAKING)


def _place(wave: Wave, models: EvaluationModels, work: Path) -> Path:
    about = repr((dependencies.versions(), hearing_code(), models.about()))
    digest = sha256(about.encode())
    digest.update(wave.tobytes())
    return work / ANALYSES / f"{digest.hexdigest()[:40]}.safetensors"


def _keep(path: Path, found: Analysis) -> None:
    arrays = {"beats": found.beats, "embeddings": found.tagged.embeddings,
              **found.chroma._asdict()}  # fmt: skip
    header: dict[str, Any] = {
        "tags": found.tagged.tags, "styles": found.styles, "alone": found.alone
    }  # fmt: skip
    if found.transcribed:
        arrays |= found.transcribed.notes._asdict()
        arrays["roll"] = np.packbits(found.transcribed.roll, axis=0)
    if found.melody:
        arrays |= found.melody._asdict()
    if found.chords:
        arrays["chords"], header["chords"] = found.chords
    tensors = {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in arrays.items()}
    checkpoint.save(path, tensors, header)


def _read(path: Path, wave: Wave) -> Analysis:
    """Raises ThirdstreamError or KeyError on a damaged file."""
    tensors, header = checkpoint.read(path)
    found: dict[str, Any] = {name: one.numpy() for name, one in tensors.items()}
    of = found.__getitem__
    roll = np.unpackbits(of("roll"), axis=0).astype(bool) if "roll" in found else None
    return Analysis(
        wave,
        of("beats"),
        TaggerOutput(header["tags"], of("embeddings")),
        None if roll is None else Transcribed(roll, Notes(*map(of, Notes._fields))),
        Chroma(*map(of, Chroma._fields)),
        Track(*map(of, Track._fields)) if "times" in found else None,
        Chords(of("chords"), header["chords"]) if "chords" in found else None,
        header["styles"],
        header["alone"],
    )
