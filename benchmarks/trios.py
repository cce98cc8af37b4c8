"""Whether covers of recordings sound like players: against 1,294 real piano trios.

    python benchmarks/trios.py BENCH/validation jazz_trio_database.csv [--annotations FOLDER]

The first 6 (`--n`) classical recordings of a split are covered in jazz, and as many jazz ones in
classical, whole, with the default options and with the style alone. Of the covers' notes: swing by
tempo, asynchrony, how many bars of a chorus of 32 have a rhythm of their own, and the spread of
velocities. The CSV has a trio a line (Jazz Trio Database, Cheston et al. 2024, MIT). With FOLDER,
its `references/manual_annotation`, bars of real bassists are counted as ours are.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from thirdstream.notes.arranging.pulse import Pulse
from thirdstream.notes.metre import Metres
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.styles import jazz_style
from thirdstream.notes.system import arranged
from thirdstream.notes.transcription.transcribe import Transcription, transcribe_file
from thirdstream.notes.types import Note, Song, Track

Array = NDArray[np.float64]
CHORUS = 32  # bars
NEAR = 100  # trios that are nearest in tempo
ON, OFF = 0.12, (0.2, 0.82)  # beats: how far from a beat an onset is on it; where an upbeat lies
RATIOS = (-2.0, 2.0)  # log2 of the beat-upbeat ratios that count, as in the database
LATE, EARLY = 0.25, 0.125  # beats around a beat in which an onset is asynchronous, as there
SETTINGS = {"default": {}, "style alone": {"style_strength": 1.0, "keep_content": 0.3}}


@dataclass(frozen=True)
class Measured:
    """A cover in numbers. swing: of the soloist and of those who accompany, log2. distinct: shares
    of bars, by part. spread: standard deviations of velocities, by part. late: of who plays chords
    against bass and drums, shares of a bar."""

    name: str
    tempo: float
    swing: dict[str, float]
    distinct: dict[str, float]
    spread: dict[str, float]
    late: dict[str, float]


def swing_of(places: Array) -> float:
    """Mean log2 of the first over the second part of beats that one onset divides in two; onsets
    in beats."""
    found = []
    for beat in range(int(places.max(initial=0)) + 1):
        inside = places[(places > beat - ON) & (places < beat + 1 + ON)]
        if len(inside) == 3 and inside[0] < beat + ON and inside[2] > beat + 1 - ON:
            ratio = np.log2((inside[1] - inside[0]) / (inside[2] - inside[1]))
            if RATIOS[0] < ratio < RATIOS[1]:
                found.append(ratio)
    return float(np.mean(found)) if len(found) >= 8 else float("nan")


def strokes(places: Iterable[float]) -> Array:
    """Onsets in order, those at the same time as one."""
    ordered = np.sort(np.array(list(places)))
    return ordered[np.append([True], np.diff(ordered) > 0.06)] if len(ordered) else ordered


def slot(place: float) -> float:
    """A place in the beat as bars are compared: on it, or on the upbeat."""
    whole, part = divmod(place, 1.0)
    return whole + (0.0 if part < OFF[0] else 0.5 if part < OFF[1] else 1.0)


def rhythms(places: Array, bars: Sequence[tuple[int, int]]) -> list[tuple[float, ...]]:
    """The slots of each bar (first beat, beats) that an onset fills."""
    found: dict[int, set[float]] = {number: set() for number in range(len(bars))}
    starts = np.array([start for start, _ in bars])
    for place in places:
        at = slot(float(place))
        number = int(np.searchsorted(starts, at, side="right")) - 1
        if number >= 0:
            found[number].add(at - bars[number][0])
    return [tuple(sorted(found[number])) for number in range(len(bars))]


def distinct(bars: Sequence[Any]) -> float:
    """The share of different bars in a chorus; the median of all choruses that begin at an eighth
    bar."""
    firsts = range(0, max(len(bars) - CHORUS, 0) + 1, 8)
    choruses = [bars[first : first + CHORUS] for first in firsts]
    return float(np.median([len(set(chorus)) / len(chorus) for chorus in choruses]))


def lateness(one: Array, other: Array, beats_per_bar: int) -> float:
    """How much later one part plays the beats than another, on average, as a share of a bar."""

    def around(places: Array) -> Array:
        beats = np.arange(int(max(places.max(initial=0), 1)) + 1)
        nearest = places[np.abs(places[:, None] - beats).argmin(axis=0)] - beats
        return np.where((nearest > -EARLY) & (nearest < LATE), nearest, np.nan)

    if not len(one) or not len(other):
        return float("nan")
    first, second = around(one), around(other)
    n = min(len(first), len(second))
    return float(np.nanmean(first[:n]) - np.nanmean(second[:n])) / beats_per_bar


def roles(song: Song) -> dict[str, Track]:
    """A jazz group's parts by what they do: who has the melody comes first, who comps does not."""
    comping = {i.name for groove in jazz_style().grooves.values()
               for i in groove.comping.instruments}  # fmt: skip
    found = {"melody": song.tracks[0]}
    for track in song.tracks:
        if track.is_drums:
            found["drums"] = track
        elif track.name == "double bass":
            found["bass"] = track
        elif track.name in comping:
            found["comping"] = track
    return {role: track for role, track in found.items() if track.notes}


