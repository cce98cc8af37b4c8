"""Measures of mel power that need no sound: level, balance, partials, attacks, harmony, detail.

Conventions: mel power is (batch, n_frames, n_mels), at one scale for all that is compared; every
measure gives (batch,), a value a segment, in float64. Where a segment has no value, as silence has
no spectral centroid, it is NaN. A mel's filter has unit area, so its energy is its power times the
filter's width. Levels are taken from energies with a floor 100 dB below the original.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import librosa
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, cosine_similarity, max_pool1d, relu

from thirdstream.audio import SR
from thirdstream.mel.features.chroma import N_AROUND, chroma
from thirdstream.mel.features.logmel import MelConfig

FLOOR = 1e-10  # of the original's energy
AUDIBLE = 1e-6  # of the largest mel of the original: 60 dB below
SHARE_FLOOR = 1e-6  # of a band's share of the energy: 60 dB below the whole
LARGEST = 1e30  # of mel power; untrained networks give what no power reaches
PARTIALS_HZ, UPPER_HZ = (180.0, 5000.0), 1000.0  # where partials are told apart; the upper ones
ROUGHEST = 0.1797  # the largest difference of both exponentials in `dissonance`
FARTHEST = 40  # mels that what was made may lie above or below: almost an octave above 1 kHz
RELATED = 0.1  # by which a transfer correlates more with its source than with another recording
N_PEAKS = 12  # a frame, for the dissonance
ONSET_DB = 0.5  # by which mels grow on average, above what is usual around: an attack


@cache
def widths_hz(config: MelConfig) -> Tensor:
    """(n_mels,), half the base of each filter."""
    places = torch.from_numpy(config.places_hz)
    return (places[2:] - places[:-2]) / 2


@cache
def centres_hz(config: MelConfig) -> Tensor:
    """(n_mels,), the peak of each filter."""
    return torch.from_numpy(config.places_hz[1:-1])


def energy(power: Tensor, config: MelConfig) -> Tensor:
    """(batch, n_frames, n_mels) in float64, to be added up over any mels."""
    return power.double().clamp(0, LARGEST) * widths_hz(config)


def level_db(made: Tensor, original: Tensor, config: MelConfig, *, hz: float = 0.0) -> Tensor:
    """By how much the part above a frequency is louder, in dB.

    Both have a floor 100 dB below the whole original. NaN where that is silent.
    """
    first, second = (energy(one, config) for one in (made, original))
    high, floor = centres_hz(config) >= hz, FLOOR * second.sum((1, 2))
    above = [one[..., high].sum((1, 2)) + floor for one in (first, second)]
    return 10 * torch.log10(above[0] / above[1])


def audible_share(made: Tensor, original: Tensor) -> Tensor:
    """Share of frames and mels less than 60 dB below the original's largest, 0 to 1."""
    floor = AUDIBLE * original.amax((1, 2), keepdim=True)
    return (made > floor).double().mean((1, 2))


class Relation(NamedTuple):
    """correlation: -1 to 1, at the best displacement. mels: that displacement, up where above 0."""

    correlation: Tensor
    mels: Tensor


def relation(made: Tensor, original: Tensor) -> Relation:
    """The cross-correlation along mels at its highest, of what happens when in both.

    Of normalised mels, each as its own style is normalised. Pearson's, where each mel has had its
    mean over time taken off: the spectra that all recordings have in common do not count. A copy
    has 1 at 0, a copy that is moved up by a few mels (almost) 1 there.
    """
    first, second = (one.double() - one.double().mean(1, keepdim=True) for one in (made, original))
    n = 2 * first.shape[2]
    product = torch.fft.rfft(first, n) * torch.fft.rfft(second, n).conj()
    by_lag = torch.fft.irfft(
        product.sum(1), n
    )  # (batch, n): 0, 1, ... and from the end -1, -2, ...
    near = torch.cat([by_lag[:, -FARTHEST:], by_lag[:, : FARTHEST + 1]], dim=1)
    highest, at = (near / (first.norm(dim=(1, 2)) * second.norm(dim=(1, 2)))[:, None]).max(1)
    return Relation(highest, at.double() - FARTHEST)


