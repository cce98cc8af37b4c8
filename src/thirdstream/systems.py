"""Everything that transfers, by name, and the models that come with the package."""

from pathlib import Path

from thirdstream.files import ThirdstreamError
from thirdstream.mel import TWINS
from thirdstream.mel.system import load as load_mel
from thirdstream.notes.system import ScoreSystem, lacking
from thirdstream.transfer import System

MODELS = Path(__file__).parent / "models"
CLIPS = Path(__file__).parent / "clips"
SYSTEMS = (*TWINS, ScoreSystem.name)
BASELINE = "twin-cnn"  # needs nothing that is not always installed
DEMONSTRATED = ("twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")


def usual() -> tuple[str, str]:
    """The name of the system that transfers where none is asked for, and why not a better one.

    It is "score", and the reason empty; or the baseline, where parts of score are missing.
    """
    reason = lacking()
    return (BASELINE, reason) if reason else (ScoreSystem.name, "")


def load(name_or_path: str | Path) -> System:
    """A system: "score", a bundled model's name, a checkpoint, or a run folder (its best model).

    Raises ThirdstreamError where there is none.
    """
    if str(name_or_path) == ScoreSystem.name:
        return ScoreSystem()
    return load_mel(find(name_or_path))


def find(name_or_path: str | Path) -> Path:
    """The checkpoint that a name or a path stands for. Raises ThirdstreamError."""
    path = Path(name_or_path)
    bundled = MODELS / f"{name_or_path}.safetensors"
    if path.is_dir():
        path = path / "best.safetensors"
    elif not path.exists() and bundled.is_file():
        path = bundled
    if not path.is_file():
        raise ThirdstreamError(
            f"{name_or_path}: is no model; give a .safetensors file, a run folder of "
            f"`thirdstream train`, or one of: {', '.join([ScoreSystem.name, *bundled_names()])}"
        )
    return path


def bundled_names() -> list[str]:
    """The names of the models that come with the package."""
    return sorted(path.stem for path in MODELS.glob("*.safetensors"))


def bundled_clips() -> list[Path]:
    """The demo's clips, STYLE_TITLE.ogg, two of each style."""
    return sorted(CLIPS.glob("*.ogg"))
