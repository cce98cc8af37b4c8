"""Units and grains -> sound: read from the collection, moved to pitch, joined and mixed."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from thirdstream.audio import BLOCK, SR, Wave
from thirdstream.notes.mosaicing.collection import Collection
from thirdstream.notes.mosaicing.comb import one_note
from thirdstream.notes.mosaicing.selection import Chosen, Wanted
from thirdstream.notes.mosaicing.units import SAMPLES
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents

EARLY = round(0.015 * SR)  # samples before its place from which a unit or grain is heard
FADE_IN, FADE_OUT = round(0.06 * SR), round(0.2 * SR)  # of a unit
SEAM = 256  # samples of the cross-fade between parts of one run
LONGEST_RUN = 8 * SR  # samples that are read at a time
DRIFT = round(0.05 * SR)  # samples that a run may lag behind its units
FOLLOWED, MOST_DB = 0.3, 8.0  # share of the recording's level that a unit follows, and how far
ATTACK, RELEASE = round(0.008 * SR), round(0.06 * SR)  # of a grain
LEVEL_FRAMES, LEVEL_SAMPLES = 12, round(0.25 * SR)  # by which a grain is made as loud
MOST_GAIN = 20.0

Event = tuple[int, Callable[[], Wave]]  # first sample, and what sounds from there


class Run(NamedTuple):
    """Units that follow one another in their recording. source: sample in it that is heard at
    `start`; speed: samples of it a sample; gains_db: (n, 2), at which sample which gain; opens,
    closes: whether another run is before it, or after it."""

    recording: int
    source: float
    speed: float
    start: int
    end: int
    gains_db: NDArray[np.float64]
    opens: bool = True
    closes: bool = True


def runs_of(chosen: Chosen, query: Wanted, collection: Collection, tuning: float) -> list[Run]:
    """The units of a query as runs, none longer than LONGEST_RUN or so."""
    units, runs = collection.units, list[Run]()
    gains = _gains_db(chosen, query, collection)
    for number, (unit, shift) in enumerate(zip(chosen.units, chosen.shifts, strict=True)):
        start, end = (int(query.edges[number + k]) * SAMPLES for k in (0, 1))
        recording = int(units.recordings[unit])
        speed = 2.0 ** ((shift + tuning - float(collection.tunings[recording])) / 12)
        source = float(units.frames[unit]) * SAMPLES
        place = np.array([[(start + end) / 2, gains[number]]])
        if runs and (runs[-1].recording, runs[-1].speed) == (recording, speed):
            last = runs[-1]
            reached = last.source + (start - last.start) * speed
            if abs(reached - source) < DRIFT:
                if end - last.start <= LONGEST_RUN:
                    joint = np.concatenate([last.gains_db, place])
                    runs[-1] = last._replace(end=end, gains_db=joint)
                    continue
                runs[-1] = last._replace(closes=False)
                place = np.concatenate([last.gains_db[-1:], place])
                runs.append(Run(recording, reached, speed, start, end, place, opens=False))
                continue
        runs.append(Run(recording, source, speed, start, end, place))
    return runs


def _gains_db(chosen: Chosen, query: Wanted, collection: Collection) -> NDArray[np.float64]:
    """Of each segment: what brings its unit some way to the recording's level."""
    powers = np.square(collection.units.levels[chosen.units])
    own = np.sqrt((query.weights * powers).sum(axis=1))
    apart = 20 * np.log10((query.levels + 1e-4) / (own + 1e-4))
    return np.clip(FOLLOWED * apart, -MOST_DB, MOST_DB).astype(np.float64)


def run_event(run: Run, collection: Collection, n_channels: int) -> Event:
    """A run, faded in and out."""
    first = max(run.start - EARLY, 0)
    fade_in, fade_out = (FADE_IN if run.opens else SEAM), (FADE_OUT if run.closes else SEAM)
    length = run.end - EARLY + fade_out - first

    def sound() -> Wave:
        source = run.source + (first - run.start) * run.speed
        wave = _played(collection, run.recording, source, run.speed, length, n_channels)
        at, gains = run.gains_db.T
        gain = 10 ** (np.interp(np.arange(first, first + length), at, gains) / 20)
        if first:
            gain[:fade_in] *= _rise(fade_in, is_seam=not run.opens)[:length]
        gain[-fade_out:] *= _rise(fade_out, is_seam=not run.closes)[::-1][-length:]
        return wave * gain.astype(np.float32)

    return first, sound


def _rise(n_samples: int, *, is_seam: bool) -> NDArray[np.float64]:
    """From 0 to 1: of equal power, or where both sides are the same sound, of equal amplitude."""
    share = (np.arange(n_samples) + 0.5) / n_samples
    return share if is_seam else np.sin(np.pi / 2 * share)


