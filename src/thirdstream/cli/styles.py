"""Styles that are learned from recordings."""

from collections.abc import Sequence
from pathlib import Path

from thirdstream.cli.console import Failed, FilesBar, complain, counted, progress_bar, say
from thirdstream.cli.locks import writes_file
from thirdstream.files import check_free


@writes_file
def learn_style(recordings: tuple[Path, ...], /, *, out: Path, force: bool = False) -> None:
    """Learn a style from recordings or MIDI files, for `transfer --to`.

    Example: thirdstream learn-style tangos --out tango.style

    Each recording is transcribed: who plays, how quickly, and what accompanies the melody, bar by
    bar. Then `thirdstream transfer song.mp3 --to tango.style --out restyled` plays such bars over
    the song's harmony. Ten to thirty recordings are enough. Run it again after an interruption:
    what is done is not done again.

    Args:
        recordings: files, or folders that are searched for recordings and MIDI files.
        out: the style's file; its name ends in .style.
        force: replace a style that exists.
    """
    from thirdstream.notes.styles.learned import SUFFIX

    check_free(out, force=force, suffix=SUFFIX)
    _learn(recordings, out)


def _learn(recordings: Sequence[Path], out: Path) -> None:
    from thirdstream.notes.learning import learn as learning
    from thirdstream.notes.styles.learned import write_learned

    paths = learning.find_music(recordings)
    faults: list[str] = []
    with progress_bar() as progress:
        bar = FilesBar(progress, "learning", len(paths))
        for one in learning.learn(paths, out, progress=bar.show):
            if one.fault is None:
                bar.done(one.path)
                say(f"{one.path}: {one.n_bars} bars")
                continue
            faults.append(one.fault)
            if len(paths) > 1:
                complain(f"left out: {one.fault}")
    if len(paths) == 1 and faults:
        raise Failed(faults[0])
    style = learning.style_of(paths, out, name=out.stem)
    write_learned(out, style)
    learning.forget(out)
    say(f"{out} has {len(style.bars)} bars of {counted(len(style.recordings))}")
    if len(style.recordings) == 1:
        say("one recording tells how that piece is played; for a style give ten to thirty")
    if n_left := len(faults):
        say(f"{n_left} of {counted(len(paths))} {'was' if n_left == 1 else 'were'} left out")


def learned_from(folder: Path, beside: Path) -> Path:
    """The style of a folder's recordings, as a file in the folder `beside`. One that is newer than
    all of them is taken as it is. What lies below `beside`, results of before, is left out where
    that is a folder inside.

    Raises ThirdstreamError where nothing can be learned from the folder.
    """
    from thirdstream.notes.learning import learn as learning
    from thirdstream.notes.styles.learned import SUFFIX

    out = beside / f"{folder.resolve().name}{SUFFIX}"
    results = beside.resolve()
    inside = folder.resolve() in results.parents
    paths = [
        path for path in learning.find_music([folder])
        if not (inside and results in path.resolve().parents)
    ]  # fmt: skip
    if not paths:
        raise Failed(f"{folder}: holds no recordings but results; give a folder of some")
    places = {path.parent for path in paths}  # a file that was moved in may be old
    newest = max(path.stat().st_mtime for path in (*paths, *places))
    if out.is_file() and newest < out.stat().st_mtime:
        say(f"{out}: the style of {folder} is there already")
    else:
        _learn(paths, out)
    return out
