"""Weights of the decoders of beats and chords.

    transcription_weights.py PAIRS SOLOS WORK [chords] [beats]

PAIRS: folder of `recipes/versions.py`; SOLOS: of `recipes/solos.py`, for beats alone. The first
60 s of each recording are used. WORK: keeps their features, and has the networks of
`recipes/beat_activations.py`. The weights go to
notes/transcription/weights.json; name a part to find that alone. Chords: maximum likelihood of what
is played (in jazz, the changes of the arranger), given the beats; sevenths are left open. Beats:
bar lines by logistic regression, then a few networks that rank the hypotheses of a recording by how
right their beats and bar lines are (expected F, a softmax over hypotheses); their mean is kept as
one. They learn from other performances of each recording too (performances.py).
"""

import json
from pathlib import Path
from typing import Any

import joblib
import mir_eval
import numpy as np
import torch
import tyro
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from chord_chain import log_sum, played  # a script beside this one
from pair_features import Recording, beats_of, half_of, material_of  # a script beside this one
from performances import Performance, performances, quick  # a script beside this one
from ranking import Settings, mean_of, trained  # a script beside this one
from thirdstream.notes.transcription import beats, hypotheses, weights
from thirdstream.notes.transcription.activations import Activations, activations_of
from thirdstream.notes.transcription.chords import (
    KINDS,
    MEMBERS,
    PLACES,
    ChromaSums,
    beat_chroma,
    place_of,
)
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.pulse import frame_evidence

PARTS = ("chords", "beats")
MOST_BEATS = 130
STEPS, RATE = 150, 0.08  # of Adam, for the chords
SOFT = 3e-4  # weight of the squares of the chords
OTHERS, MIN_BEATS = 2, 12  # performances of each recording beside it; beats of each, more than
OFTEN, SOLO = 5.0, 0.2  # how much a recording counts whose tempo is a usual one; a solo
QUICK, OTHERS_QUICK = 0.5, 3  # the same of quick waltzes, and how many a waltz
RANKING = Settings(n_hidden=32, n_steps=2500, batch=128, rate=0.01, shrink=3e-4)
N_NETWORKS = 8
OF_ACTIVATIONS = 0.5  # weight of those of bar lines, as the validation pieces chose it
Reading = tuple[np.ndarray, np.ndarray, float]  # evidence, how right, how much it counts


# --- chords -------------------------------------------------------------------------------------


def sung(record: dict[str, Any], observed: FrameFeatures, style: str) -> tuple[np.ndarray, ...]:
    """chroma (n_beats, 3, 12), which states are right (n_beats, N_STATES), places (n_beats,)."""
    at, _ = beats_of(record, observed)
    chroma = beat_chroma(ChromaSums.of(observed.posteriors), at[: MOST_BEATS + 1] * FPS)
    metre = round(record["beats_per_bar"])
    places = np.array([place_of(beat, metre) for beat in range(len(chroma))])
    return chroma, played(record, style, len(chroma)), places


