"""The recipe that makes convolutions of the transcriber's harmonics."""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper, reference

sys.path.append(str(Path(__file__).parents[1] / "recipes"))

from harmonics import LAYERS, N_PITCHES, Layer, Taps, convolved
from thirdstream.notes.transcription.transcriber import WEIGHTS

SMALL = Layer("body.0", (-12, 0, 7, 12), 90, (Taps((-12, 0, 12)), Taps((7, 9), 7)))


def gathering(layer: Layer, matrix: np.ndarray, bias: np.ndarray) -> onnx.ModelProto:
    """As it is exported: all pitches at each harmonic side by side, mixed."""
    root, n_in = f"/network/body/{layer.name}", matrix.shape[1] // len(layer.harmonics)
    below, above = -min(layer.harmonics), max(layer.harmonics)
    constants = {"pads": [0, 0, below, 0, 0, 0, above, 0], "axis": [2]}
    nodes = [helper.make_node("Pad", ["x", "pads"], [f"{root}/padded"])]
    for number, step in enumerate(layer.harmonics):
        first = below + step
        constants |= {f"first{number}": [first], f"end{number}": [first + N_PITCHES]}
        places = [f"{root}/padded", f"first{number}", f"end{number}", "axis"]
        nodes.append(helper.make_node("Slice", places, [f"{root}/part{number}"]))
    parts = [node.output[0] for node in nodes[1:]]
    nodes.append(helper.make_node("Concat", parts, [f"{root}/parts"], axis=1))
    nodes.append(helper.make_node("Conv", [f"{root}/parts", "matrix", "bias"], [f"{root}/mixed"]))
    nodes.append(helper.make_node("Relu", [f"{root}/mixed"], ["y"]))
    weights = [
        *(numpy_helper.from_array(np.array(value), name) for name, value in constants.items()),
        numpy_helper.from_array(matrix[..., None, None], "matrix"),
        numpy_helper.from_array(bias, "bias"),
    ]
    ends = (
        [helper.make_tensor_value_info("x", 1, [1, n_in, layer.n_rows, 5])],
        [helper.make_tensor_value_info("y", 1, [1, len(bias), N_PITCHES, 5])],
    )
    graph = helper.make_graph(nodes, "one layer", *ends, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_convolutions_answer_as_copies_side_by_side_do() -> None:
    draw = np.random.default_rng(0).standard_normal
    matrix, bias = draw((3, 2 * len(SMALL.harmonics)), np.float32), draw(3, np.float32)
    model = gathering(SMALL, matrix, bias)
    rows = draw((1, 2, SMALL.n_rows, 5), np.float32)
    ways = [
        reference.ReferenceEvaluator(one).run(None, {"x": rows})[0]
        for one in (model, convolved(model, [SMALL]))
    ]
    assert ways[0].any()
    np.testing.assert_allclose(ways[1], ways[0], atol=1e-5)


def test_all_harmonics_have_taps_and_the_bundled_transcriber_has_them() -> None:
    for layer in LAYERS:
        assert {step for taps in layer.every for step in taps.steps} >= set(layer.harmonics)
        assert all(len(set(np.diff(taps.steps))) == 1 for taps in layer.every)
    model = onnx.load(WEIGHTS)
    assert "Concat" not in {n.op_type for n in model.graph.node if "/body/" in n.output[0]}
    assert convolved(model) == model
