"""Drums whose sound is drawn: of a soundfont, of a folder of samples, or of decaying sines and
noise, each at another pitch.

A network that learns from these knows what drums have in common, rather than a few kits by heart.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.files import ThirdstreamError
from thirdstream.notes.learning.percussion import CLOSED_HAT, KICK, RIDE, SNARE, TOM
from thirdstream.notes.rendering import play
from thirdstream.notes.types import Song

OF_FONT, SYNTHETIC = 0.4, 0.15  # shares of the kits; the others are of samples
HIGHER = 0.3  # log of a kit's pitch against the samples', at most
LENGTH_S = 1.5  # of a stroke
N_PARTIALS = 6  # of a cymbal
KEYS = {  # kinds of strokes by their General MIDI keys; all others are toms and hand drums
    **dict.fromkeys((35, 36, 41), KICK),
    **dict.fromkeys((37, 38, 39, 40), SNARE),
    **dict.fromkeys((42, 44, 54, 70), CLOSED_HAT),
    **dict.fromkeys((46, 49, 51, 52, 53, 55, 57, 59), RIDE),
}

Array = NDArray[np.float64]


def kind_of(key: int) -> int:
    """A stroke's kind by its General MIDI key."""
    return KEYS.get(key, TOM)


Samples = Mapping[int, Sequence[Array]]
"""Sounds by the kind of stroke."""

WORDS = (  # in names of samples, the first that is met
    (CLOSED_HAT, ("closed", "pedal", "hh cl", "maraca", "tambourine")),
    (RIDE, ("ride", "crash", "cymbal", "open", "splash", "china", "bell", "hat")),
    (KICK, ("kick", "bass", "bd")),
    (SNARE, ("snare", "stick", "rim", "clap")),
    (TOM, ("tom", "conga", "bongo", "djembe")),
)


@lru_cache(16)
def samples_of(folder: Path) -> Samples:
    """Of a folder of samples whose names say what they are, or of a drum kit of Hydrogen's.

    Raises ThirdstreamError where there are none.
    """
    about = folder / "drumkit.xml"
    named = list(_of_hydrogen(about)) if about.exists() else [
        (path.stem, path) for path in sorted(folder.iterdir()) if path.suffix in audio.SUFFIXES
    ]  # fmt: skip
    found: dict[int, list[Array]] = {}
    for name, path in named:
        kind = next((kind for kind, words in WORDS if any(w in name.lower() for w in words)), None)
        if kind is not None and path.is_file():
            wave, _ = audio.read(path)
            found.setdefault(kind, []).append(wave[: round(LENGTH_S * SR)].astype(np.float64))
    if not found:
        raise ThirdstreamError(f"{folder}: holds no drum samples; give a folder of some")
    return found


def _of_hydrogen(about: Path) -> Iterator[tuple[str, Path]]:
    """Names of instruments, and their samples."""
    for one in ElementTree.parse(about).iterfind(".//{*}instrument"):
        name = one.findtext("{*}name") or ""
        for layer in one.iterfind(".//{*}filename"):
            yield name, about.parent / (layer.text or "")


@dataclass(frozen=True)
class Kits:
    """Those that are drawn from. folders: of samples."""

    folders: tuple[Path, ...]

    def __call__(self, song: Song, font: Path, n_samples: int, rng: random.Random) -> Wave:
        """A song of drums as a kit that is drawn plays it: (2, n_samples)."""
        pitch = float(np.exp(rng.uniform(-HIGHER, HIGHER)))
        way = rng.random()
        if way < OF_FONT:
            slow = replace(song, beats_per_minute=song.beats_per_minute / pitch)
            played = play(slow, font, round(n_samples * pitch)).mean(axis=0)
            one = _higher(played, pitch, n_samples)
        elif way < OF_FONT + SYNTHETIC or not self.folders:
            one = _struck(song, n_samples, rng, lambda kind: SOUNDS[kind](rng, _noise(rng)))
        else:
            samples = samples_of(rng.choice(self.folders))
            others = [wave for waves in samples.values() for wave in waves]
            one = _struck(song, n_samples, rng, lambda kind: _higher(
                rng.choice(samples.get(kind, others)), pitch, round(LENGTH_S * SR)
            ))  # fmt: skip
        return np.tile(one, (2, 1)).astype(np.float32)


def _higher(wave: NDArray[np.floating], pitch: float, n_samples: int) -> Array:
    """Read so many times faster; silence after its end."""
    return np.interp(np.arange(n_samples) * pitch, np.arange(len(wave)), wave, right=0.0)


