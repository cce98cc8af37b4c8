"""Models of an earlier version, of which tensors and parts of the configuration had other names."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from thirdstream import checkpoint
from thirdstream.files import ThirdstreamError, write_text
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import is_old, rebuild
from thirdstream.mel.training import history

TENSORS = {
    r"^twin\.": "model.",
    r"\.critics\.": ".discriminators.",
    r"\.ears\.": ".contrastive_encoders.",
    r"\.memories\.": ".indices.",
    r"\.steps$": ".scales",
    r"\.usual\.": ".mean_styles.",
    r"\.n_(drawn|seen)$": ".n_batches",
}
CONFIG = {
    "critic_channels": "discriminator_channels",
    "ear_channels": "contrastive_channels",
    "shared_channels": "embedding_size",
    "n_remembered": "n_index_segments",
}
LOSSES = {"critic": "discriminator", "slope": "gradient_penalty", "agreement": "contrastive"}


def convert(path: Path, out: Path) -> None:
    """Write a model of an earlier version as one of this, with its history where it has one.

    Raises ThirdstreamError where `path` is none, or cannot be converted.
    """
    tensors, header = checkpoint.read(path)
    if not is_old(header):
        raise ThirdstreamError(f"{path}: is no model of an earlier version; it needs no conversion")
    try:
        new = converted_header(header)
        named = converted_tensors(tensors, family=new["family"])
        rebuild(new, {name: tensor.shape for name, tensor in named.items()})
    except (KeyError, TypeError, ValueError, AttributeError, ThirdstreamError) as error:
        raise ThirdstreamError(
            f"{path}: cannot be converted ({error}); give best.safetensors or last.safetensors of "
            "its run, or train it again"
        ) from error
    checkpoint.save(out, named, new)
    old_history = history.beside(path)
    if old_history is not None:
        lines = old_history.read_text(encoding="utf-8").splitlines()
        text = "".join(json.dumps(_renamed(json.loads(line))) + "\n" for line in lines)
        write_text(out.with_suffix(f".{history.NAME}"), text)


def converted_header(header: Mapping[str, Any]) -> dict[str, Any]:
    """A header of an earlier version as this version has it."""
    known = {field.name for field in fields(FAMILIES[header["system"]].kind.Config)}
    config = {CONFIG.get(name, name): value for name, value in header["twin"].items()}
    config = {name: value for name, value in config.items() if name in known}
    config["weights"] = _names(config["weights"])
    if header["system"] == "twin-paired":
        config["channels"] = config["channels"][0]
    kept = {name: header[name] for name in ("styles", "mel", "versions")}
    card = _renamed(header["card"])
    return {"family": header["system"], "config": config, "card": card, **kept}


def converted_tensors(tensors: Mapping[str, Tensor], *, family: str) -> dict[str, Tensor]:
    """Tensors of an earlier version by the names of this version."""
    named = {}
    for name, tensor in tensors.items():
        new = name
        for pattern, replacement in TENSORS.items():
            if ".usual." not in name or pattern != r"\.n_(drawn|seen)$":
                new = re.sub(pattern, replacement, new)
        named[new] = tensor
    if family in ("twin-gan", "twin-variational-gan"):
        seen = (tensor for name, tensor in named.items() if name.endswith(".n_seen"))
        named["model.n_batches"] = next(seen, torch.zeros(())).clone()
    return named


def _renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A card, or a line of history, with losses by their names of this version."""
    losses = {part: _names(record[part]) for part in ("train", "validation") if record.get(part)}
    return {**record, **losses}


def _names(losses: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if losses is None else {LOSSES.get(k, k): value for k, value in losses.items()}
