"""Where the beats and the bar lines of a recording are: from frame features to a tempo map.

pulse.py finds lists of beats. What they mean is decided here: which level of the pulse is the
quarter note, whether the pulse lies on the beats or between them, how many make a bar, and where
bars begin. A small network ranks these hypotheses (weights.py), by tempo, onsets, and where harmony
and bass change. What a user knows (known.py) leaves fewer of them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.activations import Activations, activations_of
from thirdstream.notes.transcription.anchoring import anchored
from thirdstream.notes.transcription.chords import ChromaSums, beat_chroma, change_probabilities
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.known import NOTHING, Known
from thirdstream.notes.transcription.pulse import (
    frame_evidence,
    levels_of,
    n_peaks,
    onset_strength,
    shifted,
)
from thirdstream.notes.transcription.weights import BeatWeights, beat_weights

Array = NDArray[np.float64]
Places = NDArray[np.int_]

METRES = (4, 3, 5, 7)  # quarter notes a bar; two are counted as four, six as three
BETWEEN = (0, 1 / 2, 1 / 3, 2 / 3)  # of a beat, where onsets speak for it or against it
N_ACCENTS = 6  # of the downbeat features, by which bars are laid; activations are often too sure
RARE = 1.0  # cost of five and seven, which are fewer than among what the network has learnt from
CLEAR = 0.0  # the least that the best has where there is a pulse
USUAL_S = (0.3, 1.0)  # the beats that a recording without one is counted in
SLIP = 6.0  # cost of a bar of another length
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.18, 1.4
SHORTEST_S, MIN_BEATS = 4.0, 8  # of a recording in which beats are looked for
MIN_KNOWN_BEATS = 3  # of a known tempo
USUAL_BEAT_S = 0.5  # where there is no pulse
SAME_TEMPO = 0.08  # logarithm of the ratio of two
LATE_S = 0.012  # how much later onsets are found than they sound


@dataclass(frozen=True)
class Bars:
    """Beats in seconds from a bar line to a bar line, every `beats_per_bar` of them a bar.

    lead: how far ahead this reading is of the best with another metre or tempo, in logarithms of
    odds; 0 where there is no pulse, infinite where a user left no other.
    """

    beats_s: Array
    beats_per_bar: int
    lead: float = 0.0

    @property
    def beats_per_minute(self) -> float:
        """On average."""
        return 60 * (len(self.beats_s) - 1) / float(self.beats_s[-1] - self.beats_s[0])


def downbeat_features(
    sums: ChromaSums, levels: Sequence[Array], per_frame: Sequence[Array]
) -> list[Array]:
    """(n_beats, n_features) of each list of beats, in frames: how much harmony changes at each
    beat, and what `frame_evidence` says there, but for that of a beat.
    """
    onsets, bass, _, downbeats = per_frame
    chroma = [beat_chroma(sums, np.append(at, 2 * at[-1] - at[-2])) for at in levels]
    found = []
    for beats, one, changed in zip(levels, chroma, change_probabilities(chroma), strict=True):
        novelties = (_novelty(one[:, 0], 1), _novelty(one[:, 0], 2), _novelty(one[:, 1], 1))
        peaks = [_at(curve, beats) for curve in (bass, onsets, downbeats)]
        found.append(np.stack([changed, *novelties, *peaks], axis=1))
    return found


def _novelty(chroma: Array, n_beats: int) -> Array:
    """How different, 0 to 1, the pitch classes of so many beats are from those before."""
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0)])
    at = np.arange(len(chroma))
    before = sums[at] - sums[np.maximum(at - n_beats, 0)]
    after = sums[np.minimum(at + n_beats, len(chroma))] - sums[at]
    sizes = [np.sqrt(np.einsum("bp,bp->b", part, part)) + 0.3 for part in (before, after)]
    return 1 - np.einsum("bp,bp->b", before, after) / (sizes[0] * sizes[1])


def _at(strength: Array, beats: Array) -> Array:
    """The strength at each beat, in frames."""
    return strength[np.clip(np.round(beats).astype(int), 0, len(strength) - 1)]


def bar_paths(accents: Sequence[Array], beats_per_bar: int) -> list[tuple[float, Places]]:
    """For each list of beats' accents: how good its bars are, and each beat's place in its bar.

    Place 0 is the bar line. Bars have `beats_per_bar` beats; one of another length costs SLIP. The
    score is that of the accents on bar lines, in standard deviations of what chance would bring.
    All lists go side by side, each from its own first beat to its last.
    """
    m, n_beats = beats_per_bar, np.array([len(one) for one in accents])
    order = np.argsort(-n_beats, kind="stable")  # the longest first
    counts = (n_beats > np.arange(n_beats.max())[:, None]).sum(axis=1)  # of lists, at each beat
    padded = np.zeros((len(counts), len(accents)))
    for column, k in enumerate(order):
        padded[: n_beats[k], column] = accents[k]
    # What begins in place s is in place s + beat while it does not slip.
    score, back = np.zeros((len(accents), m)), np.zeros((*padded.shape, m), np.int8)
    own, row = np.arange(m), np.arange(len(accents))
    for beat, n in enumerate(counts):
        now = score[:n]
        best = now.argmax(axis=1)
        slipped = (now[row[:n], best] - SLIP)[:, None]
        back[beat, :n] = np.where(slipped > now, best[:, None], own)
        np.maximum(now, slipped, out=now)
        now[:, -beat % m] += padded[beat, :n]
    at, places = score.argmax(axis=1), np.zeros(padded.shape, int)
    best = score[row, at].tolist()
    for beat in range(len(counts) - 1, -1, -1):
        n = counts[beat]
        places[beat, :n] = at[:n]
        at[:n] = back[beat, row[:n], at[:n]]
    places = (places + np.arange(len(counts))[:, None]) % m
    columns = np.argsort(order).tolist()
    return [
        (_in_deviations(best[k], n, m), places[:n, k])
        for k, n in zip(columns, n_beats.tolist(), strict=True)
    ]


def bars_from(accents: Array, beats_per_bar: int, line: int) -> tuple[float, Places]:
    """As `bar_paths`, where beat number `line` is known to be a bar line, from which all count."""
    places = (np.arange(len(accents)) - line) % beats_per_bar
    score = float(accents[places == 0].sum())
    return _in_deviations(score, len(accents), beats_per_bar), places


def _in_deviations(score: float, n_beats: int, beats_per_bar: int) -> float:
    """The accents on bar lines; 0 where every beat is one."""
    if beats_per_bar == 1:
        return 0.0
    return float(score) / np.sqrt(n_beats / beats_per_bar * (1 - 1 / beats_per_bar))


@dataclass(frozen=True)
class Hypothesis:
    """A way to count the pulse: its beats, in frames, and their places in the bar.

    evidence: (n,) what speaks for it and against it, as `BeatWeights.rank` weighs it.
    """

    beats: Array
    places: Places
    beats_per_bar: int
    evidence: Array


def hypotheses(
    features: FrameFeatures, heard: Activations, downbeat_weights: Array, known: Known = NOTHING
) -> list[Hypothesis]:
    """The ways to count the recording, at several levels of its pulse; none without a pulse.

    heard: what `activations_of` finds. downbeat_weights: (N_ACCENTS,), how `downbeat_features` tell
    bar lines. known: what a user says, which all of them agree with.
    """
    onsets = onset_strength(features)
    if features.duration_s < SHORTEST_S or not onsets.any():
        return []
    pace = n_peaks(onsets) / features.duration_s  # onsets a second
    placed = [
        _placed(beats, known)
        for beats in levels_of(onsets, heard.beats, known)
        if _is_likely(beats, known)
    ]
    if not placed:
        return []
    levels = [beats for beats, _ in placed]
    per_frame = frame_evidence(features, heard)
    changes = downbeat_features(ChromaSums.of(features.posteriors), levels, per_frame)
    accents = [standard(standard(one[:, :N_ACCENTS]) @ downbeat_weights) for one in changes]
    evidence = [_level_evidence(at, per_frame, pace, known) for at in levels]
    found = []
    for metre in METRES if known.pulses_per_bar is None else (known.pulses_per_bar,):
        bars = bar_paths(accents, metre)
        for k, (at, line) in enumerate(placed):
            one = bars[k] if line is None else bars_from(accents[k], metre, line)
            found.append(_hypothesis(at, one, metre, changes=changes[k], level=evidence[k]))
    return found


def _hypothesis(
    beats: Array, bars: tuple[float, Places], metre: int, *, changes: Array, level: list[float]
) -> Hypothesis:
    mean, (of_bars, places) = changes.mean(axis=0), bars
    groups = (places == 0, 2 * places == metre, (places % 2 == 1) & (metre % 2 == 0))
    evidence = [*level, *mean, of_bars, *(metre == one for one in METRES[1:])]
    for among in groups:
        evidence += (_mean(changes[among], mean) - mean).tolist()
    return Hypothesis(beats, places, metre, np.array(evidence))


def _placed(beats: Array, known: Known) -> tuple[Array, int | None]:
    """The beats, where a bar line is known with one there, and that one's number."""
    if known.start_bar_s is None:
        return beats, None
    return anchored(beats, (known.start_bar_s + LATE_S) * FPS)


