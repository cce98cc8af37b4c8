"""A trained system on the test recordings of a corpus: eqs. 1 and 2, and all of `measures`."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thirdstream.data.corpus import TEST, TRAIN, VALIDATION, Corpus, Recording
from thirdstream.files import ThirdstreamError
from thirdstream.mel.models.twin import TwinAutoencoder
from thirdstream.mel.system import MelSystem
from thirdstream.research import measures

BATCH = 4  # segments that get one style, where the style of transfers is drawn
N_DRAWS = 6  # of the style, for the diversity

Measured = dict[str, dict[str, Any]]  # by measure: "mean", and "by_recording"


class Sample(NamedTuple):
    """Segments of one style. recordings: whose each segment is; power: mel power at -20 dB."""

    split: str
    recordings: list[str]
    power: Tensor


@torch.inference_mode()
def measure(system: MelSystem, corpus: Corpus, *, n_segments: int, seed: int) -> dict[str, Any]:
    """All measures of a system on a corpus's test recordings, as plain data without NaN.

    n_segments: of each style, spread evenly over its test recordings (where a style has none, over
    its validation or training recordings; "split" says which). seed: of that choice, and of styles
    that are drawn. No cut-off at the training data's maximum, which the paper has not. A measure
    is its "mean" over segments and the means "by_recording", as in "recordings"; None where there
    is no value. "latent" is eq. 2, None for models without one latent space; "diversity" is None
    for models that draw no style. Raises ThirdstreamError if the corpus lacks a style, and if the
    system gives NaN.
    """
    samples = {}
    for style in system.styles:
        if style not in corpus.styles:
            raise ThirdstreamError(f"{corpus.path}: has no {style}, which {system.name} needs")
        samples[style] = sample(corpus, style, n_segments=n_segments, seed=seed)
    rows = {style: measures.of_original(one.power, system.mel) for style, one in samples.items()}
    originals = {style: _summary(rows[style], one) for style, one in samples.items()}
    made = {style: _made(system, samples, style, originals, seed) for style in samples}
    latents = [one["latent"] for one in made.values()]
    return {
        "split": {style: one.split for style, one in samples.items()},
        "segments": {style: len(one.power) for style, one in samples.items()},
        "recordings": {
            style: list(dict.fromkeys(one.recordings)) for style, one in samples.items()
        },
        "reconstruction": {style: one["reconstruction"] for style, one in made.items()},
        "latent": None if None in latents else float(np.mean(latents)),
        "transfers": {_direction(system, style): one["transfer"] for style, one in made.items()},
        "reconstructions": {style: one["rebuilt"] for style, one in made.items()},
        "originals": originals,
        "diversity": diversity(system, {s: one.power[:BATCH] for s, one in samples.items()}, seed),
    }


def _direction(system: MelSystem, style: str) -> str:
    return f"{style} to {system.model.other(style)}"


def sample(corpus: Corpus, style: str, *, n_segments: int, seed: int) -> Sample:
    """So many segments of a style, as many of each recording as of the others."""
    split = next(one for one in (TEST, VALIDATION, TRAIN) if corpus.of(style, one))
    recordings = corpus.of(style, split)
    draw = np.random.default_rng([seed, corpus.styles.index(style)])
    orders: list[tuple[Recording, NDArray[np.int64]]] = [
        (recordings[at], draw.permutation(recordings[at].n_segments))
        for at in draw.permutation(len(recordings))
    ]
    longest = max(len(order) for _, order in orders)
    chosen = [(one, int(order[k])) for k in range(longest) for one, order in orders
              if k < len(order)][:n_segments]  # fmt: skip
    power = [torch.from_numpy(corpus.power(one, slice(at, at + 1))) for one, at in chosen]
    return Sample(split, [one.features for one, _ in chosen], torch.cat(power))


def _made(
    system: MelSystem,
    samples: Mapping[str, Sample],
    style: str,
    originals: Mapping[str, Measured],
    seed: int,
) -> dict[str, Any]:
    """One style's reconstructions and transfers, measured."""
    target = system.model.other(style)
    own, others = samples[style], samples[target].power
    generator = torch.Generator().manual_seed(seed)
    usual = {name: one["mean"] for name, one in originals[target].items()}
    usual = {name: math.nan if mean is None else mean for name, mean in usual.items()}
    rows: dict[str, list[dict[str, Tensor]]] = defaultdict(list)
    for at in range(0, len(own.power), BATCH):
        power = own.power[at : at + BATCH]
        another = others[torch.arange(at, at + len(power)) % len(others)]
        condition = system.model.default_condition(target, generator=generator)
        of_batch = _rows(system, power, another, style=style, condition=condition, usual=usual)
        for what, row in of_batch.items():
            rows[what].append(row)
    joined = {what: _joined(parts) for what, parts in rows.items()}
    means = {name: float(values.mean()) for name, values in joined["losses"].items()}
    if not all(map(math.isfinite, means.values())):
        raise ThirdstreamError(
            f"{system.name}: gives values that are not finite; train it again with another seed"
        )
    return {
        "reconstruction": means["reconstruction"],
        "latent": means.get("latent"),
        "rebuilt": _summary(joined["rebuilt"], own),
        "transfer": _summary(joined["transfer"], own),
    }


