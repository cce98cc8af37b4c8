"""One training pair, forward and backward: each preset, and what bounds the paper's.

    python benchmarks/train_step.py [BATCH [NAME, PRESET ...]]

The bound is the arithmetic of the convolutions, counted as they are called, at the speed of torch's
product of two matrices, or their memory at the speed of a copy; both are measured in turn with the
steps. Seconds are the processor's, of one thread: others on the machine change all alike.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import tyro
from torch import Tensor, nn

from signals import segments
from tables import show
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.cnn import CNNConfig, TwinCNN
from thirdstream.mel.models.model import Batch, MelModel, weighted_sum
from thirdstream.mel.models.twin import Code
from thirdstream.mel.networks.blocks import Block, Discriminator

STYLES = ("classical", "jazz")
BATCH, N_RUNS = 4, 5
BOUND = [f"twin-{name}, paper" for name in ("cnn", "vae", "gan", "variational-gan")]
SIDE, N_PRODUCTS = 512, 8  # of the matrices, which fit into a core's own memory
N_COPIED = 64 * 2**20  # bytes, which do not


class Plain(TwinCNN):
    """The same network with channels first in memory, as torch does it unless told otherwise."""

    def __init__(self, styles: tuple[str, str], config: CNNConfig) -> None:
        super().__init__(styles, config)
        self.to(memory_format=torch.contiguous_format)

    def encode(self, mel: torch.Tensor, style: str) -> Code:
        return Code(self.encoders[style](mel[:, None]), mel.shape[1])


class Work(NamedTuple):
    """What a step's convolutions come to: operations, and bytes of what they make, which is written
    once and, where gradients are wanted, read twice on the way back.
    """

    operations: int
    n_bytes: int


def step(model: MelModel, batch: Mapping[str, Tensor]) -> None:
    model.zero_grad()
    for player in model.players():
        losses = model(Batch(batch, batch), player)
        weighted_sum(losses, model.loss_weights(player)).backward()


def work_of(model: MelModel, batch: Mapping[str, Tensor]) -> Work:
    """Of one step, counted as the convolutions are called."""
    found = []

    def count(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        (x, *_), weights = given, [one for one in layer.parameters() if one.dim() == 4]
        n_points = len(made) * made.shape[2] * made.shape[3]
        sizes, graded = [one.numel() for one in weights], made.requires_grad
        own = graded and weights[0].requires_grad  # a frozen discriminator's have no gradient
        by_input = sum(sizes) - (0 if x.requires_grad else sizes[0]) if graded else 0
        products = sum(sizes) * (2 if own else 1) + by_input
        values = made.shape[1] * len(sizes) * (3 if graded else 1)
        found.append(Work(2 * n_points * products, 4 * n_points * values))

    convs = [
        conv for one in model.modules() if isinstance(one, Discriminator) for conv in one.convs
    ]
    blocks = [one for one in model.modules() if isinstance(one, Block)]
    hooks = [layer.register_forward_hook(count) for layer in (*convs, *blocks)]
    step(model, batch)
    for hook in hooks:
        hook.remove()
    return Work(*map(sum, zip(*found, strict=True)))


def cpu_s(calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median processor seconds of each call, in turn, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(N_RUNS + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if number:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def main(n_pairs: int = BATCH, *only: str) -> None:
    torch.set_num_threads(1)
    mel = LogMel()(segments(2 * n_pairs))
    batch = dict(zip(STYLES, mel.chunk(2), strict=True))
    models: dict[str, MelModel] = {
        f"{name}, {preset}": family.kind(STYLES, config)
        for name, family in FAMILIES.items()
        for preset, config in family.kind.PRESETS.items()
        if not only or f"{name}, {preset}" in only
    }
    if not only:
        models["twin-cnn, paper, channels first"] = Plain(STYLES, TwinCNN.PRESETS["paper"])
    matrix, memory = torch.randn(SIDE, SIDE), torch.zeros(2, N_COPIED, dtype=torch.uint8)
    seconds = cpu_s({
        "products": lambda: [matrix @ matrix for _ in range(N_PRODUCTS)],
        "copy": lambda: memory[0].copy_(memory[1]),
        **{name: lambda model=model: step(model, batch) for name, model in models.items()},
    })  # fmt: skip
    peak = N_PRODUCTS * 2 * SIDE**3 / seconds["products"]
    rate = 2 * N_COPIED / seconds["copy"]
    rows = []
    for name, model in models.items():
        n_parameters = sum(p.numel() for p in model.parameters())
        row = [name, f"{n_parameters:,}", f"{seconds[name] / n_pairs:.4f}"]
        if name in BOUND:
            work = work_of(model, batch)
            bound_s = max(work.operations / peak, work.n_bytes / rate)
            row += [
                f"{work.operations / n_pairs / 1e9:.2f}",
                f"{work.n_bytes / n_pairs / 1e6:.0f}",
                f"{bound_s / n_pairs:.4f}",
                f"{seconds[name] / bound_s:.1f}",
            ]
        rows.append([*row, *[""] * (7 - len(row))])
    title = (
        f"Training step, batch {n_pairs}; peak {peak / 1e9:.0f} billion operations a second, "
        f"memory {rate / 1e9:.1f} GB/s"
    )
    headings = ["", "parameters", "CPU s a pair", "10^9 op.", "MB", "bound", "times the bound"]
    show(title, headings, rows)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
