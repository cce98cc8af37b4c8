from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from thirdstream.figures import draw_mels
from thirdstream.mel.features import MelConfig


def test_each_mel_has_its_panel_and_low_frequencies_are_below(tmp_path: Path) -> None:
    mel = torch.zeros(259, 256)
    mel[:, :64] = 5.0  # the lowest quarter is loud
    draw_mels({"a": mel, "b": mel}, tmp_path / "m.png", config=MelConfig(), title="t")
    picture = imread(tmp_path / "m.png")[..., :3]
    height, width = picture.shape[:2]
    for x in (width // 4, width * 5 // 8):
        column = picture[height // 6 : height * 4 // 5, x].mean(axis=1)
        assert column[-5:].mean() > 0.6
        assert column[:5].mean() < 0.1


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_both_formats(tmp_path: Path, suffix: str) -> None:
    draw_mels({"a": torch.rand(9, 256)}, tmp_path / f"m{suffix}", config=MelConfig(), title="t")
    assert (tmp_path / f"m{suffix}").stat().st_size > 1000
