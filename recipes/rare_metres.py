"""Weights by which recordings are counted in five, in seven or in dotted beats.

    python recipes/rare_metres.py PAIRS WORK

PAIRS: the folder `train` of `thirdstream benchmark`, or one of `recipes/versions.py`. Pieces of
`recipes/metre_pieces.py` are played by the bundled instruments, in a few performances each. WORK
keeps features and evidence, so the same command goes on where it ended. It writes `rare` in
notes/transcription/weights.json, which ranks the hypotheses in five, seven and dotted beats beside
those in three and four quarters, whose ranks stay as they are: a softmax over all expects the best
F. Of five titles one is left out, and reported on. Solos are not learnt from.
"""

import json
import random
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch
import tyro
from torch import Tensor, nn

from metre_pieces import Piece, drawn, tunes  # a script beside this one
from pair_features import first_minute, records_of  # a script beside this one
from performances import Performance, at_tempo, part, worn  # a script beside this one
from ranking import Ranking, Settings, mean_of, trained  # a script beside this one
from thirdstream.audio import SR
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.transcription import beats, hypotheses, weights
from thirdstream.notes.transcription.activations import activations_of
from thirdstream.notes.transcription.features import FrameFeatures, frame_features
from thirdstream.notes.transcription.transcriber import Posteriors

N_DRAWN, N_SLOW, N_TUNES = 360, 40, 300
OTHERS = {True: 2, False: 1}  # performances of each piece beside it, of solos and of others
MIN_BEATS = 12  # of a performance, more than
NEAR_S = 0.07  # of a true beat
OTHER_PARTS, OTHER_METRE = 0.5, 0.8  # what F counts where beats have other parts, bars other beats
SIX_EIGHTHS = ("memories.mxl", "o-mio-babbino-caro.mxl")  # whose records count quarters
MOST_ALONE = 0.75  # share of the time in which one note sounds alone
HELD_OUT = 5  # one title of so many
RANKING = Settings(n_hidden=20, n_steps=1000, batch=64, rate=0.01, shrink=4e-4, constant=True)
N_NETWORKS = 3
OFTEN = 1.3  # how much a performance in a rare metre counts
SHARP, BEST = 15.0, 0.3  # weights of F in the aim, and of the aim
DIGITS = 3


class Row(NamedTuple):
    """A performance: its record, the share of time with one note, hypotheses in three and four
    quarters (ranks as they are, F, labels), and in all readings (evidence, F, labels). F: (n, 3)
    what counts, of beats, of bar lines. Labels: (n, 2) beats a bar and parts of a beat."""

    record: dict[str, Any]
    alone: float
    ranks: np.ndarray
    common_f: np.ndarray
    common: np.ndarray
    evidence: np.ndarray
    f: np.ndarray
    labels: np.ndarray


# --- what is learnt from ------------------------------------------------------------------------


def keep(path: Path, o: FrameFeatures, record: dict[str, Any]) -> None:
    """Write features, posteriors in 255 steps."""
    notes, onsets = (
        np.round(255 * one.astype(np.float32)).astype(np.uint8) for one in o.posteriors
    )
    np.savez_compressed(
        path, notes=notes, onsets=onsets, flux=o.flux, bass_flux=o.bass_flux, level=o.level,
        duration_s=o.duration_s, record=json.dumps(record),
    )  # fmt: skip


def kept(path: Path) -> tuple[dict[str, Any], FrameFeatures]:
    """What `keep` wrote; its melody is empty."""
    z = np.load(path)
    notes, onsets = (
        (z[k].astype(np.float32) / 255).astype(np.float16) for k in ("notes", "onsets")
    )
    melody = np.zeros(notes.shape, np.float16)
    numbers = (z["flux"], z["bass_flux"], z["level"], float(z["duration_s"]))
    return json.loads(str(z["record"])), FrameFeatures(Posteriors(notes, onsets), melody, *numbers)


