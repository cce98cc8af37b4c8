"""The models of mel spectrograms, by name."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thirdstream.mel.models.twin import Twin

    TWINS: dict[str, type[Twin]]

CLASSES = {
    "twin-cnn": "cnn.TwinCNN",
    "twin-vae": "vae.TwinVAE",
    "twin-gan": "gan.TwinGAN",
    "twin-variational-gan": "variational_gan.TwinVariationalGAN",
    "twin-paired": "paired.TwinPaired",
    "travel": "travel.Travel",
}


def __getattr__(name: str) -> Any:
    """TWINS, the classes by name, is made when it is asked for: they need torch."""
    if name == "TWINS":
        return _twins()
    raise AttributeError(f"module 'thirdstream.mel.models' has no attribute {name!r}")


@cache
def _twins() -> "dict[str, type[Twin]]":
    found = {}
    for system, place in CLASSES.items():
        module, name = place.split(".")
        found[system] = getattr(import_module(f"thirdstream.mel.models.{module}"), name)
    return found
