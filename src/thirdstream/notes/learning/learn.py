"""Recordings -> a style file: each is transcribed once, and what its style is, is kept.

What was found of a recording stays in a folder beside the style until that is written, so work that
was interrupted goes on where it stopped.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from thirdstream import audio
from thirdstream.files import (
    MIDI_SUFFIXES,
    ThirdstreamError,
    fault_of,
    files_below,
    new_folder,
    parts_of,
    reaching,
    read_json,
    sha256,
    write_json,
)
from thirdstream.notes.learning.agreement import Candidates, agreed
from thirdstream.notes.learning.bars import bars_of, source_of
from thirdstream.notes.learning.performance import (
    Performance,
    performance_of,
)
from thirdstream.notes.learning.resynthesis import Programs
from thirdstream.notes.styles.learned import Bar, Entry, LearnedStyle, Source

LOGGER = logging.getLogger("thirdstream")

MIN_BARS = 4  # of a recording
SURE = 10  # bars of a recording from which on its metre is believed, whatever the others'
MOST_BARS = 4000  # of a style
PHRASE = 8  # bars that are kept together
LEARNING = 16  # changes whenever the same recordings give something else
CLEAR = 0.31  # how sure beats and chords are in music at least: 0.35 in a violin's, 0.28 in speech
SHORTEST_S = 8.0  # of a recording
LONG_ENOUGH = f"{SHORTEST_S:g} s or longer"
SYNTHESISERS = (38, 39, 50, 51, *range(80, 104))  # General MIDI programs
ELECTRONIC_KIT = 24

Progress = Callable[[Path, float], None]


class StylePart(Entry):
    """What a recording says of its style. parts: who may be the source's players."""

    source: Source
    bars: tuple[Bar, ...]
    parts: tuple[Candidates, ...]


@dataclass(frozen=True)
class Learned:
    """What became of a recording; fault: why it is of no use, as a sentence, or None."""

    path: Path
    n_bars: int = 0
    fault: str | None = None


@reaching()
def find_music(inputs: Sequence[Path]) -> list[Path]:
    """The recordings and MIDI files among paths, and in folders among them, in order.

    Raises ThirdstreamError where a path does not exist or cannot be read, or nothing is found.
    """
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found += files_below(path, (*audio.SUFFIXES, *MIDI_SUFFIXES))
        elif path.is_file():
            found.append(path)
        else:
            raise ThirdstreamError(f"{path}: is not there; give recordings, or folders of them")
    if not inputs:
        raise ThirdstreamError("no recordings to learn from; give files or folders")
    if not found:
        places = ", ".join(map(str, inputs))
        raise ThirdstreamError(f"{places}: no recordings and no MIDI files; give a folder of some")
    return list(dict.fromkeys(found))


def learn(
    paths: Sequence[Path], out: Path, *, progress: Progress = lambda path, share: None
) -> Iterator[Learned]:
    """Learn from each recording in turn, so that `style_of` knows what was found.

    progress: gets the file and the share of it done. A recording of no use is no error here: its
    fault is in what is yielded.
    """
    with new_folder(parts_of(out)):
        for path in paths:
            try:
                part = _part_of(path, _file_of(path, out), progress)
                yield Learned(path, n_bars=len(part.bars))
            except Exception as error:  # whatever it is, the others are learned from
                yield Learned(path, fault=fault_of(path, error))


def _file_of(path: Path, out: Path) -> Path:
    """Where what was found of a recording stays."""
    return parts_of(out) / f"{sha256(path)[:32]}.{LEARNING}.json"


def _part_of(path: Path, file: Path, progress: Progress) -> StylePart:
    """What a recording says, from an earlier run if there was one."""
    if file.exists():
        try:
            return _read(file)
        except (ThirdstreamError, ValidationError):
            file.unlink()
    performance = performance_of(path, progress=lambda share: progress(path, share))
    _check(path, performance)
    bars = bars_of(performance)
    if len(bars) < MIN_BARS:
        raise ThirdstreamError(
            f"{path}: {MIN_BARS} accompanied bars are needed, and {len(bars)} found; give a longer "
            "recording, or one of more than a single voice"
        )
    parts = tuple(
        Candidates(name=one.name, costs=tuple(one.costs.items())) for one in performance.parts
    )
    part = StylePart(source=source_of(performance), bars=tuple(bars), parts=parts)
    write_json(file, part.model_dump(mode="json", exclude_defaults=True))
    return part


