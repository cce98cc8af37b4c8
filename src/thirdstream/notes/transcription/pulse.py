"""The pulse of a recording: from frame features to lists of beats that may be its quarter notes.

The tempo is a path through a tempogram (Viterbi), and beats along it are found by dynamic
programming (Ellis 2007), several times: the tighter they follow the tempo, the less a syncopation
leads them astray, and the less they follow rubato. Which of them are beats, beats.py decides.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

from thirdstream.notes.transcription.activations import Activations
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.known import Known
from thirdstream.notes.transcription.transcriber import LOWEST
from thirdstream.notes.viterbi import best_path, chained

Array = NDArray[np.float64]
Places = NDArray[np.int_]

PERIODS_S = 60 / np.geomspace(48, 220, 120)  # of the quarter note
USUAL_S, SPREAD = 60 / 118, 0.5  # the usual period, and how far periods lie from it (log)
TEMPO_HOP_S, TEMPO_WINDOW_S = 1.0, 10.0
AROUND = np.geomspace(1 / 1.2, 1.2, 57)  # a known tempo; rubato sways by a fifth
SMOOTH = 40.0  # cost of a change of the tempo's logarithm, from one second to the next
TIGHT = (60.0, 400.0, 1000.0)  # costs of a beat's distance from its tempo: rubato to steady music
FOLLOWING, SURE = 100.0, 6.0  # the same where beats are likely; the strength of a sure one
BEATS_S = 60 / np.geomspace(40, 330, 140)  # the periods that they have
NEAR = 7  # frames, 35 ms before a beat to 35 ms after: the highest strength there is the beat's
AT_ONCE = 256  # frames, or windows, that are looked at together
SAME = 4.0  # frames by which the beats of two trackings differ at most, where they are one
BASS_BELOW = 52  # MIDI pitch


def onset_strength(features: FrameFeatures) -> Array:
    """(n_frames,): how much begins, in the sound and among the notes; its local scale is 1."""
    begins = features.posteriors.onsets.sum(axis=1, dtype=np.float32).astype(np.float64)
    parts = (features.flux.astype(np.float64), begins)
    return np.mean([_scaled(part) for part in parts], axis=0)


def _bass_onsets(features: FrameFeatures) -> Array:
    low = features.posteriors.onsets[:, : BASS_BELOW - LOWEST].sum(axis=1, dtype=np.float32)
    return _scaled(low.astype(float)) + 0.5 * _scaled(features.bass_flux.astype(float))


def frame_evidence(features: FrameFeatures, activations: Activations) -> tuple[Array, ...]:
    """(n_frames,) each: the highest strength of onsets near each frame, and of the bass's, and the
    logarithm of the odds of a beat there, and of a bar line."""
    odds = (np.log((one + 1e-3) / (1 - one + 1e-3)) for one in activations)
    per_frame = (onset_strength(features), _bass_onsets(features), *odds)
    return tuple(maximum_filter1d(one, NEAR) for one in per_frame)


def _scaled(strength: Array) -> Array:
    """What rises above the local mean, over its local size; silence stays 0."""
    rise = np.maximum(strength - uniform_filter1d(strength, round(0.6 * FPS)), 0)
    power = np.maximum(uniform_filter1d(rise**2, round(8 * FPS)), 0)  # its running sum may dip
    floor = 0.1 * np.sqrt((rise**2).mean()) + 1e-6
    return np.minimum(rise / np.maximum(np.sqrt(power), floor), 4.0)


def n_peaks(onsets: Array) -> int:
    """How many onsets rise to their local scale."""
    beside = np.pad(onsets, 1)
    return int(((onsets > 1) & (onsets > beside[:-2]) & (onsets >= beside[2:])).sum())


def levels_of(onsets: Array, beats: Array, known: Known) -> list[Array]:
    """Beats in frames, at the levels of each tracking of the pulse, the tightest first, without any
    twice; of a known tempo, the loosest pulse alone, there and later.

    beats: (n_frames,), how likely each frame is a beat.
    """
    if known.pulse_s is not None:  # it may sway about what is known
        periods = _periods(onsets, known.pulse_s * AROUND, usual_s=known.pulse_s)
        pulse = track(onsets, periods, tight=TIGHT[0])
        return [shifted(pulse, by) for by in (0, 1 / 2, 1 / 3)] if len(pulse) > 1 else []
    periods = _periods(onsets, PERIODS_S)
    factors = (1.0, 2 / 3, 3 / 2, *_odd_factors(known.pulses_per_bar or 4))
    by_factor = [tracks(onsets, factor * periods, TIGHT[::-1]) for factor in factors]
    pulses = [some for some in zip(*by_factor, strict=True) if len(some[0]) > 1]
    found: list[Array] = []
    for levels in (*(_of_pulse(*some) for some in pulses), _of_beats(beats)):
        found += [one for one in levels if not _is_in(found, one)]
    return found


def _of_beats(beats: Array) -> list[Array]:
    """What is tracked where beats are likely, twice as fast and half as fast too."""
    strength = SURE * beats
    periods = _periods(strength, BEATS_S)
    found = [track(strength, factor * periods, tight=FOLLOWING) for factor in (1, 1 / 2, 2)]
    return [one for one in found if len(one) > 1]


def _periods(onsets: Array, periods_s: Array, *, usual_s: float = USUAL_S) -> Array:
    """(n_frames,): the pulse's period at each frame, in frames, of the best path through these."""
    path = tempo_path(tempogram(onsets, periods_s), periods_s, usual_s=usual_s)
    at = np.arange(len(path)) * round(TEMPO_HOP_S * FPS)
    return np.interp(np.arange(len(onsets)), at, path) * FPS


