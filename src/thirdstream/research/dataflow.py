"""What a live twin autoencoder does: the layers of its networks, and the way of its tensors.

A model is run once. Its layers and the sizes of tensors are what forward hooks see. Which tensor is
made of which, by which networks, and which tensors a loss compares, is what autograd recorded.
"""

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models.adversarial import Adversarial
from thirdstream.mel.models.model import as_image
from thirdstream.mel.models.twin import Pass, TwinAutoencoder
from thirdstream.mel.networks.blocks import Block, Residual
from thirdstream.mel.networks.resizing import resized

BLOCK, RESIDUAL, TRANSPOSED = "block", "residual block", "transposed"
LAYERS = (Block, Residual, nn.Conv2d, nn.PixelUnshuffle, nn.PixelShuffle)
RESIZING = {
    functional.avg_pool2d: "average\npooling by 2",
    functional.interpolate: "upsampling\nby 2, nearest",
}
OF = {"halve": functional.avg_pool2d, "double": functional.interpolate}


class Layer(NamedTuple):
    """A step of a network: what it is, its convolutions, and the size of what comes out."""

    text: str
    convs: Sequence[str]
    size: str

    def rows(self) -> int:
        """How many boxes it has one above the other."""
        return len(self.convs) if self.text and self.convs else 1


class _Resizings(TorchFunctionMode):
    """Tells of every call of a function in RESIZING, but of a block, which resizes by itself."""

    def __init__(self, layers: list[Layer], inside: list[nn.Module]) -> None:
        super().__init__()
        self.layers, self.inside = layers, inside

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in RESIZING and not self.inside:
            self.layers.append(Layer(RESIZING[func], (), size_of(made)))
        return made


@torch.no_grad()
def layers_of(network: nn.Module, run: Callable[[], object]) -> list[Layer]:
    """The steps of a network, in order, while `run` runs it once."""
    found: list[Layer] = []
    inside: list[nn.Module] = []

    def enter(module: nn.Module, given: Any) -> None:
        inside.append(module)
        if len(inside) == 1 and isinstance(module, Block) and module.resize != "no":
            made = resized(given[0], module.resize)
            found.append(Layer(RESIZING[OF[module.resize]], (), size_of(made)))

    def leave(module: nn.Module, _: Any, made: Tensor) -> None:
        inside.pop()
        if not inside:
            found.append(Layer(_text(module), _convs(module), size_of(made)))

    with ExitStack() as stack:
        for module in network.modules():
            if isinstance(module, LAYERS):
                stack.callback(module.register_forward_pre_hook(enter).remove)
                stack.callback(module.register_forward_hook(leave).remove)
        stack.enter_context(_Resizings(found, inside))
        run()
    return found


def _text(module: nn.Module) -> str:
    if isinstance(module, nn.PixelUnshuffle):
        return f"{module.downscale_factor} x {module.downscale_factor} points\nto channels"
    if isinstance(module, nn.PixelShuffle):
        return f"channels to\n{module.upscale_factor} x {module.upscale_factor} points"
    return {Block: BLOCK, Residual: RESIDUAL}.get(type(module), "")  # type: ignore[call-overload]


def _convs(module: nn.Module) -> list[str]:
    """What each convolution within a layer is."""
    kinds = {nn.Conv2d: "conv", nn.ConvTranspose2d: TRANSPOSED}
    return [
        f"{kinds[type(one)]}\n{one.kernel_size[0]} x {one.kernel_size[1]}, "
        f"{one.in_channels} to {one.out_channels}"
        for one in module.modules()
        if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)
    ]


def size_of(tensor: Tensor) -> str:
    """Of one element of a batch; of images time, mel and channels."""
    sizes = tensor.shape[1:]
    return " x ".join(map(str, (*sizes[1:], sizes[0]) if len(sizes) == 3 else sizes))


# --- the way of the tensors (figures 6 and 10) ----------------------------------------------------

Key = tuple[str, str]  # style of a recording, role of a tensor on its way
NOISE: Key = ("", "noise")


class Node(NamedTuple):
    """A tensor: its size, what it is made of, and the parameters on the way, by network."""

    size: str
    sources: Sequence[Key]
    networks: Mapping[str, int]


class DataFlow(NamedTuple):
    """All tensors of a training step; by loss, the tensors that each of its terms compares."""

    nodes: Mapping[Key, Node]
    losses: Mapping[str, Sequence[Sequence[Key]]]


