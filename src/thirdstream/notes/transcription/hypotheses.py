"""The ways to count a recording: beats, their places in the bar, and what speaks for each way.

A hypothesis says which level of the pulse is the beat, whether beats are quarter notes or dotted
ones, whether they lie on the pulse or between, how many make a bar, and where bars begin. Which is
best, beats.py decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from thirdstream.notes.transcription.activations import Activations
from thirdstream.notes.transcription.anchoring import anchored
from thirdstream.notes.transcription.chords import (
    ChromaSums,
    beat_chroma,
    change_probabilities,
    together,
)
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.known import NOTHING, Known
from thirdstream.notes.transcription.pulse import (
    frame_evidence,
    levels_of,
    n_peaks,
    onset_strength,
    shifted,
)
from thirdstream.notes.transcription.rhythm import Rhythm, rhythm_of

Array = NDArray[np.float64]
Places = NDArray[np.int_]
Readings = Sequence[tuple[int, int]]  # beats a bar, and parts of a beat: 3 where it is dotted

COMMON = (4, 3)  # quarter notes a bar; two are counted as four
METRES = (4, 3, 5, 7)  # quarter notes a bar that the evidence of `hypotheses` tells apart
RARE: Readings = ((5, 2), (7, 2), (2, 3), (3, 3), (4, 3))
EVERY: Readings = (*RARE, (3, 2), (4, 2))
DOTTED = 1.5  # quarter notes
BETWEEN = (0, 1 / 2, 1 / 3, 2 / 3)  # of a beat, where onsets speak for it or against it
N_HARMONY, ONSETS = 4, 5  # downbeat features: the first are of changes; the place of onsets
ALTERNATING = 16  # beats over which every second one may be louder
SPREAD = 0.8  # of the accents: so high are bars scored where the ranking's weights come from
SLIP = 10.0  # cost of a bar of another length
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.18, 1.4  # of a quarter note
SHORTEST_S, MIN_BEATS = 4.0, 8  # of a recording in which beats are looked for
MIN_KNOWN_BEATS = 3  # of a known tempo
LATE_S = 0.012  # how much later onsets are found than they sound


@dataclass(frozen=True)
class Hypothesis:
    """A way to count the pulse: its beats, in frames, and their places in the bar.

    evidence: (n,) what speaks for it and against it, as `BeatWeights.rank` weighs it. parts: of a
    beat, 3 where it is a dotted note. accents: as of `Level`. lengths: (n_beats,) of each one's
    bar, where the metre changes.
    """

    beats: Array
    places: Places
    beats_per_bar: int
    evidence: Array
    parts: int = 2
    accents: Array = field(default_factory=lambda: np.zeros(0))
    lengths: Places | None = None

    @cached_property
    def period_s(self) -> float:
        """Of the beat."""
        return _period_s(self.beats)

    @cached_property
    def unsteadiness(self) -> float:
        """How much each beat differs in length from the next, in beats, on average."""
        return _unsteadiness(self.beats)


@dataclass(frozen=True)
class Level:
    """A level of the pulse: its beats, in frames, and what is there.

    line: the number of a known bar line, if there is one. changes, accents: of each beat, as
    `downbeat_features` has them, and weighed.
    """

    beats: Array
    line: int | None
    changes: Array
    accents: Array
    rhythm: Rhythm


@dataclass(frozen=True)
class Levels:
    """A recording at the levels of its pulse. per_frame: as of `frame_evidence`. pace: onsets a
    second."""

    every: list[Level]
    per_frame: tuple[Array, ...]
    pace: float

    def likely(self, known: Known, pulse: float) -> list[Level]:
        """Those whose beats may have so many quarter notes."""
        return [one for one in self.every if _is_likely(one.beats, known, pulse)]


def levels(
    features: FrameFeatures, activations: Activations, of_downbeats: Array, known: Known = NOTHING
) -> Levels | None:
    """The levels of the pulse that may be meant; None without a pulse.

    of_downbeats: as of `_accents_of`. known: what a user says, which all of them agree with.
    """
    onsets = onset_strength(features)
    if features.duration_s < SHORTEST_S or not onsets.any():
        return None
    pulses = {known.pulse} if known.metre else {1.0, DOTTED}
    placed = [
        _placed(beats, known)
        for beats in levels_of(onsets, activations.beats, known)
        if any(_is_likely(beats, known, pulse) for pulse in pulses)
    ]
    if not placed:
        return None
    per_frame = frame_evidence(features, activations)
    sums, every = ChromaSums.of(features.posteriors), list[Level]()
    for run in together([len(at) for at, _ in placed]):  # all chroma of an hour is much
        beats = [at for at, _ in placed[run]]
        chroma = [beat_chroma(sums, np.append(at, 2 * at[-1] - at[-2])) for at in beats]
        found = downbeat_features(chroma, beats, per_frame)
        for (at, line), changes, one in zip(placed[run], found, chroma, strict=True):
            accents, rhythm = _accents_of(changes, of_downbeats), rhythm_of(at, per_frame, one[:-1])
            every.append(Level(at, line, changes, accents, rhythm))
    return Levels(every, per_frame, n_peaks(onsets) / features.duration_s)


def hypotheses(
    of: Levels | None, known: Known = NOTHING, metres: Sequence[int] = COMMON
) -> list[Hypothesis]:
    """The ways to count it in so many quarter notes, of METRES, or in a known metre; none without a
    pulse."""
    if of is None:
        return []
    some, found = of.likely(known, known.pulse), []
    evidence = [_level_evidence(one.beats, of.per_frame, of.pace, known) for one in some]
    for metre in metres if known.pulses_per_bar is None else (known.pulses_per_bar,):
        is_metre = [metre == other for other in METRES[1:]]
        for level, bars, own in zip(some, level_bars(some, metre), evidence, strict=True):
            found.append(_hypothesis(level, bars, metre, own, is_metre))
    return found


def hypotheses_by_rhythm(
    of: Levels | None, known: Known = NOTHING, readings: Readings = EVERY
) -> list[Hypothesis]:
    """The ways to count it in these readings, with evidence of another kind: the rhythm within the
    beat, and how alike beats are that are a bar apart."""
    if of is None:
        return []
    found = []
    for parts in (2, 3):
        some = of.likely(known, DOTTED if parts == 3 else 1.0)
        tempi = [_tempo_evidence(_period_s(one.beats), of.pace) for one in some]
        for metre in [metre for metre, n in readings if n == parts]:
            is_reading = [(metre, parts) == other for other in EVERY]
            for level, bars, tempo in zip(some, level_bars(some, metre), tempi, strict=True):
                own = [*tempo, _unsteadiness(level.beats), *level.rhythm.evidence(metre)]
                found.append(_hypothesis(level, bars, metre, own, is_reading, parts))
    return found


def level_bars(levels: Sequence[Level], metre: int) -> list[tuple[float, Places]]:
    """`bar_paths` of each, or `_bars_from` where a line is known."""
    paths = bar_paths([one.accents for one in levels], metre) if levels else []
    return [
        path if one.line is None else _bars_from(one.accents, metre, one.line)
        for path, one in zip(paths, levels, strict=True)
    ]


def _hypothesis(
    level: Level,
    bars: tuple[float, Places],
    metre: int,
    own: list[float],
    which: list[bool],
    parts: int = 2,
) -> Hypothesis:
    """own: what speaks for the level. which: of the readings there are, whether it is this one."""
    score, places = bars
    evidence = [*own, *level.changes.mean(axis=0), score, *which]
    evidence += _by_place(level.changes, places, metre)
    return Hypothesis(level.beats, places, metre, np.array(evidence), parts, level.accents)


def _by_place(changes: Array, places: Places, metre: int) -> list[float]:
    """How much more there is on bar lines, in the middle of bars, and on every second beat."""
    mean = changes.mean(axis=0)
    groups = (places == 0, 2 * places == metre, (places % 2 == 1) & (metre % 2 == 0))
    return [value for among in groups for value in _mean(changes[among], mean) - mean]


def _placed(beats: Array, known: Known) -> tuple[Array, int | None]:
    """The beats, where a bar line is known with one there, and that one's number."""
    if known.start_bar_s is None:
        return beats, None
    return anchored(beats, (known.start_bar_s + LATE_S) * FPS)