def _is_likely(beats: Array, known: Known) -> bool:
    """Whether there are enough beats, of a quarter note that is neither too short nor too long."""
    if known.tempo is not None:
        return len(beats) >= MIN_KNOWN_BEATS
    if len(beats) < MIN_BEATS:
        return False
    return SHORTEST_BEAT_S < _period_s(beats) / known.pulse < LONGEST_BEAT_S


def _period_s(beats: Array) -> float:
    return float(np.median(np.diff(beats))) / FPS


def _level_evidence(
    beats: Array, per_frame: Sequence[Array], pace: float, known: Known
) -> list[float]:
    """What speaks for this level of the pulse: its tempo, its onsets, and what lies between.

    Weights are those of quarter notes. Where beats are dotted quarters, thirds of them stand for
    halves, and halves for thirds.
    """
    quarter_s = _period_s(beats) / known.pulse
    found = [*_curve(np.log(quarter_s / 0.5)), *_curve(np.log(pace * quarter_s + 0.05))]
    for curve in per_frame:
        on, half, *thirds = (_at(curve, shifted(beats, by)).mean() for by in BETWEEN)
        if known.is_compound:
            half, thirds = np.mean(thirds), [half, half]
        found += [on, half, *thirds]
    return [*found, float(np.abs(np.diff(beats, 2)).mean()) / FPS / _period_s(beats)]


