"""What systems are evaluated on: test recordings, their notes where known, and references.

Of a corpus of `thirdstream prepare`, of the benchmark, of a folder of pairs of `thirdstream
arrange`, or of folders of one's own.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.data import benchmark, pairs
from thirdstream.data.corpus import TEST, VARIANT, Corpus
from thirdstream.evaluation import measure
from thirdstream.evaluation.measure import Truth
from thirdstream.evaluation.metrics import Notes
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.io.midi import read_midi
from thirdstream.storage import place_of

REFERENCE_SPLITS = ("train", "validation")  # of the benchmark


@dataclass(frozen=True)
class Item:
    """A recording to be evaluated. key: from path, size and time of change.

    pair: the same piece in the other style, bar by bar. manifest: says what its notes are.
    """

    path: Path
    style: str
    key: str
    pair: Path | None = None
    manifest: Path | None = None

    @property
    def piece(self) -> str:
        """Its name without a variant's number: NAME.1 and NAME.2 are one piece."""
        return VARIANT.sub("", self.path.stem)


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
    """The recordings of a corpus, of the benchmark, or of a folder of pairs.

    where: a folder, or the address of a corpus whose recordings are on this machine or not asked
    for. own: STYLE=FOLDER of both styles; those recordings are evaluated instead, and are the
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
        kind[one.style].append(item_of(Path(one.path), one.style))
    return Material(corpus.path.name, corpus.styles, tests, references)


def paired(folder: Path) -> dict[str, list[Item]]:
    """The pairs in a folder that `arrange` or `benchmark` made, by style."""
    manifest = folder / pairs.MANIFEST
    found: dict[str, list[Item]] = {style: [] for style in STYLES}
    for name, record in pairs.listed(manifest).items():
        for style, other in (STYLES, STYLES[::-1]):
            path, pair = (folder / one / f"{name}.{record['format']}" for one in (style, other))
            found[style].append(item_of(path, style, pair=pair, manifest=manifest))
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
    path: Path, style: str, *, pair: Path | None = None, manifest: Path | None = None
) -> Item:
    """A recording on disk. Raises ThirdstreamError if it is gone."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: cannot be read ({error.strerror}); bring the recording back, or prepare the "
            "corpus again"
        ) from error
    place = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {style}"
    return Item(path, style, short_hash(place), pair, manifest)


def short_hash(text: str) -> str:
    """Twenty hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:20]


# --- excerpts -----------------------------------------------------------------------------------


def excerpt_start(path: Path, excerpt_s: float) -> int:
    """The first sample, at 44.1 kHz, of the middle `excerpt_s` seconds of a recording."""
    header = audio.info(path)
    n_samples = header.n_samples or audio.measure(path).n_samples
    return max(0, (n_samples * SR // header.sr - round(excerpt_s * SR)) // 2)


def excerpt(path: Path, excerpt_s: float) -> Wave:
    """The middle `excerpt_s` seconds of a recording, mono, 44.1 kHz, -20 dB; all if it is shorter.

    Raises AudioError if it cannot be read or is silent there.
    """
    start, n_wanted = excerpt_start(path, excerpt_s), round(excerpt_s * SR)
    at, parts = 0, []
    for block in audio.blocks(path):
        part = block[0, max(0, start - at) : max(0, start + n_wanted - at)]
        parts.append(part)
        at += block.shape[1]
        if at >= start + n_wanted:
            break
    wave = np.concatenate(parts)
    if not len(wave):  # the header promised more than there is
        wave = audio.read(path)[0][-n_wanted:]
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
    start_s = excerpt_start(item.path, excerpt_s) / SR
    beat_s = 60 / record["beats_per_minute"]
    played = [
        (note.start, note.length, note.pitch)
        for track in song.tracks
        if not track.is_drums
        for note in track.notes
    ]
    return Truth(*(_cut(notes, beat_s, start_s, excerpt_s) for notes in (record["melody"], played)))


def _cut(
    notes: Sequence[tuple[float, float, int]], beat_s: float, start_s: float, excerpt_s: float
) -> Notes:
    """Notes (start, length in quarter notes, pitch) that begin in an excerpt, in its seconds."""
    rows = np.array(sorted(notes), np.float64).reshape(-1, 3)
    onsets = rows[:, 0] * beat_s - start_s
    inside = (onsets >= 0) & (onsets < excerpt_s)
    intervals = np.stack([onsets, onsets + rows[:, 1] * beat_s], axis=1)[inside]
    return Notes(intervals, rows[inside, 2])
