"""Everything that transfers, by name, and the models that come with the package."""

import logging
import os
from pathlib import Path

from platformdirs import user_cache_path

from thirdstream.files import ThirdstreamError
from thirdstream.mel.models import FAMILIES
from thirdstream.transfer import System

MODELS = Path(__file__).parent / "models"
CLIPS = Path(__file__).parent / "clips"
SCORE = "score"  # needs no model
SYSTEMS = (*FAMILIES, SCORE)
BASELINE = "twin-cnn"  # needs nothing that is not always installed
DEMONSTRATED = ("twin-paired", "twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")
BEST = "best.safetensors"  # of a run folder
LOG = logging.getLogger(__name__)


def usual() -> tuple[str, str]:
    """The name of the system that transfers where none is asked for, and why not a better one.

    It is "score", and the reason empty; or the baseline, where parts of score are missing.
    """
    try:
        load(SCORE).ready()
    except ThirdstreamError as error:
        return BASELINE, str(error)
    return SCORE, ""


def load(name_or_path: str | Path) -> System:
    """A system: "score", or the model that `find` finds: a name, a checkpoint, or a run folder (its
    best model).

    Raises ThirdstreamError where there is none.
    """
    # Each wing is imported when it is needed: one is large with torch, the other with scipy.
    if str(name_or_path) == SCORE:
        from thirdstream.notes.system import ScoreSystem

        return ScoreSystem()
    path = find(name_or_path)
    from thirdstream.mel.system import load as load_mel

    return load_mel(path)


def find(name_or_path: str | Path) -> Path:
    """The checkpoint that a path or a name stands for, looked for in this order: a file or a run
    folder; a bundled model; NAME.safetensors or a run folder NAME in `user_folder`.

    Raises ThirdstreamError where there is none.
    """
    path, name, own = Path(name_or_path), str(name_or_path), user_folder()
    if path.is_dir():
        path = path / BEST
    elif not path.exists() and path.name == name:  # a name, and no way into another folder
        places = (MODELS / f"{name}.safetensors", own / f"{name}.safetensors", own / name / BEST)
        path = next((place for place in places if place.is_file()), path)
    if not path.is_file():
        names = ", ".join([SCORE, *bundled_names(), *user_names()])
        raise ThirdstreamError(
            f"{name_or_path}: is no model; give a .safetensors file, a run folder of "
            f"`thirdstream train`, or one of: {names}"
        )
    LOG.info("model %s is %s", name, path)
    return path


def user_folder() -> Path:
    """Where models of your own are found by name: `models` in the user's cache folder of
    thirdstream, or what the environment variable THIRDSTREAM_MODELS says.
    """
    given = os.environ.get("THIRDSTREAM_MODELS")
    return Path(given) if given else user_cache_path("thirdstream", appauthor=False) / "models"


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
