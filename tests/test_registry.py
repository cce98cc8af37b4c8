"""A system of a new kind is one class, one options dataclass and one entry."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from conftest import music
from test_cli import run
from thirdstream import registry
from thirdstream.audio import SR, Wave
from thirdstream.evaluation.evaluate import entries_of
from thirdstream.evaluation.material import Material
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import build
from thirdstream.registry import SYSTEMS, Entry
from thirdstream.system import Options, System, options_of
from thirdstream.web.description import describe
from thirdstream.web.server import offered


@dataclass(frozen=True)
class ToyOptions(Options):
    """Of the toy."""

    keep_content: float = 0.5
    its_option: int = 1
    """How many samples late each
    channel is."""


class Toy(System[ToyOptions]):
    """Three styles, of which none is heard."""

    name, styles, options = "toy", ("jazz", "classical", "polka"), ToyOptions

    def stream(self, blocks: Iterable[Wave], options: ToyOptions) -> Iterator[Wave]:
        for number, block in enumerate(blocks):
            n_late = options.its_option if number == 0 else 0
            yield np.pad(block, ((0, 0), (n_late, 0)))


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Entry:
    entry = Entry("toy", "Plays it late.", Toy, ToyOptions)
    monkeypatch.setitem(SYSTEMS, "toy", entry)
    return entry


def test_it_is_listed_with_its_sentence_and_its_option(capsys) -> None:
    assert run("systems", "--json") == 0
    *_, listed = json.loads(capsys.readouterr().out)["systems"]
    help_text = "How many samples late each channel is."
    assert listed == {
        "name": "toy", "about": "Plays it late.", "presets": {},
        "options": {"its_option": help_text},
    }  # fmt: skip
    assert run("systems") == 0
    assert "--its-option" in capsys.readouterr().out


def test_the_command_takes_its_option_for_it_alone(song: Path, tmp_path: Path, capsys) -> None:
    given = ("transfer", song, "--to", "polka", "--format", "wav", "--its-option", 3)
    assert run(*given, "--model", "toy", "--out", tmp_path / "out") == 0
    before, after = (sf.read(path)[0] for path in (song, tmp_path / "out" / "song.wav"))
    np.testing.assert_allclose(after[3:], before[:-3], atol=1e-3)
    capsys.readouterr()
    arguments = ("--to", "jazz", "--model", "twin-cnn", "--out", tmp_path / "none")
    assert run("transfer", song, *arguments, "--its-option", 3) == 1
    assert "the model twin-cnn takes no its_option; leave --its-option out" in " ".join(
        capsys.readouterr().err.split()
    )
    assert run("transfer", "--help") == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "For toy: how many samples late each channel is. (default: 1)" in told
    assert "for score 1, for toy 0.5" in told


def test_python_the_page_and_evaluate_have_it() -> None:
    wave = music(0, 5_000)
    made = registry.load("toy").transfer(wave, SR, to="polka", its_option=0)
    np.testing.assert_allclose(made, wave, atol=1e-4)
    with pytest.raises(ThirdstreamError, match="it knows jazz, classical and polka"):
        registry.load("toy").transfer(wave, SR, to="waltz")
    assert offered(())["toy"] == "toy"
    shown = describe("toy", "toy")
    assert (shown.about, shown.styles) == ("Plays it late.", ("jazz", "classical", "polka"))
    fields = {field.name: (field.kind, field.default) for field in shown.fields}
    assert fields["keep_content"] == ("share", 0.5) and fields["its_option"] == ("number", 1)
    material = Material("", ("classical", "jazz"), {"classical": [], "jazz": []}, {})
    assert entries_of(["toy+blend=0.5"], material)[-1].name == "toy+blend=0.5"


def test_a_system_without_a_model_has_no_checkpoint() -> None:
    with pytest.raises(ThirdstreamError, match="toy: is a system without a model"):
        registry.find("toy")


def test_a_system_that_nobody_trained_yet_says_how(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("THIRDSTREAM_MODELS", str(tmp_path))
    with pytest.raises(ThirdstreamError, match="no model here; make one with: thirdstream train"):
        registry.load("melgan-vc")


def test_every_family_of_models_has_an_entry() -> None:
    assert set(FAMILIES) == {name for name, entry in SYSTEMS.items() if entry.is_trained}


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name not in FAMILIES] + [*FAMILIES])
def test_an_entry_is_what_it_loads(name: str) -> None:
    entry = SYSTEMS[name]
    if entry.is_trained and name not in registry.bundled_names():
        kind = FAMILIES[name].kind
        system = build(name, ("classical", "jazz"), kind.PRESETS["default"], MelConfig())
    else:
        system = registry.load(name)
    assert (system.name, system.options) == (name, entry.options)
    assert entry.about.endswith(".") and entry.about.count(". ") == 0
    assert all(option.help for option in options_of(entry.options))


def test_options_are_given_by_name_or_taken_over() -> None:
    toy = Toy()
    assert toy.accept(Options("jazz")) == ToyOptions("jazz")
    assert toy.accept(Options("jazz", seed=3)) == toy.choose(to="jazz", seed=3, its_option=None)
    assert toy.accept(ToyOptions("jazz", its_option=0)).its_option == 0
    for fault, given in (("--blend must lie between 0 and 1", {"blend": 2}),
                         ("does not know the style 'x'", {"source": "x"}),
                         ("takes no ensemble", {"ensemble": "swing"})):  # fmt: skip
        with pytest.raises(ThirdstreamError, match=fault):
            toy.choose(to="jazz", **given)
