"""The running page under attack, by real requests: what is refused, what stays, what is logged."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import clients

pytestmark = pytest.mark.slow
STARTING = "starting the page, which takes some seconds; its address follows\n"


class Served:
    """A page in a process of its own, with a place for temporary files of its own."""

    def __init__(self, place: Path) -> None:
        self.place, self.log = place, place / "log.txt"
        limits = ["--max-mb", "9", "--session-mb", "30", "--total-mb", "200"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "thirdstream", "serve", "--port", "0", *limits],
                stdout=subprocess.PIPE, stderr=log, text=True,
                env=os.environ | {"TMPDIR": str(place)},
            )  # fmt: skip
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found is not None, self.log.read_text()
        self.address = found[0]
        (self.root,) = place.glob("thirdstream-page-*")

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate()  # which closes the pipe, too
        return self.process.returncode


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("temporary"))
    yield made
    assert made.end(signal.SIGTERM) == 143
    assert made.log.read_text() == STARTING  # after all that was done to it
    assert [path.name for path in made.place.iterdir()] == ["log.txt"]


@pytest.fixture
def client(served: Served) -> Iterator[Any]:
    made = clients.Client(served.address)
    yield made
    made.http.close()


def eventually(true: Any) -> None:
    """Wait until it is; a test that waits for ever has failed."""
    while not true():
        time.sleep(0.05)


def test_another_session_gets_nothing_of_mine(served: Served, client: Any) -> None:
    (path,) = client.upload("song.wav", clients.tone(30_000)).json()
    other = clients.Client(served.address)
    assert "was not uploaded to this page" in other.transfer(path).status
    answer = client.transfer(path)
    assert "Done" in answer.status
    links = re.findall(r'src="([^"]+)"', answer.html)
    assert len(links) == 4
    for link in links:
        assert client.http.get(f"/{link}").status_code == 200
        assert other.http.get(f"/{link}").status_code == 403
    other.session = client.session
    assert "somebody else" in other.transfer(path).status
    other.http.close()


def test_an_upload_from_another_site_is_not_taken(served: Served, client: Any) -> None:
    before = list(served.root.rglob("upload-*"))
    sent = {"files": ("a.wav", clients.tone(100))}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "evil.example"},
    ):
        assert client.http.post("/gradio_api/upload", files=sent, headers=headers).is_client_error
    assert list(served.root.rglob("upload-*")) == before


def test_an_upload_that_is_broken_off_goes_at_once(served: Served) -> None:
    before = set(served.root.rglob("*"))
    host, port = served.address.removeprefix("http://").split(":")
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1500000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        'Content-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + bytes(700_000))
        eventually(lambda: any(one.is_file() for one in set(served.root.rglob("*")) - before))
    eventually(lambda: not [one for one in set(served.root.rglob("*")) - before if one.is_file()])
    eventually(lambda: not [one for one in served.root.rglob("upload-*") if one not in before])


def test_bodies_that_are_no_uploads_leave_nothing(served: Served, client: Any) -> None:
    before = set(served.root.rglob("upload-*"))
    post = client.http.post
    kind = {"content-type": "multipart/form-data"}
    cut = {"content-type": "multipart/form-data; boundary=b"}
    for answer in (
        post("/gradio_api/upload", content=b"x", headers=kind),
        post("/gradio_api/upload", content=b"x"),
        post("/gradio_api/upload", content=b"--b", headers=cut),
        post("/gradio_api/upload", data={"files": "x"}),
        post("/gradio_api/upload", files={"other": ("a.wav", b"x")}),
        post("/gradio_api/upload", files=[("files", (name, b"x")) for name in ("a", "b")]),
    ):
        assert answer.status_code == 400
    chunks = (bytes(1_000_000) for _ in range(12))
    assert post("/gradio_api/upload", content=chunks, headers=kind).is_client_error
    assert set(served.root.rglob("upload-*")) == before


def test_one_browser_has_a_share_of_the_disk(client: Any) -> None:
    sent = [client.upload(f"{number}.wav", bytes(8_500_000)) for number in range(4)]
    assert [one.status_code for one in sent] == [200] * 3 + [507]
    assert "wait (files go after 60 minutes), or start `thirdstream serve`" in sent[-1].text


def test_what_is_forged_is_refused_and_not_logged(served: Served, client: Any) -> None:
    (path,) = client.upload("song.wav", clients.tone(100)).json()
    for forged in (
        "/etc/passwd",
        "http://127.0.0.1:9/",
        "\0",
        "a" * 5000,
        f"{path}/..",
        f"{path}x",
    ):
        assert "turned away: 403" in client.transfer(forged).status
    get = client.http.get
    assert get("/gradio_api/queue/data", params={"session_hash": "nobody"}).status_code == 200
    assert get(f"/gradio_api/file={path}", headers={"range": "bytes=1-2-3"}).status_code == 200
    for address in ("/assets/%00", "/config?deep_link=../x", "/gradio_api/file=%00"):
        assert get(address).status_code in {200, 403, 404}
    for values in (
        {"system-paper": "nope"}, {"to": "nope"}, {"phase": "nope"}, {"seed": 0.5},
        {"system": "score", "ensemble": "nope"}, {"style-strength": 7},
    ):  # fmt: skip
        asked = client.form(path, **values)
        assert client.http.post("/gradio_api/queue/join", json=asked).status_code == 200
        said = get("/gradio_api/queue/data", params={"session_hash": client.session}).text
        assert "Not done:" in said
    assert served.log.read_text() == STARTING


def test_cancel_stops_at_once_while_it_measures(served: Served, client: Any) -> None:
    (path,) = client.upload("song.wav", clients.tone(80_000)).json()
    asked = client.form(path, measure=True)
    client.http.post("/gradio_api/queue/join", json=asked).raise_for_status()
    where = {"session_hash": client.session}
    seen = ""
    with client.http.stream("GET", "/gradio_api/queue/data", params=where) as stream:
        for line in stream.iter_lines():
            seen += line
            if "Measuring" in line:
                cancel = {"data": [], "fn_index": client.function_of("transfer-cancel"), **where}
                said = client.http.post("/gradio_api/run/predict", json=cancel)
                assert "Cancelled" in said.text
            if "close_stream" in line:
                break
    assert "the result is below, not measured" in seen
    assert "Read them together" not in seen


def busy(served: Served) -> threading.Thread:
    """A client that waits for a transfer of some length."""
    client = clients.Client(served.address)
    (path,) = client.upload("song.wav", clients.tone(600_000)).json()

    def wait() -> None:
        with suppress(httpx.HTTPError):  # the page ends
            client.transfer(path)
        client.http.close()

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: list(served.root.glob("*/result-*/*")))
    return thread


def test_it_ends_cleanly_at_work_and_after_a_kill_the_next_one_cleans_up(tmp_path: Path) -> None:
    first = Served(tmp_path)
    at_work = busy(first)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    at_work.join()
    assert first.root.exists()
    second = Served(tmp_path)  # which finds one folder, its own
    assert second.root != first.root
    at_work = busy(second)
    assert second.end(signal.SIGTERM) == 143
    at_work.join()
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]
    assert second.log.read_text() == STARTING  # no "terminate called"
