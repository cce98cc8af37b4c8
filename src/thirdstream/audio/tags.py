"""What a recording is called: by the tags in its file, else by the file's name."""

from contextlib import suppress
from pathlib import Path

import av
from av.error import FFmpegError

from thirdstream.audio.decoding import AV_OPTIONS

LONGEST = 200  # characters of a title that are taken


def title_of(path: Path) -> str:
    """The title in a recording's tags; without one its file's name, with spaces for underscores.

    One line of 200 characters at most, and never empty. A file that cannot be read has its name.
    """
    named = {key.lower(): text for key, text in _tags(path).items()}
    titles = (named.get("title", ""), path.stem.replace("_", " "), path.stem)
    return next(filter(None, (" ".join(one.split())[:LONGEST] for one in titles)), path.stem)


def _tags(path: Path) -> dict[str, str]:
    """Those of the file, and of its sound: an OGG has them there."""
    tags: dict[str, str] = {}
    with (
        suppress(FFmpegError, OSError, ValueError),
        av.open(f"file:{path}", options=AV_OPTIONS, metadata_errors="replace") as container,
    ):
        tags |= container.metadata
        for track in container.streams.audio[:1]:
            tags |= track.metadata
    return tags
