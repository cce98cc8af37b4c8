"""The wing of the paper: wave -> mel -> twin -> mel -> wave."""

from thirdstream.mel.cnn import TwinCNN
from thirdstream.mel.gan import TwinGAN
from thirdstream.mel.twin import Twin
from thirdstream.mel.vae import TwinVAE
from thirdstream.mel.variational_gan import TwinVariationalGAN

TWINS: dict[str, type[Twin]] = {
    "twin-cnn": TwinCNN,
    "twin-vae": TwinVAE,
    "twin-gan": TwinGAN,
    "twin-variational-gan": TwinVariationalGAN,
}