def _check(path: Path, performance: Performance) -> None:
    """Raise ThirdstreamError where a recording is short, or has no beat that can be followed."""
    if performance.duration_s < SHORTEST_S:
        raise ThirdstreamError(
            f"{path}: lasts {performance.duration_s:.1f} s; give recordings of {LONG_ENOUGH}"
        )
    if performance.clarity < CLEAR:
        raise ThirdstreamError(
            f"{path}: no steady beat is found in it (it may be speech, or noise); leave it out"
        )


def style_of(paths: Sequence[Path], out: Path, *, name: str) -> LearnedStyle:
    """The style of the recordings that `learn` went through, in their order.

    Of more than MOST_BARS bars, each recording gives its share. Raises ThirdstreamError where no
    recording is of use.
    """
    files = dict.fromkeys(_file_of(path, out) for path in paths)
    files = [file for file in files if file.exists()]
    if not files:
        raise ThirdstreamError(
            f"{_none_of(paths)} a style; give music with a beat, of several voices and of "
            f"{LONG_ENOUGH}"
        )
    every = -(-len(files) // (MOST_BARS // PHRASE))  # rounded up
    files = files[::every]
    share = MOST_BARS // len(files)
    recordings: list[Source] = []
    players: list[Sequence[Candidates]] = []
    bars: list[Bar] = []
    metres = _metres(files)
    for part in map(_read, files):
        if len(part.bars) < SURE and _metre(part) not in metres:
            LOGGER.warning(
                "%s: is left out; it has %d bars, too few to be sure of its metre, which the other "
                "recordings do not confirm; give one of %d bars or more",
                part.source.name,
                len(part.bars),
                SURE,
            )
            continue
        kept = _middle(part.bars, max(share, PHRASE))
        bars += [bar.model_copy(update={"recording": len(recordings)}) for bar in kept]
        recordings.append(part.source)
        players.append(part.parts)
    by_whom = [played_by(*one) for one in zip(recordings, agreed(players), strict=True)]
    named = tuple(_named_apart(by_whom))
    return LearnedStyle(learning=LEARNING, name=name, recordings=named, bars=tuple(bars))


def _named_apart(recordings: Sequence[Source]) -> Iterator[Source]:
    """Each with a name of its own, by which its players may be asked for: the first of several of
    one name keeps it, the others are numbered."""
    names, taken = {one.name for one in recordings}, set[str]()
    for one in recordings:
        name, number = one.name, 1
        while name in taken or (number > 1 and name in names):
            number += 1
            name = f"{one.name} ({number})"
        taken.add(name)
        yield one.model_copy(update={"name": name})


def played_by(source: Source, programs: Sequence[Programs]) -> Source:
    """A recording whose players have other programs. Which kit plays is not found in a recording:
    beside synthesisers it is an electronic one."""
    both = list(zip(source.players, programs, strict=True))
    pitched = [one for player, who in both if player.role != "drums" for one in who]
    mostly = 2 * sum(program in SYNTHESISERS for program in pitched) > len(pitched)
    is_electronic = mostly and source.reverberation is not None  # MIDI files say which kit it is
    players = []
    for player, (program, *others) in both:
        of = ELECTRONIC_KIT if is_electronic and player.role == "drums" else program
        players.append(player.model_copy(update={"program": of, "doubled_by": tuple(others)}))
    return source.model_copy(update={"players": tuple(players)})


def _none_of(paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return f"{paths[0]}: does not tell"
    return f"none of the {len(paths)} recordings tells"


def _read(file: Path) -> StylePart:
    return StylePart.model_validate(read_json(file, kind="part of a style"))


def _metre(part: StylePart) -> tuple[int, bool]:
    """Beats of a bar, and whether they divide in three."""
    return part.source.beats_per_bar, part.source.thirds


def _metres(files: Sequence[Path]) -> set[tuple[int, bool]]:
    """Those of the recordings of SURE bars or more; without such, that of most bars."""
    n_bars: Counter[tuple[int, bool]] = Counter()
    sure: set[tuple[int, bool]] = set()
    for part in map(_read, files):
        n_bars[_metre(part)] += len(part.bars)
        if len(part.bars) >= SURE:
            sure.add(_metre(part))
    return sure or {n_bars.most_common(1)[0][0]}


def _middle(bars: Sequence[Bar], most: int) -> Sequence[Bar]:
    """Not more than so many bars: phrases from the middle, and the last one."""
    if len(bars) <= most:
        return bars
    first = (len(bars) - most) // 2 // PHRASE * PHRASE
    return [*bars[first : first + most - 1], bars[-1]]
