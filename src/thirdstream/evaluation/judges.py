"""Independent ears: published networks that judge what the systems make.

Both are optional, found in packages that are installed beside this one, and loaded when they are
first asked. Nothing is trained against them: a judge that was a loss is no judge. The other judge
is in `transcriber.py`.

Tagger: musicnn (Pons and Serra, ISMIR 2019 late-breaking), its published weights read from the
wheel `musicnn==0.1.0` (ISC licence, Music Technology Group, Universitat Pompeu Fabra 2019); the
network is written anew in PyTorch after the paper's architecture.
"""

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from thirdstream.audio import Wave
from thirdstream.evaluation import tensorbundle
from thirdstream.evaluation.metrics import MetricError
from thirdstream.files import ThirdstreamError, sha256
from thirdstream.packages import INSTALL, folder_of

ACCEPTED = 0.25  # the least a tag must reach

# The tags of each model, in the order of its outputs (musicnn's documentation).
TAGS = {  # MagnaTagATune, Million Song Dataset
    name: tuple(word.replace("_", " ") for word in text.split())
    for name, text in {
        "MTT": (
            "guitar classical slow techno strings drums electronic rock fast piano ambient beat "
            "violin vocal synth female indian opera male singing vocals no_vocals harpsichord "
            "loud quiet flute woman male_vocal no_vocal pop soft sitar solo man classic choir "
            "voice new_age dance male_voice female_vocal beats harp cello no_voice weird "
            "country metal female_voice choral"
        ),
        "MSD": (
            "rock pop alternative indie electronic female_vocalists dance 00s alternative_rock "
            "jazz beautiful metal chillout male_vocalists classic_rock soul indie_rock Mellow "
            "electronica 80s folk 90s chill instrumental punk oldies blues hard_rock ambient "
            "acoustic experimental female_vocalist guitar Hip-Hop 70s party country "
            "easy_listening sexy catchy funk electro heavy_metal Progressive_rock 60s rnb "
            "indie_pop sad House happy"
        ),
    }.items()
}
STYLE_TAGS = {"classical": ("MTT", "classical"), "jazz": ("MSD", "jazz")}


def accepted(*, target: float, other: float) -> bool:
    """Whether the music passes for the target style: its tag above the other's, and at least 0.25.

    target, other: tag values 0 to 1 of the two styles.
    """
    return target > other and target >= ACCEPTED


# --- tagger -------------------------------------------------------------------------------------

TAGGER_SR, TAGGER_N_FFT, TAGGER_HOP, TAGGER_MELS = 16_000, 512, 256, 96  # Hz, samples
PATCH_FRAMES = 187  # 3 s: what the network was trained on
PATCH_BATCH = 16
TIMBRAL_WIDTHS = (38, 67)  # mels: 0.4 and 0.7 of all
TEMPORAL_LENGTHS = (128, 64, 32)  # frames


class Heard(NamedTuple):
    """What the tagger hears in a recording.

    tags: model -> tag -> 0 to 1, mean over patches of 3 s. embeddings: (n_patches, 200), the MSD
    model's last layer but one.
    """

    tags: Mapping[str, Mapping[str, float]]
    embeddings: NDArray[np.float32]

    def style(self, name: str) -> float:
        """The tag of a style. Raises ThirdstreamError for one that no tag stands for."""
        if name not in STYLE_TAGS:
            raise ThirdstreamError(
                f"the tagger has no tag for the style {name!r}; it knows {', '.join(STYLE_TAGS)}"
            )
        model, tag = STYLE_TAGS[name]
        return self.tags[model][tag]


