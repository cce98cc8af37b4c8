"""Weights of the decoders of beats and chords: transcription_weights.py PAIRS WORK

PAIRS: folder of `recipes/versions.py`; the first 60 s of each recording are used. WORK: keeps their
features. The weights go to notes/transcription/weights.json. Chords: maximum
likelihood of what is played (in jazz, the changes of the arranger), given the beats; sevenths are
left open. Beats: bar lines by logistic regression, then of all hypotheses of a recording the one
whose beats and bar lines are the most right (expected F, a softmax over hypotheses).
"""

import json
import sys
from pathlib import Path
from typing import Any

import joblib
import mir_eval
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from thirdstream import audio
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.arranging.harmony import changes
from thirdstream.notes.metre import Metres, of_length
from thirdstream.notes.transcription import beats, pulse, weights
from thirdstream.notes.transcription.chords import (
    KINDS,
    MEMBERS,
    N_STATES,
    PLACES,
    ChromaSums,
    beat_chroma,
    place_of,
)
from thirdstream.notes.transcription.features import FPS, FrameFeatures, frame_features
from thirdstream.notes.transcription.transcriber import Posteriors
from thirdstream.notes.types import Chord, Note, Score

SECONDS, MOST_BEATS = 60, 130
STEPS, RATE = 150, 0.08  # of Adam, for the chords
SOFT, SHRINK = 3e-4, 3e-4  # weights of the squares, chords and beats
PARTS = {"whole": (0, SECONDS), "first": (0, 30), "second": (30, SECONDS)}


def features_of(pairs: Path, work: Path, name: str, style: str) -> FrameFeatures:
    kept = work / f"{name}.{style}.npz"
    if not kept.is_file():
        record = json.loads((pairs / "records" / f"{name}.json").read_text())
        path = pairs / style / f"{name}.{record['format']}"
        wave = np.concatenate(list(audio.blocks(path)), axis=1)[:, : SECONDS * audio.SR]
        o = frame_features([(wave * audio.level_of([wave]).gain).astype(np.float32)])
        np.savez(kept, sounds=o.posteriors.notes, begins=o.posteriors.onsets, flux=o.flux,
                 bass_flux=o.bass_flux, level=o.level, duration_s=o.duration_s)  # fmt: skip
    z = dict(np.load(kept))
    # Nothing here asks for the melody: any array of its shape will do.
    return FrameFeatures(
        Posteriors(z["sounds"], z["begins"]), z["sounds"], z["flux"], z["bass_flux"], z["level"],
        float(z["duration_s"]),
    )  # fmt: skip


def played(record: dict[str, Any], style: str) -> tuple[Chord, ...]:
    score = Score(
        title="",
        melody=tuple(Note(*note) for note in record["melody"]),
        chords=tuple(Chord(*one[:3], tuple(one[3]), one[4]) for one in record["chords"]),
        metres=Metres.steady(of_length(record["beats_per_bar"])),
        beats_per_minute=record["beats_per_minute"],
    )
    return score.chords if style == "classical" else tuple(c.chord for c in changes(score))


# --- chords -------------------------------------------------------------------------------------


def beats_of(record: dict[str, Any], observed: FrameFeatures) -> tuple[np.ndarray, float]:
    """All beats of a recording, in seconds, and where the music ends."""
    end = min(observed.duration_s, record["n_bars"] * record["bar_s"])
    return np.arange(0, end, 60 / record["beats_per_minute"]), end


def sung(record: dict[str, Any], observed: FrameFeatures, style: str) -> tuple[np.ndarray, ...]:
    """chroma (n_beats, 3, 12), which states are right (n_beats, N_STATES), places (n_beats,)."""
    at, _ = beats_of(record, observed)
    chroma = beat_chroma(ChromaSums.of(observed.posteriors), at[: MOST_BEATS + 1] * FPS)
    right = np.ones((len(chroma), N_STATES), bool)
    for chord in played(record, style):
        triad = [k for k, kind in enumerate(KINDS) if kind[:3] == chord.intervals[:3]]
        inside = slice(int(np.ceil(chord.start - 1e-6)), int(np.ceil(chord.end - 1e-6)))
        if triad:
            right[inside] = False
            right[inside, [[chord.root * len(KINDS) + k] for k in triad]] = True
    metre = round(record["beats_per_bar"])
    return chroma, right, np.array([place_of(beat, metre) for beat in range(len(chroma))])


