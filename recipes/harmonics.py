"""The transcriber's harmonics as convolutions: python recipes/harmonics.py transcriber.onnx

As it is exported, the network copies all pitches once for each harmonic, side by side, and mixes
them: two fifths of its time. The same sums are convolutions along the pitches, with taps as far
apart as the harmonics. The file is written anew with these, after comparing what both answer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import tyro
from onnx import NodeProto, TensorProto, helper, numpy_helper

from thirdstream.packages import onnxruntime

N_PITCHES = 88
ATOL = 1e-5  # of a posterior


class Taps(NamedTuple):
    """Harmonics in equal steps, in semitones: one convolution. crop: rows that are cut off before
    it, where its first harmonic lies above the pitch."""

    steps: tuple[int, ...]
    crop: int = 0


class Layer(NamedTuple):
    """A layer of the network: the harmonics in the order of its weights, and how they are taken.

    A step that stands twice has its weight the first time. n_rows: that it is given.
    """

    name: str
    harmonics: tuple[int, ...]
    n_rows: int
    every: tuple[Taps, ...]


LAYERS = (
    Layer(
        "body.0",
        (-12, 0, 12, 19, 24, 28, 31, 34),
        103,
        (Taps((-12, 0, 12, 24)), Taps((19, 31), 19), Taps((28, 34), 28)),
    ),
    Layer("body.4", (-24, -19, -12, 0, 12), N_PITCHES, (Taps((-24, -12, 0, 12)), Taps((-19, 0)))),
)
Part = tuple[list[NodeProto], list[TensorProto]]


def convolved(model: onnx.ModelProto, layers: Sequence[Layer] = LAYERS) -> onnx.ModelProto:
    """The model with convolutions in place of copies; one that has them already is as it was."""
    nodes, weights = list(model.graph.node), {one.name: one for one in model.graph.initializer}
    for layer in layers:
        root = f"/network/body/{layer.name}/"
        inside = [k for k, node in enumerate(nodes) if node.output[0].startswith(root)]
        if not any(nodes[k].op_type == "Pad" for k in inside):
            continue
        pad = next(nodes[k] for k in inside if nodes[k].op_type == "Pad")
        last = next(k for k in inside if nodes[k].op_type == "Conv")
        mix = nodes[last]
        matrix, bias = (numpy_helper.to_array(weights.pop(name)) for name in mix.input[1:])
        made, own = _layer(layer, pad.input[0], mix.output[0], matrix[..., 0, 0], bias)
        nodes[inside[0] : last + 1] = made
        weights |= {one.name: one for one in own}
    graph = model.graph
    ends = graph.input, graph.output
    rewritten = helper.make_graph(nodes, graph.name, *ends, list(weights.values()))
    found = helper.make_model(rewritten, opset_imports=model.opset_import)
    found.ir_version = model.ir_version
    found.metadata_props.extend(model.metadata_props)
    onnx.checker.check_model(found)
    return found


def _layer(layer: Layer, source: str, end: str, matrix: np.ndarray, bias: np.ndarray) -> Part:
    """From `source` to `end`: each convolution, added to those before.

    matrix: (n_out, n_harmonics * n_in).
    """
    blocks = np.split(matrix, len(layer.harmonics), axis=1)
    left = dict(zip(layer.harmonics, blocks, strict=True))
    nodes, own, total = list[NodeProto](), list[TensorProto](), ""
    for number, taps in enumerate(layer.every):
        name, kernel = f"{layer.name}/taps{number}", np.zeros((len(taps.steps), *blocks[0].shape))
        for at, step in enumerate(taps.steps):
            kernel[at] += left.pop(step, 0)
        kernel = np.moveaxis(kernel, 0, 2)[..., None].astype(np.float32)
        more, tensors = _convolution(layer, taps, name, source, kernel)
        if not number:
            more[-1].input.append(f"{name}/bias")
            tensors.append(numpy_helper.from_array(bias, f"{name}/bias"))
        nodes, own = [*nodes, *more], [*own, *tensors]
        if total:
            is_last = number == len(layer.every) - 1
            added = end if is_last else f"{name}/sum"
            nodes.append(helper.make_node("Add", [total, name], [added]))
            total = added
        else:
            total = name
    if left:
        raise ValueError(f"{layer.name}: no taps for the harmonics {sorted(left)}")
    return nodes, own


def _convolution(layer: Layer, taps: Taps, name: str, source: str, kernel: np.ndarray) -> Part:
    """One of them, called `name`; N_PITCHES rows come out."""
    nodes, own = list[NodeProto](), [numpy_helper.from_array(kernel, f"{name}/weight")]
    first, last = (taps.steps[k] - taps.crop for k in (0, -1))
    if taps.crop:
        places = {"from": taps.crop, "to": layer.n_rows, "axis": 2}
        own += [numpy_helper.from_array(np.array([at]), f"{name}/{k}") for k, at in places.items()]
        inputs = [source, *(f"{name}/{key}" for key in places)]
        nodes.append(helper.make_node("Slice", inputs, [f"{name}/rows"]))
        source = f"{name}/rows"
    below = N_PITCHES + last - (layer.n_rows - taps.crop)
    nodes.append(
        helper.make_node(
            "Conv",
            [source, f"{name}/weight"],
            [name],
            dilations=[taps.steps[1] - taps.steps[0], 1],
            pads=[-first, 0, below, 0],
        )
    )
    return nodes, own


def rewrite(path: Path) -> None:
    """Write the file anew; raises AssertionError where what it answers would differ."""
    before, after = onnx.load(path), convolved(onnx.load(path))
    columns = np.random.default_rng(0).random((1, 3, 3 * 103, 77), np.float32) * 3
    ways = [
        onnxruntime().InferenceSession(one.SerializeToString()).run(None, {"columns": columns})[0]
        for one in (before, after)
    ]
    np.testing.assert_allclose(ways[1], ways[0], rtol=0, atol=ATOL)
    onnx.save(after, path)


if __name__ == "__main__":
    tyro.cli(rewrite, description=__doc__, config=(tyro.conf.Positional,))