def _curve(value: float) -> tuple[float, float]:
    return value, value**2


def _mean(changes: Array, none: Array) -> Array:
    """Over beats; `none` where there are none."""
    return changes.mean(axis=0) if len(changes) else none


def standard(values: Array) -> Array:
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-3)


def bars_of(features: FrameFeatures, known: Known = NOTHING) -> Bars | None:
    """The best hypothesis, as bars that cover the whole recording; None where there is no pulse."""
    of = beat_weights()
    found = hypotheses(features, activations_of(features), of.downbeats, known)
    if not found:
        return None
    ranks = _ranks(found, of)
    best = int(ranks.argmax())
    rivals = [rank for one, rank in zip(found, ranks, strict=True) if not _same(one, found[best])]
    bars = as_bars(found[best], features, fixed_s=known.start_bar_s)
    return replace(bars, lead=float(ranks[best] - max(rivals, default=-np.inf)))


def _ranks(found: list[Hypothesis], of: BeatWeights) -> Array:
    """The higher, the better; where nothing is clear, what is unusual is out of the question."""
    metres = np.array([one.beats_per_bar for one in found])
    periods_s = np.array([_period_s(one.beats) for one in found])
    ranks = of.rank(np.array([one.evidence for one in found])) - RARE * np.isin(metres, (5, 7))
    usual = (metres == 4) & (USUAL_S[0] < periods_s) & (periods_s < USUAL_S[1])
    return np.where(usual, ranks, -np.inf) if ranks.max() < CLEAR and usual.any() else ranks


