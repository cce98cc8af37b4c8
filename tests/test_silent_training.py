"""Silent segments, such as the end of a recording, in the training of every family."""

import pytest
import torch

from conftest import STYLES
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import Batch, weighted_sum


@pytest.mark.parametrize("silent", [STYLES[:1], STYLES])
@pytest.mark.parametrize("name", FAMILIES)
def test_no_gradient_grows_by_silence(name: str, silent: tuple[str, ...]) -> None:
    family = FAMILIES[name].kind
    torch.manual_seed(0)
    model = family(STYLES, family.PRESETS["default"]).train()
    mels = {s: torch.rand(2, 65, 256) * (1e-9 if s in silent else 1) for s in STYLES}
    batch = Batch(mels, mels, torch.tensor([True, True]))
    for player, of in model.players().items():
        weighted_sum(model.training_losses(batch, player), model.loss_weights(player)).backward()
        sizes = [float(p.grad.abs().max()) for p in of.parameters if p.grad is not None]
        assert max(sizes) < 100, player
        model.zero_grad()