class _Draws(TorchFunctionMode):
    """What is drawn at random becomes known to autograd."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.requires_grad_() if func in (torch.randn_like, torch.randn) else made


def dataflow_of(model: TwinAutoencoder, mel: MelConfig) -> DataFlow:
    """What a training step does, from what autograd recorded of one."""
    model = copy.deepcopy(model).double().train().requires_grad_(True)
    mels = {
        style: torch.rand(1, mel.n_frames, mel.n_mels, dtype=torch.float64).requires_grad_()
        for style in model.styles
    }
    with _Draws():
        passes = model.passes(mels)
    tensors = _tensors(mels, passes)
    known = {_origin(tensor): key for key, tensor in reversed(tensors.items())}
    names = {parameter: name for name, parameter in model.named_parameters()}
    nodes = {}
    for key, tensor in tensors.items():
        if known[_origin(tensor)] == key:
            sources, met = _traced(tensor.grad_fn, known)
            nodes[key] = Node(size_of(tensor), sources, _networks(met, names))
    losses = {
        name: [_traced(term, known)[0] for term in _terms(loss)]
        for name, loss in model.losses(mels, passes).items()
    }
    return DataFlow({**nodes, NOISE: Node("", (), {})}, losses | _scored(model, tensors))


def _tensors(mels: Mapping[str, Tensor], passes: Mapping[str, Pass]) -> dict[Key, Tensor]:
    """By style and role, in the order in which they come about."""
    found: dict[Key, Tensor | None] = {(style, "mel"): mel for style, mel in mels.items()}
    for style, one in passes.items():
        found |= {(style, role): getattr(one.code, role)
                  for role in ("content", "style", "log_variance")}  # fmt: skip
    for style, one in passes.items():
        found |= {
            (style, "drawn content"): one.swapped.content,
            (style, "drawn style"): one.swapped.style,
            (style, "rebuilt"): one.rebuilt,
            (style, "restyled"): one.restyled,
            (style, "content again"): one.again.content,
            (style, "style again"): one.again.style,
        }
    return {key: tensor for key, tensor in found.items() if tensor is not None}


def _origin(tensor: Tensor) -> object:
    """What autograd knows a tensor by."""
    return tensor if tensor.grad_fn is None else tensor.grad_fn


def _terms(loss: Tensor) -> list[Any]:
    """What a loss is the mean of, one or two terms, as autograd's functions."""
    function: Any = loss.grad_fn
    while len(function.next_functions) == 1 and "Stack" not in function.name():
        function = function.next_functions[0][0]
    is_mean = "Stack" in function.name()
    return [one for one, _ in function.next_functions] if is_mean else [loss.grad_fn]


def _traced(start: Any, known: Mapping[object, Key]) -> tuple[list[Key], list[nn.Parameter]]:
    """The nearest known tensors that one is made of, and the parameters on the way to them."""
    sources, met, todo, seen = [], [], [start], set()
    while todo:
        for function, _ in getattr(todo.pop(0), "next_functions", ()):
            origin = getattr(function, "variable", function)
            if origin is None or origin in seen:
                continue
            seen.add(origin)
            if origin in known:
                sources.append(known[origin])
            elif isinstance(origin, nn.Parameter):
                met.append(origin)
            elif isinstance(origin, Tensor):
                sources.append(NOISE)
            else:
                todo.append(function)
    return sources, met


def _networks(met: Iterable[nn.Parameter], names: Mapping[nn.Parameter, str]) -> dict[str, int]:
    """How many parameters were met of each network, which are called GROUP.STYLE."""
    counts: dict[str, int] = {}
    for parameter in met:
        network = re.sub(r"^(\w+)\.of\.style-([^.]+)\..*", r"\1.\2", names[parameter])
        counts[network] = counts.get(network, 0) + parameter.numel()
    return counts


def _note(images: list[Tensor], _: nn.Module, given: tuple[Tensor, ...]) -> None:
    images.append(given[0])


def _scored(model: TwinAutoencoder, tensors: Mapping[Key, Tensor]) -> dict[str, list[list[Key]]]:
    """The losses of discriminators, and by style the tensors that these get."""
    if not isinstance(model, Adversarial):
        return {}
    seen: dict[str, list[Tensor]] = {style: [] for style in model.styles}
    real = {style: tensors[style, "mel"] for style in model.styles}
    fake = {model.other(style): tensors[style, "restyled"] for style in model.styles}
    with ExitStack() as stack:
        for style, images in seen.items():
            note = partial(_note, images)
            stack.callback(model.discriminators[style].register_forward_pre_hook(note).remove)
        losses = model.discriminator_losses(real=real, fake=fake)
    mels = {key: as_image(one) for key, one in tensors.items() if key[1] in ("mel", "restyled")}
    terms = [
        [key for key, one in mels.items() if any(torch.equal(one, image) for image in images)]
        for images in seen.values()
    ]
    return dict.fromkeys(losses, terms)