def features_of_piece(piece: Piece, work: Path) -> Path:
    path = work / f"{piece.name}.npz"
    if not path.exists():
        n_samples = round((piece.n_beats * 60 / piece.song.beats_per_minute + 1) * SR)
        wave = play(piece.song, ORCHESTRA, n_samples).mean(axis=0)
        wave *= np.float32(0.1 / np.sqrt(np.square(wave).mean()))
        record = {
            "title": piece.name, "beats_per_bar": piece.beats_per_bar, "parts": piece.parts,
            "n_beats": piece.n_beats, "bpm": piece.song.beats_per_minute, "is_solo": piece.is_solo,
        }  # fmt: skip
        keep(path, frame_features([wave[None]]), record)
    return path


def features_of_pair(pairs: Path, name: str, style: str, work: Path) -> Path:
    path = work / f"{name}.{style}.npz"
    if not path.exists():
        of = json.loads((pairs / "records" / f"{name}.json").read_text())
        o = frame_features([first_minute(pairs, of, name, style)])
        six = of["score"] in SIX_EIGHTHS
        bpm = of["beats_per_minute"] / (hypotheses.DOTTED if six else 1)
        end_s = min(o.duration_s, of["n_bars"] * of["bar_s"])
        record = {
            "title": of["title"], "beats_per_bar": 2 if six else int(of["beats_per_bar"]),
            "parts": 3 if six else 2, "n_beats": int(end_s * bpm / 60), "bpm": bpm,
            "is_solo": False, "style": style,
        }  # fmt: skip
        keep(path, o, record)
    return path


def prepared(pairs: Path, work: Path, parallel: joblib.Parallel) -> list[Path]:
    """Features of all pieces and of the recordings of PAIRS in three, in two and in four."""
    work.mkdir(parents=True, exist_ok=True)
    records = records_of(pairs)
    whole = [name for name, record in records.items() if record["beats_per_bar"] in (2, 3, 4)]
    slow = drawn(N_SLOW, seed=1, slow_swing=True)
    pieces = [*tunes(N_TUNES, seed=0), *drawn(N_DRAWN, seed=0), *slow]
    return [
        *parallel(joblib.delayed(features_of_piece)(piece, work) for piece in pieces),
        *parallel(
            joblib.delayed(features_of_pair)(pairs, name, style, work)
            for name in whole
            for style in STYLES
        ),
    ]


def performed(record: dict[str, Any], o: FrameFeatures) -> Performance:
    """With its beats and bar lines; bars of two quarters are counted in pairs, from either."""
    at = np.arange(record["n_beats"]) * 60 / record["bpm"]
    at, bar = at[at < o.duration_s], record["beats_per_bar"]
    lines = [at[::4], at[2::4]] if (bar, record["parts"]) == (2, 2) else [at[::bar]]
    return Performance(o, at, lines)


def performances(record: dict[str, Any], o: FrameFeatures) -> Iterator[Performance]:
    """As it is, and for our pieces others: at other tempi, with rubato in solos, worn, in part."""
    original = performed(record, o)
    yield original
    for number in range(0 if "style" in record else OTHERS[record["is_solo"]]):
        rng = random.Random(f"{record['title']} {number}")
        moved = at_tempo(original, style="jazz", rng=rng, rubato=record["is_solo"])
        yield part(worn(moved, rng), rng)


def f_measure(true: np.ndarray, ours: np.ndarray, end_s: float) -> float:
    """Of beats within NEAR_S, where none is nearer to another than twice that."""
    true, ours = (one[(one > 0.1) & (one < end_s)] for one in (true, ours))
    if not len(true) or not len(ours):
        return 0.0
    met = min(n_near(true, ours), n_near(ours, true))
    return 2 * met / (len(true) + len(ours))


