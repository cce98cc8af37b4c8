"""Weights by which chords are found: python recipes/chord_context.py WORK PAIRS ... -- PAIRS ...

PAIRS: folders of `thirdstream benchmark` or of `recipes/combos.py`, to learn from, and after `--`
to report on. WORK keeps their features. Maximum likelihood of what is played, by triads (sevenths
are left open), given the beats, which are right or a little beside. A network sees what sounds
around each beat; a linear-chain random field has the changes (`Context`). It begins as the field of
`recipes/transcription_weights.py`, which sees the beat alone, and is held to it. The mean of that
field and of N_NETWORKS goes to `context` in notes/transcription/weights.json.
"""

import json
import random
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch
import tyro
from torch import Tensor, nn

from chord_chain import log_sum, played  # a script beside this one
from pair_features import Recording, beats_of, material_of  # a script beside this one
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.transcription import chords, weights
from thirdstream.notes.transcription.chords import KINDS, MEMBERS, PLACES
from thirdstream.notes.transcription.context import REACH, around
from thirdstream.notes.transcription.features import FPS
from thirdstream.notes.transcription.weights import ChordWeights

N_SEEN = 12 * 3 * (2 * REACH + 1)
N_HIDDEN, N_NETWORKS, DROPPED = 24, 1, 0.1
STEPS, RATE, BATCH, LENGTH = 240, 0.01, 24, 64  # of Adam; sequences of beats at a time
SHRINK = 1e-3  # weight of the squares
BESIDE, UNEVEN = 0.1, 0.03  # of a beat: how far all beats are beside, and each one
DIGITS = 3


class Row(NamedTuple):
    """chroma (n_beats, 3, 12), which states are right (n_beats, N_STATES), places (n_beats,) in
    bars of so many beats."""

    chroma: np.ndarray
    right: np.ndarray
    places: np.ndarray
    metre: int
    source: str


def rows_of(one: Recording, source: str, *, others: int) -> list[Row]:
    """With true beats, and others that are a little beside."""
    record, observed, style = one
    at, _ = beats_of(record, observed)
    beat_s, rng = at[1] - at[0], np.random.default_rng(zlib.crc32(record["title"].encode()))
    sums, n_beats = chords.ChromaSums.of(observed.posteriors), round(record["beats_per_bar"])
    right = played(record, style, len(at) - 1)
    places = np.array([chords.place_of(beat, n_beats) for beat in range(len(at) - 1)])
    found = []
    for number in range(1 + others):
        by = rng.uniform(-BESIDE, BESIDE) + rng.normal(0, UNEVEN, len(at)) if number else 0.0
        chroma = chords.beat_chroma(sums, (at + by * beat_s) * FPS)
        found.append(Row(chroma, right, places, n_beats, f"{source} {style}"))
    return found


