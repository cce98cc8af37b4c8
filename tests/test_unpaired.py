"""The recipes that make unpaired recordings."""

import json
import sys
from pathlib import Path

import pytest

from thirdstream.files import ThirdstreamError

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
import unpaired


def test_no_piece_is_in_both_styles(tmp_path: Path) -> None:
    """Whatever its variants; and a second time nothing changes."""
    names = [f"{piece}.{variant}" for piece in ("a", "b", "c", "d") for variant in (1, 2)]
    for folder in ("records", "classical", "jazz"):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
    for name in names:
        record = tmp_path / "pairs" / "records" / f"{name}.json"
        record.write_text(json.dumps({"format": "wav"}))
        for style in ("classical", "jazz"):
            (tmp_path / "pairs" / style / f"{name}.wav").write_text(style)
    for _ in range(2):
        unpaired.main(str(tmp_path / "pairs"), "3", str(tmp_path / "out"))
        found = {
            style: sorted(path.name for path in (tmp_path / "out" / style).iterdir())
            for style in ("classical", "jazz")
        }
        assert found == {
            "classical": ["a.1.wav", "a.2.wav", "c.1.wav", "c.2.wav"],
            "jazz": ["b.1.wav", "b.2.wav"],
        }
    assert (tmp_path / "out" / "jazz" / "b.2.wav").read_text() == "jazz"


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError, match="holds no pairs; give a folder"):
        unpaired.main(str(tmp_path), "3", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
