"""Options of networks that cannot be: which, what it is, what is allowed, and what to do."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any, Literal, get_origin

import pytest

from conftest import STYLES
from test_cli import run
from thirdstream.data.corpus import Corpus
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.model import OptionError
from thirdstream.mel.system import build


def is_number(value: Any) -> bool:
    """Whether it is one, or a tuple of such."""
    one = value[0] if isinstance(value, tuple) else value
    return type(one) in (int, float)


NUMBERS = [
    (name, preset, field.name)
    for name, family in FAMILIES.items()
    for preset, config in family.kind.PRESETS.items()
    for field in dataclasses.fields(config)
    if is_number(getattr(config, field.name))
]


@pytest.mark.parametrize(("name", "preset", "option"), NUMBERS)
def test_a_number_below_zero_is_named_and_nothing_else(name: str, preset: str, option: str) -> None:
    config = FAMILIES[name].kind.PRESETS[preset]
    several = isinstance(getattr(config, option), tuple)
    with pytest.raises(OptionError) as caught:
        dataclasses.replace(config, **{option: (-1,) if several else -1})
    said = str(caught.value)
    assert said.startswith(f"{option} must be ") and said.endswith(" (got -1)")
    assert len(said) < 100
    assert str(pickle.loads(pickle.dumps(caught.value))) == said  # workers raise it too


WORDS = [
    (name, field.name)
    for name, family in FAMILIES.items()
    for field in dataclasses.fields(family.kind.Config)
    if get_origin(field.type) is Literal
]


@pytest.mark.parametrize(("name", "option"), WORDS)
def test_a_word_that_is_none_of_an_options_is_named(name: str, option: str) -> None:
    with pytest.raises(OptionError, match=rf"^{option} must be one of [a-z0-9, ]+ \(got other\)$"):
        dataclasses.replace(FAMILIES[name].kind.PRESETS["default"], **{option: "other"})


@pytest.mark.parametrize("name", FAMILIES)
def test_a_weight_below_zero_is_named(name: str) -> None:
    config = FAMILIES[name].kind.PRESETS["default"]
    loss = next(iter(config.weights))
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(OptionError, match=rf"weights must be .* \(got {loss} {weight}\)"):
            dataclasses.replace(config, weights={**config.weights, loss: weight})


@pytest.mark.parametrize(
    ("name", "change", "n_mels", "fault"),
    [("melgan-vc", {"n_mels": 128}, 256, "n_mels must be 256, as many as the mels have (got 128)"),
     ("twin-paired", {}, 60, "n_mels must be 60, as many as the mels have (got 256)"),
     ("twin-cnn", {"patch": 3}, 256, "patch must be a divisor of 256, as many as mels are (got 3)"),
     ("travel", {"channels": (4,) * 8}, 256,
      "channels must be fewer numbers: all but one halve 256 mels by patch 4 (got 4 4 4 4 4 4 4 "
      "4)"),
     ],
)  # fmt: skip
def test_networks_that_do_not_fit_the_mels_are_refused_by_option(
    name: str, change: dict[str, Any], n_mels: int, fault: str
) -> None:
    config = dataclasses.replace(FAMILIES[name].kind.PRESETS["default"], **change)
    with pytest.raises(OptionError) as caught:
        build(name, STYLES, config, MelConfig(n_mels=n_mels))
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("typed", "said"),
    [("melgan-vc --n-mels 128",
      "--n-mels must be 256, as many as the mels have (got 128); choose another, or leave --n-mels "
      "out for 256"),
     ("melgan-vc --slice-frames 10",
      "--slice-frames must be a multiple of 4 (got 10); choose another, or leave --slice-frames "
      "out for 24"),
     ("melgan-vc --identity -1",
      "each loss's weight must be a number from 0 up (got identity -1.0); choose another, or leave "
      "--identity out"),
     ("twin-gan --weights adversarial -1 content 1 reconstruction 1 style 1",
      "--weights must be a number from 0 up (got adversarial -1.0); choose another, or leave "
      "--weights out for reconstruction 1 adversarial 0.004 content 0.1 style 0.01"),
     ("play-as-you-like --patch 3",
      "--patch must be 1, 2 or 4 (got 3); choose another, or leave --patch out for 2"),
     ("travel --discriminator-channels 0 4",
      "--discriminator-channels must be from 1 to 4096 (got 0 4); choose another, or leave "
      "--discriminator-channels out for 8 16 32"),
     ("twin-vae --preset paper --channels 8",
      "--latent-channels must be a number where channels is a single one (got None); choose "
      "another, or leave --channels out"),
     ],
)  # fmt: skip
def test_the_command_says_option_value_range_and_remedy(
    small_corpus: Corpus, tmp_path: Path, capsys: Any, typed: str, said: str
) -> None:
    common = ["--corpus", small_corpus.path, "--out", tmp_path / "run"]
    assert run("train", *typed.split(), *common) == 1
    assert " ".join(capsys.readouterr().err.split()) == f"thirdstream: {said}"
    assert not (tmp_path / "run" / "resume.safetensors").exists()


def test_a_weight_is_part_of_the_network_that_init_keeps(
    small_corpus: Corpus, tmp_path: Path, capsys: Any
) -> None:
    common = ["--corpus", small_corpus.path, "--out", tmp_path / "run"]
    assert run("train", "melgan-vc", *common, "--init", "travel", "--identity", 9) == 1
    assert "leave --identity out" in " ".join(capsys.readouterr().err.split())
