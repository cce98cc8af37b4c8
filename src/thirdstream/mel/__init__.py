"""The wing of the paper: wave -> mel -> twin -> mel -> wave."""

from thirdstream.mel.cnn import TwinCNN
from thirdstream.mel.twin import Twin

TWINS: dict[str, type[Twin]] = {"twin-cnn": TwinCNN}
