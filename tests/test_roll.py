"""The picture of a transcription."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from thirdstream.notes.key import C_MAJOR, Key
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.sheets import draw_roll
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Chord, Note, Score


def drawn(
    chords: list[Chord],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    key: Key = C_MAJOR,
    duration_s: float = 45,
) -> list[list[tuple[str, Any, Any]]]:
    """Of each row of the picture the chords' names, with their places and the row's, in pixels."""
    found: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *of, **how: found.append(figure))
    melody = tuple(Note(float(beat), 1.0, 60 + beat % 7) for beat in range(int(2 * duration_s)))
    score = Score("song", melody, tuple(chords), beats_per_minute=120.0)
    timing = Timing(tuple(np.arange(0, duration_s + 1, 0.5).tolist()))
    draw_roll(folder / "song.png", Transcription(score, timing, melody, key, duration_s))
    canvas = FigureCanvasAgg(found[0])
    canvas.draw()
    renderer = canvas.get_renderer()
    return [
        [(text.get_text(), text.get_window_extent(renderer), axes.bbox) for text in axes.texts]
        for axes in found[0].axes
        if axes.texts
    ]


@pytest.mark.parametrize("step", [0.25, 0.5, 1.0, 1.25])
def test_no_name_of_a_chord_touches_another_or_the_edge(
    step: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chords = [
        Chord(k * step, step, (5 * k) % 12, (0, 3, 6, 10), (5 * k + 6) % 12)
        for k in range(int(89 / step))
    ]
    rows = drawn(chords, monkeypatch, tmp_path)
    assert len(rows) == 3
    for row in rows:
        assert len(row) >= 10
        for number, (_, place, axes) in enumerate(row):
            assert axes.x0 - 1 < place.x0 and place.x1 < axes.x1 + 1
            assert axes.y0 < place.y0 and place.y1 < axes.y1
            assert not any(place.overlaps(other) for _, other, _ in row[number + 1 :])


def test_names_that_have_room_are_all_there_from_where_the_chords_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two in two bars, the second of them just before the next ones."""
    chords = [Chord(8.0 * k, 7.0, 0, (0, 4, 7, 11), 0) for k in range(10)]
    chords += [Chord(8.0 * k + 7.0, 1.0, 7, (0, 4, 7, 10), 0) for k in range(10)]
    rows = drawn(sorted(chords), monkeypatch, tmp_path, duration_s=40)
    for row in rows:
        assert [text for text, _, _ in row] == ["Cmaj7", "G7/C"] * 5
        (_, first, axes) = row[0]
        per_s = (axes.x1 - axes.x0) / 20
        for number, (_, place, _) in enumerate(row[:-1]):  # the last one keeps off the edge
            at_s = 4.0 * (number // 2) + 3.5 * (number % 2)
            assert place.x0 - first.x0 == pytest.approx(at_s * per_s, abs=3)


def test_accidentals_are_signs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chords = [Chord(0.0, 8.0, 10, (0, 3, 6, 10), 4), Chord(8.0, 80.0, 6, (0, 4, 7), 6)]
    first, *_ = drawn(chords, monkeypatch, tmp_path, Key(10, False))
    assert [text for text, _, _ in first] == ["B♭m7♭5/E", "G♭"]
