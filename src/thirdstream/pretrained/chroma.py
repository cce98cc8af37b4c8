"""The melody that MusicGen is conditioned on: of each frame the strongest pitch class."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

N_FFT, HOP = 2**14, 2**12  # samples (Copet et al. 2023, section 3.2)


def melody(wave: Tensor, *, sr: int, n_chroma: int = 12) -> Tensor:
    """(n_samples,) of rate `sr` -> (n_frames, n_chroma), of each frame 1 at one pitch class from C.

    As transformers' MusicgenMelodyFeatureExtractor, which needs torchaudio: a build for each
    version of torch. Its normalisation by the maximum is left out, which the strongest one, all
    that it keeps, does not depend on.
    """
    missing = max(0, N_FFT - len(wave))
    wave = pad(wave, (missing // 2, missing - missing // 2))
    window = torch.hann_window(N_FFT, device=wave.device)
    spectrum = torch.stft(wave, N_FFT, HOP, window=window, return_complex=True)
    filters = _filters(sr, n_chroma).to(wave.device)
    return one_hot((filters @ spectrum.abs().square()).argmax(0), n_chroma).float()


@lru_cache(maxsize=2)
def _filters(sr: int, n_chroma: int) -> Tensor:
    from transformers.audio_utils import chroma_filter_bank

    bank = chroma_filter_bank(
        num_frequency_bins=N_FFT, num_chroma=n_chroma, sampling_rate=sr, tuning=0
    )
    return torch.from_numpy(bank).float()
