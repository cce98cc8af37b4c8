"""The models of mels, by name. A new family is a file beside this one, and a line here."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from thirdstream.mel.options import MelOptions, StyledMelOptions

if TYPE_CHECKING:
    from thirdstream.mel.models.model import MelModel


class Family(NamedTuple):
    """Where a family's class is, what it does in a sentence, and the options of its transfers.

    remark: a sentence on a preset that does otherwise, for lists of systems.

    The module of the class needs torch.
    """

    place: str
    about: str
    options: type[MelOptions] = MelOptions
    remark: str = ""

    @property
    def kind(self) -> "type[MelModel]":
        """The class."""
        module, _, name = self.place.rpartition(".")
        return getattr(import_module(module), name)


HERE = "thirdstream.mel.models"
PAPER = "The network of the paper (preset paper) keeps little of the recording."
FAMILIES = {
    "twin-cnn": Family(
        f"{HERE}.cnn.TwinCNN",
        "Changes the timbre with two convolutional autoencoders, one a style, that share their "
        "latent space.",
        remark=PAPER,
    ),
    "twin-vae": Family(
        f"{HERE}.vae.TwinVAE",
        "Changes the timbre with two variational autoencoders.",
        remark=PAPER,
    ),
    "twin-gan": Family(
        f"{HERE}.gan.TwinGAN",
        "Changes the timbre with adversarial autoencoders that encode content and style apart.",
        StyledMelOptions,
        remark=PAPER,
    ),
    "twin-variational-gan": Family(
        f"{HERE}.variational_gan.TwinVariationalGAN",
        "Is a twin-gan whose styles are drawn at random.",
        StyledMelOptions,
        remark=PAPER,
    ),
    "twin-paired": Family(
        f"{HERE}.paired.TwinPaired",
        "Replaces each moment by frames of recordings of the target style, retrieved from an index "
        "of versions of the same pieces, played from scores.",
    ),
    "travel": Family(
        f"{HERE}.travel.Travel",
        "Changes the spectrogram with a generator trained by a travel loss, without pairs.",
    ),
    "play-as-you-like": Family(
        f"{HERE}.play_as_you_like.PlayAsYouLike",
        "Changes the timbre with an encoder of content and one of style for each style, trained "
        "without pairs on four channels of timbre; the style is drawn.",
        StyledMelOptions,
    ),
    "melgan-vc": Family(
        f"{HERE}.melgan_vc.MelGANVC",
        "Changes slices of the spectrogram with a generator trained by a travel loss (MelGAN-VC; "
        "as published with the preset paper).",
    ),
}