def _played(
    collection: Collection,
    recording: int,
    source: float,
    speed: float,
    length: int,
    n_channels: int,
) -> Wave:
    """(n_channels, length) of a recording from a sample on, at another speed."""
    n_read = int(length * speed) + 16
    wave = _as(collection.sounds.read(recording, round(source), n_read), n_channels)
    return _fitted(wave if speed == 1 else _resampled(wave, speed), length)


def _as(wave: Wave, n_channels: int) -> Wave:
    """One or two channels of a wave that has one or two."""
    if len(wave) == n_channels:
        return wave
    return wave.mean(axis=0, keepdims=True).repeat(n_channels, axis=0)


def _resampled(wave: Wave, speed: float) -> Wave:
    return soxr.resample(np.ascontiguousarray(wave.T), SR * speed, SR).T


def _fitted(wave: Wave, length: int) -> Wave:
    wave = wave[:, :length]
    return np.pad(wave, ((0, 0), (0, length - wave.shape[1])))


class Lead(NamedTuple):
    """A note of the melody, in seconds, and the grain that plays it."""

    start_s: float
    end_s: float
    pitch: float
    grain: int


def lead_event(
    lead: Lead, features: FrameFeatures, collection: Collection, n_channels: int, level: float
) -> Event:
    """A note of the melody, played by a grain. level: times as loud as the recording is there."""
    grains, first = collection.grains, round(lead.start_s * SR) - EARLY

    def sound() -> Wave:
        recording = int(grains.recordings[lead.grain])
        pitch = float(grains.pitches[lead.grain])
        detuned = features.tuning - float(collection.tunings[recording])
        speed = 2.0 ** ((lead.pitch - pitch + detuned) / 12)
        start, end = (float(part[lead.grain]) * SR for part in (grains.starts, grains.ends))
        n_wanted = round((lead.end_s - lead.start_s) * SR) + EARLY + RELEASE
        source = round(start - EARLY * speed)
        n_read = min(round(n_wanted * speed) + 16, max(round(end + EARLY) - source, 4 * EARLY))
        wave = _as(collection.sounds.read(recording, source, n_read), n_channels)
        tuned = pitch + float(collection.tunings[recording])
        wave = one_note(wave, tuned)
        if speed != 1:
            wave = _resampled(wave, speed)
        wave = wave[:, :n_wanted]
        return wave * _envelope(wave.shape[1]) * _gain(wave, lead, features, level)

    return first, sound


def _gain(wave: Wave, lead: Lead, features: FrameFeatures, level: float) -> np.float32:
    """What makes a grain `level` times as loud as the recording is where it begins."""
    at = round(lead.start_s * FPS)
    there = np.sqrt(np.square(features.level[at : at + LEVEL_FRAMES]).mean() + 1e-9)
    own = np.sqrt(np.square(wave[:, :LEVEL_SAMPLES]).mean() + 1e-9)
    return np.float32(min(level * there / own, MOST_GAIN))


def _envelope(length: int) -> Wave:
    envelope = np.ones(length, np.float32)
    attack, release = min(ATTACK, length), min(RELEASE, length)
    envelope[:attack] *= np.linspace(0, 1, attack, dtype=np.float32)
    envelope[length - release :] *= np.linspace(1, 0, release, dtype=np.float32)
    return envelope


def leads_of(melody: NoteEvents, grains: NDArray[np.int_]) -> list[Lead]:
    """The notes of a melody for which there are grains."""
    return [
        Lead(float(start), float(end), float(pitch), int(grain))
        for (start, end), pitch, grain in zip(melody.intervals, melody.pitches, grains, strict=True)
        if grain >= 0
    ]


def summed(events: Iterable[Event], *, n_samples: int, n_channels: int) -> Iterator[Wave]:
    """Events in the order of their first samples -> blocks (n_channels, n), n_samples in all."""
    at, buffer = 0, np.zeros((n_channels, 0), np.float32)
    for first, sound in events:
        while first - at >= BLOCK:
            buffer = _reaching(buffer, BLOCK)
            yield buffer[:, :BLOCK]
            at, buffer = at + BLOCK, buffer[:, BLOCK:]
        wave = sound()[:, max(at - first, 0) :]
        place = max(first - at, 0)
        buffer = _reaching(buffer, place + wave.shape[1])
        buffer[:, place : place + wave.shape[1]] += wave
    yield _fitted(buffer, max(n_samples - at, 0))


def _reaching(buffer: Wave, length: int) -> Wave:
    """A buffer of this length at least."""
    return np.pad(buffer, ((0, 0), (0, max(0, length - buffer.shape[1]))))
