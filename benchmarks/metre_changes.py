"""How well a change of metre is found: two scores' beginnings, played one after the other.

    python benchmarks/metre_changes.py SCORES [--split test] [--n 20]

SCORES: lead sheets of the benchmark. Each piece has 16 bars in 4 and 16 in 3, in either order, or
16 in 4, 3 and 4, at one tempo, in one style, played by the bundled instruments; others stay in one
metre. A change is found where it is at the very bar line (70 ms).
"""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import mir_eval
import numpy as np
import tyro

from tables import show
from thirdstream.audio import SR, Wave, level_of
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import STYLES, arrange, draw_setting
from thirdstream.notes.io.score import read_score
from thirdstream.notes.rendering import ORCHESTRA, draw_scene, stream
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.transcribe import transcribe
from thirdstream.notes.types import Note, Score, Song, Track

PLANS = ((4, 3), (3, 4), (4, 3, 4), (4,), (3,))  # quarter notes of bars
N_BARS, N_STEADY = 16, 40
TEMPI = {"classical": (85.0, 150.0), "jazz": (95.0, 190.0)}
NEAR_S = 0.07


@dataclass(frozen=True)
class Piece:
    """A recording (1, n_samples); the bar lines, and where the metre changes, in seconds."""

    wave: Wave
    lines_s: np.ndarray
    changes_s: list[float]


def drawn(scores: dict[int, list[Score]], plan: Sequence[int], style: str, seed: str) -> Piece:
    """scores: by the quarter notes of their bars."""
    rng = random.Random(seed)
    tempo, chosen = rng.uniform(*TEMPI[style]), {m: rng.choice(scores[m]) for m in (4, 3)}
    ensemble = draw_setting(chosen[4], seed=seed).ensemble
    parts: dict[tuple[str, int, bool], list[Note]] = {}
    at, lines, changes = 0.0, list[float](), list[float]()
    for metre in plan:
        score = chosen[metre]
        setting = draw_setting(score, seed=seed)
        setting = replace(setting, ensemble=ensemble, beats_per_minute=tempo)
        n_bars = min(N_BARS if len(plan) > 1 else N_STEADY, score.n_bars)
        for track in arrange(score, style, setting).song.tracks:
            inside = (note for note in track.notes if note.start < n_bars * metre - 0.01)
            parts.setdefault((track.name, track.program, track.is_drums), []).extend(
                replace(note, start=note.start + at) for note in inside
            )
        changes.append(at)
        lines += [at + metre * bar for bar in range(n_bars)]
        at += n_bars * metre
    tracks = tuple(Track(*who[:2], tuple(sorted(notes)), who[2]) for who, notes in parts.items())
    wave, beat_s = played(Song(tracks, tempo), style, seed, n_beats=at), 60 / tempo
    return Piece(wave, beat_s * np.array(lines), [beat_s * one for one in changes[1:]])


def played(song: Song, style: str, seed: str, *, n_beats: float) -> Wave:
    beat_s = 60 / song.beats_per_minute
    timing = Timing(tuple((beat_s * np.arange(int(n_beats) + 2)).tolist()))
    n_samples = round((n_beats * beat_s + 1) * SR)
    scene = draw_scene(style, seed=seed)
    blocks = stream(song, timing, ORCHESTRA, scene, n_samples=n_samples, n_channels=1)
    wave = np.concatenate(list(blocks), axis=1)
    return (wave * level_of([wave]).gain).astype(np.float32)


def measured(piece: Piece) -> tuple[float, float, bool]:
    """F of bar lines; share of changes that are found; whether just these are."""
    found = transcribe([piece.wave])
    lines_s = found.lines_s[found.lines_s < found.duration_s]
    ours = found.timing.seconds([start for start, _ in found.score.metres.changes[1:]])
    hits = [any(abs(one - ours) < NEAR_S) for one in piece.changes_s]
    f = mir_eval.beat.f_measure(*(x[x > 0.1] for x in (piece.lines_s, lines_s)))
    return f, float(np.mean(hits)) if hits else 1.0, all(hits) and len(ours) == len(hits)


def main(scores: tyro.conf.Positional[Path], *, split: str = "test", n: int = 20) -> None:
    """scores: a folder. n: how many of each of PLANS."""
    listed = csv.DictReader((files("thirdstream") / "data" / "benchmark.csv").open())
    names = [row["name"] for row in listed if row["split"] == split]
    every = [read_score(path) for name in names if (path := scores / f"{name}.mxl").is_file()]
    by_metre = {
        m: [s for s in every if len(s.metres.changes) == 1 and s.beats_per_bar == m] for m in (4, 3)
    }
    if not all(by_metre.values()):
        raise ThirdstreamError(f"{scores}: holds no scores in 3 and in 4 of the split {split}")
    headings = ["metres", "n", "bar lines, F", "changes found", "all found, none made up"]
    rows = (row(by_metre, plan, split=split, n=n) for plan in PLANS)
    show(f"Changes of metre, split {split}", headings, list(rows))


def row(scores: dict[int, list[Score]], plan: Sequence[int], *, split: str, n: int) -> list[str]:
    seeds = [(STYLES[k % 2], f"{split} {plan} {k}") for k in range(n)]
    found = np.array([measured(drawn(scores, plan, style, seed)) for style, seed in seeds], float)
    name = ", ".join(f"{metre}/4" for metre in plan)
    return [name, str(n), *(f"{mean:.2f}" for mean in found.mean(axis=0))]


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