def _noise(rng: random.Random) -> np.random.Generator:
    return np.random.default_rng(rng.getrandbits(32))


def _struck(song: Song, n_samples: int, rng: random.Random, draw: Callable[[int], Array]) -> Array:
    """Strokes by sounds that are drawn for each key, by its kind."""
    curve, quarter_s = rng.uniform(1.0, 2.0), 60 / song.beats_per_minute
    sounds: dict[int, Array] = {}
    mixed = np.zeros(n_samples + round(LENGTH_S * SR))
    for note in (note for track in song.tracks for note in track.notes):
        if note.pitch not in sounds:
            sound = draw(kind_of(note.pitch))
            sounds[note.pitch] = sound / max(float(np.abs(sound).max()), 1e-9)
        first, sound = round(note.start * quarter_s * SR), sounds[note.pitch]
        if first < n_samples:
            mixed[first : first + len(sound)] += (note.velocity / 127) ** curve * sound
    return mixed[:n_samples]


def _times() -> Array:
    return np.arange(round(LENGTH_S * SR)) / SR


def _decaying(noise: np.random.Generator, decay_s: float, low: float, high: float) -> Array:
    """Noise of a band of frequencies in Hz, which falls by a factor of e in decay_s."""
    t = _times()
    sos = butter(2, (low, min(high, 0.49 * SR)), "bandpass", fs=SR, output="sos")
    found = np.asarray(sosfilt(sos, noise.standard_normal(len(t)))) * np.exp(-t / decay_s)
    return found / max(float(np.abs(found).max()), 1e-9)


def _falling(hz: float, sweep: float, sweep_s: float, decay_s: float) -> Array:
    """A decaying sine that falls from `sweep` times its pitch."""
    t = _times()
    phase = 2 * np.pi * hz * np.cumsum(1 + (sweep - 1) * np.exp(-t / sweep_s)) / SR
    return np.sin(phase) * np.exp(-t / decay_s)


def _drum(rng: random.Random, hz: float, noise: Array, share: float) -> Array:
    sweep, sweep_s = rng.uniform(1.1, 4.0), rng.uniform(0.01, 0.06)
    return _falling(hz, sweep, sweep_s, rng.uniform(0.06, 0.35)) + share * noise


def _kick(rng: random.Random, noise: np.random.Generator) -> Array:
    click = _decaying(noise, rng.uniform(0.002, 0.01), 500, rng.uniform(3000, 12_000))
    return _drum(rng, rng.uniform(38, 80), click, rng.uniform(0, 0.4))


def _snare(rng: random.Random, noise: np.random.Generator) -> Array:
    decay_s = rng.choice((rng.uniform(0.008, 0.03), rng.uniform(0.04, 0.2)))  # a stick, or wires
    wires = _decaying(noise, decay_s, rng.uniform(200, 2000), rng.uniform(5000, 16_000))
    return _drum(rng, rng.uniform(140, 380), wires, rng.uniform(0.6, 4.0))


def _tom(rng: random.Random, noise: np.random.Generator) -> Array:
    skin = _decaying(noise, rng.uniform(0.005, 0.04), 200, rng.uniform(1500, 8000))
    return _drum(rng, rng.uniform(80, 700), skin, rng.uniform(0.05, 0.6))


def _cymbal(rng: random.Random, noise: np.random.Generator, decay_s: float) -> Array:
    """Noise and partials that belong to no harmonic series, with an attack of its own."""
    hiss = _decaying(noise, decay_s, rng.uniform(2000, 8000), 20_000)
    t, plate = _times(), np.zeros(round(LENGTH_S * SR))
    for _ in range(N_PARTIALS):
        plate += np.sin(2 * np.pi * rng.uniform(400, 9000) * t + rng.uniform(0, 6.28))
    plate *= np.exp(-t / (decay_s * rng.uniform(0.5, 1.5))) / N_PARTIALS
    tip = _decaying(noise, rng.uniform(0.004, 0.02), rng.uniform(2000, 6000), 20_000)
    return hiss + rng.uniform(0, 1.5) * plate + rng.uniform(0, 1.5) * tip


def _hat(rng: random.Random, noise: np.random.Generator) -> Array:
    return _cymbal(rng, noise, rng.uniform(0.012, 0.08))


def _ride(rng: random.Random, noise: np.random.Generator) -> Array:
    return _cymbal(rng, noise, rng.uniform(0.15, 1.2))


SOUNDS = {KICK: _kick, SNARE: _snare, TOM: _tom, CLOSED_HAT: _hat, RIDE: _ride}
