"""EnCodec (Défossez et al. 2022): a recording as discrete tokens, and back.

No style changes. What a system that works on these tokens can reach at best is what is left of a
recording after this.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.files import ThirdstreamError
from thirdstream.pretrained import weights
from thirdstream.pretrained.options import EncodecOptions
from thirdstream.pretrained.system import PretrainedSystem
from thirdstream.pretrained.weights import Published

# The paper's network for mono: it has five bandwidths, so a curve, and codes all of a recording as
# one. encodec_32khz is MusicGen's, with a single bandwidth; encodec_48khz codes stereo, by seconds.
PUBLISHED = Published(
    repository="facebook/encodec_24khz", kind="encodec", network="EncodecModel", extra="codec",
    size="0.1 GB", licence="the licence that huggingface.co/facebook/encodec_24khz names",
)  # fmt: skip
BANDWIDTH = 6.0  # kbit/s
WINDOW_S, OVERLAP_S = 10, 1  # seconds; the overlap lets the recurrent layers settle
Tokens = NDArray[np.int64]  # (n_channels, n_codebooks, n_frames)


def bandwidth_of(config: Any, wanted: float | None = None) -> float:
    """In kbit/s: the wanted one of a network's configuration, or the default (see EncodecOptions).

    Raises ThirdstreamError where the network has no such bandwidth.
    """
    known = list(config.target_bandwidths)
    if wanted is None:
        return BANDWIDTH if BANDWIDTH in known else max(known)
    if wanted not in known:
        listed = ", ".join(f"{one:g}" for one in known)
        raise ThirdstreamError(f"--bandwidth must be one of {listed} kbit/s (got {wanted:g})")
    return wanted


@torch.inference_mode()
def tokens_of(network: Any, wave: Wave, *, bandwidth: float | None = None) -> Tokens:
    """The tokens of a wave (n_channels, n_samples) of the network's rate, each channel by itself.

    network: of `Encodec.network`; its rate is network.config.sampling_rate. Raises ThirdstreamError
    as `bandwidth_of` does.
    """
    # EncodecFeatureExtractor would only add the axis, for a network without chunks.
    values = torch.from_numpy(np.ascontiguousarray(wave, np.float32))[:, None].to(network.device)
    coded = network.encode(values, bandwidth=bandwidth_of(network.config, bandwidth))
    return coded.audio_codes[0].cpu().numpy()


@torch.inference_mode()
def wave_of(network: Any, tokens: Tokens) -> Wave:
    """The wave (n_channels, n_samples) of tokens; it ends with the last whole frame."""
    codes = torch.from_numpy(tokens)[None].to(network.device)
    return network.decode(codes, [None]).audio_values[:, 0].cpu().numpy()


def bits_per_second(network: Any, tokens: Tokens) -> float:
    """Of tokens: frames a second x codebooks x channels x log2(size of a codebook)."""
    config = network.config
    n_channels, n_codebooks, _ = tokens.shape
    frames = config.sampling_rate / config.hop_length
    return frames * n_codebooks * n_channels * math.log2(config.codebook_size)


class Encodec(PretrainedSystem[EncodecOptions]):
    """Codes and decodes; the style that is asked for has no influence."""

    name = "encodec"
    options = EncodecOptions
    published = PUBLISHED

    def network(self, given: Path | None = None) -> Any:
        """As every system's; and raise ThirdstreamError where it is one for stereo."""
        network = super().network(given)
        if network.config.audio_channels != 1 or network.config.chunk_length_s:
            raise ThirdstreamError(
                f"{given or self.own}: is an EnCodec that codes stereo by chunks; give one that "
                f"codes mono, as {self.published.repository} does"
            )
        return network

    def check(self, options: EncodecOptions) -> None:
        """As every system does; and raise ThirdstreamError on a bandwidth that a network on disk
        does not have."""
        super().check(options)
        folder = weights.on_disk(self.published, own=self.own, given=options.weights)
        if folder is not None and options.bandwidth is not None:
            bandwidth_of(weights.configuration(folder, PUBLISHED), options.bandwidth)

    def stream(self, blocks: Iterable[Wave], options: EncodecOptions) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into as many samples or a few more.

        Windows of ten seconds overlap by one and are cross-faded.
        """
        network = self.network(options.weights)
        bandwidth, sr = (
            bandwidth_of(network.config, options.bandwidth),
            network.config.sampling_rate,
        )
        size, hop = WINDOW_S * sr, (WINDOW_S - OVERLAP_S) * sr
        n_channels, blocks = audio.channels_of(blocks)
        inside = audio.resampled(blocks, sr_in=SR, sr_out=sr, n_channels=n_channels)
        coded = (
            wave_of(network, tokens_of(network, window, bandwidth=bandwidth))[:, :size]
            for window in audio.windows(inside, size=size, hop=hop)
        )
        joined = audio.overlap_add(coded, hop=hop, margin=(size - hop) // 4)
        yield from audio.resampled(joined, sr_in=sr, sr_out=SR, n_channels=n_channels)
