"""What `score` makes of a piece in 5/4, of one in 6/8, and of one without a beat.

    python benchmarks/metres.py

The pieces are drawn here (seed 0) and played with the bundled soundfont. Each with a metre is heard
twice: as it is, and with its metre told (`--metre`).
"""

import random
from collections.abc import Iterator

import numpy as np
import tyro

import thirdstream
from tables import show
from thirdstream.audio import SR, Wave
from thirdstream.evaluation.metrics import Notes, chroma_cosine, melody_recall
from thirdstream.evaluation.transcriber import BasicPitch
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.transcription.known import Known
from thirdstream.notes.transcription.note_events import notes_of
from thirdstream.notes.transcription.transcribe import Transcription, transcribe
from thirdstream.notes.types import Note, Song, Track

FLUTE, CLARINET, PIANO, BASS, STRINGS = 73, 71, 0, 32, 48


def in_five(rng: random.Random, *, n_bars: int = 14) -> Song:
    """Chords on 1, 2 1/2, 4 and 5; bass on 1 and 4; a flute in halves and quarters."""
    tune, chords, bass = [], [], []
    for start, root in ((5.0 * k, (52, 45, 52, 47)[k % 4]) for k in range(n_bars)):
        for at, length in ((0.0, 1.4), (1.5, 1.4), (3.0, 0.9), (4.0, 0.9)):
            chords += [Note(start + at, length, root + up, 70) for up in (12, 15, 19)]
        bass += [Note(start, 2.8, root - 12, 85), Note(start + 3, 1.9, root - 5, 80)]
        at = 0.0
        while at < 5:
            length = min(rng.choice((0.5, 1.0, 1.0, 1.5)), 5 - at)
            pitch = root + 24 + rng.choice((0, 3, 5, 7, 10, 12))
            tune.append(Note(start + at, 0.95 * length, pitch, 92))
            at += length
    tracks = ("flute", FLUTE, tune), ("piano", PIANO, chords), ("bass", BASS, bass)
    return Song(
        tuple(Track(name, by, tuple(notes)) for name, by, notes in tracks),
        150.0,
        Metres.steady(metre(5, 4)),
    )


def in_six(rng: random.Random, *, n_bars: int = 18) -> Song:
    """Chords on eighths 1, 3, 4 and 6 of six; bass on 1 and 4; a flute in one to three eighths."""
    tune, chords, bass = [], [], []
    for start, root in ((3.0 * k, (52, 45, 52, 47)[k % 4]) for k in range(n_bars)):
        for at, length in ((0.0, 0.9), (1.0, 0.45), (1.5, 0.9), (2.5, 0.45)):
            chords += [Note(start + at, length, root + up, 70) for up in (12, 15, 19)]
        bass += [Note(start, 1.4, root - 12, 85), Note(start + 1.5, 1.4, root - 5, 80)]
        for half in (0.0, 1.5):
            at = 0.0
            while at < 1.5:
                length = min(rng.choice((0.5, 0.5, 1.0, 1.5)), 1.5 - at)
                pitch = root + 24 + rng.choice((0, 3, 5, 7, 10, 12))
                tune.append(Note(start + half + at, 0.95 * length, pitch, 92))
                at += length
    tracks = ("flute", FLUTE, tune), ("piano", PIANO, chords), ("bass", BASS, bass)
    return Song(
        tuple(Track(name, by, tuple(notes)) for name, by, notes in tracks),
        120.0,
        Metres.steady(metre(6, 8)),
    )


def without_beat(rng: random.Random, *, n_notes: int = 30) -> Song:
    """Clarinet notes of 0.6 to 3.5 s, some over a chord of strings that comes a little late."""
    tune, chords, at = [], [], 0.0
    for _ in range(n_notes):
        length, pitch = rng.uniform(0.6, 3.5), rng.choice((60, 62, 63, 65, 67, 70, 72, 74))
        tune.append(Note(at, 0.95 * length, pitch, rng.randint(60, 90)))
        if rng.random() < 0.5:
            late = rng.uniform(0, 0.4)
            chords += [Note(at + late, 1.5 * length, pitch - by, 60) for by in (12, 17, 24)]
        at += length
    tracks = Track("clarinet", CLARINET, tuple(tune)), Track("strings", STRINGS, tuple(chords))
    return Song(tracks, 60.0)


PIECES = (("5/4", in_five), ("6/8", in_six), ("no beat", without_beat))


def wave_of(song: Song) -> Wave:
    """(n_samples,) at 44,100 Hz, of -20 dB RMS."""
    end = max(note.end for track in song.tracks for note in track.notes)
    n_samples = round((end * 60 / song.beats_per_minute + 1) * SR)
    wave = play(song, ORCHESTRA, n_samples).mean(axis=0)
    return wave * np.float32(0.1 / np.sqrt(np.square(wave).mean()))


def rows() -> Iterator[list[str]]:
    for name, draw in PIECES:
        song = draw(random.Random(0))
        wave = wave_of(song)
        for told in (None,) if name == "no beat" else (None, name):
            heard = transcribe([wave[None]], known=Known(metre=told))
            yield from measured(song, wave, name, heard=heard, told=told)


def measured(
    song: Song, wave: Wave, name: str, *, heard: Transcription, told: str | None
) -> Iterator[list[str]]:
    """A row for each direction: how a piece was heard, and what its cover keeps."""
    score, transcriber = thirdstream.load("score"), BasicPitch()
    tempo = 60 / np.median(np.diff(heard.timing.beats_s))
    sign = heard.score.metres.changes[0][1].name
    right = "-" if name == "no beat" else "yes" if sign == name else "no"
    beat_s = 60 / song.beats_per_minute
    spans = [(note.start * beat_s, note.end * beat_s) for note in song.tracks[0].notes]
    tune = Notes(np.array(spans), np.array([float(n.pitch) for n in song.tracks[0].notes]))
    for source, to in (("jazz", "classical"), ("classical", "jazz")):
        made = score.transfer(wave, SR, to=to, source=source, metre=told)
        found = notes_of(transcriber.predict(made, SR))
        recall = melody_recall(melody=tune, estimate=Notes(found.intervals, found.pitches))
        chroma = chroma_cosine(reference=wave, estimate=made, sr=SR)
        yield [name, told or "nothing", f"{sign}, {tempo:.0f} beats a minute", right, to,
               f"{recall:.2f}", f"{chroma:.2f}"]  # fmt: skip


def main() -> None:
    headings = ["piece", "told", "heard as", "metre right", "to", "melody recall", "chroma cosine"]
    show("Metres that are not four or three", headings, list(rows()))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
