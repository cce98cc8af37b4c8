"""MIDI files, through mido (the extra `scores`): tracks of notes in and out, and Scores from them.

A file that is read has one tempo, and the metres that it says. What is written is rounded to ticks
of 1/960 quarter.
"""

import re
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.notes.harmonisation import BARE, harmonised, is_bare
from thirdstream.notes.io.limits import bounded, too_long
from thirdstream.notes.metre import Metre, Metres, metre, of_length
from thirdstream.notes.timing import Timing, from_zero
from thirdstream.notes.types import Note, Score, ScoreError, Song, Track, skyline

TICKS = 960  # a quarter note
BEND = 2.0  # semitones of a whole turn of the pitch wheel, unless a file says otherwise
RAGGED = 0.25  # quarter notes by which the last note of a part may reach into another bar
DRUMS = 9  # the percussion channel, counted from 0
MAX_BYTES = 1_000_000  # of a file; 50,000 notes take half of it
LAP = 0.5  # quarter notes by which a player's notes may run into each other


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

    timing: a tempo map instead of the song's one tempo; the file begins at its 0 s, so that it is
    in step with the recording.
    Raises ThirdstreamError without mido and where more than 15 tracks are not drums.
    """
    mido = _mido(path)
    if timing is not None:
        song, timing = from_zero(song, timing)
    file = mido.MidiFile(ticks_per_beat=TICKS)
    tempi = [mido.bpm2tempo(song.beats_per_minute)] if timing is None else _tempi(timing)
    beat = 1.0 if timing is None else timing.beat
    file.tracks.append(_head(mido, tempi, song.metres, beat=beat))
    free = iter(channel for channel in range(16) if channel != DRUMS)
    for track in song.tracks:
        channel = DRUMS if track.is_drums else next(free, None)
        if channel is None:
            raise ThirdstreamError(f"{path}: has more than 15 instruments; MIDI holds no more")
        file.tracks.append(_written(mido, track, channel, tuning=song.tuning))
    with whole_file(path) as temporary:
        file.save(temporary)


def _head(mido: Any, tempi: Sequence[int], metres: Metres, *, beat: float) -> Any:
    """Tempi, one a beat of so many quarter notes, and metres, on a track of their own."""
    ticks = round(beat * TICKS)
    timed = [(k * ticks, mido.MetaMessage("set_tempo", tempo=one)) for k, one in enumerate(tempi)]
    for start, one in metres.changes:
        sign = mido.MetaMessage(
            "time_signature",
            numerator=one.count,
            denominator=one.unit,
            clocks_per_click=min(round(24 * one.beats[0]), 255),
        )
        timed.append((round(start * TICKS), sign))
    return mido.MidiTrack(_deltas(sorted(timed, key=lambda item: item[0])))


def _deltas(timed: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Messages, last in each tuple, with the ticks since the one before; ticks are the first."""
    now = 0
    for tick, *_, message in timed:
        yield message.copy(skip_checks=True, time=tick - now)
        now = tick


