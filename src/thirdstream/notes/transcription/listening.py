"""Recording -> what was played: tempo map, metre, key, chords, melody, and every note.

    heard = listen_file(Path("song.mp3"))
    heard.score                       # melody and chords, in quarter notes
    heard.timing.seconds(heard.score.melody[0].start)

Metres of four and three quarter notes are told apart; a bar of two is heard as half of one of four,
a bar of six as two of three, and other metres as the one of these that suits best.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.files import ThirdstreamError
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.beats import Bars, bars_of, covering
from thirdstream.notes.transcription.chords import beat_chroma, decode, key_of, with_evidence
from thirdstream.notes.transcription.melody import melody_of
from thirdstream.notes.transcription.observed import FPS, Observed, observe
from thirdstream.notes.transcription.transcriber import (
    Transcription,
    amid_music,
    notes_of,
    onset_sureness,
    sure_ones,
)
from thirdstream.notes.types import Note, Score

Array = NDArray[np.float64]

USUAL_BEAT_S = 0.5  # where no beat is heard
DIVISIONS = {1: 0.0, 2: 0.3, 4: 1.2, 3: 1.4}  # of a beat, and what each costs
BLUR_S = 0.035  # how far notes lie from where they belong
SWUNG = (0.56, 0.74)  # where second eighths lie in the beat if they are swung
FILLED = 0.4  # quarter notes of rest between two notes that are not kept


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording.

    score: melody and chords on the grid of beats and their divisions, swung eighths written even;
    no voices. timing: when its quarter notes sound; quarter 0 is a bar line at 0 s or before, the
    last beat is a bar line at the end of the recording or after. notes: all that were transcribed,
    in quarter notes, as they were played. key: pitch class of the tonic. tuning: how many semitones
    the recording lies above A = 440 Hz, 0 where it is near.
    """

    score: Score
    timing: Timing
    notes: tuple[Note, ...]
    key: int
    is_minor: bool
    duration_s: float
    tuning: float = 0.0


def listen(
    blocks: Iterable[Wave],
    *,
    title: str = "",
    progress: Callable[[float], None] = lambda seconds: None,
) -> Heard:
    """Listen to a stream of (n_channels, n_samples) blocks at 44,100 Hz, of -20 dB RMS.

    title: of the score. progress: told the seconds done so far. A recording without a pulse has a
    steady tempo of 120. Raises ThirdstreamError where no notes are heard, and MissingPackage
    without the transcriber.
    """
    observed = observe(blocks, progress=progress)
    posteriors = observed.posteriors
    found = amid_music(sure_ones(notes_of(posteriors), posteriors), posteriors)
    line = melody_of(found, observed)
    if not len(line):
        named = f"{title}: " if title else ""
        raise ThirdstreamError(f"{named}no notes are heard in it; give music with pitches")
    bars = bars_of(observed) or _steady(observed.duration_s)
    timing = Timing(tuple(bars.beats_s.tolist()))
    notes = _as_played(found, observed, timing)
    n_beats = len(bars.beats_s) - 1
    chroma, heard = beat_chroma(posteriors, bars.beats_s * FPS), _heard(notes, n_beats)
    chords = decode(chroma, bars.beats_per_bar, heard=heard)
    chords = with_evidence(chords, notes, bars.beats_per_bar)
    melody = quantised([notes[k] for k in line], notes, timing)
    key, is_minor = key_of(chords, melody)
    tempo = 60 * n_beats / float(bars.beats_s[-1] - bars.beats_s[0])
    score = Score(
        title=title,
        melody=melody,
        chords=chords,
        beats_per_bar=float(bars.beats_per_bar),
        beats_per_minute=round(tempo, 1),
    )
    found_notes = tuple(sorted(notes))
    return Heard(score, timing, found_notes, key, is_minor, observed.duration_s, observed.tuning)


def listen_file(path: Path, *, progress: Callable[[float], None] = lambda share: None) -> Heard:
    """Listen to a file, whatever its level; progress is told the share done so far.

    Raises AudioError if it cannot be read, and ThirdstreamError as `listen` does.
    """
    level = audio.measure(path)
    if level.silent:
        raise ThirdstreamError(f"{path}: is silent; give a recording with music in it")
    duration_s = level.n_samples / audio.info(path).sr
    blocks = (block * np.float32(level.gain) for block in audio.centred(audio.blocks(path), level))
    try:
        return listen(
            blocks,
            title=path.stem,
            progress=lambda seconds: progress(min(seconds / duration_s, 1.0)),
        )
    except ThirdstreamError as error:
        raise ThirdstreamError(f"{path}: {str(error).removeprefix(f'{path.stem}: ')}") from error


