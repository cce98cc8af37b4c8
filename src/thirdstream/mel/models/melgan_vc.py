"""MelGAN-VC (Pasini 2019), as its author published it: transfer without pairs by a travel loss.

A generator a direction, and with it a critic and a siamese network; directions share nothing. The
generator restyles slices of half a second or less. Three of them in a row are joined before the
critic judges them, so that slices fit to one another. What keeps the content is that the way from
one slice to another, in the siamese network's space, is the same before and after. All is as in the
author's notebook (github.com/marcoppasini/MelGAN-VC) unless a line says else, or the table in
docs/train.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, l1_loss, pad, relu

from thirdstream.mel.models.adversarial import ADVERSARIAL, frozen
from thirdstream.mel.models.model import (
    DISCRIMINATOR,
    MODEL,
    WINDOW_FRAMES,
    Batch,
    Losses,
    MelModel,
    Mels,
    Player,
    Rule,
    TrainingMels,
    check_config,
    mean_over,
)
from thirdstream.mel.models.travel import MARGIN, TRAVEL
from thirdstream.mel.networks.blocks import PerStyle
from thirdstream.mel.networks.melgan_vc import Critic, Generator, Siamese

IDENTITY = "identity"
DELTA = 2.0  # the least distance of two slices' vectors
N_SLICES = 3  # that the critic gets at a time
MAX_SLICE = WINDOW_FRAMES // N_SLICES // 4 * 4  # a segment has N_SLICES of them
RANGE_DB = 60.0  # of each band
N_FOR_PEAKS = 256  # segments of each style whose peaks are the range of the networks
BETAS = (0.5, 0.999)  # of Adam


@dataclass(frozen=True)
class MelGANVCConfig:
    """Widths of the networks, and the weight of each loss; by default as published."""

    channels: int = 256
    """Of generators and siamese networks."""
    critic_channels: int = 512
    """Of critics."""
    embedding_size: int = 128
    """Numbers that the siamese networks make of a slice."""
    slice_frames: int = 24
    """That a generator restyles at a time; a multiple of 4."""
    n_mels: int = 256
    """Bands of the mels."""
    lr_scale: float = 0.1
    """Times the learning rate of the run, for generators and siamese networks."""
    critic_lr_scale: float = 0.4
    """The same for critics."""
    weights: Mapping[str, float] = field(
        default_factory=lambda: {ADVERSARIAL: 1.0, IDENTITY: 0.5, TRAVEL: 10.0, MARGIN: 10.0}
    )
    """Of the losses, by name."""

    def __post_init__(self) -> None:
        rules = [
            Rule("slice_frames", self.slice_frames % 4 == 0, "a multiple of 4"),
            Rule("slice_frames", self.slice_frames <= MAX_SLICE, f"at most {MAX_SLICE}"),
            *(
                Rule(name, 0 < getattr(self, name) < math.inf, "a number above 0")
                for name in ("lr_scale", "critic_lr_scale")
            ),
        ]
        sizes = ("channels", "critic_channels", "embedding_size", "slice_frames", "n_mels")
        check_config(self, rules, sizes=sizes)


class MelGANVC(MelModel):
    """A generator into each style."""

    Config = MelGANVCConfig
    config: MelGANVCConfig
    PRESETS: ClassVar[Mapping[str, MelGANVCConfig]] = {
        "paper": MelGANVCConfig(),
        # With the published weights, a training of some thousand steps makes one sound of all: the
        # travel loss is content with small differences, and outweighs the identity.
        "default": MelGANVCConfig(
            channels=64,
            critic_channels=128,
            lr_scale=0.5,
            critic_lr_scale=1.0,
            weights={ADVERSARIAL: 1.0, IDENTITY: 5.0, TRAVEL: 1.0, MARGIN: 1.0},
        ),
    }
    SELECTION_METRIC = None  # no loss says which epoch sounds best
    TRAINING_ONLY = ("critics", "siamese")
    REMEDY = (
        "raise the weight of the identity, lower those of travel and margin, or lower the learning "
        "rate"
    )
    peaks: Tensor

    def __init__(self, styles: tuple[str, str], config: MelGANVCConfig) -> None:
        super().__init__(styles, config)
        n_mels, width, n_frames = config.n_mels, config.channels, config.slice_frames
        self.generators = PerStyle({style: Generator(n_mels, width) for style in styles})
        self.siamese = PerStyle(
            {
                style: Siamese(n_mels, width, n_frames=n_frames, n_embedding=config.embedding_size)
                for style in styles
            }
        )
        self.critics = PerStyle(
            {
                style: Critic(n_mels, config.critic_channels, n_frames=N_SLICES * n_frames)
                for style in styles
            }
        )
        self.register_buffer("peaks", torch.ones(len(styles), n_mels))

    @torch.no_grad()
    def initialise(self, training_mels: TrainingMels) -> None:
        """Take the largest value of each band for its peak."""
        peaks = torch.full_like(self.peaks, 1e-3)
        for mels in training_mels(N_FOR_PEAKS):
            found = torch.stack([mels[style].amax(dim=(0, 1)) for style in self.styles])
            peaks = torch.maximum(peaks, found.to(peaks))
        self.peaks.copy_(peaks)

    # --- transfer ---------------------------------------------------------------------------------

    def scaled(self, mel: Tensor, style: str) -> Tensor:
        """A mel of `style`, (batch, n_frames, n_mels), as networks get it, in [-1, 1].

        Decibels, as published. Departs from the paper, where -1 is -80 dB of power and 1 is 20 dB:
        here 1 is the peak of a band, and -1 is RANGE_DB below it, of mels as they are elsewhere,
        normalised. Their middle is near 0 too.
        """
        share = mel / self.peaks[self.styles.index(style)]
        decibels = 10 * torch.log10(share.clamp(10 ** (-RANGE_DB / 10), 1))
        return 1 + 2 * decibels / RANGE_DB

    def unscaled(self, x: Tensor, style: str) -> Tensor:
        """The inverse of `scaled`."""
        return self.peaks[self.styles.index(style)] * 10 ** ((x - 1) * RANGE_DB / 20)

    def restyled(self, x: Tensor, target: str) -> Tensor:
        """What networks get, (batch, n * slice_frames, n_mels), slice by slice into `target`.

        All slices are one batch, to batch normalisation too; the notebook normalises first, second
        and third slices apart.
        """
        slices = x.reshape(-1, self.config.slice_frames, self.config.n_mels)
        made = self.generators[target](slices.transpose(1, 2)).transpose(1, 2)
        return made.reshape(x.shape)

    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """A mel of any length -> mel of `target`, by the generator that leads there.

        The last slice ends with the last frame, and only what slices before it lack is taken from
        it. What is shorter than a slice gets silence in front. No branch depends on the length, so
        that the model can be exported.
        """
        n_slice, n_frames = self.config.slice_frames, mel.shape[1]
        n_more = -n_frames % n_slice  # that the last slice shares with the one before it
        whole = pad(mel, (0, 0, n_slice, 0))
        place = torch.arange(n_frames + n_more, device=mel.device)
        last = n_frames + n_more - n_slice  # where the last slice would begin
        place = torch.where(place < last, place, place - n_more)
        made = self.restyled(self.scaled(whole[:, place + n_slice], source), target)
        back = torch.arange(n_frames, device=mel.device)
        back = torch.where(back < last, back, back + n_more)
        return self.unscaled(made[:, back], target)

    # --- training ---------------------------------------------------------------------------------

    def players(self) -> dict[str, Player]:
        """The critics, which step first, and generators with siamese networks.

        Departs from the notebook, where both have one learning rate, of 1e-4 or 2e-4, and critics
        take three to five steps to one. Here each takes one, and critics learn faster (two time
        scales: Heusel et al. 2017). At the default learning rate they have 4e-4, the others 1e-4.
        """
        own = [*self.generators.parameters(), *self.siamese.parameters()]
        critics = Player(list(self.critics.parameters()), self.config.critic_lr_scale, BETAS)
        return {DISCRIMINATOR: critics, MODEL: Player(own, self.config.lr_scale, BETAS)}

    def loss_weights(self, player: str) -> Mapping[str, float]:
        """The critics have one loss."""
        return {DISCRIMINATOR: 1.0} if player == DISCRIMINATOR else super().loss_weights(player)

    def cropped(self, mels: Mels) -> dict[str, Tensor]:
        """What networks get of each recording: as many frames as critics take.

        In training from anywhere, else from the middle; with silence behind what is too short.
        """
        n, found = N_SLICES * self.config.slice_frames, {}
        for style, mel in mels.items():
            long = pad(mel, (0, 0, 0, max(0, n - mel.shape[1])))
            n_starts, shape = long.shape[1] - n + 1, (len(mel), 1)
            middle = torch.full(shape, (n_starts - 1) // 2)
            first = torch.randint(n_starts, shape) if self.training else middle
            frames = (first + torch.arange(n))[..., None].to(mel.device)
            crop = long.gather(1, frames.expand(-1, -1, mel.shape[2]))
            found[style] = self.scaled(crop, style)
        return found

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """Both directions' means, of the critics or of all else."""
        x = self.cropped(batch.mels)
        if player == DISCRIMINATOR:
            return self._critic_losses(x)
        found: list[Losses] = []
        for target in self.styles:
            source = self.other(target)
            made = self.restyled(x[source], target)
            embed = self.siamese[target]
            before, after = self._ends(x[source], embed), self._ends(made, embed)
            critic = frozen(self.critics[target])
            found.append(
                {
                    ADVERSARIAL: -critic(made.transpose(1, 2)).mean(),
                    IDENTITY: l1_loss(self.restyled(x[target], target), x[target]),
                    TRAVEL: travel_loss(before, after=after),
                    MARGIN: margin_loss(before),
                }
            )
        return {name: mean_over([one[name] for one in found]) for name in found[0]}

    def _critic_losses(self, x: Mels) -> Losses:
        """Transfers are made anew, so that no gradient reaches the generators."""
        losses = []
        for target, real in x.items():
            with torch.no_grad():
                fake = self.restyled(x[self.other(target)], target)
            critic = self.critics[target]
            losses.append(
                hinge_loss(real=critic(real.transpose(1, 2)), fake=critic(fake.transpose(1, 2)))
            )
        return {DISCRIMINATOR: mean_over(losses)}

    def _ends(self, x: Tensor, embed: nn.Module) -> Tensor:
        """The vectors of first and last slice: (batch, n_frames, n_mels) -> (2, batch, n).

        Both are one batch to batch normalisation; the notebook normalises them apart.
        """
        n = self.config.slice_frames
        ends = torch.cat([x[:, :n], x[:, -n:]]).transpose(1, 2)
        return embed(ends).unflatten(0, (2, -1))


def travel_loss(before: Tensor, *, after: Tensor) -> Tensor:
    """How much the way from one slice to another changes, in length and in direction.

    (2, batch, n): the vectors of two slices of each recording, before and after the transfer. From
    -1, where it does not change.
    """
    was, now = before[0] - before[1], after[0] - after[1]
    return (was - now).square().mean() - cosine_similarity(was, now, dim=1).mean()


def margin_loss(vectors: Tensor) -> Tensor:
    """The mean square of what two slices' vectors, (2, batch, n), lack of the distance DELTA."""
    return relu(DELTA - (vectors[0] - vectors[1]).norm(dim=1)).square().mean()


def hinge_loss(*, real: Tensor, fake: Tensor) -> Tensor:
    """Of a critic whose scores (batch,) should be above 1 for recordings and below -1 for others.

    Half of the sum of both.
    """
    return (relu(1 - real).mean() + relu(1 + fake).mean()) / 2
