"""Published music taggers that classify styles: musicnn (Pons and Serra, ISMIR 2019), and VGG.

Nothing is trained against them. The networks are written anew in PyTorch after the paper's
architecture. Their published weights lie beside this file, with their licence (ISC) in tagger.md;
recipes/tagger_weights.py converted them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad, relu
from torch.nn.utils import convert_conv2d_weight_memory_format

from thirdstream import checkpoint
from thirdstream.audio import Wave
from thirdstream.evaluation.metrics import MetricError
from thirdstream.files import ThirdstreamError, sha256

WEIGHTS = Path(__file__).with_name("tagger.safetensors")
VGG_WEIGHTS = Path(__file__).with_name("tagger-vgg.safetensors")
THRESHOLD = 0.25  # the least value of a tag that counts
# By style: the network, trained on MagnaTagATune or on the Million Song Dataset, and its tag.
STYLE_TAGS = {"classical": ("MTT", "classical"), "jazz": ("MSD", "jazz")}
EMBEDDING = "MSD"  # the network whose embeddings are taken
SR, N_FFT, HOP, N_MELS = 16_000, 512, 256, 96  # Hz, samples
PATCH_FRAMES = 187  # 3 s: what the network was trained on
PATCH_BATCH = 2  # at a time: their features stay in the cache
TIMBRAL_WIDTHS = (38, 67)  # mels: 0.4 and 0.7 of all
TEMPORAL_LENGTHS = (128, 64, 32)  # frames


def is_target_style(*, target: float, other: float, threshold: float = THRESHOLD) -> bool:
    """Whether music is classified as the target style: its tag is above the other style's, and at
    least the threshold.

    target, other: tag values 0 to 1 of the two styles.
    """
    return target > other and target >= threshold


class TaggerOutput(NamedTuple):
    """The tagger's output for a recording.

    tags: network -> tag -> 0 to 1, mean over patches of 3 s. embeddings: (n_patches, 200), of VGG
    (n_patches, 256): the MSD network's last layer but one.
    """

    tags: Mapping[str, Mapping[str, float]]
    embeddings: NDArray[np.float32]

    def style(self, name: str) -> float:
        """The tag of a style. Raises ThirdstreamError for one that no tag stands for."""
        if name not in STYLE_TAGS:
            raise ThirdstreamError(
                f"the tagger has no tag for the style {name!r}; it knows {', '.join(STYLE_TAGS)}"
            )
        network, tag = STYLE_TAGS[name]
        return self.tags[network][tag]

    def styles(self) -> dict[str, float]:
        """The tags of all styles that it knows."""
        return {name: self.style(name) for name in STYLE_TAGS}


def signs_of(norm: nn.Module) -> Tensor:
    """-1 for each feature whose normalisation has a negative weight, else 1.

    So pooling comes first: the highest normalised value is that of the highest times its sign.
    """
    return torch.where(cast(Tensor, norm.weight) < 0, -1.0, 1.0)


def convolved(image: Tensor, by: nn.Conv2d, signs: Tensor) -> Tensor:
    """A convolution, each feature times its sign."""
    weight = by.weight * signs[:, None, None, None]
    return conv2d(image, weight, cast(Tensor, by.bias) * signs, padding=cast(Any, by.padding))


class FilterSpectra(NamedTuple):
    """Filters over time and frequency, of which the highest value over frequency is wanted.

    By the convolution theorem a frame and a filter are multiplied as spectra over their bands: the
    cyclic convolution that comes of it is right where the filter lies within the bands. Its places
    are counted from the middle one. So the inverse transform has an even part, of cosines, and an
    odd one, of sines: of two places as far from the middle the higher value is the even part and
    the odd one's absolute value. All that takes a quarter of the products.

    real, imaginary: (n_bins, 2 * length, n_filters), from the real and imaginary parts of frames.
    cosines, sines: (places from the middle on, n_bins). bias: (n_filters,).
    """

    real: Tensor
    imaginary: Tensor
    cosines: Tensor
    sines: Tensor
    bias: Tensor

    @classmethod
    def of(cls, convolution: nn.Conv2d, signs: Tensor) -> "FilterSpectra":
        weight = (convolution.weight[:, 0] * signs[:, None, None]).double()
        bins, n_places = torch.arange(N_MELS // 2 + 1).double(), N_MELS - weight.shape[2] + 1
        turns = bins / N_MELS * 2 * torch.pi
        middle = torch.polar(torch.ones_like(turns), turns * (n_places - 1) / 2)
        spectra = (torch.fft.rfft(weight, N_MELS).conj() * middle).permute(2, 1, 0)
        places = torch.arange((n_places + 1) // 2) + (n_places + 1) % 2 / 2
        share = torch.where(bins % (N_MELS // 2) == 0, 1.0, 2.0) / N_MELS
        angles = places[:, None] * turns
        return cls(
            torch.cat([spectra.real, -spectra.imag], 1).float(),
            torch.cat([spectra.imag, spectra.real], 1).float(),
            (angles.cos() * share).float(),
            (angles.sin() * share).float(),
            cast(Tensor, convolution.bias) * signs,
        )

    def highest(self, frames: Tensor) -> Tensor:
        """Spectra (n_bins, n_frames, 2 * length) of frames -> (n_frames, n_filters)."""
        real, imaginary = (torch.bmm(frames, one).flatten(1) for one in (self.real, self.imaginary))
        found = (self.cosines @ real).add_((self.sines @ imaginary).abs_()).amax(0)
        return found.view(frames.shape[1], -1) + self.bias


class MusiCNN(nn.Module):
    """The network of Pons and Serra: log-mel patches -> tags and embedding.

    Timbral filters (wide in frequency) and temporal ones (long in time), each pooled over all of
    frequency; three densely connected convolutions over time; maximum and mean over time; two dense
    layers. 787 thousand parameters.

    n_middle, n_dense: features of each convolution over time, and of the embedding; the published
    MSD_musicnn_big has 512 and 500, and 8.0 million parameters.
    """

    norms: nn.ModuleList

    def __init__(self, n_middle: int = 64, n_dense: int = 200) -> None:
        super().__init__()
        shapes = [(204, (7, width)) for width in TIMBRAL_WIDTHS]
        shapes += [(51, (length, 1)) for length in TEMPORAL_LENGTHS]
        self.front = nn.ModuleList(nn.Conv2d(1, n, size) for n, size in shapes)
        n_front = sum(n for n, _ in shapes)
        inputs = (n_front, n_middle, n_middle)
        self.middle = nn.ModuleList(nn.Conv1d(n, n_middle, 7, padding=3) for n in inputs)
        n_pooled = 2 * (n_front + 3 * n_middle)
        self.dense, self.tags = nn.Linear(n_pooled, n_dense), nn.Linear(n_dense, 50)
        sizes = (1, *(n for n, _ in shapes), *[n_middle] * 3, n_pooled, n_dense)
        self.norms = nn.ModuleList(nn.BatchNorm1d(n, eps=1e-3) for n in sizes)

    def _norm(self, values: Tensor, which: int) -> Tensor:
        """Batch normalisation over axis 1, whatever axes follow."""
        return self.norms[which](values.flatten(2) if values.ndim > 2 else values).view_as(values)

    @cached_property
    def _timbral(self) -> list[FilterSpectra]:
        """Of the timbral filters, whose weights stay as they are."""
        return [
            FilterSpectra.of(cast(nn.Conv2d, self.front[which]), signs_of(self.norms[which + 1]))
            for which in range(len(TIMBRAL_WIDTHS))
        ]

    def _highest(self, image: Tensor) -> Iterator[Tensor]:
        """Of each filter in front, the highest over frequency, (batch, n_filters, n_frames)."""
        padded = pad(image[:, 0], (0, 0, 3, 3))
        parts = torch.view_as_real(torch.fft.rfft(padded)).unfold(1, 7, 1)
        batch, n_frames, n_bins = parts.shape[:3]
        frames = parts.permute(2, 0, 1, 3, 4).reshape(n_bins, batch * n_frames, -1)
        for filters in self._timbral:
            yield filters.highest(frames).view(batch, n_frames, -1).mT
        for which, length in enumerate(TEMPORAL_LENGTHS, len(TIMBRAL_WIDTHS)):
            padded = pad(image, (0, 0, (length - 1) // 2, length // 2))  # as many frames as before
            convolution = cast(nn.Conv2d, self.front[which])
            yield convolved(padded, convolution, signs_of(self.norms[which + 1])).amax(3)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, n_frames, 96) -> tags (batch, 50) from 0 to 1, embedding (batch, n_dense)."""
        image = self._norm(mel[:, None], 0)  # (batch, 1, n_frames, n_mels)
        features = [
            self._norm(relu(found * signs_of(self.norms[which])[:, None]), which)
            for which, found in enumerate(self._highest(image), 1)
        ]
        layers = [torch.cat(features, 1)]  # (batch, 561, n_frames)
        for which, convolution in enumerate(self.middle, start=6):
            found = self._norm(relu(convolution(layers[-1])), which)
            layers.append(found + layers[-1] if which > 6 else found)
        whole = torch.cat(layers, 1)  # (batch, 753, n_frames)
        pooled = torch.stack([whole.amax(2), whole.mean(2)], 2).flatten(1)
        embedding = self._norm(relu(self.dense(self._norm(pooled, 9))), 10)
        return torch.sigmoid(self.tags(embedding)), embedding


