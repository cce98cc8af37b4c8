"""The twin that learns from pairs: a contrastive embedding, and retrieval from what it has indexed.

As in every twin, two encoders meet in one latent space. Here nothing but versions of one piece says
what that space is: what is played at one time in both shall lie together, and far from all that is
played elsewhere (contrastive learning: van den Oord et al. 2018; across two kinds of input: Radford
et al. 2021). A piece has many right versions, and their mean, which errors against one of them
teach, is a blur. So the way out of the latent space is an index of training recordings, kept as
codes of an autoencoder (see `retrieval`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from torch.utils.data import Dataset

from thirdstream.data.corpus import TRAIN, Corpus, CorpusError, Versions
from thirdstream.mel.features.augmentation import augmented
from thirdstream.mel.features.inputs import INPUT_FEATURES, InputFeature, input_features
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models.model import (
    HOP_FRAMES,
    MODEL,
    RECONSTRUCTION,
    WINDOW_FRAMES,
    Batch,
    Losses,
    Rule,
    TrainingMels,
    check_config,
    mean_over,
)
from thirdstream.mel.models.retrieval import (
    CONTEXT,
    UNIT,
    Index,
    Parts,
    Retrieval,
    chroma_onsets,
    contexts,
)
from thirdstream.mel.models.travel import TRAVEL, travel_losses
from thirdstream.mel.models.twin import reconstruction_loss
from thirdstream.mel.networks.blocks import PerStyle
from thirdstream.mel.networks.frames import (
    FrameDecoder,
    FrameEncoder,
    initialise_with_components,
)

CONTRASTIVE = "contrastive"
TEMPERATURE = 0.07  # of the comparison of contexts
N_CONTRASTIVE_BLOCKS, DILATIONS = 4, (1, 2)  # a receptive field of 0.8 s to either side
N_FIRST = 256  # segments whose principal components the autoencoders begin with


@dataclass(frozen=True)
class PairedConfig:
    """Size and shape of the networks, which work along time alone, and the weight of each loss."""

    channels: int = 128
    """Of the autoencoders."""
    latent_channels: int = 96
    """Of their code."""
    kernel_size: int = 7
    """Of all convolutions, odd."""
    n_convs: int = 1
    """Residual blocks of the autoencoders."""
    patch: int = 4
    """Frames that make one column of the code."""
    n_mels: int = 256
    """Bands of the mels."""
    contrastive_channels: int = 160
    """Of the contrastive encoders."""
    embedding_size: int = 64
    """Numbers that a column is embedded as."""
    n_index_segments: int = 512
    """Segments of each style in the index."""
    features: tuple[InputFeature, ...] = ("mel",)
    """What the encoders get besides or instead of the mel."""
    weights: Mapping[str, float] | None = None
    """Of the losses, by name."""

    def __post_init__(self) -> None:
        n_columns, features = HOP_FRAMES // UNIT, set(self.features)
        rules = [
            Rule("kernel_size", self.kernel_size % 2 == 1, "odd"),
            Rule("patch", self.patch > 0 and n_columns % self.patch == 0,
                 f"a divisor of {n_columns}"),
            Rule("features", bool(features) and features <= set(INPUT_FEATURES),
                 f"one or more of {', '.join(INPUT_FEATURES)}"),
        ]  # fmt: skip
        sizes = ("channels", "latent_channels", "kernel_size", "patch", "n_mels",
                 "contrastive_channels", "embedding_size", "n_index_segments")  # fmt: skip
        check_config(self, rules, sizes=sizes, layers=("n_convs",))


LOSSES = {RECONSTRUCTION: 1.0, CONTRASTIVE: 1.0}


class TwinPaired(Retrieval):
    """Two autoencoders, two encoders that agree on versions of one piece, and two indices."""

    Config = PairedConfig
    config: PairedConfig
    PRESETS: ClassVar[Mapping[str, PairedConfig]] = {
        "default": PairedConfig(weights=LOSSES),
        "travel": PairedConfig(weights={**LOSSES, TRAVEL: 0.1}),
    }
    PHASE = "propagated"  # transfers have other notes than the recording
    FOLLOWS_DYNAMICS = False  # what is retrieved is as loud as it was in its own recording
    SELECTION_METRIC = CONTRASTIVE

    def __init__(self, styles: tuple[str, str], config: PairedConfig) -> None:
        super().__init__(styles, config)
        self.embedding_size, self.n_index_segments = config.embedding_size, config.n_index_segments
        self.encoders = PerStyle({style: _encoder(config) for style in styles})
        self.decoders = PerStyle({style: _decoder(config) for style in styles})
        self.contrastive_encoders = PerStyle(
            {style: _contrastive_encoder(config) for style in styles}
        )
        self.indices = PerStyle({s: self.new_index(config.n_index_segments) for s in styles})
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def new_index(self, n_segments: int) -> Index:
        """An empty index for this model's codes."""
        return Index(
            n_segments,
            n_columns=-(-WINDOW_FRAMES // self.config.patch),
            n_latent=self.config.latent_channels,
            embedding_size=self.config.embedding_size,
        )

    def index_of(self, style: str) -> Index:
        """The index of one style."""
        return self.indices[style]

    # --- transfer ---------------------------------------------------------------------------------

    def encode(self, mel: Tensor, style: str) -> Tensor:
        """Mel of `style` -> the autoencoder's code (batch, latent_channels, time, 1)."""
        return self.encoders[style](input_features(mel, self.config.features))

    def embed(self, mel: Tensor, style: str) -> Tensor:
        """Mel of `style` -> contrastive embeddings (batch, embedding_size, time, 1)."""
        return self.contrastive_encoders[style](input_features(mel, self.config.features))

    def decode(self, code: Tensor, style: str, *, n_frames: int) -> Tensor:
        """Code of the autoencoder -> mel of `style`."""
        return self.decoders[style](code, n_frames=n_frames)[:, 0]

    def parts(self, mel: Tensor, style: str) -> Parts:
        """Mel of `style` -> code, embedding, chroma and onsets."""
        features = chroma_onsets(mel, self.config.patch)
        sizes = [self.config.latent_channels, self.config.embedding_size, features.shape[1]]
        both = [self.encode(mel, style), self.embed(mel, style), features]
        # Joined and cut again: else exported networks take their own lengths for constants.
        return Parts(*torch.cat(both, dim=1).split(sizes, dim=1))

    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """The units of the target's index that lie nearest to those of the mel, decoded.

        condition: (1, embedding_size), the noise on the query. With `source` equal to `target`
        the self-reconstruction, without the index; so too without a condition, which gives the
        mel's own code to the other decoder.
        """
        if source == target or condition is None:
            code = self.encode(mel, source)
        else:
            parts = self.parts(mel, source)
            code = self.indices[target].retrieve(parts, noise=condition)
            code = code[:, :, : parts.code.shape[2]]
        return self.decode(code, target, n_frames=mel.shape[1])

    # --- training ---------------------------------------------------------------------------------

    @classmethod
    def training_set(
        cls, corpus: Corpus, split: str, *, seed: int = 0, epoch: int = 0
    ) -> Dataset[dict[str, Tensor]]:
        """Two versions of a piece at one place; in training random pairs of the others among them.

        Raises CorpusError where the corpus has no versions.
        """
        if split == TRAIN and not corpus.aligned(TRAIN):
            raise CorpusError(
                f"{corpus.path}: has no two versions of a piece to learn from; prepare it with "
                "--paired"
            )
        return Versions(corpus, split, seed=seed, epoch=epoch, others=split == TRAIN)

    def augment(self, power: Tensor, config: MelConfig) -> Tensor:
        """Embeddings should not depend on the recording: see `augmented`."""
        return augmented(power, config)

    def initialise(self, training_mels: TrainingMels) -> None:
        """Autoencoders begin as the principal components, which no gradient finds soon."""
        first = list(training_mels(N_FIRST))
        if not first or "mel" not in self.config.features:
            return
        place = self.config.features.index("mel")
        for style in self.styles:
            mel = torch.cat([mels[style] for mels in first])
            initialise_with_components(
                self.encoders[style], self.decoders[style], mel, feature=place
            )

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """Eq. 1, how far versions lie from each other, and the travel loss of what has none."""
        rebuilt = {style: self.reconstruct(mel, style) for style, mel in batch.mels.items()}
        embeddings = {style: self.embed(mel, style) for style, mel in batch.inputs.items()}
        losses = {
            RECONSTRUCTION: reconstruction_loss(batch.mels, rebuilt),
            CONTRASTIVE: contrastive_loss(embeddings, batch.aligned),
        }
        if TRAVEL in (self.config.weights or {}):
            losses[TRAVEL] = travel_loss(embeddings, batch.aligned)
        return losses


def _encoder(config: PairedConfig) -> FrameEncoder:
    return FrameEncoder(
        config.channels, n_mels=config.n_mels, latent_channels=config.latent_channels,
        patch=config.patch, kernel_size=config.kernel_size, n_blocks=config.n_convs,
        n_features=len(config.features),
    )  # fmt: skip


def _decoder(config: PairedConfig) -> FrameDecoder:
    return FrameDecoder(
        config.channels, n_mels=config.n_mels, latent_channels=config.latent_channels,
        patch=config.patch, kernel_size=config.kernel_size, n_blocks=config.n_convs,
    )  # fmt: skip


def _contrastive_encoder(config: PairedConfig) -> FrameEncoder:
    return FrameEncoder(
        config.contrastive_channels, n_mels=config.n_mels, latent_channels=config.embedding_size,
        patch=config.patch, kernel_size=config.kernel_size, n_blocks=N_CONTRASTIVE_BLOCKS,
        dilations=DILATIONS, n_features=len(config.features),
    )  # fmt: skip


def compared(embedding: Tensor) -> Tensor:
    """The contexts that training compares, of which even a short segment has one."""
    missing = max(0, CONTEXT - embedding.shape[2])
    return contexts(pad(embedding, (0, 0, 0, missing)), stride=CONTEXT // 2)


def contrastive_loss(embeddings: Mapping[str, Tensor], aligned: Tensor | None = None) -> Tensor:
    """How surprising it is, in nats, that a context of one style goes with that of the other.

    Among all contexts of the batch, both ways. embeddings: by style, (batch, n, time, 1). aligned:
    see `Batch`; a batch without versions loses nothing.
    """
    one, other = (compared(embedding) for embedding in embeddings.values())
    n_items, n_contexts, _ = one.shape
    similarity = one.flatten(0, 1) @ other.flatten(0, 1).T / TEMPERATURE
    counts = similarity.new_ones(n_items) if aligned is None else aligned
    counts = counts.repeat_interleave(n_contexts)
    own = torch.arange(len(similarity), device=similarity.device)
    both = (similarity, similarity.T)
    surprise = sum(cross_entropy(way, own, reduction="none") for way in both)
    return (counts * surprise).sum() / (2 * counts.sum().clamp(min=1))


def travel_loss(embeddings: Mapping[str, Tensor], aligned: Tensor | None = None) -> Tensor:
    """The travel loss of recordings without a version: what is retrieved for any two contexts shall
    lie to one another as they do.

    What is retrieved for a context is the mean of the other style's in the batch, each as much as
    it is likely to be its version; so gradients pass, which they don't through an index. As
    `contrastive_loss` else.
    """
    losses = []
    for (_, own), (_, others) in permutations(embeddings.items()):
        known, alone = compared(others).flatten(0, 1), compared(own)
        alone = alone[:0] if aligned is None else alone[aligned == 0]
        queries = alone.flatten(0, 1)
        retrieved = (queries @ known.T / TEMPERATURE).softmax(dim=1) @ known
        losses.append(travel_losses(queries, after=retrieved)[0])
    return mean_over(losses)