def measured(name: str, song: Song, pulse: Pulse) -> Measured:
    """Of a cover in jazz."""
    parts = roles(song)
    places = {
        role: strokes(pulse.linear([note.start for note in track.notes]))
        for role, track in parts.items()
    }
    bars = pulse.spans
    rhythm = {role: rhythms(places[role], bars) for role in ("bass", "comping") if role in places}
    if len(rhythm) == 2:
        rhythm["both"] = list(zip(rhythm["bass"], rhythm["comping"], strict=True))
    n = bars[0][1]
    return Measured(
        name,
        song.beats_per_minute / pulse.length,
        {role: swing_of(places[role]) for role in places},
        {role: distinct(found) for role, found in rhythm.items()},
        spread(song),
        {role: lateness(places["comping"], places[role], n)
         for role in ("bass", "drums") if "comping" in places and role in places},
    )  # fmt: skip


def spread(song: Song) -> dict[str, float]:
    """Standard deviation of velocities, by track."""
    return {track.name: float(np.std([note.velocity for note in track.notes]))
            for track in song.tracks if len(track.notes) > 8}  # fmt: skip


def covered(found: Transcription, to: str, setting: str) -> tuple[Song, Pulse]:
    """A cover as `transfer` makes it, and its beats."""
    arrangement, _ = arranged(found, ScoreOptions(to=to, **SETTINGS[setting]))
    song: Song = arrangement.song
    melody = tuple(note for track in song.tracks for note in track.notes)
    return song, Pulse(_score(melody, song.metres))


def _score(notes: Sequence[Note], metres: Metres) -> Any:
    from thirdstream.notes.types import Score

    return Score("", tuple(notes), (), metres)


class Trios:
    """The database: what is usual at a tempo."""

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.tempo, self.swing = self._columns(rows, "tempo_bpm", "swing_log2_bur_mean")
        self.late = {
            part: np.percentile(self._columns(rows, f"{part}_minus_piano_mean")[0], [25, 50, 75])
            for part in ("bass", "drums")
        }

    def _columns(self, rows: Sequence[Mapping[str, str]], *names: str) -> list[Array]:
        full = [row for row in rows if all(row[name] not in ("", "nan") for name in names)]
        return [np.array([float(row[name]) for row in full]) for name in names]

    def quartiles(self, tempo: float) -> Array:
        """Of the swing of the trios nearest in tempo, log2."""
        nearest = np.argsort(np.abs(np.log(self.tempo / tempo)))[:NEAR]
        return np.percentile(self.swing[nearest], [25, 50, 75])


def annotated(folder: Path) -> Array:
    """Shares of different bars of real bassists, by recording."""
    found = []
    for mix in sorted(folder.glob("*_mix.txt")):
        beats = [line.split() for line in mix.read_text(encoding="utf-8").splitlines()]
        numbers = [int(label.rsplit(".", 1)[-1]) for _, label in beats]
        times = np.array([float(at) for at, _ in beats])
        bass = mix.with_name(mix.name.replace("_mix", "_bass"))
        onsets = [float(line.split()[0]) for line in bass.read_text(encoding="utf-8").splitlines()]
        places = strokes(np.interp(onsets, times, np.arange(len(times))))
        firsts = [at for at, number in enumerate(numbers) if number == 1]
        bars = [(first, after - first) for first, after in pairwise(firsts)]
        usual = max(numbers)
        rows = rhythms(places, bars)
        found.append(distinct([row for row, bar in zip(rows, bars, strict=True)
                               if bar[1] == usual]))  # fmt: skip
    return np.array(found)


def show(rows: Sequence[Measured], trios: Trios) -> None:
    """A table of covers in jazz."""
    print("| recording | tempo | swing ratio, melody | comping, drums | trios | bass bars "
          "| comping bars | both | velocity spread | comping after bass, drums |")  # fmt: skip
    print("|---" * 10 + "|")
    for row in rows:
        low, middle, high = 2 ** trios.quartiles(row.tempo)
        swing = {role: f"{2**value:.2f}" for role, value in row.swing.items()}
        cells = [
            row.name, f"{row.tempo:.0f}", swing.get("melody", ""),
            ", ".join(swing.get(role, "") for role in ("comping", "drums")),
            f"{middle:.2f} [{low:.2f}, {high:.2f}]",
            *(f"{row.distinct.get(part, np.nan):.2f}" for part in ("bass", "comping", "both")),
            ", ".join(f"{value:.0f}" for value in row.spread.values()),
            ", ".join(f"{value:.3f}" for value in row.late.values()),
        ]  # fmt: skip
        print("| " + " | ".join(cells) + " |")


def names(folder: Path, style: str, n: int) -> list[Path]:
    return sorted((folder / style).glob("*.flac"))[:n]


def main(
    bench: Annotated[Path, tyro.conf.Positional],
    trios: Annotated[Path, tyro.conf.Positional],
    annotations: Path | None = None,
    n: int = 6,
) -> None:
    """Print tables."""
    real = Trios(trios)
    for part, values in real.late.items():
        print(f"real pianists after the {part}, share of a bar, quartiles: {values}")
    if annotations is not None:
        shares = annotated(annotations)
        print(f"real bassists' bars, n = {len(shares)}: {np.percentile(shares, [25, 50, 75])}")
    heard = {path: transcribe_file(path) for path in names(bench, "classical", n)}
    for setting in SETTINGS:
        print(f"\nto jazz, {setting}\n")
        rows = [measured(path.stem, *covered(one, "jazz", setting)) for path, one in heard.items()]
        show(rows, real)
    heard = {path: transcribe_file(path) for path in names(bench, "jazz", n)}
    for setting in SETTINGS:
        print(f"\nto classical, {setting}\n\n| recording | velocity spread |\n|---|---|")
        for path, one in heard.items():
            song, _ = covered(one, "classical", setting)
            print(f"| {path.stem} | {', '.join(f'{x:.0f}' for x in spread(song).values())} |")


if __name__ == "__main__":
    tyro.cli(main)
