"""Recordings for the bundled models, rendered from scores in the public domain.

    pip install 'thirdstream[scores]'        and, from Debian: fluidsynth, fluid-soundfont-gm,
                                             musescore-general-soundfont-small
    python recipes/rendered_corpus.py SHEETS OUT      lead sheets (.mxl) -> OUT/STYLE/*.flac

Each lead sheet is arranged in one style only, so that no piece is in two splits of the corpus. The
bundled model was trained on OpenEWLD (Simonetta 2018), melodies first performed by 1930. Both
soundfonts, FluidR3 and MuseScore General, are under the MIT licence.
"""

import random
import re
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import mido
import numpy as np
import tyro
from music21 import chord, converter, harmony, note

from thirdstream import audio
from thirdstream.notes.arranging.lines import nearest

SOUNDFONTS = [
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
]
MAX_S = 60.0  # of each piece
SEED = 0
DRUMS = 9  # MIDI's percussion channel
RIDE, PEDAL_HAT, SNARE, KICK = 51, 44, 38, 36


@dataclass(frozen=True)
class Tone:
    """A note: start and length in beats, MIDI pitch."""

    start: float
    length: float
    pitch: int


@dataclass(frozen=True)
class Harmony:
    """A chord from `start` on: pitch classes from the root up, and the bass's."""

    start: float
    pitches: tuple[int, ...]
    bass: int


@dataclass(frozen=True)
class Sheet:
    """A lead sheet: melody and chords."""

    melody: list[Tone]
    chords: list[Harmony]

    @property
    def n_beats(self) -> float:
        return max(tone.start + tone.length for tone in self.melody)

    def chord_at(self, beat: float) -> Harmony:
        return ([self.chords[0]] + [c for c in self.chords if c.start <= beat + 1e-6])[-1]


@dataclass(frozen=True)
class Event:
    """A sounding note: start and length in beats."""

    start: float
    length: float
    pitch: int
    velocity: int
    channel: int


@dataclass(frozen=True)
class Arrangement:
    """Events, the General MIDI program of each channel, and the tempo."""

    events: list[Event]
    programs: dict[int, int]
    beats_per_minute: float


def read_sheet(path: Path) -> Sheet:
    """Melody and chords of a MusicXML lead sheet."""
    melody, chords = [], []
    for element in converter.parse(path).flatten().notes:
        if isinstance(element, harmony.ChordSymbol):
            if element.pitches and element.root():
                chords.append(_harmony(float(element.offset), element))
        elif element.quarterLength > 0:
            top = element.notes[-1] if isinstance(element, chord.Chord) else element
            assert isinstance(top, note.Note)
            melody.append(Tone(float(element.offset), float(element.quarterLength), top.pitch.midi))
    if len(melody) < 16 or len(chords) < 4:
        raise ValueError(f"{path}: has {len(melody)} notes and {len(chords)} chords")
    return Sheet(melody, chords)


def _harmony(start: float, symbol: harmony.ChordSymbol) -> Harmony:
    root = symbol.root().pitchClass
    classes = sorted({p.pitchClass for p in symbol.pitches}, key=lambda c: (c - root) % 12)
    return Harmony(start, tuple(classes), (symbol.bass() or symbol.root()).pitchClass)


def classical(sheet: Sheet, rng: random.Random) -> Arrangement:
    """Melody, two inner voices that move as little as they can, and a bass; straight rhythm."""
    ensembles = [[40, 40, 41, 42], [40, 40, 41, 42], [48, 48, 48, 48], [73, 68, 71, 70], [0] * 4]
    programs = dict(enumerate(rng.choice(ensembles)))
    events = []
    for tone in sheet.melody:
        swell = int(8 * min(1.0, tone.length / 2))
        events.append(
            Event(tone.start, tone.length * 0.98, tone.pitch, 70 + swell + rng.randint(0, 8), 0)
        )
    voices = [66.0, 59.0]
    broken = rng.random() < 0.5  # broken chords below the melody, or held ones
    beat = 0.0
    while beat < sheet.n_beats:
        now = sheet.chord_at(beat)
        for number in range(2):
            target = nearest(now.pitches[(number + 1) % len(now.pitches)], voices[number])
            voices[number] = 0.7 * target + 0.3 * (66 - 7 * number)  # drawn back to its range
            offset = 0.5 * number if broken else 0.0
            for part in range(2 if broken else 1):
                length = 0.9 if broken else 1.95
                events.append(
                    Event(beat + offset + part, length, target, rng.randint(50, 60), number + 1)
                )
        events.append(Event(beat, 1.9, nearest(now.bass, 43), rng.randint(56, 66), 3))
        beat += 2.0
    return Arrangement(events, programs, rng.uniform(76, 120))