def _heard(notes: list[Note], n_beats: int) -> NDArray[np.bool_]:
    """(n_beats,): in which beats a note sounds."""
    edges = np.zeros(n_beats + 1, int)
    for note in notes:
        first = min(max(math.floor(note.start), 0), n_beats)
        edges[first] += 1
        edges[min(max(math.ceil(note.end), first), n_beats)] -= 1
    return np.cumsum(edges)[:-1] > 0


def _steady(duration_s: float) -> Bars:
    return covering(Bars(USUAL_BEAT_S * np.arange(5.0), 4), duration_s)


def _as_played(found: Transcription, observed: Observed, timing: Timing) -> list[Note]:
    """The notes in quarter notes, unrounded, as loud as the recording is where they begin."""
    starts, ends = (timing.beats(found.intervals[:, k]) for k in (0, 1))
    frames = np.round(found.intervals[:, 0] * FPS).astype(int)
    around = np.clip(frames[:, None] + np.arange(0, 9), 0, observed.n_frames - 1)
    level = observed.level[around].max(axis=1)
    # MIDI: amplitude goes with the square of the velocity; -20 dB is 80.
    sure = onset_sureness(found, observed.posteriors)
    velocities = 80 * np.sqrt(level / 0.1) * (0.8 + 0.3 * sure)
    return [
        Note(float(start), float(end - start), int(pitch), int(np.clip(velocity, 1, 127)))
        for start, end, pitch, velocity in zip(starts, ends, found.pitches, velocities, strict=True)
    ]


def swing_of(phases: Array) -> float:
    """Where second eighths lie in a beat, given all notes' phases from 0 to 1: 0.5 is even.

    Swung pieces have notes around two thirds of the beat and few at one third.
    """
    late = phases[(phases > SWUNG[0]) & (phases < SWUNG[1])]
    even = ((phases > 0.44) & (phases < 0.56)).sum()
    early = ((phases > 0.26) & (phases < 0.40)).sum()
    if len(late) < 8 or len(late) < 1.5 * even or len(late) < 2 * early:
        return 0.5
    return float(np.median(late))


def evened(beats: Array, swing: float) -> Array:
    """Positions with swung eighths moved to where even ones are."""
    whole = np.floor(beats)
    phase = beats - whole
    first, second = 0.5 * phase / swing, 0.5 + 0.5 * (phase - swing) / (1 - swing)
    return whole + np.where(phase < swing, first, second)


def quantised(line: list[Note], notes: list[Note], timing: Timing) -> tuple[Note, ...]:
    """The melody on a grid: each beat is divided by 1, 2, 3 or 4, as its notes suggest.

    notes: all of them, to find out whether eighths are swung. A note lasts until the next begins
    where less than FILLED is left; never two at a time.
    """
    swing = swing_of(np.array([note.start % 1.0 for note in notes]))
    starts = evened(np.array([note.start for note in line]), swing)
    ends = evened(np.array([note.end for note in line]), swing)
    beat_s = np.diff(timing.seconds(np.stack([np.floor(starts), np.floor(starts) + 1])), axis=0)[0]
    placed = np.maximum(_placed(starts, BLUR_S / beat_s), 0)
    result: list[Note] = []
    for note, start, end in zip(line, placed.tolist(), ends.tolist(), strict=True):
        if result and start <= result[-1].start + 1e-6:
            continue  # the first of two at one place stays
        if result and (result[-1].end > start or start - result[-1].end < FILLED):
            before = result[-1]
            result[-1] = Note(before.start, start - before.start, before.pitch, before.velocity)
        n = 4 if round(12 * start) % 3 == 0 else 3  # parts of a beat
        length = max(round(n * end) / n - start, 1 / n)
        result.append(Note(start, length, note.pitch, note.velocity))
    return tuple(result)


def _placed(starts: Array, blur: Array) -> Array:
    """Each start on the division of its beat that costs least; blur in beats."""
    placed = starts.copy()
    beats = np.floor(starts + 0.1)  # what comes just before a beat belongs to it
    for beat in np.unique(beats):
        inside = np.flatnonzero(beats == beat)
        phases, width = starts[inside] - beat, blur[inside]

        def cost(n: int, phases: Array = phases, width: Array = width) -> float:
            grid = np.round(phases * n) / n
            crowd = len(grid) - len(np.unique(grid))
            return float((((phases - grid) / width) ** 2).sum() / 2 + DIVISIONS[n] + 3 * crowd)

        best = min(DIVISIONS, key=cost)
        placed[inside] = beat + np.round(phases * best) / best
    return placed
