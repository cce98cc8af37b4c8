"""The page as strangers ask it: what it takes, what it gives, and that nobody's work is lost."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import clients

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of the page, and the folder of its files."""
    place = tmp_path_factory.mktemp("temporary")
    command = [sys.executable, "-u", "-m", "thirdstream", "serve", "--port", "0", "--max-mb", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"TMPDIR": str(place)},
    )  # fmt: skip
    assert process.stdout is not None
    address = re.search(r"http://\S+", process.stdout.readline())
    assert address is not None
    (root,) = place.glob("thirdstream-page-*")
    yield address[0], root
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert not root.exists()


@pytest.fixture(scope="module")
def client(served: tuple[str, Path]) -> Iterator[Any]:
    made = clients.Client(served[0])
    yield made
    made.http.close()


def test_everyone_gets_their_own_and_nobody_is_turned_away() -> None:
    script = [sys.executable, clients.__file__, "--clients", "4"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert "{'its own': 4}" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["../../up.wav", "/tmp/up.wav", "..\\up.wav", "a\0b.wav", "."])
def test_an_upload_lands_in_the_pages_folder_whatever_its_name(
    served: tuple[str, Path], client: Any, name: str
) -> None:
    sent = client.upload(name, clients.tone(100))
    if sent.status_code == 200:
        (path,) = sent.json()
        assert Path(path).resolve().is_relative_to(served[1])
    assert not list(served[1].parent.glob("*.wav"))


def test_too_large_an_upload_is_refused_and_not_kept(served: tuple[str, Path], client: Any) -> None:
    assert client.upload("large.wav", bytes(3_000_000)).status_code == 413
    assert not [path for path in served[1].rglob("*") if path.name == "large.wav"]


def test_a_file_that_was_not_uploaded_is_not_read(
    served: tuple[str, Path], client: Any, tmp_path: Path
) -> None:
    (tmp_path / "mine.wav").write_bytes(clients.tone(50_000))
    (path,) = client.upload("ours.wav", clients.tone(100)).json()
    link = Path(path).with_name("link.wav")
    link.symlink_to(tmp_path / "mine.wav")
    before = set(served[1].rglob("*"))
    for path in (
        tmp_path / "mine.wav", "/etc/passwd", served[1] / ".." / "mine.wav",
        link, "http://127.0.0.1:9/a.wav", "https://example.org/a.wav",
    ):  # fmt: skip
        answer = client.transfer(str(path))
        assert "Done" not in answer.status
        assert "<audio" not in answer.html
        assert set(served[1].rglob("*")) == before  # nor copied to where it is served from


def test_a_model_that_is_not_offered_is_not_opened(client: Any, tmp_path: Path) -> None:
    (path,) = client.upload("song.wav", clients.tone(50_000)).json()
    answer = client.transfer(path, **{"system-paper": str(tmp_path / "mine.safetensors")})
    assert "Done" not in answer.status
