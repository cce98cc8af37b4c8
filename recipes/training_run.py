"""What a folder holds of a training, and goes on from; a trained network as ONNX."""

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from thirdstream.packages import onnxruntime

WARM_UP, EVERY = 100, 100  # steps: until the rate is whole, and between two that are kept


class Run:
    """A network, its optimizer, and how long it has learnt."""

    def __init__(self, folder: Path, network: nn.Module, *, rate: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.network, self.rate = folder / "state.pt", network, rate
        self.optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-3)
        self.n_steps, self.spent_s = 0, 0.0
        if self.path.is_file():
            state = torch.load(self.path, weights_only=True)
            network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.n_steps, self.spent_s = state["step"], state["spent_s"]

    def save(self) -> None:
        partial = self.path.with_suffix(".partial")
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state | {"step": self.n_steps, "spent_s": self.spent_s}, partial)
        partial.rename(self.path)

    def steps(self, seconds: float) -> Iterator[int]:
        """The numbers of its steps until it has learnt so long in all; keeps its state."""
        start = time.time() - self.spent_s
        while self.spent_s < seconds:
            self._set_rate(self.spent_s / seconds)
            yield self.n_steps
            self.spent_s = time.time() - start
            if self.n_steps % EVERY == 0:
                self.save()
        self.save()

    def learn(self, loss: Tensor) -> None:
        """One step down."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.n_steps += 1

    def _set_rate(self, progress: float) -> None:
        """Up during WARM_UP steps, then down along a cosine."""
        share = max(0.5 + 0.5 * np.cos(np.pi * progress), 0.01)
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.rate * min((self.n_steps + 1) / WARM_UP, 1.0) * share)


def export(
    whole: nn.Module,
    example: Callable[[int], Tensor],
    path: Path,
    about: dict[str, str],
    *,
    names: tuple[str, str],
    axes: tuple[int, int],
) -> None:
    """Write it as ONNX, after comparing what that answers with what the network does.

    example: an input of so many frames. names: of input and output; axes: where their frames are.
    """
    whole = whole.eval()
    ways = {name: {axis: f"frames_{name}"} for name, axis in zip(names, axes, strict=True)}
    with warnings.catch_warnings(action="ignore"):  # the older exporter, which needs no package
        torch.onnx.export(
            whole, (example(40),), path, dynamo=False,
            input_names=[names[0]], output_names=[names[1]], dynamic_axes=ways,
        )  # fmt: skip
    model = onnx.load(path)
    onnx.helper.set_model_props(model, about | {"torch": torch.__version__})
    onnx.save(model, path)
    longer = example(77)
    found = onnxruntime().InferenceSession(path).run(None, {names[0]: longer.numpy()})[0]
    with torch.inference_mode():
        np.testing.assert_allclose(found, whole(longer).numpy(), atol=1e-4)