def _same(one: Hypothesis, other: Hypothesis) -> bool:
    """Whether two have one metre and one tempo, wherever their bars begin."""
    ratio = _period_s(one.beats) / _period_s(other.beats)
    return one.beats_per_bar == other.beats_per_bar and abs(np.log(ratio)) < SAME_TEMPO


def steady_bars(duration_s: float, known: Known = NOTHING) -> Bars:
    """Where there is no pulse: what is known, else bars of four at 120."""
    beats_per_bar = known.pulses_per_bar or 4
    period_s = known.pulse_s or USUAL_BEAT_S * known.pulse
    beats_s = (known.start_bar_s or 0.0) + period_s * np.arange(beats_per_bar + 1.0)
    return covering(Bars(beats_s, beats_per_bar), duration_s, fixed_s=known.start_bar_s)


def as_bars(one: Hypothesis, features: FrameFeatures, *, fixed_s: float | None = None) -> Bars:
    """A hypothesis as bars that cover the whole recording; fixed_s: as of `covering`."""
    sound_s = one.beats / FPS - LATE_S
    if sound_s[0] < 0 < sound_s[1]:
        sound_s[0] = 0.0  # not before the recording
    beats_s = even_bars(sound_s, one.places, one.beats_per_bar)
    return covering(Bars(beats_s, one.beats_per_bar), features.duration_s, fixed_s=fixed_s)


def even_bars(beats_s: Array, places: Places, beats_per_bar: int) -> Array:
    """Beats of which every `beats_per_bar` are a bar, the first one a bar line.

    A bar with a beat too many or too few, as `bar_paths` leaves them, is divided evenly; beats
    before the first bar line are left to `covering`.
    """
    lines = np.flatnonzero(places == 0)
    found: list[float] = []
    for start, end in itertools.pairwise(lines.tolist()):
        inner = beats_s[start:end]
        n_bars = max(1, round((end - start) / beats_per_bar))
        if end - start != beats_per_bar:
            step = np.arange(n_bars * beats_per_bar) / (n_bars * beats_per_bar)
            inner = beats_s[start] + step * (beats_s[end] - beats_s[start])
        found += inner.tolist()
    return np.array([*found, *beats_s[lines[-1] :].tolist()])


def covering(bars: Bars, duration_s: float, *, fixed_s: float | None = None) -> Bars:
    """The bars, prolonged in the tempo of their ends: from 0 s or before, to `duration_s` or after.

    A first bar line up to a quarter beat late is moved to 0 s, unless it is the one at `fixed_s`.
    """
    beats_s, m = bars.beats_s, bars.beats_per_bar
    n_edge = min(len(beats_s) - 1, 2 * m)
    first = (beats_s[n_edge] - beats_s[0]) / n_edge
    last = (beats_s[-1] - beats_s[-1 - n_edge]) / n_edge
    is_fixed = fixed_s is not None and abs(beats_s[0] - fixed_s) < 1e-6
    if 0 < beats_s[0] < first / 4 and not is_fixed:
        beats_s = np.concatenate([[0.0], beats_s[1:]])
    n_before = m * max(0, int(np.ceil(beats_s[0] / (first * m) - 1e-9)))
    before = beats_s[0] - first * np.arange(n_before, 0, -1)
    n_after = max(0, int(np.ceil((duration_s - beats_s[-1]) / last)))
    n_after += -(len(beats_s) - 1 + n_after) % m
    after = beats_s[-1] + last * np.arange(1, n_after + 1)
    found = np.concatenate([before, beats_s, after])
    found[0] = min(found[0], 0.0)  # not 1e-14 s after it, by rounding
    return Bars(found, m)
