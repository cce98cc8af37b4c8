"""What was played in a recording or a MIDI file, part by part.

Of a recording, the melody is the transcription's, the bass what lies lowest, and harmony the rest;
drums are found apart. A MIDI file has parts of its own: the one that lies highest is the melody,
the one that lies lowest, if it is no chordal part, the bass.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.audio.spectral_balance import third_octaves_db
from thirdstream.files import MIDI_SUFFIXES
from thirdstream.notes.arranging.phrasing import sources
from thirdstream.notes.io.midi import read_midi, read_score_midi
from thirdstream.notes.learning.percussion import Stroke, strokes_of
from thirdstream.notes.learning.resynthesis import DRUMS, Programs, costs_of
from thirdstream.notes.learning.reverberation import reverberation_of
from thirdstream.notes.learning.timbre import Sounded
from thirdstream.notes.rendering import scene_with
from thirdstream.notes.rendering.room import FLAT
from thirdstream.notes.styles.learned import Reverberation, Role
from thirdstream.notes.transcription.transcribe import Transcription, transcribe_file
from thirdstream.notes.types import Note, Score

BASS_TOP = 55  # G3: what is higher is never a recording's bass
HELD = 1.0  # quarter notes from which harmony is held, rather than struck
STROKE_S = 0.1
KIT = 0  # the General MIDI kit of a recording's drums
TOGETHER = 0.05  # share of what is no melody that sounds with other notes, unless all is one voice
ROLES: dict[str, Role] = {
    "melody": "melody", "bass": "bass", "harmony": "harmony", "held harmony": "harmony",
    DRUMS: "drums"
}  # fmt: skip
BASS_GAP = 3  # semitones that a bass lies below all else that sounds


@dataclass(frozen=True)
class Played:
    """A part: its name, of ROLES; its notes as they were played; and the General MIDI programs that
    may play it, alone or together, each with its cost."""

    name: str
    costs: Mapping[Programs, float]
    notes: tuple[Note, ...]

    @classmethod
    def by(cls, program: int, *, name: str, notes: Sequence[Note]) -> "Played":
        """A part whose player is known."""
        return cls(name, {(program,): 0.0}, tuple(notes))

    @property
    def role(self) -> Role:
        return ROLES[self.name]

    @property
    def programs(self) -> Programs:
        """Those of the least cost."""
        return min(self.costs, key=self.costs.__getitem__)


@dataclass(frozen=True)
class Performance:
    """A piece as it was played. score: melody, chords and metres; parts: all that was played, the
    melody among it; positions in quarter notes, unquantised. clarity: how sure its beats and
    chords are, 0 to 1. duration_s, reverberation, balance_db: of a recording, the last by third
    octaves.
    """

    name: str
    score: Score
    parts: tuple[Played, ...]
    beats_per_minute: float
    clarity: float = 1.0
    duration_s: float = math.inf
    reverberation: Reverberation | None = None
    balance_db: tuple[float, ...] | None = None


def performance_of(
    path: Path, *, progress: Callable[[float], None] = lambda share: None
) -> Performance:
    """Of a recording or a MIDI file. Raises ThirdstreamError where it cannot be read, and where
    there are no notes in it."""
    if path.suffix.lower() in MIDI_SUFFIXES:
        return _of_midi(path)
    return _of_recording(path, transcribe_file(path, progress=lambda done: progress(0.8 * done)))


def parts_of(found: Transcription) -> dict[str, list[Note]]:
    """The notes of a recording by part, of those that have some; ROLES has the parts' names."""
    line = {id(note) for note in sources(found.score.melody, found.notes) if note is not None}
    rest = [note for note in found.notes if id(note) not in line]
    if _are_alone(rest, found.notes):  # the rest of a single voice, that the melody has gaps for
        line, rest = {id(note) for note in found.notes}, []
    bass, harmony = _by_register(rest)
    parts = {
        "melody": [note for note in found.notes if id(note) in line],
        "bass": bass,
        "harmony": [note for note in harmony if note.length < HELD],
        "held harmony": [note for note in harmony if note.length >= HELD],
    }
    return {name: notes for name, notes in parts.items() if notes}


def _are_alone(some: Sequence[Note], every: Sequence[Note]) -> bool:
    """Whether nearly none of some notes sound together with another one of all."""
    starts, ends = (np.array([getattr(one, edge) for one in every]) for edge in ("start", "end"))
    lengths, n_together = ends - starts, 0
    for note in some:
        shared = np.minimum(ends, note.end) - np.maximum(starts, note.start)
        # More than half of the shorter one; each note is also found with itself.
        n_together += bool((shared > np.minimum(lengths, note.length) / 2).sum() > 1)
        if n_together >= TOGETHER * len(some):
            return False
    return bool(some)


def _of_recording(path: Path, found: Transcription) -> Performance:
    wave = _mono(path)
    room = reverberation_of(wave)
    tempo = found.score.beats_per_minute or 120.0
    sure = [value for bar in found.confidence for value in (bar.beats, bar.chords)]
    return Performance(
        path.stem,
        found.score,
        tuple(_played(wave, found, room)),
        tempo,
        fmean(sure) if sure else 0.0,
        duration_s=found.duration_s,
        reverberation=room,
        balance_db=tuple(third_octaves_db(wave, SR).round(1).tolist()),
    )


