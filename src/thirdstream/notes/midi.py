"""MIDI files, through mido (the extra `scores`): tracks of notes in and out, and Scores from them.

A file that is read has one tempo and one metre. Positions are rounded to ticks of 1/960 quarter.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.notes.metre import Metres, of_length
from thirdstream.notes.score import (
    MAX_BYTES,
    Note,
    Score,
    ScoreError,
    bounded,
    fitted_chords,
)
from thirdstream.notes.timing import Timing

TICKS = 960  # a quarter note
BEND = 2.0  # semitones of a whole turn of the pitch wheel, unless a file says otherwise
DRUMS = 9  # the percussion channel, counted from 0
CLOCK = 240.0  # quarter notes a minute of a song that follows a tempo map: a tick is 0.26 ms


@dataclass(frozen=True)
class Track:
    """Notes that one instrument plays: General MIDI program 0-127, pan 0 (left) to 127.

    pedals: quarter notes from and to which the sustain pedal is down. bends: quarter notes, and how
    many semitones the instrument bends from then on, at most BEND.
    """

    name: str
    program: int
    notes: tuple[Note, ...]
    is_drums: bool = False
    pan: int = 64
    pedals: tuple[tuple[float, float], ...] = ()
    bends: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Song:
    """Tracks at one tempo (quarter notes a minute).

    beats_per_bar: quarter notes of the first bar. tuning: semitones above A = 440 Hz, at most BEND
    of them. metres: by default bars of `beats_per_bar` throughout.
    """

    tracks: tuple[Track, ...]
    beats_per_minute: float
    beats_per_bar: float = 4.0
    tuning: float = 0.0
    metres: Metres = Metres(())

    def __post_init__(self) -> None:
        if self.metres.changes:
            object.__setattr__(self, "beats_per_bar", self.metres.changes[0][1].length)
        else:
            object.__setattr__(self, "metres", Metres.steady(of_length(self.beats_per_bar)))


def timed(song: Song, timing: Timing, *, duration_s: float) -> Song:
    """The song along a tempo map, as one of a steady tempo: each note sounds at its own second.

    What sounds before 0 s or after `duration_s` is cut away.
    """
    tracks = []
    for track in song.tracks:
        starts_s = timing.seconds([note.start for note in track.notes])
        ends_s = timing.seconds([note.end for note in track.notes])
        notes = tuple(
            replace(note, start=float(start) * CLOCK / 60, length=float(end - start) * CLOCK / 60)
            for note, start, end in zip(
                track.notes, np.maximum(starts_s, 0), np.minimum(ends_s, duration_s), strict=True
            )
            if end - start > 0.01
        )
        pedals = tuple(
            (float(down) * CLOCK / 60, float(up) * CLOCK / 60)
            for down, up in (timing.seconds(pedal) for pedal in track.pedals)
        )
        bends = tuple(
            (float(timing.seconds(beat)) * CLOCK / 60, semitones) for beat, semitones in track.bends
        )
        tracks.append(replace(track, notes=notes, pedals=pedals, bends=bends))
    return replace(song, tracks=tuple(tracks), beats_per_minute=CLOCK)


def _mido(path: Path) -> Any:
    try:
        import mido
    except ImportError as error:
        raise ThirdstreamError(
            f"{path}: MIDI files need mido; pip install 'thirdstream[scores]'"
        ) from error
    return mido


def write_midi(path: Path, song: Song, timing: Timing | None = None) -> None:
    """Write a song as a MIDI file of type 1, whole or not at all; same song, same bytes.

    timing: a tempo map instead of the song's one tempo; the file begins at its quarter note 0.
    Raises ThirdstreamError without mido and where more than 15 tracks are not drums.
    """
    mido = _mido(path)
    file = mido.MidiFile(ticks_per_beat=TICKS)
    tempi = [mido.bpm2tempo(song.beats_per_minute)] if timing is None else _tempi(timing)
    file.tracks.append(_head(mido, tempi, song.metres))
    free = iter(channel for channel in range(16) if channel != DRUMS)
    for track in song.tracks:
        channel = DRUMS if track.is_drums else next(free, None)
        if channel is None:
            raise ThirdstreamError(f"{path}: has more than 15 instruments; MIDI holds no more")
        file.tracks.append(_written(mido, track, channel, tuning=song.tuning))
    with whole_file(path) as temporary:
        file.save(temporary)


def _head(mido: Any, tempi: Sequence[int], metres: Metres) -> Any:
    """Tempi, one a quarter note, and metres, on a track of their own."""
    timed = [(k * TICKS, mido.MetaMessage("set_tempo", tempo=one)) for k, one in enumerate(tempi)]
    for start, one in metres.changes:
        sign = mido.MetaMessage(
            "time_signature",
            numerator=one.count,
            denominator=one.unit,
            clocks_per_click=min(round(24 * one.beats[0]), 255),
        )
        timed.append((round(start * TICKS), sign))
    head, now = mido.MidiTrack(), 0
    for tick, message in sorted(timed, key=lambda item: item[0]):
        head.append(message.copy(time=tick - now))
        now = tick
    return head


def _tempi(timing: Timing) -> list[int]:
    """Microseconds of each quarter note, as MIDI can hold them; rounding does not add up."""
    edges = np.round(1e6 * np.array(timing.beats_s)).astype(int)
    return np.clip(np.diff(edges), 1, (1 << 24) - 1).tolist()


def _written(mido: Any, track: Track, channel: int, *, tuning: float) -> Any:
    timed = []
    for note in track.notes:
        start, end = round(note.start * TICKS), round(note.end * TICKS)
        what = {"channel": channel, "note": note.pitch}
        on = mido.Message("note_on", velocity=note.velocity, **what)
        off = mido.Message("note_off", velocity=0, **what)
        timed.append((max(start, 0), 1, note.pitch, on))
        timed.append((max(end, start + 1, 1), 0, note.pitch, off))
    tuning = 0.0 if track.is_drums else tuning
    for beat, message in _controls(mido, track, channel, tuning=tuning):
        timed.append((max(round(beat * TICKS), 0), 0, 0, message))
    result = mido.MidiTrack([mido.MetaMessage("track_name", name=track.name)])
    result.append(mido.Message("program_change", channel=channel, program=track.program))
    result.append(mido.Message("control_change", channel=channel, control=10, value=track.pan))
    now = 0
    for tick, _, _, message in sorted(timed, key=lambda item: item[:3]):
        result.append(message.copy(time=tick - now))
        now = tick
    return result


def _controls(
    mido: Any, track: Track, channel: int, *, tuning: float
) -> Iterator[tuple[float, Any]]:
    """The pitch wheel and the sustain pedal, by quarter notes."""
    start = ((0.0, 0.0),) if tuning else ()
    for beat, semitones in (*start, *track.bends):
        bend = round(min(max((semitones + tuning) / BEND, -1.0), 1.0) * 8191)
        yield beat, mido.Message("pitchwheel", channel=channel, pitch=bend)
    pedal = {"type": "control_change", "channel": channel, "control": 64}
    for down, up in track.pedals:
        yield down, mido.Message(**pedal, value=127)
        yield up, mido.Message(**pedal, value=0)


def read_midi(path: Path) -> Song:
    """Read a MIDI file; of several tempi or metres the first holds.

    Raises ScoreError on a file that is not MIDI; ThirdstreamError without mido.
    """
    mido = _mido(path)
    try:
        file = mido.MidiFile(file=BytesIO(_bytes(path)))  # bytes: a size in it takes no memory
        heads = [message for track in file.tracks for message in track if message.is_meta]
        tempo = next((m.tempo for m in heads if m.type == "set_tempo"), 500_000)
        metre = next((m for m in heads if m.type == "time_signature"), None)
        if file.ticks_per_beat <= 0 or tempo <= 0:
            raise ValueError("it keeps no musical time")
        tracks: list[Track] = []
        for track in file.tracks:
            tracks += _read_track(track, file.ticks_per_beat)
        beats = 4.0 * metre.numerator / metre.denominator if metre else 4.0
    except ScoreError:
        raise
    except Exception as error:  # mido raises whatever it likes on damaged files
        raise ScoreError(f"{path}: is no readable MIDI file ({error}); export it again") from error
    return Song(tuple(tracks), mido.tempo2bpm(tempo), beats)


def _bytes(path: Path) -> bytes:
    """All of a MIDI file. Raises ScoreError where it has too many, and numbers without an end."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ScoreError(
            f"{path}: has more than {MAX_BYTES // 1_000_000} MB; no score we read is so long, cut "
            "it"
        )
    if re.search(rb"[\x80-\xff]{1024}", data):  # each such byte makes a number longer
        raise ScoreError(f"{path}: is no readable MIDI file (an endless number); export it again")
    return data