class VGG(nn.Module):
    """The network that musicnn's authors compare it with: log-mel patches -> tags and embedding.

    Five 3x3 convolutions, each with batch normalisation and pooled by its maximum; one dense layer.
    606 thousand parameters.
    """

    N = 128  # features of each convolution
    POOLS = (((4, 1), (2, 2)), *[((2, 2), (2, 2))] * 3, ((4, 4), (4, 4)))  # size, stride

    def __init__(self) -> None:
        super().__init__()
        sizes = (1, *[self.N] * 5)
        self.convolutions = nn.ModuleList(nn.Conv2d(n, self.N, 3, padding=1) for n in sizes[:-1])
        self.norms = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-3) for n in sizes)
        self.tags = nn.Linear(2 * self.N, 50)  # at the end 2 frames, 1 band

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, 187, 96) -> tags (batch, 50) from 0 to 1, embedding (batch, 256)."""
        image = self.norms[0](mel[:, None])
        for layer, norm, (size, stride) in zip(
            self.convolutions, self.norms[1:], self.POOLS, strict=True
        ):
            signs = signs_of(norm)
            pooled = max_pool2d(convolved(image, cast(nn.Conv2d, layer), signs), size, stride)
            image = norm(relu(pooled * signs[:, None, None]))
        embedding = image.permute(0, 2, 3, 1).flatten(1)  # frame, band, feature
        return torch.sigmoid(self.tags(embedding)), embedding


def network_of(state: Mapping[str, Tensor]) -> MusiCNN | VGG:
    """The network that has these weights, of any precision, ready to predict.

    Raises KeyError or RuntimeError where they are of neither.
    """
    if "convolutions.0.weight" in state:
        network: MusiCNN | VGG = convert_conv2d_weight_memory_format(VGG(), torch.channels_last)
    else:
        network = MusiCNN(len(state["middle.0.weight"]), len(state["dense.weight"]))
    network.load_state_dict({key: value.float() for key, value in state.items()})
    return network.eval().requires_grad_(False)


class Tagger:
    """Tags recordings by two networks, trained on MagnaTagATune (MTT) and the Million Song Dataset
    (MSD).

    weights: a file that recipes/tagger_weights.py made; it is read when it is first needed.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self.weights = weights

    def about(self) -> dict[str, str]:
        """Which networks, and the SHA-256 of the weights, for the results."""
        package = checkpoint.read_header(self.weights)["package"]
        return {"package": package, "licence": "ISC", "sha256": sha256(self.weights)}

    @cached_property
    def _networks(self) -> dict[str, tuple[MusiCNN | VGG, list[str]]]:
        """By name: the network, and its tags in the order of its outputs."""
        tensors, header = checkpoint.read(self.weights)
        return {
            name: (network_of(checkpoint.below(f"{name}.", tensors)), tags)
            for name, tags in header["tags"].items()
        }

    @torch.inference_mode()
    def predict(
        self, wave: Wave, sr: int, *, networks: Sequence[str] = ("MTT", EMBEDDING)
    ) -> TaggerOutput:
        """Tags and embeddings of a mono wave (n_samples,) of any rate in Hz and any length.

        networks: those that are asked. The level counts: bring recordings that are compared to one.
        Raises MetricError on an empty or non-finite wave.
        """
        patches = log_mel_patches(checked(wave), sr).split(PATCH_BATCH)
        tags: dict[str, dict[str, float]] = {}
        embeddings: Any = None
        for name in networks:
            network, names = self._networks[name]
            values, found = map(torch.cat, zip(*map(network, patches), strict=True))
            tags[name] = dict(zip(names, values.mean(0).tolist(), strict=True))
            if name == EMBEDDING:
                embeddings = found.numpy()
        return TaggerOutput(tags, embeddings)


