"""Convolutions of a few channels on a CPU, for training: a block of them as one autograd function.

Libraries are made for many channels; with one to four, most of their time goes into copies. Here a
vector holds neighbouring mels, so that the number of channels does not matter.

From the bottom to the top:

1. `_convolve_rows` and `_correlate_planes`, the inner loops, are written as LLVM IR, the
   language from which numba makes machine code. There one can say what Python cannot: which numbers
   are a vector, and that a kernel stays in registers. Each has its meaning in Python beside it.
2. Functions under `inlined` are ordinary numba: padding, resizing, ReLU, and one convolution.
3. `_forward` and `_backward`, under `compiled`, do this for all images of a batch.
4. `_Block` gives them to autograd, with an image to each thread, and `block` to the networks.

Without numba this module cannot be imported; see `blocks.few_channels`, which then has None, and
`blocks.Block`, which computes the same with torch. Tests compare both.

Images are kept as planes (channel, row, column) with room for a kernel around them: frame t stands
in row t + REACH, mel m in column m + LANES. What is beside the image is zero. All are float32.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import torch
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor
from torch.nn.functional import conv2d, pad

from thirdstream.mel.compiled import OPTIONS, compiled
from thirdstream.mel.networks.resizing import Resize, resized, size_of_resized

SIZE = 5  # of kernels; smaller ones are padded with zeros
REACH = SIZE // 2
LANES = 16  # numbers in a vector: AVX-512's; on other processors LLVM makes several of one
ROWS = 4  # that are computed together
# Planes that are computed together: ROWS rows of four fit into the 32 registers of AVX-512.
MOST_OUT = 4 if get_host_cpu_features().get("avx512f", False) else 1
BYTES = 4  # of a float32
NO, HALVE, DOUBLE = range(3)  # numba takes numbers rather than words
CODES: dict[Resize, int] = {"no": NO, "halve": HALVE, "double": DOUBLE}

llvm: Any = intrinsic  # untyped; the function that it decorates gives a signature and its IR
VECTOR = ir.VectorType(ir.FloatType(), LANES)
CONTRACT = ("contract",)  # multiply and add in one operation


class _VectorCode:
    """Writes LLVM IR for vectors of LANES neighbouring numbers; addresses are bytes, as integers.

    Nothing is computed here: every method appends an instruction and returns the name of its
    result, for the instructions after it. Python's own `for` loops unroll, `loop` makes a loop.
    """

    def __init__(self, builder: Any, integer: Any) -> None:
        self.builder, self.integer = builder, integer

    def plus(self, address: Any, offset: Any) -> Any:
        """address + offset; a Python number becomes a constant."""
        offset = self.integer(offset) if isinstance(offset, int) else offset
        return self.builder.add(address, offset)

    def times(self, value: Any, factor: int) -> Any:
        """value * factor."""
        return self.builder.mul(value, self.integer(factor))

    def pointer(self, address: Any, kind: Any = VECTOR) -> Any:
        """An address as what loads and stores take."""
        return self.builder.inttoptr(address, kind.as_pointer())

    def load(self, address: Any) -> Any:
        """The vector at an address, which need not be a multiple of a vector's size."""
        return self.builder.load(self.pointer(address), align=BYTES)

    def store(self, vector: Any, address: Any) -> None:
        """A vector to an address, likewise."""
        self.builder.store(vector, self.pointer(address), align=BYTES)

    def broadcast(self, address: Any) -> Any:
        """A vector of LANES times the number at an address."""
        return self.spread(self.builder.load(self.pointer(address, ir.FloatType())))

    def spread(self, number: Any) -> Any:
        """A vector of LANES times a number."""
        nothing, index = ir.Constant(VECTOR, ir.Undefined), ir.IntType(32)
        first = self.builder.insert_element(nothing, number, index(0))
        mask = ir.Constant(ir.VectorType(index, LANES), [0] * LANES)  # number 0 for every lane
        return self.builder.shuffle_vector(first, nothing, mask)

    def multiply_add(self, total: Any, one: Any, other: Any) -> Any:
        """total + one * other."""
        product = self.builder.fmul(one, other, flags=CONTRACT)
        return self.builder.fadd(total, product, flags=CONTRACT)

    def loop(self, stop: Any, step: Any) -> Any:
        """A loop around what is written in this context, over range(0, stop, step).

        Its first value is the offset.
        """
        step = self.integer(step) if isinstance(step, int) else step
        return cgutils.for_range_slice(self.builder, self.integer(0), stop, step, self.integer)


