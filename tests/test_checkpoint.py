import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from conftest import STYLES, TINY, music
from test_cli import run
from thirdstream import checkpoint, registry
from thirdstream.checkpoint import CheckpointError
from thirdstream.mel.features.logmel import Statistics
from thirdstream.mel.models.travel import Travel
from thirdstream.mel.system import MelSystem, load
from thirdstream.mel.training import history
from thirdstream.mel.training.loop import TrainingError
from thirdstream.mel.training.run import load_state


def test_the_path_is_enough_to_load_a_model(system: MelSystem, tmp_path: Path) -> None:
    system.set_statistics({style: Statistics(3.0, [0.5] * 256, [9.0] * 256) for style in STYLES})
    system.card["corpus"] = "none"
    system.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.model.config == TINY
    assert (loaded.styles, loaded.name, loaded.mel) == (system.styles, system.name, system.mel)
    assert loaded.card == {"corpus": "none"}
    power = torch.rand(1, 20, 256)
    expected = system.convert(power, source="jazz", target="classical")
    assert torch.equal(loaded.convert(power, source="jazz", target="classical"), expected)


def test_what_training_alone_uses_may_be_left_out(tmp_path: Path) -> None:
    torch.manual_seed(3)
    whole = MelSystem("travel", Travel(STYLES, Travel.PRESETS["default"])).eval()
    path, full = tmp_path / "lean.safetensors", tmp_path / "full.safetensors"
    whole.save(full)
    whole.save(path, for_training=False)
    assert path.stat().st_size < 0.5 * full.stat().st_size
    lean, again = load(path), load(path)
    assert all(map(torch.equal, lean.state_dict().values(), again.state_dict().values()))
    assert lean.n_parameters() == whole.n_parameters()
    power = torch.rand(1, 20, 256)
    made = [one.convert(power, source="jazz", target="classical") for one in (whole, lean)]
    assert torch.equal(*made)
    tensors, header = checkpoint.read(path)
    del tensors["model.decoders.of.style-jazz.layers.0.weight"]
    checkpoint.save(path, tensors, header)
    with pytest.raises(CheckpointError, match="does not fit this version"):
        load(path)


def test_a_model_can_be_read_by_whom_the_folder_lets_read(
    system: MelSystem, tmp_path: Path
) -> None:
    (tmp_path / "plain").touch()
    system.save(tmp_path / "model.safetensors")
    modes = [(tmp_path / name).stat().st_mode for name in ("plain", "model.safetensors")]
    assert modes[0] == modes[1]


def test_the_header_names_versions(system: MelSystem, tmp_path: Path) -> None:
    system.save(tmp_path / "model.safetensors")
    versions = checkpoint.read_header(tmp_path / "model.safetensors")["versions"]
    assert {"python", "thirdstream", "torch", "librosa"} <= set(versions)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "empty.safetensors").touch()
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("text", "empty", "other", "missing"):
        with pytest.raises(
            CheckpointError, match=f"{name}.safetensors: is not a thirdstream model"
        ):
            load(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize(
    "damage",
    [
        lambda header: header.pop("config"),
        lambda header: header.update(family="nonesuch"),
        lambda header: header.update(styles=["a"]),
        lambda header: header["config"].update(channels=[9, 9]),
        lambda header: header["config"].update(surprise=1),
    ],
)
def test_a_header_that_does_not_fit_is_explained(system: MelSystem, tmp_path: Path, damage) -> None:
    header = json.loads(json.dumps(system.header()))
    damage(header)
    checkpoint.save(tmp_path / "m.safetensors", system.state_dict(), header)
    with pytest.raises(CheckpointError, match="does not fit this version"):
        load(tmp_path / "m.safetensors")


def test_mels_must_divide_into_the_code() -> None:
    from thirdstream.mel.features.logmel import MelConfig
    from thirdstream.mel.system import build

    with pytest.raises(
        checkpoint.ThirdstreamError,
        match=r"patch must be a divisor of 60|channels must be fewer numbers: .* 60 mels",
    ):
        build("twin-cnn", STYLES, dataclasses.replace(TINY), MelConfig(n_mels=60))


def of_version_0_1(
    system: MelSystem, **more: object
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and header as that version wrote them."""
    header = system.header()
    header = {"system": header.pop("family"), "twin": header.pop("config"), **header, **more}
    named = {re.sub(r"^model\.", "twin.", name): one for name, one in system.state_dict().items()}
    return named, header


def test_a_model_of_version_0_1_is_converted_and_refused_until_then(
    system: MelSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    checkpoint.save(old, *of_version_0_1(system))
    with pytest.raises(CheckpointError, match=r"thirdstream convert .*old\.safetensors --out"):
        registry.load(old)
    assert run("convert", old, "--out", new) == 0
    wave = music(0, 5_000)
    expected = system.transfer(wave, 44_100, to="jazz")
    np.testing.assert_array_equal(registry.load(new).transfer(wave, 44_100, to="jazz"), expected)
    assert run("convert", new, "--out", tmp_path / "again.safetensors") == 1
    assert "needs no conversion" in " ".join(capsys.readouterr().err.split())
    assert run("convert", old, "--out", new) == 1
    assert "add --force" in " ".join(capsys.readouterr().err.split())


def test_a_run_of_version_0_1_is_not_resumed_and_its_state_is_no_model(
    system: MelSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named, header = of_version_0_1(system, training={}, step=1)
    path = tmp_path / "resume.safetensors"
    checkpoint.save(path, {f"system.{name}": one for name, one in named.items()}, header)
    with pytest.raises(TrainingError, match=r"earlier version.* thirdstream convert .*--init"):
        load_state(tmp_path)
    assert run("convert", path, "--out", tmp_path / "new.safetensors") == 1
    assert "give best.safetensors" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new.safetensors").exists()


def test_the_history_of_a_model_that_is_converted_in_place_is_converted_too(
    system: MelSystem, tmp_path: Path
) -> None:
    path = tmp_path / "best.safetensors"
    checkpoint.save(path, *of_version_0_1(system))
    line = {"epoch": 1, "step": 2, "train": {"critic": 0.5}}
    (tmp_path / "history.jsonl").write_text(json.dumps(line))
    assert run("convert", path, "--out", path, "--force") == 0
    found = history.beside(path)
    assert found is not None
    assert history.read(found)[0].train == {"discriminator": 0.5}
