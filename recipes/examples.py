"""The docs' examples to hear and to see: docs/audio, and the picture in README.

    python recipes/examples.py

Clips and their transfers by `score` become MP3; Greensleeves goes through all systems of the demo.
"""

import tempfile
from pathlib import Path

import tyro
from PIL import Image

from thirdstream import audio, registry
from thirdstream.report import demo
from thirdstream.system import Options
from thirdstream.transfer.files import transfer_file

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = {  # clip: name of its file, the other style
    "classical_greensleeves": ("greensleeves", "jazz"),
    "jazz_when_the_saints": ("when-the-saints", "classical"),
}
SEEN = "classical_greensleeves"
COLOURS = 256  # of the picture: a third of the size


def write_audio() -> None:
    """Two clips and their transfers, as MP3."""
    system = registry.load(registry.DEFAULT)
    for clip, (name, other) in EXAMPLES.items():
        path = registry.CLIPS / f"{clip}.ogg"
        wave, sr = audio.read(path)
        audio.write(DOCS / "audio" / f"{name}.mp3", [wave[None]], sr=sr, n_channels=1)
        made = DOCS / "audio" / f"{name}-to-{other}.mp3"
        transfer_file(system, path, made, Options(other), force=True)


def write_picture() -> None:
    """Mel spectrograms of a clip and of what each system makes of it, as the demo draws them."""
    names = (registry.DEFAULT, *registry.DEMONSTRATED)
    systems = {name: registry.load(name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for row in demo.run(systems, [registry.CLIPS / f"{SEEN}.ogg"], Path(folder)):
            print(row.system)
        with Image.open(Path(folder) / f"{SEEN}.png") as picture:
            small = picture.convert("RGB").quantize(COLOURS)
            small.save(DOCS / "pictures" / "transfer.png", optimize=True)


def main() -> None:
    """Write both."""
    write_audio()
    write_picture()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