class Field(nn.Module):
    """The random field of `thirdstream.notes.transcription.chords`, as a likelihood."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"chroma": (3, len(KINDS), 12), "kinds": (len(KINDS),), "change": (len(PLACES),),
                 "change_bass": (5,), "motion": (12,)}  # fmt: skip
        for name, size in sizes.items():
            setattr(self, name, nn.Parameter(torch.zeros(size)))
        roots = torch.arange(N_STATES) // len(KINDS)
        self.steps = (roots[None] - roots[:, None]) % 12

    def forward(self, chroma: Tensor, right: Tensor, places: Tensor, there: Tensor) -> Tensor:
        """Of batches (n_beats, n, ...), the negative logarithm of the likelihood a beat."""
        rolled = torch.stack([chroma.roll(-root, 3) for root in range(12)], dim=2)
        suits = torch.einsum("tbrfp,fkp->tbrk", rolled, self.chroma) + self.kinds
        bass = self.change_bass[torch.as_tensor(MEMBERS)]
        enters = torch.einsum("tbrp,kp->tbrk", rolled[:, :, :, 2], bass).flatten(2)
        enters = enters - self.change[places][..., None]
        every, some = (
            self.log_sum(suits.flatten(2).masked_fill(~among, -1e4), enters, there).sum()
            for among in (torch.ones_like(right), right)
        )
        return (every - some) / there.sum()

    def log_sum(self, suits: Tensor, enters: Tensor, there: Tensor) -> Tensor:
        moved = self.motion[self.steps].exp() * (1 - torch.eye(N_STATES))
        reached = suits[0]
        for now, enter, is_there in zip(suits[1:], enters[1:], there[1:], strict=True):
            top = reached.max(dim=1, keepdim=True).values
            changed = ((reached - top).exp() @ moved + 1e-30).log() + enter + top
            after = torch.logaddexp(changed, reached) + now
            reached = torch.where(is_there[:, None], after, reached)
        return reached.logsumexp(dim=1)


def chord_weights(material: list[tuple[dict[str, Any], FrameFeatures, str]]) -> dict[str, Any]:
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


def rounded(values: Any) -> Any:
    return np.round(np.asarray(values, float), 2).tolist()


# --- beats --------------------------------------------------------------------------------------


def true_downbeats(
    record: dict[str, Any], observed: FrameFeatures
) -> tuple[np.ndarray, np.ndarray]:
    """The features of true beats, in standard deviations, and which of them are bar lines."""
    frames = (beats_of(record, observed)[0][:-1] + beats.LATE_S) * FPS
    sums = ChromaSums.of(observed.posteriors)
    (marks,) = beats.downbeat_features(sums, [frames], *pulse.strengths(observed))
    marks = beats.standard(marks)
    bar = counted(record)
    return marks[1:], (np.arange(len(marks)) % bar == 0)[1:]


def counted(record: dict[str, Any]) -> int:
    """Quarter notes a bar; bars of two in pairs, as they are counted."""
    metre = round(record["beats_per_bar"])
    return 4 if metre == 2 else metre


def read(
    record: dict[str, Any], whole: FrameFeatures, span: tuple[int, int], of_downbeats: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The evidence of each hypothesis for a span, and the mean F of its beats and bar lines."""
    start, end = (min(round(s * FPS), whole.n_frames) for s in span)
    o = FrameFeatures(
        Posteriors(*(part[start:end] for part in whole.posteriors)), whole.melody[start:end],
        whole.flux[start:end], whole.bass_flux[start:end], whole.level[start:end],
        min(whole.duration_s - span[0], span[1] - span[0]),
    )  # fmt: skip
    at, stop = beats_of(record, whole)
    bar, end_s = counted(record), min(stop, span[1]) - span[0]
    lines = [at[first::bar] for first in ((0, 2) if record["beats_per_bar"] == 2 else (0,))]
    evidence, right = [], []
    for hypothesis in beats.hypotheses(o, of_downbeats):
        bars = beats.as_bars(hypothesis, o)

        def f(true: np.ndarray, ours: np.ndarray) -> float:
            true, ours = (x[(x > 0.1) & (x < end_s)] for x in (true - span[0], ours))
            return mir_eval.beat.f_measure(true, ours)

        of_lines = max(f(line, bars.beats_s[:: bars.beats_per_bar]) for line in lines)
        evidence.append(hypothesis.evidence)
        right.append((f(at, bars.beats_s) + of_lines) / 2)
    return np.array(evidence), np.array(right)


