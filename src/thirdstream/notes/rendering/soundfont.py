"""Soundfonts (.sf2, .sf3): which samples sound for a key and a velocity, and how.

Read as the SoundFont 2.04 specification has them: presets of instruments of zones, whose generators
become one Region each. Samples of .sf3 are Ogg Vorbis; they are decoded when they are asked for.
Left out: low-frequency oscillators, and what the modulation envelope does to pitch.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from thirdstream.audio import Wave
from thirdstream.files import ThirdstreamError
from thirdstream.notes.rendering import modulators
from thirdstream.notes.rendering.modulators import Amounts

DRUM_BANK = 128
ATTENUATED = 0.4  # of what is written: so the first synthesisers took it, and so fonts are made
MAX_SAMPLES = 1 << 24  # of one sample; no instrument rings for six minutes
USUAL_SAMPLES = 1 << 16  # that are decoded of one at least: 1.5 s, as long as most notes
MAX_BYTES = 64_000_000  # of decoded samples that are kept
BAG = [("generators", "<u2"), ("modulators", "<u2")]
RECORDS: dict[str, Any] = {
    "phdr": [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("_", "<u4", 3)],
    "pbag": BAG,
    "pmod": modulators.RECORD,
    "pgen": [("kind", "<u2"), ("amount", "<i2")],
    "inst": [("name", "S20"), ("bag", "<u2")],
    "ibag": BAG,
    "imod": modulators.RECORD,
    "igen": [("kind", "<u2"), ("amount", "<i2")],
    "shdr": [("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"),
             ("loop_end", "<u4"), ("sr", "<u4"), ("root", "u1"), ("cents", "i1"), ("link", "<u2"),
             ("kind", "<u2")],
}  # fmt: skip
COMPRESSED = 0x10  # a sample's kind, in .sf3
ALL = (0, 127)
VELOCITY_STEP = 8  # velocities that modulators tell apart; each has its own samples in memory
Zone = dict[int, int]  # generators and their amounts


class Generator(IntEnum):
    """What a zone may say, by its number in section 8.1.2."""

    START = 0
    LOOP_START = 2
    LOOP_END = 3
    START_COARSE = 4
    CUTOFF = 8
    RESONANCE = 9
    SWEEP = 11
    PAN = 17
    SWEEP_DELAY = 25
    SWEEP_ATTACK = 26
    SWEEP_HOLD = 27
    SWEEP_DECAY = 28
    SWEEP_SUSTAIN = 29
    DELAY = 33
    ATTACK = 34
    HOLD = 35
    DECAY = 36
    SUSTAIN = 37
    RELEASE = 38
    KEY_TO_DECAY = 40
    INSTRUMENT = 41
    KEYS = 43
    VELOCITIES = 44
    LOOP_START_COARSE = 45
    ATTENUATION = 48
    LOOP_END_COARSE = 50
    SEMITONES = 51
    CENTS = 52
    SAMPLE = 53
    LOOPS = 54
    SCALE = 56
    CHOKE = 57
    ROOT = 58


G = Generator
NEVER = -12_000  # timecents of an envelope's stage that takes no time
OPEN = 13_500  # cents of a filter that lets all pass
LEVEL = (G.DELAY, G.ATTACK, G.HOLD, G.DECAY)  # stages of the volume envelope
SWEEP = (G.SWEEP_DELAY, G.SWEEP_ATTACK, G.SWEEP_HOLD, G.SWEEP_DECAY)  # and of the other
DEFAULTS: Zone = {
    G.CUTOFF: OPEN,
    G.SCALE: 100,
    **dict.fromkeys((*LEVEL, *SWEEP, G.RELEASE), NEVER),
}


MOVED = {
    G.CUTOFF, G.RESONANCE, G.SWEEP, G.PAN, *LEVEL, *SWEEP, G.SWEEP_SUSTAIN, G.SUSTAIN, G.RELEASE,
    G.SEMITONES, G.CENTS,
}  # fmt: skip


@dataclass(frozen=True)
class Envelope:
    """A straight rise from 0, then a fall by the share `sustain` of all; all would take decay_s.

    Of a level all is 100 dB, and the fall is straight in decibels.
    """

    delay_s: float
    attack_s: float
    hold_s: float
    decay_s: float
    sustain: float


@dataclass(frozen=True)
class Region:
    """A sample, the keys and velocities (from, to) that it sounds for, and how.

    root: key that plays the sample `tune` semitones above its own pitch; scale: semitones from key
    to key. pan: -1 (left) to 1. start: of its samples, the first that sounds. loop: from, to, in
    samples; None where it plays once. key_to_decay: cents by which the level's decay shortens from
    key to key. release_s: for 100 dB. cutoff_hz: of a low-pass; None without; sweep_cents: how far
    its envelope moves it. choke: regions of one class, but for 0, end one another.
    """

    sample: int
    keys: tuple[int, int]
    velocities: tuple[int, int]
    root: int
    tune: float
    scale: float
    gain_db: float
    pan: float
    start: int
    loop: tuple[int, int] | None
    level: Envelope
    key_to_decay: float
    release_s: float
    cutoff_hz: float | None
    resonance_db: float
    sweep: Envelope
    sweep_cents: float
    choke: int

    def __hash__(self) -> int:
        """Of a few fields, which tell nearly all apart: every note looks its regions up."""
        return hash((self.sample, self.root, self.tune, self.gain_db))

    def sounds(self, key: int, velocity: int) -> bool:
        """Whether this key, struck so hard, plays it."""
        (low, high), (soft, hard) = self.keys, self.velocities
        return low <= key <= high and soft <= velocity <= hard


@dataclass(frozen=True)
class Layer:
    """A zone of an instrument in a preset: its region at rest, its generators and modulators."""

    region: Region
    zone: dict[int, float]
    amounts: Amounts


class SoundFont:
    """A soundfont on disk. presets: (bank, program) -> name; drum kits are in bank 128.

    Raises ThirdstreamError where the file is none, or leads out of itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._bytes = np.memmap(path, np.uint8, "r")
            chunks = dict(_chunks(self._bytes, 0, len(self._bytes)))
            self._samples = chunks["smpl"]
            self._tables = {
                name: np.frombuffer(chunks[name].tobytes(), np.dtype(fields))
                for name, fields in RECORDS.items()
            }
            heads = self._tables["phdr"][:-1]
            places = [(int(head["bank"]), int(head["program"])) for head in heads]
            self.presets = dict(zip(places, map(_text, heads["name"]), strict=True))
            self._place = {place: number for number, place in enumerate(places)}
            self._known: dict[int, tuple[Layer, ...]] = {}
            self._kept: dict[int, tuple[int, Wave]] = {}  # how many were asked for, and they
        except OSError as error:
            raise ThirdstreamError(
                f"{path}: cannot be read ({error.strerror}); check the path"
            ) from error
        except (KeyError, ValueError, IndexError) as error:
            raise self._bad("it lacks the tables of one") from error

    def regions(self, bank: int, program: int) -> tuple[Region, ...]:
        """All regions of a preset in order; what it says is added to what its instrument does.

        Raises KeyError where there is no such preset.
        """
        return tuple(one.region for one in self._layers(bank, program))

    def struck(self, bank: int, program: int, *, key: int, velocity: int) -> tuple[Region, ...]:
        """The regions that a key plays, struck so hard, as its modulators have them.

        Raises KeyError where there is no such preset.
        """
        return tuple(
            self._struck(one, key=key, velocity=velocity)
            for one in self._layers(bank, program)
            if one.region.sounds(key, velocity)
        )

    def _struck(self, layer: Layer, *, key: int, velocity: int) -> Region:
        if layer.amounts == modulators.DEFAULTS:
            return layer.region
        near = min(VELOCITY_STEP * round(velocity / VELOCITY_STEP), 127)
        by = modulators.added(layer.amounts, key=key, velocity=max(near, 1))
        moved = {kind: layer.zone.get(kind, 0) + by[kind] for kind in MOVED & by.keys()}
        at_rest = layer.region
        region = self._region(layer.zone | moved, keys=at_rest.keys, velocities=at_rest.velocities)
        return replace(region, gain_db=region.gain_db - by[G.ATTENUATION] / 10)

    def _layers(self, bank: int, program: int) -> tuple[Layer, ...]:
        place = self._place[bank, program]
        try:
            if place not in self._known:
                self._known[place] = tuple(self._read(place))
            return self._known[place]
        except (IndexError, OverflowError) as error:
            raise self._bad(f"its preset {bank}:{program} leads nowhere") from error

    def _read(self, place: int) -> Iterator[Layer]:
        ranges = G.KEYS, G.VELOCITIES
        for preset, more in self._zones("p", "phdr", place, last=G.INSTRUMENT):
            for zone, own in self._zones("i", "inst", preset[G.INSTRUMENT], last=G.SAMPLE):
                kinds = zone.keys() | preset.keys() | DEFAULTS.keys()
                both: dict[int, float] = {
                    kind: zone.get(kind, DEFAULTS.get(kind, 0)) + preset.get(kind, 0)
                    for kind in kinds
                }
                both |= {kind: zone.get(kind, 0) for kind in (G.SAMPLE, G.LOOPS, G.CHOKE)}
                both[G.ROOT] = zone.get(G.ROOT, -1)
                keys, velocities = (_common(zone.get(k), preset.get(k)) for k in ranges)
                if keys[0] <= keys[1] and velocities[0] <= velocities[1]:
                    amounts = modulators.together(instrument=own, preset=more)
                    region = self._region(both, keys=keys, velocities=velocities)
                    yield Layer(region, both, amounts)

    def _zones(
        self, letter: str, heads: str, place: int, *, last: int
    ) -> list[tuple[Zone, Amounts]]:
        """The zones of a preset or an instrument, each with what its global zone says, and the
        amounts of their modulators."""
        bags, generators, records = (self._tables[letter + kind] for kind in ("bag", "gen", "mod"))
        first, end = (int(self._tables[heads][place + k]["bag"]) for k in (0, 1))
        shared: tuple[Zone, Amounts] = ({}, {})
        zones = []
        for number in range(first, end):
            inside = generators[bags[number]["generators"] : bags[number + 1]["generators"]]
            zone = {int(kind): int(amount) for kind, amount in inside}
            moving = records[bags[number]["modulators"] : bags[number + 1]["modulators"]]
            amounts = modulators.amounts(moving.tolist())
            if last in zone:
                zones.append((shared[0] | zone, shared[1] | amounts))
            elif number == first:
                shared = zone, amounts
        return zones

    def _region(
        self, zone: dict[int, float], *, keys: tuple[int, int], velocities: tuple[int, int]
    ) -> Region:
        sample = int(zone[G.SAMPLE])
        head = self._tables["shdr"][sample]
        origin = 0 if int(head["kind"]) & COMPRESSED else int(head["start"])
        start, end = (
            int(int(head[name]) - origin + zone.get(fine, 0) + 32_768 * zone.get(coarse, 0))
            for name, fine, coarse in (
                ("loop_start", G.LOOP_START, G.LOOP_START_COARSE),
                ("loop_end", G.LOOP_END, G.LOOP_END_COARSE),
            )
        )
        looped = int(zone[G.LOOPS]) & 1 and 0 <= start < end <= MAX_SAMPLES
        tune = zone.get(G.SEMITONES, 0) + (zone.get(G.CENTS, 0) + int(head["cents"])) / 100
        root = int(head["root"]) if zone[G.ROOT] < 0 else int(zone[G.ROOT])
        return Region(
            sample=sample,
            keys=keys,
            velocities=velocities,
            root=root,
            tune=tune,
            scale=zone[G.SCALE] / 100,
            gain_db=-ATTENUATED * float(np.clip(zone.get(G.ATTENUATION, 0) / 10, -144, 144)),
            pan=float(np.clip(zone.get(G.PAN, 0) / 500, -1, 1)),
            start=max(int(zone.get(G.START, 0) + 32_768 * zone.get(G.START_COARSE, 0)), 0),
            loop=(start, end) if looped else None,
            level=_envelope(zone, LEVEL, G.SUSTAIN),
            key_to_decay=float(zone.get(G.KEY_TO_DECAY, 0)),
            release_s=_seconds(zone[G.RELEASE]),
            cutoff_hz=None if zone[G.CUTOFF] >= OPEN else 8.176 * 2 ** (zone[G.CUTOFF] / 1200),
            resonance_db=float(np.clip(zone.get(G.RESONANCE, 0) / 10, 0, 96)),
            sweep=_envelope(zone, SWEEP, G.SWEEP_SUSTAIN),
            sweep_cents=float(zone.get(G.SWEEP, 0)),
            choke=int(zone[G.CHOKE]),
        )

    def rate(self, sample: int) -> int:
        """Of a sample, in Hz."""
        return int(np.clip(self._tables["shdr"][sample]["sr"], 400, 400_000))

    def sample(self, number: int, n_samples: int = MAX_SAMPLES) -> Wave:
        """The first n_samples of a sample, at most: (n_samples,).

        Raises ThirdstreamError where it lies outside of the file or cannot be decoded.
        """
        head = self._tables["shdr"][number]
        start, end = int(head["start"]), int(head["end"])
        n_samples = min(n_samples, MAX_SAMPLES)
        try:
            if int(head["kind"]) & COMPRESSED:
                return self._decompressed(number, slice(start, end), n_samples)
            words = self._samples[2 * start : 2 * min(end, start + n_samples)].tobytes()
            return np.frombuffer(words, "<i2").astype(np.float32) / np.float32(32_768)
        except (ValueError, RuntimeError) as error:
            raise self._bad(f"its sample {_text(head['name'])} is damaged") from error

    def _decompressed(self, number: int, place: slice, n_samples: int) -> Wave:
        """Many keys share a sample: it is kept, as far as it was decoded."""
        asked, wave = self._kept.get(number, (0, np.zeros(0, np.float32)))
        if asked < n_samples:
            asked = min(max(n_samples, 2 * asked, USUAL_SAMPLES), MAX_SAMPLES)
            wave = _decoded(self._samples[place].tobytes(), asked)
            kept = [one for _, one in self._kept.values()]
            if sum(one.nbytes for one in kept) + wave.nbytes > MAX_BYTES:
                self._kept.clear()
            self._kept[number] = (asked if len(wave) == asked else MAX_SAMPLES), wave
        return wave[:n_samples]

    def _bad(self, why: str) -> ThirdstreamError:
        return ThirdstreamError(
            f"{self.path}: is no readable soundfont ({why}); give an .sf2 or .sf3 file"
        )