def _read_track(track: Any, ticks_per_beat: int) -> list[Track]:
    """One Track for each channel that plays."""
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    notes: dict[int, list[Note]] = {}
    programs: dict[int, int] = {}
    pans: dict[int, int] = {}
    now = 0
    for message in track:
        now += message.time
        if message.type == "program_change":
            programs.setdefault(message.channel, message.program)
        elif message.type == "control_change" and message.control == 10:
            pans.setdefault(message.channel, message.value)
        elif message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                sounding.setdefault(key, []).append((now, message.velocity))
            elif sounding.get(key):
                start, velocity = sounding[key].pop(0)
                length = max(now - start, 1) / ticks_per_beat
                one = Note(start / ticks_per_beat, length, message.note, velocity)
                notes.setdefault(message.channel, []).append(one)
    return [
        Track(track.name, programs.get(c, 0), tuple(sorted(of)), c == DRUMS, pans.get(c, 64))
        for c, of in sorted(notes.items())
    ]


def read_score_midi(path: Path) -> Score:
    """A Score of a MIDI file: the part that lies highest is the melody, the harmony is found.

    Drums are left out. Raises ScoreError as `read_midi` does, and on a file without notes.
    """
    song = read_midi(path)
    parts = sorted(
        (track.notes for track in song.tracks if not track.is_drums), key=_height, reverse=True
    )
    bounded(parts, path)
    end = max(note.end for part in parts for note in part)
    return Score(
        title=path.stem,
        melody=_skyline(parts[0]),
        chords=fitted_chords(parts, end=end),
        beats_per_bar=song.beats_per_bar,
        beats_per_minute=song.beats_per_minute,
    )


def _height(notes: Sequence[Note]) -> float:
    return sum(note.pitch for note in notes) / len(notes)


def _skyline(notes: Sequence[Note]) -> tuple[Note, ...]:
    """The highest note of each moment at which one begins; never two at a time."""
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.start, -note.pitch)):
        if line and note.start < line[-1].start + 0.05:
            continue
        if line and note.start < line[-1].end:
            last = line[-1]
            if note.pitch < last.pitch and note.start < last.end - 0.1:
                continue
            line[-1] = Note(last.start, note.start - last.start, last.pitch, last.velocity)
        line.append(note)
    return tuple(line)
