"""Recordings as if they had been played otherwise, by moving the frames of their features.

    for one in performances(original, style=..., seed=..., n=3): ...

At another tempo, with a tempo that wavers, with loud off-beats, in another metre (four beats a bar
become five, three or seven, or beats of 6/8), with notes missed and made up, or a part of them. So
one rendering stands for many, and its beats are known in each.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.pulse import BASS_BELOW
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors

Array = NDArray[np.float64]

TEMPI = {
    "classical": (42, 200),
    "jazz": (44, 330),
    "quick": (170, 280),
}  # quarter notes a minute that are drawn
FURTHEST = 1.9  # times as fast or as slow
WAVERING = (0, 0, 0.01, 0.03, 0.06)  # of the tempo, as a share
RUBATO = (0, 0.02, 0.05, 0.08, 0.12)
STEADY, MOST_PAUSES = 0.02, 5  # tempo that wavers more has moments that are slower, up to so many
OTHER_METRE, METRES = 0.27, (5, 5, 5, 3, 3, 3, 7, 7, 6)  # how often, and which
OFF_BEAT = 0.25  # how often off-beats are the loud ones
HALF = 0.12  # of a beat, around it and around its half
BLOCK, MADE_UP = 8, 1e-3  # frames; the share of frames and pitches that begin where nothing does
PART_S = (10.0, 30.0)  # of a part that is drawn


class Performance(NamedTuple):
    """features, so many frames a second, and when beats and bar lines sound; of a metre of two,
    either half has lines."""

    features: FrameFeatures
    beats_s: Array
    lines: list[Array]
    fps: float = FPS

    @property
    def beats_per_minute(self) -> float:
        return 60 / float(np.median(np.diff(self.beats_s)))


def performances(original: Performance, *, style: str, seed: str, n: int) -> Iterator[Performance]:
    """The original, and n others."""
    yield original
    for number in range(n):
        rng = random.Random(f"{seed} {number}")
        one = otherwise(original, rng)
        yield part(worn(at_tempo(one, style=style, rng=rng), rng), rng)


def quick(original: Performance, *, seed: str, n: int) -> Iterator[Performance]:
    """n others, as quick as waltzes may be."""
    for number in range(n):
        rng = random.Random(f"quick {seed} {number}")
        yield part(worn(at_tempo(original, style="quick", rng=rng), rng), rng)


def otherwise(one: Performance, rng: random.Random) -> Performance:
    """Now and then in another metre, or with loud off-beats."""
    of_four = len(one.lines) == 1 and _beats_per_bar(one) == 4
    if of_four and rng.random() < OTHER_METRE:
        metre = rng.choice(METRES)
        one = compound(one) if metre == 6 else in_metre(one, metre)
    return off_beat(one, rng) if rng.random() < OFF_BEAT else one


def _beats_per_bar(one: Performance) -> int:
    lines = one.lines[0]
    return round(float(np.median(np.diff(lines)) / np.median(np.diff(one.beats_s))))


def mapped(
    features: FrameFeatures,
    of: Callable[[NDArray[Any]], NDArray[Any]],
    duration_s: float,
) -> FrameFeatures:
    """Features whose rows are what `of` makes of all frames' rows."""
    o = features
    rows = map(of, (o.melody, o.flux, o.bass_flux, o.level))
    return FrameFeatures(Posteriors(*map(of, o.posteriors)), *rows, duration_s)


def at_frames(features: FrameFeatures, at: Array, fps: float) -> FrameFeatures:
    """Features at these fractional frames, which follow one another at the usual rate."""
    below = np.clip(at.astype(int), 0, features.n_frames - 2)
    share = np.clip(at - below, 0, 1).astype(np.float32)

    def between(rows: NDArray[np.floating]) -> NDArray[np.floating]:
        weight = share.reshape(-1, *[1] * (rows.ndim - 1))
        found = (1 - weight) * rows[below].astype(np.float32) + weight * rows[below + 1]
        return found.astype(rows.dtype)

    return mapped(features, between, len(at) / fps)


def at_tempo(
    one: Performance, *, style: str, rng: random.Random, rubato: bool = False, most_s: float = 1e9
) -> Performance:
    """At another tempo that is drawn, and wavers by a share that is drawn too.

    rubato: it wavers more, and slows down at moments. most_s: of it, a part so long.
    """
    lowest, highest = TEMPI[style]
    tempo = one.beats_per_minute
    if rng.random() < 0.5:
        nearest = max(lowest, tempo / FURTHEST), min(highest, tempo * FURTHEST)
        drawn = float(np.exp(rng.uniform(*np.log(nearest))))
    else:
        drawn = min(max(tempo * rng.uniform(0.75, 1.3), lowest), highest)
    n_frames = int(one.features.n_frames * tempo / drawn)
    rate = drawn / tempo * _wavering(np.arange(n_frames) / one.fps, rng, rubato=rubato)
    at = np.concatenate([[0], np.cumsum(rate[:-1])])
    at = at[at < one.features.n_frames - 1]
    n_most = int(min(most_s * one.fps, len(at)))
    first = rng.randint(0, len(at) - n_most)
    return moved(one, at[first : first + n_most])


def _wavering(at_s: Array, rng: random.Random, *, rubato: bool) -> Array:
    """The tempo at these moments, over the mean one."""
    rate, share = np.ones(len(at_s)), rng.choice(RUBATO if rubato else WAVERING)
    for _ in range(3):
        period_s, phase = rng.uniform(4, 30), rng.uniform(0, 2 * np.pi)
        rate *= np.exp(share * np.sin(2 * np.pi * at_s / period_s + phase))
    for _ in range(rng.randint(0, MOST_PAUSES) if share > STEADY else 0):
        moment_s, length_s = rng.uniform(0, at_s[-1]), rng.uniform(0.3, 1.5)
        rate *= 1 - rng.uniform(0.1, 0.45) * np.exp(-(((at_s - moment_s) / length_s) ** 2) / 2)
    return rate