def _played(wave: Wave, found: Transcription, room: Reverberation) -> list[Played]:
    """The parts that were found, and drums if there are any, with who may play them."""
    scene = replace(scene_with(decay_s=room.decay_s, wet=room.wet, seed=""), colour_db=FLAT)
    strokes, of_parts = strokes_of(wave), parts_of(found)
    parts = {name: sounded(found, notes) for name, notes in of_parts.items()}
    parts[DRUMS] = [Sounded(at, at + STROKE_S, *rest) for at, *rest in strokes]
    costs = costs_of(wave, parts, scene)
    played = [Played(name, costs[name], tuple(sorted(notes))) for name, notes in of_parts.items()]
    if strokes:
        played.append(Played.by(KIT, name=DRUMS, notes=_in_quarters(strokes, found)))
    return played


def _mono(path: Path) -> Wave:
    """A recording at the level that all have."""
    level, blocks = audio.measured(path)
    parts = [audio.mixed(block)[0] for block in audio.centred(blocks, level)]
    return np.concatenate(parts) * np.float32(level.gain)


def sounded(found: Transcription, notes: Sequence[Note]) -> list[Sounded]:
    """Notes in seconds."""
    edges = found.timing.seconds([(note.start, note.end) for note in notes])
    return [Sounded(float(start), float(end), note.pitch, note.velocity)
            for (start, end), note in zip(edges, notes, strict=True)]  # fmt: skip


def _in_quarters(strokes: Sequence[Stroke], found: Transcription) -> tuple[Note, ...]:
    """Drums in quarter notes."""
    starts = found.timing.beats([one.at_s for one in strokes])
    return tuple(
        Note(float(start), 0.2, one.drum, one.velocity)
        for start, one in zip(starts, strokes, strict=True)
    )


def _by_register(notes: Sequence[Note]) -> tuple[list[Note], list[Note]]:
    """Bass and harmony: a bass note is low, and nothing that sounds with it is lower, or nearly as
    low."""
    bass: list[Note] = []
    harmony: list[Note] = []
    ordered = sorted(notes)
    sounding: list[Note] = []
    for number, note in enumerate(ordered):
        sounding = [one for one in sounding if one.end > note.start + 0.1]
        soon = (one for one in ordered[number + 1 : number + 12] if one.start < note.start + 0.15)
        others = [*sounding, *soon]
        low = note.pitch <= BASS_TOP and all(
            one.pitch >= note.pitch + BASS_GAP or one.pitch == note.pitch for one in others
        )
        (bass if low else harmony).append(note)
        sounding.append(note)
    return bass, harmony


def _of_midi(path: Path) -> Performance:
    score, song = read_score_midi(path), read_midi(path)
    shift = score.beats_per_bar - score.pickup if score.pickup else 0.0

    def moved(notes: Sequence[Note]) -> tuple[Note, ...]:
        return tuple(Note(n.start + shift, n.length, n.pitch, n.velocity) for n in notes)

    kits = [one for one in song.tracks if one.is_drums and one.notes]
    drums = [note for one in kits for note in moved(one.notes)]
    parts = [one for one in song.tracks if one.is_pitched and one.notes]
    pitched = [(one.program, moved(one.notes)) for one in parts]
    pitched.sort(key=lambda one: fmean(note.pitch for note in one[1]), reverse=True)
    played = _with_roles(pitched, score)
    if drums:
        played.append(Played.by(kits[0].program, name=DRUMS, notes=sorted(drums)))
    return Performance(path.stem, score, tuple(played), score.beats_per_minute or 120.0)


def _with_roles(pitched: Sequence[tuple[int, tuple[Note, ...]]], score: Score) -> list[Played]:
    """Parts from high to low, with their roles; a single one is split by register."""
    (lead, highest), *others = pitched
    line = {id(note) for note in sources(score.melody, highest) if note is not None}
    melody = [note for note in highest if id(note) in line]
    parts = [Played.by(lead, name="melody", notes=melody)]
    rest = [(lead, tuple(note for note in highest if id(note) not in line)), *others]
    bass_at = len(rest) - 1 if others and fmean(n.pitch for n in rest[-1][1]) < BASS_TOP else None
    for number, (program, notes) in enumerate(rest):
        if not notes:
            continue
        if number == bass_at and not _is_chordal(notes):
            parts.append(Played.by(program, name="bass", notes=notes))
            continue
        bass, harmony = _by_register(notes) if bass_at in (None, number) else ([], notes)
        split = {"bass": bass, "harmony": harmony}
        parts += [Played.by(program, name=name, notes=some) for name, some in split.items() if some]
    return parts


def _is_chordal(notes: Sequence[Note]) -> bool:
    """Whether a part often strikes several notes at a time."""
    steps = np.diff(np.sort([note.start for note in notes]))
    return bool((steps < 0.05).sum() > 0.3 * len(steps))
