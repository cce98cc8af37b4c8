"""Make the page's example: a bundled clip, its transfer by the score system, and the lead sheet.

    python recipes/page_example.py

Writes src/thirdstream/web/example/.
"""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import tyro
from pydantic import TypeAdapter

from thirdstream import registry
from thirdstream.system import Sheet
from thirdstream.web import example
from thirdstream.web.jobs import Result, Track, as_mp3, restyle
from thirdstream.web.limits import Limits
from thirdstream.web.sessions import Session

CLIP, TITLE = registry.CLIPS / "classical_ode_to_joy.ogg", "Ode to Joy"
SOURCE, TARGET = "classical", "jazz"
SYSTEM = registry.DEFAULT
LICENCE = (
    "The tune is Beethoven's (1824), in the public domain. The recording is one of the bundled "
    "clips; clip and transfer are part of thirdstream, under the MIT licence. Sampled instruments: "
    "FluidR3 (MIT), Salamander piano by Alexander Holm (CC BY 3.0), Meatbass (CC0)."
)


def kept(path: Path, name: str) -> Path:
    """Copy a file into the example's folder; its name there."""
    shutil.copyfile(path, example.FOLDER / f"{name}{path.suffix}")
    return Path(f"{name}{path.suffix}")


def main() -> None:
    system = registry.load(SYSTEM)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        upload = shutil.copy(CLIP, root / f"{TITLE}{CLIP.suffix}")
        session = Session(root, Limits())
        with session.new_folder() as folder:
            made = restyle(
                session, {SYSTEM: system}, upload, {"to": TARGET, "source": SOURCE}, folder,
                progress=lambda share, what: None,
            )  # fmt: skip
            write(made)


def write(made: Result) -> None:
    """Keep the files of a result under short names, and the result as JSON."""
    shutil.rmtree(example.FOLDER, ignore_errors=True)
    example.FOLDER.mkdir()
    assert made.sheet is not None
    tracks = [
        Track(one.name, kept(as_mp3(one.path), one.name), kept(one.picture, one.name))
        for one in made.tracks
    ]
    names = {"MIDI": "arrangement", "Lead sheet (MusicXML)": "lead-sheet",
             "Transcription (MIDI)": "transcription"}  # fmt: skip
    files = {label: kept(made.sheet.files[label], name) for label, name in names.items()}
    sheet = Sheet(kept(made.sheet.picture, "roll"), made.sheet.bars, {})
    result = dataclasses.replace(
        made, name=TITLE, tracks=tuple(tracks), downloads=files, sheet=sheet, remarks=(LICENCE,)
    )
    text = TypeAdapter(Result).dump_json(result, indent=1).decode()
    (example.FOLDER / example.DATA).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
