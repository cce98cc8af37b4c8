"""A transcription as files: MIDI, a lead sheet, a piano roll, and JSON.

NAME.mid has every note, as played, over the tempo map; it begins when the recording does, so its
first bar may be a short one. NAME.musicxml is melody and chord symbols, NAME.pdf the same on paper.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from thirdstream.files import ThirdstreamError, whole_file, write_json
from thirdstream.notes.io.engraving import can_engrave, engrave
from thirdstream.notes.io.lead_sheet import symbol, without_controls, write_lead_sheet
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.sections import sections_of
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Note, Song, Track

ENDINGS = (".mid", ".musicxml", ".png", ".json")
TRUSTED, STRIP, SHADES = ("beats", "chords", "melody"), 7.5, "viridis"  # strips, semitones high
ROW_S, MAX_ROWS = 20.0, 40  # seconds a row of the piano roll has at least; rows it has at most


def write_sheets(found: Transcription, out: Path, name: str, *, force: bool = False) -> list[Path]:
    """Write NAME.mid, .musicxml, .png and .json into the folder `out`, and .pdf with the extra
    `pdf`: all, whole, or none.

    Raises ThirdstreamError without the extra `scores`, or where one exists without `force`.
    """
    endings = (*ENDINGS, ".pdf") if can_engrave() else ENDINGS
    paths = [out / f"{name}{ending}" for ending in endings]
    for path in paths:
        if path.exists() and not force:
            raise ThirdstreamError(f"{path}: exists already; add --force to replace it")
    score = found.score
    tempo = score.beats_per_minute or 120.0
    sections = sections_of(score)
    song = Song((Track("transcription", 0, found.notes),), tempo, metres=score.metres)
    with ExitStack() as stack:  # what went wrong with one leaves none
        midi, sheet, roll, data, *pdf = (stack.enter_context(whole_file(path)) for path in paths)
        write_midi(midi, song, found.timing)
        first, *changes = found.keys or ((0.0, found.key),)
        write_lead_sheet(
            sheet, score, first[1],
            changes=changes, sections=sections, swung=found.swing != 0.5,
        )  # fmt: skip
        draw_roll(roll, found)
        write_json(data, _data(found, sections))
        for one in pdf:
            engrave(sheet, one, title=without_controls(score.title))
    return paths


def _data(found: Transcription, sections: Mapping[int, str]) -> dict[str, Any]:
    beat, metres = found.timing.beat, found.score.metres
    starts = {metres.line(bar): name for bar, name in sections.items()}
    return {
        "duration_s": found.duration_s,
        "key": found.key.name,
        "keys": [
            {"start_s": round(max(float(found.timing.seconds(start)), 0.0), 3), "key": key.name}
            for start, key in found.keys
        ],
        "tuning_semitones": round(found.tuning, 3),
        "metre": metres.changes[0][1].name,
        "beats_per_bar": round(found.score.beats_per_bar / beat),
        "beats_per_minute": round((found.score.beats_per_minute or 120.0) / beat, 1),
        "quarters_per_beat": beat,
        "pickup": round(found.score.pickup, 4),
        "swing": round(found.swing, 3),
        "sections": [
            {"name": name, "start": at, "start_s": round(float(found.timing.seconds(at)), 4)}
            for at, name in starts.items()
        ],
        "beats_s": [round(beat, 4) for beat in found.timing.beats_s],
        "chords": [asdict(c) | {"symbol": symbol(c, found.key)} for c in found.score.chords],
        "melody": [asdict(note) for note in found.score.melody],
        "confidence": [
            {name: round(value, 3) for name, value in asdict(bar).items()}
            for bar in found.confidence
        ],
    }


def draw_roll(path: Path, found: Transcription) -> None:
    """Draw all notes over time, the melody in colour, with bar lines, beats and chord symbols, and
    below them how far the beats, chords and melody of each bar may be trusted."""
    n_rows = min(MAX_ROWS, max(1, int(np.ceil(found.duration_s / ROW_S))))
    row_s = max(found.duration_s / n_rows, 1e-3)
    figure = Figure(figsize=(12, 2.2 * n_rows + 0.6), layout="constrained")
    rows = figure.subplots(n_rows, 1, squeeze=False, sharey=True)[:, 0]
    for number, axes in enumerate(rows):
        _draw_row(axes, found, number * row_s, (number + 1) * row_s)
    rows[-1].set_xlabel("time (s)")
    shades = ScalarMappable(Normalize(0, 1), SHADES)
    shades.set_array([])
    figure.colorbar(shades, ax=list(rows), label="confidence", fraction=0.02, pad=0.01)
    figure.suptitle(without_controls(found.score.title), parse_math=False)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _draw_row(axes: Axes, found: Transcription, start_s: float, end_s: float) -> None:
    for number, beat_s in enumerate(found.timing.beats_s):
        if start_s <= beat_s <= end_s:
            is_line = found.score.metres.within(number * found.timing.beat) == 0
            axes.axvline(beat_s, color="0.5" if is_line else "0.9", lw=0.8, zorder=0)
    layers: tuple[tuple[Sequence[Note], str], ...] = (
        (found.notes, "0.65"),
        (found.score.melody, "#c2571a"),
    )
    for notes, colour in layers:
        spans = found.timing.seconds(np.array([[n.start, n.end] for n in notes]).reshape(-1, 2))
        inside = (spans[:, 1] > start_s) & (spans[:, 0] < end_s)
        pitches = np.array([n.pitch for n in notes])[inside]
        axes.hlines(pitches, *spans[inside].T, color=colour, lw=3)
    low, high = (f(n.pitch for n in found.notes) for f in (min, max))
    _draw_confidence(axes, found, top=low - 1.5, start_s=start_s)
    axes.set(xlim=(start_s, end_s), ylim=(low - 3 - STRIP, high + 8), ylabel="MIDI pitch")
    for chord in found.score.chords:
        at = float(found.timing.seconds(chord.start))
        if start_s <= at < end_s:
            text = symbol(chord, found.key)
            axes.text(at, high + 3, text, fontsize=8, clip_on=True)


def _draw_confidence(axes: Axes, found: Transcription, *, top: float, start_s: float) -> None:
    """Three strips, each bar in its shade; top: MIDI pitch below which they lie."""
    bars = found.confidence
    if not bars:
        return
    end_s = float(found.timing.seconds(found.timing.beat * (len(found.timing.beats_s) - 1)))
    edges_s = [*(bar.start_s for bar in bars), end_s]
    shades = np.array([[getattr(bar, name) for bar in bars] for name in TRUSTED])
    heights = top - STRIP / len(TRUSTED) * np.arange(len(TRUSTED) + 1)
    axes.pcolormesh(edges_s, heights, shades, cmap=SHADES, vmin=0, vmax=1, zorder=1)
    for name, above, below in zip(TRUSTED, heights, heights[1:], strict=False):
        middle = (above + below) / 2
        axes.annotate(name, (start_s, middle), (2, 0), textcoords="offset points", va="center",
                      fontsize=5, bbox={"color": "white", "alpha": 0.7, "pad": 0.5})  # fmt: skip