def _tempi(timing: Timing) -> list[int]:
    """Microseconds a quarter note of each beat, as MIDI can hold them; rounding does not add up."""
    edges = np.round(1e6 / timing.beat * np.array(timing.beats_s)).astype(int)
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
    result.extend(_deltas(sorted(timed, key=lambda item: item[:3])))
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
    """Read a MIDI file; of several tempi the first holds.

    Raises ScoreError on a file that is not MIDI, or damaged, and says how; ThirdstreamError without
    mido.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Song, int]:
    """A song, and how many of its notes had no end."""
    mido = _mido(path)
    data = _bytes(path)
    try:
        file = mido.MidiFile(file=BytesIO(data), clip=True)  # bytes: a size in it takes no memory
        tempo = next((m.tempo for t in file.tracks for m in t if m.type == "set_tempo"), 500_000)
        if file.ticks_per_beat <= 0 or tempo <= 0:
            raise ScoreError(
                f"{path}: is no readable MIDI file (it counts time in video frames, or not at all);"
                " export it again with ticks for each quarter note"
            )
        metres = _metres(file, path)
        read = [_read_track(track, file.ticks_per_beat) for track in file.tracks]
    except ScoreError:
        raise
    except EOFError as error:
        raise ScoreError(
            f"{path}: is no readable MIDI file (it was cut short, in the middle of a track); copy "
            "or export it again"
        ) from error
    except Exception as error:  # mido raises whatever it likes on damaged files
        raise ScoreError(f"{path}: is no readable MIDI file ({error}); export it again") from error
    tracks = tuple(track for found, _ in read for track in found)
    n_endless, n_notes = sum(n for _, n in read), sum(len(track.notes) for track in tracks)
    if 0 < n_notes == n_endless:
        raise ScoreError(f"{path}: none of its notes ends (no note-off); export it again")
    return Song(tracks, mido.tempo2bpm(tempo), metres=metres), n_endless


def _bytes(path: Path) -> bytes:
    """All of a MIDI file, impossible keys (which mido refuses) made C major.

    Raises ScoreError where it has too many bytes, numbers without an end, or a wrapping.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise too_long(path, f"has more than {MAX_BYTES // 1_000_000} MB")
    if not data.startswith((b"MThd", b"RIFF")):
        raise ScoreError(
            f"{path}: is no readable MIDI file (what is in it is no MIDI); export it again"
        )
    if data.startswith(b"RIFF"):
        raise ScoreError(f"{path}: is MIDI wrapped in RIFF (RMID); save it as a plain .mid file")
    if re.search(rb"[\x80-\xff]{1024}", data):  # each such byte makes a number longer
        raise ScoreError(f"{path}: is no readable MIDI file (an endless number); export it again")
    impossible = rb"\xff\x59\x02(?:[\x08-\xf8].|.[^\x00\x01])"
    return re.sub(impossible, b"\xff\x59\x02\x00\x00", data, flags=re.DOTALL)


def _metres(file: Any, path: Path) -> Metres:
    """The metres of a file; a bar that the next one interrupts has a metre of its own."""
    signs: dict[float, Metre] = {}
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "time_signature":
                if message.numerator < 1:
                    raise ScoreError(f"{path}: has bars of no beats; export it again")
                start = now / file.ticks_per_beat
                signs.setdefault(start, metre(message.numerator, message.denominator))
    ordered = sorted(signs.items(), key=lambda sign: sign[0])
    if not ordered or ordered[0][0] > 0:
        ordered.insert(0, (0.0, metre(4, 4)))
    changes: list[tuple[float, Metre]] = []
    for (start, one), (end, _) in pairwise(ordered):
        left = (end - start) % one.length
        is_broken = 0.02 < left < one.length - 0.02
        if not is_broken or end - start > one.length:
            changes.append((start, one))
        if is_broken:
            changes.append((end - left, of_length(left)))
    changes.append(ordered[-1])
    joined = [c for k, c in enumerate(changes) if k == 0 or c[1] != changes[k - 1][1]]
    return Metres(tuple(joined))


@dataclass
class _Sounding:
    """A note in ticks; `end` is None until it is known."""

    start: int
    pitch: int
    velocity: int
    end: int | None = None


def _read_track(track: Any, ticks_per_beat: int) -> tuple[list[Track], int]:
    """One Track for each channel that plays, and how many notes had no end: each is held until the
    next of its channel, or the track's end."""
    sounding: defaultdict[tuple[int, int], deque[_Sounding]] = defaultdict(deque)
    channels: defaultdict[int, list[_Sounding]] = defaultdict(list)
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
            held = sounding[message.channel, message.note]
            if message.type == "note_on" and message.velocity > 0:
                held.append(_Sounding(now, message.note, message.velocity))
                channels[message.channel].append(held[-1])
            elif held:
                held.popleft().end = now
    tracks = [
        Track(track.name, programs.get(channel, 0), _notes(found, now, ticks_per_beat),
              channel == DRUMS, pans.get(channel, 64))
        for channel, found in sorted(channels.items())
    ]  # fmt: skip
    return tracks, sum(map(len, sounding.values()))


