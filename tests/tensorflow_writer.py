"""Write checkpoints of TensorFlow's format V2, as its and LevelDB's documents describe them."""

import struct
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from numpy.typing import NDArray

TYPES = {"<f4": 1, "<f8": 2, "<i4": 3, "<i8": 9}
MAGIC = 0xDB4775248B80FB57


def write(
    prefix: Path, tensors: Mapping[str, NDArray], *, a_block: int = 7, a_run: int = 3
) -> None:
    """PREFIX.index and PREFIX.data-00000-of-00001.

    a_block: entries in each block of the index. a_run: entries of which all but the first leave out
    what their key shares with the one before.
    """
    data, entries = b"", [(b"", number(1, 1) + inner(3, number(1, 1)))]  # one shard; a version
    for name, array in sorted(tensors.items(), key=lambda one: one[0].encode()):
        raw = array.tobytes()
        shape = b"".join(inner(2, number(1, size)) for size in array.shape)
        entry = number(1, TYPES[array.dtype.str]) + inner(2, shape)
        entry += number(4, len(data)) + number(5, len(raw)) + b"\x35" + masked(raw)
        entries.append((name.encode(), entry))
        data += raw
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    prefix.with_name(prefix.name + ".index").write_bytes(table(entries, a_block, a_run))


def table(entries: Sequence[tuple[bytes, bytes]], a_block: int, a_run: int) -> bytes:
    """A LevelDB table."""
    file, handles = b"", []
    for start in range(0, len(entries), a_block):
        part = entries[start : start + a_block]
        content = block(part, a_run)
        handles.append((part[-1][0], varint(len(file)) + varint(len(content) - 5)))
        file += content
    places = b""
    for content in (block([], 1), block(handles, 1)):  # the meta index, the index
        places += varint(len(file)) + varint(len(content) - 5)
        file += content
    return file + places.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def block(entries: Sequence[tuple[bytes, bytes]], a_run: int) -> bytes:
    """Entries, where runs of them start, and after it how it is compressed and its check sum."""
    content, restarts, before = b"", [], b""
    for at, (key, value) in enumerate(entries):
        if at % a_run == 0:
            restarts.append(len(content))
            before = b""
        same = (one == other for one, other in zip(before, key, strict=False))
        shared = len(list(takewhile(bool, same)))
        content += varint(shared) + varint(len(key) - shared) + varint(len(value))
        content += key[shared:] + value
        before = key
    restarts = restarts or [0]
    content += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts)) + b"\0"
    return content + masked(content)


def number(field: int, value: int) -> bytes:
    """A number in a protocol buffer; 0 is left out."""
    return varint(field << 3) + varint(value) if value else b""


def inner(field: int, message: bytes) -> bytes:
    """A message, or text, in a protocol buffer."""
    return varint(field << 3 | 2) + varint(len(message)) + message


def varint(value: int) -> bytes:
    """Seven bits a byte, least first."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F)
    return bytes([*(part | 0x80 for part in parts[:-1]), parts[-1]])


def masked(data: bytes) -> bytes:
    """The check sum as LevelDB stores it: turned by 15 bits, plus a constant."""
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def crc32c(data: bytes) -> int:
    """Castagnoli's check sum, a bit at a time."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF
