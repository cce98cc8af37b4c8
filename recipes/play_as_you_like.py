"""Piano and guitar for `play-as-you-like` (Lu et al. 2018), rendered from scores.

    pip install 'thirdstream[scores]'        and, from Debian: fluidsynth, fluid-soundfont-gm,
                                             musescore-general-soundfont-small
    python recipes/play_as_you_like.py SCORES OUT [N]     the first N lead sheets (.mxl) of a folder

Half of the pieces is played on a piano, the other half on a guitar, so that nothing is paired. The
paper has recordings of piano and guitar solos; these are arrangements in the classical style, with
all voices on one instrument.
"""

import random
import shlex
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import tyro

from rendered_corpus import Arrangement, Sheet, classical, make_piece  # a script beside this one

PROGRAMS = {"piano": 0, "guitar": 24}  # of General MIDI


def on_one(style: str, sheet: Sheet, rng: random.Random) -> Arrangement:
    """All voices on one instrument."""
    found = classical(sheet, rng)
    return replace(found, programs=dict.fromkeys(found.programs, PROGRAMS[style]))


def commands(out: Path) -> list[str]:
    """What to run next."""
    folders = " ".join(f"{style}={shlex.quote(str(out / style))}" for style in PROGRAMS)
    corpus, run = (shlex.quote(str(out / name)) for name in ("corpus", "run"))
    return [
        f"thirdstream prepare {folders} --out {corpus}",
        f"thirdstream train play-as-you-like --corpus {corpus} --out {run} "
        "--batch-size 1 --lr 1e-4",
    ]


def main(scores: Path, out: Path, n: int | None = None) -> None:
    """Render every second piece on piano, the others on guitar; say what to run next."""
    sheets = sorted(scores.rglob("*.mxl"))[:n]
    if not sheets:
        sys.exit(f"{scores}: holds no lead sheets (.mxl)")
    for number, path in enumerate(sheets):
        style = [*PROGRAMS][number % 2]
        target = out / style / f"{path.stem}.flac"
        target.parent.mkdir(parents=True, exist_ok=True)
        made = make_piece(path, target, partial(on_one, style), random.Random(path.stem))
        print(made, flush=True)
    print("\n".join(["", "Then:", *commands(out)]))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