class Field(nn.Module):
    """The random field of `thirdstream.notes.transcription.chords`, as a likelihood."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"chroma": (3, len(KINDS), 12), "kinds": (len(KINDS),), "change": (len(PLACES),),
                 "change_bass": (5,), "motion": (12,)}  # fmt: skip
        for name, size in sizes.items():
            setattr(self, name, nn.Parameter(torch.zeros(size)))

    def forward(self, chroma: Tensor, right: Tensor, places: Tensor, there: Tensor) -> Tensor:
        """Of batches (n_beats, n, ...), the negative logarithm of the likelihood a beat."""
        rolled = torch.stack([chroma.roll(-root, 3) for root in range(12)], dim=2)
        suits = torch.einsum("tbrfp,fkp->tbrk", rolled, self.chroma) + self.kinds
        bass = self.change_bass[torch.as_tensor(MEMBERS)]
        enters = torch.einsum("tbrp,kp->tbrk", rolled[:, :, :, 2], bass).flatten(2)
        enters = enters - self.change[places][..., None]
        every, some = (
            log_sum(self.motion, suits.flatten(2).masked_fill(~among, -1e4), enters, there).sum()
            for among in (torch.ones_like(right), right)
        )
        return (every - some) / there.sum()


def chord_weights(material: list[Recording]) -> dict[str, Any]:
    rows = [sung(*one) for one in material]
    sizes = torch.tensor([len(row[0]) for row in rows])
    chroma, right, places = (
        nn.utils.rnn.pad_sequence([torch.as_tensor(row[k]) for row in rows]) for k in range(3)
    )
    there = torch.arange(len(chroma))[:, None] < sizes
    field = Field()
    optimizer = torch.optim.Adam(field.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, STEPS)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = field(chroma.float(), right | ~there[..., None], places, there)
        (loss + SOFT * field.chroma.square().sum()).backward()
        optimizer.step()
        schedule.step()
        if step % 30 == 29:
            print(f"chords: step {step + 1}, {loss:.4f} a beat", flush=True)
    return {name: rounded(value) for name, value in field.state_dict().items()}


def rounded(values: Any, digits: int = 2) -> Any:
    return np.round(np.asarray(values, float), digits).tolist()


# --- beats --------------------------------------------------------------------------------------


def counted(record: dict[str, Any]) -> int:
    """Quarter notes a bar; bars of two in pairs, as they are counted."""
    metre = round(record["beats_per_bar"])
    return 4 if metre == 2 else metre


def performed(record: dict[str, Any], observed: FrameFeatures) -> Performance:
    """A recording with its beats and bar lines; bars of two are counted in pairs, from either."""
    at, _ = beats_of(record, observed)
    firsts = (0, 2) if round(record["beats_per_bar"]) == 2 else (0,)
    return Performance(observed, at, [at[first :: counted(record)] for first in firsts])


def activations_by(work: Path, record: dict[str, Any], observed: FrameFeatures) -> Activations:
    """By the network that has learnt from the other half of the pieces."""
    return activations_of(observed, work / f"activations-{1 - half_of(record['title'])}.onnx")


def true_downbeats(
    record: dict[str, Any], observed: FrameFeatures, work: Path
) -> tuple[np.ndarray, np.ndarray]:
    """The features of true beats but for the activations, in standard deviations, and which of
    them are bar lines."""
    at_s, _ = beats_of(record, observed)
    frames = (at_s[:-1] + hypotheses.LATE_S) * FPS
    per_frame = frame_evidence(observed, activations_by(work, record, observed))
    chroma = beat_chroma(ChromaSums.of(observed.posteriors), (at_s + hypotheses.LATE_S) * FPS)
    (marks,) = hypotheses.downbeat_features([chroma], [frames], per_frame)
    bar = counted(record)
    return hypotheses.standard(marks[:, :-1])[1:], (np.arange(len(marks)) % bar == 0)[1:]


def read(
    one: Performance, activations: Activations, of_downbeats: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The evidence of each hypothesis, and the mean F of its beats and bar lines."""
    end_s = one.beats_s[-1] + 0.3

    def f(true: np.ndarray, ours: np.ndarray) -> float:
        true, ours = (x[(x > 0.1) & (x < end_s)] for x in (true, ours))
        return mir_eval.beat.f_measure(true, ours)

    evidence, right = [], []
    levels = hypotheses.levels(one.features, activations, of_downbeats)
    for hypothesis in hypotheses.hypotheses(levels):
        bars = beats.as_bars(hypothesis, one.features)
        of_lines = max(f(line, bars.beats_s[:: bars.beats_per_bar]) for line in one.lines)
        evidence.append(hypothesis.evidence)
        right.append((f(one.beats_s, bars.beats_s) + of_lines) / 2)
    return np.array(evidence), np.array(right)


