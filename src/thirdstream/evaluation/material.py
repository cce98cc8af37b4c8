"""What systems are evaluated on: test recordings, their notes where known, and references.

Of a corpus of `thirdstream prepare`, of the benchmark, of a folder of pairs of `thirdstream
arrange`, of a folder of recordings by style, or of folders of one's own.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.data import benchmark, pairs
from thirdstream.data.corpus import TEST, VARIANT, Corpus
from thirdstream.evaluation import measure
from thirdstream.evaluation.harmony import Chords, label_of, without_empty
from thirdstream.evaluation.measure import Truth
from thirdstream.evaluation.metrics import Notes
from thirdstream.files import ThirdstreamError, is_style
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.io.midi import read_midi
from thirdstream.storage import place_of

REFERENCE_SPLITS = ("train", "validation")  # of the benchmark


@dataclass(frozen=True)
class Item:
    """A recording to be evaluated. key: from path, size and time of change. piece: its name, which
    those of one piece share, be they of either style.

    pair: the same piece in the other style, bar by bar. manifest: says what its notes are.
    """

    path: Path
    style: str
    key: str
    piece: str
    pair: Path | None = None
    manifest: Path | None = None


@dataclass(frozen=True)
class Material:
    """Recordings by style: `tests` are evaluated, `references` are what sets are compared with."""

    name: str
    styles: tuple[str, str]
    tests: Mapping[str, Sequence[Item]]
    references: Mapping[str, Sequence[Item]]

    @cached_property
    def has_pairs(self) -> bool:
        """Whether every test recording has its other version."""
        return all(item.pair for items in self.tests.values() for item in items)


def open_material(where: str | Path, own: Sequence[str] = ()) -> Material:
    """The recordings of a corpus, of the benchmark, of a folder of pairs, or of real recordings.

    where: a folder, or the address of a corpus whose recordings are on this machine or not asked
    for. If it has a folder of recordings for each of two styles, these are tests and references.
    own: STYLE=FOLDER of both styles; those recordings are evaluated instead, and are the
    references, so that copying the target comes out near them. Raises ThirdstreamError where there
    are none, and for a style without any.
    """
    path = place_of(where)
    if isinstance(path, Path) and (path / benchmark.NAME).is_file():
        tests = paired(path / "test")
        split = [paired(path / one) for one in REFERENCE_SPLITS if (path / one).is_dir()]
        joined = {style: [item for one in split for item in one[style]] for style in STYLES}
        references = joined if split else tests
        found = Material(path.name, STYLES, tests, references)
    elif isinstance(path, Path) and (path / pairs.MANIFEST).is_file():
        found = Material(path.name, STYLES, paired(path), paired(path))
    elif isinstance(path, Path) and (styles := recorded_styles(path)):
        found = by_style(path, styles)
    else:
        corpus = Corpus.open(where)
        found = Material(path.name, corpus.styles, {}, {}) if own else of_corpus(corpus)
    if own:
        tests = own_recordings(own, found.styles)
        found = Material(found.name, found.styles, tests, tests)
    for style in found.styles:
        if not found.tests.get(style):
            raise ThirdstreamError(
                f"{path}: has no test recordings of {style}; prepare it with more "
                "recordings, or give --recordings"
            )
    return found


def of_corpus(corpus: Corpus) -> Material:
    """Tests are the corpus's test recordings, references its others."""
    tests: dict[str, list[Item]] = defaultdict(list)
    references: dict[str, list[Item]] = defaultdict(list)
    for one in corpus.recordings:
        kind = tests if one.split == TEST else references
        piece = VARIANT.sub("", one.piece)
        kind[one.style].append(item_of(Path(one.path), one.style, piece=piece))
    return Material(corpus.path.name, corpus.styles, tests, references)


def recorded_styles(folder: Path) -> list[str]:
    """The folders in a folder that hold recordings, by name; none in one that a command made."""
    if not folder.is_dir() or (folder / "corpus.json").is_file():
        return []
    inside = (one for one in sorted(folder.iterdir()) if one.is_dir() and one.name[0] != ".")
    return [one.name for one in inside if audio.find_recordings(one)]


def by_style(folder: Path, styles: Sequence[str]) -> Material:
    """The recordings below FOLDER/STYLE of two styles. Raises ThirdstreamError with fewer or more,
    and on a name that no style can have."""
    if len(styles) != 2:
        raise ThirdstreamError(
            f"{folder}: holds recordings of {len(styles)} styles ({', '.join(styles)}); two are "
            "evaluated, so give a folder with two folders of recordings"
        )
    for style in styles:
        if not is_style(style):
            raise ThirdstreamError(
                f"{folder / style}: no style can be called so; rename the folder"
            )
    tests = own_recordings([f"{one}={folder / one}" for one in styles], (styles[0], styles[1]))
    return Material(folder.resolve().name, (styles[0], styles[1]), tests, tests)