class Context(nn.Module):
    """`context.suits` and the field of `chords`, as a likelihood."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(N_SEEN + len(PLACES), N_HIDDEN)
        self.out = nn.Linear(N_HIDDEN, len(KINDS), bias=False)
        nn.init.normal_(self.out.weight, std=0.05)
        self.drop, known = nn.Dropout(DROPPED), weights.chord_weights()
        self.before = nn.Buffer(torch.zeros(2 * REACH + 1, 3, 12, len(KINDS)))
        self.before[REACH] = torch.tensor(known.chroma).movedim(1, 2)
        self.before = self.before.flatten(0, 2).T
        self.linear = nn.Parameter(self.before.clone())
        self.kinds, self.change, self.change_bass, self.motion = (
            nn.Parameter(torch.tensor(one).float())
            for one in (known.kinds, known.change, known.change_bass, known.motion)
        )

    def forward(self, seen: Tensor, right: Tensor, places: Tensor, there: Tensor) -> Tensor:
        """Of batches (n_beats, n, ...), the negative logarithm of the likelihood a beat."""
        rolled = torch.stack([seen.roll(-root, 3) for root in range(12)], dim=2)
        rows = rolled.flatten(3)
        place = nn.functional.one_hot(places, len(PLACES)).float()[:, :, None].expand(-1, -1, 12, 3)
        hidden = torch.tanh(self.hidden(torch.cat([rows, place], dim=3)))
        suits = rows @ self.linear.T + self.kinds + self.out(self.drop(hidden))
        suits = suits.flatten(2)
        bass = self.change_bass[torch.as_tensor(MEMBERS)]
        enters = torch.einsum("tbrp,kp->tbrk", rolled[:, :, :, 3 * REACH + 2], bass).flatten(2)
        enters = enters - self.change[places][..., None]
        n, both = seen.shape[1], torch.cat([suits, suits.masked_fill(~right, -1e4)], dim=1)
        sums = log_sum(
            self.motion, both, torch.cat([enters, enters], 1), torch.cat([there, there], 1)
        )
        return (sums[:n] - sums[n:]).sum() / there.sum()

    def squares(self) -> Tensor:
        parts = (self.hidden.weight, self.out.weight, self.linear - self.before)
        return torch.stack([part.square().sum() for part in parts]).sum()


def batch(rows: list[Row], rng: random.Random) -> tuple[Tensor, ...]:
    """Stretches of LENGTH beats of BATCH rows, side by side."""
    parts = []
    for row in rng.choices(rows, k=BATCH):
        first = rng.randint(0, max(len(row.chroma) - LENGTH, 0))
        span = slice(first, first + LENGTH)
        seen = torch.tensor(around(row.chroma)[span]).float()
        there = torch.ones(len(seen), dtype=torch.bool)
        parts.append((seen, torch.tensor(row.right[span]), torch.tensor(row.places[span]), there))
    return tuple(nn.utils.rnn.pad_sequence(one) for one in zip(*parts, strict=True))


def trained(rows: list[Row], seed: int) -> Context:
    torch.manual_seed(seed)
    rng, network = random.Random(seed), Context()
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for step in range(STEPS):
        seen, right, places, there = batch(rows, rng)
        loss = network(seen, right | ~there[..., None], places, there)
        optimizer.zero_grad()
        (loss + SHRINK * network.squares()).backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            print(f"seed {seed}, step {step + 1}: {loss.item():.3f} a beat", flush=True)
    return network


def mean_of(networks: list[Context]) -> dict[str, Any]:
    """Their mean, as ContextWeights has it."""

    def mean(values: list[Tensor]) -> Tensor:
        return torch.stack(values).mean(dim=0)

    found = {
        "hidden": torch.cat([one.hidden.weight[:, :N_SEEN] for one in networks]),
        "place": torch.cat([one.hidden.weight[:, N_SEEN:] for one in networks]),
        "bias": torch.cat([one.hidden.bias for one in networks]),
        "out": torch.cat([one.out.weight for one in networks], dim=1) / len(networks),
        **{
            name: mean([getattr(one, name) for one in networks])
            for name in ("linear", "kinds", "change", "change_bass", "motion")
        },
    }
    return {
        name: np.round(value.detach().numpy().astype(float), DIGITS).tolist()
        for name, value in found.items()
    }


def tempered(found: dict[str, Any], field: ChordWeights) -> dict[str, Any]:
    """The mean of the network and of the field of single beats, which is a linear network that sees
    one beat: a smooth answer, and one that has less of what renderings alone have."""
    linear = np.zeros_like(found["linear"]).reshape(len(KINDS), 2 * REACH + 1, 3, 12)
    linear[:, REACH] = np.moveaxis(field.chroma, 0, 1)
    both = {name: (np.asarray(found[name]) + getattr(field, name)) / 2
            for name in ("kinds", "change", "change_bass", "motion")}  # fmt: skip
    both["linear"] = (np.asarray(found["linear"]) + linear.reshape(len(KINDS), -1)) / 2
    both["out"] = np.asarray(found["out"]) / 2
    rounded = {name: np.round(one, DIGITS).tolist() for name, one in both.items()}
    return found | rounded


def report(rows: list[Row]) -> None:
    """The share of beats with the right triad, given the beats, mean over recordings."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        known = ~row.right.all(axis=1)
        best = chords.posterior_of(row.chroma, Metres.steady(metre(row.metre, 4))).argmax(axis=1)
        found[row.source].append(float(row.right[np.arange(len(best)), best][known].mean()))
    for source, shares in sorted(found.items()):
        print(f"{source}, {len(shares)}: {np.mean(shares):.3f}", flush=True)


def main(work: str, *folders: str) -> None:
    parallel = joblib.Parallel(n_jobs=1)
    at = folders.index("--")
    rows: list[list[Row]] = []
    for names, others in ((folders[:at], 1), (folders[at + 1 :], 0)):
        material = [(name, material_of(Path(name), Path(work), parallel)) for name in names]
        rows.append([
            row
            for name, some in material
            for one in some
            for row in rows_of(one, "/".join(Path(name).parts[-2:]), others=others)
        ])  # fmt: skip
    known = json.loads(weights.PATH.read_text())
    found = mean_of([trained(rows[0], seed) for seed in range(N_NETWORKS)])
    known["context"] = tempered(found, weights.chord_weights())
    weights.PATH.write_text(json.dumps(known) + "\n")
    weights.context_weights.cache_clear()
    report(rows[1])


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
