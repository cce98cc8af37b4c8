"""The demo's page: each clip with the original first, what the systems are, and the notes."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from conftest import music
from thirdstream import audio, registry
from thirdstream.audio import SR, Wave
from thirdstream.cli import main
from thirdstream.files import ThirdstreamError
from thirdstream.registry import SYSTEMS
from thirdstream.report import demo
from thirdstream.report.piano_roll import piano_roll
from thirdstream.system import Notes, Options, Sheet, System

NOTES = np.array([[0.0, 1.0, 60], [1.0, 2.0, 64]])


class Music:
    """Two notes."""

    def write(self, recording: Path, result: Path) -> Sheet:
        raise NotImplementedError

    def notes(self) -> dict[str, dict[str, Notes]]:
        return {"Transcription": {"<melody>": NOTES, "nothing": NOTES[:0]}}


class Echo(System[Options]):
    """What goes in comes out; some know what is played."""

    styles = ("classical", "jazz")

    def __init__(self, name: str, music: Music | None = None) -> None:
        self.name, self.music = name, music

    def stream(self, blocks: Iterable[Wave], options: Options) -> Iterator[Wave]:
        if self.music and self.on_notation:
            self.on_notation(self.music)
        yield from blocks


def test_the_page_has_the_original_first_and_every_file_beside_it(tmp_path: Path) -> None:
    clip, out = tmp_path / "jazz_a_tune.flac", tmp_path / "out"
    audio.write(clip, iter([music(0, SR)[None]]), sr=SR, n_channels=1)
    systems = {"score": Echo("score", Music()), "twin-cnn": Echo("twin-cnn")}
    rows = list(demo.run(systems, [clip], out))
    assert [(row.system, row.to) for row in rows] == [
        ("score", "classical"),
        ("twin-cnn", "classical"),
    ]
    page = (out / demo.PAGE).read_text(encoding="utf-8")
    labels = re.findall(r"<label>.*?> (.*?)</label>", page, re.S)
    assert labels == ["original: jazz", "score: to classical", "twin-cnn: to classical"]
    assert set(re.findall(r'src="(.*?)"', page)) == {one.name for one in out.iterdir()} - {
        demo.PAGE
    }
    assert all(SYSTEMS[name].about in page for name in systems)
    assert page.count("<svg") == 1 and "&lt;melody&gt;" in page
    with pytest.raises(ThirdstreamError, match="--force"):
        next(demo.run(systems, [clip], out))
    assert len(list(demo.run(systems, [clip], out, force=True))) == 2


def spans_of(notes: dict[str, dict[str, Notes]], *, duration_s: float) -> list[np.ndarray]:
    """(n_notes * 2, 2) x and y of where the notes begin and end, by part."""
    svg = ElementTree.fromstring(piano_roll(notes, duration_s=duration_s))
    assert "nothing" not in "".join(svg.itertext())
    return [
        np.array(re.findall(r"[\d.]+", one.attrib["d"]), dtype=float).reshape(2, 2)
        for one in svg.iter("path")
        if "stroke-width: 3" in one.attrib["style"] and "clip-path" in one.attrib
    ]


def test_notes_lie_where_they_sound_and_parts_without_any_are_left_out() -> None:
    (low, high) = spans_of(Music().notes(), duration_s=2.0)
    assert low[1, 0] == pytest.approx(high[0, 0], abs=0.01)  # one begins where the other ends
    assert low[0, 1] > high[0, 1]  # SVG counts from the top


def test_a_piano_roll_ends_where_the_recording_does() -> None:
    after = {
        "Arrangement": {"bass": np.array([[0.0, 3.0, 40]]), "nothing": np.array([[2.5, 3, 64]])}
    }
    (cut,) = spans_of(after, duration_s=2.0)
    (whole,) = spans_of({"Arrangement": {"bass": np.array([[0.0, 2.0, 40]])}}, duration_s=2.0)
    assert cut == pytest.approx(whole)


def test_the_demo_has_the_papers_own_networks_and_says_so() -> None:
    strict = [name for name in registry.DEMONSTRATED if name.endswith("-paper")]
    assert len(strict) == 4
    for name in strict:
        assert "strictly the paper's; little" in demo.sentence(registry.load(name))
        ours = demo.sentence(registry.load(name.removesuffix("-paper")))
        assert "paper" not in ours and "little" not in ours


def test_the_table_has_all_names_whole_at_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(systems: dict[str, object], clips: list[Path], out: Path, *, force: bool):
        for name in systems:
            for clip in clips:
                yield demo.Row(clip, name, "classical", out, -20.0, 0.75)

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(demo, "run", run)
    main.main(["demo", "--out", str(tmp_path / "demo")])
    lines = capsys.readouterr().out.splitlines()
    for name in registry.DEMONSTRATED:
        for clip in registry.bundled_clips():
            assert sum(line.split()[:2] == [clip.stem, name] for line in lines) == 1
