"""How fast `prepare` is: an hour of music as WAV and as MP3, on two cores, the whole command."""

import subprocess
import sys
import tempfile
from pathlib import Path

from growth import STYLES, cost_of, sources

HOURS, MINUTES_EACH = 1, 4
FORMATS = ("wav", "mp3")


def make_music(folder: Path) -> None:
    """Stereo recordings at 44.1 kHz, a style half of them, in each format."""
    import numpy as np
    import soundfile as sf

    from signals import segments
    from thirdstream.audio import SR

    wave = segments(12).numpy().ravel()
    whole = np.resize(wave, MINUTES_EACH * 60 * SR)
    for number in range(HOURS * 60 // MINUTES_EACH):
        part = np.roll(whole, 100_000 * number)
        for ending in FORMATS:
            path = folder / ending / STYLES[number % 2] / f"{number:03}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, np.stack([part, 0.5 * part], axis=1), SR)


def main(folder: str | None = None) -> None:
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        subprocess.run([sys.executable, __file__, "--make", temporary], check=True)
        for ending in FORMATS:
            corpus = Path(temporary) / f"corpus-{ending}"
            made_of = sources(Path(temporary) / ending)
            cost = cost_of("prepare", *made_of, "--out", corpus, "--n-jobs", 2)
            speeds = (f"{HOURS * 3600 / seconds:.0f}" for seconds in (cost.wall_s, cost.cpu_s / 2))
            rows.append([ending, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", *speeds])
    from tables import show

    headings = ["format", "wall s", "CPU s", "times real time", "were both cores free"]
    show(f"prepare, {HOURS} h of stereo, two processes", headings, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make_music(Path(sys.argv[2]))
    else:
        import tyro

        tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