def _is_likely(beats: Array, known: Known, pulse: float) -> bool:
    """Whether there are enough beats, of a quarter note that is neither too short nor too long.

    pulse: quarter notes a beat.
    """
    if known.tempo is not None:
        return len(beats) >= MIN_KNOWN_BEATS
    if len(beats) < MIN_BEATS:
        return False
    return SHORTEST_BEAT_S < _period_s(beats) / pulse < LONGEST_BEAT_S


def _period_s(beats: Array) -> float:
    return float(np.median(np.diff(beats))) / FPS


def _level_evidence(
    beats: Array, per_frame: Sequence[Array], pace: float, known: Known
) -> list[float]:
    """What speaks for this level of the pulse: its tempo, its onsets, and what lies between.

    Weights are those of quarter notes. Where beats are dotted quarters, thirds of them stand for
    halves, and halves for thirds.
    """
    found = _tempo_evidence(_period_s(beats) / known.pulse, pace)
    for curve in per_frame:
        on, half, *thirds = (_at(curve, shifted(beats, by)).mean() for by in BETWEEN)
        if known.is_compound:
            half, thirds = np.mean(thirds), [half, half]
        found += [on, half, *thirds]
    return [*found, _unsteadiness(beats)]


def _tempo_evidence(beat_s: float, pace: float) -> list[float]:
    """The tempo, and how many onsets there are in each beat."""
    tempo, onsets = np.log(beat_s / 0.5), np.log(pace * beat_s + 0.05)
    return [tempo, tempo**2, onsets, onsets**2]


