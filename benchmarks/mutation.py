"""Ways to damage a file: as an accident would, and as someone would who knows the format."""

import json
import random
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from io import BytesIO
from typing import Any

Mutator = Callable[[bytes, random.Random], bytes]
CONTAINER = "META-INF/container.xml"  # of a packed score: says which of its files is the score

EDGES = [struct.pack(f"{order}{kind}", value)
         for kind, values in {
             "B": (0, 1, 0x7F, 0x80, 0xFF),
             "H": (0, 1, 0x7FFF, 0x8000, 0xFFFF),
             "I": (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF),
             "Q": (0, 1, 2**63 - 1, 2**63, 2**64 - 1),
         }.items()
         for value in values
         for order in "<>"]  # fmt: skip
ODD_VALUES: list[Any] = [
    None, True, 0, -1, 1, 3, 2**31, 2**63, 10**30, -(10**30), 0.5, 1e-300, 1e300, float("nan"),
    float("inf"), "", "x", "0", "../../outside", "/etc/passwd", "C:\\x", "a\0b", "\ud800",
    "<script>x", "x" * 5000, [], {}, [[]], [1, 2, 3], ["a", "b"], {"a": 1},
]  # fmt: skip
MANY = 50_000  # characters; longer texts are not made so much longer
ODD_NUMBERS = ["0", "-1", "1", "1e9", "999999999", "-999999999", "99999999999999999999", "0.0001",
               "1e-300", "NaN", "inf", "", "x", "7", "128", "1/0", "4 4"]  # fmt: skip


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to eight faults anywhere, more often near the start, where headers are."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = _place(len(made), rng)
        match rng.randrange(7):
            case 0 if made:
                made[min(at, len(made) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                edge = rng.choice(EDGES)
                made[at : at + len(edge)] = edge
            case 2:
                del made[at : at + rng.choice((1, 2, 4, 64, 1024))]
            case 3:
                made[at:at] = rng.randbytes(rng.choice((1, 2, 4, 64, 1024)))
            case 4:
                del made[at:]
            case 5:
                piece = made[at : at + rng.choice((4, 64, 4096))]
                made[at:at] = piece * rng.choice((1, 2, 16))
            case _:
                size = rng.choice((4, 16, 256))
                made[at : at + size] = rng.randbytes(size)
    return bytes(made)


def _place(n_bytes: int, rng: random.Random) -> int:
    return rng.randrange(max(1, min(n_bytes, rng.choice((16, 64, 256, n_bytes or 1)))))


def of_json(data: bytes, rng: random.Random) -> bytes:
    """A value that is another, missing or twice; or the text's own bytes damaged."""
    if rng.random() < 0.2:
        return of_bytes(data, rng)
    content = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 3))):
        content = changed(content, rng)
    text = json.dumps(content)
    if rng.random() < 0.02:
        text = "[" * 100_000 + text
    return text.encode("utf-8", "surrogatepass")


def changed(content: Any, rng: random.Random) -> Any:
    """The same data with one of its values changed."""
    places: list[tuple[Any, Any]] = []
    stack = [content] if isinstance(content, dict | list) else []
    while stack:
        one = stack.pop()
        keys = list(one) if isinstance(one, dict) else range(min(len(one), 4))
        places += [(one, key) for key in keys]
        stack += [one[key] for key in keys if isinstance(one[key], dict | list)]
    if not places or rng.random() < 0.02:
        return deepcopy(rng.choice(ODD_VALUES))
    where, key = rng.choice(places)
    value = where[key]
    kind = rng.randrange(6)
    if kind == 0:
        del where[key]
    elif kind == 1 and isinstance(where, dict):
        where[rng.choice(("", "surprise", "../x", "style-a.b"))] = value
    elif kind == 2 and isinstance(value, int | float):
        where[key] = value * rng.choice((-1, 2, 1000, 10**9, 0.5))
    elif kind == 3 and isinstance(value, list):
        where[key] = value * rng.choice((0, 2, 50))
    else:
        where[key] = deepcopy(rng.choice(ODD_VALUES))
    return content


def of_xml(data: bytes, rng: random.Random) -> bytes:
    """Numbers and elements that are others, missing or many; or the text's own bytes damaged."""
    if rng.random() < 0.2:
        return of_bytes(data, rng)
    text = data.decode("utf-8", "replace")
    for _ in range(rng.choice((1, 1, 2, 5))):
        pattern = rng.choice((r">[-\d.]+<", r">[^<>]+<", r'"[^"<>]*"', r"<(\w+)[^<>]*/>",
                              r"<(\w[\w-]*)[^<>]*>[^<>]*</\1>"))  # fmt: skip
        found = list(re.finditer(pattern, text))
        if not found:
            continue
        one = rng.choice(found)
        if pattern.startswith(">"):
            new = f">{rng.choice(ODD_NUMBERS)}<"
        elif pattern.startswith('"'):
            new = f'"{rng.choice(ODD_NUMBERS)}"'
        else:
            new = one[0] * rng.choice((0, 2, 30, 4000 if len(text) < MANY else 2))
        text = text[: one.start()] + new + text[one.end() :]
    return text.encode()


def points_to(name: str) -> str:
    """The container of a packed score whose score is the file `name`."""
    return f'<container><rootfiles><rootfile full-path="{name}"/></rootfiles></container>'


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """An archive of these files, by name."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def of_mxl(data: bytes, rng: random.Random) -> bytes:
    """A damaged score, a damaged archive, or an archive with odd names."""
    if rng.random() < 0.4:
        return of_bytes(data, rng)
    files = {}
    with zipfile.ZipFile(BytesIO(data)) as old:
        for name in old.namelist():
            odd = rng.choice((f"../{name}", f"/tmp/{name}", "x", name.upper(), f"{name}/"))
            inner = of_xml(old.read(name), rng) if rng.random() < 0.6 else old.read(name)
            files[odd if rng.random() < 0.15 else name] = inner
    return packed(files)


def of_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Another configuration, other shapes and types, or damaged bytes."""
    if rng.random() < 0.3:
        return of_bytes(data, rng)
    size = int.from_bytes(data[:8], "little")
    header, tensors = json.loads(data[8 : 8 + size]), data[8 + size :]
    kept = header["__metadata__"]
    if rng.random() < 0.7:
        inner = of_json(kept["thirdstream"].encode(), rng)
        kept["thirdstream"] = inner.decode("utf-8", "replace")
    else:
        header = changed(header, rng)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + tensors


def of_npy(data: bytes, rng: random.Random) -> bytes:
    """Another shape or type in the header, or damaged bytes."""
    if rng.random() < 0.6:
        return of_bytes(data, rng)
    end = data.index(b"\n") + 1
    text = data[10:end].decode("latin-1")
    old = rng.choice(re.findall(r"\d+|<f2|False|descr|shape", text))
    new = rng.choice(("0", "1", "-1", "999999999999", "<f8", "|O", "True", "<c16", "|V7", "x"))
    return data[:10] + text.replace(old, new, 1).encode("latin-1") + data[end:]
