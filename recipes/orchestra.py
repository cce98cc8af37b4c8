"""The bundled instruments: python recipes/orchestra.py SOURCES OUT.sf3

SOURCES is a folder with
    FluidR3_GM.sf2       Debian: fluid-soundfont-gm (Frank Wen and others; MIT)
    piano-velocityN/     npm: @audio-samples/piano-velocityN, for N of PIANO, each unpacked
                         (Salamander Grand Piano V3, Alexander Holm; CC BY 3.0)
    upright_bass/        Meatbass (Karoryfer; CC0): PITCH_vlN_rrN.ogg, N of BASS and of 1, 2
and nothing else is needed but the package and pyloudnorm. docs/licences.md has them in full.

What sounds like what: a sample is one channel of its source, so nothing cancels. Filters, and
envelopes of what is struck or plucked, are part of the samples: of each instrument as many layers
as it has brightnesses. Loops are the sources'. Second takes are the sources' where there are any;
of the drums they are the other channel, of the piano the neighbouring key.

What is heard is then measured, and mended by what zones say, not by other samples: loops are moved
to where they close in spite of the coding, what is out of tune is tuned, and keys that stick out
are levelled. All presets are as loud as FluidR3's for the same passage (BS.1770, both sides), for
which arrangements are written, within NEAR_DB of the median; each drum as loud as FluidR3's.
The same sources give the same bytes, by one version of libvorbis.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyloudnorm
import soundfile
import tyro
from rich.console import Console
from rich.table import Table

from soundfont_mends import closed, evened, hit_db, tuned
from soundfont_writer import Preset, Sample, write
from thirdstream.audio import SR, Wave
from thirdstream.notes.rendering.soundfont import (
    ATTENUATED,
    DRUM_BANK,
    Generator,
    Region,
    SoundFont,
)
from thirdstream.notes.rendering.synthesiser import play
from thirdstream.notes.rendering.tones import N_BEYOND, Tone, low_passed, made
from thirdstream.notes.types import Note, Song, Track

G = Generator
LAYERS = (
    (1, 64, 50),
    (65, 92, 80),
    (93, 127, 110),
)  # velocities from, to, and one that stands for all
ONE_LAYER = ((1, 127, 90),)
PIANO = (4, 8, 11, 14)  # of the source's sixteen layers
PIANO_LAYERS = ((1, 48), (49, 74), (75, 98), (99, 127))
BASS = (2, 4)
BASS_LAYERS = ((1, 84), (85, 127))
BASS_HIGHEST = 59  # C4, the source's highest, has hardly any tone where it is loud
STRINGS_HZ = (4500.0, 7000.0)  # low-passes of the strings' softer layers
CYMBALS_HZ = (7000.0, 11_000.0)  # and of the drums' that have but one brightness
SUSTAINED = {
    "Church Organ": 19, "Violin": 40, "Viola": 41, "Cello": 42, "Contrabass": 43, "Strings": 48,
    "Trumpet": 56, "Trombone": 57, "Tuba": 58, "Muted Trumpet": 59, "French Horns": 60,
    "Brass Section": 61, "Alto Sax": 65, "Tenor Sax": 66,
    "Oboe": 68, "English Horn": 69, "Bassoon": 70, "Clarinet": 71, "Piccolo": 72, "Flute": 73,
}  # fmt: skip
STRUCK = {  # and the seconds that they ring for, at most
    "Tine Electric Piano": (4, 3.0), "Harpsichord": (6, 3.0), "Vibraphone": (11, 3.0),
    "Nylon String Guitar": (24, 3.0), "Jazz Guitar": (26, 3.0),
    "Harp": (46, 5.0),
}  # fmt: skip
PLAIN_SUSTAINED = {  # of one layer and few roots: what the bundled styles have no use for
    "Drawbar Organ": 16, "Reed Organ": 20, "Accordion": 21, "Harmonica": 22,
    "Overdrive Guitar": 29, "Distortion Guitar": 30, "Synth Pad": 50, "Choir": 52,
    "Soprano Sax": 64, "Baritone Sax": 67, "Recorder": 74, "Pan Flute": 75,
    "Square Lead": 80, "Saw Lead": 81, "Bagpipe": 109,
}  # fmt: skip
PLAIN_STRUCK = {
    "FM Electric Piano": (5, 2.5), "Celesta": (8, 2.5), "Glockenspiel": (9, 2.5),
    "Music Box": (10, 2.5), "Marimba": (12, 1.5), "Xylophone": (13, 1.0),
    "Tubular Bells": (14, 3.0), "Dulcimer": (15, 2.5), "Steel Guitar": (25, 3.0),
    "Clean Guitar": (27, 3.0), "Muted Guitar": (28, 1.5), "Fingered Bass": (33, 2.5),
    "Synth Bass": (38, 2.0), "Pizzicato Strings": (45, 1.5), "Timpani": (47, 2.5),
    "Banjo": (105, 2.5), "Koto": (107, 2.5), "Kalimba": (108, 1.5), "Steel Drums": (114, 1.5),
}  # fmt: skip
N_ROOTS = 7  # of a plain one
LONG_S = 0.5  # of a looped sample, at least
ALIKE = {  # what has no samples of its own, and who plays for it
    **dict.fromkeys((1, 2, 3), 0), **dict.fromkeys((17, 18), 16), 7: 6, 23: 21, 31: 26,
    **dict.fromkeys(range(34, 38), 33),
    39: 38, **dict.fromkeys((44, 49), 48), **dict.fromkeys((51, *range(88, 104)), 50),
    **dict.fromkeys((53, 54), 52), **dict.fromkeys((55, 62, 63), 61),
    **dict.fromkeys((76, 77, 78, 79), 75), **dict.fromkeys(range(82, 88), 81),
    104: 105, 106: 105, 110: 40, 111: 68, 112: 9, 113: 9, 115: 13,
    **dict.fromkeys((116, 117, 118), 47),
}  # fmt: skip
UNTUNED = {0, 9, 10, 12, 13, 14, 47, 108, 114}  # pianos are stretched; bars have no harmonics
KITS = {"Standard Kit": 0, "Brush Kit": 40}
PLAIN_KITS = {"Electro Kit": 24}  # of one layer and one take: a drum machine's hits are alike
KITS_ALIKE = {25: 24}
DRUM_KEYS = range(35, 60)
HAND_DRUM_KEYS = range(60, 82)  # of one layer and one take, the standard kit's in all
DRUM_S = 3.5
FADE_S = 0.3
PASSAGE = (0, 4, 7, 12, 9, 7, 4, 0)  # semitones from the middle of what an instrument plays
MIDDLE = {  # MIDI pitch, where it is not 64
    8: 76, 9: 84, 10: 79, 13: 76, 16: 60, 20: 60, 25: 55, 27: 55, 28: 55, 29: 52, 30: 52, 33: 38,
    38: 38, 45: 57, 47: 43, 52: 60, 67: 50, 74: 74, 75: 72,
    4: 60, 19: 60, 24: 52, 26: 57, 32: 38, 41: 60, 42: 48, 43: 36, 57: 53, 58: 40, 60: 55,
    61: 60, 66: 57, 70: 46, 72: 84, 73: 74,
}  # fmt: skip
SWING = (
    (36, 0), (51, 0), (51, 1), (42, 1), (51, 1.67),
    (51, 2), (51, 3), (44, 3), (38, 3.67), (51, 3.67),
)  # fmt: skip
NEAR_DB = 3.0
Layers = Sequence[tuple[int, int, int]]


@dataclass(frozen=True)
class Zone:
    """A sample and where it plays; release_s: of 100 dB."""

    wave: Wave
    sr: int
    root: int
    keys: tuple[int, int]
    velocities: tuple[int, int]
    release_s: float
    cents: int = 0
    loop: tuple[int, int] | None = None
    attack_s: float = 0.0
    choke: int = 0
    gain_db: float = 0.0


Place = tuple[int, int]  # bank and program


@dataclass(frozen=True)
class Instrument:
    """of: the place of what it is a take of or plays for, if of anything."""

    bank: int
    program: int
    name: str
    zones: list[Zone]
    of: Place | None = None

    @property
    def place(self) -> Place:
        return self.bank, self.program

    @property
    def original(self) -> Place:
        return self.of or self.place

    @property
    def is_plain(self) -> bool:
        """Whether it has one layer and few roots, or is played by one that has."""
        bank, program = self.original
        if bank == DRUM_BANK:
            return program in PLAIN_KITS.values()
        struck = (program for program, _ in PLAIN_STRUCK.values())
        return program in {*PLAIN_SUSTAINED.values(), *struck}


ABOUT = {
    "isng": "EMU8000",
    "INAM": "thirdstream orchestra",
    "ICOP": "FluidR3: Copyright 2000-2002, 2008 Frank Wen, MIT. Piano: Salamander Grand Piano "
            "V3, Alexander Holm, creativecommons.org/licenses/by/3.0, changed. "
            "Bass: Karoryfer Meatbass, CC0.",
    "ICMT": "Cut, filtered, levelled and coded by recipes/orchestra.py of thirdstream.",
}  # fmt: skip


def left(regions: Iterable[Region]) -> list[Region]:
    """One channel of stereo samples."""
    return [region for region in regions if region.pan <= 0.01] or list(regions)


def right(regions: Iterable[Region]) -> list[Region]:
    return [region for region in regions if region.pan >= -0.01] or list(regions)


def faded(wave: Wave) -> Wave:
    """Without DC, and faded out."""
    n_fade = min(round(FADE_S * SR), len(wave) // 2)
    wave = wave - wave.mean()
    wave[len(wave) - n_fade :] *= np.linspace(1, 0, n_fade) ** 2
    return wave.astype(np.float32)


def layered(
    font: SoundFont,
    program: int,
    zones: Callable[[list[Region], tuple[int, int]], list[Zone]],
    layers: Layers,
) -> list[Zone]:
    """The zones of all layers; layers that sound alike are one."""
    found: list[Zone] = []
    regions = left(font.regions(0, program))
    for low, high, velocity in layers:
        of_layer = [r for r in regions if r.velocities[0] <= velocity <= r.velocities[1]]
        new = zones(single(of_layer), (low, high))
        before = found[-len(new) :]
        new = reaching(new)
        if before and all(np.array_equal(a.wave, b.wave) for a, b in zip(before, new, strict=True)):
            new = [replace(one, velocities=(one.velocities[0], high)) for one in before]
            found = found[: -len(new)]
        found += new
    return alike(found)


def reaching(zones: list[Zone]) -> list[Zone]:
    """The zones of a layer, each up to where the next begins, so that every key sounds."""
    lows = [0, *(zone.keys[0] for zone in sorted(zones, key=lambda zone: zone.keys)[1:]), 128]
    return [
        replace(zone, keys=(lows[n], lows[n + 1] - 1))
        for n, zone in enumerate(sorted(zones, key=lambda zone: zone.keys))
    ]


def alike(zones: list[Zone]) -> list[Zone]:
    """The zones, each as loud in its first half second as the hardest layer's of the same root.

    So the level follows velocity alone, and layers meet without a step.
    """

    def level(zone: Zone) -> float:
        return float(np.sqrt(np.square(zone.wave[: SR // 2], dtype=np.float64).mean()))

    loudest = {zone.root: level(zone) for zone in zones}  # the last layer's
    return [
        replace(one, wave=one.wave * np.float32(loudest[one.root] / level(one))) for one in zones
    ]


def thinned(zones: list[Zone]) -> list[Zone]:
    """N_ROOTS of one layer's zones at most, and each up to halfway to the next."""
    of = {zone.root: zone for zone in zones}
    roots = sorted(of)
    chosen = np.linspace(0, len(roots) - 1, min(N_ROOTS, len(roots))).round().astype(int)
    keys = spread([roots[k] for k in chosen], low=0, high=127)
    return [replace(lengthened(of[root]), keys=its) for root, its in keys.items()]


