"""What the transcriber learns from: python recipes/transcriber_data.py PAIRS OUT [SOUNDFONT ...]

PAIRS: folder of `recipes/versions.py`. Of each of its recordings, OUT/NAME.STYLE.spectra.npy, the
columns (n_columns, 3 * N_BINS), and OUT/NAME.STYLE.labels.npy, what is played in each half column
(2 * n_columns, 88) as bits; and the same of a scrambled one: each track by an instrument drawn from
all of General MIDI, some in other octaves, through one of the soundfonts.
"""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import soxr
import tyro
from tqdm import tqdm

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.io.midi import read_midi
from thirdstream.notes.rendering import TAIL_S, draw_scene
from thirdstream.notes.rendering.room import in_room
from thirdstream.notes.rendering.synthesiser import stream
from thirdstream.notes.transcription.spectra import COLUMN, HOP, REACH, SR, columns
from thirdstream.notes.transcription.transcriber import LOWEST
from thirdstream.notes.types import Note, Song, Track

SOUNDS, BEGINS, BESIDE, LEADS = 1, 2, 4, 8  # bits of a label; BESIDE: a frame next to a beginning
HIGHEST = LOWEST + 87  # of the 88 pitches
PROGRAMS = [p for p in range(96) if p not in (55,)] + list(range(104, 112))  # no hits, no effects


def spectra(wave: Wave) -> np.ndarray:
    """A mono wave at 44,100 Hz -> (n_columns, 3 * N_BINS) float16."""
    low = soxr.resample(wave, audio.SR, SR, quality="HQ").astype(np.float32)
    n_columns = 1 + len(low) // COLUMN
    padded = np.pad(low, (REACH, REACH + COLUMN))
    return columns(padded, n_columns).reshape(-1, n_columns).T.astype(np.float16)


def labels(song: Song, n_columns: int, leads: list[Note]) -> np.ndarray:
    """(2 * n_columns, 88) uint8."""
    frame = 60 / song.beats_per_minute * SR / HOP  # frames a quarter note
    found = np.zeros((2 * n_columns + 4, 88), np.uint8)

    def mark(note: Note, bit: int) -> int:
        first = round(note.start * frame)
        last = max(round(note.end * frame), first + 2)
        if LOWEST <= note.pitch <= HIGHEST:
            found[first:last, note.pitch - LOWEST] |= bit
        return first

    for track in song.tracks:
        for note in () if track.is_drums else track.notes:
            first, key = mark(note, SOUNDS), note.pitch - LOWEST
            if 0 <= key < 88:
                found[first : first + 1, key] |= BEGINS
                found[max(first - 1, 0) : first + 2, key] |= BESIDE
    for note in leads:
        mark(note, LEADS)
    return found[: 2 * n_columns]


def leading(track: tuple[Note, ...], melody: list[Any]) -> list[Note]:
    """Of the first track, the highest notes that begin where the melody has their pitch class."""
    found: dict[float, Note] = {}
    for note in track:
        near = (m for m in melody if abs(m[0] - note.start) < 0.3)
        if any(m[2] % 12 == note.pitch % 12 for m in near):
            key = round(note.start, 2)
            if key not in found or found[key].pitch < note.pitch:
                found[key] = note
    return list(found.values())


def scrambled(song: Song, rng: random.Random) -> Song:
    """Other instruments, loudnesses and octaves; without its drums half of the time."""
    tracks = []
    for track in song.tracks:
        if track.is_drums:
            tracks += [track] if rng.random() < 0.5 else []
            continue
        moved = 12 * rng.choice((-1, 0, 0, 0, 1))
        loud = rng.uniform(0.6, 1.3)
        notes = tuple(
            replace(n, pitch=n.pitch + moved, velocity=int(np.clip(n.velocity * loud, 20, 127)))
            for n in track.notes
            if LOWEST <= n.pitch + moved <= HIGHEST
        )
        tracks.append(Track(track.name, rng.choice(PROGRAMS), notes, pan=track.pan))
    return replace(song, tracks=tuple(tracks))


def make(pairs: Path, out: Path, name: str, style: str, fonts: list[Path]) -> None:
    done = out / f"{name}.{style}.scrambled.labels.npy"
    if done.is_file():
        return
    record = json.loads((pairs / "records" / f"{name}.json").read_text())
    song = read_midi(pairs / style / f"{name}.mid")
    song = replace(song, beats_per_minute=record["beats_per_minute"])
    path = pairs / style / f"{name}.{record['format']}"
    wave = np.concatenate(list(audio.blocks(path)), axis=1).mean(axis=0)
    seen = spectra(wave)
    np.save(out / f"{name}.{style}.spectra.npy", seen)
    lead = leading(song.tracks[0].notes, record["melody"])
    np.save(out / f"{name}.{style}.labels.npy", labels(song, len(seen), lead))

    rng = random.Random(f"{name} {style}")
    other = scrambled(song, rng)
    n_samples = round((record["n_bars"] * record["bar_s"] + TAIL_S) * audio.SR)
    dry = stream(other, rng.choice(fonts), n_samples)
    wet = in_room(dry, draw_scene(style, seed=f"scrambled {name}"), n_channels=1)
    wave = np.concatenate(list(wet), axis=1)[0, :n_samples]
    level = audio.level_of([wave[None]])
    seen = spectra(wave * np.float32(level.gain))
    np.save(out / f"{name}.{style}.scrambled.spectra.npy", seen)
    np.save(done, labels(other, len(seen), []))


def main(pairs: str, out: str, *fonts: str) -> None:
    Path(out).mkdir(parents=True, exist_ok=True)
    found = (path.stem for path in (Path(pairs) / "records").glob("*.json"))
    names = sorted(found, key=lambda name: name.split(".")[::-1])  # first variants first
    tasks = [joblib.delayed(make)(Path(pairs), Path(out), name, style, [Path(f) for f in fonts])
             for name in names for style in STYLES]  # fmt: skip
    for _ in tqdm(
        joblib.Parallel(n_jobs=-1, return_as="generator")(tasks), total=len(tasks), unit="recording"
    ):
        pass


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
