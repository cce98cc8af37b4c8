"""Adversarial training: a discriminator per style plays against the model (paper, section 3.3)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

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
PENALTY_WEIGHT = 5.0  # of the squared gradient, R1
N_WARM_UP = 500  # batches in which the adversarial weight grows to its own
COLLAPSED = 0.1  # diversity below which an alarm is raised
DISCRIMINATOR_WINS = 0.05  # mean discriminator loss of an epoch, likewise; at a draw it is 2


Function = TypeVar("Function", bound=Callable[..., Any])


def eager(function: Function) -> Function:
    """Never compiled: torch's compiler takes no second derivatives."""
    return cast(Function, torch.compiler.disable(function))


class Adversarial(MelModel):
    """A model with a discriminator per style.

    Its configuration has `discriminator_channels`, and ADVERSARIAL in its `weights`. In its
    `training_losses`, MODEL has `adversarial_loss` as ADVERSARIAL, DISCRIMINATOR has
    `discriminator_losses`. Both get `real`, recordings, and `fake`, transfers, by the style that
    the discriminator knows.
    """

    n_batches: Tensor

    def __init__(self, styles: tuple[str, str], config: object) -> None:
        super().__init__(styles, config)
        self.discriminators = PerStyle({style: self.new_discriminator() for style in styles})
        self.register_buffer("n_batches", torch.zeros(()))  # of its training

    def new_discriminator(self) -> nn.Module:
        """(batch, 1, n_frames, n_mels) -> (batch,), larger for recordings; called for each style.

        A subclass with another one needs no `discriminator_channels`.
        """
        return Discriminator(self.config.discriminator_channels)

    def forward(self, batch: Batch) -> Losses:
        """What a training step calls; in training, batches are counted."""
        self.n_batches += self.training
        return super().forward(batch)

    def players(self) -> dict[str, Player]:
        """The model without its discriminators, and these."""
        theirs = list(self.discriminators.parameters())
        known = set(theirs)
        own = [parameter for parameter in self.parameters() if parameter not in known]
        return {MODEL: Player(own), DISCRIMINATOR: Player(theirs)}

    def loss_weights(self, player: str) -> Mapping[str, float]:
        """As configured; at the start of training the adversarial weight grows to its own.

        Departs from the paper: the published network, played against before it can reconstruct,
        loses a decoder to ReLUs that give 0 everywhere (seed 0: the jazz one, in the 2nd epoch).
        """
        if player == DISCRIMINATOR:
            return {DISCRIMINATOR: 1.0, GRADIENT_PENALTY: 1.0}
        weights = super().loss_weights(player)
        grown = min(1.0, float(self.n_batches) / N_WARM_UP)
        return {**weights, ADVERSARIAL: grown * weights[ADVERSARIAL]}

    @eager
    def adversarial_loss(self, *, real: Mels, fake: Mels) -> Tensor:
        """Eq. 6, averaged over the styles. No gradient reaches the discriminators."""
        values = []
        for style, mel in real.items():
            score = frozen(self.discriminators[style])
            values.append(
                relativistic(winner=score(as_image(fake[style])), loser=score(as_image(mel)))
            )
        return mean_over(values)

    @eager
    def discriminator_losses(self, *, real: Mels, fake: Mels) -> dict[str, Tensor]:
        """Eq. 5, and how steep the discriminators are at recordings; averaged over the styles.

        No gradient reaches the model. Without gradients the penalty is 0. Departs from the paper:
        steepness costs (R1, Mescheder et al. 2018), as the gradient of a discriminator that wins
        outweighs the reconstruction's.
        """
        values, penalties = [], []
        for style, mel in real.items():
            score = self.discriminators[style]
            image = as_image(mel).detach().requires_grad_()
            scores = score(image)
            values.append(relativistic(winner=scores, loser=score(as_image(fake[style].detach()))))
            penalties.append(PENALTY_WEIGHT * squared_gradient(scores, image))
        return {DISCRIMINATOR: mean_over(values), GRADIENT_PENALTY: mean_over(penalties)}

    def transfers(self, mels: Mels) -> dict[str, Tensor]:
        """Both styles' mels restyled, by the style that they are in afterwards."""
        pairs = ((style, self.other(style), mel) for style, mel in mels.items())
        return {to: self.transfer(mel, source=style, target=to) for style, to, mel in pairs}

    @torch.no_grad()
    def diversity(self, batch: Batch) -> float | None:
        """See `diversity`, of the transfers of a batch."""
        return diversity(real=batch.mels, fake=self.transfers(batch.mels))

    def alarm(self, losses: Mapping[str, float], diversity: float | None) -> str | None:
        """Where the model has collapsed, or the discriminators win."""
        if diversity is not None and diversity < COLLAPSED:
            return (
                f"the transfers hardly differ from one another (diversity {diversity:.3f}): the "
                "model has collapsed; raise the weight of the reconstruction or lower the "
                "learning rate"
            )
        if losses[DISCRIMINATOR] < DISCRIMINATOR_WINS:
            return (
                "the discriminators tell all transfers from recordings (discriminator loss "
                f"{losses[DISCRIMINATOR]:.3f}), so the model learns little from them; lower the "
                "learning rate or make them smaller"
            )
        return None


def frozen(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network, through which gradients pass to its input but not to its parameters."""
    fixed = {name: value.detach() for name, value in network.named_parameters()}
    return lambda x: torch.func.functional_call(network, fixed, (x,))


def relativistic(*, winner: Tensor, loser: Tensor) -> Tensor:
    """Least squares, relativistic average (Jolicoeur-Martineau 2018): eq. 5, and eq. 6 turned over.

    Scores (batch,): the winner's should lie 1 above the mean of the loser's, which should lie 1
    below that of the winner's; then this is zero.
    """
    above = winner - loser.mean() - 1
    below = loser - winner.mean() + 1
    return above.square().mean() + below.square().mean()


def squared_gradient(scores: Tensor, image: Tensor) -> Tensor:
    """The mean squared gradient of scores (batch,) by an image; 0 where none are computed."""
    if not torch.is_grad_enabled():
        return torch.zeros_like(scores.mean())
    (gradient,) = torch.autograd.grad(scores.sum(), image, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def diversity(*, real: Mels, fake: Mels) -> float:
    """How much transfers differ from one another, as recordings of their style do: 1 or so.

    The deviation over the batch, averaged over frames and mels, of the transfers divided by that of
    the recordings; the lesser of both styles. Near 0 the model has collapsed: it makes one thing of
    all. In a batch of one, the deviation over its frames.
    """
    over = 0 if len(next(iter(real.values()))) > 1 else 1
    return min(
        float(fake[style].std(over).mean() / mel.std(over).mean()) for style, mel in real.items()
    )
