"""A piece for tests, whose notes and chords are known, and its sound."""

import numpy as np

from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.notes.timing import Timing
from thirdstream.notes.types import Chord, Note

KINDS = ((0, 4, 7), (0, 3, 7), (0, 3, 7), (0, 4, 7, 10))
ROOTS = (0, 9, 2, 7)  # of bars: C, Am, Dm, G7
TUNE = (76, 74, 72, 79, 76, 72, 69, 76, 77, 74, 69, 77, 79, 77, 74, 71)


def piece(metre: int, n_bars: int) -> tuple[list[Note], list[Note], list[Chord]]:
    """Melody on every beat, block chords on every beat but softer, a bass on bar lines."""
    tune, rest, harmony = [], [], []
    for bar in range(n_bars):
        root, kind, at = ROOTS[bar % 4], KINDS[bar % 4], float(bar * metre)
        harmony.append(Chord(at, float(metre), root, kind, root))
        rest.append(Note(at, metre * 0.9, 36 + root, 110))
        for beat in range(metre):
            tune.append(Note(at + beat, 0.9, TUNE[(4 * bar + beat) % 16], 110))
            rest += [Note(at + beat, 0.6, 48 + (root + step) % 12, 60) for step in kind]
    return tune, rest, harmony


def sounding(notes: list[Note], seconds: np.ndarray, duration_s: float) -> np.ndarray:
    """Plucked tones with four partials, (1, n_samples) of -20 dB RMS."""
    wave = np.zeros(round(duration_s * SR))
    for note, (start, end) in zip(notes, seconds, strict=True):
        t = np.arange(round((end - start + 0.1) * SR)) / SR
        hz = 440 * 2 ** ((note.pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hz * h * t) / h**1.5 for h in (1, 2, 3, 4))
        tone *= np.exp(-3 * t) * np.minimum(1, t / 0.005) * note.velocity**2 / 127**2
        at = round(start * SR)
        part = wave[at : at + len(t)]
        part += tone[: len(part)]
    return (wave * audio.level_of([wave[None]]).gain)[None].astype(np.float32)


def rubato(n_beats: int) -> Timing:
    """Beats whose length sways by a fifth."""
    gaps = 0.55 * (1 + 0.2 * np.sin(np.arange(n_beats) / 5))
    return Timing((0.0, *np.cumsum(gaps).tolist()))
