"""Read a TensorFlow checkpoint, format V2, with numpy alone: no TensorFlow, no code is run.

A checkpoint PREFIX is two files. PREFIX.index is a LevelDB table: blocks of entries whose keys
share prefixes, found through an index block, found through the footer. Its values are protocol
buffers that say type, shape and place of each tensor in PREFIX.data-00000-of-00001. Blocks and
tensors have check sums, which are checked.
Source: TensorFlow's tensor_bundle.proto; LevelDB's table_format.md; CRC-32C of RFC 3720.
"""

import functools
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thirdstream.files import ThirdstreamError

ENDINGS = (".index", ".data-00000-of-00001")
MAGIC = 0xDB4775248B80FB57
FOOTER = 48  # bytes
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}  # by TensorFlow's number
TYPE, SHAPE, SHARD, OFFSET, SIZE, CHECK_SUM = range(1, 7)  # fields of an entry
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
POLYNOMIAL = 0x82F63B78  # of CRC-32C, reversed
FAULTS = (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error)


def read(prefix: Path) -> dict[str, NDArray[Any]]:
    """The tensors of floats and integers of a checkpoint with one shard, by name.

    prefix: also a folder, of files that are called by these endings alone. Raises ThirdstreamError
    if a file is missing, damaged, cut short or of another format.
    """
    index, data = (
        prefix / ending if (prefix / ENDINGS[0]).is_file()
        else prefix.with_name(prefix.name + ending)
        for ending in ENDINGS
    )  # fmt: skip
    try:
        values = data.read_bytes()
        return {
            name: _tensor(entry, values)
            for name, entry in _entries(index.read_bytes())
            if entry[TYPE][0] in TYPES
        }
    except FAULTS as error:
        raise ThirdstreamError(
            f"{index}: is no readable TensorFlow checkpoint ({error}); fetch it and "
            f"{data.name} again"
        ) from error


def _entries(table: bytes) -> Iterator[tuple[str, dict[int, list[Any]]]]:
    """(name, fields) of each tensor; the entry without a name is the checkpoint's own header."""
    footer = table[-FOOTER:]
    if len(footer) < FOOTER or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        raise ValueError("its footer is missing")
    at = 0
    handle = []
    for _ in range(4):  # place and size of the meta index, then those of the index
        number, at = _varint(footer, at)
        handle.append(number)
    for _, value in _block(table, start=handle[2], size=handle[3]):
        start, at = _varint(value, 0)
        size, _ = _varint(value, at)
        for key, entry in _block(table, start=start, size=size):
            if key:
                yield key.decode(), _message(entry)


def _block(table: bytes, *, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) pairs of one block; each key repeats the start of the one before."""
    block, kind = table[start : start + size], table[start + size : start + size + 1]
    if len(block) < size or kind != b"\0":
        raise ValueError("a block is compressed or cut short")
    _check(block + kind, struct.unpack_from("<I", table, start + size + 1)[0])
    (n_restarts,) = struct.unpack("<I", block[-4:])
    at, key = 0, b""
    while at < size - 4 * (n_restarts + 1):
        n_shared, at = _varint(block, at)
        n_new, at = _varint(block, at)
        n_value, at = _varint(block, at)
        key = key[:n_shared] + block[at : at + n_new]
        at += n_new
        yield key, block[at : at + n_value]
        at += n_value


def _tensor(entry: dict[int, list[Any]], data: bytes) -> NDArray[Any]:
    dimensions = _message(entry[SHAPE][0]).get(2, []) if SHAPE in entry else []
    shape = [_message(dimension).get(1, [0])[0] for dimension in dimensions]
    if entry.get(SHARD, [0])[0]:
        raise ValueError("it has more than one shard")
    offset, size = entry.get(OFFSET, [0])[0], entry.get(SIZE, [0])[0]
    part = data[offset : offset + size]
    _check(part, struct.unpack("<I", entry[CHECK_SUM][0])[0])
    return np.frombuffer(part, TYPES[entry[TYPE][0]]).reshape(shape).copy()


def _message(data: bytes) -> dict[int, list[Any]]:
    """A protocol buffer as field number -> values, numbers or bytes."""
    fields: dict[int, list[Any]] = defaultdict(list)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(kind)
            if kind == BYTES:
                size, at = _varint(data, at)
            if size is None:
                raise ValueError(f"wire type {kind} is unknown")
            value, at = data[at : at + size], at + size
        fields[tag >> 3].append(value)
    return dict(fields)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, least first, and where it ends."""
    number = shift = 0
    while data[at] & 0x80:
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return number | data[at] << shift, at + 1


def _check(data: bytes, wanted: int) -> None:
    """Raise ValueError unless the bytes have this check sum: CRC-32C, turned and shifted."""
    table, remainder = _remainders(), 0xFFFFFFFF
    for byte in data:
        remainder = table[(remainder ^ byte) & 0xFF] ^ remainder >> 8
    crc = remainder ^ 0xFFFFFFFF
    if ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF != wanted:
        raise ValueError("a check sum is wrong")


@functools.cache
def _remainders() -> Sequence[int]:
    """Of each byte, divided by the polynomial of CRC-32C."""
    table = []
    for value in range(256):
        remainder = value
        for _ in range(8):
            remainder = remainder >> 1 ^ (POLYNOMIAL if remainder & 1 else 0)
        table.append(remainder)
    return table
