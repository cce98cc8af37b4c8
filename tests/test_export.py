"""Exported networks, run by other programs than ours."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from conftest import STYLES
from test_cli import run
from thirdstream.files import ThirdstreamError
from thirdstream.mel import export
from thirdstream.mel.features.logmel import Statistics
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import MelSystem
from thirdstream.packages import onnxruntime


def made(name: str, preset: str) -> MelSystem:
    """An untrained system with statistics of its own."""
    torch.manual_seed(0)
    system = MelSystem(name, FAMILIES[name].kind(STYLES, FAMILIES[name].kind.PRESETS[preset]))
    for number, style in enumerate(STYLES):
        mel_std = np.linspace(0.2, 0.4 + number, 256).tolist()
        system.log_mel(style).set_statistics(Statistics(2.0 + number, mel_std, [5.0] * 256))
    return system.eval().requires_grad_(False)


def written(system: MelSystem, path: Path, format: export.Format) -> tuple[float, Tensor | None]:
    """Export classical to jazz; the difference, and the condition."""
    condition = system.model.default_condition("jazz", generator=torch.Generator().manual_seed(1))
    how = {"source": "classical", "target": "jazz", "condition": condition}
    return export.export(system, path, **how, format=format), condition


@pytest.mark.parametrize(
    ("name", "preset"),
    [(name, "paper" if name in ("twin-vae", "twin-gan") else "default") for name in FAMILIES],
)
def test_onnxruntime_makes_what_the_system_makes(name: str, preset: str, tmp_path: Path) -> None:
    runtime = onnxruntime()

    system, path = made(name, preset), tmp_path / "net.onnx"
    difference, condition = written(system, path, "onnx")
    assert difference < 1e-3
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["thirdstream"])
    statistics = {of: {k: np.array(v) for k, v in one.items()} for of, one in
                  about["statistics"].items()}  # fmt: skip
    power = 20 * torch.rand(1, 101, about["mel"]["n_mels"], generator=torch.Generator()) ** 4
    before, after = (statistics[about[end]] for end in ("source", "target"))
    mel = np.log10(1 + power.numpy() / before["scale"]) / before["mel_std"]
    [restyled] = session.run([about["output"]], {about["input"]: mel.astype(np.float32)})
    back = after["scale"] * (10 ** (np.maximum(restyled, 0) * after["mel_std"]) - 1)
    wanted = system.convert(power, source="classical", target="jazz", condition=condition)
    np.testing.assert_allclose(back, wanted, rtol=2e-3, atol=1e-3)
    if condition is not None:
        assert about["condition"] == pytest.approx(condition[0].tolist())


def test_torchscript_carries_the_same(tmp_path: Path) -> None:
    system, path = made("twin-vae", "default"), tmp_path / "net.pt"
    assert written(system, path, "torchscript")[0] == pytest.approx(0, abs=1e-5)
    extra = {export.FILE: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.load(str(path), _extra_files=extra)
    about = json.loads(extra[export.FILE])
    assert about["mel"]["n_fft"] == 2048
    assert about["statistics"]["jazz"]["scale"] == 3.0
    mel = torch.rand(3, 50, 256)
    wanted = system.model.transfer(mel, source="classical", target="jazz")
    torch.testing.assert_close(network(mel), wanted, rtol=1e-4, atol=1e-5)


def test_a_file_that_differs_is_not_written(
    system: MelSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(export.Restyler):
        def forward(self, mel: Tensor) -> Tensor:
            return super().forward(mel) + 0.01

    monkeypatch.setattr(export, "Restyler", Other)
    with pytest.raises(ThirdstreamError, match=r"differs from the model by 0\.01"):
        written(system, tmp_path / "net.pt", "torchscript")
    assert list(tmp_path.iterdir()) == []


def test_the_command(system: MelSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = tmp_path / "model.safetensors", tmp_path / "net.pt"
    system.save(model)
    given = ("export", model, "--to", "jazz", "--format", "torchscript", "--out", out)
    assert run(*given, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["difference"] < 1e-5
    assert (told["source"], told["target"], told["path"]) == ("classical", "jazz", str(out))
    assert run(*given) == 1
    assert "exists already; add --force" in capsys.readouterr().err
    assert run(*given, "--force") == 0
    assert "classical to jazz" in capsys.readouterr().out
    for wrong, fault in (
        (("score", "--to", "jazz"), "is a system without a model"),
        ((model, "--to", "polka"), "does not know the style 'polka'"),
    ):
        assert run("export", *wrong, "--out", tmp_path / "x") == 1
        assert fault in capsys.readouterr().err.replace("\n", "")


def test_the_model_stays_as_it_is(tmp_path: Path) -> None:
    system = made("twin-cnn", "paper")
    folding = [block.folds for block in system.modules() if isinstance(block, export.Block)]
    written(system, tmp_path / "net.pt", "torchscript")
    assert any(folding)
    assert folding == [b.folds for b in system.modules() if isinstance(b, export.Block)]
