"""The twin that learns from pairs: it answers what it hears with music of the other style it knows.

As in every twin, two encoders meet in one latent space. Here nothing but versions of one piece says
what that space is: what is played at one time in both shall lie together, and apart from all that
is played elsewhere (contrastive learning: van den Oord et al. 2018; across two kinds of input:
Radford et al. 2021). A piece has many right versions, and their mean, which errors against one of
them teach, is a blur. So the way out of the latent space is a memory: of training recordings, kept
as codes of an autoencoder, a transfer takes for each moment the one that lies next (as in audio
mosaicing: Zils and Pachet 2001; Driedger et al. 2015). What lies next is said by what the ears have
learnt, and by two things that need no learning: harmony, and where in a moment something begins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import permutations
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, cross_entropy, normalize, pad

from thirdstream.mel.features.chroma import N_CLASSES, attacks, harmony
from thirdstream.mel.models.travel import TRAVEL, travelled
from thirdstream.mel.models.twin import (
    HOP_FRAMES,
    RECONSTRUCTION,
    WINDOW_FRAMES,
    Code,
    Pass,
    Twin,
    TwinConfig,
    mean_over,
    reconstruction_loss,
)
from thirdstream.mel.networks.blocks import PerStyle, pad_time
from thirdstream.mel.networks.frames import FrameDecoder, FrameEncoder, begin_with_components

AGREEMENT = "agreement"
MOMENT = 4  # columns of code that are answered as one
SPAN = 8  # columns around a moment by which its answer is chosen
FADE = 4  # columns, at the start of each, in which the answer before it fades out
STRIDE = 2  # columns from one remembered span to the next
CHOICE = 8  # segments that are heard for each that is remembered
N_ASKING = 1024  # segments whose moments say which of the other style's are worth it
TEMPERATURE = 0.07  # of the comparison of spans
ADRIFT = 0.2  # length of the noise on what is heard, which has 1: another seed, another answer
HARMONY, ATTACKS = 1.5, 0.7  # what these count in the likeness of spans; the ears count 1
EAR_BLOCKS, EAR_DILATIONS = 4, (1, 2)  # so that it hears 0.8 s to either side
FULL = 127  # of the integers that codes are remembered as


class Parts(NamedTuple):
    """Of a content, (batch, n, time, 1) each: the autoencoder's code, what the ear hears, and what
    can be read off the mel: N_CLASSES of harmony, and attacks.
    """

    sound: Tensor
    music: Tensor
    marks: Tensor


LOSSES = {RECONSTRUCTION: 1.0, AGREEMENT: 1.0}
DEFAULT = TwinConfig(
    channels=(128,),
    latent_channels=96,
    kernel_size=7,
    n_convs=1,
    patch=4,
    n_mels=256,
    ear_channels=160,
    shared_channels=64,
    n_remembered=512,
    weights=LOSSES,
)


class TwinPaired(Twin):
    """Two autoencoders, two ears that agree on versions of one piece, and what they have heard."""

    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        "default": DEFAULT,
        "travel": replace(DEFAULT, weights={**LOSSES, TRAVEL: 0.1}),
    }
    PAIRED = True
    PHASE = "carried"  # it plays other notes than the recording
    FOLLOWS = False  # what it remembers is as loud as it was there
    JUDGED_BY = AGREEMENT

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        if config.n_mels is None or config.ear_channels is None:
            raise ValueError("a twin-paired needs n_mels and ear_channels")
        if HOP_FRAMES % (config.patch * MOMENT):
            raise ValueError(
                f"{HOP_FRAMES} frames are no multiple of {MOMENT} x patch {config.patch}"
            )
        self.ears = PerStyle({style: ear(config, config.ear_channels) for style in styles})
        self.memories = PerStyle({style: Memory(config) for style in styles})
        self.finish()

    def begin_on(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Autoencoders begin as the principal components, which no gradient finds soon."""
        first = list(batches)
        if not first or "mel" not in self.config.features:
            return
        view = self.config.features.index("mel")
        for style in self.styles:
            encoder, decoder = self.encoders[style], self.decoders[style]
            assert isinstance(encoder, FrameEncoder) and isinstance(decoder, FrameDecoder)
            mel = torch.cat([mels[style] for mels in first])
            begin_with_components(encoder, decoder, mel, view=view)

    @property
    def n_to_hear(self) -> int:
        """From how many training segments of each style it chooses what it remembers."""
        return CHOICE * self.config.n_remembered

    @torch.no_grad()
    def remember(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Put whole segments of normalised mels into the memories, in place of what is there: those
        that answer most moments of the other style.
        """
        pools = {style: Memory(self.config, self.n_to_hear) for style in self.styles}
        n_taken = 0
        for mels in batches:
            for style, mel in mels.items():
                pools[style].take(n_taken, self.parted(self.content(mel, style).cpu()))
            n_taken = min(n_taken + len(next(iter(mels.values()))), self.n_to_hear)
        for style in self.styles:
            asked = pools[self.other(style)].keys[: min(n_taken, N_ASKING), :: MOMENT // STRIDE]
            self.memories[style].keep(pools[style], n_taken, asked=asked)

    def content(self, mel: Tensor, style: str) -> Tensor:
        """All Parts, one behind the other."""
        return self._content(mel, style, heard=mel)

    def _content(self, mel: Tensor, style: str, *, heard: Tensor) -> Tensor:
        sound, music = self.encoders[style](self.seen(mel)), self.ears[style](self.seen(heard))
        return torch.cat([sound, music, marks(mel, self.config.patch)], dim=1)

    def parted(self, content: Tensor) -> Parts:
        """A content as its Parts."""
        n_sound, n_music = self.config.n_latent, self.config.shared_channels
        return Parts(*content.tensor_split([n_sound, n_sound + n_music], dim=1))

    def usual_style(self, style: str, *, generator: torch.Generator) -> Tensor | None:
        """Not a style, but a direction to drift to: another one leads to another version."""
        return torch.randn(1, self.config.shared_channels, generator=generator)

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`. One with a style is the other's, and is answered from memory."""
        parts = self.parted(code.content)
        sound = parts.sound
        if code.style is not None:
            sound = self.memories[style].answer(parts, drift=code.style)[:, :, : sound.shape[2]]
        return super().decode(code._replace(content=sound, style=None), style)

    def transfer(
        self, mel: Tensor, *, source: str, target: str, style: Tensor | None = None
    ) -> Tensor:
        """As every twin's; into the mel's own style it is the self-reconstruction, whatever `style`
        says: that needs no memory.
        """
        style = None if source == target else style
        return super().transfer(mel, source=source, target=target, style=style)

    def forward(
        self,
        mels: Mapping[str, Tensor],
        *,
        heard: Mapping[str, Tensor] | None = None,
        aligned: Tensor | None = None,
    ) -> dict[str, Pass]:
        """Both styles' mels to their reconstruction; nothing is transferred in training.

        heard: what the ears hear instead of the mels, such as the same on a bad recording.
        aligned: (batch,) 1 where the two mels are versions of one piece, 0 elsewhere; all are, if
        it is not given.
        """
        heard = mels if heard is None else heard
        codes = {
            style: Code(self._content(mel, style, heard=heard[style]), mel.shape[1])
            for style, mel in mels.items()
        }
        music = {style: self.parted(code.content).music for style, code in codes.items()}
        apart, strayed = disagreement(music, aligned), None
        if TRAVEL in (self.config.weights or {}):
            strayed = straying(music, aligned)
        passes = {}
        for style, code in codes.items():
            rebuilt = self.decode(code, style)
            passes[style] = Pass(code, rebuilt, code, rebuilt, code, apart, strayed)
        return passes

    def losses(self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Eq. 1, how far versions are apart, and how far others stray on their way."""
        one = next(iter(passes.values()))
        assert one.apart is not None
        losses = {RECONSTRUCTION: reconstruction_loss(mels, passes), AGREEMENT: one.apart}
        return losses if one.strayed is None else losses | {TRAVEL: one.strayed}


def ear(config: TwinConfig, n_channels: int) -> FrameEncoder:
    """What hears the music in mels of one style."""
    return FrameEncoder(
        n_channels,
        n_mels=config.n_mels or 0,
        latent_channels=config.shared_channels,
        patch=config.patch,
        kernel_size=config.kernel_size,
        n_blocks=EAR_BLOCKS,
        dilations=EAR_DILATIONS,
        n_views=len(config.features),
    )


def spans(music: Tensor, *, stride: int) -> Tensor:
    """What is heard over SPAN columns, of length 1: (batch, n, time, 1) -> (batch, n_spans, n).

    A span begins every `stride` columns.
    """
    return normalize(avg_pool1d(music[..., 0], SPAN, stride).transpose(1, 2), dim=2)


def marks(mel: Tensor, patch: int) -> Tensor:
    """Harmony and attacks, by column: (batch, n_frames, n_mels) -> (batch, N_CLASSES + 1, time, 1).

    The end is padded as codes are.
    """
    both = torch.cat([harmony(mel), attacks(mel)[..., None]], dim=2).transpose(1, 2)
    return avg_pool1d(pad_time(both[..., None], patch)[..., 0], patch)[..., None]


def places(parts: Parts, *, stride: int, drift: Tensor | None = None) -> Tensor:
    """Where spans lie: (batch, n_spans, n), of length 1. The likeness of two is their product.

    drift: (1 or batch, shared_channels), the direction in which what is heard is moved first.
    """
    heard = spans(parts.music, stride=stride)
    if drift is not None:
        heard = normalize(heard + ADRIFT * normalize(drift, dim=1)[:, None], dim=2)
    classes = avg_pool1d(parts.marks[:, :N_CLASSES, :, 0], SPAN, stride).transpose(1, 2)
    begun, n_spans = parts.marks[:, N_CLASSES, :, 0], heard.shape[1]
    rhythm = torch.stack(
        [begun[:, k : k + stride * n_spans : stride][:, :n_spans] for k in range(SPAN)], dim=2
    )
    weighed = [HARMONY**0.5 * apart_from_mean(classes), ATTACKS**0.5 * apart_from_mean(rhythm)]
    return torch.cat([heard, *weighed], dim=2) / (1 + HARMONY + ATTACKS) ** 0.5


def apart_from_mean(x: Tensor) -> Tensor:
    """What differs from the mean along the last axis, of length 1: products are correlations."""
    return normalize(x - x.mean(dim=2, keepdim=True), dim=2)


def compared(heard: Tensor) -> Tensor:
    """The spans that training compares, of which even a short segment has one."""
    missing = max(0, SPAN - heard.shape[2])
    return spans(pad(heard, (0, 0, 0, missing)), stride=SPAN // 2)


def disagreement(music: Mapping[str, Tensor], aligned: Tensor | None = None) -> Tensor:
    """How surprising it is, in nats, that a span of one style goes with that of the other.

    Among all spans of the batch, both ways. music: by style, (batch, n, time, 1). aligned: see
    `TwinPaired.forward`; a batch without versions loses nothing.
    """
    one, other = (compared(heard) for heard in music.values())
    n_items, n_spans, _ = one.shape
    likeness = one.flatten(0, 1) @ other.flatten(0, 1).T / TEMPERATURE
    counts = likeness.new_ones(n_items) if aligned is None else aligned
    counts = counts.repeat_interleave(n_spans)
    own = torch.arange(len(likeness), device=likeness.device)
    surprise = sum(cross_entropy(way, own, reduction="none") for way in (likeness, likeness.T))
    return (counts * surprise).sum() / (2 * counts.sum().clamp(min=1))


def straying(music: Mapping[str, Tensor], aligned: Tensor | None = None) -> Tensor:
    """The travel loss of recordings without a version: any two spans shall be answered by two that
    lie to one another as they do.

    A span's answer is the mean of the other style's in the batch, each as much as it is likely to
    be its version; so gradients pass, which they don't through a memory. As `disagreement` else.
    """
    losses = []
    for (_, own), (_, others) in permutations(music.items()):
        known, alone = compared(others).flatten(0, 1), compared(own)
        alone = alone[:0] if aligned is None else alone[aligned == 0]
        asked = alone.flatten(0, 1)
        answers = (asked @ known.T / TEMPERATURE).softmax(dim=1) @ known
        losses.append(travelled(asked, after=answers)[0])
    return mean_over(losses)


class Memory(nn.Module):
    """Segments of one style, as codes, and for each of their spans where it lies.

    Both as whole numbers up to FULL: a quarter of the room, and an error that decoders don't mind.
    """

    codes: Tensor
    keys: Tensor
    steps: Tensor

    def __init__(self, config: TwinConfig, n_places: int | None = None) -> None:
        """n_places: segments that it has room for; by default as many as a twin remembers."""
        super().__init__()
        n, n_columns = n_places or config.n_remembered, -(-WINDOW_FRAMES // config.patch)
        n_spans = (n_columns - SPAN) // STRIDE + 1
        self.register_buffer("codes", torch.zeros(n, n_columns, config.n_latent, dtype=torch.int8))
        n_key = config.shared_channels + N_CLASSES + SPAN
        self.register_buffer("keys", torch.zeros(n, n_spans, n_key, dtype=torch.int8))
        self.register_buffer("steps", torch.ones(n, config.n_latent))

    def take(self, start: int, parts: Parts) -> None:
        """Remember whole segments, from the place `start` on."""
        parts = Parts(*(part[: len(self.codes) - start] for part in parts))
        codes, where = parts.sound[..., 0].mT, slice(start, start + len(parts.sound))
        self.steps[where] = codes.abs().amax(dim=1).clamp(min=1e-6) / FULL
        self.codes[where] = (codes / self.steps[where, None]).round().to(torch.int8)
        self.keys[where] = (FULL * places(parts, stride=STRIDE)).round().to(torch.int8)

    def keep(self, pool: "Memory", n: int, *, asked: Tensor) -> None:
        """Remember those of the first `n` segments of a pool that are next to most of `asked`,
        (any number, n_moments, n_key), in their order; some twice if there are more places.
        """
        spans_of = pool.keys[:n].flatten(0, 1).float()
        uses = torch.zeros(n, dtype=torch.long)
        for moments in asked:
            best = (moments.float() @ spans_of.T).argmax(dim=1) // pool.keys.shape[1]
            uses += best.bincount(minlength=n)
        chosen = uses.argsort(descending=True, stable=True)[: len(self.codes)].sort().values
        chosen = chosen[torch.arange(len(self.codes)) % len(chosen)]
        for name, kept in self.named_buffers():
            kept.copy_(pool.get_buffer(name)[chosen])

    def answer(self, parts: Parts, *, drift: Tensor) -> Tensor:
        """The codes (batch, n, time, 1) of the moments that lie next to those of `parts`.

        drift: see `places`.
        """
        around = SPAN - MOMENT
        end = around - around // 2 + -parts.music.shape[2] % MOMENT
        whole = Parts(*(pad(part, (0, 0, around // 2, end)) for part in parts))
        asked = places(whole, stride=MOMENT, drift=drift)
        best = (asked @ self.keys.flatten(0, 1).float().T).argmax(dim=2)  # (batch, n_moments)
        n_spans, n_columns = self.keys.shape[1], self.codes.shape[1]
        segment, first = best // n_spans, best % n_spans * STRIDE + around // 2
        columns = first[..., None] + torch.arange(MOMENT + FADE, device=best.device)
        rows = segment[..., None] * n_columns + columns.clamp(max=n_columns - 1)
        found = self.codes.flatten(0, 1)[rows] * self.steps[segment][:, :, None]
        return joined(found).transpose(1, 2)[..., None]


def joined(found: Tensor) -> Tensor:
    """Moments one after the other, where each goes on a little while the next one comes up.

    (batch, n_moments, MOMENT + FADE, n) -> (batch, n_moments * MOMENT, n).
    """
    before = torch.cat([found[:, :1, :FADE], found[:, :-1, MOMENT:]], dim=1)
    share = torch.arange(1, FADE + 1, device=found.device)[:, None] / (FADE + 1)
    start = torch.lerp(before, found[:, :, :FADE], share)
    return torch.cat([start, found[:, :, FADE:MOMENT]], dim=2).flatten(1, 2)
