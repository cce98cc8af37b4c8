"""How far the bars of commands go: within a file, and no further than a failure."""

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from rich.console import Console
from rich.progress import Progress

from conftest import music
from thirdstream.audio import SR
from thirdstream.cli import console, main, scores, styles, transfer
from thirdstream.cli.console import FilesBar
from thirdstream.files import ThirdstreamError

ERASED = "\x1b[2K"  # a terminal's line


def run(arguments: list[str]) -> int:
    """The exit code of a command."""
    try:
        main.main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


class Watched(Progress):
    """A bar that is drawn nowhere, and remembers how far it was."""

    def __init__(self) -> None:
        super().__init__(console=Console(file=io.StringIO()))
        self.places: list[float] = []

    def update(self, *of: object, **how: object) -> None:
        super().update(*of, **how)  # type: ignore[arg-type]
        self.places.append(self.tasks[0].completed)


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Watched]]:
    made: list[Watched] = []

    def progress_bar() -> Watched:
        made.append(Watched())
        return made[-1]

    for command in (scores, styles, transfer):
        monkeypatch.setattr(command, "progress_bar", progress_bar)
    yield made


def test_a_bar_goes_on_within_a_file_and_does_not_count_one_that_fails() -> None:
    bar = Watched()
    files, names = FilesBar(bar, "doing", 3), [Path(f"{k}.wav") for k in range(3)]
    files.show(names[0], 0.25)
    files.done(names[0])
    files.show(names[1], 0.5, "writing")  # and fails
    assert bar.tasks[0].description == "1.wav 50%, writing"
    files.show(names[2], 0.75)
    files.done(names[2])
    assert bar.places == [0.25, 1.0, 1.5, 1.75, 2.0]
    assert not bar.finished


@pytest.mark.parametrize(
    ("done", "fault", "stays"),
    [
        (1, None, True),
        (0.4, None, False),
        (1, ThirdstreamError, False),
        (1, KeyboardInterrupt, True),
    ],
)
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_does_not_stay_above_a_fault(
    monkeypatch: pytest.MonkeyPatch,
    done: float,
    fault: type[BaseException] | None,
    stays: bool,
    is_terminal: bool,
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(console, "TALK", Console(file=written, force_terminal=is_terminal))
    with suppress(ThirdstreamError, KeyboardInterrupt), console.progress_bar() as bar:
        bar.add_task("doing", total=2, completed=done)  # type: ignore[arg-type]
        if fault is not None:
            raise fault
    shown = written.getvalue().rpartition(ERASED)[2] if is_terminal else written.getvalue()
    assert ("doing" in shown) is stays
    assert stays or is_terminal or not shown  # not an empty line either


def test_the_bar_of_learning_counts_what_is_left_out(bars: list[Watched], tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "music" / name).write_text("no sound")
    assert run(["learn-style", str(tmp_path / "music"), "--out", str(tmp_path / "x.style")]) == 1
    (bar,) = bars
    assert bar.tasks[0].completed == bar.tasks[0].total == 2
    assert bar.tasks[0].description == "b.wav left out"


@pytest.mark.parametrize(
    "command", [["listen"], ["transfer", "--to", "jazz", "--model", "twin-cnn"]]
)
def test_a_run_that_fails_has_no_full_bar(
    command: list[str], bars: list[Watched], tmp_path: Path
) -> None:
    song = tmp_path / "song.wav"
    sf.write(song, music(0, SR), SR)
    whole = song.read_bytes()
    song.write_bytes(whole[: len(whole) // 2])
    assert run([*command, str(song), "--out", str(tmp_path / "out")]) == 1
    (bar,) = bars
    assert bar.tasks[0].total == 1 and bar.tasks[0].completed < 1


def test_the_bar_of_one_long_recording_moves(bars: list[Watched], tmp_path: Path) -> None:
    """Of eighteen seconds, six at a time."""
    beats = np.arange(0, 18, 0.5)
    t = np.arange(18 * SR) / SR
    wave = sum(np.where(t >= at, np.sin(2 * np.pi * 440 * t) * np.exp(-6 * (t - at)), 0)
               for at in beats)  # fmt: skip
    sf.write(tmp_path / "song.wav", 0.2 * wave, SR)
    assert run(["listen", str(tmp_path / "song.wav"), "--out", str(tmp_path / "out")]) == 0
    (bar,) = bars
    inside = {place for place in bar.places if 0 < place < 1}
    assert len(inside) >= 4 and bar.places == sorted(bar.places) and bar.places[-1] == 1
