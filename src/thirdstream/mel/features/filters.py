"""A mel filter bank and its products with spectra."""

from torch import Tensor, nn


class FilterBank(nn.Module):
    """A mel filter bank as what it is: every frequency bin lies in a few filters, mostly two.

    filters: (n_mels, n_freqs). Columns are frames. Several times faster than dense products.
    """

    index: Tensor
    weight: Tensor
    energy: Tensor

    def __init__(self, filters: Tensor) -> None:
        super().__init__()
        self.n_mels = len(filters)
        few = int((filters > 0).sum(0).max())
        weight, index = filters.topk(few, dim=0)  # (few, n_freqs)
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("weight", weight[..., None], persistent=False)
        self.register_buffer("energy", filters.square().sum(0)[:, None], persistent=False)

    def gather(self, spectrum: Tensor) -> Tensor:
        """filters @ spectrum: (n_freqs, n_columns) -> (n_mels, n_columns)."""
        mel = spectrum.new_zeros(self.n_mels, spectrum.shape[1])
        for index, weight in zip(self.index, self.weight, strict=True):
            mel.index_add_(0, index, spectrum * weight)
        return mel

    def spread(self, mel: Tensor) -> Tensor:
        """filters.T @ mel: (n_mels, n_columns) -> (n_freqs, n_columns)."""
        spectrum = mel[self.index[0]].mul_(self.weight[0])
        for index, weight in zip(self.index[1:], self.weight[1:], strict=True):
            spectrum.addcmul_(mel[index], weight)
        return spectrum