def opened(path: Path) -> SoundFont:
    """The soundfont, read once a process as long as the file stays the same."""
    try:
        about = path.stat()
    except OSError as error:
        raise ThirdstreamError(
            f"{path}: cannot be read ({error.strerror}); check the path"
        ) from error
    return _opened(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=4)
def _opened(path: Path, _mtime_ns: int, _n_bytes: int) -> SoundFont:
    return SoundFont(path)


def _chunks(data: NDArray[np.uint8], start: int, end: int) -> list[tuple[str, NDArray[np.uint8]]]:
    """Names and contents of all chunks of a RIFF file, those inside lists too."""
    found: list[tuple[str, NDArray[np.uint8]]] = []
    while start + 8 <= end:
        name = data[start : start + 4].tobytes()
        size = int.from_bytes(data[start + 4 : start + 8].tobytes(), "little")
        inside, start = start + 8, start + 8 + size
        if size % 2 and start < end and not data[start]:  # a byte that evens it out; some lack it
            start += 1
        if name in (b"RIFF", b"LIST"):
            found += _chunks(data, inside + 4, min(inside + size, end))
        else:
            found.append((name.decode("latin-1"), data[inside : min(inside + size, end)]))
    return found


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("latin-1").strip()


def _common(one: int | None, other: int | None) -> tuple[int, int]:
    """The keys or velocities that are in both ranges; a range is two bytes, from and to."""
    (low, high), (least, most) = (
        ALL if value is None else (value & 0xFF, value >> 8 & 0xFF) for value in (one, other)
    )
    return max(low, least), min(high, most)


def _envelope(zone: dict[int, float], stages: tuple[int, ...], sustain: int) -> Envelope:
    """Of its four stages, and its sustain in tenths of a per cent (or of a decibel)."""
    times = (_seconds(zone[stage]) for stage in stages)
    return Envelope(*times, sustain=float(np.clip(zone.get(sustain, 0) / 1000, 0, 1)))


def _seconds(timecents: float) -> float:
    return 0.0 if timecents <= NEVER else 2 ** (min(timecents, 8_000) / 1200)


def _decoded(compressed: bytes, n_samples: int) -> Wave:
    """The first channel of a sample of Vorbis, (n_samples,).

    In a thread, because signals are handled in the main one: a Ctrl-C that met the decoder while it
    asks Python for bytes would be lost there, and the sample cut short without a word.
    """

    def decode() -> Wave:
        with soundfile.SoundFile(BytesIO(compressed)) as file:
            wave = file.read(n_samples, dtype="float32", always_2d=True)
        return np.ascontiguousarray(wave[:, 0], np.float32)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(decode).result()
