"""The benchmark: fixed pieces by split, in both styles, the test pieces through other soundfonts.

benchmark.csv names the pieces: 212 lead sheets of OpenEWLD (Simonetta 2018), melodies first
performed in 1930 or earlier, or by authors who had died by then. All versions of a song are in one
split, and no song of the test split was in the training of the bundled models. The splits `train`
and `validation` sound through two soundfonts, `test` through one that no training used. Key, tempo,
ensembles, room and microphone follow from the name of the piece. Each bar of a sheet is played
once, in the order written. Edition 1 has the first 16 test pieces alone.
"""

import csv
import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files as resources
from pathlib import Path

from thirdstream.data.pairs import MANIFEST, Job, Left, Made, listed, make_pairs
from thirdstream.files import (
    MUSICXML_SUFFIXES,
    ThirdstreamError,
    files_below,
    make_folder,
    sha256,
    sha256_now,
    write_json,
)
from thirdstream.lock import is_empty

NAME = "benchmark.json"
SOURCE = "github.com/00sapo/OpenEWLD"
SPLITS = ("train", "validation", "test")
EDITION = 2  # the newest one; an edition has all pieces of those that came first
SEED = 1930
VARIANTS = {"train": 1, "validation": 1, "test": 2}  # pairs of each piece
SOUNDFONT_FOLDERS = (
    Path("/usr/share/sounds/sf2"),
    Path("/usr/share/sounds/sf3"),
    Path("/usr/share/soundfonts"),
    Path("/usr/local/share/soundfonts"),
    Path("/opt/homebrew/share/soundfonts"),
    Path("~/.local/share/soundfonts"),
)
MAX_BYTES = 50_000_000  # of a score, unpacked


@dataclass(frozen=True)
class Piece:
    """A row of benchmark.csv. sha256: of the MusicXML, unpacked. edition: the first that has it."""

    split: str
    name: str
    sha256: str
    edition: int = 1


@dataclass(frozen=True)
class Font:
    """A soundfont of the benchmark, and where it comes from."""

    name: str
    sha256: str
    source: str


TRAINING_FONTS = (
    Font(
        "FluidR3 GM",
        "74594e8f4250680adf590507a306655a299935343583256f3b722c48a1bc1cb0",
        "Debian: fluid-soundfont-gm",
    ),
    Font(
        "MuseScore General",
        "916aaca6b0eb9f9083eb42399614acb2ff4ec72ce28dffff1814592a9696b479",
        "Debian: musescore-general-soundfont-small",
    ),
)
TEST_FONTS = (
    Font(
        "TimGM6mb",
        "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1",
        "pip install 'thirdstream[scores]'",
    ),
)
FONTS = {"train": TRAINING_FONTS, "validation": TRAINING_FONTS, "test": TEST_FONTS}


