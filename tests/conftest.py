"""Recordings, corpora and models made on the spot: no test needs a download."""

import contextlib
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import settings

from thirdstream import checkpoint
from thirdstream.audio import SEGMENT, SR
from thirdstream.data import corpus, preparing
from thirdstream.data.corpus import Corpus
from thirdstream.data.preparing import Found
from thirdstream.mel.models.cnn import CNNConfig, TwinCNN
from thirdstream.mel.models.model import RECONSTRUCTION
from thirdstream.mel.system import MelSystem

os.environ["HF_HUB_OFFLINE"] = "1"  # read where its package is imported: no test fetches weights
pytest_plugins = ("leftovers", "skips")
# Modules of whole trainings, transfers, evaluations and commands: slow, every test of them.
WHOLE = """
autoencoder begun benchmark claims cli clients corpus cost distributed docs evaluate
export figures hostile interfaces kill metrics mosaicing notebook orchestra
paired parallel pretrained project published rate rendering retrieval score_system skips
storage synthesis system tagger training transcribe transfer travel tuning vocoder wheel jobs
"""
settings.register_profile("patient", deadline=None)  # no test checks a time
settings.load_profile("patient")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
STYLES = ("classical", "jazz")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem.removeprefix("test_") in WHOLE.split():
            item.add_marker("slow")


def pytest_configure(config: pytest.Config) -> None:
    """Before there are workers that could do so at the same time, and leave what crashes."""
    if hasattr(config, "workerinput") or config.option.markexpr == "not slow":
        return
    with contextlib.suppress(ImportError):  # of the extra `evaluate`
        from thirdstream.evaluation import metrics

        metrics.compile_all()


TINY = CNNConfig(
    channels=(2, 3), latent_channels=2, kernel_size=3, n_convs=1, patch=4,
    weights={RECONSTRUCTION: 1.0, "latent": 0.1},
)  # fmt: skip


def music(seed: int, n_samples: int, *, sr: int = SR) -> np.ndarray:
    """Decaying tones on random beats over a little noise, (n_samples,), peak 0.5."""
    rng = np.random.default_rng(seed)
    wave = 0.003 * rng.standard_normal(n_samples)
    for start in range(0, n_samples, sr // 4):
        t = np.arange(min(sr, n_samples - start)) / sr
        wave[start : start + len(t)] += np.exp(-4 * t) * np.sin(
            2 * np.pi * rng.uniform(80, 3000) * t
        )
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def tone(n_samples: int, *, hz: float = 440.0, sr: int = SR) -> np.ndarray:
    """A sine of amplitude 0.1."""
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(n_samples) / sr)).astype(np.float32)


def but_for_cpu_s(model: Path) -> tuple[str, dict[str, bytes]]:
    """A model's header and tensors, without how much processor time its training took."""
    tensors, header = checkpoint.read(model)
    del header["card"]["cpu_s"]
    return json.dumps(header), {name: one.numpy().tobytes() for name, one in tensors.items()}


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two folders, one a style, with five recordings of two to three segments each."""
    root = tmp_path_factory.mktemp("recordings")
    folders = {style: root / style for style in STYLES}
    for number, folder in enumerate(folders.values()):
        (folder / "inner").mkdir(parents=True)
        for k in range(5):
            wave = music(100 * number + k, SEGMENT * 2 + k * 40_000)
            sf.write(folder / ("inner" if k % 2 else "") / f"piece{k}.wav", wave, SR)
    return folders


@pytest.fixture(scope="session")
def small_corpus(recordings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A prepared corpus of `recordings`."""
    out = tmp_path_factory.mktemp("corpus") / "corpus"
    found = preparing.find([f"{style}={folder}" for style, folder in recordings.items()])
    outcomes = list(preparing.prepare(found, out, n_jobs=1))
    assert all(isinstance(outcome, corpus.Recording) for outcome in outcomes)
    return Corpus.open(out)


@pytest.fixture
def system() -> MelSystem:
    """An untrained, tiny system."""
    torch.manual_seed(0)
    return MelSystem("twin-cnn", TwinCNN(STYLES, TINY)).eval().requires_grad_(False)


@pytest.fixture
def model(system: MelSystem, tmp_path: Path) -> Path:
    """The file of `system`."""
    path = tmp_path / "model.safetensors"
    system.save(path)
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A recording of half a second."""
    path = tmp_path / "song.wav"
    sf.write(path, music(0, 20_000), SR)
    return path


@pytest.fixture
def unchanging() -> MelSystem:
    """A system whose twin gives back what it gets: what remains is our own path around it."""

    class Unchanging(TwinCNN):
        def transfer(self, mel: torch.Tensor, **how: object) -> torch.Tensor:
            return mel

    return MelSystem("unchanging", Unchanging(STYLES, TINY)).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder with the published networks and what they answer, which are not ours to ship.

    A checkout of the author's repository has the networks.
    """
    default = Path(__file__).parents[2] / "shared" / "reference"
    folder = Path(os.environ.get("THIRDSTREAM_REFERENCE", default))
    if not folder.is_dir():
        pytest.skip("the published weights are not here; set THIRDSTREAM_REFERENCE to their folder")
    return folder


def found_in(folders: dict[str, Path]) -> list[Found]:
    """What `find` finds in two plain folders."""
    return preparing.find([f"{style}={folder}" for style, folder in folders.items()])
