"""Recordings of the benchmark's jazz as real ones are.

    python recipes/combos.py PAIRS OUT [SECONDS [CHORUSES]]

PAIRS: a folder of `thirdstream benchmark`, such as its `validation`. Of each of its pairs in four,
OUT/jazz/NAME.flac, what jazz plays, again: 200 to 240 beats a minute, louder drums, a solo of
chord and passing notes over the changes, often in place of the melody, and some 10 cents off;
players that are not quite together; then a small room, compression, a band of frequencies, noise
and another tuning, up to 30 cents. So many CHORUSES (1) follow one another, of SECONDS (60) at
most. OUT/plain has the same at that tempo without the soloist, in the benchmark's rooms. Both
have `records`, with `beats_per_minute` and `bar_s` of the recordings.
"""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import soundfile
import soxr
import tyro
from scipy.signal import butter, lfilter, sosfilt

from pair_features import records_of, score_of  # a script beside this one
from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.notes.arranging.harmony import changes, scale_of
from thirdstream.notes.io.midi import read_midi
from thirdstream.notes.rendering import ORCHESTRA, draw_scene
from thirdstream.notes.rendering.room import Room, Scene, in_room
from thirdstream.notes.rendering.synthesiser import play
from thirdstream.notes.types import Note, Score, Song, Track

TEMPI = (200.0, 240.0)
SOLOISTS = (56, 57, 65, 66, 67, 71, 26, 53, 11)  # trumpet to saxophones, guitar, voice, vibraphone
LOUDER = (1.15, 1.5)  # drums
LATE_S = 0.012  # standard deviation of the players' asynchrony
SOLO = (0.5, 1.6)  # its level over the band's, as amplitudes
OFF_CENTS = 12.0  # of the soloist's intonation, standard deviation over solos
TUNING_CENTS = 30.0
ROOM = (Room(0.3, 0.15, 0.004, 3000.0), Room(1.1, 0.6, 0.015, 7000.0))
FRONT, REST = 0.6, 0.12  # share of solos in place of the melody; of beats in which a solo rests


def solo(score: Score, rng: random.Random) -> list[Note]:
    """A line of swung eighths: chord notes on most beats, steps of the scale and semitones between,
    now and then a rest or a long note."""
    found, at, way = list[Note](), rng.randint(62, 74), rng.choice((-1, 1))
    for chord in (one.chord for one in changes(score)):
        scale = scale_of(chord)
        for beat in np.arange(np.ceil(chord.start), chord.end):
            if rng.random() < REST:
                continue
            long = rng.random() < 0.2
            tones = chord.pitch_classes if rng.random() < 0.7 else scale
            at = min(range(55, 87), key=lambda p: (p % 12 not in tones, abs(p - at - 2 * way)))
            if rng.random() < 0.25 or not 58 < at < 83:
                way = -1 if at > 70 else 1
            found.append(Note(float(beat), 0.9 if long else 0.55, at, rng.randint(75, 110)))
            if not long:
                step = rng.choice((1, 1, 2)) * way
                found.append(Note(float(beat) + 0.62, 0.3, at + step, rng.randint(65, 105)))
    return found


def combo(song: Song, score: Score, rng: random.Random) -> tuple[Song, Song]:
    """The band, and the soloist, who is tuned otherwise."""
    beats_per_minute = rng.uniform(*TEMPI)
    beat_s, tracks = 60 / beats_per_minute, list(song.tracks)
    if rng.random() < FRONT:
        tracks = tracks[1:] if len(tracks) > 2 else tracks
    loud = rng.uniform(*LOUDER)

    def played(track: Track) -> Track:
        late = rng.gauss(0, LATE_S / 2)
        gain = loud if track.is_drums else rng.uniform(0.6, 1.15)
        notes = (
            replace(
                n,
                start=max(n.start + (late + rng.gauss(0, LATE_S / 2)) / beat_s, 0.0),
                velocity=int(np.clip(n.velocity * gain, 1, 127)),
            )
            for n in track.notes
        )
        return replace(track, notes=tuple(sorted(notes)))

    band = replace(song, tracks=tuple(map(played, tracks)), beats_per_minute=beats_per_minute)
    line = Track("solo", rng.choice(SOLOISTS), tuple(solo(score, rng)))
    alone = replace(
        band, tracks=(played(line),), tuning=song.tuning + rng.gauss(0, OFF_CENTS) / 100
    )
    return band, alone


def compressed(wave: Wave, ratio: float) -> Wave:
    """Its level over 30 ms, above its mean, divided by the ratio in dB."""
    decay = np.exp(-1 / (0.03 * SR))
    level = np.sqrt(lfilter([1 - decay], [1, -decay], np.square(wave))) + 1e-5
    over = np.maximum(level / np.sqrt(np.square(wave).mean()), 1.0)
    return (wave * over ** (1 / ratio - 1)).astype(np.float32)