def moved(one: Performance, at: Array) -> Performance:
    """With each new frame from a place in the old ones, in their order."""

    def new(old_s: Array) -> Array:
        old = old_s * one.fps
        return np.interp(old[(at[0] <= old) & (old < at[-1])], at, np.arange(len(at))) / one.fps

    features = at_frames(one.features, at, one.fps)
    return Performance(features, new(one.beats_s), [new(x) for x in one.lines], one.fps)


def of_beats(one: Performance, beats: list[Array]) -> tuple[FrameFeatures, Array]:
    """The features of these frames, beat after beat; and when each beat begins, in seconds."""
    starts = np.cumsum([0, *map(len, beats[:-1])])
    return at_frames(one.features, np.concatenate(beats), one.fps), starts / one.fps


def in_metre(one: Performance, metre: int) -> Performance:
    """Bars of four as bars of five (the third beat comes again), of three (the fourth is left
    out), or of seven (that of every second)."""
    beats: list[Array] = []
    lines: list[int] = []
    edges = one.beats_s * one.fps
    for bar in range((len(edges) - 1) // 4):
        places = {5: (0, 1, 2, 3, 2), 3: (0, 1, 2), 7: (0, 1, 2, 3) if bar % 2 == 0 else (0, 1, 2)}
        if metre != 7 or bar % 2 == 0:
            lines.append(len(beats))
        for place in places[metre]:
            start, end = edges[4 * bar + place : 4 * bar + place + 2]
            beats.append(start + np.arange(round(end - start)))
    features, at_s = of_beats(one, beats)
    return Performance(features, at_s, [at_s[lines]], one.fps)


def compound(one: Performance) -> Performance:
    """Beats of two halves as beats of three thirds: the second half comes again. In bars of 6/8, so
    that bar lines may be at either half of a bar of four beats."""
    beats: list[Array] = []
    for start, end in itertools.pairwise(one.beats_s * one.fps):
        half = round((end - start) / 2)
        early, late = start + np.arange(half), start + half + np.arange(half)
        beats.append(np.concatenate([early, late, late]))
    features, at_s = of_beats(one, beats)
    first = int(np.argmin(np.abs(one.beats_s - one.lines[0][0])))
    lines = [at_s[(first + by) % 4 :: 4] for by in (0, 2)]
    return Performance(features, at_s, lines, one.fps)


def off_beat(one: Performance, rng: random.Random) -> Performance:
    """Louder halfway between the beats, softer on them, in all but the bass."""
    o = one.features
    at = np.interp(np.arange(o.n_frames) / one.fps, one.beats_s, np.arange(len(one.beats_s))) % 1
    change = np.ones(o.n_frames, np.float32)
    change[np.abs(at - 0.5) < HALF] = rng.uniform(1.5, 3)
    change[np.minimum(at, 1 - at) < HALF] = rng.uniform(0.3, 0.7)
    onsets = o.posteriors.onsets.copy()
    upper = onsets[:, BASS_BELOW - LOWEST :]
    onsets[:, BASS_BELOW - LOWEST :] = np.minimum(upper * change[:, None], 1)
    posteriors = Posteriors(o.posteriors.notes, onsets)
    return one._replace(features=replace(o, posteriors=posteriors, flux=o.flux * change))


def worn(one: Performance, rng: random.Random) -> Performance:
    """Half of the time, transcribed as poorly as real recordings: notes are missed and made up, and
    the flux is noisy."""
    if rng.random() < 0.5:
        return one
    o, noise = one.features, np.random.default_rng(rng.getrandbits(32))
    n_frames, n_pitches = o.posteriors.onsets.shape
    n_blocks = n_frames // BLOCK + 1  # of frames and pitches that are alike
    spread = rng.uniform(0.2, 1.2)
    gains = noise.lognormal(-(spread**2) / 2, spread, (n_blocks, n_pitches)).astype(np.float32)
    gains = np.repeat(gains, BLOCK, axis=0)[:n_frames]
    made_up = noise.random((n_frames, n_pitches)) < rng.uniform(0, MADE_UP)
    onsets = np.minimum(o.posteriors.onsets * gains + made_up * noise.random(n_pitches), 1)
    notes = np.minimum(o.posteriors.notes * np.sqrt(gains), 1)

    def noisy(flux: NDArray[np.floating]) -> NDArray[np.floating]:
        size = rng.uniform(0, 1.5) * float(flux.mean())
        return (flux + noise.exponential(size + 1e-9, n_frames)).astype(flux.dtype)

    posteriors = Posteriors(notes.astype(np.float32), onsets.astype(np.float32))
    flux, bass_flux = noisy(o.flux), noisy(o.bass_flux)
    return one._replace(features=replace(o, posteriors=posteriors, flux=flux, bass_flux=bass_flux))


def part(one: Performance, rng: random.Random) -> Performance:
    """Half of the time, a part of PART_S."""
    part_s = rng.uniform(*PART_S)
    rest_s = one.features.duration_s - part_s
    if rest_s < 0 or rng.random() < 0.5:
        return one
    first = round(rng.uniform(0, rest_s) * one.fps)
    span = slice(first, first + round(part_s * one.fps))
    cut = mapped(one.features, lambda rows: rows[span], part_s)
    beats_s, *lines = (at - first / one.fps for at in (one.beats_s, *one.lines))
    beats_s, *lines = (at[(at > 0) & (at < part_s)] for at in (beats_s, *lines))
    return Performance(cut, beats_s, lines, one.fps)
