"""The demo's clips: the tunes of tunes.py, arranged and played by thirdstream itself.

python recipes/clips.py OUT     -> OUT/STYLE_TITLE.ogg: 12 s each, mono, at -20 dB
"""

import dataclasses
from pathlib import Path

import numpy as np
import tyro
from music21 import harmony, note

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.notes.arranging import Setting, arrange
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.rendering import ORCHESTRA, draw_scene, render
from thirdstream.notes.types import Chord, Note, Score, Track
from tunes import CLIPS, Tune

CLIP_S = 12.0
AGAIN = 0.75  # of a note's length sounds where the same is struck again
SOFTER = 15  # velocities
FADE_IN_S, FADE_OUT_S = 0.01, 0.5
BEFORE_S = 0.1  # a pickup's first note: what begins slowly begins earlier
ENSEMBLE, GROOVE = "string quartet", "swing"  # of the style that is not asked for


def score_of(tune: Tune, title: str) -> Score:
    """Melody and chords over the bar lines of the tune's metre."""
    bars = metre(*tune.metre)
    first = bars.length if tune.pickup else 0.0  # the first bar line with a chord
    melody, at = [], first - tune.pickup
    for name, beats in _words(tune.melody):
        if name != "r":
            melody.append(Note(at, beats, note.Note(name).pitch.midi))
        at += beats
    chords, at = [], first
    for name, beats in _words(tune.chords):
        chords.append(_chord(at, beats, harmony.ChordSymbol(name)))
        at += beats
    return Score(
        title, separated(melody), tuple(chords), Metres.steady(bars), tune.pickup,
        tune.beats_per_minute, length=at,
    )  # fmt: skip


def _words(line: str) -> list[tuple[str, float]]:
    pairs = (word.split(":") for word in line.split())
    return [(name, float(beats)) for name, beats in pairs]


def _chord(start: float, length: float, symbol: harmony.ChordSymbol) -> Chord:
    root = symbol.root().pitchClass
    intervals = sorted({(pitch.pitchClass - root) % 12 for pitch in symbol.pitches})
    return Chord(start, length, root, tuple(intervals), symbol.bass().pitchClass)


def played(tune: Tune, title: str) -> Wave:
    """A tune's clip: (n_samples,), -20 dB RMS. It begins with the melody's first bar or pickup."""
    score, seed = score_of(tune, title), str(tune.seed)
    names = {"classical": ENSEMBLE, "jazz": GROOVE, tune.style: tune.played_by}
    setting = Setting(seed, 0, tune.beats_per_minute, names["classical"], names["jazz"])
    arrangement = arrange(score, tune.style, setting)
    if tune.doubled_by:
        tracks = (*arrangement.song.tracks, doubled(arrangement.song.tracks, tune.doubled_by))
        song = dataclasses.replace(arrangement.song, tracks=tracks)
        arrangement = dataclasses.replace(arrangement, song=song)
    wave = render(arrangement, ORCHESTRA, draw_scene(tune.style, seed=seed))
    start = round(silence_s(score) * SR)
    wave = wave[start : start + round(CLIP_S * SR)].copy()
    for side, length_s in ((wave, FADE_IN_S), (wave[::-1], FADE_OUT_S)):
        n_fade = round(length_s * SR)
        side[:n_fade] *= np.linspace(0, 1, n_fade, dtype=np.float32)
    return wave * audio.level_of([wave[None]]).gain


def silence_s(score: Score) -> float:
    """What of a score's first bar is left out, before its pickup."""
    if not score.pickup or score.beats_per_minute is None:
        return 0.0
    return (score.beats_per_bar - score.pickup) * 60 / score.beats_per_minute - BEFORE_S


def separated(melody: list[Note]) -> tuple[Note, ...]:
    """A melody as it is played: a note ends earlier where it is struck again."""
    following = [*(later.pitch for later in melody[1:]), None]
    return tuple(
        dataclasses.replace(one, length=one.length * AGAIN) if one.pitch == after else one
        for one, after in zip(melody, following, strict=True)
    )


def doubled(tracks: tuple[Track, ...], program: int) -> Track:
    """What a plucked instrument plays along with the first track and the last, softer."""
    notes = [
        dataclasses.replace(one, velocity=max(one.velocity - SOFTER, 1))
        for part in (tracks[0], tracks[-1])
        for one in part.notes
    ]
    return Track("doubling", program, tuple(sorted(notes)))


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, tune in CLIPS.items():
        path = out / f"{name}.ogg"
        loud = audio.limited([played(tune, name)[None]], ceiling=audio.ceiling_of(path))
        audio.write(path, loud, sr=SR, n_channels=1)
        print(path)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