def recorded(dry: Wave, rng: random.Random) -> tuple[Wave, float]:
    """A dry sound (2, n_samples) as it was recorded, (n,), and how many times as fast it runs."""
    low, high = ROOM
    room = Room(
        *(rng.uniform(*pair) for pair in zip(vars(low).values(), vars(high).values(), strict=True))
    )
    colour = tuple(rng.uniform(-6, 6) for _ in range(7))
    scene = Scene(room, colour, rng.getrandbits(32))
    wave = np.concatenate(list(in_room([dry], scene, n_channels=1)), axis=1)[0]
    wave = compressed(wave, rng.uniform(1.0, 4.0))
    band = butter(2, (rng.uniform(40, 130), rng.uniform(4000, 12000)), "band", fs=SR, output="sos")
    wave = sosfilt(band, wave)
    noise = np.random.default_rng(rng.getrandbits(32))
    size = float(np.sqrt(np.square(wave).mean()))
    hiss = noise.standard_normal(len(wave)) * size * 10 ** (rng.uniform(-45, -18) / 20)
    clicks = (noise.random(len(wave)) < rng.choice((0, 0, 8)) / SR) * noise.standard_normal(
        len(wave)
    )
    hum = np.sin(2 * np.pi * rng.choice((33, 50, 60)) * np.arange(len(wave)) / SR)
    wave = wave + hiss + 4 * size * clicks + hum * size * rng.choice((0, 0, 0.1))
    rate = 2 ** (rng.uniform(-TUNING_CENTS, TUNING_CENTS) / 1200)
    return soxr.resample(wave, SR * rate, SR).astype(np.float32), rate


def repeated(record: dict[str, Any], song: Song, n: int) -> tuple[dict[str, Any], Song]:
    """So many times over."""
    beats = record["n_bars"] * record["beats_per_bar"]

    def again(rows: list[list[Any]]) -> list[list[Any]]:
        kept = [row for row in rows if row[0] < beats]
        return [[row[0] + k * beats, *row[1:]] for k in range(n) for row in kept]

    tracks = tuple(
        replace(
            track,
            notes=tuple(
                replace(note, start=note.start + k * beats)
                for k in range(n)
                for note in track.notes
                if note.start < beats
            ),
        )
        for track in song.tracks
    )
    more = {"melody": again(record["melody"]), "chords": again(record["chords"])}
    return record | more | {"n_bars": n * record["n_bars"]}, replace(song, tracks=tracks)


def make(pairs: Path, out: Path, name: str, seconds: float, choruses: int) -> None:
    if (out / "records" / f"{name}.json").is_file():
        return
    record = json.loads((pairs / "records" / f"{name}.json").read_text())
    record, song = repeated(record, read_midi(pairs / "jazz" / f"{name}.mid"), choruses)
    rng, score = random.Random(f"combo {name}"), score_of(record)
    band, alone = combo(song, score, rng)
    beat_s = 60 / band.beats_per_minute
    n_samples = round((min(record["n_bars"] * record["beats_per_bar"] * beat_s, seconds) + 1) * SR)
    dry = play(band, ORCHESTRA, n_samples)
    line = play(alone, ORCHESTRA, n_samples)
    sizes = [float(np.sqrt(np.square(one).mean())) for one in (dry, line)]
    wet = np.concatenate(list(in_room([dry], draw_scene("jazz", seed=name), n_channels=1)), axis=1)
    wave, rate = recorded(dry + line * np.float32(rng.uniform(*SOLO) * sizes[0] / sizes[1]), rng)
    for path, one, speed in ((out / "plain", wet[0], 1.0), (out, wave, rate)):
        tempo = band.beats_per_minute * speed
        made = record | {"beats_per_minute": tempo, "bar_s": record["beats_per_bar"] * 60 / tempo,
                         "format": "flac"}  # fmt: skip
        level = audio.level_of([one[None]])
        soundfile.write(path / "jazz" / f"{name}.flac", np.clip(one * level.gain, -0.99, 0.99), SR)
        (path / "records" / f"{name}.json").write_text(json.dumps(made))


def main(pairs: str, out: str, seconds: str = "60", choruses: str = "1") -> None:
    for folder in ("jazz", "records", "plain/jazz", "plain/records"):
        (Path(out) / folder).mkdir(parents=True, exist_ok=True)
    records = records_of(Path(pairs))
    names = [name for name, record in records.items() if record["beats_per_bar"] == 4]
    task = joblib.delayed(make)
    joblib.Parallel(n_jobs=1, verbose=1)(
        task(Path(pairs), Path(out), name, float(seconds), int(choruses)) for name in names
    )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
