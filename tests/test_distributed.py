"""Training by two processes of this machine, launched as on several hosts."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conftest import TINY
from test_cli import run
from thirdstream.data.corpus import Corpus
from thirdstream.mel.training import run as runs
from thirdstream.mel.training.loop import TrainingConfig, TrainingError, begin

SMALL = ["--channels", "2", "3", "--patch", "4", "--n-convs", "1", "--batch-size", "4"]
GAN = [*SMALL, "--style-channels", "2", "2", "--style-size", "3", "--discriminator-channels", "2"]
REPLICAS = """
import sys, torch
from torch import distributed
from thirdstream.cli import main
from thirdstream.mel.training import run
whole = run.fit
def fit(state, *rest):
    for step in whole(state, *rest):
        yield step
        own = torch.cat([p.detach().flatten() for p in state.system.model.parameters()])
        both = [torch.empty_like(own) for _ in range(2)]
        distributed.all_gather(both, own)
        assert torch.equal(*both), "the copies drift apart"
run.fit = fit
main.main(sys.argv[1:])
"""


def launched(*command: object) -> str:
    """Standard output of two processes that accelerate launches."""
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    launch += ["--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    with tempfile.TemporaryDirectory() as temporary:  # torch leaves its logs there
        done = subprocess.run(
            [*launch, *map(str, command)], capture_output=True, text=True, check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": temporary},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def history(out: Path) -> list[dict]:
    lines = (out / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(small_corpus: Corpus, tmp_path: Path) -> None:
    """Each takes half of every batch; only the first writes and talks."""
    train = ["train", "twin-cnn", "--corpus", small_corpus.path, "--epochs", 2, "--lr", 1e-2]
    assert run(*train, "--out", tmp_path / "one", *SMALL) == 0
    said = launched("-m", "thirdstream", *train, "--out", tmp_path / "two", *SMALL)
    assert said.count("best.safetensors") == 1
    for one, two in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        for split in ("train", "validation"):
            assert two[split] == pytest.approx(one[split], rel=1e-4)


@pytest.mark.slow
def test_players_in_turn_stay_the_same_in_both_processes(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    """A twin and its discriminators step by the gradients of the whole batch."""
    script = tmp_path / "replicas.py"
    script.write_text(REPLICAS)
    launched(script, "train", "twin-gan", "--corpus", small_corpus.path, "--out", tmp_path / "run",
             "--epochs", 2, *GAN)  # fmt: skip
    assert [row["epoch"] for row in history(tmp_path / "run")] == [1, 2]


def test_a_batch_that_cannot_be_shared_is_refused(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    config = TrainingConfig(batch_size=4)
    state = begin("twin-cnn", TINY, small_corpus, config)
    with pytest.raises(TrainingError, match="3 processes cannot share batches of 4 equally"):
        next(runs.train(state, small_corpus, config, tmp_path))