def _convolve_rows(n_out: int) -> Any:
    """The inner loop of a convolution into n_out planes, whose sums all stay in registers.

    It sets ROWS rows of planes of y to the convolution of planes of x. In Python:

        for column in range(width):  # LANES at a time
            for o, row in product(range(n_out), range(ROWS)):
                total = bias[o]
                for i, v, u in product(range(n_in), range(SIZE), range(SIZE)):
                    total += w[o, i, u, v] * x[i, row + u, column + v]
                y[o, row, column] = floor if total < floor else total

    Each vector of x is read once, and used for all sums that it counts in.
    places: addresses of y, x, w and bias; x's is at the kernel's first row and column. floor: a
    float32. sizes: from a plane of y to the next, the same of x, from a row to the next of both,
    and the width of what is computed, a multiple of LANES, all in bytes; n_in.
    """

    def code(target, builder, signature, arguments):
        places, floor, sizes = arguments
        y, x, w, bias = (builder.extract_value(places, k) for k in range(4))
        of_y, of_x, stride, width, n_in = (builder.extract_value(sizes, k) for k in range(5))
        to = _VectorCode(builder, y.type)
        kernel, outs = BYTES * SIZE * SIZE, range(n_out)
        rows = [to.times(stride, row) for row in range(ROWS + SIZE - 1)]
        taps = [to.times(n_in, o * kernel) for o in outs]
        starts = [to.broadcast(to.plus(bias, BYTES * o)) for o in outs]
        least = to.spread(floor)
        totals = {one: cgutils.alloca_once(builder, VECTOR)
                  for one in itertools.product(outs, range(ROWS))}  # fmt: skip
        with to.loop(width, BYTES * LANES) as (column, _):
            for (o, _), total in totals.items():
                builder.store(starts[o], total)
            with to.loop(n_in, 1) as (i, _):
                plane = to.plus(to.plus(x, column), builder.mul(of_x, i))
                weights = [to.plus(to.plus(w, taps[o]), to.times(i, kernel)) for o in outs]
                sums = {one: builder.load(total) for one, total in totals.items()}
                _add_plane(to, sums, [to.plus(plane, row) for row in rows], weights)
                for one, total in totals.items():
                    builder.store(sums[one], total)
            for (o, row), total in totals.items():
                found = builder.load(total)
                below = builder.fcmp_ordered("<", found, least)  # what is no number stays so
                place = to.plus(to.plus(y, column), to.plus(to.times(of_y, o), rows[row]))
                to.store(builder.select(below, least, found), place)
        return target.get_dummy_value()  # None

    @llvm
    def convolve(context, places, floor, sizes):
        four, five = (types.UniTuple(types.intp, n) for n in (4, 5))
        return types.void(four, types.float32, five), code

    return convolve


def _add_plane(to: _VectorCode, sums: dict[tuple[int, int], Any], x: Sequence[Any], w: Any) -> None:
    """Add to `sums`, by output and row, what a plane of x gives at a column.

    x: the addresses there of the rows that the kernel reaches. w: of the kernel for each output.
    """
    for v in range(SIZE):
        found = [to.load(to.plus(row, BYTES * v)) for row in x]
        for u, o in itertools.product(range(SIZE), range(len(w))):
            tap = to.broadcast(to.plus(w[o], BYTES * (u * SIZE + v)))
            for row in range(ROWS):
                sums[o, row] = to.multiply_add(sums[o, row], found[row + u], tap)


_convolve_rows_1, _convolve_rows_2, _convolve_rows_4 = map(_convolve_rows, (1, 2, 4))


