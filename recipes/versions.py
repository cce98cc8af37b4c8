"""What twin-paired learns from: python recipes/versions.py SHEETS OUT [VARIANTS]

The benchmark's training pieces in both styles, each in so many settings (2): other keys, tempi,
ensembles and soundfonts. Then: thirdstream prepare classical=OUT/classical jazz=OUT/jazz --paired
"""

from dataclasses import replace
from pathlib import Path

import tyro
from tqdm import tqdm

from thirdstream.data.benchmark import plan
from thirdstream.data.pairs import Left, make_pairs


def main(sheets: str, out: str, variants: str = "2") -> None:
    pieces = plan([Path(sheets)], splits=["train"])["train"]
    jobs = [
        replace(job, variant=variant, name=f"{job.piece}.{variant + 1}")
        for job in pieces
        for variant in range(int(variants))
    ]
    for made in tqdm(make_pairs(jobs, Path(out)), total=len(jobs), unit="pair"):
        if isinstance(made, Left):
            tqdm.write(f"{made.path}: {made.reason}")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
