"""The picture of a transcription."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import ImageDraw

from thirdstream.notes.key import C_MAJOR, Key
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.roll import HIGH, LEFT, RIGHT, draw_roll
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Chord, Note, Score


class Name(NamedTuple):
    """A chord's name in a row of the picture, and where it is there, in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: "Name") -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


def drawn(
    chords: list[Chord],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    key: Key = C_MAJOR,
    duration_s: float = 45,
) -> list[list[Name]]:
    """Of each row of the picture the chords' names."""
    rows: dict[int, tuple[ImageDraw.ImageDraw, list[Name]]] = {}
    write = ImageDraw.ImageDraw.text

    def noted(pen: Any, at: Any, text: str, fill: Any, font: Any, anchor: str = "la") -> None:
        write(pen, at, text, fill, font, anchor=anchor)
        if anchor == "ls":
            left, top, right, bottom = font.getbbox(text, anchor=anchor)
            place = (at[0] + left, at[1] + top, at[0] + right, at[1] + bottom)
            rows.setdefault(id(pen), (pen, []))[1].append(Name(text, *place))

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    melody = tuple(Note(float(beat), 1.0, 60 + beat % 7) for beat in range(int(2 * duration_s)))
    score = Score("song", melody, tuple(chords), beats_per_minute=120.0)
    timing = Timing(tuple(np.arange(0, duration_s + 1, 0.5).tolist()))
    draw_roll(folder / "song.png", Transcription(score, timing, melody, key, duration_s))
    return [names for _, names in rows.values()]


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
        for number, one in enumerate(row):
            assert one.left >= -1
            assert one.right <= RIGHT - LEFT + 1
            assert one.top >= 0
            assert one.bottom <= HIGH
            assert not any(one.touches(other) for other in row[number + 1 :])


def test_names_that_have_room_are_all_there_from_where_the_chords_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two in two bars, the second of them just before the next ones."""
    chords = [Chord(8.0 * k, 7.0, 0, (0, 4, 7, 11), 0) for k in range(10)]
    chords += [Chord(8.0 * k + 7.0, 1.0, 7, (0, 4, 7, 10), 0) for k in range(10)]
    rows = drawn(sorted(chords), monkeypatch, tmp_path, duration_s=40)
    for row in rows:
        assert [one.text for one in row] == ["Cmaj7", "G7/C"] * 5
        per_s = (RIGHT - LEFT) / 20
        for number, one in enumerate(row[:-1]):  # the last one keeps off the edge
            at_s = 4.0 * (number // 2) + 3.5 * (number % 2)
            assert one.left - row[0].left == pytest.approx(at_s * per_s, abs=3)


def test_accidentals_are_signs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chords = [Chord(0.0, 8.0, 10, (0, 3, 6, 10), 4), Chord(8.0, 80.0, 6, (0, 4, 7), 6)]
    first, *_ = drawn(chords, monkeypatch, tmp_path, Key(10, False))
    assert [one.text for one in first] == ["B♭m7♭5/E", "G♭"]
