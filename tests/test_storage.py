"""A corpus on a web server or an object store gives what it gives from disk, piece by piece."""

import functools
import http.server
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from test_cli import run
from thirdstream.data.corpus import TRAIN, Corpus, CorpusError, Pairs
from thirdstream.evaluation.material import open_material
from thirdstream.storage import Remote, StorageError


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, whole or in part; `sent` counts their bytes."""

    sent = 0
    in_parts = True

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked and self.in_parts:
            data = data[int(asked[1]) : int(asked[2]) + 1]
        self.send_response(206 if asked and self.in_parts else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        type(self).sent += len(data)
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of `small_corpus`."""
    monkeypatch.setattr(Ranges, "sent", 0)
    handler = functools.partial(Ranges, directory=str(small_corpus.path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.fixture
def memory(small_corpus: Corpus) -> Iterator[str]:
    import fsspec

    store = fsspec.filesystem("memory")
    assert isinstance(small_corpus.path, Path)
    store.put(str(small_corpus.path), "/bucket/corpus", recursive=True)
    yield "memory://bucket/corpus/"
    store.rm("/bucket", recursive=True)


@pytest.mark.parametrize("kind", ["server", "memory"])
def test_pairs_are_those_from_disk(
    kind: str, small_corpus: Corpus, request: pytest.FixtureRequest
) -> None:
    far = Corpus.open(request.getfixturevalue(kind))
    assert far.summary() == small_corpus.summary()
    assert far.statistics == small_corpus.statistics
    here, there = Pairs(small_corpus, TRAIN, seed=1), Pairs(far, TRAIN, seed=1)
    for index in range(len(here)):
        for style in small_corpus.styles:
            np.testing.assert_array_equal(there[index][style], here[index][style])
    for ours, theirs in zip(far.chunks("jazz", TRAIN), small_corpus.chunks("jazz", TRAIN),
                            strict=True):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)


def test_no_more_is_fetched_than_is_asked_for(server: str, small_corpus: Corpus) -> None:
    far = Corpus.open(server)
    before = Ranges.sent
    Pairs(far, TRAIN, seed=0)[0]
    assert Ranges.sent - before == 2 * 259 * 256 * 2  # two segments of float16


def test_it_is_trained_on_and_looked_at(
    memory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("info", memory) == 0
    assert "classical" in capsys.readouterr().out
    small = ["--channels", 2, 3, "--patch", 4, "--n-convs", 1, "--epochs", 1, "--batch-size", 2]
    assert run("train", "twin-cnn", "--corpus", memory, "--out", tmp_path / "run", *small) == 0
    assert (tmp_path / "run" / "best.safetensors").is_file()


def test_recordings_at_hand_are_judged_against_it(memory: str, recordings: dict[str, Path]) -> None:
    found = open_material(memory, [f"{style}={folder}" for style, folder in recordings.items()])
    assert {style: len(items) for style, items in found.tests.items()} == {
        "classical": 5, "jazz": 5,
    }  # fmt: skip


def test_a_server_that_sends_no_parts_is_told(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ranges, "in_parts", False)
    with pytest.raises(StorageError, match="the server sends no parts of files"):
        Pairs(Corpus.open(server), TRAIN, seed=0)[0]


def test_what_is_not_there_is_told(memory: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/corpus\.json: cannot be read"):
        Corpus.open("memory://nowhere")
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/corpus\.json: cannot be read"):
        Corpus.open("http://127.0.0.1:1")
    with pytest.raises(StorageError, match=r"pip install 'thirdstream\[remote\]'"):
        Corpus.open("nonsense://bucket")
    with pytest.raises(CorpusError, match="holds no corpus"):
        Corpus.open(str(tmp_path))


def test_a_missing_package_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(StorageError, match=r"pip install 'thirdstream\[remote\]'"):
        Remote("memory://bucket").read("corpus.json")
