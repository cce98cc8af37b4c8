"""All systems by name, and the models that come with the package or are the user's own."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from thirdstream.files import ThirdstreamError, reaching
from thirdstream.mel.models import FAMILIES, Family
from thirdstream.nearest import meant
from thirdstream.notes.mosaicing.options import ConcatenativeOptions
from thirdstream.notes.options import ScoreOptions
from thirdstream.pretrained.options import EncodecOptions, MusicgenOptions
from thirdstream.system import Options, System

MODELS = Path(__file__).parent / "models"
CLIPS = Path(__file__).parent / "clips"
DEFAULT = "score"
BASELINE = "twin-cnn"  # needs nothing that is not always installed
TWINS = ("twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")  # the systems of the paper
DEMONSTRATED = ("twin-paired", *TWINS, *(f"{name}-paper" for name in TWINS))
BEST = "best.safetensors"  # of a run folder
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A kind of system.

    about: one sentence on what it does. load: makes one, given a checkpoint whose header names this
    entry as its `family` where `is_trained`, else given nothing. options: the dataclass of its
    options. sizes: numbers of parameters by preset, where `thirdstream train` makes it.
    remark: a sentence on a preset that does otherwise. is_published: its weights are fetched from
    where others publish them. is_indexed: `thirdstream index` makes its checkpoints, and it loads
    without one, too.
    """

    name: str
    about: str
    load: Callable[..., System[Any]]
    options: type[Options] = Options
    is_trained: bool = False
    sizes: Callable[[], Mapping[str, int]] = dict
    remark: str = ""
    is_published: bool = False
    is_indexed: bool = False


# Each wing is imported when it is needed: one is large with torch, the other with scipy.
def _score() -> System[Any]:
    from thirdstream.notes.system import ScoreSystem

    return ScoreSystem()


def _concatenative(path: Path | None = None) -> System[Any]:
    from thirdstream.notes.mosaicing.system import load

    return load(path)


def _mel(path: Path) -> System[Any]:
    from thirdstream.mel.system import load

    return load(path)


def _encodec() -> System[Any]:
    from thirdstream.pretrained.encodec import Encodec

    return Encodec(user_folder() / "encodec")


def _musicgen() -> System[Any]:
    from thirdstream.pretrained.musicgen import Musicgen

    return Musicgen(user_folder() / "musicgen-melody")


def _family(name: str, family: Family) -> Entry:
    """A family of models of mel spectrograms."""

    def sizes() -> dict[str, int]:
        import torch

        from thirdstream.mel.system import size_of

        presets = family.kind.PRESETS.items()
        with torch.device("meta"):  # weights without memory: to draw them takes seconds
            return {preset: size_of(family.kind(("a", "b"), config)) for preset, config in presets}

    about, remark, options = family.about, family.remark, family.options
    return Entry(name, about, _mel, options, is_trained=True, sizes=sizes, remark=remark)


SYSTEMS = {
    entry.name: entry
    for entry in (
        Entry("score", "Transcribes the recording, arranges its notes in the target style, and "
              "plays them on sampled instruments.", _score, ScoreOptions),
        *(_family(name, family) for name, family in FAMILIES.items()),
        Entry("concatenative", "Plays the recording with short pieces of your own recordings "
              "(audio mosaicing).", _concatenative, ConcatenativeOptions, is_indexed=True),
        Entry("encodec", "Codes the recording as the tokens of EnCodec and decodes them; its style "
              "stays.", _encodec, EncodecOptions, is_published=True),
        Entry("musicgen-melody", "Has MusicGen play to the recording's melody what a prompt says "
              "(weights: CC BY-NC 4.0).", _musicgen, MusicgenOptions, is_published=True),
    )
}  # fmt: skip
"""The registry: to add a system of a new kind, add its entry here. Models of mels have a line in
`thirdstream.mel.models`."""


def default_system() -> tuple[str, str]:
    """The name of the system that transfers where none is asked for, and why not a better one.

    It is the best, and the reason empty; or the baseline, where parts of the best are missing.
    """
    try:
        load(DEFAULT).ready()
    except ThirdstreamError as error:
        return BASELINE, str(error)
    return DEFAULT, ""


