"""Recordings of pairs, each piece in one style alone: unpaired.py PAIRS N OUT

PAIRS: folder that `thirdstream benchmark` or `thirdstream arrange` made. Of its first N pieces,
every second one is linked as OUT/classical, the others as OUT/jazz, in all variants. Then
`thirdstream prepare`.
"""

import re
import sys
from pathlib import Path

import tyro

from thirdstream.files import ThirdstreamError, read_json
from thirdstream.notes.arranging import STYLES


def main(pairs: str, n: str, out: str) -> None:
    """Raises ThirdstreamError where there are no pairs. What is linked already stays."""
    records = sorted((Path(pairs) / "records").glob("*.json"))
    if not records:
        raise ThirdstreamError(f"{pairs}: holds no pairs; give a folder of `thirdstream arrange`")
    pieces = sorted({piece_of(path.stem) for path in records})[: int(n)]
    for path in records:
        if (piece := piece_of(path.stem)) in pieces:
            style = STYLES[pieces.index(piece) % 2]
            name = f"{path.stem}.{read_json(path, kind='record')['format']}"
            target = Path(out) / style / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                target.symlink_to((Path(pairs) / style / name).resolve())


def piece_of(name: str) -> str:
    """Of a pair: where there are variants, pairs are called PIECE.1, PIECE.2, ..."""
    return re.sub(r"\.\d+$", "", name)


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
    except ThirdstreamError as error:
        sys.exit(str(error))
