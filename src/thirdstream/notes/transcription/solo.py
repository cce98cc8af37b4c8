"""How one voice alone may be counted: from its tatums to beats and bars.

A bar of a solo is told by what comes again with it, in rhythm, contour and harmony, and by what
falls on its beginning: low notes, leaps, long notes, double stops, and another harmony.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.tatums import Tatums

Array = NDArray[np.float64]
Places = NDArray[np.int_]

READINGS = (  # tatums a beat, beats a bar, parts of a beat
    (1, 4, 2), (2, 4, 2), (4, 4, 2), (8, 4, 2), (1, 3, 2), (2, 3, 2), (4, 3, 2), (8, 3, 2),
    (3, 2, 3), (3, 3, 3), (3, 4, 3), (6, 2, 3), (6, 3, 3), (6, 4, 3),
)  # fmt: skip
METRES = ((4, 2), (3, 2), (2, 3), (3, 3), (4, 3))
A_BEAT = (1, 2, 3, 4, 6, 8)
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.2, 1.7
FEWEST_BARS = 3
SLIP = 5.0  # cost of a bar of another length
NEAR, FAR, AROUND = 4, 8, 12  # tatums over which harmony is compared, and pitches averaged
MOST_LAG = 48  # tatums
TYPICAL_TATUM_S, TYPICAL_BEAT_S, TYPICAL_BAR_S = 0.18, 0.6, 2.0
N_ACCENTS = 11
SMALL = 1e-6


class Line(NamedTuple):
    """One voice on its tatums. accents: (n, N_ACCENTS), what may mark a beat there; kinds: parts
    (n, n_numbers) in which it may come again."""

    times_s: Array
    accents: Array
    kinds: tuple[Array, ...]


class Count(NamedTuple):
    """A way to count a line: places (n_tatums,) in bars of `tatums` * `beats`; evidence for it."""

    tatums: int
    beats: int
    parts: int
    places: Places
    evidence: Array


def line_of(found: Tatums) -> Line:
    at, n = found.places, len(found.times_s)
    _, lowest, highest, numbers = found.onsets
    gaps = np.diff(at, append=at[-1] + 2)
    before, after = np.append(highest[0], highest[:-1]), np.append(lowest[1:], lowest[-1])
    filled = np.repeat(lowest, gaps)[:n]
    mean = np.convolve(np.pad(filled, AROUND, "edge"), np.full(2 * AROUND + 1, 1), "valid")
    mean /= 2 * AROUND + 1
    pitches = np.zeros((n, 12))
    for voice in (lowest, highest):
        pitches[np.arange(n), np.repeat(voice, gaps)[:n].astype(int) % 12] = 1
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(pitches, axis=0)])
    recent = sums[at] - sums[np.maximum(at - FAR, 0)]
    accents = np.zeros((n, N_ACCENTS))
    accents[at, :8] = np.stack([
        np.ones(len(at)),
        np.log2(np.minimum(gaps, 8)),
        np.clip((mean[at] - lowest) / 6, -2, 2),
        np.minimum(np.abs(lowest - before), 19) / 7,
        np.minimum(np.abs(after - highest), 19) / 7,
        (lowest < before) & (lowest < after),
        (highest > before) & (highest > after),
        np.minimum(numbers - 1, 3),
    ], axis=1)  # fmt: skip
    accents[:, 8], accents[:, 9] = (_novelty(sums, reach) for reach in (NEAR, FAR))
    accents[at, 10] = recent[np.arange(len(at)), lowest.astype(int) % 12] == 0
    contour = np.zeros((n, 1))
    contour[at, 0] = np.clip(highest - before, -12, 12)
    kinds = (accents[:, :1], contour, pitches, accents[:, 2:3], accents[:, 1:2])
    return Line(found.times_s, accents, kinds)


def _novelty(sums: Array, reach: int) -> Array:
    """How different the pitch classes of so many tatums are from those before."""
    at = np.arange(len(sums) - 1)
    before = sums[at] - sums[np.maximum(at - reach, 0)]
    after = sums[np.minimum(at + reach, len(at))] - sums[at]
    sizes = [np.sqrt(np.square(part).sum(axis=1)) + 0.3 for part in (before, after)]
    return 1 - (before * after).sum(axis=1) / (sizes[0] * sizes[1])


def standard(values: Array) -> Array:
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-3)


def counts_of(line: Line, of_lines: Array, of_beats: Array) -> list[Count]:
    """The ways to count it. of_lines, of_beats: (N_ACCENTS,), how accents tell bar lines, and
    beats."""
    n, tatum_s = len(line.times_s), float(np.median(np.diff(line.times_s)))
    readings = [
        (tatums, beats, parts)
        for tatums, beats, parts in READINGS
        if SHORTEST_BEAT_S < tatum_s * tatums < LONGEST_BEAT_S and n > FEWEST_BARS * tatums * beats
    ]
    if not readings:
        return []
    accents = standard(line.accents)
    again = [_recurrence(kind) for kind in line.kinds]
    laid = _laid(readings, standard(accents @ of_lines), standard(accents @ of_beats) / 2)
    found = []
    for (tatums, beats, parts), (score, places) in zip(readings, laid, strict=True):
        marks = _marks(accents, places, tatums, beats)
        evidence = [
            *_pace(tatum_s, tatums, beats),
            line.accents[:, 0].mean(),
            score / np.sqrt(n / (tatums * beats)),
            *marks,
            *(value for kind in again for value in _returns(kind, tatums, tatums * beats)),
            *((beats, parts) == one for one in METRES),
            *(tatums == one for one in A_BEAT),
        ]
        found.append(Count(tatums, beats, parts, places, np.array(evidence, float)))
    return found


def _pace(tatum_s: float, tatums: int, beats: int) -> list[float]:
    logs = [
        np.log(tatum_s / TYPICAL_TATUM_S),
        np.log(tatum_s * tatums / TYPICAL_BEAT_S),
        np.log(tatum_s * tatums * beats / TYPICAL_BAR_S),
    ]
    return [value for log in logs for value in (log, log**2)]


def _marks(accents: Array, places: Places, tatums: int, beats: int) -> list[float]:
    """The mean accents on bar lines, on beats, on the middle of bars (other beats, where there is
    none), and between beats."""
    bar, beat = places == 0, places % tatums == 0
    middle = places == tatums * beats // 2 if beats % 2 == 0 else beat & ~bar
    groups = (bar, beat, middle, ~beat)
    means = [accents[one].mean(axis=0) if one.any() else np.zeros(N_ACCENTS) for one in groups]
    return np.concatenate(means).tolist()


def _recurrence(rows: Array) -> Array:
    """(MOST_LAG + 1,): the correlation of tatums so far apart; 0 where there are too few."""
    rest, found = rows - rows.mean(axis=0), np.zeros(MOST_LAG + 1)
    power = float(np.square(rest).mean()) + SMALL
    for lag in range(1, min(MOST_LAG, len(rest) - FAR) + 1):
        found[lag] = float((rest[lag:] * rest[:-lag]).mean()) / power
    return found


def _returns(again: Array, tatums: int, bar: int) -> list[float]:
    """How much comes again after a beat, a bar, two, and half a bar; and after other times."""

    def after(lag: float) -> float:
        return float(again[int(lag)]) if lag <= MOST_LAG else 0.0

    lags = np.arange(2, min(2 * bar, MOST_LAG) + 1)
    others = again[lags[(lags % bar != 0) & (lags % tatums != 0)]]
    most, mean = (float(others.max()), float(others.mean())) if len(others) else (0.0, 0.0)
    half = after(bar / 2) if bar % 2 == 0 else after(bar)
    beside = max(after(bar - 1), after(bar + 1))
    near = (after(tatums - 1) + after(tatums + 1)) / 2 if tatums > 1 else 0.0
    return [after(tatums), after(bar), after(2 * bar), half, most, mean, after(bar) - beside,
            after(tatums) - near]  # fmt: skip


def _laid(
    readings: list[tuple[int, int, int]], of_lines: Array, of_beats: Array
) -> list[tuple[float, Places]]:
    """For each reading, how good its bars are, and the tatums' places in them; a bar of another
    length costs SLIP."""
    bars = np.array([tatums * beats for tatums, beats, _ in readings])[:, None]
    beats = np.array([tatums for tatums, _, _ in readings])[:, None]
    own, row = np.arange(int(bars.max())), np.arange(len(readings))
    score = np.where(own < bars, 0.0, -np.inf)  # of what was in each place at first
    back = np.zeros((len(of_lines), *score.shape), np.int8)
    for tatum, (line, beat) in enumerate(zip(of_lines.tolist(), of_beats.tolist(), strict=True)):
        best = score.argmax(axis=1)
        slipped = (score[row, best] - SLIP)[:, None]
        moved = (slipped > score) & (own < bars)
        back[tatum] = np.where(moved, best[:, None], own)
        score = np.where(moved, slipped, score)
        place = (tatum + own) % bars
        score = score + line * (place == 0) + beat * (place % beats == 0)
    at = score.argmax(axis=1)
    best, places = score[row, at], np.empty((len(of_lines), len(readings)), int)
    for tatum in range(len(of_lines) - 1, -1, -1):
        places[tatum] = at
        at = back[tatum, row, at]
    places = (places + np.arange(len(of_lines))[:, None]) % bars[:, 0]
    return [(float(best[k]), places[:, k]) for k in range(len(readings))]