def pieces() -> list[Piece]:
    """All pieces of the benchmark."""
    text = (resources("thirdstream.data") / "benchmark.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return [Piece(row["split"], row["name"], row["sha256"], int(row["edition"])) for row in rows]


def content_sha256(path: Path) -> str | None:
    """Of a score's MusicXML, however it is packed; None for a file that holds none."""
    try:
        if not zipfile.is_zipfile(path):
            return sha256(path)
        with zipfile.ZipFile(path) as packed:
            inside = [
                entry
                for entry in packed.infolist()
                if entry.filename.endswith((".xml", ".musicxml"))
                and not entry.filename.startswith("META-INF")
                and entry.file_size <= MAX_BYTES
            ]
            return hashlib.sha256(packed.read(inside[0])).hexdigest() if inside else None
    except (OSError, zipfile.BadZipFile, RuntimeError):
        return None


def find_pieces(sheets: Sequence[Path], wanted: Sequence[Piece]) -> dict[Piece, Path]:
    """Where the pieces are below folders, by their content. Raises ThirdstreamError that names
    what is missing, or cannot be read."""
    candidates = [path for folder in sheets for path in files_below(folder, MUSICXML_SUFFIXES)]
    by_content = {content_sha256(path): path for path in candidates}
    missing = [piece for piece in wanted if piece.sha256 not in by_content]
    if missing:
        names = ", ".join(piece.name for piece in missing[:3])
        latest = min(piece.edition for piece in missing) - 1
        other = f", or make --edition {latest}, which needs none of these" if latest else ""
        raise ThirdstreamError(
            f"{', '.join(map(str, sheets))}: lacks {len(missing)} of the benchmark's {len(wanted)} "
            f"scores ({names}, ...); give a copy of {SOURCE}{other}"
        )
    return {piece: by_content[piece.sha256] for piece in wanted}


def find_fonts(fonts: Sequence[Font], given: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Where the soundfonts are: among those given and those installed. Raises ThirdstreamError."""
    installed = [*given, *find_soundfonts()]
    found = {sha256(path): path for path in installed if path.is_file()}
    for font in fonts:
        if font.sha256 not in found:
            raise ThirdstreamError(
                f"the benchmark sounds through {font.name}, which is not here in the version it is "
                f"fixed to; install it ({font.source}) or name it with --soundfonts"
            )
    return tuple(found[font.sha256] for font in fonts)


def find_soundfonts() -> list[Path]:
    """Installed soundfonts, sorted, each once, and the one inside the wheel of pretty-midi."""
    found = {
        path.resolve()
        for folder in SOUNDFONT_FOLDERS
        if (place := folder.expanduser()).is_dir()
        for path in place.iterdir()
        if path.suffix.lower() in (".sf2", ".sf3")
    }
    try:
        inside = metadata.files("pretty_midi") or []
    except metadata.PackageNotFoundError:
        inside = []
    found |= {Path(str(file.locate())).resolve() for file in inside if file.suffix == ".sf2"}
    return sorted((path for path in found if path.is_file()), key=lambda path: (path.name, path))


def plan(
    sheets: Sequence[Path],
    *,
    splits: Sequence[str] = SPLITS,
    soundfonts: Sequence[Path] = (),
    edition: int = EDITION,
) -> dict[str, list[Job]]:
    """The pairs to make, by split. Raises ThirdstreamError if a score or a soundfont is missing."""
    wanted = [one for one in pieces() if one.split in splits and one.edition <= edition]
    places = find_pieces(sheets, wanted)
    jobs: dict[str, list[Job]] = {}
    for split in splits:
        fonts = find_fonts(FONTS[split], soundfonts)
        jobs[split] = [
            Job(
                places[piece],
                piece.name,
                f"{piece.name}.{variant + 1}",
                variant,
                SEED,
                fonts,
                "flac",
                repeats=False,  # a piece's versions are as long as they were when this was fixed
            )
            for piece in wanted
            if piece.split == split
            for variant in range(VARIANTS[split])
        ]
    return jobs


def make(jobs: dict[str, list[Job]], out: Path, *, n_jobs: int = -1) -> Iterator[Made | Left]:
    """Make all pairs, in OUT/SPLIT, and yield what became of each; OUT/benchmark.json comes last.

    What is there is not made again. Raises ThirdstreamError if `out` is something else's folder.
    """
    if out.is_dir() and not is_empty(out) and not any((out / split).is_dir() for split in SPLITS):
        raise ThirdstreamError(f"{out}: is not empty and holds no benchmark; choose a new folder")
    make_folder(out)
    for split, of_split in jobs.items():
        yield from make_pairs(of_split, out / split, n_jobs=n_jobs)
    about = {
        split: {"pairs": len(listed(manifest)), "sha256": sha256_now(manifest)}
        for split in SPLITS
        if (manifest := out / split / MANIFEST).is_file()
    }  # fmt: skip
    write_json(out / NAME, {"seed": SEED, "splits": about})
