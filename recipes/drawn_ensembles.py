"""Excerpts of songs, played by instruments and drums that are drawn: what instrument_weights.py is
trained on, and reverberation_weights.py.

Lower and higher notes of a part may go to two players, and the lowest part an octave or two down to
where basses play. Drums are the song's own, none, or patterns of any of a kit's and of hand drums.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.notes.io.midi import read_midi
from thirdstream.notes.learning.timbre import INSIDE
from thirdstream.notes.rendering import Scene, draw_scene, play
from thirdstream.notes.rendering.room import in_room
from thirdstream.notes.styles import instrument
from thirdstream.notes.types import Note, Song, Track

PROGRAMS = (  # that the bundled orchestra has samples of
    0, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21, 22, 24, 25, 26, 27, 28, 29, 30, 32,
    33, 38, 40, 41, 42, 43, 45, 46, 47, 48, 50, 52, 56, 57, 58, 59, 60, 61, 64, 65, 66, 67, 68, 69,
    70, 71, 72, 73, 74, 75, 80, 81, 105, 107, 108, 109, 114,
)  # fmt: skip
EVERY = (*range(55), *range(56, 96), *range(104, 112))  # of General MIDI, but for hits and effects
STRUCK = (  # and plucked
    0, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 32, 33, 45, 46, 47, 105, 107, 108,
    114,
)  # fmt: skip
BASSES = (19, 32, 32, 33, 33, 38, 42, 43, 48, 57, 58, 60, 61, 67, 70)  # the usual ones twice
KITS = (0, 0, 0, 8, 16, 24, 32, 40, 40, 48)
DRUMS = (  # keys of the kit, and how likely one of them plays
    ((35, 36, 41), 0.75),
    ((37, 38, 39, 40), 0.75),
    ((42, 44, 46, 49, 51, 54, 70), 0.5),
    ((45, 47, 50, 56, 60, 61, 62, 63, 64, 65, 66, 75, 76, 77), 0.3),
)
STEPS = (0.25, 0.5, 0.5, 1 / 3, 1.0)  # beats
LENGTH_S = 20.0
FEWEST = 8  # notes of a part
DRY = 0.2  # share of excerpts outside of any room
SOLO = 0.25  # share of excerpts of one part
MIDDLE = 55  # pitch that parts are divided at
SOFTEST_DB = -24.0  # of drums, below the others


@dataclass(frozen=True)
class Drawn:
    """An excerpt. song: its pitched parts; drums: if there are any; wave: mono at 44,100 Hz, -20
    dB."""

    song: Song
    drums: Track | None
    wave: Wave


Kit = Callable[[Song, Path, int, random.Random], Wave]
"""A song of drums, a soundfont and a number of samples -> how it sounds."""


def kit_of_font(song: Song, font: Path, n_samples: int, _: random.Random) -> Wave:
    return play(song, font, n_samples)


def drawn(
    path: Path,
    fonts: Sequence[Path],
    *,
    seed: str,
    kit: Kit = kit_of_font,
    programs: Sequence[int] = PROGRAMS,
) -> Drawn | None:
    """Of a MIDI file, through one of the soundfonts, in a room or outside of any; None where the
    stretch has too few notes. programs: of those who may play."""
    rng = random.Random(seed)
    found = played(path, fonts, rng, kit, programs)
    if found is None:
        return None
    song, drums, dry = found
    scene = draw_scene(rng.choice(("jazz", "classical")), seed=seed)
    wave = dry.mean(axis=0) if rng.random() < DRY else recorded(dry, scene)
    return Drawn(song, drums, at_level(wave))


def played(
    path: Path,
    fonts: Sequence[Path],
    rng: random.Random,
    kit: Kit = kit_of_font,
    programs: Sequence[int] = PROGRAMS,
) -> tuple[Song, Track | None, Wave] | None:
    """A stretch of a MIDI file: its pitched parts, its drums if there are any, and how it sounds,
    dry and in stereo; None where it has too few notes."""
    whole = read_midi(path)
    beats = LENGTH_S * whole.beats_per_minute / 60
    pitched, own = _stretch(whole, beats, rng)
    tracks = _players(pitched, rng, programs)
    if not tracks:
        return None
    song, font = replace(whole, tracks=tuple(tracks)), rng.choice(fonts)
    kind = rng.choice(("none", "none", "pattern", "own"))
    drums = own if kind == "own" else None
    if drums is None and kind != "none":
        drums = pattern(beats, rng)
    n_samples = round((LENGTH_S + 1) * SR)
    dry = play(song, font, n_samples)
    if drums is not None:
        struck = kit(replace(whole, tracks=(drums,)), font, n_samples, rng)
        ratio = _rms(dry) / max(_rms(struck), 1e-9)
        drums_db = rng.uniform(SOFTEST_DB, 0) if rng.random() < 0.6 else -20 * np.log10(ratio)
        dry = dry + struck * np.float32(ratio * 10 ** (drums_db / 20))
    return song, drums, dry


def recorded(dry: Wave, scene: Scene) -> Wave:
    """Mono."""
    return np.concatenate(list(in_room([dry], scene, n_channels=1)), axis=1)[0]


def at_level(wave: Wave) -> Wave:
    """-20 dB."""
    return (0.1 / max(_rms(wave), 1e-6) * wave).astype(np.float32)


def written(one: Drawn, path: Path) -> Path:
    """The excerpt as a file, to be transcribed."""
    wave = one.wave * np.float32(min(1.0, 0.98 / max(float(np.abs(one.wave).max()), 1e-6)))
    audio.write(path, [wave[None]], sr=SR, n_channels=1)
    return path


def _rms(wave: Wave) -> float:
    return float(np.sqrt(np.square(wave).mean()))


def _stretch(
    song: Song, beats: float, rng: random.Random
) -> tuple[list[tuple[Note, ...]], Track | None]:
    """So many beats from anywhere in a song: its pitched parts, and its drums."""
    end = max(note.end for track in song.tracks for note in track.notes)
    first = rng.uniform(0, max(end - beats, 0))
    pitched: list[tuple[Note, ...]] = []
    drums = None
    for track in song.tracks:
        notes = tuple(replace(note, start=note.start - first) for note in track.notes
                      if first <= note.start < first + beats - 1)  # fmt: skip
        if len(notes) < FEWEST:
            continue
        if track.is_drums:
            drums = Track("drums", track.program, notes, is_drums=True)
            continue
        low = tuple(note for note in notes if note.pitch < MIDDLE)
        high = tuple(note for note in notes if note.pitch >= MIDDLE)
        is_divided = min(len(low), len(high)) >= FEWEST and rng.random() < 0.85
        pitched += [high, low] if is_divided else [notes]
    return pitched, drums


def _players(
    parts: Sequence[tuple[Note, ...]], rng: random.Random, programs: Sequence[int]
) -> list[Track]:
    """Who plays the parts, and how hard."""
    is_struck = rng.random() < 0.12  # none but struck and plucked strings
    tracks = []
    if rng.random() < SOLO:
        parts = [rng.choice(parts)] if parts else []
    order = sorted(range(len(parts)), key=lambda k: np.mean([note.pitch for note in parts[k]]))
    for number, part in enumerate(parts):
        is_bass = len(parts) > 1 and number == order[0]
        is_low = is_bass and rng.random() < 0.85
        notes = _lowered(part, rng.uniform(30, 46)) if is_low else part
        louder = rng.randint(-18, 18) + (rng.randint(0, 25) if is_struck else 0)
        shorter = rng.choice((1, 1, 0.5, 0.3)) if rng.random() < 0.5 else 1
        played = tuple(
            replace(
                note,
                length=max(note.length * shorter, 0.1),
                velocity=min(max(note.velocity + louder, 20), 120),
            )
            for note in notes
        )
        if len(played) >= FEWEST:
            program = suitable(played, rng, programs, is_struck=is_struck, is_bass=is_bass)
            tracks.append(Track(f"part {number}", program, played, False, rng.randint(30, 98)))
    return tracks


def _lowered(notes: Sequence[Note], around: float) -> tuple[Note, ...]:
    """Moved by octaves, so that most lie around a pitch."""
    by = 12 * round((around - float(np.median([note.pitch for note in notes]))) / 12)
    return tuple(replace(note, pitch=note.pitch + by) for note in notes
                 if 26 <= note.pitch + by <= 100)  # fmt: skip


def suitable(
    notes: Sequence[Note],
    rng: random.Random,
    programs: Sequence[int],
    *,
    is_struck: bool,
    is_bass: bool,
) -> int:
    """A program in whose range the notes lie; a bass is more often one that plays basses."""
    able = []
    for program in programs:
        one = instrument(program)
        inside = np.mean([one.lowest <= note.pitch <= one.highest for note in notes])
        able += [program] * bool(inside >= INSIDE)
    if is_struck:
        able = [program for program in able if program in STRUCK] or able
    elif is_bass and rng.random() < 0.6:
        able = [program for program in able if program in BASSES] or able
    return rng.choice(able or [0])


def pattern(beats: float, rng: random.Random) -> Track:
    """Drums that strike in two bars by turns, all of it drawn: which, where, how hard."""
    keys = [rng.choice(among) for among, share in DRUMS if rng.random() < share]
    step, length = rng.choice(STEPS), rng.choice((3, 4, 4))
    places = range(round(length / step))
    notes = []
    for key in keys or [38]:
        density, level = rng.uniform(0.12, 0.7), rng.uniform(55, 105)
        bars = [[place for place in places if rng.random() < density] or [rng.choice(places)]
                for _ in range(2)]  # fmt: skip
        accents = [rng.uniform(-25, 10) for _ in places]
        for bar in range(int(beats // length) + 1):
            for place in bars[bar % 2]:
                at = max(bar * length + place * step + rng.gauss(0, 0.01), 0.0)
                velocity = round(min(max(level + accents[place] + rng.gauss(0, 5), 15), 120))
                notes += [Note(at, 0.2, key, velocity)] * (at < beats - 0.5)
    return Track("drums", rng.choice(KITS), tuple(sorted(notes)), is_drums=True)