def jazz(sheet: Sheet, rng: random.Random) -> Arrangement:
    """Swung melody, walking bass that leads into the next root, comping, ride and hi-hat."""
    lead = rng.choice([66, 66, 65, 64, 56, 59, 11])
    programs = {0: lead, 1: 32, 2: rng.choice([0, 0, 26]), DRUMS: rng.choice([0, 40])}
    events = []
    for tone in sheet.melody:
        start, end = swung(tone.start), swung(tone.start + tone.length)
        pitch = tone.pitch - 12 if lead in (64, 65, 66) and tone.pitch > 74 else tone.pitch
        late = rng.uniform(0.0, 0.05)
        events.append(Event(start + late, (end - start) * 0.92, pitch, rng.randint(85, 112), 0))
    for beat in range(int(sheet.n_beats)):
        now, after = sheet.chord_at(beat), sheet.chord_at(beat + 1)
        if now.start > beat - 1 or beat % 2 == 0:
            step = now.bass
        else:
            step = (
                rng.choice([after.bass + 1, after.bass - 1, now.pitches[len(now.pitches) // 2]])
                % 12
            )
        events.append(Event(beat, 0.9, nearest(step, 38), rng.randint(88, 104), 1))
        events += _drums(beat, rng)
        if rng.random() < 0.5:
            start, length = beat + rng.choice([0, 2 / 3]), rng.choice([0.3, 0.8])
            colours = (*now.pitches[1:4], (now.pitches[0] + 2) % 12)  # third, fifth, seventh, ninth
            for number, pitch_class in enumerate(colours):
                pitch = nearest(pitch_class, 58 + 3 * number)
                events.append(Event(start, length, pitch, rng.randint(50, 75), 2))
    return Arrangement(events, programs, rng.uniform(120, 190))


def _drums(beat: int, rng: random.Random) -> list[Event]:
    strokes = [Event(beat, 0.2, RIDE, rng.randint(70, 90), DRUMS)]
    if beat % 2 == 1:
        strokes.append(Event(beat, 0.2, PEDAL_HAT, 90, DRUMS))
        strokes.append(Event(beat + 2 / 3, 0.2, RIDE, 60, DRUMS))
    if rng.random() < 0.25:
        strokes.append(Event(beat + 2 / 3, 0.2, SNARE, rng.randint(30, 60), DRUMS))
    if beat % 4 == 0:
        strokes.append(Event(beat, 0.2, KICK, rng.randint(40, 60), DRUMS))
    return strokes


def swung(beat: float) -> float:
    """The second half of each beat comes at its last third."""
    whole, part = divmod(beat, 1.0)
    return whole + (part * 4 / 3 if part <= 0.5 else 2 / 3 + (part - 0.5) * 2 / 3)


Arranger = Callable[[Sheet, random.Random], Arrangement]
ARRANGERS: dict[str, Arranger] = {"classical": classical, "jazz": jazz}


def write_midi(arrangement: Arrangement, path: Path) -> None:
    """Events into a MIDI file with one track."""
    file = mido.MidiFile(ticks_per_beat=480)
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(arrangement.beats_per_minute))
    timed: list[tuple[int, int, mido.Message]] = []
    for channel, program in arrangement.programs.items():
        timed.append((0, 0, mido.Message("program_change", channel=channel, program=program)))
    for event in arrangement.events:
        note_on = {"channel": event.channel, "note": event.pitch, "velocity": event.velocity}
        start, end = round(event.start * 480), round((event.start + event.length) * 480)
        timed.append((start, 2, mido.Message("note_on", **note_on)))
        timed.append((max(end, start + 1), 1, mido.Message("note_off", **note_on)))
    now = 0
    track = mido.MidiTrack([tempo])
    for tick, _, message in sorted(timed, key=lambda item: item[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    file.tracks.append(track)
    file.save(path)


def render(arrangement: Arrangement, out: Path, rng: random.Random) -> None:
    """Render through FluidSynth, with a room and a soundfont drawn by `rng`; mono, at -20 dB."""
    soundfont = rng.choice(SOUNDFONTS)
    room = {"room-size": rng.uniform(0.3, 0.8), "level": rng.uniform(0.2, 0.6), "damp": 0.3}
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "a.mid", Path(folder) / "a.wav"
        write_midi(arrangement, midi)
        settings = [f"-osynth.reverb.{key}={value:.3f}" for key, value in room.items()]
        command = ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", str(audio.SR), *settings]
        subprocess.run([*command, "-F", str(wav), str(soundfont), str(midi)], check=True)
        wave, _ = audio.read(wav)
    wave = wave[: int(MAX_S * audio.SR)][None].copy()
    n_fade = audio.SR // 2
    wave[:, -n_fade:] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    loud = wave * audio.level_of([wave]).gain
    audio.write(
        out, audio.limited([loud], ceiling=audio.ceiling_of(out)), sr=audio.SR, n_channels=1
    )


def make_piece(path: Path, target: Path, arranger: Arranger, rng: random.Random) -> str:
    """One lead sheet, arranged and rendered; what became of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sheet = read_sheet(path)
        except Exception as error:  # music21 raises whatever it likes on odd sheets
            return f"{path}: left out ({error})"
    render(arranger(sheet, rng), target, rng)
    return f"{target}"


def make_new(path: Path, style: str, out: Path) -> str:
    """`make_piece` in a style, where it is not there."""
    target = out / style / f"{path.stem}.flac"
    if target.exists():
        return f"{target}: is there already"
    return make_piece(path, target, ARRANGERS[style], random.Random(f"{SEED} {path.stem}"))


def make_corpus(sheets: Path, out: Path) -> None:
    """Every second piece in classical, the others in jazz; one version of each piece."""
    titles: dict[str, Path] = {}
    for path in sorted(sheets.glob("*.mxl")):
        titles.setdefault(re.sub(r"(-2)+$", "", path.stem), path)
    jobs = [
        joblib.delayed(make_new)(path, ("classical", "jazz")[number % 2], out)
        for number, path in enumerate(titles.values())
    ]
    for line in joblib.Parallel(n_jobs=-1, return_as="generator")(jobs):
        print(line)


if __name__ == "__main__":
    tyro.cli(make_corpus, description=__doc__, config=(tyro.conf.Positional,))
