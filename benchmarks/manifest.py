"""What the manifest of very many recordings costs: written, opened, and an epoch's pairs drawn."""

import hashlib
import tempfile
import time
from pathlib import Path

import tyro

from tables import peak_mb, show
from thirdstream.data import preparing
from thirdstream.data.corpus import TRAIN, Corpus, Pairs, Recording
from thirdstream.data.preparing import Found
from thirdstream.mel.features.logmel import Statistics

FMA_FULL = 106_574  # tracks, 270 s each on average
NONE = Statistics(1.0, [1.0] * 256, [1.0] * 256)


def recording(number: int) -> Recording:
    """Made up, as long as most."""
    digest = hashlib.sha256(b"%d" % number).hexdigest()
    return Recording(
        path=f"/data/fma/fma_full/{number % 156:03}/{number:06}.mp3",
        style=("classical", "jazz")[number % 2], split="", sha256=digest, sound=digest[::-1],
        duration_s=270.1234, sr=44_100, n_channels=2, gain=1.234567, n_segments=90,
        features=f"features/{digest[:20]}.npy", size=10**7, mtime_ns=10**18 + number,
    )  # fmt: skip


def main(n_recordings: int = FMA_FULL) -> None:
    rows = []

    def step(name: str, begin: float) -> None:
        rows.append([name, f"{time.process_time() - begin:.1f}", f"{peak_mb():.0f}"])

    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        preparing._statistics = lambda *_: NONE  # there are no arrays
        found = [Found(Path(f"{number}.mp3"), "jazz") for number in range(n_recordings)]
        preparing.results = lambda jobs, **_: zip(
            found, map(recording, range(len(found))), strict=True
        )
        begin = time.process_time()
        list(preparing.prepare(found, out))
        step("prepare: copies, split, manifest", begin)
        megabytes = (out / "corpus.json").stat().st_size / 1e6
        begin = time.process_time()
        opened = Corpus.open(out)
        step("open", begin)
        begin = time.process_time()
        Pairs(opened, TRAIN, seed=0)
        step("an epoch's pairs", begin)
    title = f"A corpus of {n_recordings:,} recordings; its manifest has {megabytes:.0f} MB"
    show(title, ["", "CPU s", "peak MB so far"], rows)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
