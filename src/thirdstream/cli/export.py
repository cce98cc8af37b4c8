"""Models for other programs."""

import dataclasses
from pathlib import Path
from typing import Literal

import torch
import tyro

from thirdstream import registry
from thirdstream.cli.console import print_json, tell
from thirdstream.cli.locks import writes_file
from thirdstream.files import ThirdstreamError, check_free
from thirdstream.mel.system import MelSystem, load


@dataclasses.dataclass(frozen=True)
class Direction:
    """What the exported network does; it does nothing else."""

    to: str
    """The style to turn mels into."""
    source: str | None = None
    """The style they come from; by default the model's other one."""
    style_from: Path | None = None
    """A recording of the target style to take the style from, for models that encode content and
    style apart. By default the style is the mean style, or drawn by the seed."""
    seed: int = 0
    """Of a style that is drawn."""


@writes_file
def export(
    model: str,
    /,
    *,
    out: Path,
    direction: tyro.conf.OmitArgPrefixes[Direction],
    format: Literal["onnx", "torchscript"] = "onnx",
    force: bool = False,
    json: bool = False,
) -> None:
    """Write the network of a model for other programs, without thirdstream around it.

    Example: thirdstream export twin-cnn --to jazz --format onnx --out twin-cnn-jazz.onnx

    It takes normalised mels of the source style, (batch, n_frames, n_mels), any number of frames,
    and gives those of the target. Its metadata has what is needed around it: the transform and both
    styles' statistics. It is compared with the model before it is written.

    Args:
        model: name of a model (see `thirdstream systems`), a .safetensors file, or a run folder.
        out: file for the network.
        direction: from which style into which.
        format: ONNX (extra `export`), or TorchScript for torch in C++ and Python.
        force: replace a file that exists.
        json: print what was written as JSON on standard output.
    """
    from thirdstream.mel.export import export as write

    check_free(out, force=force)
    path = registry.find(model)
    if registry.entry_of(path).is_indexed:
        raise ThirdstreamError(f"{model}: is an index of recordings, without a network to export")
    system = load(path)
    source, condition = _resolved(system, direction)
    difference = write(
        system, out, source=source, target=direction.to, condition=condition, format=format
    )
    if json:
        about = {"path": str(out), "format": format, "source": source, "target": direction.to}
        print_json(about | {"difference": difference})
    else:
        tell(f"{out}: {source} to {direction.to}, at most {difference:.2g} from the model")


def _resolved(system: MelSystem, direction: Direction) -> tuple[str, torch.Tensor | None]:
    """The source, and the condition of models that have one. Raises ThirdstreamError."""
    system.choose(to=direction.to, source=direction.source, style_from=direction.style_from)
    if direction.style_from is not None:
        condition = system.style_of(direction.style_from, direction.to)
    else:
        generator = torch.Generator().manual_seed(direction.seed)
        condition = system.model.default_condition(direction.to, generator=generator)
    return direction.source or system.model.other(direction.to), condition