def readings(
    record: dict[str, Any],
    observed: FrameFeatures,
    style: str,
    *,
    work: Path,
    of_downbeats: np.ndarray,
) -> list[Reading]:
    """`read` of a recording and of OTHERS more performances of it; of a waltz, quick ones too."""
    original, seed = performed(record, observed), f"{record['title']} {style}"
    usual = SOLO if "solo" in record else 1.0
    every = performances(original, style=style, seed=seed, n=OTHERS)
    ones = [(one, usual) for one in every]
    if "solo" not in record:
        ones[0] = original, OFTEN
    if counted(record) in (3, 6) and "solo" not in record:
        ones += [(one, QUICK) for one in quick(original, seed=seed, n=OTHERS_QUICK)]
    found = []
    for one, weight in ones:
        if len(one.beats_s) > MIN_BEATS and all(len(lines) > 1 for lines in one.lines):
            activations = activations_by(work, record, one.features)
            found.append((*read(one, activations, of_downbeats), weight))
    return [row for row in found if len(row[1])]


def beat_weights(
    material: list[Recording], work: Path, parallel: joblib.Parallel
) -> dict[str, Any]:
    pairs = [one for one in material if "solo" not in one[0]]
    found = parallel(joblib.delayed(true_downbeats)(record, o, work) for record, o, _ in pairs)
    marks, lines = (np.concatenate([one[k] for one in found]) for k in range(2))
    of_downbeats = np.append(LogisticRegression().fit(marks, lines).coef_[0], OF_ACTIVATIONS)
    print(f"beats: weights of downbeat features {rounded(of_downbeats)}", flush=True)
    rows = parallel(
        joblib.delayed(readings)(*one, work=work, of_downbeats=of_downbeats) for one in material
    )
    network = ranking([row for some in rows for row in some])
    return {
        "downbeats": rounded(of_downbeats),
        "beats": {k: rounded(v, 4) for k, v in network.items()},
    }


class Readings:
    """All readings as tensors, padded to the most hypotheses; evidence in standard deviations."""

    def __init__(self, rows: list[Reading]) -> None:
        every = np.concatenate([evidence for evidence, _, _ in rows])
        self.mean, self.deviation = every.mean(axis=0), every.std(axis=0) + 1e-3
        pad = nn.utils.rnn.pad_sequence
        standard = [(evidence - self.mean) / self.deviation for evidence, _, _ in rows]
        self.evidence = pad([torch.tensor(one).float() for one in standard], True)
        self.right = pad([torch.tensor(right).float() for _, right, _ in rows], True)
        self.there = pad([torch.ones(len(right), dtype=torch.bool) for _, right, _ in rows], True)
        self.weight = torch.tensor([weight for _, _, weight in rows])
        self.aim = (12 * self.right).masked_fill(~self.there, -1e9).softmax(dim=1)

    def loss(self, network: nn.Module, among: Tensor) -> Tensor:
        """What is missing of the expected F, and a little cross-entropy with the best ones."""
        log = network(self.evidence[among]).masked_fill(~self.there[among], -1e9).log_softmax(dim=1)
        expected = (log.exp() * self.right[among]).sum()
        return -(expected + 0.1 * (self.aim[among] * log).sum()) / len(among)


def ranking(rows: list[Reading]) -> dict[str, Any]:
    """The mean of the networks by which a softmax over hypotheses expects the best F."""
    readings = Readings(rows)
    networks = [trained(readings, RANKING, seed) for seed in range(N_NETWORKS)]
    return {"mean": readings.mean, "deviation": readings.deviation, **mean_of(networks)}


def main(pairs: str, solos: str, work: str, *parts: str) -> None:
    parallel = joblib.Parallel(n_jobs=-1)
    material = material_of(Path(pairs), Path(work), parallel)
    known = json.loads(weights.PATH.read_text())
    if "chords" in (parts or PARTS):
        known["chords"] = chord_weights(material)
        weights.PATH.write_text(json.dumps(known))  # bar lines are found by its chords
    if "beats" in (parts or PARTS):
        alone = material_of(Path(solos), Path(work), parallel)
        known |= beat_weights(material + alone, Path(work), parallel)
    weights.PATH.write_text(json.dumps(known) + "\n")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
