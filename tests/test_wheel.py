"""The wheel alone is enough: what is shipped is in it."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import soundfile as sf

from test_cli import run
from thirdstream import registry

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"


def called(*command: object, cwd: Path) -> str:
    """Standard output of a command, run without this checkout in its way."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)  # the demo goes through every system; a busy machine needs minutes
def test_the_wheel_runs_the_demo_in_a_clean_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment borrows the dependencies of this one; thirdstream comes from the wheel."""
    called(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=ROOT)
    [wheel] = tmp_path.glob("*.whl")
    called(sys.executable, "-m", "venv", "--without-pip", tmp_path / "clean", cwd=tmp_path)
    bin = tmp_path / "clean" / ("Scripts" if os.name == "nt" else "bin")
    python, command = bin / "python", bin / "thirdstream"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(called(python, "-c", where, cwd=tmp_path).strip())
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    called(*pip, "install", "-q", "--no-deps", "--no-index", "--ignore-installed", wheel,
           cwd=tmp_path)  # fmt: skip
    found = called(python, "-c", "import thirdstream; print(thirdstream.__file__)", cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(site)
    clips = _shortened(site / "thirdstream" / "clips")
    said = called(command, "demo", "--out", "out", cwd=tmp_path)
    assert str(tmp_path / "out" / "index.html") in said
    _check_demo(tmp_path / "out", clips)
    assert run("demo", "--out", tmp_path / "out") == 1
    assert "--force" in capsys.readouterr().err
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    assert not [name for name in names if not name.startswith("thirdstream")]
    files = [path.relative_to(SRC) for path in (SRC / "thirdstream").rglob("*") if path.is_file()]
    assert {path.as_posix() for path in files if "__pycache__" not in path.parts} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def _shortened(clips: Path) -> list[Path]:
    """Leave half of one clip of each style: the demo takes every system through every clip."""
    found = sorted(clips.glob("*.ogg"))
    assert [path.name for path in found] == [path.name for path in registry.bundled_clips()]
    for path in found[1::2]:
        path.unlink()
    for path in found[::2]:
        wave, sr = sf.read(path)
        sf.write(path, wave[: len(wave) // 2], sr)
    return found[::2]


def _check_demo(out: Path, clips: list[Path]) -> None:
    """Every system's transfer of every clip, as long as it; the page shows all files, no others."""
    page = (out / "index.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'src="([^"]+)"', page))
    assert shown == {path.name for path in out.iterdir()} - {"index.html"}
    for clip in clips:
        target = "classical" if clip.stem.startswith("jazz") else "jazz"
        for system in {registry.default_system()[0], *registry.DEMONSTRATED}:
            made = out / f"{clip.stem}_to_{target}_{system}.wav"
            assert sf.info(made).frames == sf.info(clip).frames
            assert f"{system}: to {target}" in page
        assert (out / f"{clip.stem}.png").stat().st_size > 10_000