def lengthened(zone: Zone) -> Zone:
    """A loop of a few periods is repeated, since so short a sample cannot be coded well."""
    if zone.loop is None or zone.loop[1] >= LONG_S * zone.sr:
        return zone
    start, end = zone.loop
    n_times = math.ceil(LONG_S * zone.sr / (end - start))
    periods = np.tile(zone.wave[start:end], n_times + 1)[: n_times * (end - start) + N_BEYOND]
    wave = np.concatenate([zone.wave[:start], periods]).astype(np.float32)
    return replace(zone, wave=wave, loop=(start, start + n_times * (end - start)))


def single(regions: Iterable[Region]) -> list[Region]:
    """Without those for whose keys there is one before."""
    found: list[Region] = []
    for region in regions:
        low, high = region.keys
        if all(high < other.keys[0] or other.keys[1] < low for other in found):
            found.append(region)
    return found


def sustained(font: SoundFont, program: int, layers: Layers = LAYERS) -> list[Zone]:
    """Looped samples, through their filters as these are in the end."""

    def zones(regions: list[Region], velocities: tuple[int, int]) -> list[Zone]:
        made_of = []
        for region in regions:
            if region.loop is None:
                raise SystemExit(f"program {program} has no loop")
            cents = region.sweep_cents * (1 - region.sweep.sustain)
            cutoff_hz = None if region.cutoff_hz is None else region.cutoff_hz * 2 ** (cents / 1200)
            if program == 48 and velocities[1] < 127:
                cutoff_hz = STRINGS_HZ[velocities[0] > 1]
            sr = font.rate(region.sample)
            wave = font.sample(region.sample, region.loop[1] + N_BEYOND) * 10 ** (
                region.gain_db / 20
            )
            if cutoff_hz is not None and cutoff_hz < 0.4 * SR:
                flat = replace(region, cutoff_hz=cutoff_hz * SR / sr, sweep_cents=0.0)
                wave = low_passed(wave.astype(np.float32), flat)
            wave = wave - wave[region.loop[0] : region.loop[1]].mean()
            made_of.append(Zone(
                wave.astype(np.float32), sr, region.root, region.keys, velocities,
                max(region.release_s, 0.25), round(100 * region.tune), region.loop,
                region.level.attack_s,
            ))  # fmt: skip
        return made_of

    return layered(font, program, zones, layers)


