"""Where the beats and the bar lines of a recording are: from frame features to a tempo map.

pulse.py finds lists of beats, and hypotheses.py what they may mean. Small networks rank these
hypotheses (weights.py), by tempo, onsets, and where harmony and bass change: one those in three and
four quarters, one those in five, seven and dotted beats. What a user knows (known.py) leaves fewer
of them.
"""

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.transcription.activations import activations_of
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.hypotheses import (
    COMMON,
    LATE_S,
    METRES,
    RARE,
    Hypothesis,
    Levels,
    Places,
    hypotheses,
    hypotheses_by_rhythm,
    levels,
)
from thirdstream.notes.transcription.known import NOTHING, Known
from thirdstream.notes.transcription.metre_changes import with_changes
from thirdstream.notes.transcription.weights import downbeat_weights, rank_weights

Array = NDArray[np.float64]

ODD = 1.0  # cost of five and seven in solos, which are fewer than among what was learnt from
SOUNDING, ALONE = 0.5, 0.6  # posterior of a note; share of the time of a solo in which one sounds
CLEAR = 0.0  # the least that the best has where there is a pulse
USUAL_S = (0.3, 1.0)  # the beats that a recording without one is counted in
USUAL_BEAT_S = 0.5  # where there is no pulse
SAME_TEMPO = 0.08  # logarithm of the ratio of two
EQUAL = 0.2  # ranks that differ by no more are as good as equal


@dataclass(frozen=True)
class Bars:
    """Beats in seconds from a bar line to a bar line, every `beats_per_bar` of them a bar.

    lead: how far ahead this reading is of the best with another metre or tempo, in logarithms of
    odds; 0 where there is no pulse, infinite where a user left no other. parts: of a beat, 3 where
    it is a dotted quarter. changes: from which beat on bars have how many, where that changes; the
    first is beat 0, and `beats_per_bar` is that of most beats.
    """

    beats_s: Array
    beats_per_bar: int
    lead: float = 0.0
    parts: int = 2
    changes: tuple[tuple[int, int], ...] = ()

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """As `changes`, also where the metre stays."""
        return self.changes or ((0, self.beats_per_bar),)

    @cached_property
    def metres(self) -> Metres:
        """In beats."""
        return Metres(tuple((float(first), metre(n, 4)) for first, n in self.runs))

    @property
    def lines(self) -> Places:
        """The numbers of the beats that are bar lines, with the last."""
        n_bars = self.metres.n_bars(len(self.beats_s) - 1)
        return np.array([round(self.metres.line(k)) for k in range(n_bars + 1)])

    @property
    def signature(self) -> str:
        """The metre that was found: quarters, or dotted ones."""
        return f"{3 * self.beats_per_bar}/8" if self.parts == 3 else f"{self.beats_per_bar}/4"

    @property
    def beats_per_minute(self) -> float:
        """On average."""
        return 60 * (len(self.beats_s) - 1) / float(self.beats_s[-1] - self.beats_s[0])


def bars_of(features: FrameFeatures, known: Known = NOTHING) -> Bars | None:
    """The best hypothesis, as bars that cover the whole recording; None where there is no pulse."""
    of = levels(features, activations_of(features), downbeat_weights(), known)
    alone = is_solo(features)
    found, ranks = ranked(of, known, alone=alone) if of else ([], np.zeros(0))
    if not found:
        return None
    best = best_of(found, ranks)
    rivals = [rank for one, rank in zip(found, ranks, strict=True) if not _same(one, best)]
    if not alone and known.metre is None and known.start_bar_s is None:
        best = with_changes(best)
    bars = as_bars(best, features, fixed_s=known.start_bar_s)
    return replace(bars, lead=float(ranks.max() - max(rivals, default=-np.inf)))


def best_of(found: list[Hypothesis], ranks: Array) -> Hypothesis:
    """The best ranked; of those that count alike and are as good as equal, the steadiest: a loose
    tracking follows what is no beat too."""
    best = found[int(ranks.argmax())]
    equal = [one for one, rank in zip(found, ranks, strict=True) if rank >= ranks.max() - EQUAL]
    return min((one for one in equal if _same(one, best)), key=lambda one: one.unsteadiness)


def is_solo(features: FrameFeatures) -> bool:
    """Whether one voice plays alone most of the time in which notes sound."""
    n_notes = (features.posteriors.notes > SOUNDING).sum(axis=1)
    return bool((n_notes == 1).sum() > ALONE * (n_notes > 0).sum())


