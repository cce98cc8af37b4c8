"""Styles that are learned from recordings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from thirdstream.cli.console import OUT, Failed, FilesBar, complain, counted, progress_bar, say
from thirdstream.cli.kept import is_newer, recordings_of
from thirdstream.cli.locks import writes_file
from thirdstream.files import check_free, forget_parts

if TYPE_CHECKING:
    from thirdstream.notes.styles.learned import Player

SUFFIX = ".style"
KITS = {
    0: "drum kit",
    8: "room drum kit",
    16: "power drum kit",
    24: "electronic drum kit",
    25: "analogue drum kit",
    32: "jazz drum kit",
    40: "drum kit with brushes",
    48: "orchestral percussion",
    56: "sound effects",
}  # as General MIDI 2 numbers them


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
                bar.done(one.path, "left out")
                complain(f"left out: {one.fault}")
    if len(paths) == 1 and faults:
        raise Failed(faults[0])
    style = learning.style_of(paths, out, name=out.stem)
    write_learned(out, style)
    forget_parts(out)
    say(f"{out} has {len(style.bars)} bars of {counted(len(style.recordings))}")
    if len(style.recordings) == 1:
        say("one recording tells how that piece is played; for a style give ten to thirty")
    if n_left := len(paths) - len(style.recordings):
        say(f"{n_left} of {counted(len(paths))} {'was' if n_left == 1 else 'were'} left out")


def learned_from(folder: Path, beside: Path) -> Path:
    """The style of a folder's recordings, as a file in the folder `beside`. One that is newer than
    all of them, and was learned by this version, is taken as it is.

    Raises ThirdstreamError where nothing can be learned from the folder.
    """
    from thirdstream.notes.learning import learn as learning
    from thirdstream.notes.styles.learned import learning_of, read_learned

    out = beside / f"{folder.resolve().name}{SUFFIX}"
    paths = recordings_of(folder, beside, find=lambda place: learning.find_music([place]))
    if is_newer(out, paths):
        if learning_of(out) == learning.LEARNING:
            read_learned(out)  # says what is wrong with it
            say(f"{out}: the style of {folder} is there already")
            return out
        say(f"{out}: is of another version of thirdstream; the style of {folder} is learned anew")
    _learn(paths, out)
    return out


def style_summary(path: str) -> dict[str, Any]:
    """What is in a .style file, for `info --json`. Raises ThirdstreamError where it is none."""
    from thirdstream.notes.styles.learned import read_learned

    style = read_learned(Path(path))
    n_bars = Counter(bar.recording for bar in style.bars)
    recordings = [
        {"name": one.name, "n_bars": n_bars[number], "tempo": one.tempo, "swing": one.swing,
         "beats_per_bar": one.beats_per_bar, "thirds": one.thirds,
         "reverberation": one.reverberation and one.reverberation.model_dump(),
         "players": [{**p.model_dump(), "instrument": _instrument(p)} for p in one.players]}
        for number, one in enumerate(style.recordings)
    ]  # fmt: skip
    room = style.reverberation and style.reverberation.model_dump()
    return {
        "kind": "style", "path": path, "name": style.name, "n_bars": len(style.bars),
        "tempo": style.tempo, "swing": style.swing(style.tempo), "reverberation": room,
        "balance_db": style.balance_db,
        "recordings": recordings,
    }  # fmt: skip


def _instrument(player: "Player") -> str:
    from thirdstream.notes.styles import instrument

    if player.role == "drums":
        return KITS.get(player.program, f"drum kit {player.program}")
    return " + ".join(sorted(instrument(one).name for one in player.programs))


def print_style(summary: Mapping[str, Any]) -> None:
    """What `style_summary` found, in a few lines, and who plays in how many of the recordings."""
    facts = Table.grid(padding=(0, 2))
    for fact in _facts(summary):
        facts.add_row(*fact)
    OUT.print(facts)
    table = Table("role", "instrument")
    table.add_column("recordings", justify="right")
    recordings = summary["recordings"]
    for role in ("melody", "harmony", "bass", "drums"):
        n_of = Counter(name for one in recordings for name in _instruments(one, role))
        for name, n in n_of.most_common():
            table.add_row(role, name, f"{n} of {len(recordings)}")
    OUT.print(table)


def _instruments(recording: Mapping[str, Any], role: str) -> set[str]:
    return {one["instrument"] for one in recording["players"] if one["role"] == role}


def _facts(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    recordings, room = summary["recordings"], summary["reverberation"]
    tempos = [one["tempo"] for one in recordings]
    metres = Counter((one["beats_per_bar"], one["thirds"]) for one in recordings)
    swing, n_drums = summary["swing"], sum(bool(_instruments(one, "drums")) for one in recordings)
    yield "style", f"{summary['name']} ({summary['path']})"
    yield "learned from", f"{counted(len(recordings))}, {summary['n_bars']} bars"
    yield "tempo", f"{summary['tempo']:.0f} beats a minute ({min(tempos):.0f} to {max(tempos):.0f})"
    yield "metre", "; ".join(f"{_metre(*one)} ({counted(n)})" for one, n in metres.most_common())
    yield "swing", "none, eighths are even" if swing == 1 else f"{swing:.2f} to 1"
    yield (
        "room",
        f"{room['decay_s']:.1f} s of reverberation" if room else "not known, of MIDI files",
    )
    yield "drums", f"in {n_drums} of {counted(len(recordings))}"


def _metre(beats: int, thirds: bool) -> str:
    return f"{beats} beat{'s' * (beats != 1)} a bar" + (", each of three parts" if thirds else "")