def _notes(found: Sequence[_Sounding], last: int, ticks_per_beat: int) -> tuple[Note, ...]:
    """The notes of a channel; those without an end last until the next one begins."""
    starts = [*sorted({one.start for one in found}), last]
    notes: list[Note] = []
    for one in found:
        end = (
            starts[bisect_right(starts, one.start, hi=len(starts) - 1)]
            if one.end is None
            else one.end
        )
        length = max(end - one.start, 1) / ticks_per_beat
        notes.append(Note(one.start / ticks_per_beat, length, one.pitch, one.velocity))
    return tuple(sorted(notes))


def read_score_midi(path: Path) -> Score:
    """A Score of a MIDI file: the part that lies highest is the melody, the harmony is found.

    Drums and noises are left out. A first bar that is shorter than the next is a pickup. Raises
    ScoreError as `read_midi` does, and on a file without other notes.
    """
    song, n_endless = _read(path)
    metres, pickup = _upbeat(song.metres)
    shift = metres.changes[0][1].length - pickup if pickup else 0.0
    parts = [
        tuple(replace(note, start=note.start + shift) for note in track.notes)
        for track in song.tracks
        if track.is_pitched
    ]
    if not any(parts) and any(track.notes for track in song.tracks):
        raise ScoreError(f"{path}: has only drums or noises; give music with pitches")
    parts.sort(key=lambda notes: fmean(note.pitch for note in notes), reverse=True)
    bounded(parts, metres, path)
    line = _unlapped(parts[0])
    parts[0] = line if len(line) == len(parts[0]) else parts[0]
    end = max(note.end for part in parts for note in part)
    metres = metres.fitted((n.start, min(n.length, 2.0)) for part in parts for n in part)
    chords = harmonised(parts, metres, end=end)
    endless = f"{n_endless} notes have no end; each is held until the next one of its part"
    remarks = ([endless] if n_endless else []) + ([BARE] if is_bare(parts) else [])
    return Score(
        title=path.stem,
        melody=skyline(line),
        chords=chords,
        pickup=pickup,
        beats_per_minute=song.beats_per_minute,
        length=end - RAGGED,
        metres=metres,
        remarks=tuple(remarks),
    )


def _upbeat(metres: Metres) -> tuple[Metres, float]:
    """Metres from the first bar line on, and the pickup before it, 0 if there is none: one bar that
    is shorter than those after it, as notation programs write it."""
    if len(metres.changes) < 2:
        return metres, 0.0
    (_, first), (line, after) = metres.changes[:2]
    if first.length >= after.length or abs(line - first.length) > 0.02:
        return metres, 0.0
    shift = after.length - line
    moved = ((start + shift, one) for start, one in metres.changes[2:])
    return Metres(((0.0, after), *moved)), line


def _unlapped(notes: Sequence[Note]) -> tuple[Note, ...]:
    """A line played legato, each note ended where the next one begins, the last one by as much
    earlier as is usual; other parts as they are.

    A line: the highest notes of all moments run into the next by LAP at most and end before it, but
    for one in ten.
    """
    tops: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.start, -note.pitch)):
        if not tops or note.start >= tops[-1].start + 0.05:
            tops.append(note)
    n_held = sum(
        one.end > after.start + LAP + 0.02 or one.end > max(after.start + 0.02, after.end - 0.02)
        for one, after in pairwise(tops)
    )
    if 10 * n_held > len(tops):
        return tuple(notes)
    laps = sorted(one.end - after.start for one, after in pairwise(tops))
    lap = max(laps[len(laps) // 2], 0.0) if laps else 0.0
    ends = [*(note.start for note in tops[1:]), tops[-1].end - min(lap, tops[-1].length / 2)]
    return tuple(
        replace(note, length=min(note.end, end) - note.start)
        for note, end in zip(tops, ends, strict=True)
    )