def _unsteadiness(beats: Array) -> float:
    return float(np.abs(np.diff(beats, 2)).mean()) / FPS / _period_s(beats)


def _mean(changes: Array, none: Array) -> Array:
    """Over beats; `none` where there are none."""
    return changes.mean(axis=0) if len(changes) else none


def standard(values: Array) -> Array:
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-3)


def downbeat_features(
    chroma: Sequence[Array], levels: Sequence[Array], per_frame: Sequence[Array]
) -> list[Array]:
    """(n_beats, n_features) of each list of beats, in frames: how much harmony changes at each
    beat, and what `frame_evidence` says there, but for that of a beat.

    chroma: of each list, as of `beat_chroma`.
    """
    onsets, bass, _, downbeats = per_frame
    found = []
    for beats, one, changed in zip(levels, chroma, change_probabilities(chroma), strict=True):
        novelties = (_novelty(one[:, 0], 1), _novelty(one[:, 0], 2), _novelty(one[:, 1], 1))
        peaks = [_at(curve, beats) for curve in (bass, onsets, downbeats)]
        found.append(np.stack([changed, *novelties, *peaks], axis=1))
    return found


def _accents_of(changes: Array, of_downbeats: Array) -> Array:
    """(n_beats,): how much each beat is like a bar line; mean 0, standard deviation SPREAD.

    changes: (n_beats, n_features), as of `downbeat_features`. of_downbeats: (n_features,), weights.
    Before the first beat nothing sounded that could change, so its harmony is that of the others
    on average: recordings begin anywhere in a bar. Of onsets that are louder on every second beat
    only the rest counts: they may be 2 and 4, or 1 and 3.
    """
    marks = changes.copy()
    marks[0, :N_HARMONY] = marks[1:, :N_HARMONY].mean(axis=0)
    marks = standard(marks)
    sign = 1.0 - 2.0 * (np.arange(len(marks)) % 2)
    marks[:, ONSETS] -= sign * uniform_filter1d(sign * marks[:, ONSETS], ALTERNATING)
    return SPREAD * standard(marks @ of_downbeats)


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


def _bars_from(accents: Array, beats_per_bar: int, line: int) -> tuple[float, Places]:
    """As `bar_paths`, where beat number `line` is known to be a bar line, from which all count."""
    places = (np.arange(len(accents)) - line) % beats_per_bar
    score = float(accents[places == 0].sum())
    return _in_deviations(score, len(accents), beats_per_bar), places


def _in_deviations(score: float, n_beats: int, beats_per_bar: int) -> float:
    """The accents on bar lines; 0 where every beat is one."""
    if beats_per_bar == 1:
        return 0.0
    return float(score) / np.sqrt(n_beats / beats_per_bar * (1 - 1 / beats_per_bar))
