"""The filter bank's sparse products are the dense ones."""

import pytest
import torch

from thirdstream.mel.features.filters import FilterBank
from thirdstream.mel.features.logmel import MelConfig


@pytest.mark.parametrize(
    "config", [MelConfig(), MelConfig(n_mels=64), MelConfig(f_min=2_000.0, f_max=9_000.0)]
)
def test_the_products_are_those_of_the_matrix(config: MelConfig) -> None:
    filters = torch.from_numpy(config.filters())
    bank, columns = FilterBank(filters), torch.rand(filters.shape[1], 5)
    torch.testing.assert_close(bank.gather(columns), filters @ columns)
    mel = torch.rand(config.n_mels, 5)
    torch.testing.assert_close(bank.spread(mel), filters.T @ mel)