@llvm
def _correlate_planes(context, sums, g, x, stride, n_rows, width):
    """Set `sums`, (SIZE, SIZE, LANES), to those of g times x moved by each tap. In Python:

        for row, column, u, v in product(range(n_rows), range(width), range(SIZE), range(SIZE)):
            sums[u, v, column % LANES] += g[row + SIZE - 1 - u, column] * x[row, column + v]

    sums, g, x: addresses; g is at its first row of room and first mel, x at its first frame and
    REACH columns before its first mel. stride, width: as in _convolve_rows.
    """

    def code(target, builder, signature, arguments):
        sums, g, x, stride, n_rows, width = arguments
        to = _VectorCode(builder, g.type)
        zero = ir.Constant(VECTOR, [0.0] * LANES)
        # Variables of the function, which LLVM keeps in registers through the loops.
        totals = [cgutils.alloca_once(builder, VECTOR) for _ in range(SIZE * SIZE)]
        for total in totals:
            builder.store(zero, total)
        rows = [to.times(stride, SIZE - 1 - u) for u in range(SIZE)]
        with (
            to.loop(builder.mul(stride, n_rows), stride) as (row, _),
            to.loop(width, BYTES * LANES) as (column, _),
        ):
            at = to.plus(row, column)
            gradients = [to.load(to.plus(g, to.plus(at, rows[u]))) for u in range(SIZE)]
            for v in range(SIZE):
                found = to.load(to.plus(x, to.plus(at, BYTES * v)))
                for u in range(SIZE):
                    total = totals[u * SIZE + v]
                    added = to.multiply_add(builder.load(total), found, gradients[u])
                    builder.store(added, total)
        for k, total in enumerate(totals):
            to.store(builder.load(total), to.plus(sums, BYTES * LANES * k))
        return target.get_dummy_value()  # None

    return types.void(*[types.intp] * 6), code


inlined = njit(**OPTIONS)