class MusiCNN(nn.Module):
    """The network of Pons and Serra: log-mel patches -> tags and embedding.

    Timbral filters (wide in frequency) and temporal ones (long in time), each pooled over all of
    frequency; three densely connected convolutions over time; maximum and mean over time; two dense
    layers. 787 thousand parameters.
    """

    norms: nn.ModuleList

    def __init__(self) -> None:
        super().__init__()
        shapes = [(204, (7, width)) for width in TIMBRAL_WIDTHS]
        shapes += [(51, (length, 1)) for length in TEMPORAL_LENGTHS]
        self.front = nn.ModuleList(nn.Conv2d(1, n, size) for n, size in shapes)
        n_front = sum(n for n, _ in shapes)
        self.middle = nn.ModuleList(nn.Conv1d(n, 64, 7, padding=3) for n in (n_front, 64, 64))
        n_pooled = 2 * (n_front + 3 * 64)
        self.dense, self.tags = nn.Linear(n_pooled, 200), nn.Linear(200, 50)
        sizes = (1, *(n for n, _ in shapes), 64, 64, 64, n_pooled, 200)
        self.norms = nn.ModuleList(nn.BatchNorm1d(n, eps=1e-3) for n in sizes)

    def _norm(self, values: Tensor, which: int) -> Tensor:
        """Batch normalisation over axis 1, whatever axes follow."""
        return self.norms[which](values.flatten(2) if values.ndim > 2 else values).view_as(values)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, n_frames, 96) -> tags (batch, 50) from 0 to 1, embedding (batch, 200)."""
        image = self._norm(mel[:, None], 0)  # (batch, 1, n_frames, n_mels)
        features = []
        lengths = (*[7] * len(TIMBRAL_WIDTHS), *TEMPORAL_LENGTHS)
        for which, (convolution, length) in enumerate(zip(self.front, lengths, strict=True), 1):
            padded = pad(image, (0, 0, (length - 1) // 2, length // 2))  # as many frames as before
            features.append(self._norm(relu(convolution(padded)), which).amax(3))
        layers = [torch.cat(features, 1)]  # (batch, 561, n_frames)
        for which, convolution in enumerate(self.middle, start=6):
            found = self._norm(relu(convolution(layers[-1])), which)
            layers.append(found + layers[-1] if which > 6 else found)
        whole = torch.cat(layers, 1)  # (batch, 753, n_frames)
        pooled = torch.stack([whole.amax(2), whole.mean(2)], 2).flatten(1)
        embedding = self._norm(relu(self.dense(self._norm(pooled, 9))), 10)
        return torch.sigmoid(self.tags(embedding)), embedding

    def load_tensorflow(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Take over the published checkpoint's variables.

        Kernels come as (height, width, in, out); those of the middle span all features as width.
        Raises ThirdstreamError if they do not fit.
        """
        state: dict[str, NDArray[Any]] = {}
        layers = [f"front.{k}" for k in range(5)] + [f"middle.{k}" for k in range(3)]
        try:
            for number, layer in enumerate(layers):
                kernel = tensors[_numbered("conv2d", number) + "/kernel"]
                order = (3, 2, 0, 1) if layer.startswith("front") else (3, 1, 0, 2)
                turned = kernel.transpose(order)
                state[f"{layer}.weight"] = turned if number < 5 else turned[..., 0]
                state[f"{layer}.bias"] = tensors[_numbered("conv2d", number) + "/bias"]
            for number, layer in enumerate(("dense", "tags")):
                state[f"{layer}.weight"] = tensors[_numbered("dense", number) + "/kernel"].T
                state[f"{layer}.bias"] = tensors[_numbered("dense", number) + "/bias"]
            for number in range(len(self.norms)):
                for ours, theirs in NORM_NAMES.items():
                    name = f"{_numbered('batch_normalization', number)}/{theirs}"
                    state[f"norms.{number}.{ours}"] = tensors[name]
                state[f"norms.{number}.num_batches_tracked"] = np.array(0)
            self.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value).copy())
                                  for name, value in state.items()})  # fmt: skip
        except (KeyError, RuntimeError) as error:
            raise ThirdstreamError(
                f"the tagger's checkpoint is not musicnn 0.1.0's ({error}); "
                f"type: {INSTALL['musicnn']}"
            ) from error


NORM_NAMES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def _numbered(name: str, number: int) -> str:
    """TensorFlow's names: the first has no number."""
    return f"{name}_{number}" if number else name


class Tagger:
    """Hears tags in recordings. Raises MissingPackage where musicnn is not installed."""

    def __init__(self) -> None:
        self._folder = folder_of("musicnn")

    def about(self) -> dict[str, str]:
        """Which package, and the SHA-256 of the weights, for the results."""
        data = {name: self._prefix(name) + ".data-00000-of-00001" for name in TAGS}
        return {"package": f"musicnn {version('musicnn')}"} | {
            f"{name}_sha256": sha256(Path(path)) for name, path in data.items()
        }

    def _prefix(self, model: str) -> str:
        return f"{self._folder / (model + '_musicnn')}/"  # the files' names are endings alone

    @cached_property
    def _models(self) -> dict[str, MusiCNN]:
        models = {}
        for name in TAGS:
            models[name] = MusiCNN().eval().requires_grad_(False)
            models[name].load_tensorflow(tensorbundle.read(self._prefix(name)))
        return models

    def listen(self, wave: Wave, sr: int) -> Heard:
        """Tags and embeddings of a mono wave (n_samples,) of any rate in Hz and any length.

        The level counts: bring recordings that are compared to one. Raises MetricError on an empty
        or non-finite wave.
        """
        patches = log_mel_patches(checked(wave), sr)
        tags, embeddings = {}, np.zeros((0, 200), np.float32)
        with torch.inference_mode():
            for name, model in self._models.items():
                values, found = zip(*(model(part) for part in patches.split(PATCH_BATCH)),
                                    strict=True)  # fmt: skip
                means = torch.cat(values).mean(0).tolist()
                tags[name] = dict(zip(TAGS[name], means, strict=True))
                embeddings = torch.cat(found).numpy()  # of the last, MSD
        return Heard(tags, embeddings)


def log_mel_patches(wave: Wave, sr: int) -> Tensor:
    """The tagger's input, (n_patches, 187, 96): log10(1 + 10000 * mel power) at 16 kHz.

    Patches of 3 s, side by side; a rest at the end is left out, a shorter wave repeats itself. In
    float32: the published program's float16 overflows on loud recordings.
    """
    low = librosa.resample(wave, orig_sr=sr, target_sr=TAGGER_SR, res_type="soxr_hq")
    power = librosa.feature.melspectrogram(
        y=low, sr=TAGGER_SR, n_fft=TAGGER_N_FFT, hop_length=TAGGER_HOP, n_mels=TAGGER_MELS
    )
    mel = np.log10(1 + 10_000 * power.T).astype(np.float32)
    if len(mel) < PATCH_FRAMES:
        mel = np.resize(mel, (PATCH_FRAMES, TAGGER_MELS))
    n_patches = len(mel) // PATCH_FRAMES
    return torch.from_numpy(
        mel[: n_patches * PATCH_FRAMES].reshape(n_patches, PATCH_FRAMES, TAGGER_MELS)
    )


def checked(wave: Wave) -> Wave:
    """The wave, mono and finite. Raises MetricError."""
    if np.ndim(wave) != 1 or not len(wave) or not np.isfinite(wave).all():
        raise MetricError(
            f"a judge hears mono waves (n_samples,), not empty and without NaN "
            f"(got shape {np.shape(wave)}); mix and check it first"
        )
    return np.asarray(wave, np.float32)
