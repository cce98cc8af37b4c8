"""Presets and samples -> a soundfont (.sf3): what `thirdstream.notes.rendering.soundfont` reads."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from thirdstream.audio import Wave
from thirdstream.files import whole_file
from thirdstream.notes.rendering.soundfont import COMPRESSED, RECORDS, Generator

MONO = 1  # a sample's kind
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
FIRST, LAST = (Generator.KEYS, Generator.VELOCITIES), (Generator.SAMPLE,)  # by the specification


@dataclass(frozen=True)
class Sample:
    """wave: (n_samples,); loop: from, to, in samples."""

    name: str
    wave: Wave
    sr: int
    loop: tuple[int, int] | None = None


@dataclass(frozen=True)
class Preset:
    """zones: generators by number, of which SAMPLE is the place of a sample in the list of all.

    modulators: records of all zones: source, destination, amount, amount's source, transform.
    """

    bank: int
    program: int
    name: str
    zones: Sequence[dict[int, int]]
    modulators: Sequence[tuple[int, int, int, int, int]] = ()


def write(
    path: Path,
    presets: Sequence[Preset],
    samples: Sequence[Sample],
    *,
    about: dict[str, str],
    quality: float = 0.4,
) -> list[int]:
    """Write a soundfont whose samples are Ogg Vorbis, of a quality from 0 to 1.

    Returns the bytes of each sample.

    about: texts by the names of their chunks, such as ICOP. The same arguments give the same bytes,
    by one version of the encoder. Raises ValueError on names of more than 19 letters.
    """
    packed = [_vorbis(sample, quality) for sample in samples]
    tables = {**_presets(presets), "shdr": _samples(samples, packed)}
    records = {name: np.array(rows, RECORDS[name]).tobytes() if rows else bytes(10)
               for name, rows in tables.items()}  # fmt: skip
    info = {"ifil": struct.pack("<HH", 3, 1), **{k: v.encode() + b"\0" for k, v in about.items()}}
    lists = (_list("INFO", info), _list("sdta", {"smpl": b"".join(packed)}), _list("pdta", records))
    with whole_file(path) as temporary:
        temporary.write_bytes(_chunk("RIFF", b"sfbk" + b"".join(lists)))
    return [len(one) for one in packed]


def _presets(presets: Sequence[Preset]) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the tables of presets and instruments: each preset is an instrument of its zones."""
    generators, bags = [], []
    for zone in (zone for preset in presets for zone in preset.zones):
        bags.append((len(generators), 0))
        order = sorted(zone, key=lambda kind: (kind in LAST, kind not in FIRST, kind))
        generators += [(kind, _word(zone[kind])) for kind in order]
    firsts = np.cumsum([0, *(len(preset.zones) for preset in presets)]).tolist()
    instruments = [(_name(p.name), first) for p, first in zip(presets, firsts, strict=False)]
    names = [
        (_name(p.name), p.program, p.bank, number, (0, 0, 0)) for number, p in enumerate(presets)
    ]
    moving = [record for preset in presets for record in preset.modulators]
    n_moving = np.cumsum([0, *(len(preset.modulators) for preset in presets)]).tolist()
    return {
        "phdr": [*names, (b"EOP", 0, 0, len(presets), (0, 0, 0))],
        "pbag": list(enumerate(n_moving)),
        "pmod": [*moving, (0, 0, 0, 0, 0)],
        "pgen": [(Generator.INSTRUMENT, number) for number in range(len(presets))] + [(0, 0)],
        "inst": [*instruments, (b"EOI", len(bags))],
        "ibag": [*bags, (len(generators), 0)],
        "imod": [],
        "igen": [*generators, (0, 0)],
    }


def _samples(samples: Sequence[Sample], packed: Sequence[bytes]) -> list[tuple[Any, ...]]:
    """Rows of the table of samples, which lie one behind the other."""
    ends = np.cumsum([len(one) for one in packed])
    rows = [
        (_name(s.name), int(end) - len(data), int(end), *(s.loop or (0, 0)), s.sr, 60, 0, 0,
         MONO | COMPRESSED)
        for s, data, end in zip(samples, packed, ends, strict=True)
    ]  # fmt: skip
    return [*rows, (b"EOS", *[0] * 9)]


def _vorbis(sample: Sample, quality: float) -> bytes:
    file = BytesIO()
    soundfile.write(
        file, sample.wave, sample.sr, format="OGG", subtype="VORBIS", compression_level=1 - quality
    )
    return _numbered(file.getvalue())


def _numbered(stream: bytes) -> bytes:
    """An Ogg stream under number 1: encoders draw the number at random, and each page tells it.

    Source: RFC 3533, section 6: of a page, bytes 14 to 17 are the number, 22 to 25 the checksum.
    """
    pages, start = [], 0
    while start < len(stream):
        n_lacing = stream[start + 26]
        end = start + 27 + n_lacing + sum(stream[start + 27 : start + 27 + n_lacing])
        page = bytearray(stream[start:end])
        page[14:18], page[22:26] = struct.pack("<I", 1), bytes(4)
        page[22:26] = struct.pack("<I", _checksum(bytes(page)))
        pages.append(bytes(page))
        start = end
    return b"".join(pages)


def _checksum(page: bytes) -> int:
    """Ogg's: the polynomial of zlib's, but from each byte's highest bit on, and from 0."""
    crc = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


def _name(name: str) -> bytes:
    if len(name) > 19:
        raise ValueError(f"{name}: a soundfont's names have 19 letters at most")
    return name.encode()


def _word(value: int) -> int:
    """As 16 bits with a sign, in which ranges are two bytes."""
    return value - (1 << 16) if value >= 1 << 15 else value


def _chunk(name: str, content: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _list(kind: str, chunks: dict[str, bytes]) -> bytes:
    return _chunk("LIST", kind.encode() + b"".join(_chunk(name, of) for name, of in chunks.items()))
