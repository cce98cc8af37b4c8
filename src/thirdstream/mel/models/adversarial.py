"""Adversarial training: a discriminator per style plays against the model (paper, section 3.3)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from thirdstream.mel.models.model import (
    DISCRIMINATOR,
    MODEL,
    Batch,
    Losses,
    MelModel,
    Mels,
    Player,
    as_image,
    mean_over,
)
from thirdstream.mel.networks.blocks import Discriminator, PerStyle

ADVERSARIAL, GRADIENT_PENALTY = "adversarial", "gradient_penalty"
# Mean discriminator loss of an epoch below which an alarm is raised; at a draw it is 1.
DISCRIMINATOR_WINS = 0.025


class Adversarial(MelModel):
    """A model with a discriminator per style.

    Its configuration has ADVERSARIAL in its `weights`, and what `AdversarialConfig` has of
    discriminators. Its `transfers` are what the discriminators get in training, and the losses that
    it has as MODEL contain `adversarial_loss` as ADVERSARIAL. `real`, recordings, and `fake`,
    transfers, are by the style that the discriminator knows.
    """

    TRAINING_ONLY = ("discriminators",)
    EAGER = ("adversarial_loss", "discriminator_losses")  # the compiler takes no second derivatives
    REMEDY = "raise the weight of the reconstruction or lower the learning rate"
    n_batches: Tensor

    def __init__(self, styles: tuple[str, str], config: object) -> None:
        super().__init__(styles, config)
        self.discriminators = PerStyle({style: self.new_discriminator() for style in styles})
        self.register_buffer("n_batches", torch.zeros(()))  # of its training

    def new_discriminator(self) -> nn.Module:
        """(batch, 1, n_frames, n_mels) -> (batch,), larger for recordings; called for each style.

        A subclass with another one needs no `discriminator_channels`.
        """
        config = self.config
        return Discriminator(
            config.discriminator_channels,
            n_hidden=config.discriminator_hidden,
            slope=config.discriminator_slope,
        )

    def forward(self, batch: Batch, player: str = MODEL) -> Losses:
        """What a training step calls; in training, batches are counted."""
        self.n_batches += self.training and player == DISCRIMINATOR
        return super().forward(batch, player)

    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """The discriminators' of transfers made anew, or the model's own."""
        if player != DISCRIMINATOR:
            return super().training_losses(batch, player)
        with torch.no_grad():
            fake = self.transfers(batch.mels)
        return self.discriminator_losses(real=batch.mels, fake=fake)

    def players(self) -> dict[str, Player]:
        """The discriminators, which step first as in the published code, and the model."""
        theirs = list(self.discriminators.parameters())
        known = set(theirs)
        own = [parameter for parameter in self.parameters() if parameter not in known]
        return {DISCRIMINATOR: Player(theirs), MODEL: Player(own)}

    def loss_weights(self, player: str) -> Mapping[str, float]:
        """As configured; within a warm-up the adversarial weight grows to its own.

        The warm-up departs from the paper: the published network, played against before it can
        reconstruct, may lose a decoder to ReLUs that give 0 everywhere.
        """
        if player == DISCRIMINATOR:
            penalised = {GRADIENT_PENALTY: 1.0} if self.config.gradient_penalty else {}
            return {DISCRIMINATOR: 1.0, **penalised}
        weights, warm_up = super().loss_weights(player), self.config.warm_up
        grown = min(1.0, float(self.n_batches) / warm_up) if warm_up else 1.0
        return {**weights, ADVERSARIAL: grown * weights[ADVERSARIAL]}

    def judged(self, mel: Tensor) -> Tensor:
        """What discriminators get of a recording or a transfer."""
        return as_image(mel)

    def adversarial_loss(self, *, real: Mels, fake: Mels) -> Tensor:
        """Eq. 6, averaged over the styles. No gradient reaches the discriminators."""
        values = []
        for style, mel in real.items():
            score = frozen(self.discriminators[style])
            won, lost = score(self.judged(fake[style])), score(self.judged(mel))
            values.append(relativistic(winner=won, loser=lost))
        return mean_over(values)

    def discriminator_losses(self, *, real: Mels, fake: Mels) -> dict[str, Tensor]:
        """Eq. 5, averaged over the styles. No gradient reaches the model.

        Departs from the paper where the configuration has a gradient penalty: steepness at
        recordings costs (R1, Mescheder et al. 2018), as the gradient of a discriminator that wins
        outweighs the reconstruction's. Without gradients it is 0.
        """
        weight, values, penalties = self.config.gradient_penalty, [], []
        for style, mel in real.items():
            score = self.discriminators[style]
            image = self.judged(mel).detach().requires_grad_(weight > 0)
            scores, lost = score(image), score(self.judged(fake[style].detach()))
            values.append(relativistic(winner=scores, loser=lost))
            if weight:
                penalties.append(weight * squared_gradient(scores, image))
        penalised = {GRADIENT_PENALTY: mean_over(penalties)} if weight else {}
        return {DISCRIMINATOR: mean_over(values), **penalised}

    def alarm(self, losses: Mapping[str, float], diversity: float | None) -> str | None:
        """Where the model has collapsed, or the discriminators win."""
        if (collapsed := super().alarm(losses, diversity)) is not None:
            return collapsed
        if losses[DISCRIMINATOR] < DISCRIMINATOR_WINS:
            return (
                "the discriminators tell all transfers from recordings (discriminator loss "
                f"{losses[DISCRIMINATOR]:.3f}), so the model learns little from them; lower the "
                "learning rate or make them smaller"
            )
        return None


def frozen(network: nn.Module) -> Callable[[Tensor], Any]:
    """The network, through which gradients pass to its input but not to its parameters."""
    fixed = {name: value.detach() for name, value in network.named_parameters()}
    return lambda x: torch.func.functional_call(network, fixed, (x,))


def relativistic(*, winner: Tensor | list[Tensor], loser: Tensor | list[Tensor]) -> Tensor:
    """Least squares, relativistic average (Jolicoeur-Martineau 2018): eq. 5; eq. 6 the other way.

    Scores (batch,), of any size: in the paper they are probabilities, in the published code they
    are not. The winner's should lie 1 above the mean of the loser's, which should lie 1 below that
    of the winner's; then this is zero. Of lists, scores at several scales, it is the sum.
    """
    if isinstance(winner, list) or isinstance(loser, list):
        pairs = zip(winner, loser, strict=True)
        return torch.stack([relativistic(winner=w, loser=one) for w, one in pairs]).sum()
    above = winner - loser.mean() - 1
    below = loser - winner.mean() + 1
    return (above.square().mean() + below.square().mean()) / 2


def squared_gradient(scores: Tensor, image: Tensor) -> Tensor:
    """The mean squared gradient of scores (batch,) by an image; 0 where none are computed."""
    if not torch.is_grad_enabled():
        return torch.zeros_like(scores.mean())
    (gradient,) = torch.autograd.grad(scores.sum(), image, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()