def _root(power: Tensor) -> Tensor:
    """The fourth root, in which a step is about as audible anywhere."""
    return power.double().clamp(0, LARGEST) ** 0.25


def centroid_octaves(power: Tensor, config: MelConfig) -> Tensor:
    """log2 of the spectral centroid in Hz: the mean frequency, weighted by energy."""
    own = energy(power, config)
    return torch.log2((own * centres_hz(config)).sum((1, 2)) / own.sum((1, 2)))


def share_above_db(power: Tensor, config: MelConfig, *, hz: float) -> Tensor:
    """Share of the energy above a frequency, in dB, from -60 to 0."""
    own = energy(power, config)
    share = own[..., centres_hz(config) >= hz].sum((1, 2)) / own.sum((1, 2))
    return 10 * torch.log10(share + SHARE_FLOOR)


def upper_partials_db(power: Tensor, config: MelConfig) -> Tensor:
    """Of what stands out from the mels around, from 180 Hz to 5 kHz, the share above 1 kHz in dB.

    Noise does not stand out, so this is the share of the upper harmonics.
    """
    magnitude, hz = energy(power, config).sqrt(), centres_hz(config)
    around = avg_pool1d(magnitude, N_AROUND, 1, padding=N_AROUND // 2, count_include_pad=False)
    partials = relu(magnitude - around).square()
    lowest, highest = PARTIALS_HZ
    upper, both = (
        partials[..., (hz >= low) & (hz <= highest)].sum((1, 2)) for low in (UPPER_HZ, lowest)
    )
    return 10 * torch.log10(upper / both + SHARE_FLOOR)


def onsets_per_s(made: Tensor, original: Tensor, config: MelConfig) -> Tensor:
    """Attacks a second: peaks of the spectral flux of levels (librosa's onset detection).

    Levels have a floor 60 dB below the original's largest mel, and peaks are not normalised to the
    highest, so that what hardly sounds has no attacks. Silence has 0.
    """
    counts = []
    for power, other in zip(made.numpy(), original.numpy(), strict=True):
        floor = max(AUDIBLE * float(other.max()), np.finfo(np.float32).tiny)
        levels = 10 * np.log10(np.maximum(power, floor).T)
        flux = librosa.onset.onset_strength(S=levels, sr=SR, hop_length=config.hop_length)
        found = librosa.onset.onset_detect(
            onset_envelope=flux, sr=SR, hop_length=config.hop_length,
            normalize=False, delta=ONSET_DB,
        )  # fmt: skip
        counts.append(len(found) * SR / config.hop_length / len(power))
    return torch.tensor(counts, dtype=torch.float64)


def chroma_similarity(made: Tensor, original: Tensor) -> Tensor:
    """Cosine of the pitch classes of a frame, mean over the frames in which the original has any.

    0 to 1; a frame without any in what was made counts 0.
    """
    first, second = chroma(_root(made)), chroma(_root(original))
    sounds = second.sum(2) > 0
    return (cosine_similarity(first, second, dim=2) * sounds).sum(1) / sounds.sum(1)


def dissonance(power: Tensor, config: MelConfig) -> Tensor:
    """Sensory dissonance of the spectral peaks, over their amplitudes: 0 or more, at any level.

    Plomp and Levelt's curve in Sethares' form (Local consonance and the relationship between timbre
    and scale, 1993), between the 12 highest peaks of a frame below 5 kHz: the amplitude of the
    weaker one of each pair times the curve, which is 1 at its highest. Two tones have 0.5 at most.
    Partials nearer than about 90 Hz are one peak here: what they add is not heard by this measure.
    """
    hz = centres_hz(config)
    below = hz <= PARTIALS_HZ[1]
    amplitude = energy(power, config)[..., below].sqrt()
    peaks = amplitude * (amplitude == max_pool1d(amplitude, 3, 1, padding=1))
    heights, at = peaks.topk(min(N_PEAKS, peaks.shape[2]), dim=2)  # (batch, n_frames, n_peaks)
    places = hz[below][at]
    weaker = torch.minimum(heights[..., None], heights[..., None, :])
    apart = (places[..., None] - places[..., None, :]).abs()
    lower = torch.minimum(places[..., None], places[..., None, :])
    x = 0.24 * apart / (0.0207 * lower + 18.96)
    rough = (torch.exp(-3.51 * x) - torch.exp(-5.75 * x)) / ROUGHEST
    return (weaker * rough).sum((1, 2, 3)) / 2 / heights.sum((1, 2))


def relative_error(rebuilt: Tensor, mel: Tensor) -> Tensor:
    """Of normalised mels: the mean absolute error as a part of the mean absolute value."""
    return (rebuilt - mel).double().abs().sum((1, 2)) / mel.double().abs().sum((1, 2))


def fine_error(rebuilt: Tensor, mel: Tensor) -> Tensor:
    """The same of differences between neighbouring mels; a spectrum of no detail has 1."""
    return relative_error(rebuilt.diff(dim=2), mel.diff(dim=2))


def of_transfer(
    made: Tensor,
    original: Tensor,
    another: Tensor,
    config: MelConfig,
    *,
    usual: Mapping[str, float],
) -> dict[str, Tensor]:
    """Measures of transfers: mel power, beside that of their sources and of other recordings.

    usual: the means of `of_original` in the target style. What `of_original` gives of recordings is
    given here as a difference: from the original, and ("..._over_usual") from what is usual.
    """
    chroma_source, chroma_another = (chroma_similarity(made, one) for one in (original, another))
    before, after = of_original(original, config), of_original(made, config, beside=original)
    return {
        "level_db": level_db(made, original, config),
        "level_above_4k_db": level_db(made, original, config, hz=4000),
        "audible_ratio": audible_share(made, original) / audible_share(original, original),
        "chroma": chroma_source,
        "chroma_with_another": chroma_another,
        "chroma_gain": chroma_source - chroma_another,
        **{name: after[name] - before[name] for name in after},
        **{f"{name}_over_usual": after[name] - usual[name] for name in after},
    }


def of_lines(made: Tensor, original: Tensor, another: Tensor) -> dict[str, Tensor]:
    """How transfers are related to their sources, all normalised.

    displacement_mels: NaN where they are no more related to them than to another recording.
    """
    to_source, to_another = (relation(made, one) for one in (original, another))
    gain = to_source.correlation - to_another.correlation
    return {
        "correlation": to_source.correlation,
        "correlation_with_another": to_another.correlation,
        "correlation_gain": gain,
        "displacement_mels": to_source.mels.where(gain > RELATED, torch.nan),
    }


def of_reconstruction(rebuilt: Tensor, mel: Tensor, config: MelConfig) -> dict[str, Tensor]:
    """All measures of self-reconstructions, both normalised."""
    high = centres_hz(config) >= 4000
    above, below = (relative_error(rebuilt[..., part], mel[..., part]) for part in (high, ~high))
    return {
        "error_above_4k": above,
        "error_below_4k": below,
        "error_above_over_below": above - below,
        "fine_error": fine_error(rebuilt, mel),
    }


def of_original(
    power: Tensor, config: MelConfig, *, beside: Tensor | None = None
) -> dict[str, Tensor]:
    """What transfers and their sources are compared in.

    beside: mel power of the source, whose level decides what is an attack; by default the same.
    """
    return {
        "centroid_octaves": centroid_octaves(power, config),
        "above_4k_db": share_above_db(power, config, hz=4000),
        "above_8k_db": share_above_db(power, config, hz=8000),
        "upper_partials_db": upper_partials_db(power, config),
        "onsets_per_s": onsets_per_s(power, power if beside is None else beside, config),
        "dissonance": dissonance(power, config),
    }
