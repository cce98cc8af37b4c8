"""Recording -> what was played: tempo map, metre, key, chords, melody, and every note.

    found = transcribe_file(Path("song.mp3"))
    found.score                       # melody and chords, in quarter notes
    found.timing.seconds(found.score.melody[0].start)

Bars of three, four, five and seven quarter notes are told apart, and of two, three and four dotted
ones (6/8, 9/8, 12/8). A bar of two quarters becomes half of one of four; in other metres the one of
these that suits best is found. Bars of three and of four quarters may follow one another. Whoever
knows better says so:

    transcribe_file(Path("song.mp3"), known=Known(tempo=70, metre="6/8", start_bar_s=1.84))

All is found in beats, and turned into quarter notes at the end: those of a dotted quarter are 1.5.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.files import ThirdstreamError
from thirdstream.notes.key import Key
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.beats import Bars, bars_of, steady_bars
from thirdstream.notes.transcription.chords import (
    ChordBeats,
    ChromaSums,
    beat_chroma,
    decode,
    posterior_of,
    with_evidence,
)
from thirdstream.notes.transcription.confidence import BarConfidence, confidence_of
from thirdstream.notes.transcription.features import FPS, FrameFeatures, frame_features
from thirdstream.notes.transcription.keys import key_of, keys_of
from thirdstream.notes.transcription.known import NOTHING, Known
from thirdstream.notes.transcription.melody import melody_of
from thirdstream.notes.transcription.note_events import NoteEvents, clear_notes, onset_confidence
from thirdstream.notes.transcription.quantisation import (
    DOTTED,
    QUARTERS,
    SHORTER,
    quantised,
    swing_of,
)
from thirdstream.notes.transcription.transcriber import Posteriors
from thirdstream.notes.transcription.upbeat import begun, pickup_of
from thirdstream.notes.types import Chord, Note, Score, stretched

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Transcription:
    """What is played in a recording.

    score: melody and chords on the grid of beats and their divisions, swung eighths written even;
    no voices. timing: when its beats sound; the first is a bar line at 0 s or before, the last one
    at the end of the recording or after. notes: all that were transcribed,
    in quarter notes, as they were played. tuning: how many semitones the recording lies above
    A = 440 Hz, 0 where it is near. confidence: of each bar, in order. key: of the whole piece;
    keys: those that it goes through, each with the quarter note where it begins; by default that
    one. swing: where second eighths are played in the beat; 0.5 is even.
    """

    score: Score
    timing: Timing
    notes: tuple[Note, ...]
    key: Key
    duration_s: float
    tuning: float = 0.0
    confidence: tuple[BarConfidence, ...] = ()
    swing: float = 0.5
    keys: tuple[tuple[float, Key], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", self.keys or ((0.0, self.key),))

    @property
    def lines_s(self) -> Array:
        """When bars begin, and the last one ends."""
        metres = self.score.metres
        n_bars = metres.n_bars((len(self.timing.beats_s) - 1) * self.timing.beat)
        return self.timing.seconds([metres.line(bar) for bar in range(n_bars + 1)])


def transcribe(
    blocks: Iterable[Wave],
    *,
    title: str = "",
    known: Known = NOTHING,
    progress: Callable[[float], None] = lambda seconds: None,
) -> Transcription:
    """Transcribe a stream of (n_channels, n_samples) blocks at 44,100 Hz, of -20 dB RMS.

    title: of the score. known: what a user says of the beats, which overrides what is detected.
    progress: told the seconds done so far. A recording without a pulse has the tempo, metre and
    bar lines that are known, else a steady tempo of 120. Raises ThirdstreamError where no notes are
    found, or the known bar begins after the end, and MissingPackage without the transcriber.
    """
    with threadpool_limits(1, "blas"):  # its matrices are small: threads would wait for each other
        features = frame_features(blocks, progress=progress)
        known.check_within(features.duration_s)
        with ThreadPoolExecutor(1) as other_core:
            counting = other_core.submit(bars_of, features, known)
            found = clear_notes(features.posteriors, features.flux)
            line = melody_of(found, features)
        if not len(line):
            raise ThirdstreamError("no notes are found in it; give music with pitches")
        bars = counting.result() or steady_bars(features.duration_s, known)
        return _counted(features, found, line, bars=bars, title=title, known=known)


def _counted(
    features: FrameFeatures,
    found: NoteEvents,
    line: NDArray[np.int_],
    *,
    bars: Bars,
    title: str,
    known: Known,
) -> Transcription:
    """Notes, and which of them are the melody, with beats, bars and chords."""
    known = known if known.metre else Known(metre=bars.signature)
    timing, beat = Timing(tuple(bars.beats_s.tolist())), known.pulse
    notes = _as_played(found, features, timing)
    harmony, by_beats = _harmony(features.posteriors, bars, notes)
    melody = NoteEvents(*(part[line] for part in found))
    tune, swing = _tune(notes, line, timing, known)
    played = stretched(notes, beat)
    chords, plain = (
        begun(stretched(some, beat), tune, played) for some in (harmony.chords, by_beats)
    )
    signature = known.signature or metre(bars.beats_per_bar, 4)
    metres = bars.metres if bars.changes else Metres.steady(signature)
    score = Score(
        title=title,
        melody=tune,
        chords=chords,
        metres=metres,
        pickup=pickup_of((*tune, *chords), metres),
        beats_per_minute=round(bars.beats_per_minute * beat, 1),
    )
    for_key = replace(score, chords=plain)
    return Transcription(
        score,
        replace(timing, beat=beat),
        notes=tuple(sorted(played)),
        key=key_of(for_key),
        duration_s=features.duration_s,
        tuning=features.tuning,
        confidence=confidence_of(features, bars, harmony, melody=melody),
        swing=swing,
        keys=keys_of(for_key),
    )


def _tune(
    notes: Sequence[Note], line: NDArray[np.int_], timing: Timing, known: Known
) -> tuple[tuple[Note, ...], float]:
    """The melody on the grid, in quarter notes; and where second eighths are played in the beat."""
    grid = DOTTED if known.is_compound else QUARTERS if known.pulse == 1 else SHORTER
    swing = swing_of(np.array([note.start % 1.0 for note in notes])) if grid.may_swing else 0.5
    written = quantised([notes[k] for k in line], timing, grid, swing)
    return stretched(written, known.pulse), swing


def transcribe_file(
    path: Path,
    *,
    known: Known = NOTHING,
    progress: Callable[[float], None] = lambda share: None,
) -> Transcription:
    """Transcribe a file, whatever its level; progress is told the share done so far.

    known: as of `transcribe`.

    Raises AudioError if it cannot be read, and ThirdstreamError as `transcribe` does.
    """
    level, recording = audio.measured(path)
    if level.silent:
        raise ThirdstreamError(f"{path}: is silent; give a recording with music in it")
    duration_s = level.n_samples / audio.info(path).sr
    blocks = (block * np.float32(level.gain) for block in audio.centred(recording, level))
    try:
        known.check_within(duration_s)
        return transcribe(
            blocks,
            title=audio.title_of(path),
            known=known,
            progress=lambda seconds: progress(min(seconds / duration_s, 1.0)),
        )
    except ThirdstreamError as error:
        raise ThirdstreamError(f"{path}: {error}") from error


def _harmony(
    posteriors: Posteriors, bars: Bars, notes: Sequence[Note]
) -> tuple[ChordBeats, tuple[Chord, ...]]:
    """The chords of the beats in which a note sounds; and those that each beat tells alone, from
    which the key's weights were learnt."""
    n_beats = len(bars.beats_s) - 1
    edges = np.zeros(n_beats + 1, int)
    for note in notes:
        first = min(max(math.floor(note.start), 0), n_beats)
        edges[first] += 1
        edges[min(max(math.ceil(note.end), first), n_beats)] -= 1
    sounding = np.cumsum(edges)[:-1] > 0
    chroma = beat_chroma(ChromaSums.of(posteriors), bars.beats_s * FPS)
    chords, by_beats = (
        with_evidence(
            decode(chroma, bars.metres, sounding=sounding, alone=alone),
            notes,
            bars.metres,
        )
        for alone in (False, True)
    )
    posterior = posterior_of(chroma, bars.metres, sounding=sounding)
    return ChordBeats(chords, posterior, sounding), by_beats


def _as_played(found: NoteEvents, features: FrameFeatures, timing: Timing) -> list[Note]:
    """The notes in quarter notes, unrounded, as loud as the recording is where they begin."""
    starts, ends = (timing.beats(found.intervals[:, k]) for k in (0, 1))
    frames = np.round(found.intervals[:, 0] * FPS).astype(int)
    around = np.clip(frames[:, None] + np.arange(0, 9), 0, features.n_frames - 1)
    level = features.level[around].max(axis=1)
    # MIDI: amplitude goes with the square of the velocity; -20 dB is 80.
    onsets = onset_confidence(found, features.posteriors)
    velocities = 80 * np.sqrt(level / 0.1) * (0.8 + 0.3 * onsets)
    return [
        Note(float(start), float(end - start), int(pitch), int(np.clip(velocity, 1, 127)))
        for start, end, pitch, velocity in zip(starts, ends, found.pitches, velocities, strict=True)
    ]
