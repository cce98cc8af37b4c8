"""Where the beats and the bar lines of a recording are: from frame features to a tempo map.

A pulse first: the tempo as a path through a tempogram (Viterbi), and beats along it by dynamic
programming (Ellis 2007). Then its meaning: which level of the pulse is the quarter note, whether
the pulse lies on the beats or between them, how many make a bar, and where bars begin, is decided
by where harmony and bass change: hypotheses are weighed as in weights.py. What a user knows of
these (known.py) leaves fewer of them.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

from thirdstream.notes.transcription.anchoring import anchored
from thirdstream.notes.transcription.chords import beat_chroma, change_probability
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.known import NOTHING, Known
from thirdstream.notes.transcription.transcriber import LOWEST
from thirdstream.notes.transcription.weights import beat_weights
from thirdstream.notes.viterbi import best_path

Array = NDArray[np.float64]

PERIODS_S = 60 / np.geomspace(48, 220, 120)  # of the quarter note
USUAL_S, SPREAD = 60 / 118, 0.5  # the usual period, and how far periods lie from it (log)
TEMPO_HOP_S, TEMPO_WINDOW_S = 1.0, 10.0
AROUND = np.geomspace(1 / 1.2, 1.2, 57)  # a known tempo; rubato sways by a fifth
SMOOTH = 40.0  # cost of a change of the tempo's logarithm, from one second to the next
TIGHT = 60.0  # of a beat's distance from its tempo
BASS_BELOW = 52  # MIDI pitch
METRES = (4, 3)  # quarter notes a bar that are told apart; two are counted as four, six as three
BETWEEN = (0, 1 / 2, 1 / 3, 2 / 3)  # of a beat, where onsets speak for it or against it
SLIP = 6.0  # cost of a bar of another length
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.27, 1.3
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


def onset_strength(features: FrameFeatures) -> Array:
    """(n_frames,): how much begins, in the sound and among the notes; its local scale is 1."""
    begins = features.posteriors.onsets.sum(axis=1, dtype=np.float32).astype(np.float64)
    parts = (features.flux.astype(np.float64), begins)
    return np.mean([_scaled(part) for part in parts], axis=0)


def _scaled(strength: Array) -> Array:
    """What rises above the local mean, over its local size; silence stays 0."""
    rise = np.maximum(strength - uniform_filter1d(strength, round(0.6 * FPS)), 0)
    power = np.maximum(uniform_filter1d(rise**2, round(8 * FPS)), 0)  # its running sum may dip
    floor = 0.1 * np.sqrt((rise**2).mean()) + 1e-6
    return np.minimum(rise / np.maximum(np.sqrt(power), floor), 4.0)


def tempogram(onsets: Array, periods_s: Array = PERIODS_S) -> Array:
    """(n_windows, n_periods): how well each period explains the onsets around each second."""
    size, hop = round(TEMPO_WINDOW_S * FPS), round(TEMPO_HOP_S * FPS)
    smooth = gaussian_filter1d(onsets, 1.5)
    padded = np.pad(smooth, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * np.hanning(size)
    n_fft = 1 << (2 * size - 1).bit_length()
    power = np.abs(np.fft.rfft(frames, n_fft)) ** 2
    correlation = np.fft.irfft(power)[:, : size // 2 + 1]
    overlap = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), n_fft)) ** 2)[: size // 2 + 1]
    correlation /= overlap * np.maximum(correlation[:, :1], 1e-9) / overlap[0]
    lags = periods_s * FPS
    found = np.zeros((len(correlation), len(lags)))
    for multiple, weight in ((1, 1.0), (2, 0.8), (3, 0.4), (4, 0.6)):
        at = np.minimum(multiple * lags, size // 2 - 1)
        below = at.astype(int)
        share = at - below
        found += weight * ((1 - share) * correlation[:, below] + share * correlation[:, below + 1])
    return found / 2.8


def tempo_path(gram: Array, periods_s: Array = PERIODS_S, *, usual_s: float = USUAL_S) -> Array:
    """The period in seconds at each window: the smoothest good path."""
    logs = np.log(periods_s)
    prior = -0.15 * ((logs - np.log(usual_s)) / SPREAD) ** 2
    cost = SMOOTH * np.abs(logs[:, None] - logs[None])
    return periods_s[best_path(10 * gram + prior, -cost)]


def track(onsets: Array, periods_s: Array) -> Array:
    """Frames of beats that follow the periods (n_frames, in frames) and fall on onsets."""
    smooth = gaussian_filter1d(onsets, 1.0)
    periods = np.round(periods_s).astype(int)
    n_frames = len(onsets)
    score, back = smooth.copy(), np.full(n_frames, -1)
    size = max(1, int(periods.min()) // 2)  # frames so near that none is the beat before another
    fewer = np.arange(2 * int(periods.max()) + 1)
    for first in range(0, n_frames, size):
        now = np.arange(first, min(first + size, n_frames))
        period = periods[now, None]
        lags = 2 * period - fewer
        known = (lags >= period // 2) & (lags <= now[:, None])
        earlier = now[:, None] - np.where(known, lags, 0)
        cost = TIGHT * np.log(np.where(known, lags, period) / period) ** 2
        reached = np.where(known, score[earlier] - cost, 0)
        best = reached.argmax(axis=1)[:, None]
        gain = np.take_along_axis(reached, best, 1)[:, 0]
        back[now] = np.where(gain > 0, np.take_along_axis(earlier, best, 1)[:, 0], -1)
        score[now] += np.maximum(gain, 0)
    last = int(periods_s[-1])
    at = n_frames - last + int(score[-last:].argmax()) if n_frames > last else int(score.argmax())
    beats = []
    while at >= 0:
        beats.append(at)
        at = int(back[at])
    return np.array(beats[::-1], float)


# --- what the pulse means -----------------------------------------------------------------------


def downbeat_features(
    features: FrameFeatures, beats: Array, *, onsets: Array, bass: Array
) -> Array:
    """(n_beats, n_features): how much harmony, bass and onsets change at each beat (in frames)."""
    chroma = beat_chroma(features.posteriors, np.append(beats, 2 * beats[-1] - beats[-2]))
    found = [change_probability(chroma)]
    found += [_novelty(chroma[:, 0], 1), _novelty(chroma[:, 0], 2), _novelty(chroma[:, 1], 1)]
    found += [_peaks(bass, beats), _peaks(onsets, beats)]
    return np.stack(found, axis=1)


def _novelty(chroma: Array, n_beats: int) -> Array:
    """How different, 0 to 1, the pitch classes of so many beats are from those before."""
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0)])
    at = np.arange(len(chroma))
    before = sums[at] - sums[np.maximum(at - n_beats, 0)]
    after = sums[np.minimum(at + n_beats, len(chroma))] - sums[at]
    sizes = [np.linalg.norm(part, axis=1) + 0.3 for part in (before, after)]
    return 1 - (before * after).sum(axis=1) / (sizes[0] * sizes[1])


def _peaks(strength: Array, beats: Array) -> Array:
    """The highest strength within 35 ms of each beat."""
    at = np.clip(np.round(beats).astype(int), 0, len(strength) - 1)
    return maximum_filter1d(strength, 7)[at]


def bar_path(accents: Array, beats_per_bar: int) -> tuple[float, NDArray[np.int_]]:
    """Each beat's place in its bar (n_beats,), 0 the bar line, and how good that is.

    Bars have `beats_per_bar` beats; one of another length costs SLIP. The score is that of the
    accents on bar lines, in standard deviations of what chance would bring.
    """
    m = beats_per_bar
    score, back = np.zeros(m), np.zeros((len(accents), m), int)
    source = (np.arange(m) - 1) % m
    for beat, accent in enumerate(accents):
        come = score[source]
        best = int(score.argmax())
        slips = score[best] - SLIP > come
        back[beat] = np.where(slips, best, source)
        score = np.where(slips, score[best] - SLIP, come)
        score[0] += accent
    at = int(score.argmax())
    path = [at]
    for row in back[:0:-1]:
        path.append(int(row[path[-1]]))
    return _in_deviations(float(score[at]), len(accents), m), np.array(path[::-1])


def bars_from(accents: Array, beats_per_bar: int, line: int) -> tuple[float, NDArray[np.int_]]:
    """As `bar_path`, where beat number `line` is known to be a bar line: all bars count from it."""
    places = (np.arange(len(accents)) - line) % beats_per_bar
    score = float(accents[places == 0].sum())
    return _in_deviations(score, len(accents), beats_per_bar), places


def _in_deviations(score: float, n_beats: int, beats_per_bar: int) -> float:
    """The accents on bar lines; 0 where every beat is one."""
    if beats_per_bar == 1:
        return 0.0
    return score / np.sqrt(n_beats / beats_per_bar * (1 - 1 / beats_per_bar))


@dataclass(frozen=True)
class Hypothesis:
    """A way to count the pulse: its beats, in frames, and their places in the bar.

    evidence: (n,) what speaks for it and against it, as `BeatWeights.hypotheses` weighs it.
    """

    beats: Array
    places: NDArray[np.int_]
    beats_per_bar: int
    evidence: Array


def hypotheses(
    features: FrameFeatures, downbeat_weights: Array, known: Known = NOTHING
) -> list[Hypothesis]:
    """The ways to count the recording, at several levels of its pulse; none without a pulse.

    downbeat_weights: (n_features,), how `downbeat_features` tell bar lines. known: what a user
    says, which all of them agree with.
    """
    onsets, bass = onset_strength(features), bass_onsets(features)
    if features.duration_s < SHORTEST_S or not onsets.any():
        return []
    pace = _n_peaks(onsets) / features.duration_s  # onsets a second
    metres = METRES if known.pulses_per_bar is None else (known.pulses_per_bar,)
    found = []
    for pulse in _levels(onsets, known):
        if not _is_likely(pulse, known):
            continue
        beats, line = _placed(pulse, known)
        changes = downbeat_features(features, beats, onsets=onsets, bass=bass)
        level = _level_evidence(beats, (onsets, bass), pace, known)
        accents = standard(standard(changes) @ downbeat_weights)
        mean = changes.mean(axis=0)
        for metre in metres:
            of_bars, places = (
                bar_path(accents, metre) if line is None else bars_from(accents, metre, line)
            )
            found.append(Hypothesis(beats, places, metre, np.array([
                *level, *mean, of_bars, metre == 3,
                *(_mean(changes[places == 0], mean) - mean),
                *(_mean(changes[2 * places == metre], mean) - mean),
            ])))  # fmt: skip
    return found


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
    beats: Array, strengths: tuple[Array, Array], pace: float, known: Known
) -> list[float]:
    """What speaks for this level of the pulse: its tempo, its onsets, and what lies between.

    Weights are those of quarter notes. Where beats are dotted quarters, thirds of them stand for
    halves, and halves for thirds.
    """
    quarter_s = _period_s(beats) / known.pulse
    found = [*_curve(np.log(quarter_s / 0.5)), *_curve(np.log(pace * quarter_s + 0.05))]
    for strength in strengths:
        on, half, *thirds = (_peaks(strength, shifted(beats, by)).mean() for by in BETWEEN)
        if known.is_compound:
            half, thirds = np.mean(thirds), [half, half]
        found += [on, half, *thirds]
    return found


def _curve(value: float) -> tuple[float, float]:
    return value, value**2


def _mean(changes: Array, none: Array) -> Array:
    """Over beats; `none` where there are none."""
    return changes.mean(axis=0) if len(changes) else none


def _n_peaks(onsets: Array) -> int:
    """How many onsets rise to their local scale."""
    beside = np.pad(onsets, 1)
    return int(((onsets > 1) & (onsets > beside[:-2]) & (onsets >= beside[2:])).sum())


def bass_onsets(features: FrameFeatures) -> Array:
    low = features.posteriors.onsets[:, : BASS_BELOW - LOWEST].sum(axis=1, dtype=np.float32)
    return _scaled(low.astype(float)) + 0.5 * _scaled(features.bass_flux.astype(float))


def standard(values: Array) -> Array:
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-3)


def _levels(onsets: Array, known: Known) -> list[Array]:
    """Beats in frames: the pulse, its halves and thirds, each second and third beat of it, and the
    pulses two thirds and three halves as long; and, since a pulse may lie between the beats, most
    of them half a beat later, and a third, where swung eighths lie before the beat.

    Of a known tempo, the pulse alone, there and later."""
    if known.pulse_s is not None:
        [pulse] = _pulses(onsets, known.pulse_s * AROUND, usual_s=known.pulse_s)
        return [shifted(pulse, by) for by in (0, 1 / 2, 1 / 3)] if len(pulse) >= 2 else []
    factors = (1.0, 2 / 3, 3 / 2, *_odd_factors(known.pulses_per_bar or 4))
    pulse, *others = _pulses(onsets, PERIODS_S, factors=factors)
    if len(pulse) < 2:
        return []
    number = np.arange(len(pulse))
    halves, thirds = (np.interp(np.arange(0, len(pulse) - 1, 1 / n), number, pulse) for n in (2, 3))
    found = [pulse[first::3] for first in range(3)] + [thirds, shifted(thirds, 1 / 2)]
    for by in (0, 1 / 2, 1 / 3):
        later = shifted(pulse, by)
        found += [later, later[0::2], later[1::2]]
        found += [shifted(beats, by) for beats in (halves, *others)]
    return found


def _odd_factors(beats_per_bar: int) -> tuple[float, ...]:
    """Where two, three or four pulses may be a bar of five beats, or seven: beats, in pulses."""
    if 12 % beats_per_bar == 0:
        return ()
    return tuple(n / beats_per_bar for n in (2, 3, 4) if 4 * n >= beats_per_bar)


def _pulses(
    onsets: Array,
    periods_s: Array,
    *,
    usual_s: float = USUAL_S,
    factors: tuple[float, ...] = (1.0,),
) -> list[Array]:
    """Beats in frames along the best path through these periods, and along multiples of it."""
    path = tempo_path(tempogram(onsets, periods_s), periods_s, usual_s=usual_s)
    at = np.arange(len(path)) * round(TEMPO_HOP_S * FPS)
    return [
        track(onsets, np.interp(np.arange(len(onsets)), at, factor * path) * FPS)
        for factor in factors
    ]


def shifted(beats: Array, by: float) -> Array:
    """Each beat later by this share of the way to the next; by=0 keeps the last one."""
    return beats[:-1] + by * np.diff(beats) if by else beats


def bars_of(features: FrameFeatures, known: Known = NOTHING) -> Bars | None:
    """The best hypothesis, as bars that cover the whole recording; None where there is no pulse."""
    of = beat_weights()
    found = hypotheses(features, of.downbeats, known)
    if not found:
        return None
    scores = [float(one.evidence @ of.hypotheses) for one in found]
    best = int(np.argmax(scores))
    rivals = [
        score for one, score in zip(found, scores, strict=True) if not _same_count(one, found[best])
    ]
    bars = as_bars(found[best], features, fixed_s=known.start_bar_s)
    return replace(bars, lead=scores[best] - max(rivals, default=-np.inf))


def _same_count(one: Hypothesis, other: Hypothesis) -> bool:
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
    beats_s = even_bars(one.beats / FPS - LATE_S, one.places, one.beats_per_bar)
    return covering(Bars(beats_s, one.beats_per_bar), features.duration_s, fixed_s=fixed_s)


def even_bars(beats_s: Array, places: NDArray[np.int_], beats_per_bar: int) -> Array:
    """Beats of which every `beats_per_bar` are a bar, the first one a bar line.

    A bar with a beat too many or too few, as `bar_path` leaves them, is divided evenly; beats
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
