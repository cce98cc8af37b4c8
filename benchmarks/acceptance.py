"""Of rendered pairs, how many are taken for their style: python benchmarks/acceptance.py PAIRS [N]

PAIRS is a folder of `thirdstream arrange` or one split of the benchmark; N pairs are heard (all, if
not given), 30 s from the middle of both versions.
"""

import random
from collections import defaultdict
from pathlib import Path

import tyro

from thirdstream.audio import SR
from thirdstream.data.pairs import MANIFEST
from thirdstream.evaluation.material import excerpt
from thirdstream.evaluation.tagger import Tagger, is_target_style
from thirdstream.files import read_json
from thirdstream.notes.arranging import STYLES

EXCERPT_S = 30.0


def main(folder: Path, n_pairs: int | None = None) -> None:
    records = read_json(folder / MANIFEST, kind="manifest of pairs")["pairs"]
    names = sorted(records)
    random.Random(0).shuffle(names)
    tagger, heard = Tagger(), defaultdict(list)
    for name in names[:n_pairs]:
        record = records[name]
        for style, other in (STYLES, STYLES[::-1]):
            wave = excerpt(folder / style / f"{name}.{record['format']}", EXCERPT_S)
            tags = tagger.predict(wave, SR)
            target = tags.style(style)
            one = is_target_style(target=target, other=tags.style(other)), target
            for part in ("", record["soundfont"], record[style]["ensemble"]):
                heard[style, part].append(one)
    print("| style | of | recordings | accepted | mean tag |\n|---|---|---|---|---|")
    for (style, part), rows in sorted(heard.items()):
        share, tag = (sum(column) / len(rows) for column in zip(*rows, strict=True))
        print(f"| {style} | {part or 'all'} | {len(rows)} | {share:.2f} | {tag:.2f} |")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
