"""An index of training recordings, from which a transfer is put together (audio mosaicing).

As in Zils and Pachet (2001) and Driedger et al. (2015): for each unit of a recording, the unit of
the other style that lies nearest. What lies nearest is said by an embedding, by chroma, and by
where in the unit something begins.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, normalize, pad

from thirdstream.mel.features.chroma import N_CHROMA, chroma, onset_strength
from thirdstream.mel.models.model import MelModel, Mels, TrainingMels
from thirdstream.mel.networks.blocks import pad_time

UNIT = 4  # columns of code that are retrieved as one
CONTEXT = 8  # columns around a unit by which it is found
FADE = 4  # columns, at the start of each unit, in which the one before fades out
STRIDE = 2  # columns from one indexed context to the next
N_CANDIDATES = 8  # segments that are considered for each that is indexed
N_QUERIES = 1024  # segments whose units say which of the other style's are worth indexing
QUERY_NOISE = 0.2  # length of the noise on an embedding, which has 1: another seed, another version
CHROMA_WEIGHT, ONSET_WEIGHT = 1.5, 0.7  # in the similarity of contexts; the embedding counts 1
INT8_MAX = 127  # codes and keys are stored as integers


class Parts(NamedTuple):
    """Of some columns, (batch, n, time, 1) each: the autoencoder's code, the embedding, and the
    chroma and onset features, N_CHROMA and one.
    """

    code: Tensor
    embedding: Tensor
    chroma_onsets: Tensor


class Retrieval(MelModel):
    """A model whose transfers are found in an index of training recordings.

    Its condition is a direction of noise on the query, which is drawn: another one leads to another
    version.
    """

    embedding_size: int  # of Parts.embedding
    n_index_segments: int

    @abstractmethod
    def new_index(self, n_segments: int) -> "Index":
        """An empty index."""

    @abstractmethod
    def index_of(self, style: str) -> "Index":
        """The index of one style."""

    @abstractmethod
    def parts(self, mel: Tensor, style: str) -> Parts:
        """Mel of `style` -> Parts."""

    def default_condition(self, target: str, *, generator: torch.Generator) -> Tensor | None:
        """A direction of noise on the query, (1, embedding_size)."""
        drawn = torch.randn(1, self.embedding_size, generator=generator)
        return drawn.to(next(self.parameters()).device)

    def end_epoch(self, training_mels: TrainingMels) -> None:
        """The index is of the codes as they are by then."""
        self.build_index(training_mels(N_CANDIDATES * self.n_index_segments))

    @torch.no_grad()
    def build_index(self, batches: Iterable[Mels]) -> None:
        """Index those of some whole segments that are nearest to most units of the other style.

        batches: normalised mels; at most N_CANDIDATES times n_index_segments of them are used.
        """
        n_most = N_CANDIDATES * self.n_index_segments
        pools, n_added = {style: self.new_index(n_most) for style in self.styles}, 0
        for mels in batches:
            for style, mel in mels.items():
                pools[style].add(n_added, Parts(*(p.cpu() for p in self.parts(mel, style))))
            n_added = min(n_added + len(next(iter(mels.values()))), n_most)
        for style in self.styles:
            queries = pools[self.other(style)].keys[: min(n_added, N_QUERIES), :: UNIT // STRIDE]
            self.index_of(style).select(pools[style], n_added, queries=queries)


def contexts(embedding: Tensor, *, stride: int) -> Tensor:
    """Means over CONTEXT columns, of length 1: (batch, n, time, 1) -> (batch, n_contexts, n).

    A context begins every `stride` columns.
    """
    return normalize(avg_pool1d(embedding[..., 0], CONTEXT, stride).transpose(1, 2), dim=2)


def chroma_onsets(mel: Tensor, patch: int) -> Tensor:
    """Chroma and onset features by column: (batch, n_frames, n_mels) -> (batch, N_CHROMA + 1,
    time, 1).

    The end is padded as codes are.
    """
    both = torch.cat([chroma(mel), onset_strength(mel)[..., None]], dim=2).transpose(1, 2)
    return avg_pool1d(pad_time(both[..., None], patch)[..., 0], patch)[..., None]


def keys_of(parts: Parts, *, stride: int, noise: Tensor | None = None) -> Tensor:
    """Where contexts lie: (batch, n_contexts, n), of length 1. Their similarity is the product.

    noise: (1 or batch, embedding_size), the direction in which embeddings are moved first.
    """
    embedded = contexts(parts.embedding, stride=stride)
    if noise is not None:
        embedded = normalize(embedded + QUERY_NOISE * normalize(noise, dim=1)[:, None], dim=2)
    classes = avg_pool1d(parts.chroma_onsets[:, :N_CHROMA, :, 0], CONTEXT, stride).transpose(1, 2)
    onsets, n = parts.chroma_onsets[:, N_CHROMA, :, 0], embedded.shape[1]
    rhythm = torch.stack(
        [onsets[:, k : k + stride * n : stride][:, :n] for k in range(CONTEXT)], dim=2
    )
    weighted = [CHROMA_WEIGHT**0.5 * centred(classes), ONSET_WEIGHT**0.5 * centred(rhythm)]
    return torch.cat([embedded, *weighted], dim=2) / (1 + CHROMA_WEIGHT + ONSET_WEIGHT) ** 0.5


def centred(x: Tensor) -> Tensor:
    """What differs from the mean along the last axis, of length 1: products are correlations."""
    return normalize(x - x.mean(dim=2, keepdim=True), dim=2)


class Index(nn.Module):
    """Segments of one style, as codes, and for each of their contexts its key.

    Both as whole numbers up to INT8_MAX: a quarter of the room, and an error that decoders don't
    mind. scales: (n_segments, n_latent), of a segment's integers.
    """

    codes: Tensor
    keys: Tensor
    scales: Tensor

    def __init__(
        self, n_segments: int, *, n_columns: int, n_latent: int, embedding_size: int
    ) -> None:
        super().__init__()
        n_contexts, n_key = (n_columns - CONTEXT) // STRIDE + 1, embedding_size + N_CHROMA + CONTEXT
        shapes = {"codes": (n_columns, n_latent), "keys": (n_contexts, n_key)}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(n_segments, *shape, dtype=torch.int8))
        self.register_buffer("scales", torch.ones(n_segments, n_latent))

    def add(self, start: int, parts: Parts) -> None:
        """Put whole segments in, from the place `start` on."""
        parts = Parts(*(part[: len(self.codes) - start] for part in parts))
        codes, where = parts.code[..., 0].mT, slice(start, start + len(parts.code))
        self.scales[where] = codes.abs().amax(dim=1).clamp(min=1e-6) / INT8_MAX
        self.codes[where] = (codes / self.scales[where, None]).round().to(torch.int8)
        self.keys[where] = (INT8_MAX * keys_of(parts, stride=STRIDE)).round().to(torch.int8)

    def select(self, pool: "Index", n: int, *, queries: Tensor) -> None:
        """Keep those of the first `n` segments of a pool that are nearest to most of `queries`,
        (any number, n_units, n_key), in their order; some twice if there are more places.
        """
        keys = pool.keys[:n].flatten(0, 1).float()
        uses = torch.zeros(n, dtype=torch.long)
        for units in queries:
            best = (units.float() @ keys.T).argmax(dim=1) // pool.keys.shape[1]
            uses += best.bincount(minlength=n)
        chosen = uses.argsort(descending=True, stable=True)[: len(self.codes)].sort().values
        chosen = chosen[torch.arange(len(self.codes)) % len(chosen)]
        for name, kept in self.named_buffers():
            kept.copy_(pool.get_buffer(name)[chosen])

    def retrieve(self, parts: Parts, *, noise: Tensor) -> Tensor:
        """The codes (batch, n, time, 1) of the units that lie nearest to those of `parts`.

        noise: see `keys_of`.
        """
        around = CONTEXT - UNIT
        end = around - around // 2 + -parts.embedding.shape[2] % UNIT
        whole = Parts(*(pad(part, (0, 0, around // 2, end)) for part in parts))
        queries = keys_of(whole, stride=UNIT, noise=noise)
        best = (queries @ self.keys.flatten(0, 1).float().T).argmax(dim=2)  # (batch, n_units)
        n_contexts, n_columns = self.keys.shape[1], self.codes.shape[1]
        segment, first = best // n_contexts, best % n_contexts * STRIDE + around // 2
        columns = first[..., None] + torch.arange(UNIT + FADE, device=best.device)
        rows = segment[..., None] * n_columns + columns.clamp(max=n_columns - 1)
        found = self.codes.flatten(0, 1)[rows] * self.scales[segment][:, :, None]
        return cross_faded(found).transpose(1, 2)[..., None]


def cross_faded(units: Tensor) -> Tensor:
    """Units one after the other, where each goes on a little while the next one comes up.

    (batch, n_units, UNIT + FADE, n) -> (batch, n_units * UNIT, n).
    """
    before = torch.cat([units[:, :1, :FADE], units[:, :-1, UNIT:]], dim=1)
    share = torch.arange(1, FADE + 1, device=units.device)[:, None] / (FADE + 1)
    start = torch.lerp(before, units[:, :, :FADE], share)
    return torch.cat([start, units[:, :, FADE:UNIT]], dim=2).flatten(1, 2)
