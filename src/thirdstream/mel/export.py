"""A trained model as one file for other programs: ONNX or TorchScript.

The exported network goes from normalised mels of the source style to normalised mels of the target,
(batch, n_frames, n_mels) both, any batch and any n_frames. What comes before it and after it,
features and synthesis, is described in the file: see `description`.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from thirdstream import checkpoint
from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.mel.models.model import MelModel
from thirdstream.mel.networks.blocks import Block
from thirdstream.mel.system import MelSystem
from thirdstream.packages import onnxruntime

KEY = "thirdstream"  # of the description, in the file's own metadata
FILE = "thirdstream.json"  # the same among TorchScript's extra files
VERSION = 2  # of the description
OPSET = 17
INPUT, OUTPUT = "mel", "restyled"
TOLERANCE = 1e-4  # of the largest value: float32 sums in another order stay far below it
SHAPES = ((1, 259), (2, 64), (1, 37), (1, 1))  # (batch, n_frames) that are compared
LARGEST = 8.0  # normalised mels reach about so far

Format = Literal["onnx", "torchscript"]
Run = Callable[[Tensor], Tensor]


class Restyler(nn.Module):
    """The way of `MelSystem.convert` between its two normalisations, in one direction.

    It has a copy of the model, in operations that both formats know. condition: (1, n), fixed, of
    models that have one (see `MelModel.default_condition`).
    """

    most_before: Tensor
    most_after: Tensor

    def __init__(
        self, system: MelSystem, *, source: str, target: str, condition: Tensor | None
    ) -> None:
        super().__init__()
        self.model, self.source, self.target = _plain(system.model), source, target
        self.condition = condition
        self.register_buffer("most_before", system.log_mel(source).mel_max)
        self.register_buffer("most_after", system.log_mel(target).mel_max)

    def forward(self, mel: Tensor) -> Tensor:
        """Normalised mel of the source -> of the target, (batch, n_frames, n_mels)."""
        mel = torch.minimum(mel, self.most_before)
        made = self.model.transfer(
            mel, source=self.source, target=self.target, condition=self.condition
        )
        return torch.minimum(made, self.most_after)


def export(
    system: MelSystem,
    path: Path,
    *,
    source: str,
    target: str,
    condition: Tensor | None,
    format: Format,
) -> float:
    """Write one direction of a system as `path`, and compare what was written with the system.

    condition: (1, n), of models that have one (see `MelModel.default_condition`).

    Returns the largest difference on random mels of four sizes. Raises ThirdstreamError, and leaves
    no file, if it is more than 1e-4 of the largest value, or if a package is missing.
    """
    restyler = Restyler(system, source=source, target=target, condition=condition).eval()
    about = description(system, source=source, target=target, condition=condition)
    write, read = {
        "onnx": (_write_onnx, _read_onnx),
        "torchscript": (_write_torchscript, _read_torchscript),
    }[format]
    _needed(format)
    with whole_file(path) as temporary:
        write(restyler, about, temporary)
        return _difference(read(temporary), system, restyler)


def description(
    system: MelSystem, *, source: str, target: str, condition: Tensor | None
) -> dict[str, Any]:
    """What a user of the exported file needs, and what it is, as JSON knows it.

    mel: the transform (rates in Hz, lengths in samples). statistics: by style, s and s_f of the
    normalisation log10(1 + X / s) / s_f of mel power X at -20 dB (paper, section 2.2).
    """
    return {
        "version": VERSION,
        "system": system.name,
        "source": source,
        "target": target,
        "input": INPUT,
        "output": OUTPUT,
        "axes": ["batch", "n_frames", "n_mels"],
        "mel": asdict(system.mel),
        "statistics": {
            of: {
                "scale": float(system.log_mel(of).scale),
                "mel_std": system.log_mel(of).mel_std.tolist(),
            }
            for of in dict.fromkeys((source, target))
        },
        "condition": None if condition is None else condition[0].tolist(),
        "card": system.card,
        "versions": checkpoint.versions(),
    }


def _plain(model: MelModel) -> MelModel:
    """A copy whose blocks do not fold, as the branches of that depend on the number of frames, and
    whose spectrally normalised weights are computed once.
    """
    made = type(model)(model.styles, model.config)  # parametrised modules cannot be copied
    made.load_state_dict(model.state_dict())
    for one in list(made.eval().requires_grad_(False).modules()):
        if isinstance(one, Block):
            one.folds = False
        if parametrize.is_parametrized(one):
            for name in list(cast(nn.ModuleDict, one.parametrizations)):
                parametrize.remove_parametrizations(one, name)
    return made


def _needed(format: Format) -> None:
    if format == "torchscript":
        return
    try:
        import onnx  # noqa: F401

        onnxruntime()
    except ImportError as error:
        raise ThirdstreamError(
            f"exporting as ONNX needs {error.name}; install it with: "
            "pip install 'thirdstream[export]', or choose --format torchscript"
        ) from error


def _example(restyler: Restyler) -> tuple[Tensor]:
    return (torch.zeros(*SHAPES[1], len(restyler.most_before)),)


def _write_onnx(restyler: Restyler, about: dict[str, Any], path: Path) -> None:
    import onnx

    axes = {0: "batch", 1: "n_frames"}
    with warnings.catch_warnings():
        # The exporter through torch.export cannot follow a number of frames that is not a multiple
        # of the patch (torch 2.13); this one can, and says at every call that it will go.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            restyler,
            _example(restyler),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: axes, OUTPUT: axes},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {KEY: json.dumps(about, allow_nan=False)})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _read_onnx(path: Path) -> Run:
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    return lambda mel: torch.from_numpy(session.run([OUTPUT], {INPUT: mel.numpy()})[0])


def _write_torchscript(restyler: Restyler, about: dict[str, Any], path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # deprecated for what can't be saved for C++ yet
        traced = torch.jit.trace(restyler, _example(restyler), check_trace=False)
        extra = {FILE: json.dumps(about, allow_nan=False)}
        torch.jit.save(traced, str(path), _extra_files=extra)


def _read_torchscript(path: Path) -> Run:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(str(path))


@torch.inference_mode()
def _difference(run: Run, system: MelSystem, restyler: Restyler) -> float:
    """The largest between `run` and the system's own way. Raises ThirdstreamError if too large."""
    generator = torch.Generator().manual_seed(0)
    before, after = system.log_mel(restyler.source), system.log_mel(restyler.target)
    largest = 0.0
    for n_batch, n_frames in SHAPES:
        shape = (n_batch, n_frames, len(restyler.most_before))
        mel = LARGEST * torch.rand(shape, generator=generator) ** 3  # mostly small, as mels are
        made = after.within(
            system.model.transfer(
                before.within(mel),
                source=restyler.source,
                target=restyler.target,
                condition=restyler.condition,
            )
        )
        got = run(mel)
        far = float((got - made).abs().max()) if got.shape == made.shape else torch.inf
        if not far <= TOLERANCE * max(1.0, float(made.abs().max())):
            raise ThirdstreamError(
                f"the exported network differs from the model by {far:.2g} on mels of shape "
                f"{shape}, so it was not written; try the other --format, and report it"
            )
        largest = max(largest, far)
    return largest
