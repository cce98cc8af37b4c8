"""A room and a microphone: a dry sound in stereo blocks -> as it is recorded there."""

import itertools
import math
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from thirdstream.audio import SR, Wave, windows

COLOUR_HZ = (60.0, 150.0, 400.0, 1000.0, 2500.0, 6000.0, 14000.0)
FLAT = (0.0,) * len(COLOUR_HZ)  # dB: a microphone without colour
N_FIR = 2048  # taps of the microphone's colour
LOWEST_HZ = 20.0  # below it is nothing but what soundfonts have of DC
N_HIGH_PASS = SR // 4  # samples for which that filter rings
PART = 1 << 15  # samples that go through the room at a time, and of the echoes
AT_ONCE = 2  # parts; four transforms, with both sides, share their instructions
fft: Any = scipy.fft  # its types are not those of arrays


@dataclass(frozen=True)
class Room:
    """A reverberant room. decay_s: until the sound is 60 dB weaker. wet: room against direct sound,
    as amplitudes. predelay_s: until the first echo. damping_hz: above it, decay is twice as fast.
    """

    decay_s: float
    wet: float
    predelay_s: float
    damping_hz: float


# From and to; halls for classical music, studios and clubs for jazz.
ROOMS: dict[str, tuple[Room, Room]] = {
    "classical": (Room(1.2, 0.25, 0.012, 3000.0), Room(2.4, 0.6, 0.03, 6000.0)),
    "jazz": (Room(0.3, 0.08, 0.004, 4000.0), Room(0.9, 0.25, 0.012, 8000.0)),
}


HALL_S = 1.05  # decay from which a room is a hall: between those of both styles


@dataclass(frozen=True)
class Scene:
    """Where and how a version is recorded: room, the microphone's gains in dB at COLOUR_HZ, and the
    seed of the room's echoes.
    """

    room: Room
    colour_db: tuple[float, ...]
    seed: int


def draw_scene(style: str, *, seed: str) -> Scene:
    """Draw a room that suits the style, and a microphone's gentle colour (3 dB at most)."""
    rng = random.Random(f"scene {style} {seed}")
    low, high = ROOMS[style]
    drawn = {name: round(rng.uniform(value, getattr(high, name)), 4)
             for name, value in vars(low).items()}  # fmt: skip
    colour = tuple(round(rng.uniform(-3.0, 3.0), 2) for _ in COLOUR_HZ)
    return Scene(Room(**drawn), colour, rng.getrandbits(32))


def scene_with(*, decay_s: float, wet: float, seed: str) -> Scene:
    """A scene that is drawn for halls, or for studios where the sound decays as soon as there, but
    with this decay and strength of the room."""
    style = "jazz" if decay_s < HALL_S else "classical"
    scene = draw_scene(style, seed=seed)
    return replace(scene, room=replace(scene.room, decay_s=decay_s, wet=wet))


def in_room(dry: Iterable[Wave], scene: Scene, *, n_channels: int) -> Iterator[Wave]:
    """Stereo blocks (2, n_samples) in their room, through the microphones, by overlap-save with
    echoes in parts (uniformly partitioned convolution).

    The direct sound keeps its side; each side has echoes of its own, of what all play. Any other
    number of channels than two is one microphone's. Yields (n_channels, n_samples) blocks.
    """
    n_sides = 2 if n_channels == 2 else 1
    direct, tails = _filters(scene, n_sides)
    middles = deque[NDArray[np.complex64]](maxlen=len(tails))  # the latest first
    n_early, silence = N_FIR // 2, np.zeros((2, len(tails) * PART), np.float32)
    padded = itertools.chain([silence[:, :PART]], dry, [silence])
    for block in windows(padded, size=(AT_ONCE + 1) * PART, hop=AT_ONCE * PART):
        parts = np.lib.stride_tricks.sliding_window_view(block, 2 * PART, axis=1)[:, ::PART]
        made = []
        for sides in fft.rfft(parts, axis=2).swapaxes(0, 1):  # of each part
            middles.appendleft((sides[:1] + sides[1:]) / 2)
            wet = direct * (sides if n_sides == 2 else middles[0])
            for tail, middle in zip(tails, middles, strict=False):  # fewer at the beginning
                wet += tail * middle
            made.append(wet)
        wave = np.concatenate(fft.irfft(np.stack(made), axis=2)[:, :, PART:], axis=1)
        yield _spread(wave[:, n_early:], n_channels)
        n_early = 0


def _filters(scene: Scene, n_sides: int) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Spectra of the direct sound's way, (PART + 1,), and of the echoes' ways in parts of PART
    samples, (n_parts, n_sides, PART + 1)."""
    colour = _colour(scene.colour_db)
    echoes = np.stack([response(scene.room, seed=scene.seed + side) for side in range(n_sides)])
    echoes[:, 0] = 0.0  # without the direct sound
    n_parts = -(-(echoes.shape[1] + N_FIR + N_HIGH_PASS) // PART)
    n_fft = n_parts * PART
    spectrum = fft.rfft(colour, n_fft) * _high_pass(n_fft)
    whole = fft.irfft(fft.rfft(echoes, n_fft, axis=1) * spectrum, axis=1)
    tails = whole.reshape(n_sides, n_parts, PART).swapaxes(0, 1)
    near = fft.irfft(spectrum)[:PART]
    return fft.rfft(near, 2 * PART), fft.rfft(tails, 2 * PART, axis=2)


def _high_pass(n_fft: int) -> NDArray[np.complex64]:
    """Response of a Butterworth high-pass of second order at 20 Hz: soundfonts may have DC.

    By the bilinear transform. It rings for N_HIGH_PASS samples at most, so it is a factor of what
    is convolved.
    """
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
    k = math.tan(math.pi * LOWEST_HZ / SR)
    rest = math.sqrt(2) * k * (1 - z) * (1 + z) + (k * (1 + z)) ** 2
    return ((1 - z) ** 2 / ((1 - z) ** 2 + rest)).astype(np.complex64)


def _spread(wave: Wave, n_channels: int) -> Wave:
    return wave if len(wave) == n_channels else np.repeat(wave, n_channels, axis=0)


def response(room: Room, *, seed: int) -> Wave:
    """Impulse response of a room: the direct sound, then noise that dies away.

    Noise as echoes is Moorer's (1979); the part above `damping_hz` dies twice as fast. Its energy
    is `wet` squared, the direct sound's is 1.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(int(room.decay_s * SR), dtype=np.float32) / SR
    noise = rng.standard_normal(len(t), dtype=np.float32)
    spectrum = fft.rfft(noise)
    hz = fft.rfftfreq(len(t), 1 / SR)
    low = fft.irfft(spectrum / (1 + (hz / room.damping_hz) ** 2), len(t)).astype(np.float32)
    decay = np.exp(-math.log(1000) * t / room.decay_s)
    tail = low * decay + (noise - low) * decay**2
    tail *= room.wet / np.sqrt(np.square(tail).sum())
    start = round(room.predelay_s * SR)
    result = np.zeros(start + len(t), np.float32)
    result[start:] = tail
    result[0] += 1.0
    return result


def _colour(gains_db: tuple[float, ...]) -> Wave:
    """Linear-phase filter with these gains at COLOUR_HZ, and straight lines over log frequency."""
    hz = np.maximum(fft.rfftfreq(N_FIR, 1 / SR), 1.0)
    db = np.interp(np.log(hz), np.log(COLOUR_HZ), gains_db)
    taps = np.roll(fft.irfft(10 ** (db / 20), N_FIR), N_FIR // 2)
    return (taps * np.hanning(N_FIR + 1)[:-1]).astype(np.float32)
