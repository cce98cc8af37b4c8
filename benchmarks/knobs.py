"""What the score system's knobs do to the notes: shares kept, and how far they are moved.

usage: knobs.py SCORE...  Each score is arranged in one style, as if that had been recorded and
heard without a fault (each note up to 0.04 quarter notes off), and covered in the other.
"""

import random
from dataclasses import replace
from pathlib import Path

import tyro

from tables import show
from thirdstream.notes.arranging import STYLES, arrange, draw_setting
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.coverage import content_coverage, mean_displacement
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.io.score import read_score

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def heard(path: Path, style: str) -> Piece:
    """A score as a recording in a style would be heard."""
    score, rng = read_score(path), random.Random(path.name)
    setting = replace(draw_setting(score, seed="0"), semitones=0)
    song = arrange(score, style, setting).song
    notes = (note for track in song.tracks if not track.is_drums for note in track.notes)
    played = sorted(replace(n, start=max(n.start + rng.uniform(-0.04, 0.04), 0.0)) for n in notes)
    return Piece(replace(score, voices=()), tuple(played), setting.beats_per_minute)


def rows_of(path: Path, source: str, target: str) -> list[list[str]]:
    """The two curves of one piece."""
    piece, curves = heard(path, source), []
    for knob, measure in (
        ("keep_content", content_coverage),
        ("style_strength", mean_displacement),
    ):
        values = []
        for share in SHARES:
            song = cover(piece, replace(ArrangementOptions(target), **{knob: share})).song
            played = [note for track in song.tracks if not track.is_drums for note in track.notes]
            values.append(f"{measure(piece.notes, played):.3f}")
        curves.append([path.stem, f"{source} to {target}", knob, measure.__name__, *values])
    return curves


def main(*scores: Path) -> None:
    rows = []
    for path in scores:
        rows += rows_of(path, *STYLES) + rows_of(path, *reversed(STYLES))
    show(
        "Share of the recording's notes kept, and their displacement in quarter notes, by knob",
        ["piece", "direction", "knob", "measure", *map(str, SHARES)],
        rows,
    )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
