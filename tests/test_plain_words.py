"""A file of another kind than is asked for is refused in plain words, before any work."""

from pathlib import Path

import pytest

from thirdstream import ThirdstreamError, registry
from thirdstream.cli import main

CLIP = registry.bundled_clips()[0]
THEIRS = ("Expecting value", "deserializing", "codec", "Errno", "it is none")  # libraries' words


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("report FILE --out r.html", "is not a readable file of results or of answers; give"),
        ("info FILE", "is not a thirdstream model (it is no .safetensors file"),
        ("transfer CLIP --to jazz --out o --model FILE", "is not a thirdstream model"),
        ("transfer CLIP --to jazz --out o --soundfont FILE", "is no readable soundfont (it lacks"),
        ("transfer CLIP --to jazz --out o --score FILE", "is no score we read; give"),
        ("arrange SCORE --out o --soundfont FILE", "is no readable soundfont (it lacks"),
    ],
)
@pytest.mark.parametrize("content", [b"hello", b"\xff\xfe" * 5000], ids=["text", "bytes"])
def test_a_file_of_another_kind(
    command: str, said: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("file.wav").write_bytes(content)
    Path("tune.mid").touch()
    given = command.replace("FILE", "file.wav").replace("SCORE", "tune.mid")
    with pytest.raises(SystemExit) as stopped:
        main.main(given.replace("CLIP", str(CLIP)).split())
    assert stopped.value.code == 1
    [line] = capsys.readouterr().err.splitlines()  # and no bar above it
    assert line.startswith(f"thirdstream: file.wav: {said}")
    assert not any(one in line for one in THEIRS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.wav", "tune.mid"]


def test_a_score_that_is_damaged_is_refused_before_the_recording_is_heard(tmp_path: Path) -> None:
    (tmp_path / "sheet.musicxml").write_text("<score-partwise")
    with pytest.raises(ThirdstreamError, match=r"sheet\.musicxml: "):
        registry.load("score").choose(to="jazz", score=tmp_path / "sheet.musicxml")
