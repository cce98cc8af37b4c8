"""The twin that learns from pairs: it answers what it hears with music of the other style it knows.

As in every twin, two encoders meet in one latent space. Here nothing but versions of one piece says
what that space is: what is played at one time in both shall lie together, and apart from all that
is played elsewhere (contrastive learning: van den Oord et al. 2018; across two kinds of input:
Radford et al. 2021). A piece has many right versions, and their mean, which errors against one of
them teach, is a blur. So the way out of the latent space is a memory: of training recordings, kept
as codes of an autoencoder, a transfer takes for each moment the one that lies next (as in audio
mosaicing: Zils and Pachet 2001; Driedger et al. 2015).
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, cross_entropy, normalize, pad

from thirdstream.mel.blocks import PerStyle, pad_time
from thirdstream.mel.frames import FrameDecoder, FrameEncoder, begin_with_components
from thirdstream.mel.twin import (
    HOP_FRAMES,
    RECONSTRUCTION,
    WINDOW_FRAMES,
    Code,
    Pass,
    Twin,
    TwinConfig,
    reconstruction_loss,
)

AGREEMENT = "agreement"
MOMENT = 8  # columns of code that are answered as one
FADE = 2  # columns, at the start of each, in which the answer before it fades out
STRIDE = 2  # columns from one remembered moment to the next
TEMPERATURE = 0.07  # of the comparison of moments
ADRIFT = 0.2  # length of the noise on a moment, which has length 1: another seed, another answer
EAR_BLOCKS, EAR_DILATIONS = 4, (1, 2)  # so that it hears 0.8 s to either side
FULL = 127  # of the integers that codes are remembered as


class TwinPaired(Twin):
    """Two autoencoders, two ears that agree on versions of one piece, and what they have heard."""

    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        "default": TwinConfig(
            channels=(128,),
            latent_channels=96,
            kernel_size=7,
            n_convs=1,
            patch=4,
            n_mels=256,
            ear_channels=160,
            shared_channels=64,
            n_remembered=512,
            weights={RECONSTRUCTION: 1.0, AGREEMENT: 1.0},
        ),
    }
    PAIRED = True
    PHASE = "carried"  # it plays other notes than the recording
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

    @torch.no_grad()
    def remember(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Put normalised mels of whole segments into the memories, in place of what is there."""
        n_taken = 0
        for mels in batches:
            for style, mel in mels.items():
                sound, music = self.parted(self.content(mel, style))
                self.memories[style].take(n_taken, sound=sound, music=music)
            n_taken += len(next(iter(mels.values())))
        for style in self.styles:
            self.memories[style].repeat(n_taken)

    def content(self, mel: Tensor, style: str) -> Tensor:
        """The autoencoder's code, and behind its channels what the ear hears."""
        return self._content(mel, style, heard=mel)

    def _content(self, mel: Tensor, style: str, *, heard: Tensor) -> Tensor:
        sound, music = self.encoders[style](self.seen(mel)), self.ears[style](self.seen(heard))
        return torch.cat([sound, music], dim=1)

    def parted(self, content: Tensor) -> tuple[Tensor, Tensor]:
        """The autoencoder's code, and what the ear hears."""
        sound, music = content.tensor_split([self.config.n_latent], dim=1)
        return sound, music

    def usual_style(self, style: str, *, generator: torch.Generator) -> Tensor | None:
        """Not a style, but a direction to drift to: another one leads to another version."""
        return torch.randn(1, self.config.shared_channels, generator=generator)

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`. One with a style is the other's, and is answered from memory."""
        sound, music = self.parted(code.content)
        if code.style is not None:
            found = self.memories[style].answer(music, drift=code.style)
            sound = found[:, :, : sound.shape[2]]
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
        music = {style: self.parted(code.content)[1] for style, code in codes.items()}
        apart = disagreement(music, aligned)
        passes = {}
        for style, code in codes.items():
            rebuilt = self.decode(code, style)
            passes[style] = Pass(code, rebuilt, code, rebuilt, code, apart)
        return passes

    def losses(self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Eq. 1, and how far versions are apart."""
        apart = next(iter(passes.values())).apart
        assert apart is not None
        return {RECONSTRUCTION: reconstruction_loss(mels, passes), AGREEMENT: apart}


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


def moments(music: Tensor, *, stride: int) -> Tensor:
    """What is heard over MOMENT columns, of length 1: (batch, n, time, 1) -> (batch, n_moments, n).

    A moment begins every `stride` columns.
    """
    return normalize(avg_pool1d(music[..., 0], MOMENT, stride).transpose(1, 2), dim=2)


def disagreement(music: Mapping[str, Tensor], aligned: Tensor | None = None) -> Tensor:
    """How surprising it is, in nats, that a moment of one style goes with that of the other.

    Among all moments of the batch, both ways. music: by style, (batch, n, time, 1). aligned: see
    `TwinPaired.forward`; a batch without versions loses nothing.
    """
    one, other = (
        moments(pad(heard, (0, 0, 0, max(0, MOMENT - heard.shape[2]))), stride=MOMENT // 2)
        for heard in music.values()
    )
    n_items, n_moments, _ = one.shape
    likeness = one.flatten(0, 1) @ other.flatten(0, 1).T / TEMPERATURE
    counts = likeness.new_ones(n_items) if aligned is None else aligned
    counts = counts.repeat_interleave(n_moments)
    own = torch.arange(len(likeness), device=likeness.device)
    surprise = sum(cross_entropy(way, own, reduction="none") for way in (likeness, likeness.T))
    return (counts * surprise).sum() / (2 * counts.sum().clamp(min=1))


class Memory(nn.Module):
    """Segments of one style, as codes, and for each of their moments where it lies.

    Both as whole numbers up to FULL: a quarter of the room, and an error that decoders don't mind.
    """

    codes: Tensor
    keys: Tensor
    steps: Tensor

    def __init__(self, config: TwinConfig) -> None:
        super().__init__()
        n, n_columns = config.n_remembered, -(-WINDOW_FRAMES // config.patch)
        n_moments = (n_columns - MOMENT) // STRIDE + 1
        self.register_buffer("codes", torch.zeros(n, n_columns, config.n_latent, dtype=torch.int8))
        self.register_buffer(
            "keys", torch.zeros(n, n_moments, config.shared_channels, dtype=torch.int8)
        )
        self.register_buffer("steps", torch.ones(n, config.n_latent))

    def take(self, start: int, *, sound: Tensor, music: Tensor) -> None:
        """Remember whole segments, (batch, n, time, 1) both, from the place `start` on."""
        room = len(self.codes) - start
        codes, where = sound[:room, ..., 0].mT, slice(start, start + len(sound[:room]))
        self.steps[where] = codes.abs().amax(dim=1).clamp(min=1e-6) / FULL
        self.codes[where] = (codes / self.steps[where, None]).round().to(torch.int8)
        self.keys[where] = (FULL * moments(music[:room], stride=STRIDE)).round().to(torch.int8)

    def repeat(self, n: int) -> None:
        """Where there were fewer segments than places, remember the first `n` again."""
        again = torch.arange(len(self.codes), device=self.codes.device) % max(1, n)
        for part in (self.codes, self.keys, self.steps):
            part.copy_(part[again])

    def answer(self, music: Tensor, *, drift: Tensor) -> Tensor:
        """The codes of the moments that lie next to those of `music`, (batch, n, time, 1) both.

        drift: (1 or batch, n), the direction that moments are moved in first.
        """
        asked = moments(pad_time(music, MOMENT), stride=MOMENT)
        asked = normalize(asked + ADRIFT * normalize(drift, dim=1)[:, None], dim=2)
        best = (asked @ self.keys.flatten(0, 1).float().T).argmax(dim=2)  # (batch, n_moments)
        n_moments, n_columns = self.keys.shape[1], self.codes.shape[1]
        segment, first = best // n_moments, best % n_moments * STRIDE
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
