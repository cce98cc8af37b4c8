"""Two instruments as styles of your own, as an example:

    python recipes/two_instruments.py MIDI_FOLDER OUT [N_PIECES]

The same notes by two instruments each, a church organ and a steel guitar: OUT/organ/*.flac and
OUT/guitar/*.flac, for `thirdstream prepare --paired`. Any MIDI files will do, such as those that
`thirdstream arrange` writes beside its recordings.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from thirdstream import audio
from thirdstream.audio import SR, level_of
from thirdstream.files import make_folder
from thirdstream.notes.io.midi import read_midi
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.types import Song

PROGRAMS = {"organ": 19, "guitar": 25}  # General MIDI, counted from 0
MAX_S = 60.0  # of each piece


def played(song: Song, program: int) -> audio.Wave:
    """The notes that have a pitch, all by one instrument: (1, n_samples), -20 dB."""
    tracks = tuple(replace(one, program=program) for one in song.tracks if not one.is_drums)
    ends = [note.end for track in tracks for note in track.notes]
    seconds = min(MAX_S, 60 / song.beats_per_minute * float(max(ends)))
    wave = play(replace(song, tracks=tracks), ORCHESTRA, math.ceil(seconds * SR))
    wave = wave.mean(axis=0, keepdims=True)
    return np.clip(wave * level_of([wave]).gain, -1, 1)


def main(midi_folder: str, out: str, n_pieces: str = "24") -> None:
    files = sorted(Path(midi_folder).rglob("*.mid"))[: int(n_pieces)]
    for style in PROGRAMS:
        make_folder(Path(out) / style)
    for path in tqdm(files, unit="piece"):
        song = read_midi(path)
        for style, program in PROGRAMS.items():
            where = Path(out) / style / f"{path.stem}.flac"
            audio.write(where, [played(song, program)], sr=SR, n_channels=1)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
