"""What is heard of a soundfont, and what its zones may say for it to sound better.

Loops are moved to where they close, keys are tuned and levelled, as measured on decoded samples;
the samples stay as they are.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyloudnorm

from thirdstream.audio import SR, Wave
from thirdstream.notes.rendering.soundfont import Region, SoundFont
from thirdstream.notes.rendering.synthesiser import play
from thirdstream.notes.rendering.tones import Tone, made
from thirdstream.notes.types import Note, Song, Track

N_MOVED = 250  # samples by which a loop may be moved
N_NEAR = 16  # samples before and after a seam that are looked at
TUNED_CENTS = 5.0  # what is nearer to its key is left
EVEN_DB = 1.5  # how far a key's level may lie beside the course of all keys'
FEWEST = 5  # roots that have a course
USUAL = (28, 100)  # MIDI pitches that the course is drawn through
HEARD_S = 0.5  # of a tone whose level is measured
LOUDER = 1000.0  # so that what is measured is above BS.1770's gate


def closed(font: SoundFont, region: Region) -> tuple[int, int] | None:
    """The loop, moved to where its end goes over into its beginning best, in samples.

    Best: neither a corner there, against those within the loop, nor another wave around it.
    """
    if region.loop is None:
        return None
    start, end = region.loop
    wave = font.sample(region.sample).astype(np.float64)
    least, most = max(-N_MOVED, N_NEAR - start), min(N_MOVED, len(wave) - N_NEAR - end)
    if least > most:  # no room to move it
        return region.loop
    moves, near = np.arange(least, most + 1), np.arange(-N_NEAR, N_NEAR)
    before, after = (wave[(place + moves)[:, None] + near] for place in (end, start))
    across = np.concatenate([before[:, N_NEAR - 2 : N_NEAR], after[:, N_NEAR : N_NEAR + 2]], axis=1)
    inside = wave[start:end]
    corner = np.abs(np.diff(across, 2)).max(axis=1) / np.abs(np.diff(inside, 2)).max()
    other = np.sqrt(np.square(before - after).mean(axis=1) / np.square(inside).mean())
    move = int(moves[np.argmin(corner + other)])
    return start + move, end + move


def tuned(font: SoundFont, regions: Sequence[Region]) -> list[int]:
    """Cents to add to each, one number for all of a root, so that they are in tune."""
    off: dict[int, list[float]] = {}
    for region in regions:
        key = nearest_key(region)
        wave = made(font, Tone(region, key, 0.0), 2 * SR)[SR // 20 :]
        off.setdefault(region.root, []).append(off_cents(wave, key))
    means = {root: float(np.mean(several)) for root, several in off.items()}
    return [-round(means[r.root]) if abs(means[r.root]) > TUNED_CENTS else 0 for r in regions]


def off_cents(wave: Wave, key: int) -> float:
    """How far a tone lies above its key, in cents: its first partials' mean by power.

    So vibrato is evened out. wave: (n_samples,).
    """
    n_fft, cents = 1 << 18, 0.0
    power = np.square(np.abs(np.fft.rfft(wave * np.hanning(len(wave)), n_fft)))
    for width in (70, 50, 40, 40):
        total, weight = 0.0, 0.0
        for partial in (1, 2, 3, 4):
            hz = partial * 440 * 2 ** ((key - 69 + cents / 100) / 12)
            low, high = (round(hz * 2 ** (c / 1200) * n_fft / SR) for c in (-width, width))
            part = power[low : high + 1]
            part = np.where(part > 0.01 * part.max(), part, 0)
            total += float(part @ (1200 * np.log2(np.arange(low, high + 1) * SR / n_fft / hz)))
            weight += float(part.sum())
        cents += total / weight
    return cents


def evened(font: SoundFont, regions: Sequence[Region]) -> list[float]:
    """Gains in dB, one for all of a root: no key sticks out of a parabola over all by EVEN_DB.

    Roots that are not USUAL have the gain of the nearest that is. Few roots have no course.
    """
    levels: dict[int, list[float]] = {}
    for region in regions:
        tone = made(font, Tone(region, nearest_key(region), 0.0), round(HEARD_S * SR))
        levels.setdefault(region.root, []).append(heard_db(tone))
    roots = np.array([root for root in sorted(levels) if USUAL[0] <= root <= USUAL[1]])
    if len(roots) < FEWEST:
        return [0.0] * len(regions)
    level = np.array([np.mean(levels[root]) for root in roots])
    beside = level - np.polyval(np.polyfit(roots - roots[0], level, 2), roots - roots[0])
    gains = np.clip(beside, -EVEN_DB, EVEN_DB) - beside
    return [float(gains[np.abs(roots - region.root).argmin()]) for region in regions]


def hit_db(font: Path, kit: int, key: int, velocity: int) -> float:
    """Level of a drum, both sides."""
    track = Track("one", kit, (Note(0.0, HEARD_S, key, velocity),), is_drums=True)
    return heard_db(play(Song((track,), 60.0), font, round(HEARD_S * SR)))


def heard_db(wave: Wave) -> float:
    """Loudness (BS.1770) of the first HEARD_S, all as one block; wave: (..., n_samples)."""
    n_samples = round(HEARD_S * SR)
    block = np.zeros((n_samples, *wave.shape[:-1]))
    block[: wave.shape[-1]] = wave.T[:n_samples] * LOUDER
    return pyloudnorm.Meter(SR, block_size=HEARD_S).integrated_loudness(block)


def nearest_key(region: Region) -> int:
    """The key of a region that moves its sample the least."""
    return min(max(region.root, region.keys[0]), region.keys[1])