def beat_weights(
    material: list[tuple[dict[str, Any], FrameFeatures, str]], parallel: joblib.Parallel
) -> dict[str, Any]:
    found = parallel(joblib.delayed(true_downbeats)(record, o) for record, o, _ in material)
    marks, lines = (np.concatenate([one[k] for one in found]) for k in range(2))
    of_downbeats = LogisticRegression().fit(marks, lines).coef_[0]
    print(f"beats: weights of downbeat features {rounded(of_downbeats)}", flush=True)
    rows = parallel(
        joblib.delayed(read)(record, o, span, of_downbeats)
        for record, o, _ in material for span in PARTS.values() if o.duration_s > span[0] + 20
    )  # fmt: skip
    rows = [row for row in rows if len(row[1])]
    return {"downbeats": rounded(of_downbeats), "hypotheses": rounded(chosen(rows))}


def chosen(rows: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Weights (n_evidence,) by which a softmax over hypotheses expects the best F."""
    sizes = np.concatenate([evidence for evidence, _ in rows]).std(axis=0) + 1e-6
    pad = nn.utils.rnn.pad_sequence
    evidence = pad([torch.tensor(e / sizes) for e, _ in rows], batch_first=True)
    right = pad([torch.tensor(r) for _, r in rows], batch_first=True)
    there = pad([torch.ones(len(r), dtype=torch.bool) for _, r in rows], batch_first=True)
    weights = torch.zeros(evidence.shape[2], dtype=torch.float64, requires_grad=True)
    aim = (12 * right).masked_fill(~there, -1e9).softmax(dim=1)
    optimizer = torch.optim.Adam([weights], 0.05)
    for _ in range(400):
        optimizer.zero_grad()
        log = (evidence @ weights).masked_fill(~there, -1e9).log_softmax(dim=1)
        loss = -((log.exp() * right).sum() + 0.1 * (aim * log).sum()) / len(rows)
        (loss + SHRINK * weights.square().sum()).backward()
        optimizer.step()
    print(f"beats: expected F {float((log.exp() * right).sum().detach()) / len(rows):.3f}")
    return weights.detach().numpy() / sizes


def main(pairs: str, work: str) -> None:
    Path(work).mkdir(parents=True, exist_ok=True)
    paths = sorted((Path(pairs) / "records").glob("*.json"))
    parallel = joblib.Parallel(n_jobs=-1)
    names = [(path, style) for path in paths for style in STYLES]
    found = parallel(
        joblib.delayed(features_of)(Path(pairs), Path(work), path.stem, style)
        for path, style in names
    )
    records = [json.loads(path.read_text()) for path, _ in names]
    material = [
        (record, o, style)
        for record, o, (_, style) in zip(records, found, names, strict=True)
        if record["beats_per_bar"] in (2, 3, 4, 6)
    ]
    found_weights = {"chords": chord_weights(material)}
    weights.PATH.write_text(json.dumps(found_weights))  # bar lines are found by its chords
    found_weights["beats"] = beat_weights(material, parallel)
    weights.PATH.write_text(json.dumps(found_weights, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
