"""Streams of blocks: cut into windows, joined, filled up, made ahead."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from thirdstream.audio.decoding import BLOCK, Wave

SR = 44_100  # Hz
SEGMENT = 131_072  # samples: 2.97 s, the paper's segment
MOST_THREADS = 8  # that one thread can feed
Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(stream: Iterable[Item], *, n_items: int = 4) -> Iterator[Item]:
    """The same items, made in a thread of their own, up to `n_items` before they are asked for.

    It begins at once, and ends where this is closed: what waits to be made is not made then. Worth
    it where what makes them, or uses them, runs outside Python.
    """
    iterator, thread = iter(stream), ThreadPoolExecutor(1)

    def one() -> Item | None:
        return next(iterator, None)

    made = deque(thread.submit(one) for _ in range(n_items))

    def asked() -> Iterator[Item]:
        try:
            while (item := made.popleft().result()) is not None:
                made.append(thread.submit(one))
                yield item
        finally:
            thread.shutdown(cancel_futures=True)

    return asked()


def mapped(function: Callable[[Item], Made], stream: Iterable[Item]) -> Iterator[Made]:
    """`function` of each item of a stream, in order, by a thread for each core.

    The caller's thread goes on in the stream while they are at work, two items a thread ahead.
    Worth it where the function runs outside Python.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n_threads = min(cores or 1, MOST_THREADS)
    threads, made = ThreadPoolExecutor(n_threads), deque[Future[Made]]()
    try:
        for item in stream:
            made.append(threads.submit(function, item))
            if len(made) > 2 * n_threads:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)


def channels_of(stream: Iterable[Wave]) -> tuple[int, Iterator[Wave]]:
    """How many channels a stream of blocks has (0 without blocks), and the same stream."""
    blocks = iter(stream)
    first = next(blocks, None)
    if first is None:
        return 0, blocks
    return len(first), itertools.chain([first], blocks)


class Counted:
    """The same blocks (n_channels, n_samples), once; how many channels they have, and how many
    samples have passed."""

    def __init__(self, stream: Iterable[Wave]) -> None:
        self.n_channels = self.n_samples = 0
        self._stream = stream

    def __iter__(self) -> Iterator[Wave]:
        for block in self._stream:
            self.n_channels, self.n_samples = len(block), self.n_samples + block.shape[1]
            yield block


def windows(stream: Iterable[NDArray], *, size: int, hop: int) -> Iterator[NDArray]:
    """Cut a stream along its last axis into overlapping windows of `size`, one every `hop`.

    The last window is filled up with zeros. A stream of n > 0 items gives
    1 + max(0, ceil((n - size) / hop)) windows.
    """
    buffer: NDArray | None = None
    for block in stream:
        buffer = block if buffer is None else np.concatenate([buffer, block], axis=-1)
        while buffer.shape[-1] > size:
            yield buffer[..., :size]
            buffer = buffer[..., hop:]
    if buffer is not None:
        n_missing = size - buffer.shape[-1]
        yield np.pad(buffer, [(0, 0)] * (buffer.ndim - 1) + [(0, n_missing)])


def overlap_add(stream: Iterable[NDArray], *, hop: int, margin: int = 0) -> Iterator[NDArray]:
    """Join windows made by `windows` again, with linear cross-fades that sum to one.

    margin: items at each inner end of a window that are not used at all.

    Yields arrays along the last axis: what went into `windows`, then its zeros at the end. Raises
    ValueError where more than two windows would overlap or the margins leave nothing to fade.
    """
    tail: NDArray | None = None
    for window in stream:
        overlap = window.shape[-1] - hop
        n_fade = overlap - 2 * margin
        if overlap > hop or n_fade < 0:
            raise ValueError(f"hop {hop} and margin {margin} do not suit {window.shape[-1]} items")
        joined = window
        if tail is not None:
            fade = np.linspace(0, 1, n_fade + 2, dtype=window.dtype)[1:-1]
            rise = np.concatenate([np.zeros(margin), fade, np.ones(margin)]).astype(window.dtype)
            head = tail * (1 - rise) + window[..., :overlap] * rise
            joined = np.concatenate([head, window[..., overlap:]], axis=-1)
        yield joined[..., :hop]
        tail = joined[..., hop:]
    if tail is not None and tail.shape[-1]:
        yield tail


def exactly(stream: Iterable[Wave], *, n_samples: int, n_channels: int) -> Iterator[Wave]:
    """Cut a stream of blocks, or fill it with silence, to exactly `n_samples`."""
    n_left = n_samples
    for block in stream:
        if n_left > 0:
            yield block[:, :n_left]
        n_left -= block.shape[1]
    while n_left > 0:
        yield np.zeros((n_channels, min(n_left, BLOCK)), np.float32)
        n_left -= BLOCK
