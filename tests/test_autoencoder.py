"""The recipe with which the bundled twin CNN begins."""

import itertools
import sys
from pathlib import Path

import pytest
import torch

from thirdstream.data.corpus import Corpus
from thirdstream.mel import system

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
import autoencoder


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to train to, with a clock that goes on by a second whenever it is looked at."""
    clock = itertools.count()
    monkeypatch.setattr(autoencoder, "spent", lambda: next(clock))
    monkeypatch.setattr(autoencoder, "SAVE_S", 0)
    return tmp_path / "autoencoder.safetensors"


def train(out: Path, corpus: Corpus, *, minutes: str) -> system.MelSystem:
    autoencoder.main(str(out), minutes, "8", "3", str(corpus.path))
    return system.load(out)


def test_both_halves_are_one_and_it_learns(out: Path, small_corpus: Corpus) -> None:
    style = small_corpus.styles[0]
    chunk = next(small_corpus.chunks(style, "train"))

    def error(model: system.MelSystem) -> float:
        mel = model.log_mel(style).normalise(torch.from_numpy(chunk))
        return (model.model.reconstruct(mel, style) - mel).abs().mean().item()

    first = error(train(out, small_corpus, minutes="0.1"))
    out.with_suffix(".state").unlink()
    trained = train(out, small_corpus, minutes="5")
    assert error(trained) < 0.8 * first
    assert trained.model.config.latent_channels == 3
    for parts in (trained.model.encoders, trained.model.decoders):
        one, other = (parts[style].state_dict().values() for style in small_corpus.styles)
        assert all(map(torch.equal, one, other))


def test_it_goes_on_where_it_was(out: Path, small_corpus: Corpus) -> None:
    def kept() -> tuple[int, int]:
        now_s, step, *_ = torch.load(out.with_suffix(".state"), weights_only=True)
        return now_s, step

    train(out, small_corpus, minutes="0.5")
    spent_s, steps = kept()
    train(out, small_corpus, minutes="0.5")  # there was hardly a step left to take
    assert kept()[1] <= steps + 1
    train(out, small_corpus, minutes="1")
    assert kept()[0] > spent_s
    assert kept()[1] > steps + 5
