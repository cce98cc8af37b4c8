"""Weights of `notes/learning/timbre.py`: instrument_weights.py MIDI_FOLDER SOUNDFONT...

MIDI_FOLDER: any songs of several parts, such as the MIDI files of `thirdstream benchmark` (its
training pieces). Stretches of them are played by instruments that are drawn anew, by each of the
soundfonts and by the bundled orchestra, in a room. Every fifth song is kept for the score that is
printed. Writes notes/learning/instruments.json.
"""

import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from thirdstream.audio import SR
from thirdstream.notes.io.midi import read_midi
from thirdstream.notes.learning.timbre import INSIDE, WEIGHTS, described, spread
from thirdstream.notes.rendering import ORCHESTRA, draw_scene, play
from thirdstream.notes.rendering.recording import in_room
from thirdstream.notes.styles import instrument
from thirdstream.notes.types import Note, Song, Track

PROGRAMS = (0, 4, 6, 11, 19, 24, 26, 32, 40, 41, 42, 43, 46, 48, 56, 57, 58, 59, 60, 61, 65, 66,
            68, 69, 70, 71, 72, 73)  # fmt: skip
LENGTH_S = 20.0
N_HIDDEN = 64


def suitable(notes: tuple[Note, ...], rng: random.Random) -> int:
    """A program in whose range the notes lie."""
    able = []
    for program in PROGRAMS:
        one = instrument(program)
        inside = np.mean([one.lowest <= note.pitch <= one.highest for note in notes])
        able += [program] * bool(inside >= INSIDE)
    return rng.choice(able or [0])


def excerpt(song: Song, rng: random.Random) -> Song:
    """LENGTH_S of a song, by other instruments, each part as loud as it may be."""
    beats = LENGTH_S * song.beats_per_minute / 60
    end = max(note.end for track in song.tracks for note in track.notes)
    first = rng.uniform(0, max(end - beats, 0))
    tracks = []
    for track in song.tracks:
        louder = rng.randint(-18, 18)
        notes = tuple(
            replace(
                note, start=note.start - first, velocity=min(max(note.velocity + louder, 20), 120)
            )
            for note in track.notes
            if first <= note.start < first + beats - 1
        )
        if len(notes) >= 8:
            program = 0 if track.is_drums else suitable(notes, rng)
            tracks.append(Track(track.name, program, notes, track.is_drums, rng.randint(30, 98)))
    return replace(song, tracks=tuple(tracks))


def rows_of(song: Song, font: Path, seed: str) -> tuple[np.ndarray, np.ndarray]:
    """Descriptions of notes, and who plays them."""
    dry = play(song, font, round((LENGTH_S + 1) * SR))
    style = "jazz" if any(track.is_drums for track in song.tracks) else "classical"
    wet = in_room([dry], draw_scene(style, seed=seed), n_channels=1)
    wave = np.concatenate(list(wet), axis=1)[0]
    wave *= 0.1 / max(float(np.sqrt(np.square(wave).mean())), 1e-6)
    beat_s, rows, names = 60 / song.beats_per_minute, [], []
    for track in song.tracks:
        if track.is_drums:
            continue
        spans = [(n.start * beat_s, n.end * beat_s, n.pitch) for n in track.notes]
        found = described(wave, spread(spans))
        rows.append(found)
        names += [track.program] * len(found)
    return np.concatenate(rows), np.array(names)


def main(folder: str, *fonts: str) -> None:
    rng = random.Random(0)
    training, test = [], []
    files = sorted(Path(folder).rglob("*.mid"))
    for number, path in enumerate(tqdm(files, unit="song")):
        song = read_midi(path)
        for font in (ORCHESTRA, *map(Path, fonts)):
            drawn = excerpt(song, rng)
            if any(not track.is_drums for track in drawn.tracks):
                rows = rows_of(drawn, font, f"{path.stem} {font.stem}")
                (test if number % 5 == 0 else training).append(rows)
    rows, names = (np.concatenate(part) for part in zip(*training, strict=True))
    scaler = StandardScaler().fit(rows)
    network = MLPClassifier((N_HIDDEN,), alpha=1e-2, early_stopping=True, random_state=0)
    network.fit(scaler.transform(rows), names)
    score_test(network, scaler, test)
    (hidden, out), (bias, out_bias) = network.coefs_, network.intercepts_
    arrays = {
        "programs": network.classes_, "mean": scaler.mean_, "deviation": scaler.scale_,
        "hidden": hidden, "bias": bias, "out": out, "out_bias": out_bias,
    }  # fmt: skip
    content = {name: np.round(values, 3).tolist() for name, values in arrays.items()}
    WEIGHTS.write_text(json.dumps(content) + "\n", encoding="utf-8")


def score_test(network: MLPClassifier, scaler: StandardScaler, test: list) -> None:
    """Print how often the vote of a part's notes is right: the program, and its family."""
    right = []
    for rows, names in test:
        for program in np.unique(names):
            votes = network.predict_log_proba(scaler.transform(rows[names == program])).sum(axis=0)
            found = network.classes_[votes.argmax()]
            right.append((found == program, found // 8 == program // 8))
    share, family = np.mean(right, axis=0)
    print(f"{len(right)} parts: program right {share:.2f}, family {family:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
