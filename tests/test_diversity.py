"""How much transfers of every family differ from one another, and the alarm where hardly."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import STYLES
from test_training import CONFIG, run
from thirdstream.data.corpus import Corpus
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.melgan_vc import MelGANVC, MelGANVCConfig
from thirdstream.mel.models.model import DISCRIMINATOR, Batch, MelModel, diversity_of
from thirdstream.mel.training import loop
from thirdstream.mel.training.loop import begin, with_optimizers

SMALL = MelGANVCConfig(channels=4, critic_channels=4, embedding_size=4)


def mels(n: int = 3, n_frames: int = 72, *, loud: float = 1.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {style: loud * torch.rand(n, n_frames, 256, generator=generator) for style in STYLES}


def untrained(name: str) -> MelModel:
    torch.manual_seed(0)
    kind = FAMILIES[name].kind
    config = kind.PRESETS["default"]
    if name == "twin-paired":  # of its index, some segments are enough
        config = dataclasses.replace(config, n_index_segments=2)
    model = kind(STYLES, config).train()
    with torch.no_grad():
        model.end_epoch(lambda n: [mels(n_frames=259)])
    return model


@torch.no_grad()
def collapse(model: MelModel) -> None:
    """Make what decodes say one thing, whatever it hears."""
    if isinstance(model, MelGANVC):
        for style in STYLES:  # tanh is flat there
            model.generators[style].bias.fill_(20)
        return
    for name, parameter in model.named_parameters():
        if name.startswith("decoders"):
            parameter.zero_()


@torch.no_grad()
def revive(model: Any) -> None:
    """Undo `collapse` of a melgan-vc."""
    for style in STYLES:
        model.generators[style].bias.zero_()


def test_diversity_is_one_for_recordings_and_zero_for_a_collapsed_model() -> None:
    real = {name: torch.rand(64, 8, 8) for name in STYLES}
    same = {name: torch.zeros(64, 8, 8) for name in STYLES}
    assert diversity_of(real=real, fake=same) == 0.0
    alive = {name: torch.rand(64, 8, 8) for name in STYLES}
    assert diversity_of(real=real, fake=alive) == pytest.approx(1.0, abs=0.1)
    for fake, (least, most) in ((same, (0.0, 0.0)), (alive, (0.5, 2.0))):
        one, made = ({style: mel[:1] for style, mel in of.items()} for of in (real, fake))
        found = diversity_of(real=one, fake=made)
        assert found is not None and least <= found <= most


def test_where_recordings_are_silent_nothing_is_said_of_transfers() -> None:
    """Not even a number: a history with one that is not finite could not be read again."""
    silence, sound = torch.zeros(4, 8, 8), torch.rand(4, 8, 8)
    fake = dict.fromkeys(STYLES, sound)
    assert diversity_of(real=dict.fromkeys(STYLES, silence), fake=fake) is None
    one = dict(zip(STYLES, (silence, sound), strict=True))
    assert diversity_of(real=one, fake=fake) == pytest.approx(1)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_measures_it_and_tells_of_a_collapse(name: str) -> None:
    model, losses = untrained(name), {DISCRIMINATOR: 1.0}
    before = {key: value.clone() for key, value in model.state_dict().items()}
    spread = model.diversity(Batch(mels(), mels()))
    assert spread is not None and spread > 0
    assert model.training  # and nothing was learnt
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.alarm(losses, 1.0) is None
    collapse(model)
    spread = model.diversity(Batch(mels(), mels()))
    assert spread is not None and spread < 1e-3
    alarm = model.alarm(losses, spread)
    assert alarm is not None and model.REMEDY in alarm
    assert "silent or makes one sound of all" in alarm


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_drawn_for_a_transfer_lies_where_the_model_does(name: str) -> None:
    with torch.device("meta"):
        model = FAMILIES[name].kind(STYLES, FAMILIES[name].kind.PRESETS["default"])
    drawn = model.default_condition("jazz", generator=torch.Generator())
    assert drawn is None or drawn.device.type == "meta"


@pytest.mark.parametrize("ema", [0.0, 0.9999])
def test_a_training_tells_of_the_model_that_it_keeps(
    small_corpus: Corpus, tmp_path: Path, ema: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the average, where there is one."""
    monkeypatch.setattr(loop, "EARLY", 0)
    config = dataclasses.replace(CONFIG, lr=1e-12, ema=ema)
    fresh = begin("melgan-vc", SMALL, small_corpus, config)
    collapse(fresh.system.model)
    state = with_optimizers(fresh.system, config)
    if state.averaged is not None:  # the running weights are alive again
        state.averaged.n_averaged.fill_(1)  # else the first step would copy them
        revive(state.system.model)
    last = run(state, small_corpus, tmp_path, config)[-1]
    assert last.alarm is not None and "collapsed" in last.alarm
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert all(row["diversity"] < 1e-3 for row in rows)
