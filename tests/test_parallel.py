"""The same work on this machine's processes, on a Dask cluster and on Ray gives the same bytes."""

import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import dask
import distributed
import joblib
import numpy as np
import pytest
import soundfile as sf

from conftest import found_in, music
from test_cli import run
from thirdstream import parallel
from thirdstream.audio import SR
from thirdstream.data import pairs, preparing
from thirdstream.data.corpus import Corpus
from thirdstream.evaluation import Settings
from thirdstream.mel.system import MelSystem
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.types import Note, Song, Track
from thirdstream.parallel import WorkerError, Workers

pytestmark = pytest.mark.filterwarnings("default")  # the clusters' own
LOKY = Workers(n_jobs=2)


@pytest.fixture(autouse=True)
def whole_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers of a cluster find this file; what it leaves open is complained of here."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    yield
    gc.collect()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Dask on this machine: a scheduler and two workers, each a process of one thread."""
    with (
        dask.config.set({"temporary-directory": str(tmp_path_factory.mktemp("dask"))}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as found,
    ):
        yield found
    gc.collect()


@pytest.fixture(params=["dask", pytest.param("ray", marks=pytest.mark.slow)])
def workers(request: pytest.FixtureRequest) -> Workers:
    if request.param == "dask":
        cluster = request.getfixturevalue("cluster")
        return Workers(parallel="dask", address=cluster.scheduler_address)
    pytest.importorskip("ray", reason="needs the extra [ray]")
    return Workers(parallel="ray", address="local")


def prepared(folders: dict[str, Path], out: Path, workers: Workers) -> dict[str, bytes]:
    with workers.ready() as n_jobs:
        list(preparing.prepare(found_in(folders), out, n_jobs=n_jobs))
    return contents(out)


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_corpus_is_the_same_wherever_it_is_made(
    recordings: dict[str, Path], tmp_path: Path, workers: Workers
) -> None:
    here = prepared(recordings, tmp_path / "here", LOKY)
    assert len(here) == 21
    assert prepared(recordings, tmp_path / "there", workers) == here


def test_a_killed_dask_worker_loses_nothing(
    recordings: dict[str, Path], tmp_path: Path, cluster: Any
) -> None:
    """Its task is done by another; the corpus is the one that nobody disturbed."""
    here = prepared(recordings, tmp_path / "here", LOKY)
    with Workers(parallel="dask", address=cluster.scheduler_address).ready() as n_jobs:
        made = preparing.prepare(found_in(recordings), tmp_path / "there", n_jobs=n_jobs)
        next(made)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        assert len(list(made)) == 9
    assert contents(tmp_path / "there") == here


def kill_me(done: Path) -> str:
    """A task that takes its process along, once."""
    if not done.exists():
        done.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


@pytest.mark.parametrize("engine", ["loky", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_killed_process_is_told_and_the_next_run_goes_on(tmp_path: Path, engine: str) -> None:
    workers = LOKY
    if engine == "ray":
        pytest.importorskip("ray", reason="needs the extra [ray]")
        workers = Workers(parallel="ray", address="local")
    task = joblib.delayed(kill_me)(tmp_path / "killed")
    with pytest.raises(WorkerError, match="run the same command again"), workers.ready() as n_jobs:
        list(parallel.results([task], n_jobs=n_jobs))
    with workers.ready() as n_jobs:
        assert list(parallel.results([task], n_jobs=n_jobs)) == ["done"]


def test_a_few_at_a_time_run_in_threads_and_end_with_who_asked() -> None:
    def numbers(**how: Any) -> Iterator[tuple[int, int]]:
        tasks = (joblib.delayed(lambda k: (k, os.getpid()))(k) for k in range(9))
        return parallel.results(tasks, n_jobs=2, threads=True, **how)

    expected = [(k, os.getpid()) for k in range(9)]
    assert sorted(numbers()) == list(numbers(in_order=True)) == expected
    begun: list[int] = []
    tasks = (joblib.delayed(begun.append)(k) for k in range(99))
    made = parallel.results(tasks, n_jobs=2, threads=True)
    next(made)
    made.close()
    assert 1 <= len(begun) <= 4
    with pytest.raises(ZeroDivisionError):
        list(parallel.results([joblib.delayed(divmod)(1, 0)], n_jobs=2, threads=True))


def test_what_is_interrupted_is_not_prepared_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (1, SR)).astype(np.float32)
    interrupted, n_heard, n_s = Event(), 0, 100

    def blocks(path: Path) -> Iterator[np.ndarray]:
        nonlocal n_heard
        for _ in range(n_s if path.stem == "long" else 10):
            if path.stem == "long":
                interrupted.wait(60)
                time.sleep(0.01)
                n_heard += 1
            yield noise

    monkeypatch.setattr(preparing.audio, "blocks", blocks)
    found = [preparing.Found(tmp_path / f"{name}.wav", "jazz") for name in ("short", "long")]
    for one in found:
        sf.write(one.path, noise[0], SR)
    made = preparing.prepare(found, tmp_path / "corpus", n_jobs=2)
    next(made)
    interrupted.set()
    made.close()
    assert 0 < n_heard < n_s
    done = (tmp_path / "corpus").rglob("*.*")
    assert sorted(path.suffix for path in done) == [".json", ".npy"]  # of the short one


def test_a_folder_is_transferred_by_a_cluster(
    system: MelSystem, tmp_path: Path, cluster: Any
) -> None:
    system.save(tmp_path / "tiny.safetensors")
    folder = tmp_path / "songs"
    for number, name in enumerate(("one", "inner/two")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(folder / f"{name}.wav", music(number, 20_000), SR)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "one.wav").write_bytes(b"in the way")
    common = ["transfer", folder, "--to", "classical", "--model", tmp_path / "tiny.safetensors"]
    dask = ["--parallel", "dask", "--address", cluster.scheduler_address]
    assert run(*common, "--out", tmp_path / "here", "--n-jobs", 2) == 0
    assert run(*common, "--out", tmp_path / "there", *dask) == 1  # one was not replaced
    assert run(*common, "--out", tmp_path / "there", *dask, "--force") == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert sf.info(tmp_path / "there" / "inner" / "two.wav").samplerate == SR


def test_recordings_are_measured_by_a_cluster(
    small_corpus: Corpus, tmp_path: Path, cluster: Any
) -> None:
    from thirdstream.evaluation import evaluate, material

    found = material.of_corpus(small_corpus)
    settings = Settings(max_recordings=1, excerpt_s=3.0)
    jobs = evaluate.plan(found, [evaluate.Entry(evaluate.COPY_CONTENT)], settings)
    dask = Workers(parallel="dask", address=cluster.scheduler_address)
    for name, workers in (("here", LOKY), ("there", dask)):
        with workers.ready() as n_jobs:
            done = list(evaluate.run(jobs[:1], settings, tmp_path / name, n_jobs=n_jobs))
        assert [one.fault for one in done] == [""]
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_scores_are_arranged_by_a_cluster(tmp_path: Path, cluster: Any) -> None:
    """A MIDI file of a melody over its chords, in two settings."""
    melody = tuple(Note(k, 1, 60 + 2 * (k % 4)) for k in range(16))
    chords = tuple(Note(4 * k, 4, pitch) for k in range(4) for pitch in (48, 52, 55))
    song = Song((Track("melody", 0, melody), Track("chords", 0, chords)), 120.0)
    write_midi(tmp_path / "tune.mid", song)
    jobs = pairs.plan([tmp_path / "tune.mid"], variants=2)
    dask = Workers(parallel="dask", address=cluster.scheduler_address)
    for name, workers in (("here", LOKY), ("there", dask)):
        with workers.ready() as n_jobs:
            made = list(pairs.make_pairs(jobs, tmp_path / name, n_jobs=n_jobs))
        assert all(isinstance(one, pairs.Made) for one in made), made
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_workers_of_several_threads_are_refused(tmp_path: Path) -> None:
    with (
        dask.config.set({"temporary-directory": str(tmp_path)}),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as found,
        pytest.raises(WorkerError, match="several threads; start them with"),
        Workers(parallel="dask", address=found.scheduler_address).ready(),
    ):
        pass


@pytest.mark.parametrize(
    ("workers", "fault"),
    [
        (Workers(parallel="dask"), "--parallel dask needs --address"),
        (Workers(address="tcp://a:1"), "--address is for a cluster"),
        (Workers(parallel="dask", address="nonsense://x"), "no Dask scheduler answers"),
    ],
)
def test_clusters_that_cannot_be_had(workers: Workers, fault: str) -> None:
    with pytest.raises(WorkerError, match=fault), workers.ready():
        pass


@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_package_is_told_with_its_extra(
    engine: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(WorkerError, match=rf"pip install 'thirdstream\[{engine}\]'"),
        Workers(parallel=engine, address="local").ready(),
    ):
        pass
