"""Solo lines, with their beats: python recipes/solos.py PAIRS OUT

    needs, from Debian: fluidsynth, fluid-soundfont-gm, musescore-general-soundfont-small

PAIRS: folder of `recipes/versions.py`. Of each of its pieces, OUT/classical/NAME.flac, played by
one instrument, and OUT/records/NAME.json as PAIRS has them: the melody alone, the melody over the
bass of each chord, or its chords as a running line, in a metre and at a pace that are drawn.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import tyro

from metre_pieces import MAJOR, pick  # a script beside this one
from rendered_corpus import MAX_S, Arrangement, Event, render  # a script beside this one
from thirdstream.notes.arranging.lines import folded

# General MIDI's programs of solo instruments, and their lowest and highest pitches
INSTRUMENTS = (
    *[(40, 55, 91)] * 4, (41, 48, 84), *[(42, 36, 72)] * 2, (73, 60, 96), (68, 58, 91),
    (71, 50, 88), (24, 40, 79), (0, 40, 86), (6, 36, 84), (74, 65, 96), (52, 48, 76), (56, 55, 82),
    (65, 50, 80),
)  # fmt: skip
KINDS = {"line": 0.25, "over a bass": 0.15, "running": 0.6}
NOTES_A_BEAT = {1: 0.05, 2: 0.4, 3: 0.25, 4: 0.3}  # of a running line
NOTES_A_SECOND = (2.5, 8.0)
METRES = {3: 0.5, 4: 0.35, 2: 0.05, 5: 0.05, 7: 0.05}
ACCENT = 18  # velocity: the most that a bar line is louder by
Chord = tuple[float, float, int, list[int], int]


def running(
    chords: list[Chord], metre: int, n_a_beat: int, lowest: int, highest: int, rng: random.Random
) -> Iterator[tuple[float, float, int]]:
    """Start, length and pitch of each note of a line: bar by bar through a chord's notes or through
    a scale, often from a low note at the bar line, now and then with a long note there."""
    at, way = (lowest + highest) // 2, 1
    for bar, (_, _, root, intervals, bass) in enumerate(chords):
        steps = MAJOR if rng.random() < 0.35 else intervals
        ladder = [
            p for p in range(lowest, highest + 1) if (p - root) % 12 in {s % 12 for s in steps}
        ]
        place = min(range(len(ladder)), key=lambda k: abs(ladder[k] - at))
        if rng.random() < 0.45:
            low = [k for k, p in enumerate(ladder) if p % 12 in (bass, root)][:2]
            place = rng.choice(low or [0])
        first = rng.choice((n_a_beat, 2 * n_a_beat)) if rng.random() < 0.08 else 1
        number = 0
        while number < metre * n_a_beat:
            n = first if number == 0 else 1
            yield bar * metre + number / n_a_beat, n / n_a_beat, ladder[place]
            number += n
            if rng.random() < 0.25 or not 0 <= place + way < len(ladder):
                way = -way
            place = min(max(place + way * rng.choice((1, 1, 1, 2)), 0), len(ladder) - 1)
        at = ladder[place]


def solo(record: dict[str, Any], rng: random.Random) -> tuple[dict[str, Any], Arrangement]:
    """A record of a solo on a piece, and what is played."""
    program, lowest, highest = rng.choice(INSTRUMENTS)
    kind, metre, tempo = (
        pick(rng, KINDS),
        round(record["beats_per_bar"]),
        record["beats_per_minute"],
    )
    if kind == "running":
        n_a_beat, metre = pick(rng, NOTES_A_BEAT), pick(rng, METRES)
        tempo = 60 * rng.uniform(*NOTES_A_SECOND) / n_a_beat
        tempo = min(max(tempo, 45), 180)
        notes = list(running(record["chords"], metre, n_a_beat, lowest, highest, rng))
        end = len(record["chords"]) * metre
    else:
        tempo *= rng.uniform(0.6, 1.2)
        notes = [
            (start, length, folded(p, lowest, highest)) for start, length, p in record["melody"]
        ]
        end = record["n_bars"] * metre
        if kind == "over a bass":
            for start, length, _, _, bass in record["chords"]:
                low = folded(bass, lowest, lowest + 11)
                notes.append((start, min(length, rng.choice((1, 2, metre))), low))
    accent, loud = rng.uniform(0, ACCENT), rng.uniform(60, 95)
    share = rng.uniform(0.7, 1.0)  # of its length that a note sounds
    events = [
        Event(start, share * length, pitch,
              round(loud + rng.gauss(0, 5) + accent * (start % metre < 1e-6)), 0)
        for start, length, pitch in notes
    ]  # fmt: skip
    bar_s = metre * 60 / tempo
    n_bars = int(min(end * 60 / tempo, MAX_S) / bar_s)
    made = record | {"beats_per_bar": metre, "beats_per_minute": tempo, "bar_s": bar_s,
                     "n_bars": n_bars, "solo": kind, "format": "flac"}  # fmt: skip
    return made, Arrangement(events, {0: program}, tempo)


def make(path: Path, out: Path) -> None:
    record = json.loads(path.read_text())
    rng = random.Random(f"solo {path.stem}")
    made, arrangement = solo(record, rng)
    target = out / "classical" / f"{path.stem}.flac"
    if not target.exists():
        render(arrangement, target, rng)
    (out / "records" / path.name).write_text(json.dumps(made))


def main(pairs: str, out: str) -> None:
    for name in ("classical", "records"):
        (Path(out) / name).mkdir(parents=True, exist_ok=True)
    paths = sorted((Path(pairs) / "records").glob("*.json"))
    joblib.Parallel(n_jobs=-1, verbose=1)(joblib.delayed(make)(path, Path(out)) for path in paths)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
