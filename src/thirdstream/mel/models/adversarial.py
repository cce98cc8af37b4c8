"""The game between twins and discriminators, one of these a style (paper, section 3.3)."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from thirdstream.mel.models.twin import WARM_UP, Pass, Twin, as_image, mean_over
from thirdstream.mel.networks.blocks import Critic, PerStyle

ADVERSARIAL, CRITIC, SLOPE = "adversarial", "critic", "slope"
GENTLE = 5.0  # weight of the slope


class Judged(Twin):
    """A twin with a discriminator a style, which plays against it."""

    def made_critics(self) -> PerStyle[Critic] | None:
        """A discriminator per style."""
        return PerStyle({style: Critic(self.config.critic_channels) for style in self.styles})

    @property
    @abstractmethod
    def n_trained(self) -> float:
        """Batches that it has been trained on."""

    def critic(self, style: str) -> Critic:
        """The discriminator of one style."""
        assert self.critics is not None
        return self.critics[style]

    def adversarial_loss(self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> Tensor:
        """Eq. 6, averaged over the styles: what the twin loses. No gradient reaches the critics."""
        values = []
        for style, mel in mels.items():
            judge, fake = self.critic(style).frozen, passes[self.other(style)].restyled
            values.append(relativistic(winner=judge(as_image(fake)), loser=judge(as_image(mel))))
        return mean_over(values)

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum; at the start of training the adversarial weight grows to its own.

        Departs from the paper: the published network, played against before it can reconstruct,
        loses a decoder to ReLUs that give 0 everywhere (seed 0: the jazz one, in the 2nd epoch).
        """
        grown = min(1.0, self.n_trained / WARM_UP)
        return super().total({**losses, ADVERSARIAL: grown * losses[ADVERSARIAL]})

    def critic_losses(
        self, mels: Mapping[str, Tensor], passes: Mapping[str, Pass]
    ) -> dict[str, Tensor]:
        """Eq. 5, and how steep the discriminators are at recordings; averaged over the styles.

        Departs from the paper: steepness costs (R1, Mescheder et al. 2018), as the gradient of a
        discriminator that wins outweighs the reconstruction's.
        """
        values, slopes = [], []
        for style, mel in mels.items():
            judge, fake = self.critic(style), passes[self.other(style)].restyled.detach()
            real = as_image(mel).detach().requires_grad_()
            scores = judge(real)
            values.append(relativistic(winner=scores, loser=judge(as_image(fake))))
            (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
            slopes.append(GENTLE * gradient.square().sum(dim=(1, 2, 3)).mean())
        return {CRITIC: mean_over(values), SLOPE: mean_over(slopes)}


def relativistic(*, winner: Tensor, loser: Tensor) -> Tensor:
    """Least squares, relativistic average (Jolicoeur-Martineau 2018): eq. 5, and eq. 6 turned over.

    Scores (batch,): the winner's should lie 1 above the mean of the loser's, which should lie 1
    below that of the winner's; then this is zero.
    """
    above = winner - loser.mean() - 1
    below = loser - winner.mean() + 1
    return above.square().mean() + below.square().mean()