def n_near(some: np.ndarray, others: np.ndarray) -> int:
    after = np.searchsorted(others, some)
    sides = (others[np.maximum(after - 1, 0)], others[np.minimum(after, len(others) - 1)])
    return int((np.min([np.abs(some - side) for side in sides], axis=0) <= NEAR_S).sum())


def label(record: dict[str, Any]) -> tuple[int, int]:
    """Beats a bar and parts of a beat, as they should be found."""
    found = record["beats_per_bar"], record["parts"]
    return (4, 2) if found == (2, 2) else found


def scored(
    found: list[hypotheses.Hypothesis], one: Performance, record: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """F (n, 3) and labels (n, 2), as Row has them."""
    end_s, true = one.beats_s[-1] + 0.3, label(record)
    f, labels = [], []
    for each in found:
        bars = beats.as_bars(each, one.features)
        lines = bars.beats_s[:: bars.beats_per_bar]
        of_beats = f_measure(one.beats_s, bars.beats_s, end_s)
        of_lines = max(f_measure(line, lines, end_s) for line in one.lines)
        share = OTHER_PARTS if each.parts != true[1] else 1.0
        share *= OTHER_METRE if each.beats_per_bar != true[0] else 1.0
        f.append((share * (of_beats + of_lines) / 2, of_beats, of_lines))
        labels.append((each.beats_per_bar, each.parts))
    return np.array(f).reshape(-1, 3), np.array(labels).reshape(-1, 2)


def rows_of(path: Path) -> list[Row]:
    """The evidence about each performance of a piece; a file beside its features keeps it."""
    of = path.with_suffix(".joblib")
    if not of.exists():
        record, o = kept(path)
        found = [row_of(record, one) for one in performances(record, o)]
        joblib.dump([one for one in found if one is not None], of)
    return joblib.load(of)


def row_of(record: dict[str, Any], one: Performance) -> Row | None:
    if len(one.beats_s) <= MIN_BEATS or not all(len(lines) > 1 for lines in one.lines):
        return None
    activations = activations_of(one.features)
    levels = hypotheses.levels(one.features, activations, weights.downbeat_weights())
    if levels is None:
        return None
    common, others = hypotheses.hypotheses(levels), hypotheses.hypotheses_by_rhythm(levels)
    if not common:
        return None
    ranks = weights.rank_weights("beats").rank(np.array([each.evidence for each in common]))
    evidence = np.array([each.evidence for each in others], np.float32)
    notes = (one.features.posteriors.notes > beats.SOUNDING).sum(axis=1)
    alone = float((notes == 1).sum() / max((notes > 0).sum(), 1))
    return Row(
        record, alone, ranks, *scored(common, one, record), evidence, *scored(others, one, record)
    )


# --- learning -----------------------------------------------------------------------------------


class Choice(NamedTuple):
    """Hypotheses of which one is chosen: what their ranks are without what is learnt, whether a
    network adds to that, evidence, F and labels."""

    row: Row
    base: np.ndarray
    learns: np.ndarray
    evidence: np.ndarray
    f: np.ndarray
    labels: np.ndarray


def choice(row: Row) -> Choice:
    """Those in three and four quarters as they are ranked, and the rare ones, from the best rank of
    these on."""
    rare = [one in hypotheses.RARE for one in map(tuple, row.labels.tolist())]
    n_common, n_rare = len(row.ranks), sum(rare)
    none = np.zeros((n_common, row.evidence.shape[1]), np.float32)
    return Choice(
        row,
        np.append(row.ranks, np.full(n_rare, row.ranks.max())),
        np.arange(n_common + n_rare) >= n_common,
        np.concatenate([none, row.evidence[rare]]),
        np.concatenate([row.common_f, row.f[rare]]),
        np.concatenate([row.common, row.labels[rare]]),
    )


class Choices:
    """Choices as tensors, padded to the most hypotheses; evidence in standard deviations."""

    def __init__(self, rows: list[Choice], mean: np.ndarray, deviation: np.ndarray) -> None:
        def padded(values: list[np.ndarray], fill: float = 0.0) -> Tensor:
            tensors = [torch.tensor(value).float() for value in values]
            return nn.utils.rnn.pad_sequence(tensors, True, fill)

        self.rows = rows
        self.evidence = padded([(row.evidence - mean) / deviation for row in rows])
        self.base = padded([row.base for row in rows], -1e9)
        self.learns = padded([row.learns for row in rows])
        self.f = padded([row.f[:, 0] for row in rows])
        rare = [label(row.row.record) in hypotheses.RARE for row in rows]
        self.weight = torch.where(torch.tensor(rare), OFTEN, 1.0)
        self.aim = (SHARP * self.f).masked_fill(self.base < -1e8, -1e9).softmax(dim=1)

    def ranked(self, network: nn.Module, among: Tensor) -> Tensor:
        return self.base[among] + self.learns[among] * network(self.evidence[among])

    def loss(self, network: nn.Module, among: Tensor) -> Tensor:
        """What is missing of the expected F, and a little cross-entropy with the best ones."""
        log = self.ranked(network, among).log_softmax(dim=1)
        expected = (log.exp() * self.f[among]).sum()
        return -(expected + BEST * (self.aim[among] * log.clamp(min=-50)).sum()) / len(among)


def is_held_out(row: Row) -> bool:
    return zlib.crc32(row.record["title"].encode()) % HELD_OUT == 0


def learnt(rows: list[Row]) -> dict[str, Any]:
    """The mean of a few networks, as RankWeights has it."""
    rows = [row for row in rows if row.alone < MOST_ALONE]
    learns = [choice(row) for row in rows if not is_held_out(row)]
    every = np.concatenate([one.evidence[one.learns] for one in learns])
    mean, deviation = every.mean(axis=0), every.std(axis=0) + 1e-3
    choices = Choices(learns, mean, deviation)
    networks = [trained(choices, RANKING, seed) for seed in range(N_NETWORKS)]
    rest = [row for row in rows if is_held_out(row) and row.alone <= beats.ALONE]
    report(Choices([choice(row) for row in rest], mean, deviation), networks)
    parts = {"mean": mean, "deviation": deviation, **mean_of(networks)}
    return {name: np.round(one.astype(float), DIGITS).tolist() for name, one in parts.items()}


def report(choices: Choices, networks: list[Ranking]) -> None:
    """By metre and source, of what was left out: shares of metres that are right, F of beats and
    of bar lines, and shares that are counted in a rare metre; then the first three without it."""
    with torch.no_grad():
        every = torch.arange(len(choices.rows))
        ranks = torch.stack([choices.ranked(one, every) for one in networks]).mean(dim=0)
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for one, best in zip(choices.rows, ranks.argmax(dim=1).tolist(), strict=True):
        record, true, before = one.row.record, label(one.row.record), int(one.row.ranks.argmax())
        ours = "drawn" if record["title"].startswith("drawn") else "tune"
        got, old = (tuple(one.labels[k].tolist()) for k in (best, before))
        numbers = (got == true, *one.f[best, 1:], got in hypotheses.RARE, old == true)
        name = f"{true[0]} beats of {true[1]}, {record.get('style', ours)}"
        found[name].append((*numbers, *one.f[before, 1:]))
    found["all"] = [one for some in found.values() for one in some]
    for name, values in sorted(found.items()):
        means = np.mean(values, axis=0).round(3).tolist()
        print(f"{name}, {len(values)}: {means}", flush=True)


def main(pairs: str, work: str) -> None:
    parallel = joblib.Parallel(n_jobs=-1)
    paths = prepared(Path(pairs), Path(work), parallel)
    rows = [
        row for some in parallel(joblib.delayed(rows_of)(path) for path in paths) for row in some
    ]
    known = json.loads(weights.PATH.read_text())
    known["rare"] = learnt(rows)
    weights.PATH.write_text(json.dumps(known) + "\n")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