def _rows(
    system: MelSystem,
    power: Tensor,
    another: Tensor,
    *,
    style: str,
    condition: Tensor | None,
    usual: Mapping[str, float],
) -> dict[str, dict[str, Tensor]]:
    """Of each of some segments: losses, and measures of its reconstruction and of its transfer.

    another: as much of the target style. usual: means of the target's originals.
    """
    model, target = system.model, system.model.other(style)
    mel = system.log_mel(style).normalise(power)
    rebuilt = model.reconstruct(mel, style)
    restyled = model.transfer(mel, source=style, target=target, condition=condition)
    loud = system.log_mel(target).denormalise(restyled.double())
    losses = {"reconstruction": (rebuilt - mel).abs().mean((1, 2))}
    if isinstance(model, TwinAutoencoder):
        came = model.content(restyled, target) - model.content(mel, style)
        losses["latent"] = came.abs().flatten(1).mean(1)
    return {
        "losses": losses,
        "rebuilt": measures.of_reconstruction(rebuilt, mel, system.mel),
        "transfer": measures.of_transfer(loud, power, another, system.mel, usual=usual)
        | measures.of_lines(restyled, mel, system.log_mel(target).normalise(another)),
    }


def _joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _summary(rows: Mapping[str, Tensor], own: Sample) -> Measured:
    """Means over segments and by recording, of the segments that have a value."""
    found: Measured = {}
    for name, values in rows.items():
        groups: dict[str, list[float]] = {recording: [] for recording in own.recordings}
        for recording, value in zip(own.recordings, values.tolist(), strict=True):
            if math.isfinite(value):
                groups[recording].append(value)
        found[name] = {
            "mean": _mean([value for group in groups.values() for value in group]),
            "by_recording": [_mean(group) for group in groups.values()],
        }
    return found


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def diversity(
    system: MelSystem, powers: Mapping[str, Tensor], seed: int
) -> dict[str, float] | None:
    """By direction, how much the style drawn changes the transfer; None where none is drawn.

    The mean of |a - b| over pairs of six draws, by the mean of |a| over draws, of normalised mels:
    0 to 2.
    """
    model, found = system.model, {}
    for style, power in powers.items():
        target, generator = model.other(style), torch.Generator().manual_seed(seed)
        draws = [model.default_condition(target, generator=generator) for _ in range(N_DRAWS)]
        styles = [one for one in draws if one is not None]
        if not styles or all(torch.equal(one, styles[0]) for one in styles):
            return None
        mel = system.log_mel(style).normalise(power)
        made = [model.transfer(mel, source=style, target=target, condition=one) for one in styles]
        apart = np.mean([float((a - b).abs().mean()) for a, b in combinations(made, 2)])
        size = np.mean([float(one.abs().mean()) for one in made])
        found[_direction(system, style)] = float(apart / size) if size else 0.0
    return found
