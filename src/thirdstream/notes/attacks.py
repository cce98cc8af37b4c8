"""Players that are on time: those whose notes take long to speak begin them earlier.

A bowed string is heard to begin when it has grown to some 12 dB below its loudest (Vos and Rasch
1981: 6 to 15 dB), which in soundfonts is up to a sixth of a second after the note; musicians
anticipate that, synthesisers do not.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d

from thirdstream.audio import SR, Wave
from thirdstream.notes.midi import Song, Track
from thirdstream.notes.rendering import play
from thirdstream.notes.score import Note
from thirdstream.notes.timing import Timing

AUDIBLE = 10 ** (-12 / 20)  # of a note's highest level
PROBE_S = 0.5  # of a note that is listened to
SMOOTH_S = 0.01  # over which levels are taken
LONGEST_S = 0.12  # nobody begins earlier than that


def on_time(song: Song, timing: Timing, soundfont: Path) -> Song:
    """The song, each note begun so much earlier that it is heard where it is written.

    Ends stay, unless the same pitch is struck again before: a synthesiser has one string for each,
    and the end of the first would silence the second. Raises ThirdstreamError as `rendering.play`
    does.
    """
    tracks = []
    for track, lag_s in zip(song.tracks, lags_s(song.tracks, soundfont), strict=True):
        starts = [note.start for note in track.notes]
        earlier = timing.beats(timing.seconds(starts) - lag_s)
        notes = tuple(
            replace(note, start=float(start), length=note.end - float(start))
            for note, start in zip(track.notes, earlier, strict=True)
        )
        tracks.append(replace(track, notes=_apart(notes)))
    return replace(song, tracks=tuple(tracks))


def _apart(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    """The notes, each over when the next of its pitch begins."""
    following: dict[int, float] = {}  # by pitch
    result = list(notes)
    for place in sorted(range(len(notes)), key=lambda place: notes[place].start, reverse=True):
        note = notes[place]
        begins = following.get(note.pitch, math.inf)
        if note.start < begins < note.end:
            result[place] = replace(note, length=begins - note.start)
        following[note.pitch] = note.start
    return tuple(result)


def lags_s(tracks: tuple[Track, ...], soundfont: Path) -> list[float]:
    """How long each track's notes take to be heard, in seconds; drums take no time.

    Each is asked for its middle pitch at its middle velocity, all by one rendering.
    """
    pitched = [track for track in tracks if track.notes and not track.is_drums]
    if not pitched:
        return [0.0] * len(tracks)
    probes = []
    for number, track in enumerate(pitched):
        pitch, velocity = (
            int(np.median([getattr(note, name) for note in track.notes]))
            for name in ("pitch", "velocity")
        )
        probe = Note(2.0 * number * PROBE_S, PROBE_S, pitch, velocity)
        probes.append(replace(track, notes=(probe,)))
    n_each = round(2 * PROBE_S * SR)
    wave = play(Song(tuple(probes), 60.0), soundfont, n_each * len(pitched)).mean(axis=0)
    found = {
        id(track): _lag_s(wave[number * n_each :][: round(PROBE_S * SR)])
        for number, track in enumerate(pitched)
    }
    return [found.get(id(track), 0.0) for track in tracks]


def _lag_s(wave: Wave) -> float:
    """When a note that begins at 0 s is heard."""
    power = uniform_filter1d(np.square(wave, dtype=np.float64), round(SMOOTH_S * SR))
    level = np.sqrt(np.maximum(power, 0))  # its running sum may dip
    return min(float(np.argmax(level >= AUDIBLE * level.max())) / SR, LONGEST_S)
