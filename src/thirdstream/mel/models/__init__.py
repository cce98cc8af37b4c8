"""The models of mels, by name. A new family is a file beside this one, and a line here."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from thirdstream.mel.options import MelOptions, StyledMelOptions

if TYPE_CHECKING:
    from thirdstream.mel.models.model import MelModel


class Family(NamedTuple):
    """Where a family's class is, what it does in a sentence, and the options of its transfers.

    The class is imported when it is needed, for it needs torch; options are those it has too.
    """

    place: str
    about: str
    options: type[MelOptions] = MelOptions

    @property
    def kind(self) -> "type[MelModel]":
        """The class."""
        module, _, name = self.place.rpartition(".")
        return getattr(import_module(module), name)


HERE = "thirdstream.mel.models"
FAMILIES = {
    "twin-cnn": Family(
        f"{HERE}.cnn.TwinCNN",
        "Changes the timbre with two convolutional autoencoders that share a latent space.",
    ),
    "twin-vae": Family(
        f"{HERE}.vae.TwinVAE", "Changes the timbre with two variational autoencoders."
    ),
    "twin-gan": Family(
        f"{HERE}.gan.TwinGAN",
        "Changes the timbre with adversarial autoencoders that encode content and style apart.",
        StyledMelOptions,
    ),
    "twin-variational-gan": Family(
        f"{HERE}.variational_gan.TwinVariationalGAN",
        "Changes the timbre as twin-gan does, to a style that is drawn at random.",
        StyledMelOptions,
    ),
    "twin-paired": Family(
        f"{HERE}.paired.TwinPaired",
        "Replaces each moment by the training recording of the other style that fits it best.",
    ),
    "travel": Family(
        f"{HERE}.travel.Travel",
        "Changes the spectrogram so that segments stay as far from one another as they were.",
    ),
}