def struck(font: SoundFont, program: int, seconds: float, layers: Layers = LAYERS) -> list[Zone]:
    """Whole tones, with their filters and envelopes, each at the middle of its keys."""

    def zones(regions: list[Region], velocities: tuple[int, int]) -> list[Zone]:
        made_of = []
        for region in regions:
            low, high = max(region.keys[0], 21), min(region.keys[1], 108)
            if low > high:
                continue
            key = min(max(region.root, low), high)
            wave = faded(made(font, Tone(region, key, 0.0), round(seconds * SR)))
            made_of.append(Zone(wave, SR, key, region.keys, velocities, max(region.release_s, 0.3)))
        return made_of

    return layered(font, program, zones, layers)


def drums(
    font: SoundFont,
    kit: int,
    side: Callable[[Iterable[Region]], list[Region]],
    layers: Layers = LAYERS,
    keys: Iterable[int] = DRUM_KEYS,
) -> list[Zone]:
    """One zone for each key and layer, from one side's microphones."""
    zones = []
    for key in keys:
        of_key = [r for r in font.regions(DRUM_BANK, kit) if r.keys[0] <= key <= r.keys[1]]
        dark = len({r.cutoff_hz for r in of_key}) == 1
        for number, (low, high, velocity) in enumerate(layers):
            regions = side(r for r in of_key if r.velocities[0] <= velocity <= r.velocities[1])
            waves = [made(font, Tone(r, key, 0.0), round(DRUM_S * SR)) for r in regions]
            wave = np.zeros(max(map(len, waves)), np.float32)
            for one in waves:
                wave[: len(one)] += one
            if dark and number < len(layers) - 1:
                plain = replace(
                    regions[0], cutoff_hz=CYMBALS_HZ[number], sweep_cents=0.0, resonance_db=0.0
                )
                wave = low_passed(wave, plain)
            ends = np.flatnonzero(np.abs(wave) > 2e-4 * np.abs(wave).max())
            wave = faded(wave[: ends[-1] + SR // 20])
            release_s = min(max(r.release_s for r in regions), 8.0)
            zones.append(
                Zone(wave, SR, key, (key, key), (low, high), release_s, choke=regions[0].choke)
            )
    return zones


def begun(wave: Wave) -> Wave:
    """From where a tone begins to be there, 40 dB below its peak, with a millisecond before."""
    peak = np.abs(wave).max()
    first = int(np.argmax(np.abs(wave) > 0.01 * peak))
    return wave[max(first - SR // 1000, 0) :]


def pitches(folder: Path, pattern: str) -> dict[int, Path]:
    """Samples by MIDI pitch, which their names begin with."""
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    found = {}
    for path in folder.rglob("*.ogg"):
        if match := re.fullmatch(r"([A-Ga-g])([#b]?)(\d)" + pattern, path.stem):
            step, sign, octave = match.groups()
            shift = {"#": 1, "b": -1, "": 0}[sign]
            found[12 * (int(octave) + 1) + steps[step.upper()] + shift] = path
    return dict(sorted(found.items()))


def spread(roots: Sequence[int], *, low: int, high: int) -> dict[int, tuple[int, int]]:
    """Which keys each of the roots plays: those that it is nearest to."""
    edges = [low, *((a + b) // 2 + 1 for a, b in itertools.pairwise(roots)), high + 1]
    return {root: (edges[n], edges[n + 1] - 1) for n, root in enumerate(roots)}


def recorded(
    files: dict[int, Path],
    velocities: tuple[int, int],
    *,
    seconds: Callable[[int], float],
    release_s: float,
    low: int,
    high: int,
) -> list[Zone]:
    """A layer of single notes."""
    keys, zones = spread(list(files), low=low, high=high), []
    for root, path in files.items():
        wave, sr = soundfile.read(path, dtype="float32", always_2d=True)
        wave = begun(wave[:, 0])[: round(seconds(root) * sr)]
        zones.append(Zone(faded(wave), sr, root, keys[root], velocities, release_s))
    return zones


def pianos(sources: Path) -> list[Instrument]:
    layers = [
        recorded(
            pitches(sources / f"piano-velocity{n}", rf"v{n}"), velocities, release_s=0.6,
            low=0, high=127,
            seconds=lambda root: float(np.interp(root, (21, 60, 108), (6.0, 4.0, 1.5))),
        )
        for n, velocities in zip(PIANO, PIANO_LAYERS, strict=True)
    ]  # fmt: skip
    first = alike([zone for layer in layers for zone in layer])
    layers = [[z for z in first if z.velocities == velocities] for velocities in PIANO_LAYERS]
    second = [
        replace(zone, keys=(other.keys[0], other.keys[1]))
        for layer in layers
        for zone, other in zip(layer[1:] + layer[-1:], layer, strict=True)
    ]
    return [Instrument(0, 0, "Piano", first), Instrument(1, 0, "Piano take 2", second, (0, 0))]


def basses(sources: Path) -> list[Instrument]:
    def take(number: int) -> list[Zone]:
        layers = [
            zone
            for layer, velocities in zip(BASS, BASS_LAYERS, strict=True)
            for zone in recorded(
                {root: path for root, path in pitches(
                    sources / "upright_bass", rf"_vl{layer}_rr{number}").items()
                 if root <= BASS_HIGHEST},
                velocities, seconds=lambda root: 3.0, release_s=0.4, low=0, high=127,
            )
        ]  # fmt: skip
        return alike(layers)

    return [
        Instrument(0, 32, "Bass", take(1)),
        Instrument(1, 32, "Bass take 2", take(2), (0, 32)),
    ]


def plain(font: SoundFont) -> list[Instrument]:
    """Those of one layer and few roots."""
    return [
        *(Instrument(0, program, name, thinned(sustained(font, program, ONE_LAYER)))
          for name, program in PLAIN_SUSTAINED.items()),
        *(Instrument(0, program, name, thinned(struck(font, program, s, ONE_LAYER)))
          for name, (program, s) in PLAIN_STRUCK.items()),
    ]  # fmt: skip


def instruments(sources: Path) -> list[Instrument]:
    font = SoundFont(sources / "FluidR3_GM.sf2")
    found = [*pianos(sources), *basses(sources)]
    found += [
        Instrument(0, program, name, sustained(font, program))
        for name, program in SUSTAINED.items()
    ]
    found += [
        Instrument(0, program, name, struck(font, program, s))
        for name, (program, s) in STRUCK.items()
    ]
    found += plain(font)
    of = {one.program: one for one in found if one.bank == 0}
    found += [Instrument(0, program, f"{of[other].name} as {program}", of[other].zones, (0, other))
              for program, other in ALIKE.items()]  # fmt: skip
    by_hand = drums(font, 0, left, ONE_LAYER, HAND_DRUM_KEYS)
    for name, kit in KITS.items():
        found.append(Instrument(DRUM_BANK, kit, name, drums(font, kit, left) + by_hand))
        zones, of_kit = drums(font, kit, right) + by_hand, (DRUM_BANK, kit)
        found.append(Instrument(DRUM_BANK, kit + 1, f"{name} take 2", zones, of_kit))
    kits = {kit: Instrument(DRUM_BANK, kit, name, drums(font, kit, left, ONE_LAYER) + by_hand)
            for name, kit in PLAIN_KITS.items()}  # fmt: skip
    found += kits.values()
    found += [
        Instrument(DRUM_BANK, kit, f"{kits[of_kit].name} as {kit}", kits[of_kit].zones,
                   (DRUM_BANK, of_kit))
        for kit, of_kit in KITS_ALIKE.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.place)


def mended(found: Sequence[Instrument], draft: Path, source: Path) -> list[Instrument]:
    """The instruments, their zones mended by how they sound in a draft of them.

    source: whose drums are as loud as ours shall be.
    """
    font, result = SoundFont(draft), []
    for one in found:
        regions = font.regions(*one.place)
        zones = [replace(zone, loop=closed(font, region))
                 for zone, region in zip(one.zones, regions, strict=True)]  # fmt: skip
        if one.bank == DRUM_BANK:
            kit, layers = one.original[1], ONE_LAYER if one.is_plain else LAYERS
            middles = {low: middle for low, _, middle in layers}
            struck = [(r.root, middles[r.velocities[0]]) for r in regions]
            gains = [hit_db(source, kit, *how) - hit_db(draft, one.program, *how) for how in struck]
        else:
            gains = evened(font, regions)
        is_kept = one.bank == DRUM_BANK or one.original[1] in UNTUNED
        cents = [0] * len(regions) if is_kept else tuned(font, regions)
        zones = [replace(zone, gain_db=gain, cents=zone.cents + more)
                 for zone, gain, more in zip(zones, gains, cents, strict=True)]  # fmt: skip
        result.append(replace(one, zones=zones))
    return result


def kits_apart(found: Sequence[Instrument]) -> list[Instrument]:
    """The instruments, second takes of kits under other names: each kit is played by its number."""
    return [
        replace(one, name=one.name.replace(" take ", " "), of=None)
        if one.bank == DRUM_BANK and " take " in one.name else one
        for one in found
    ]  # fmt: skip


def lufs(place: Place, font: Path) -> float:
    """Of the passage, or of two bars of swing, at velocity 80; BS.1770, both sides."""
    bank, program = place
    if bank == DRUM_BANK:
        notes = [Note(beat + bar, 0.2, key, 80) for bar in (0.0, 4.0) for key, beat in SWING]
    else:
        middle = MIDDLE.get(program, 64)
        notes = [Note(float(k), 0.9, middle + step, 80) for k, step in enumerate(PASSAGE)]
    track = Track("one", program, tuple(notes), is_drums=bank == DRUM_BANK)
    wave = play(Song((track,), 120.0), font, 5 * SR)
    return pyloudnorm.Meter(SR).integrated_loudness(wave.T.astype(np.float64))


def saved(path: Path, found: Sequence[Instrument], gains_db: dict[Place, float]) -> list[int]:
    """Write all instruments, each with its gain; the loudest zone has 0 dB.

    Returns the bytes of each instrument's samples, but for those that one before it has too.
    """
    samples: list[Sample] = []
    places: dict[bytes, int] = {}
    presets, lasts = [], [0]
    gains = {one.place: gains_db.get(one.place, 0.0) for one in found}
    leading = [one for one in found if not one.is_plain]
    highest = max(gains[one.place] + zone.gain_db for one in leading for zone in one.zones)
    for one in found:
        alike = [other for other in found if other.original == one.original
                 or one.bank == other.bank == DRUM_BANK]  # fmt: skip
        peak = max(float(np.abs(zone.wave).max()) for other in alike for zone in other.zones)
        zones = []
        for zone in one.zones:
            wave = (zone.wave * (0.9 / peak)).astype(np.float32)
            key = wave.tobytes()
            if key not in places:
                places[key] = len(samples)
                samples.append(Sample(f"{one.name[:14]} {zone.root}", wave, zone.sr, zone.loop))
            gain_db = min(gains[one.place] + zone.gain_db - highest, 0.0)
            zones.append(generators(zone, places[key], gain_db))
        presets.append(Preset(one.bank, one.program, one.name, zones))
        lasts.append(len(samples))
    sizes = write(path, presets, samples, about=ABOUT)
    return [sum(sizes[first:last]) for first, last in itertools.pairwise(lasts)]


def generators(zone: Zone, sample: int, gain_db: float) -> dict[int, int]:
    def timecents(seconds: float) -> int:
        return round(1200 * np.log2(max(seconds, 1e-3)))

    semitones = round(zone.cents / 100)  # cents are less than a semitone, by the specification
    said = {
        G.KEYS: zone.keys[0] | zone.keys[1] << 8,
        G.VELOCITIES: zone.velocities[0] | zone.velocities[1] << 8,
        G.ATTENUATION: round(-10 * gain_db / ATTENUATED),
        G.ATTACK: timecents(zone.attack_s),
        G.RELEASE: timecents(zone.release_s),
        G.ROOT: zone.root - semitones,
        G.CENTS: zone.cents - 100 * semitones,
        G.CHOKE: zone.choke,
        G.LOOPS: int(zone.loop is not None),
        G.SAMPLE: sample,
    }
    plain = {G.CENTS: 0, G.CHOKE: 0, G.LOOPS: 0, G.ATTENUATION: 0, G.ATTACK: timecents(0.0)}
    return {kind: value for kind, value in said.items() if plain.get(kind) != value}


def balanced(
    found: Sequence[Instrument], draft: Path, source: Path
) -> tuple[dict[Place, float], dict[Place, list[float]]]:
    """Gains that make all as loud as the source's, pitched ones near their median.

    Second, for a table: of each, LUFS in the source, wanted, and in the draft.
    """
    first = {one.place: one.original for one in found}
    theirs = {place: lufs(place, source) for place in set(first.values())}
    ours = {place: lufs(place, draft) for place in set(first.values())}
    full = {one.original for one in found if not one.is_plain}
    median = float(np.median([theirs[place] for place in full if place[0] != DRUM_BANK]))
    wanted = {
        place: level if place[0] == DRUM_BANK
        else min(max(level, median - NEAR_DB), median + NEAR_DB)
        for place, level in theirs.items()
    }  # fmt: skip
    gains = {place: wanted[of] - ours[of] for place, of in first.items()}
    return gains, {place: [theirs[of], wanted[of], ours[of]] for place, of in first.items()}


def shown(
    found: Sequence[Instrument], levels: dict[Place, list[float]], sizes: Sequence[int]
) -> Table:
    table = Table("preset", "LUFS in FluidR3", "wanted", "before", "layers", "zones", "s", "kB")
    for one, size in zip(found, sizes, strict=True):
        seconds = sum(len(zone.wave) / zone.sr for zone in one.zones)
        counts = len({zone.velocities for zone in one.zones}), len(one.zones)
        table.add_row(
            f"{one.bank}:{one.program} {one.name}",
            *(f"{level:.1f}" for level in levels[one.place]),
            *map(str, counts), f"{seconds:.0f}", f"{size / 1000:.0f}",
        )  # fmt: skip
    return table


def main(sources: Path, out: Path) -> None:
    found, source = instruments(sources), sources / "FluidR3_GM.sf2"
    with TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.sf3", Path(folder) / "second.sf3"
        saved(first, kits_apart(found), {})
        found = mended(found, first, source)
        saved(second, found, {})
        gains, levels = balanced(found, second, source)
    sizes = saved(out, found, gains)
    Console().print(shown(found, levels, sizes))
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
