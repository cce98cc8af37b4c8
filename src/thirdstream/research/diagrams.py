"""Diagrams of twin autoencoders: the paper's figures 5, 6 and 10, drawn from a live model.

What is drawn is found by `dataflow`; only the places of the boxes stand here.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor

from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models.adversarial import ADVERSARIAL, GRADIENT_PENALTY, Adversarial
from thirdstream.mel.models.model import DISCRIMINATOR, MODEL, MelModel
from thirdstream.mel.models.twin import TwinAutoencoder
from thirdstream.research.dataflow import (
    BLOCK,
    RESIDUAL,
    TRANSPOSED,
    DataFlow,
    Key,
    Layer,
    Node,
    dataflow_of,
    layers_of,
    size_of,
)
from thirdstream.research.figures import written

EQUATIONS = {
    "reconstruction": 1, "latent": 2, "content": 2, "divergence": 4, "discriminator": 5,
    "adversarial": 6,
}  # fmt: skip
NOTES = {
    BLOCK: "In a block each convolution is followed by ReLU.",
    RESIDUAL: "In a residual block each convolution follows a ReLU.",
    TRANSPOSED: "Transposed: convolutions of stride 1.",
}


def draw(model: MelModel, out: Path, *, name: str, mel: MelConfig | None = None) -> Iterator[Path]:
    """Figure 5 of a twin autoencoder, and figure 6, or 10 where it has discriminators.

    Yields each file written. Raises ThirdstreamError for a model of another kind.
    """
    if not isinstance(model, TwinAutoencoder):
        raise ThirdstreamError(f"{name}: is no twin autoencoder, so it has no diagram")
    mel = mel or MelConfig()
    yield from written(layers_figure(model, mel, name), out, f"figure-05-{name}")
    number = 10 if isinstance(model, Adversarial) else 6
    yield from written(twin_figure(model, mel, name), out, f"figure-{number:02d}-{name}")


def loss_text(model: MelModel, name: str) -> str:
    """A loss with its equation and its weight."""
    weights = {GRADIENT_PENALTY: getattr(model.config, GRADIENT_PENALTY, 0), DISCRIMINATOR: 1}
    equation = f", eq. {EQUATIONS[name]}" if name in EQUATIONS else ""
    return f"{name.replace('_', ' ')}{equation}: x {(weights | model.config.weights)[name]:g}"


# --- drawing --------------------------------------------------------------------------------------

Point = tuple[float, float]  # inches
WIDTH, HEIGHT = 0.96, 0.56  # of a box
COLUMN, ROW, CONV_ROW = 1.14, 0.84, 0.46  # from one to the next
GROUP = 0.12  # what a box around others is wider
COLOURS = {"tensor": "#ffffff", "network": "#d5e3f3", "step": "#eceff1", "group": "#f6f8fa"}
LOSS, FONT = "#b3401a", 8.5


class Box(NamedTuple):
    """Something with a text at a place. kind: of COLOURS."""

    at: Point
    text: str
    kind: str
    size: Point = (WIDTH, HEIGHT)


class Line(NamedTuple):
    """From point to point: an arrow, or the dashed line of a loss with its text at `label`."""

    points: Sequence[Point]
    text: str = ""
    label: Point = (0, 0)


def drawing(boxes: Sequence[Box], lines: Sequence[Line], *, title: str, note: str) -> Figure:
    """A figure as large as what is in it."""
    places = [(b.at[i] + side * b.size[i] / 2) for b in boxes for i in (0, 1) for side in (-1, 1)]
    xs, ys = [*places[0::4], *places[1::4]], [*places[2::4], *places[3::4]]
    ys += [y for line in lines for _, y in line.points]
    left, right, low, high = (
        min(xs) - 0.18,
        max(xs) + 0.18,
        min(ys) - 0.32 - 0.15 * note.count("\n"),
        max(ys) + 0.4,
    )
    figure = Figure(figsize=(right - left, high - low))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(low, high))
    axes.axis("off")
    for box in boxes:
        _draw_box(axes, box)
    for line in lines:
        _draw_line(axes, line)
    axes.text((left + right) / 2, high - 0.08, title, ha="center", va="top", fontsize=10)
    axes.text((left + right) / 2, low + 0.05, note, ha="center", va="bottom", fontsize=FONT)
    return figure


def _draw_box(axes: Axes, box: Box) -> None:
    (x, y), (width, height) = box.at, box.size
    corner, style = (x - width / 2, y - height / 2), "round,pad=0,rounding_size=0.05"
    colour = COLOURS.get(box.kind)
    if box.kind != "text":
        axes.add_patch(
            FancyBboxPatch(
                corner, width, height, style, facecolor=colour, edgecolor="#5b6670", lw=0.8
            )
        )
    top = box.kind == "group"  # its text is above what is in it
    at = y + height / 2 - 0.04 if top else y
    axes.text(x, at, box.text, ha="center", va="top" if top else "center", fontsize=FONT)


def _draw_line(axes: Axes, line: Line) -> None:
    if not line.text:
        *before, last, end = line.points
        axes.plot(*zip(*before, last, strict=True), color="#333333", lw=0.8)
        axes.add_patch(
            FancyArrowPatch(last, end, arrowstyle="-|>", mutation_scale=7, shrinkA=0, shrinkB=0,
                            color="#333333", lw=0.8)
        )  # fmt: skip
        return
    axes.plot(*zip(*line.points, strict=True), "--", color=LOSS, lw=1.0)
    axes.text(
        *line.label, line.text, ha="center", va="center", fontsize=FONT, color=LOSS,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


# --- figure 5 -------------------------------------------------------------------------------------


@torch.no_grad()
def layers_figure(model: TwinAutoencoder, mel: MelConfig, name: str) -> Figure:
    """The encoder above, the decoder below, of one style; those of the other are alike."""
    style = model.styles[0]
    segment = torch.zeros(1, mel.n_frames, mel.n_mels)
    content = model.content(segment, style)
    ends = [f"mel\n{size_of(segment)}", f"code\n{size_of(content)}"]
    encoder, decoder = model.encoders[style], model.decoders[style]
    boxes, lines, texts, y = [], [], set(), 0.0
    for called, network, run, (start, end) in (
        ("encoder", encoder, lambda: model.content(segment, style), ends),
        ("decoder", decoder, lambda: decoder(content, n_frames=mel.n_frames), ends[::-1]),
    ):
        layers = layers_of(network, run)
        widths = [WIDTH, *(WIDTH + GROUP * (layer.rows() > 1) for layer in layers), WIDTH]
        halves = [width / 2 for width in widths]
        height = max(layer.rows() for layer in layers) * CONV_ROW + 0.9
        y -= height / 2
        boxes += [Box((0, y), start, "tensor"), Box((COLUMN * (len(layers) + 1), y), end, "tensor")]
        boxes.append(Box((0, y + 0.5), f"{called}\n{_count(network.parameters())}", "text"))
        for column in range(len(layers) + 1):
            x = column * COLUMN
            half, next_half = halves[column : column + 2]
            lines.append(Line([(x + half, y), (x + COLUMN - next_half, y)]))
            if column:
                more_boxes, more_lines = _layer_drawn(layers[column - 1], x, y)
                boxes, lines = boxes + more_boxes, lines + more_lines
        y -= height / 2
        texts |= {layer.text for layer in layers}
        texts |= {conv.partition("\n")[0] for layer in layers for conv in layer.convs}
    notes = [NOTES[text] for text in sorted(texts & NOTES.keys())]
    note = "\n".join([" ".join(notes), "Of a convolution: its kernel, its channels. "
                      "Of a tensor: frames x mels x channels."])  # fmt: skip
    return drawing(boxes, lines, title=f"{name}: encoder and decoder of a style", note=note)


def _layer_drawn(layer: Layer, x: float, y: float) -> tuple[list[Box], list[Line]]:
    """A layer as boxes around (x, y); what is added at its end comes down its right side."""
    if layer.rows() == 1:
        kind, below = "step" if layer.text else "network", (x, y - HEIGHT / 2 - 0.12)
        return [Box((x, y), layer.text or layer.convs[0], kind), Box(below, layer.size, "text")], []
    height = (layer.rows() - 1) * CONV_ROW + 1.02
    middle, right, top = x - 0.05, x + WIDTH / 2 + 0.01, y + height / 2
    ys = [top - 0.46 - row * CONV_ROW for row in range(layer.rows())]
    plus = (middle, ys[-1] - 0.38)
    first = (middle + 0.4, ys[0]) if layer.text == BLOCK else (middle, top - 0.22)
    boxes = [
        Box((x, y), layer.text, "group", (WIDTH + GROUP, height)),
        Box((x, top - height - 0.12), layer.size, "text"),
        *(Box((middle, at), conv, "network", (WIDTH - 0.1, 0.36))
          for at, conv in zip(ys, layer.convs, strict=True)),
        Box(plus, "+", "step", (0.16, 0.14)),
    ]  # fmt: skip
    down = zip(ys, [*(at + 0.18 for at in ys[1:]), plus[1] + 0.07], strict=True)
    lines = [Line([(middle, above - 0.18), (middle, below)]) for above, below in down]
    middles = [Line([first, (middle, ys[0] + 0.18)])] if layer.text == RESIDUAL else []
    corner = [(right, first[1]), (right, plus[1])]
    return boxes, [*middles, *lines, Line([first, *corner, (middle + 0.08, plus[1])])]


def _count(parameters: Iterable[Tensor]) -> str:
    return f"{sum(one.numel() for one in parameters):,} parameters"


# --- figures 6 and 10 -----------------------------------------------------------------------------

PLACES = {  # column and row of a tensor; whether it is of the style that is transferred to
    (False, "mel"): (0, 2), (False, "content"): (2, 2), (False, "style"): (2, 3),
    (False, "log_variance"): (2, 3), (False, "drawn content"): (3, 2), (False, "noise"): (3, 3),
    (False, "rebuilt"): (5, 3), (False, "restyled"): (5, 1), (False, "content again"): (7, 1),
    (False, "style again"): (7, 0), (False, "drawn style"): (2, 0), (True, "mel"): (0, 0),
    (True, "style"): (2, 0),
}  # fmt: skip
NAMES = {
    "encoders": "encoder", "style_encoders": "style encoder", "decoders": "decoder",
    "log_variance_encoders": "2nd encoder", "log_variance": "log variance",
    "rebuilt": "reconstruction", "drawn content": "drawn code\neq. 3",
    "drawn style": "style from\nN(0, 1)",
}  # fmt: skip
LANES = {"reconstruction": 3.6, "latent": 1.5, "content": 1.5, "style": -0.55}  # rows of lines
PLAYED = (ADVERSARIAL, DISCRIMINATOR, GRADIENT_PENALTY)  # losses of discriminators' scores


def twin_figure(model: TwinAutoencoder, mel: MelConfig, name: str) -> Figure:
    """Where recordings of the first style go in a training step, and which losses they have."""
    flow, (own, other) = dataflow_of(model, mel), model.styles
    keys = _keys_drawn(flow, own, other if isinstance(model, Adversarial) else None)
    chains = {key: _chain(flow.nodes[key], model) for key in keys}
    places = {key: PLACES[key[0] == other, key[1]] for key in keys}
    columns = sorted(
        {x - back for key, (x, _) in places.items() for back in range(len(chains[key]) + 1)}
    )
    grid = {key: (columns.index(x) * COLUMN, y * ROW) for key, (x, y) in places.items()}
    tensors = {key: Box(grid[key], _tensor_text(flow, key, other), "tensor") for key in keys}
    boxes, lines = [*tensors.values()], []
    for key, box in tensors.items():
        after = box
        for text in chains[key]:  # from the last to the first
            before = Box((after.at[0] - COLUMN, box.at[1]), text, "network")
            boxes.append(before)
            lines.append(_arrow(before, after))
            after = before
        lines += [_arrow(tensors[source], after) for source in flow.nodes[key].sources]
    notes = [f"Recordings of {other} go the same way. At networks: how many parameters they have."]
    for loss, terms in flow.losses.items():
        shown = [term for term in terms if keys >= set(term)]
        text = loss_text(model, loss)
        if not shown:
            notes.append(f"{text}, between tensors of both styles.")
        elif loss not in PLAYED:
            only = "" if len(terms) == len(model.styles) else f"\nfrom {own} to {other} only"
            one, another = (tensors[key].at for key in shown[0])
            lines.append(_loss_line(one, another, loss, text + only))
    if isinstance(model, Adversarial):
        drawn = _discriminator(model, tensors[own, "restyled"], tensors[other, "mel"])
        boxes, lines = [*boxes, drawn[0]], [*lines, *drawn[1]]
    total = _count(model.players()[MODEL].parameters)
    apart = " without discriminators" if isinstance(model, Adversarial) else ""
    return drawing(boxes, lines, title=f"{name}: {total}{apart}", note="\n".join(notes))


def _keys_drawn(flow: DataFlow, own: str, judged: str | None) -> set[Key]:
    """What becomes of recordings of a style, as far as a loss needs it, and what that is made of.

    judged: the style of the discriminator that gets recordings of its own, if there is one.
    """
    compared = {key for terms in flow.losses.values() for term in terms for key in term}
    keys = {key for key in compared if key[0] == own}
    keys -= {key for key in keys if key[1] == "drawn style"}
    if judged is not None:
        keys.add((judged, "mel"))
    todo = [*keys, (own, "restyled")]
    while todo:
        key = todo.pop()
        keys.add(key)
        todo += flow.nodes[key].sources
    return keys


def _chain(node: Node, model: TwinAutoencoder) -> list[str]:
    """The networks that make a tensor, from the last to the first, with their parameters."""
    counts = dict(node.networks)
    heads = sum(counts.pop(name) for name in [*counts] if name.startswith("heads."))
    joined = any(role.endswith("style") for _, role in node.sources)
    texts = []
    for network, count in counts.items():
        group, _, style = network.partition(".")
        texts.append(f"{NAMES[group]}\n{style}\n{count + heads * (not joined):,}")
    if joined:
        stored = getattr(model.config, "adain", "instance") == "moving"
        adain = "AdaIN, stored\nstatistics" if stored else "AdaIN, eq. 7"
        texts.append(f"{adain}\n{heads:,}" if heads else adain)
    return texts


def _tensor_text(flow: DataFlow, key: Key, other: str) -> str:
    style, role = key
    named = {"mel": f"{style} mel", "restyled": f"transfer\nto {other}", "noise": "N(0, 1)"}
    text = {**NAMES, **named}.get(role, role)
    has_style = any(one == "style" for _, one in flow.nodes)
    text = text if has_style else text.replace("content", "code")
    return f"{text}\n{flow.nodes[key].size}".rstrip()


def _arrow(start: Box, end: Box) -> Line:
    """From the right of a box to the left of another, or down, or around what lies between."""
    (x, y), (to_x, to_y) = start.at, end.at
    if x == to_x:
        half = HEIGHT / 2 if to_y > y else -HEIGHT / 2
        return Line([(x, y + half), (to_x, to_y - half)])
    left = (to_x - WIDTH / 2, to_y)
    if to_x - x > 2.5 * COLUMN and to_y < y:
        return Line([(x, y - HEIGHT / 2), (x, to_y), left])
    return Line([(x + WIDTH / 2, y), left])


def _loss_line(one: Point, another: Point, loss: str, text: str) -> Line:
    """Up or down from both tensors to the lane of the loss; of neighbours, straight."""
    (x, y), (to_x, to_y) = sorted((one, another))
    if x == to_x:
        points = [(x, y + HEIGHT / 2), (x, to_y - HEIGHT / 2)]
        return Line(points, text, (x, (y + to_y) / 2))
    lane = LANES.get(loss, -0.55) * ROW
    edges = [at + (HEIGHT / 2 if lane > at else -HEIGHT / 2) for at in (y, to_y)]
    points = [(x, edges[0]), (x, lane), (to_x, lane), (to_x, edges[1])]
    return Line(points, text, ((x + to_x) / 2, lane))


def _discriminator(model: Adversarial, made: Box, real: Box) -> tuple[Box, list[Line]]:
    """The discriminator that tells transfers from recordings, and the losses of its scores."""
    other = model.styles[1]
    count = sum(one.numel() for one in model.discriminators[other].parameters())
    box = Box((made.at[0], -1.2 * ROW), f"discriminator\n{other}\n{count:,}", "network")
    weights = {**model.config.weights, **model.loss_weights(DISCRIMINATOR)}
    text = "\n".join(loss_text(model, loss) for loss in PLAYED if loss in weights)
    x, y = box.at
    end = (x + 1.35 * COLUMN, y)
    scores = Line([(x + WIDTH / 2, y), end], text, (end[0] + 0.45, y))
    return box, [_arrow(made, box), _arrow(real, box), scores]
