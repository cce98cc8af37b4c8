"""What notes say about a result's music: leaps of the melody, repetition, and dissonance on beats.

None is good or bad by itself: read them beside the rows of real recordings of the target style.
Notes are those that the transcriber finds, so mistakes of it are in all rows alike.
"""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import ArrayLike

from thirdstream.evaluation.metrics import Notes, checked_array

TOGETHER_S = 0.03  # between onsets of one chord
PAUSE_S = 2.0  # between onsets of two phrases
LARGE = 7  # semitones, a fifth: what is larger is a large leap
GROUP = 3  # successive intervals that make a motif
DISSONANT = (1, 2, 6)  # interval classes: seconds, sevenths, the tritone
AFTER_BEAT_S = 0.05  # when notes on a beat sound


def melody_intervals(notes: Notes) -> list[list[int]]:
    """By phrase, the intervals in semitones between successive notes of the highest voice.

    A note is of it if none that sounds or begins with it is higher. Phrases end where no such note
    begins for 2 s. Source: the skyline of Uitdenbogerd and Zobel (1998).
    """
    order = np.lexsort((-notes.pitches, notes.intervals[:, 0]))
    onsets, ends = notes.intervals[order].T if len(order) else np.zeros((2, 0))
    pitches = np.round(notes.pitches[order]).astype(int)
    heard: list[tuple[float, int]] = []
    for onset, pitch in zip(onsets, pitches, strict=True):
        sounding = (onsets <= onset + TOGETHER_S) & (ends > onset + TOGETHER_S)
        if not (pitches[sounding] > pitch).any():
            heard.append((float(onset), int(pitch)))
    phrases: list[list[int]] = [[]]
    for (before, first), (after, second) in pairwise(heard):
        if after - before > PAUSE_S:
            phrases.append([])
        else:
            phrases[-1].append(second - first)
    return [phrase for phrase in phrases if phrase]


def large_leap_share(notes: Notes) -> float | None:
    """The share of the melody's intervals that are larger than a fifth; None without any.

    Melody: `melody_intervals`. Range 0 to 1; no unit.
    """
    steps = [step for phrase in melody_intervals(notes) for step in phrase]
    return float(np.mean([abs(step) > LARGE for step in steps])) if steps else None


def repetition(notes: Notes) -> float | None:
    """The share of the melody's motifs that come again, at any pitch; None without any.

    A motif is three successive intervals, at any place of a phrase of `melody_intervals`; it comes
    again where the same three are elsewhere. Range 0 to 1; no unit.
    """
    motifs = Counter(
        tuple(phrase[at : at + GROUP])
        for phrase in melody_intervals(notes)
        for at in range(len(phrase) - GROUP + 1)
    )
    total = motifs.total()
    return sum(n for n in motifs.values() if n > 1) / total if total else None


def beat_dissonance(notes: Notes, beats: ArrayLike) -> float | None:
    """How dissonant beats are: the share of dissonant pairs of notes, mean over beats.

    beats: times in seconds (n_beats,). On each the notes that sound 50 ms later are taken, by pitch
    class; pairs a second, a seventh or a tritone apart, in any octave, are dissonant. Beats with
    fewer than two pitch classes are left out; None where all are. Range 0 to 1; no unit: a triad
    has 0, a dominant seventh chord 1/3.
    """
    times = checked_array(beats, "beats", ndim=1, empty=True) + AFTER_BEAT_S
    shares = [one for time in times if (one := _dissonance(notes, time)) is not None]
    return float(np.mean(shares)) if shares else None


def _dissonance(notes: Notes, time: float) -> float | None:
    onsets, ends = notes.intervals.T
    pitches = notes.pitches[(onsets <= time) & (ends > time)]
    sounding = sorted({round(float(pitch)) % 12 for pitch in pitches})
    pairs = [min((b - a) % 12, (a - b) % 12) for a, b in combinations(sounding, 2)]
    return float(np.mean([one in DISSONANT for one in pairs])) if pairs else None
