"""The recordings that the paper used: MusicNet's, and the jazz of the Free Music Archive.

Both are read as they are unpacked; any folder of recordings will do as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from thirdstream import audio
from thirdstream.data import preparing
from thirdstream.data.corpus import CorpusError
from thirdstream.data.preparing import Found, folder_at
from thirdstream.report.reproduction import Counts

CLASSICAL, JAZZ = "classical", "jazz"
MUSICNET_RECORDINGS = 330
FMA_GENRE = "Jazz"  # of track.genre_top


# How much music the paper used of each style.
PAPER: Mapping[str, Counts] = MappingProxyType({
    CLASSICAL: Counts(recordings=MUSICNET_RECORDINGS, segments=41_168),
    JAZZ: Counts(recordings=163, segments=15_619),
})  # fmt: skip


class Sources(NamedTuple):
    """Recordings of both styles, and what there is to say about them, in sentences."""

    found: Sequence[Found]
    remarks: Sequence[str]


def find(classical: str, jazz: str) -> Sources:
    """The recordings in two places: a folder, `musicnet:DIR` or `fma:DIR` each.

    Raises CorpusError where one holds none.
    """
    found: list[Found] = []
    remarks: list[str] = []
    for style, where in ((CLASSICAL, classical), (JAZZ, jazz)):
        new = _find_in(where, style)
        found += new.found
        remarks += new.remarks
    return Sources(found, remarks)


def _find_in(where: str, style: str) -> Sources:
    kind, _, name = where.partition(":")
    if kind == "musicnet":
        return musicnet(folder_at(name), style)
    if kind == "fma":
        return fma(folder_at(name), style)
    folder = folder_at(where)
    found = [Found(path, style) for path in audio.find_recordings(folder)]
    if not found:
        raise CorpusError(
            f"{folder}: holds no recordings for {style}; check the folder, or write "
            f"musicnet:{folder} or fma:{folder} for one of these collections"
        )
    return Sources(found, ())


def musicnet(folder: Path, style: str = CLASSICAL) -> Sources:
    """All recordings of MusicNet (Thickstun et al. 2017), train_data's and test_data's.

    folder: holds these, or a folder that does. MusicNet's own test recordings are ten; all are
    split by recording like any others. Raises CorpusError where there are none.
    """
    found = preparing.find_musicnet(folder, style)
    if not found:
        raise CorpusError(f"{folder}: holds no train_data/*.wav; unpack musicnet.tar.gz there")
    remarks = ["MusicNet's recordings are split anew, by recording: its own test part has only ten"]
    if len(found) != MUSICNET_RECORDINGS:
        remarks.append(f"{len(found)} of MusicNet's {MUSICNET_RECORDINGS} recordings are there")
    return Sources([replace(one, split=None) for one in found], remarks)


def fma(folder: Path, style: str = JAZZ) -> Sources:
    """The Free Music Archive's tracks (Defferrard et al. 2017) whose top genre is Jazz.

    folder: holds fma_metadata/tracks.csv and the audio, fma_*/NNN/NNNNNN.mp3, or folders that do.
    FMA's own split, by artist, is kept. Raises CorpusError where there is no table or no audio of
    such a track.
    """
    found, table = preparing.find_fma(folder, style, genre=FMA_GENRE), preparing.fma_table(folder)
    assert table is not None
    n_tracks = sum(genre == FMA_GENRE for _, genre, _ in preparing.fma_tracks(table))
    if not found:
        raise CorpusError(
            f"{folder}: holds the audio of none of the {n_tracks} tracks of jazz in {table}; "
            "unpack fma_full.zip there (fma_small has no jazz, fma_medium and fma_large have the "
            "middle 30 s of each track)"
        )
    remarks = ["FMA's own split, by artist, is kept"]
    if n_tracks > len(found):
        remarks.append(
            f"{n_tracks - len(found)} of the {n_tracks} tracks of jazz in FMA have no audio file"
        )
    return Sources(found, remarks)
