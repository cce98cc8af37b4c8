"""A transcription to check by listening: the recording with its beats, and with its chords.

NAME_clicks.flac has a click on each beat, a higher one on each bar line. NAME_chords.flac has the
chords on a piano. In both the recording is softer, and everything else about it stays.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import SR, Level, Wave
from thirdstream.files import whole_file
from thirdstream.notes.rendering.synthesiser import ORCHESTRA, stream
from thirdstream.notes.timing import timed
from thirdstream.notes.transcription.places import check_paths
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Note, Song, Track

SOFTER = 0.5  # of the recording's level
ROOM, ADDED = 0.45, 0.4  # highest peaks of recording and addition: together 1.4 dB below full scale
LEAST = 0.05  # peak of a click over a recording that is all but silent
CLICK_S, DECAY_S = 0.03, 0.006
CLICK_HZ, BAR_HZ = 1000.0, 2000.0
PIANO, VELOCITY = 0, 80
PIANO_PEAK = 0.06  # of such a chord
BASS, UPPER = 36, 55  # lowest MIDI pitch of the chords' basses, and of what lies above


class Levels(NamedTuple):
    """recording: what it is multiplied by. added: peak of what is added to it."""

    recording: float
    added: float


def write_checks(
    recording: Path, found: Transcription, out: Path, name: str, *, force: bool = False
) -> list[Path]:
    """Write NAME_clicks.flac and NAME_chords.flac into the folder `out`: both, whole, or none.

    They have the recording's rate, channels and length, and peaks 1 dB or more below full scale.
    Memory does not grow with the length. Raises AudioError where the recording cannot be read or
    FLAC cannot hold it, and ThirdstreamError where one of them exists without `force`.
    """
    paths = check_paths(out, name, force=force)
    header, level = audio.info(recording), audio.measure(recording, mono=False)
    levels = levels_of(level)
    shape = {"sr": header.sr, "n_channels": header.n_channels}
    additions = (
        clicks(found, levels.added, n_samples=level.n_samples, **shape),
        chords(found, levels.added, n_samples=level.n_samples, **shape),
    )
    with ExitStack() as stack:
        for path, added in zip(paths, additions, strict=True):
            blocks = audio.centred(audio.blocks(recording, sr=None, mono=False), level)
            temporary = stack.enter_context(whole_file(path))
            audio.write(temporary, together(blocks, added, levels.recording), **shape)
    return paths


def levels_of(level: Level) -> Levels:
    """For a recording of this level."""
    softer = min(SOFTER, ROOM / max(level.peak, 1e-9))
    return Levels(softer, min(ADDED, max(softer * level.peak, LEAST)))


def together(recording: Iterable[Wave], added: Iterable[Wave], gain: float) -> Iterator[Wave]:
    """The sum of both, the recording times `gain`; in blocks of the recording's, as long as it."""
    rest: Wave | None = None
    others = iter(added)
    for block in recording:
        parts = [] if rest is None else [rest]
        while sum(part.shape[1] for part in parts) < block.shape[1]:
            parts.append(next(others))
        whole = np.concatenate(parts, axis=1)
        rest = whole[:, block.shape[1] :]
        yield np.float32(gain) * block + whole[:, : block.shape[1]]


# --- beats --------------------------------------------------------------------------------------


def clicks(
    found: Transcription, peak: float, *, n_samples: int, sr: int, n_channels: int
) -> Iterator[Wave]:
    """A click on each beat that lies in the recording, from its very sample on."""
    starts, is_line = beat_samples(found, sr)
    sounds = [peak * _click(hz, sr) for hz in (CLICK_HZ, BAR_HZ)]
    size = max(audio.BLOCK, len(sounds[0]))
    tail = np.zeros(len(sounds[0]), np.float32)
    for at in range(0, n_samples, size):
        block = np.concatenate([tail, np.zeros(size, np.float32)])
        for k in range(*np.searchsorted(starts, (at, at + size)).tolist()):
            place = block[int(starts[k]) - at :][: len(tail)]
            place += sounds[int(is_line[k])]
        tail = block[size:]
        n_left = min(size, n_samples - at)
        yield np.repeat(block[None, :n_left], n_channels, axis=0)


def beat_samples(found: Transcription, sr: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The sample of each beat from 0 s on, and whether a bar begins there."""
    beats_s = np.array(found.timing.beats_s)
    metres, beat = found.score.metres, found.timing.beat
    is_line = np.array([metres.within(k * beat) < 1e-6 for k in range(len(beats_s))])
    samples = np.round(beats_s * sr).astype(np.int64)
    return samples[samples >= 0], is_line[samples >= 0]


def _click(hz: float, sr: int) -> Wave:
    """A tone that dies away; its first sample is its highest, 1."""
    t = np.arange(math.ceil(CLICK_S * sr)) / sr
    return (np.cos(2 * np.pi * hz * t) * np.exp(-t / DECAY_S)).astype(np.float32)


# --- chords -------------------------------------------------------------------------------------


def chords(
    found: Transcription, peak: float, *, n_samples: int, sr: int, n_channels: int
) -> Iterator[Wave]:
    """The chords on a piano, struck anew on bar lines."""
    duration_s = n_samples / sr
    song = timed(Song((chord_track(found),), 120.0), found.timing, duration_s=duration_s)
    played = stream(song, ORCHESTRA, math.ceil(duration_s * SR))
    sized = (_spread(block, n_channels) * np.float32(peak / PIANO_PEAK) for block in played)
    resampled = audio.resampled(sized, sr_in=SR, sr_out=sr, n_channels=n_channels)
    whole = audio.exactly(resampled, n_samples=n_samples, n_channels=n_channels)
    return audio.limited(whole, ceiling=peak, sr=sr)


def _spread(block: Wave, n_channels: int) -> Wave:
    """Stereo as so many channels: both sides, or copies of one."""
    if n_channels == 2:
        return block
    return np.repeat(block.mean(axis=0, keepdims=True), n_channels, axis=0)


def chord_track(found: Transcription) -> Track:
    """A bass and the chord's notes above it, from the chord's beginning and from each bar line."""
    metres, notes = found.score.metres, []
    for chord in found.score.chords:
        lines = range(metres.bar(chord.start) + 1, metres.n_bars(chord.end))
        edges = [chord.start, *(metres.line(bar) for bar in lines), chord.end]
        pitches = {BASS + (chord.bass - BASS) % 12}
        pitches |= {UPPER + (pitch - UPPER) % 12 for pitch in chord.pitch_classes}
        for start, end in itertools.pairwise(edges):
            notes += [Note(start, end - start, pitch, VELOCITY) for pitch in sorted(pitches)]
    return Track("chords", PIANO, tuple(notes))
