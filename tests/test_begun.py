"""The recipe with which the bundled travel and twin-cnn-features begin."""

import sys
from pathlib import Path

import pytest
import torch

from conftest import STYLES
from thirdstream.mel.features.inputs import INPUT_FEATURES
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.system import MelSystem, build, load

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
import begun


@pytest.mark.parametrize("name", ["travel", "twin-cnn"])
@pytest.mark.parametrize("views", [(), tuple(INPUT_FEATURES)])
def test_it_does_what_the_autoencoder_does(
    name: str, views: tuple[str, ...], tmp_path: Path, system: MelSystem
) -> None:
    torch.manual_seed(1)
    known = build("twin-cnn", STYLES, TwinCNN.PRESETS["default"], system.mel)
    known.features.load_state_dict(system.features.state_dict())
    known.save(tmp_path / "known.safetensors")
    begun.main(name, str(tmp_path / "known.safetensors"), str(tmp_path / "out.safetensors"), *views)
    made = load(tmp_path / "out.safetensors")
    assert (made.name, made.model.config.features) == (name, views or ("mel",))
    mel = torch.rand(2, 40, 256)
    for style in STYLES:
        torch.testing.assert_close(
            made.model.reconstruct(mel, style), known.model.reconstruct(mel, style)
        )
        assert torch.equal(made.log_mel(style).mel_std, known.log_mel(style).mel_std)
