"""The paper author's published weights, from the checkpoints in the author's repository.

    git clone https://github.com/FlorSanders/AutoStyleTransfer CHECKOUT
    python recipes/published_weights.py CHECKOUT REFERENCE
    THIRDSTREAM_REFERENCE=REFERENCE make test

REFERENCE gets SYSTEM_weights.npz, which tests and published.py read. The author states no licence,
so the weights are for checking only: they may not be handed on.
"""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tensorflow_checkpoint  # a script beside this one

CHECKPOINTS = {
    "cnn": "ConvolutionalTranscoder",
    "vae": "VariationalTranscoder",
    "gan": "GANTranscoderALT",
    "gan_style_code": "MUNITTranscoderALT",
    "variational_gan": "MUNITTranscoder",
}
STYLES = {"X": "classical", "Y": "jazz"}
PARTS = {"mu_encoder": "mean_encoder", "sigma2_encoder": "log_variance_encoder"}
VARIABLE = re.compile(
    r"coder(?P<style>[XY])/(?P<part>\w+)/(\w+/)?layer_with_weights-(?P<block>\d)/"
    r"(conv_block/conv_layers/(?P<layer>\d)/)?(?P<kind>kernel|bias)/\.ATTRIBUTES/VARIABLE_VALUE"
)


def weights(prefix: str) -> dict[str, NDArray[Any]]:
    """The networks' weights of a checkpoint, by style, part, layer and kind."""
    found = {}
    for name, value in tensorflow_checkpoint.read(prefix).items():
        if match := VARIABLE.fullmatch(name):
            part = PARTS.get(match["part"], match["part"])
            layer = {"style_reducer": "conv", "style_mlp": f"dense{match['block']}"}.get(part)
            if layer is None:
                kind = "conv_transpose" if part == "decoder" else "conv"
                layer = f"block{match['block']}.{kind}{match['layer']}"
            found[f"{STYLES[match['style']]}.{part}.{layer}.{match['kind']}"] = value
    return found


def main(checkout: str, reference: str) -> None:
    Path(reference).mkdir(parents=True, exist_ok=True)
    for system, folder in CHECKPOINTS.items():
        found = weights(str(Path(checkout) / "results" / folder / "model"))
        np.savez(Path(reference) / f"{system}_weights.npz", **found)
        print(f"{system}: {sum(value.size for value in found.values()):,} weights")


if __name__ == "__main__":
    main(*sys.argv[1:])
