"""The models of mels, by name. A new family is a file beside this one, and a line here."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from thirdstream.mel.models.model import MelModel


class Family(NamedTuple):
    """Where a family's class is, and what it is in a sentence. Its module needs torch."""

    place: str
    about: str

    @property
    def kind(self) -> "type[MelModel]":
        """The class."""
        module, _, name = self.place.rpartition(".")
        return getattr(import_module(module), name)


HERE = "thirdstream.mel.models"
FAMILIES = {
    "twin-cnn": Family(
        f"{HERE}.cnn.TwinCNN", "two convolutional autoencoders that share a latent space"
    ),
    "twin-vae": Family(f"{HERE}.vae.TwinVAE", "the same with a latent space of distributions"),
    "twin-gan": Family(
        f"{HERE}.gan.TwinGAN", "content and style apart, joined by AdaIN, against discriminators"
    ),
    "twin-variational-gan": Family(
        f"{HERE}.variational_gan.TwinVariationalGAN", "the same with styles drawn at random"
    ),
    "twin-paired": Family(
        f"{HERE}.paired.TwinPaired",
        "finds for each moment the training recording of the other style that fits best",
    ),
    "travel": Family(
        f"{HERE}.travel.Travel",
        "a network into each style, which keeps how segments lie to one another",
    ),
}
