"""One training pair, forward and backward: each preset, and the paper's without channels_last."""

import torch

from signals import segments
from tables import show, time_in_turn
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.cnn import CNNConfig, TwinCNN
from thirdstream.mel.models.model import Batch, MelModel, weighted_sum
from thirdstream.mel.models.twin import Code

STYLES = ("classical", "jazz")
BATCH = 4


class Plain(TwinCNN):
    """The same network with channels first in memory, as torch does it unless told otherwise."""

    def __init__(self, styles: tuple[str, str], config: CNNConfig) -> None:
        super().__init__(styles, config)
        self.to(memory_format=torch.contiguous_format)

    def encode(self, mel: torch.Tensor, style: str) -> Code:
        return Code(self.encoders[style](mel[:, None]), mel.shape[1])


def main() -> None:
    mel = LogMel()(segments(2 * BATCH))
    batch = {"classical": mel[:BATCH], "jazz": mel[BATCH:]}

    def step(model: MelModel) -> None:
        model.zero_grad()
        for player in model.players():
            losses = model(Batch(batch, batch), player)
            weighted_sum(losses, model.loss_weights(player)).backward()

    models: dict[str, MelModel] = {
        f"{name}, {preset}": family.kind(STYLES, config)
        for name, family in FAMILIES.items()
        for preset, config in family.kind.PRESETS.items()
    }
    models["twin-cnn, paper, channels first"] = Plain(STYLES, TwinCNN.PRESETS["paper"])
    seconds = time_in_turn(
        {name: lambda model=model: step(model) for name, model in models.items()}
    )
    rows = [
        [name, f"{sum(p.numel() for p in models[name].parameters()):,}", f"{s / BATCH:.3f}"]
        for name, s in seconds.items()
    ]
    show(f"Training step, batch {BATCH}", ["", "parameters", "s a pair"], rows)


if __name__ == "__main__":
    main()