@inlined
def _resize_into(planes, image, resize, n_frames, n_mels):
    """Put an image (channel, frame, mel), resized to n_frames and n_mels, into planes."""
    for c in range(len(image)):
        for t in range(n_frames):
            to = planes[c, REACH + t, LANES : LANES + n_mels]
            if resize == DOUBLE:
                own = image[c, t // 2]
                for m in range(image.shape[2]):
                    to[2 * m] = own[m]
                    to[2 * m + 1] = own[m]
            elif resize == HALVE:
                own, last = image[c, 2 * t], 2 * t + 1 == image.shape[1]
                following, quarter = image[c, 2 * t + 1 - last], np.float32(0.25)
                share = quarter * (not last)
                for m in range(n_mels):
                    to[m] = quarter * (own[2 * m] + own[2 * m + 1]) + share * (
                        following[2 * m] + following[2 * m + 1]
                    )
            else:
                own = image[c, t]
                for m in range(n_mels):
                    to[m] = own[m]
    _zero_around(planes, n_frames, n_mels)


@inlined
def _resize_back(planes, image, resize, n_frames, n_mels):
    """The gradient of _resize_into: from planes to the image."""
    for c in range(len(image)):
        for to in image[c]:
            for m in range(image.shape[2]):
                to[m] = 0
        for t in range(n_frames):
            of = planes[c, REACH + t, LANES : LANES + n_mels]
            if resize == DOUBLE:
                to = image[c, t // 2]
                for m in range(image.shape[2]):
                    to[m] += of[2 * m] + of[2 * m + 1]
            elif resize == HALVE:
                quarter = np.float32(0.25)
                for to in image[c, 2 * t : 2 * t + 2]:
                    for m in range(n_mels):
                        to[2 * m] = quarter * of[m]
                        to[2 * m + 1] = quarter * of[m]
            else:
                to = image[c, t]
                for m in range(n_mels):
                    to[m] = of[m]


@inlined
def _zero_around(planes, n_frames, n_mels):
    """Zeros around the image."""
    for plane in planes:
        for row in range(len(plane)):
            inside = REACH <= row < REACH + n_frames
            for column in range(LANES):
                plane[row, column] = 0
            for column in range(LANES + n_mels if inside else LANES, plane.shape[1]):
                plane[row, column] = 0


@inlined
def _convolve(y, x, weight, bias, floor):
    """Planes y = weight * x + bias, at least `floor`; around the image they are of no use then."""
    n_rows, n_columns = y.shape[1:]
    width = BYTES * (n_columns - LANES)
    sizes = y.strides[0], x.strides[0], y.strides[1], width, len(x)
    for row in range(REACH, n_rows - SIZE + REACH, ROWS):
        of, o = x[0, row - REACH, LANES - REACH :].ctypes.data, 0
        while o < len(y):
            to, left = y[o, row, LANES:].ctypes.data, min(len(y) - o, MOST_OUT)
            places = to, of, weight[o].ctypes.data, bias[o:].ctypes.data
            if left >= 4:
                _convolve_rows_4(places, floor, sizes)
                o += 4
            elif left >= 2:
                _convolve_rows_2(places, floor, sizes)
                o += 2
            else:
                _convolve_rows_1(places, floor, sizes)
                o += 1


@inlined
def _add_weight_gradient(total, g, x, n_frames):
    """Add to `total`, shaped as the weights, their gradient; g: of the planes made of x."""
    sums = np.empty((SIZE, SIZE, LANES), np.float32)
    for o in range(len(g)):
        for i in range(len(x)):
            _correlate_planes(
                sums.ctypes.data,
                g[o, 0, LANES:].ctypes.data,
                x[i, REACH, LANES - REACH :].ctypes.data,
                g.strides[1],
                n_frames,
                BYTES * (g.shape[2] - LANES),
            )
            for u in range(SIZE):
                for v in range(SIZE):
                    total[o, i, u, v] += sums[u, v].sum()


@inlined
def _relu_back(g, y, more, bias, n_frames, n_mels):
    """The gradient g of y = ReLU(z), to which the image `more` is added first, becomes that of z.

    Its sum is added to `bias`.
    """
    zero = np.float32(0)
    for o in range(len(g)):
        for t in range(n_frames):
            row, made = g[o, REACH + t, LANES:], y[o, REACH + t, LANES:]
            if len(more):
                extra = more[o, t]
                for m in range(n_mels):
                    row[m] += extra[m]
            total = zero
            for m in range(n_mels):
                own = row[m]  # read in any case: else nothing of this is a vector
                if made[m] <= zero:
                    own = zero
                row[m] = own
                total += own
            bias[o] += total
    _zero_around(g, n_frames, n_mels)


@compiled
def _forward(x, first, rest, biases, resize, planes, layers, out):
    """Fill `layers` (batch or 1, layer, channel, row, column) and `out`; planes: room for x."""
    n_frames, n_mels = out.shape[2:]
    for b in range(len(x)):
        _resize_into(planes, x[b], resize, n_frames, n_mels)
        made = layers[min(b, len(layers) - 1)]
        _convolve(made[0], planes, first, biases[0], np.float32(0))
        _zero_around(made[0], n_frames, n_mels)
        for k in range(len(rest)):
            _convolve(made[k + 1], made[k], rest[k], biases[k + 1], np.float32(0))
            _zero_around(made[k + 1], n_frames, n_mels)
        for o in range(out.shape[1]):
            for t in range(n_frames):
                last, start = made[-1, o, REACH + t, LANES:], made[0, o, REACH + t, LANES:]
                row = out[b, o, t]
                for m in range(n_mels):
                    row[m] = last[m] + start[m]


@compiled
def _backward(x, weights, resize, layers, g_out, rooms, gradients):
    """Fill the gradients: of x, which may be empty, and for each image of weights and biases.

    weights: the first and the others, but inputs and outputs have changed places, rows and columns
    run back. rooms: for planes of x, and twice for planes of the block's output.
    """
    first, rest = weights
    planes, room = rooms
    g_x, g_first, g_rest, g_biases = gradients
    n_frames, n_mels = g_out.shape[2:]
    infinite = np.float32(np.inf)
    nothing, now, no = np.zeros(max(x.shape[1], g_out.shape[1]), np.float32), 0, len(x) * NO
    for b in range(len(x)):
        _resize_into(planes, x[b], resize, n_frames, n_mels)
        _resize_into(room[now], g_out[b], no, n_frames, n_mels)
        for k in range(len(rest), -1, -1):
            g, made = room[now], layers[b]
            more = g_out[b, : 0 if k else g_out.shape[1]]
            _relu_back(g, made[k], more, g_biases[b, k], n_frames, n_mels)
            if k:
                _add_weight_gradient(g_rest[b, k - 1], g, made[k - 1], n_frames)
                now = 1 - now
                _convolve(room[now], g, rest[k - 1], nothing, -infinite)
            else:
                _add_weight_gradient(g_first[b], g, planes, n_frames)
                if len(g_x):
                    _convolve(planes, g, first, nothing, -infinite)
                    _resize_back(planes, g_x[b], resize, n_frames, n_mels)


def _with_torch(x: Tensor, first: Tensor, rest: Tensor, biases: Tensor) -> Tensor:
    """`block` of a resized image in torch's operations, which have second derivatives."""
    start = x = conv2d(x, first, biases[0], padding=REACH).relu()
    for weight, bias in zip(rest, biases[1:], strict=True):
        x = conv2d(x, weight, bias, padding=REACH).relu()
    return x + start


def _planes(n_frames: int, n_mels: int, *shape: int) -> Tensor:
    """Room for images, their number and channels in front.

    numpy's, which asks the system for large pages of memory.
    """
    n_rows = -(-n_frames // ROWS) * ROWS + SIZE  # the last one is read past the end of a row
    size = *shape, n_rows, -(-n_mels // LANES) * LANES + LANES
    return torch.from_numpy(np.empty(size, np.float32))


def _in_threads(work: Callable[[slice], object], n_images: int) -> None:
    """Call `work` with the images of each of torch's threads."""
    n_threads = min(torch.get_num_threads(), n_images)
    bounds = [n_images * k // n_threads for k in range(n_threads + 1)]
    parts = [slice(*pair) for pair in itertools.pairwise(bounds)]
    if n_threads == 1:
        work(parts[0])
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(work, parts))


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        first: Tensor,
        rest: Tensor,
        biases: Tensor,
        resize: Resize,
        n_frames: int | None,
    ) -> Tensor:
        n_convs, n_out = biases.shape
        size = size_of_resized(x.shape[2], x.shape[3], resize, n_frames)
        n_kept = len(x) if any(ctx.needs_input_grad) else 0  # layers, for the way back
        layers, out = _planes(*size, n_kept, n_convs, n_out), x.new_empty(len(x), n_out, *size)
        ctx.resize, ctx.n_frames = resize, n_frames
        ctx.save_for_backward(x, first, rest, biases, layers)
        weights = [one.numpy() for one in (first, rest, biases)]
        images, made, given = (one.numpy() for one in (x.contiguous(), layers, out))

        def work(some: slice) -> None:
            room = _planes(*size, x.shape[1]).numpy()
            kept = made[some] if n_kept else _planes(*size, 1, n_convs, n_out).numpy()
            _forward(images[some], *weights, CODES[resize], room, kept, given[some])

        _in_threads(work, len(x))
        return out

    @staticmethod
    def backward(ctx: Any, g_out: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        *inputs, layers = ctx.saved_tensors
        x, first, rest, biases = inputs
        if torch.is_grad_enabled():  # second derivatives are wanted
            wanted = [one for one in inputs if one.requires_grad]
            out = _with_torch(resized(x, ctx.resize, ctx.n_frames), first, rest, biases)
            made = iter(torch.autograd.grad(out, wanted, g_out, create_graph=True))
            return *(next(made) if one.requires_grad else None for one in inputs), None, None
        g_x = x.new_empty(x.shape if ctx.needs_input_grad[0] else (0, *x.shape[1:]))
        sums = [one.new_zeros(len(x), *one.shape) for one in (first, rest, biases)]
        images, made, g = (one.contiguous().numpy() for one in (x, layers, g_out))
        turned = first.transpose(0, 1).flip(2, 3), rest.transpose(1, 2).flip(3, 4)
        weights = tuple(one.contiguous().numpy() for one in turned)
        code, size = CODES[ctx.resize], g_out.shape[2:]

        def work(some: slice) -> None:
            rooms = _planes(*size, x.shape[1]).numpy(), _planes(*size, 2, biases.shape[1]).numpy()
            filled = tuple(one.numpy()[some] for one in (g_x, *sums))
            _backward(images[some], weights, code, made[some], g[some], rooms, filled)

        _in_threads(work, len(x))
        given = g_x if ctx.needs_input_grad[0] else None
        return given, *(one.sum(0) for one in sums), None, None


def block(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    *,
    resize: Resize = "no",
    n_frames: int | None = None,
) -> Tensor:
    """Convolutions of odd kernels up to SIZE, each with ReLU; the first is added to the last.

    x: (batch, n_in, time, mel), which is resized first, see `resized`. weights: (n_out, n_in, k,
    k), the others (n_out, n_out, k, k).
    """
    room = (SIZE - weights[0].shape[2]) // 2
    first, *others = (pad(one, [room] * 4) if room else one for one in weights)
    rest = torch.stack(others) if others else first.new_zeros(0, len(first), *first.shape[1:])
    tensors = first.contiguous(), rest.contiguous(), torch.stack(list(biases))
    return cast(Tensor, _Block.apply(x, *tensors, resize, n_frames))