def paired(folder: Path) -> dict[str, list[Item]]:
    """The pairs in a folder that `arrange` or `benchmark` made, by style."""
    manifest = folder / pairs.MANIFEST
    found: dict[str, list[Item]] = {style: [] for style in STYLES}
    for name, record in pairs.listed(manifest).items():
        for style, other in (STYLES, STYLES[::-1]):
            path, pair = (folder / one / f"{name}.{record['format']}" for one in (style, other))
            piece = VARIANT.sub("", name)
            item = item_of(path, style, piece=piece, pair=pair, manifest=manifest)
            found[style].append(item)
    return found


def own_recordings(sources: Sequence[str], styles: tuple[str, str]) -> dict[str, list[Item]]:
    """Recordings of STYLE=FOLDER, both styles. Raises ThirdstreamError where one is missing."""
    found: dict[str, list[Item]] = defaultdict(list)
    for source in sources:
        style, _, folder = source.partition("=")
        if style not in styles or not (folder and Path(folder).is_dir()):
            raise ThirdstreamError(
                f"{source}: is not STYLE=FOLDER with a style of the corpus ({', '.join(styles)})"
            )
        found[style] += [item_of(path, style) for path in audio.find_recordings(Path(folder))]
    for style in styles:
        if not found[style]:
            raise ThirdstreamError(f"no recordings of {style}; give {style}=FOLDER with some")
    return dict(found)


def item_of(
    path: Path,
    style: str,
    *,
    piece: str = "",
    pair: Path | None = None,
    manifest: Path | None = None,
) -> Item:
    """A recording on disk; without a piece its file's name is that. Raises ThirdstreamError if it
    is gone."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: cannot be read ({error.strerror}); bring the recording back, or prepare the "
            "corpus again"
        ) from error
    place = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {style}"
    return Item(path, style, short_hash(place), piece or path.stem, pair, manifest)


def short_hash(text: str) -> str:
    """Twenty hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:20]


# --- excerpts -----------------------------------------------------------------------------------


def excerpt(path: Path, excerpt_s: float) -> Wave:
    """The middle `excerpt_s` seconds of a recording, mono, 44.1 kHz, -20 dB; all if it is shorter.

    Raises AudioError if it cannot be read or is silent there.
    """
    wave = audio.middle(path, excerpt_s)[0]
    if not len(wave):  # the header promised more than there is
        wave = audio.read(path)[0][-round(excerpt_s * SR) :]
    try:
        return measure.normalise_level(wave)
    except audio.AudioError as error:
        raise audio.AudioError(f"{path}: {error}") from error


def truth_of(item: Item, excerpt_s: float) -> Truth | None:
    """What the excerpt of a rendered recording plays; None of one whose notes nobody knows."""
    if item.manifest is None:
        return None
    record = pairs.listed(item.manifest)[item.path.stem]
    song = read_midi(item.path.with_suffix(".mid"))
    start_s = audio.middle_start(item.path, excerpt_s) / SR
    beat_s = 60 / record["beats_per_minute"]
    played = [
        (note.start, note.length, note.pitch)
        for track in song.tracks
        if not track.is_drums
        for note in track.notes
    ]
    melody, notes = (_cut(one, beat_s, start_s, excerpt_s) for one in (record["melody"], played))
    return Truth(melody, notes, *_bars_and_chords(record, start_s, excerpt_s))


def _bars_and_chords(
    record: Mapping[str, Any], start_s: float, excerpt_s: float
) -> tuple[NDArray[np.float64], Chords]:
    """The sheet's bar lines in an excerpt, and its chords there, in the excerpt's seconds."""
    lines = np.arange(record["n_bars"] + 1) * record["bar_s"] - start_s
    beat_s = 60 / record["beats_per_minute"]
    rows = [(start, start + length, label_of(root, intervals))
            for start, length, root, intervals, _ in record["chords"]]  # fmt: skip
    spans = np.array([row[:2] for row in rows], np.float64).reshape(-1, 2) * beat_s - start_s
    spans = np.clip(spans, 0, excerpt_s)
    chords = without_empty(spans, [row[2] for row in rows])
    return lines[(lines >= 0) & (lines < excerpt_s)], chords


def _cut(
    notes: Sequence[tuple[float, float, int]], beat_s: float, start_s: float, excerpt_s: float
) -> Notes:
    """Notes (start, length in quarter notes, pitch) that begin in an excerpt, in its seconds."""
    rows = np.array(sorted(notes), np.float64).reshape(-1, 3)
    onsets = rows[:, 0] * beat_s - start_s
    inside = (onsets >= 0) & (onsets < excerpt_s)
    intervals = np.stack([onsets, onsets + rows[:, 1] * beat_s], axis=1)[inside]
    return Notes(intervals, rows[inside, 2])
