"""Which instrument plays a part: the one of the bundled orchestra whose notes sound most alike.

A part's notes are described by the strength of their first harmonics and by how quickly they decay,
and compared with the orchestra's own notes of the same pitches.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.styles import classical_style, jazz_style
from thirdstream.notes.styles.entries import Instrument
from thirdstream.notes.styles.learned import Role
from thirdstream.notes.types import Note, Song, Track

Array = NDArray[np.float64]
Spans = Sequence[tuple[float, float, int]]  # start and end in seconds, MIDI pitch

N_HARMONICS = 8
N_FFT = 8192
AFTER_S, LATER_S = 0.08, 0.38  # of a note's onset: where it is described, and how far it decayed
LONG_S = 0.45  # of notes whose decay is measured
MOST_NOTES = 60  # of a part that are described
FLOOR_DB = 60.0  # below the strongest harmonic
DECAY_WEIGHT, BASS_DECAY_WEIGHT = 1.5, 3.0  # of a decibel of decay, against one of a harmonic
OVERLAID = 0.35  # weight of what a bass's harmonics have too much: others sound there
CHORDAL = {0, 4, 6, 11, 19, 24, 26, 46, 48}  # what plays a bass line only beside its own chords
ORDER: tuple[Role, ...] = ("melody", "harmony", "bass")


def programs_of(path: Path, parts: Mapping[Role, Spans]) -> dict[Role, int]:
    """For each part of a recording, by its role, the program that sounds most like it.

    A bass is a keyboard's or a guitar's only where that plays another part, too.
    """
    wave = _mono(path)
    found: dict[Role, int] = {}
    for role in (role for role in ORDER if role in parts):
        able = _orchestra().keys()
        if role == "bass":
            able = able - (CHORDAL - set(found.values()))
        found[role] = _program(_described(wave, _spread(parts[role])), role, parts[role], able)
    return found


def _mono(path: Path) -> Wave:
    level, blocks = audio.measured(path)
    parts = [audio.mixed(block)[0] for block in audio.centred(blocks, level)]
    return np.concatenate(parts) * np.float32(level.gain)


def _spread(spans: Spans) -> Spans:
    """The longest notes of each stretch of a part, MOST_NOTES in all."""
    ordered = sorted(spans)
    step = max(len(ordered) // MOST_NOTES, 1)
    groups = (ordered[at : at + step] for at in range(0, len(ordered), step))
    return [max(group, key=lambda one: one[1] - one[0]) for group in groups][:MOST_NOTES]


def _described(wave: Wave, spans: Spans) -> Array:
    """(N_HARMONICS + 1,): the median harmonics below the strongest and the decay, in dB."""
    rows = []
    for start, end, pitch in spans:
        first = _harmonics(wave, start + AFTER_S, pitch)
        if first is None:
            continue
        later = _harmonics(wave, start + LATER_S, pitch) if end - start >= LONG_S else None
        decay = np.nan if later is None else first.max() - later.max()
        rows.append([*np.maximum(first - first.max(), -FLOOR_DB), decay])
    if not rows:
        return np.full(N_HARMONICS + 1, np.nan)
    table = np.array(rows)
    known = ~np.isnan(table[:, -1])
    decay = np.median(table[known, -1]) if known.any() else np.nan
    return np.append(np.median(table[:, :-1], axis=0), decay)


def _harmonics(wave: Wave, at_s: float, pitch: int) -> Array | None:
    """(N_HARMONICS,) in dB; None beyond the end."""
    first = round(at_s * SR)
    frame = wave[first : first + N_FFT]
    if len(frame) < N_FFT:
        return None
    power = np.square(np.abs(np.fft.rfft(frame * np.hanning(N_FFT))))
    f0 = 440 * 2 ** ((pitch - 69) / 12) * N_FFT / SR
    levels = []
    for number in range(1, N_HARMONICS + 1):
        reach = max(2, round(0.02 * number * f0))
        middle = round(number * f0)
        around = power[max(middle - reach, 1) : middle + reach + 1]
        levels.append(around.max() if len(around) else 0.0)
    return 10 * np.log10(np.array(levels) + 1e-9)


@lru_cache(1)
def _orchestra() -> dict[int, Instrument]:
    """The instruments of the bundled styles, by their programs."""
    both = (*classical_style().instruments.values(), *jazz_style().instruments.values())
    return {one.program: one for one in reversed(both)}


def _program(described: Array, role: Role, spans: Spans, able: Collection[int]) -> int:
    """The nearest of these instruments of the orchestra that can play most of the part."""
    pitches = sorted(pitch for _, _, pitch in spans)
    middle = tuple(pitches[len(pitches) * k // 4] for k in (1, 2, 3))
    best, nearest = 0, np.inf
    for program, one in _orchestra().items():
        if program not in able:
            continue
        inside = np.mean([one.lowest <= pitch <= one.highest for pitch in pitches])
        if inside < 0.8:
            continue
        distance = _distance(described, _reference(program, middle), role)
        if distance < nearest:
            best, nearest = program, distance
    return best if np.isfinite(nearest) else 32 if role == "bass" else 0


def _distance(described: Array, reference: Array, role: Role) -> float:
    difference = described - reference
    weights = np.ones(N_HARMONICS + 1)
    weights[-1] = DECAY_WEIGHT
    if role == "bass":
        weights[difference > 0] = OVERLAID
        weights[-1] = BASS_DECAY_WEIGHT
    return float(np.nanmean(weights * np.abs(difference)))


@lru_cache(256)
def _reference(program: int, pitches: tuple[int, ...]) -> Array:
    """How an instrument's notes of these pitches sound in the orchestra."""
    length_s = 0.8
    notes = tuple(Note(k * 1.0, length_s, pitch, 80) for k, pitch in enumerate(pitches))
    song = Song((Track("one", program, notes),), 60.0)
    wave = play(song, ORCHESTRA, round((len(pitches) + 0.2) * SR)).mean(axis=0)
    spans = [(float(k), k + length_s, pitch) for k, pitch in enumerate(pitches)]
    return _described(wave, spans)