def tempogram(onsets: Array, periods_s: Array = PERIODS_S) -> Array:
    """(n_windows, n_periods): how well each period explains the onsets around each second."""
    size, hop = round(TEMPO_WINDOW_S * FPS), round(TEMPO_HOP_S * FPS)
    smooth = gaussian_filter1d(onsets, 1.5)
    padded = np.pad(smooth, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    n_fft = 1 << (2 * size - 1).bit_length()
    correlation = np.empty((len(frames), size // 2 + 1))
    for first in range(0, len(frames), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        power = np.abs(np.fft.rfft(frames[some] * np.hanning(size), n_fft)) ** 2
        correlation[some] = np.fft.irfft(power)[:, : size // 2 + 1]
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


def track(onsets: Array, periods: Array, *, tight: float) -> Array:
    """As `tracks`, once."""
    return tracks(onsets, periods, [tight])[0]


def tracks(onsets: Array, periods: Array, every: Sequence[float]) -> list[Array]:
    """Frames of beats that follow the periods (n_frames, in frames) and fall on onsets.

    every: for each tracking, the cost of a beat's distance from its tempo.
    """
    smooth, n_frames = gaussian_filter1d(onsets, 1.0), len(onsets)
    whole, of_each = np.round(periods).astype(int), np.array(every)[:, None, None]
    reach = 2 * int(whole.max())
    score = np.pad(np.tile(smooth, (len(every), 1)), ((0, 0), (reach, 0)))  # from before frame 0
    before = np.lib.stride_tricks.sliding_window_view(score, reach + 1, axis=1)
    back, numbers = np.full((len(every), n_frames), -1), np.arange(len(every))[:, None]
    for first in range(0, n_frames, AT_ONCE):
        part = slice(first, min(first + AT_ONCE, n_frames))
        lags, distances, outside = _lags(periods[part], whole[part])
        costs = of_each * distances
        costs[:, outside] = np.inf
        inside = slice(reach - lags[0], reach + 1 - lags[-1])
        size = max(1, int(lags[-1]))  # frames so near that none is the beat before another
        for start in range(part.start, part.stop, size):
            now = slice(start, min(start + size, part.stop))
            reached = before[:, now, inside] - costs[:, start - first : now.stop - first]
            best = reached.argmax(axis=2)
            gain = reached[numbers, np.arange(best.shape[1]), best]
            back[:, now] = np.where(gain > 0, np.arange(now.start, now.stop) - lags[best], -1)
            score[:, reach + start : reach + now.stop] += np.maximum(gain, 0)
    return [
        _followed(one, places, periods) for one, places in zip(score[:, reach:], back, strict=True)
    ]


def _followed(score: Array, back: Places, periods: Array) -> Array:
    """The beats that end in the best score of the last period; back: the one before, -1 if none."""
    last, n_frames = int(periods[-1]), len(score)
    at = n_frames - last + int(score[-last:].argmax()) if n_frames > last else int(score.argmax())
    return np.array(chained(back, at), float)


def _lags(periods: Array, whole: Places) -> tuple[Places, Array, NDArray[np.bool_]]:
    """Frames back to the beat before, the most first; how far each is from the tempo at each frame
    of a few, and which lie outside of half a period to two. whole: the periods, rounded."""
    lags = np.arange(2 * whole.max(), max(whole.min() // 2, 1) - 1, -1)
    outside = (lags < whole[:, None] // 2) | (lags > 2 * whole[:, None])
    return lags, (np.log(lags) - np.log(periods)[:, None]) ** 2, outside


def _of_pulse(pulse: Array, *others: Array) -> list[Array]:
    """The pulse, its halves and thirds, each second and third beat of it, and the other pulses;
    and, since a pulse may lie between the beats, most of them half a beat later, and a third, where
    swung eighths lie before the beat."""
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


def _is_in(found: list[Array], beats: Array) -> bool:
    return any(
        len(one) == len(beats) and np.abs(one - beats).max(initial=0) <= SAME for one in found
    )


def shifted(beats: Array, by: float) -> Array:
    """Each beat later by this share of the way to the next; by=0 keeps the last one."""
    return beats[:-1] + by * np.diff(beats) if by else beats
