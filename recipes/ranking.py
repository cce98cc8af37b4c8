"""A network that ranks the hypotheses about a recording, trained so that the best ranked is right.

`RankWeights` of thirdstream.notes.transcription.weights has what is kept of it.
"""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Ranking(nn.Module):
    """`RankWeights.rank`, to be trained; `constant`: whether it can add one to all ranks."""

    def __init__(self, n_evidence: int, n_hidden: int, *, constant: bool) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_evidence, n_hidden)
        self.out = nn.Linear(n_hidden, 1, bias=False)
        self.linear = nn.Linear(n_evidence, 1, bias=constant)
        nn.init.zeros_(self.linear.weight)

    def forward(self, evidence: Tensor) -> Tensor:
        return (self.out(self.hidden(evidence).tanh()) + self.linear(evidence))[..., 0]


class Rows(Protocol):
    """What is learnt from: evidence (n_recordings, n_hypotheses, n_evidence), how much each
    recording counts (n_recordings,), and the loss of a batch of them."""

    evidence: Tensor
    weight: Tensor

    def loss(self, network: nn.Module, among: Tensor) -> Tensor: ...


class Settings(NamedTuple):
    """Of a training by Adam; `shrink` is the weight of the squares."""

    n_hidden: int
    n_steps: int
    batch: int
    rate: float
    shrink: float
    constant: bool = False


def trained(rows: Rows, by: Settings, seed: int) -> Ranking:
    """A network from a seed, its rate falling as a cosine."""
    torch.manual_seed(seed)
    network = Ranking(rows.evidence.shape[2], by.n_hidden, constant=by.constant)
    optimizer = torch.optim.Adam(network.parameters(), by.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, by.n_steps)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    for _ in range(by.n_steps):
        among = torch.multinomial(rows.weight, by.batch, replacement=True)
        optimizer.zero_grad()
        loss = rows.loss(network, among)
        (loss + by.shrink * sum(p.square().sum() for p in matrices)).backward()
        optimizer.step()
        schedule.step()
    print(f"seed {seed}: loss {loss.item():.3f}", flush=True)
    return network


def mean_of(networks: list[Ranking]) -> dict[str, np.ndarray]:
    """Their mean, as RankWeights has it."""
    found = {
        "hidden": torch.cat([one.hidden.weight for one in networks]),
        "bias": torch.cat([one.hidden.bias for one in networks]),
        "linear": torch.stack([one.linear.weight[0] for one in networks]).mean(dim=0),
        "out": torch.cat([one.out.weight[0] for one in networks]) / len(networks),
    }
    if networks[0].linear.bias is not None:
        found["constant"] = torch.cat([one.linear.bias for one in networks]).mean()
    return {name: value.detach().numpy() for name, value in found.items()}