def load(name_or_path: str | Path) -> System[Any]:
    """A system: by its name where it has no checkpoint, else the model that `find` finds.

    Raises ThirdstreamError where there is none, and where this version cannot load it.
    """
    entry = SYSTEMS.get(str(name_or_path))
    if entry is not None and not entry.is_trained:
        return entry.load()
    path = find(name_or_path)
    system = entry_of(path).load(path)
    system.checkpoint = path
    return system


def entry_of(checkpoint: Path) -> Entry:
    """The entry of a checkpoint's system. Raises ThirdstreamError where there is none."""
    from thirdstream.checkpoint import read_header

    header = read_header(checkpoint)
    name = header.get("family", header.get("system"))  # earlier versions had the latter
    entry = SYSTEMS.get(name) if isinstance(name, str) else None
    if entry is None or not (entry.is_trained or entry.is_indexed):
        known = ", ".join(name for name, one in SYSTEMS.items() if one.is_trained or one.is_indexed)
        raise ThirdstreamError(
            f"{checkpoint}: is a model of {str(name)[:60]!r}, and this version knows {known}; "
            "train it again, or update thirdstream"
        )
    return entry


@reaching()
def find(name_or_path: str | Path) -> Path:
    """The checkpoint that a path or a name stands for, looked for in this order: a file or a run
    folder; a bundled model; NAME.safetensors or a run folder NAME in `user_folder`.

    Raises ThirdstreamError where there is none, or where it cannot be reached.
    """
    path, name, own = Path(name_or_path), str(name_or_path), user_folder()
    if path.is_dir():
        path = path / BEST
    elif not path.exists() and path.name == name:  # a name, and no way into another folder
        places = (MODELS / f"{name}.safetensors", own / f"{name}.safetensors", own / name / BEST)
        path = next((place for place in places if place.is_file()), path)
    if path.is_file():
        LOG.info("model %s is %s", name, path)
        return path
    if name in untrained_names():
        raise ThirdstreamError(f"{name}: is a system without a model; see `thirdstream systems`")
    if name in SYSTEMS:
        raise ThirdstreamError(
            f"{name}: has no model here; make one with: thirdstream train {name} --corpus CORPUS "
            "--out RUN, and give RUN in place of the name"
        )
    names = [*untrained_names(), *bundled_names(), *user_names()]
    raise ThirdstreamError(
        f"{name_or_path}: is no model; give a .safetensors file, a run folder of "
        f"`thirdstream train`, or one of: {', '.join(names)}" + meant(name, names)
    )


def label_of(name_or_path: str) -> str:
    """What a name, a run folder or a file is called in results and in names of figures."""
    return Path(name_or_path).resolve().name.removesuffix(".safetensors")


def user_folder() -> Path:
    """Where models of your own are found by name: `models` in the user's cache folder of
    thirdstream, or what the environment variable THIRDSTREAM_MODELS says.
    """
    given = os.environ.get("THIRDSTREAM_MODELS")
    return Path(given) if given else user_cache_path("thirdstream", appauthor=False) / "models"


def untrained_names() -> list[str]:
    """The names of the systems that need no model."""
    return [name for name, one in SYSTEMS.items() if not one.is_trained]


def bundled_names() -> list[str]:
    """The names of the models that come with the package."""
    return sorted(path.stem for path in MODELS.glob("*.safetensors"))


def user_names() -> list[str]:
    """The names of the models in `user_folder`; a bundled model's name stays the bundled one's."""
    folder = user_folder()
    names = {path.stem for path in folder.glob("*.safetensors")}
    names |= {path.parent.name for path in folder.glob(f"*/{BEST}")}
    return sorted(names - set(bundled_names()))


def bundled_clips() -> list[Path]:
    """The demo's clips, STYLE_TITLE.ogg, two of each style."""
    return sorted(CLIPS.glob("*.ogg"))
