"""Recordings that are played with: an index of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from thirdstream.cli.console import FilesBar, complain, counted, progress_bar, say
from thirdstream.cli.kept import is_newer, recordings_of
from thirdstream.cli.locks import writes_file
from thirdstream.files import check_free, forget_parts, is_style

if TYPE_CHECKING:
    from thirdstream.notes.mosaicing.indexing import Excerpt

SUFFIX = ".safetensors"


@writes_file
def index(sources: tuple[str, ...], /, *, out: Path, force: bool = False) -> None:
    """Make an index of your recordings, to play other recordings with them.

    Example: thirdstream index tango=music/tangos --out tango.safetensors

    Then `thirdstream transfer song.mp3 --model tango.safetensors --to tango --out restyled` plays
    the song with short pieces of them, without any training. An hour a style is used at most; of
    more, the middle of each recording. Run it again after an interruption: what is done is not done
    again.

    Args:
        sources: STYLE=FOLDER, once or more.
        out: the index; its name ends in .safetensors. It holds the sound of the recordings: an
            hour is about 150 MB of mono, or 300 to 400 of stereo.
        force: replace an index that exists.
    """
    from thirdstream.notes.mosaicing.indexing import find

    check_free(out, force=force, suffix=SUFFIX)
    _index(find(sources), out)


def style_of(folder: Path) -> str:
    """What the style of a folder is called: its name, as far as a style may be called so."""
    name = re.sub("[^A-Za-z0-9_-]+", "-", folder.resolve().name)[:64]
    return name if is_style(name) else "own"


def indexed_from(folder: Path, beside: Path) -> Path:
    """The index of a folder's recordings, as a file in the folder `beside`. One that is newer than
    all of them, and was made by this version, is taken as it is.

    Raises ThirdstreamError where the folder has too little to play with.
    """
    from thirdstream.audio import find_recordings
    from thirdstream.checkpoint import CheckpointError
    from thirdstream.notes.mosaicing import system

    style = style_of(folder)
    out = beside / f"{style}{SUFFIX}"
    paths = recordings_of(folder, beside, find=find_recordings)
    if is_newer(out, paths):
        with suppress(CheckpointError):
            if style in system.load(out).styles:
                say(f"{out}: the index of {folder} is there already")
                return out
        say(f"{out}: is no index of this version; {folder} is indexed anew")
    _index({style: paths}, out)
    return out


def _index(found: Mapping[str, Sequence[Path]], out: Path) -> None:
    from thirdstream.notes.mosaicing import indexing
    from thirdstream.notes.transcription.transcriber import Transcriber

    Transcriber()  # says what is missing before there is any work
    excerpts = {style: indexing.excerpts_of(paths) for style, paths in found.items()}
    left = _heard(excerpts, out)
    made = {style: indexing.collection_of(some, out, style=style)
            for style, some in excerpts.items()}  # fmt: skip
    used = {style: _files(one for one in some if one not in left)
            for style, some in excerpts.items()}  # fmt: skip
    names = {style: sorted({path.name for path in paths}) for style, paths in used.items()}
    indexing.write(out, made, names)
    forget_parts(out)
    for style, one in made.items():
        say(f"{style}: {len(one.units.frames):,} places of {counted(len(used[style]))}")
    if left:
        n_left = len(_files(left))
        n_all = len(_files(one for some in excerpts.values() for one in some))
        verb = "was" if n_left == 1 else "were"
        say(f"{n_left} of {counted(n_all)} {verb} left out, wholly or in part")


def _files(excerpts: Iterable["Excerpt"]) -> set[Path]:
    return {one.path for one in excerpts}


def _heard(excerpts: Mapping[str, Sequence["Excerpt"]], out: Path) -> set["Excerpt"]:
    """Hear all excerpts; those that are left out, each of which is said."""
    from thirdstream.notes.mosaicing import indexing

    left: set[Excerpt] = set()
    with progress_bar() as progress:
        bar = FilesBar(progress, "indexing", sum(map(len, excerpts.values())))
        for some in excerpts.values():
            for one in indexing.index(some, out, progress=bar.show):
                if one.fault is None:
                    bar.done(one.excerpt.path)
                else:
                    left.add(one.excerpt)
                    bar.done(one.excerpt.path, "left out")
                    complain(f"left out: {one.fault}")
    return left