def ranked(of: Levels, known: Known, *, alone: bool) -> tuple[list[Hypothesis], Array]:
    """The hypotheses, and how good each is: the higher, the better.

    Rare ones are ranked from the best rank of the others on, and left out where the metre is known,
    or one voice plays alone: figures of a solo are too often thirds. Where nothing is clear, what
    is unusual is out of the question.
    """
    found = hypotheses(of, known, METRES if alone else COMMON)
    if not found:
        return [], np.zeros(0)
    metres = np.array([one.beats_per_bar for one in found])
    ranks = rank_weights("beats").rank(_evidence(found)) - ODD * np.isin(metres, (5, 7))
    rare = [] if alone or known.metre else hypotheses_by_rhythm(of, known, RARE)
    if rare:
        ranks = np.append(ranks, ranks.max() + rank_weights("rare").rank(_evidence(rare)))
        found += rare
    usual = np.array([
        (one.beats_per_bar, one.parts) == (4, 2) and USUAL_S[0] < one.period_s < USUAL_S[1]
        for one in found
    ])  # fmt: skip
    unclear = ranks.max() < CLEAR and usual.any()
    return found, np.where(usual, ranks, -np.inf) if unclear else ranks


def _evidence(found: list[Hypothesis]) -> Array:
    return np.array([one.evidence for one in found])


def _same(one: Hypothesis, other: Hypothesis) -> bool:
    """Whether two have one metre and one tempo, wherever their bars begin."""
    ratio = one.period_s / other.period_s
    metres = [(each.beats_per_bar, each.parts) for each in (one, other)]
    return metres[0] == metres[1] and abs(np.log(ratio)) < SAME_TEMPO


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
    if one.lengths is None:
        beats_s = even_bars(sound_s, one.places, one.beats_per_bar)
        bars = Bars(beats_s, one.beats_per_bar, parts=one.parts)
    else:
        bars = _changing_bars(sound_s, one.places, one.lengths)
    return covering(bars, features.duration_s, fixed_s=fixed_s)


def _changing_bars(beats_s: Array, places: Places, lengths: Places) -> Bars:
    """As `even_bars`, from change of metre to change of metre. lengths: as of `Hypothesis`."""
    found, changes = list[float](), list[tuple[int, int]]()
    starts = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist()]
    for start, end in itertools.zip_longest(starts, starts[1:]):
        own = slice(start, None if end is None else end + 1)  # up to the next one's bar line
        bars = even_bars(beats_s[own], places[own], int(lengths[start])).tolist()
        changes.append((len(found), int(lengths[start])))
        found += bars if end is None else bars[:-1]
    return Bars(np.array(found), int(np.bincount(lengths).argmax()), changes=tuple(changes))


def even_bars(beats_s: Array, places: Places, beats_per_bar: int) -> Array:
    """Beats of which every `beats_per_bar` are a bar, the first one a bar line.

    A bar with a beat too many or too few, as `bar_paths` leaves them, is mended by `_of_number`;
    beats before the first bar line are left to `covering`.
    """
    lines = np.flatnonzero(places == 0)
    found: list[float] = []
    for start, end in itertools.pairwise(lines.tolist()):
        n_bars = max(1, round((end - start) / beats_per_bar))
        found += _of_number(beats_s[start : end + 1], n_bars * beats_per_bar)[:-1].tolist()
    return np.array([*found, *beats_s[lines[-1] :].tolist()])


def _of_number(beats_s: Array, n_steps: int) -> Array:
    """So many steps from the first beat to the last: of too many beats those go that lie nearest to
    their neighbours, of too few the longest steps are halved. The others stay where they are."""
    while len(beats_s) - 1 > n_steps:
        beats_s = np.delete(beats_s, 1 + int((beats_s[2:] - beats_s[:-2]).argmin()))
    while len(beats_s) - 1 < n_steps:
        longest = int(np.diff(beats_s).argmax())
        beats_s = np.insert(beats_s, longest + 1, beats_s[longest : longest + 2].mean())
    return beats_s


def covering(bars: Bars, duration_s: float, *, fixed_s: float | None = None) -> Bars:
    """The bars, prolonged in the tempo of their ends: from 0 s or before, to `duration_s` or after.

    A first bar line up to a quarter beat late is moved to 0 s, unless it is the one at `fixed_s`.
    """
    beats_s, (begun, *later) = bars.beats_s, bars.runs
    n_edge = min(len(beats_s) - 1, 2 * bars.beats_per_bar)
    first = (beats_s[n_edge] - beats_s[0]) / n_edge
    last = (beats_s[-1] - beats_s[-1 - n_edge]) / n_edge
    is_fixed = fixed_s is not None and abs(beats_s[0] - fixed_s) < 1e-6
    if 0 < beats_s[0] < first / 4 and not is_fixed:
        beats_s = np.concatenate([[0.0], beats_s[1:]])
    m = begun[1]
    n_before = m * max(0, int(np.ceil(beats_s[0] / (first * m) - 1e-9)))
    before = beats_s[0] - first * np.arange(n_before, 0, -1)
    n_after = max(0, int(np.ceil((duration_s - beats_s[-1]) / last)))
    at, m = bars.runs[-1]
    n_after += -(len(beats_s) - 1 - at + n_after) % m
    after = beats_s[-1] + last * np.arange(1, n_after + 1)
    found = np.concatenate([before, beats_s, after])
    found[0] = min(found[0], 0.0)  # not 1e-14 s after it, by rounding
    changes = (begun, *((n_before + at, m) for at, m in later)) if later else ()
    return replace(bars, beats_s=found, changes=changes)
