"""Tones: a soundfont's sample at the pitch of a key, looped, filtered and shaped.

Many notes share a tone: their level, place and end are added later.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from thirdstream.audio import SR, Wave
from thirdstream.notes.rendering.soundfont import Envelope, Region, SoundFont

FALL_DB = 100.0  # of a level, in decay_s and in release_s
STEP = 256  # samples for which a filter stays as it is
MAX_SHIFT = 60.0  # semitones that a sample is moved by, at most
N_BEYOND = 64  # samples more than are asked for, for resampling


@dataclass(frozen=True)
class Tone:
    """A region at a key; semitones: tuning above A = 440 Hz."""

    region: Region
    key: int
    semitones: float


def made(font: SoundFont, tone: Tone, n_samples: int) -> Wave:
    """A tone of its sample: pitch, loop, filter and envelope; (n_samples,), or fewer at its end."""
    region = tone.region
    shift = region.tune + region.scale * (tone.key - region.root) + tone.semitones
    rate = font.rate(region.sample) * 2 ** (min(max(shift, -MAX_SHIFT), MAX_SHIFT) / 12)
    n_read = region.start + math.ceil(n_samples * rate / SR) + N_BEYOND
    sample = font.sample(region.sample, min(n_read, region.loop[1]) if region.loop else n_read)
    if region.loop is not None and region.loop[0] < len(sample) < n_read:
        turn = sample[region.loop[0] :]
        sample = np.concatenate([sample, np.resize(turn, n_read - len(sample))])
    wave = soxr.resample(sample[region.start :], rate, SR)[:n_samples]
    if region.cutoff_hz is not None and len(wave):
        wave = low_passed(wave, region)
    rise, fall = _course(region.level, len(wave), faster=region.key_to_decay * (tone.key - 60))
    db = region.gain_db - FALL_DB * fall
    return (wave * rise * np.exp(db * np.float32(math.log(10) / 20))).astype(np.float32)


def _course(envelope: Envelope, n_samples: int, *, faster: float = 0.0) -> tuple[Wave, Wave]:
    """How far an envelope has risen and fallen, both from 0 to 1; its decay, so many cents faster.

    Each is (n_samples,), or (1,) where it is the same throughout.
    """
    rise, fall = np.ones(1, np.float32), np.zeros(1, np.float32)
    t = np.arange(n_samples, dtype=np.float32) / np.float32(SR) - np.float32(envelope.delay_s)
    if envelope.delay_s or envelope.attack_s:
        rise = np.clip(t / np.float32(max(envelope.attack_s, 1e-4)), 0, 1)
    if envelope.sustain:
        decay_s = max(envelope.decay_s * 2 ** (-faster / 1200), 1e-3)
        after_s = t - np.float32(envelope.attack_s + envelope.hold_s)
        fall = np.clip(after_s / np.float32(decay_s), 0, np.float32(envelope.sustain))
    return rise, fall


def low_passed(wave: Wave, region: Region) -> Wave:
    """Through the region's low-pass of second order, whose envelope moves it step by step."""
    from scipy.signal import sosfilt  # half a second

    rise, fall = _course(region.sweep, len(wave))
    swept = np.broadcast_to(rise * (1 - fall), wave.shape)[:: STEP if region.sweep_cents else None]
    cents = region.sweep_cents * np.append(swept, swept[-1:])
    result, state = np.empty_like(wave), np.zeros((1, 2))
    changes = [0, *(np.flatnonzero(np.abs(np.diff(cents)) > 1) + 1), len(cents)]
    for number, until in itertools.pairwise(changes):
        part = slice(number * STEP, None if until == len(cents) else until * STEP)
        section = _section(region, float(cents[number]))
        result[part], state = sosfilt(section, wave[part], zi=state)
    return result


def _section(region: Region, cents: float) -> Any:
    """The low-pass, moved by so many cents, by the bilinear transform; Butterworth's at 0 dB."""
    cutoff_hz = (region.cutoff_hz or SR) * 2 ** (cents / 1200)
    k = math.tan(math.pi * min(cutoff_hz / SR, 0.45))
    q = 10 ** (region.resonance_db / 20) / math.sqrt(2)
    first = 1 + k / q + k * k
    zeros = np.array([1, 2, 1]) * k * k / first
    poles = np.array([first, 2 * (k * k - 1), 1 - k / q + k * k]) / first
    return np.concatenate([zeros, poles])[None]
