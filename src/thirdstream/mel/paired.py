"""The twin that learns from pairs: it flies from noise to the piece's version in the other style.

Two autoencoders as in every twin; and, between their codes, a flow (Lipman et al. 2023; Liu et al.
2023) that is told the code of what it hears. A piece has many right arrangements: an error measured
against one of them teaches their median, which is a blur. A flow learns the whole lot, and draws
one. Who plays, and where, it need not guess: that is its style, the mean and deviation over time of
broad bands of the mel to be reached (as AdaIN has it), in a transfer those of a recording. They are
too broad to tell a key: the mean of a code gives away the harmony, and misleads where it is that of
another recording.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d

from thirdstream.mel.blocks import PerStyle
from thirdstream.mel.frames import (
    FrameDecoder,
    FrameEncoder,
    Velocity,
    begin_with_components,
    sines,
)
from thirdstream.mel.twin import (
    HOP_FRAMES,
    RECONSTRUCTION,
    Code,
    Pass,
    Twin,
    TwinConfig,
    mean_over,
    reconstruction_loss,
)

FLOW = "flow"
N_STEPS = 8  # of a flight
UNTOLD = 0.1  # share of flights in training that are told nothing of what they come from
GUIDANCE = 1.5  # how far to lean from these to those that are told; 1: these do not count
N_CONDITION = 64  # numbers that stand for the time of a flight and the style it goes to
N_BANDS = 16  # that a style is told by
ROUGH = 0.1  # deviation of the noise on codes in training, in theirs: decoders will meet errors
N_REMEMBERED = 64  # styles of training recordings, of which a transfer draws one
SLOWEST = 0.01  # share of the latest batch in a code's mean and deviation


class TwinPaired(Twin):
    """Two autoencoders, and a flow from noise to the code of the other version."""

    PRESETS: ClassVar[Mapping[str, TwinConfig]] = {
        "default": TwinConfig(
            channels=(256,),
            latent_channels=128,
            kernel_size=7,
            n_convs=1,
            patch=4,
            n_mels=256,
            flow_channels=256,
            flow_blocks=8,
            weights={RECONSTRUCTION: 1.0, FLOW: 1.0},
        ),
    }
    PAIRED = True
    HAS_STYLES = True
    PHASE = "carried"  # it plays other notes than the recording
    JUDGED_BY = FLOW

    def __init__(self, styles: tuple[str, str], config: TwinConfig) -> None:
        super().__init__(styles, config)
        if config.n_mels is None or config.flow_channels is None:
            raise ValueError("a twin-paired needs n_mels and flow_channels")
        if HOP_FRAMES % config.patch:
            raise ValueError(f"{HOP_FRAMES} frames are not a multiple of patch {config.patch}")
        self.spreads = PerStyle({style: Spread(config.n_latent) for style in styles})
        self.memories = PerStyle({style: Memory(self.n_manner) for style in styles})
        n_told = 2 * Velocity.N_SINES + self.n_manner
        self.into = PerStyle(
            {style: nn.Sequential(nn.Linear(n_told, N_CONDITION), nn.GELU()) for style in styles}
        )
        self.velocity = Velocity(
            config.n_latent,
            config.flow_channels,
            kernel_size=config.kernel_size,
            n_blocks=config.flow_blocks,
            n_condition=N_CONDITION,
        )
        self.finish()

    @property
    def n_manner(self) -> int:
        """Numbers that tell a style."""
        return 2 * min(N_BANDS, self.config.n_mels or 0)

    @property
    def period(self) -> int:
        """Columns of code after which the noise repeats: windows of a long recording start so far
        apart, so where two overlap they begin with the same noise, and agree.
        """
        return HOP_FRAMES // self.config.patch

    def usual_style(self, style: str, *, generator: torch.Generator) -> Tensor | None:
        """That of one of the training recordings, with noise to fly from."""
        return self.complete(self.memories[style].draw(generator), generator=generator)

    def complete(self, style: Tensor, *, generator: torch.Generator) -> Tensor:
        """Adds the noise to fly from, drawn from N(0, 1)."""
        noise = torch.randn(1, self.config.n_latent * self.period, generator=generator)
        return torch.cat([style, noise.to(style.device)], dim=1)

    def style_in(self, mel: Tensor, style: str) -> Tensor | None:
        """Mean and deviation over time of broad bands of the mels."""
        return self.manner_of(mel)

    def manner_of(self, mel: Tensor) -> Tensor:
        """Mean and deviation over time of each band of mels: (batch, n_manner)."""
        bands = adaptive_avg_pool1d(mel, self.n_manner // 2)
        return torch.cat([bands.mean(dim=1), bands.std(dim=1, correction=0)], dim=1)

    @torch.no_grad()
    def begin_on(self, mels: Mapping[str, Tensor]) -> None:
        """Autoencoders begin as the principal components, which no gradient finds soon."""
        if "mel" not in self.config.features:
            return
        view = self.config.features.index("mel")
        for style, mel in mels.items():
            encoder, decoder = self.encoders[style], self.decoders[style]
            assert isinstance(encoder, FrameEncoder) and isinstance(decoder, FrameDecoder)
            begin_with_components(encoder, decoder, mel, view=view)
            self.spreads[style].see(self.content(mel, style))

    def decode(self, code: Code, style: str) -> Tensor:
        """Code -> mel of `style`. One with a style is the other's, and is flown over first."""
        if code.style is None:
            return super().decode(code, style)
        content = self.spreads[self.other(style)].narrowed(code.content)
        nothing = 0 * content  # its size, not as numbers: exported networks would keep those
        place = (nothing[0, :, 0] + 1).cumsum(0).long() - 1
        manner, noise = code.style.tensor_split([self.n_manner], dim=1)
        noise = noise.unflatten(1, (self.period, -1))[:, place % self.period] + nothing
        flown = self.flown(noise, content=content, manner=manner, into=style)
        return super().decode(
            code._replace(content=self.spreads[style].widened(flown), style=None), style
        )

    def transfer(
        self, mel: Tensor, *, source: str, target: str, style: Tensor | None = None
    ) -> Tensor:
        """As every twin's; into the mel's own style it is the self-reconstruction, whatever `style`
        says: nothing flies there.
        """
        style = None if source == target else style
        return super().transfer(mel, source=source, target=target, style=style)

    def flown(self, noise: Tensor, *, content: Tensor, manner: Tensor, into: str) -> Tensor:
        """From noise to a code of the style `into` by Euler's rule; (batch, time, n_latent).

        Guided without a classifier (Ho and Salimans 2022), so that it keeps nearer to the content.
        """
        at = noise
        for step in range(N_STEPS):
            t = torch.full_like(manner[:, 0], step / N_STEPS)
            told, untold = (
                self.heading(at, t=t, content=heard, manner=manner, into=into)
                for heard in (content, 0 * content)
            )
            at = at + torch.lerp(untold, told, GUIDANCE) / N_STEPS
        return at

    def heading(
        self, at: Tensor, *, t: Tensor, content: Tensor, manner: Tensor, into: str
    ) -> Tensor:
        """The velocity at the times `t`, (batch,); manner: (batch, n_manner).

        What it is for codes of independent normal numbers, and to it what the network says: that
        has a deviation of 1 at all times (as Karras et al. 2022 have it for noise that is added).
        """
        condition = self.into[into](torch.cat([sines(t, Velocity.N_SINES), manner], dim=1))
        t, size = t[:, None, None], size_at(t)
        surprise = self.velocity(at / size, content=content, condition=condition)
        return ((2 * t - 1) / size * at + surprise) / size

    def drawn(self, code: Code) -> Code:
        """In training, with the noise that decoders must bear."""
        if not self.training:
            return code
        deviation = code.content.detach().std(dim=(0, 2, 3), keepdim=True)
        rough = ROUGH * deviation * torch.randn_like(code.content)
        return code._replace(content=code.content + rough)

    def forward(
        self,
        mels: Mapping[str, Tensor],
        *,
        heard: Mapping[str, Tensor] | None = None,
        aligned: Tensor | None = None,
    ) -> dict[str, Pass]:
        """Both styles' mels to their reconstruction, and to a point on the flight into the other's.

        heard: what the flow is told instead of the mels, such as the same on a bad recording.
        aligned: (batch,) 1 where the two mels are versions of one piece, 0 elsewhere; all are, if
        it is not given.
        """
        codes = {style: self.encode(mel, style) for style, mel in mels.items()}
        goals = {style: self._goal(code, style) for style, code in codes.items()}
        manners = {style: self.manner_of(mel) for style, mel in mels.items()}
        passes = {}
        for style, code in codes.items():
            other = self.other(style)
            if self.training:
                self.memories[style].see(manners[style][:1])
            near, missed = self._flight(
                self._told(mels[style] if heard is None else heard[style], style),
                goal=goals[other],
                manner=manners[other],
                into=other,
            )
            weight = torch.ones_like(missed) if aligned is None else aligned
            swapped = code._replace(content=self.spreads[other].widened(near))
            with torch.no_grad():  # to be looked at, no more
                restyled = super().decode(swapped, other)
            passes[style] = Pass(
                code,
                super().decode(self.drawn(code), style),
                swapped,
                restyled,
                swapped,
                (missed * weight).sum() / weight.sum().clamp(min=1),
            )
        return passes

    def _goal(self, code: Code, style: str) -> Tensor:
        """The code to be reached, (batch, time, n_latent), which in training is taken note of."""
        content = code.content.detach()
        if self.training:
            self.spreads[style].see(content)
        return self.spreads[style].narrowed(content)

    @torch.no_grad()
    def _told(self, mel: Tensor, style: str) -> Tensor:
        """The code of what is heard. The flow does not bend it: it is the goal of the way back."""
        return self.spreads[style].narrowed(self.content(mel, style))

    def _flight(
        self, content: Tensor, *, goal: Tensor, manner: Tensor, into: str
    ) -> tuple[Tensor, Tensor]:
        """From anywhere on a straight way: where it seems to lead, and by how much it is missed.

        The first is shaped as `goal`; the second, (batch,), is the mean squared error of the
        velocity, 1 for a flow that knows nothing. A channel counts as much as it deviates.
        """
        noise, t = torch.randn_like(goal), torch.rand(len(goal), device=goal.device)
        if self.training:
            content = content * (torch.rand_like(t) >= UNTOLD)[:, None, None]
        share = t[:, None, None]
        at = torch.lerp(noise, goal, share)
        velocity = self.heading(at, t=t, content=content, manner=manner, into=into)
        counts = self.spreads[into].deviation
        missed = (size_at(t) * (velocity - (goal - noise))).square() @ (counts / counts.sum())
        return at + (1 - share) * velocity, missed.mean(dim=1)

    def losses(self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> dict[str, Tensor]:
        """Eq. 1, and the error of the velocity."""
        missed = [one.missed for one in passes.values() if one.missed is not None]
        return {RECONSTRUCTION: reconstruction_loss(mels, passes), FLOW: mean_over(missed)}


def size_at(t: Tensor) -> Tensor:
    """Deviation at times (batch,) between noise and code, which have 1 each: (batch, 1, 1)."""
    return (t.square() + (1 - t).square()).sqrt()[:, None, None]


class Spread(nn.Module):
    """Mean and deviation of each channel of a style's codes: of all batches, then of the latest."""

    mean: Tensor
    square: Tensor
    n_seen: Tensor

    def __init__(self, n_latent: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_latent))
        self.register_buffer("square", torch.ones(n_latent))
        self.register_buffer("n_seen", torch.zeros(()))

    def see(self, content: Tensor) -> None:
        """Take in a batch (batch, n_latent, time, 1)."""
        self.n_seen += 1
        share = float(max(1 / self.n_seen, SLOWEST))
        self.mean.lerp_(content.mean(dim=(0, 2, 3)), share)
        self.square.lerp_(content.square().mean(dim=(0, 2, 3)), share)

    @property
    def deviation(self) -> Tensor:
        """(n_latent,), never zero."""
        return (self.square - self.mean.square()).clamp(min=1e-6).sqrt()

    def narrowed(self, content: Tensor) -> Tensor:
        """(batch, n_latent, time, 1) -> (batch, time, n_latent) of mean 0 and deviation 1."""
        return (content[..., 0].transpose(1, 2) - self.mean) / self.deviation

    def widened(self, narrow: Tensor) -> Tensor:
        """The inverse of `narrowed`."""
        return (narrow * self.deviation + self.mean).transpose(1, 2)[..., None]


class Memory(nn.Module):
    """The styles of the latest so many batches, a recording of each."""

    styles: Tensor
    n_seen: Tensor

    def __init__(self, n_style: int) -> None:
        super().__init__()
        self.register_buffer("styles", torch.zeros(N_REMEMBERED, n_style))
        self.register_buffer("n_seen", torch.zeros((), dtype=torch.long))

    def see(self, style: Tensor) -> None:
        """Take in one, (1, n_style)."""
        self.styles[int(self.n_seen) % N_REMEMBERED] = style[0]
        self.n_seen += 1

    def draw(self, generator: torch.Generator) -> Tensor:
        """One of them, (1, n_style); zeros before the first."""
        n_known = max(1, min(int(self.n_seen), N_REMEMBERED))
        which = int(torch.randint(n_known, (), generator=generator))
        return self.styles[which : which + 1]
