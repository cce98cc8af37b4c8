"""Whether transfers are those of another checkout: unchanged.py CHECKOUT [NAME...]

Every bundled clip goes through every system that both have (or the NAMEs), in both versions, each
with its own bundled models. Prints the largest difference of two samples, where full scale is 1.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tyro

from tables import show
from thirdstream.registry import CLIPS, bundled_names

HERE = Path(__file__).parents[1]
TRANSFER = """
import sys
import numpy as np
import soundfile as sf
import thirdstream

out, name, *clips = sys.argv[1:]
model, made = thirdstream.load(name), {}
for clip in clips:
    wave, sr = sf.read(clip, dtype="float32")
    source = clip.rpartition("/")[2].partition("_")[0]
    to = "jazz" if source == "classical" else "classical"
    made[clip] = model.transfer(wave.T, sr=sr, to=to)
np.savez(out, **made)
"""


def transfers(checkout: Path, name: str, out: Path) -> dict[str, np.ndarray]:
    """The clips by a system of a checkout, by path."""
    clips = map(str, sorted(CLIPS.glob("*.ogg")))
    command = [sys.executable, "-c", TRANSFER, str(out), name, *clips]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(checkout / "src")})
    return dict(np.load(out))


def difference(other: Path, name: str) -> float:
    """Between this checkout and another."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (transfers(one, name, Path(folder) / "made.npz") for one in (HERE, other))
    return max(float(np.abs(ours[clip] - theirs[clip]).max()) for clip in ours)


def main(checkout: str, *names: str) -> None:
    if not (Path(checkout) / "src" / "thirdstream").is_dir():  # else this one would be compared
        raise SystemExit(f"{checkout}: is no checkout of thirdstream; give its folder")
    systems = names or ("score", *bundled_names())
    rows = [[name, f"{difference(Path(checkout), name):.1e}"] for name in systems]
    show("Transfers of the clips, against another checkout", ["", "largest difference"], rows)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