def log_mel_patches(wave: Wave, sr: int) -> Tensor:
    """The tagger's input, (n_patches, 187, 96): log10(1 + 10000 * mel power) at 16 kHz.

    Patches of 3 s, side by side; a rest at the end is left out, a shorter wave repeats itself. In
    float32: the published program's float16 overflows on loud recordings.
    """
    low = librosa.resample(wave, orig_sr=sr, target_sr=SR, res_type="soxr_hq")
    power = librosa.feature.melspectrogram(y=low, sr=SR, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS)
    mel = np.log10(1 + 10_000 * power.T).astype(np.float32)
    if len(mel) < PATCH_FRAMES:
        mel = np.resize(mel, (PATCH_FRAMES, N_MELS))
    n_patches = len(mel) // PATCH_FRAMES
    return torch.from_numpy(mel[: n_patches * PATCH_FRAMES].reshape(-1, PATCH_FRAMES, N_MELS))


def checked(wave: Wave) -> Wave:
    """The wave, mono and finite. Raises MetricError."""
    if np.ndim(wave) != 1 or not len(wave) or not np.isfinite(wave).all():
        raise MetricError(
            f"the tagger and the transcriber take mono waves (n_samples,), not empty and without "
            f"NaN (got shape {np.shape(wave)}); mix and check it first"
        )
    return np.asarray(wave, np.float32)
