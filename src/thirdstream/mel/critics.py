"""The game between twins and discriminators, one of these a style (paper, section 3.3)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from thirdstream.mel.blocks import Critic, PerStyle
from thirdstream.mel.twin import as_image, mean_over

ADVERSARIAL, CRITIC, SLOPE = "adversarial", "critic", "slope"
GENTLE = 5.0  # weight of the slope


def adversarial_loss(
    critics: PerStyle[Critic], *, real: Mapping[str, Tensor], made: Mapping[str, Tensor]
) -> Tensor:
    """Eq. 6, averaged over the styles: what the twin loses. No gradient reaches the critics.

    real, made: mels of recordings and of transfers, by the style that both are in.
    """
    values = []
    for style, mel in real.items():
        judge = critics[style].frozen
        values.append(relativistic(winner=judge(as_image(made[style])), loser=judge(as_image(mel))))
    return mean_over(values)


def critic_losses(
    critics: PerStyle[Critic], *, real: Mapping[str, Tensor], made: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Eq. 5, and how steep the discriminators are at recordings; averaged over the styles.

    Departs from the paper: steepness costs (R1, Mescheder et al. 2018), as the gradient of a
    discriminator that wins outweighs the reconstruction's.
    """
    values, slopes = [], []
    for style, mel in real.items():
        judge, fake = critics[style], as_image(made[style].detach())
        image = as_image(mel).detach().requires_grad_()
        scores = judge(image)
        values.append(relativistic(winner=scores, loser=judge(fake)))
        (gradient,) = torch.autograd.grad(scores.sum(), image, create_graph=True)
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
