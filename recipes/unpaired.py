"""Recordings of pairs, each piece in one style alone: unpaired.py PAIRS N OUT

PAIRS: folder that `thirdstream benchmark` or `thirdstream arrange` made. Of its first N pieces,
every second one is linked as OUT/classical, the others as OUT/jazz. Then `thirdstream prepare`.
"""

import sys
from pathlib import Path

from thirdstream.notes.arranging import STYLES


def main(pairs: str, n: str, out: str) -> None:
    names = sorted({path.stem for path in (Path(pairs) / "records").glob("*.json")})[: int(n)]
    for number, name in enumerate(names):
        style = STYLES[number % 2]
        recording = (Path(pairs) / style / f"{name}.flac").resolve()
        target = Path(out) / style / recording.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(recording)


if __name__ == "__main__":
    main(*sys.argv[1:])
