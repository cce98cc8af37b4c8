"""The score system: a recording is transcribed, arranged in the target style, and played."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from thirdstream import audio
from thirdstream.audio import Wave, title_of
from thirdstream.files import ThirdstreamError, reaching, sha256
from thirdstream.nearest import meant
from thirdstream.notes.arranging import STYLES, Arrangement
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.instrumentation import check_name
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.piece import Piece, metrical_level
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.rendering import ORCHESTRA, VERSION, Scene, draw_scene, scene_with, stream
from thirdstream.notes.rendering.equaliser import equalised
from thirdstream.notes.rendering.soundfont import opened
from thirdstream.notes.styles import read_style
from thirdstream.notes.styles.learned import SUFFIX, LearnedStyle, read_learned
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.transcribe import Transcription, transcribe
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.notes.types import Note, Score, Song
from thirdstream.system import Notes, Sheet, System

LOGGER = logging.getLogger("thirdstream")


class Played(NamedTuple):
    """The music of a transfer: what was transcribed, its arrangement, and when that sounds."""

    transcription: Transcription
    arrangement: Arrangement
    timing: Timing

    def write(self, recording: Path, result: Path) -> Sheet:
        """Write the arrangement as MIDI, and the transcription as lead sheet, MIDI and picture."""
        # These draw and write: a transfer alone needs neither.
        from thirdstream.notes.io.lead_sheet import chords_of_bars
        from thirdstream.notes.io.midi import write_midi
        from thirdstream.notes.transcription.sheets import write_sheets

        score = replace(self.transcription.score, title=title_of(recording))
        found = replace(self.transcription, score=score)
        midi = result.with_suffix(".mid")
        write_midi(midi, self.arrangement.song, self.timing)
        notes, lead_sheet, roll, _, *pdf = write_sheets(
            found, result.parent, f"{recording.stem}_transcription"
        )
        files = {"MIDI": midi, "Lead sheet (MusicXML)": lead_sheet, "Transcription (MIDI)": notes}
        if pdf:
            files["Lead sheet (PDF)"] = pdf[0]
        return Sheet(roll, chords_of_bars(score, found.keys), files)

    def notes(self) -> dict[str, dict[str, Notes]]:
        """Those of the transcription, and those of the arrangement without its drums."""
        found = self.transcription
        parts = {one.name: one.notes for one in self.arrangement.song.tracks if not one.is_drums}
        stages = {
            "Transcription": (
                {"all notes": found.notes, "melody": found.score.melody},
                found.timing,
            ),
            "Arrangement": (parts, self.timing),
        }
        return {
            stage: {name: _in_seconds(notes, timing) for name, notes in some.items()}
            for stage, (some, timing) in stages.items()
        }


def _in_seconds(notes: Sequence[Note], timing: Timing) -> Notes:
    beats = np.array([(note.start, note.end) for note in notes]).reshape(-1, 2)
    return np.column_stack([timing.seconds(beats), [note.pitch for note in notes]])


class ScoreSystem(System[ScoreOptions]):
    """Transfers by way of a score; it has no weights, so any two of its outputs are equal."""

    name = "score"
    styles = STYLES
    options = ScoreOptions
    keeps_dynamics = False
    learns_styles = True

    def ready(self) -> None:
        """Raise ThirdstreamError without the transcriber."""
        Transcriber()

    def parts(self) -> tuple[str, ...]:
        """The synthesiser and its soundfont."""
        return VERSION, f"{ORCHESTRA.name} {sha256(ORCHESTRA)}"

    def check(self, options: ScoreOptions) -> None:
        """As every system does; and raise ThirdstreamError where soundfont, score or style file are
        not readable, on a tempo, metre or bar that no recording has, and on players that the style
        does not have."""
        super().check(options)
        _ = options.known
        if options.soundfont is not None:
            opened(options.soundfont)
        if options.score is not None:
            _score_in(options.score)
        style = read_style(options.to, options.style_file)
        if options.ensemble is not None:
            check_name(options.ensemble, style)

    def check_style(self, style: str) -> None:
        """Raise ThirdstreamError on a style that it does not know, and on a faulty .style file."""
        if str(style).endswith(SUFFIX):
            read_learned(Path(style))
        elif style not in self.styles:
            raise ThirdstreamError(
                f"the model {self.name} does not know the style {style!r}; it knows "
                f"{' and '.join(self.styles)}, and the .style files that `thirdstream "
                f"learn-style` makes of a folder"
                + meant(str(style), (*self.styles, *_beside(style)))
            )

    def check_length(self, options: ScoreOptions, duration_s: float) -> None:
        """Raise ThirdstreamError where the known bar begins after the recording's end."""
        options.known.check_within(duration_s)

    def stream(self, blocks: Iterable[Wave], options: ScoreOptions) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into exactly as many samples.

        The whole recording is transcribed before the first block comes. Two channels come back as
        stereo, any other number as copies of one. Raises ThirdstreamError where no notes are found.
        """
        recording = audio.Counted(blocks)
        found = transcribe(recording, known=options.known)
        if options.score is not None:
            score = _score_in(options.score)
            for remark in score.remarks:
                LOGGER.warning("%s: %s", options.score, remark)
            found = replace(found, score=score)
        arrangement, timing = arranged(found, options)
        if self.on_notation is not None:
            self.on_notation(Played(found, arrangement, timing))
        yield from played(
            replace(arrangement.song, tuning=found.tuning),
            timing,
            options,
            n_samples=recording.n_samples,
            n_channels=recording.n_channels,
        )


def played(
    song: Song, timing: Timing, options: ScoreOptions, *, n_samples: int, n_channels: int
) -> Iterator[Wave]:
    """Play an arranged song along a recording, as `rendering.stream` does, so that it sounds as the
    target style's recordings do: in such a room, and where they are known, with their balance."""
    soundfont, scene = options.soundfont or ORCHESTRA, scene_of(options)
    style = read_style(options.to, options.style_file)
    if isinstance(style, LearnedStyle) and style.balance_db is not None:
        scene = equalised(
            scene, song, timing, soundfont, balance_db=style.balance_db, n_samples=n_samples
        )
    yield from stream(song, timing, soundfont, scene, n_samples=n_samples, n_channels=n_channels)


def scene_of(options: ScoreOptions) -> Scene:
    """Where the result is played: in a room as the target style's are. Of one that was learned from
    MIDI files nothing is known: jazz's where there are drums, else classical music's.
    """
    style, seed = read_style(options.to, options.style_file), str(options.seed)
    if not isinstance(style, LearnedStyle):
        return draw_scene(options.to, seed=seed)
    known = style.reverberation
    if known is None:
        return draw_scene("jazz" if style.has_drums else "classical", seed=seed)
    return scene_with(decay_s=known.decay_s, wet=known.wet, seed=seed)


def arranged(found: Transcription, options: ScoreOptions) -> tuple[Arrangement, Timing]:
    """A transcription, arranged as the options say, and when its quarter notes sound.

    With the source style as the target, the transcribed notes as they are, on that style's
    instruments. Raises ThirdstreamError as `cover` does.
    """
    asked = ArrangementOptions(
        options.to,
        options.ensemble,
        options.style_strength,
        options.keep_content,
        options.seed,
        options.style_file,
    )
    if options.source == options.to:
        asked = replace(asked, style_strength=0.0, keep_content=1.0)
    beats_s = np.array(found.timing.beats_s)
    length = float(found.timing.beats(found.duration_s))
    score = within(found.score, length)
    beat_s = float(np.median(np.diff(beats_s)))
    piece = Piece(score, found.notes, 60 * found.timing.beat / beat_s)
    factor = metrical_level(piece, asked.read_style())
    if factor == 1:
        return cover(piece, asked), found.timing
    n_beats = math.ceil(len(beats_s) * found.timing.beat * factor) + 1
    timing = Timing(tuple(found.timing.seconds(np.arange(n_beats) / factor).tolist()))
    return cover(piece.scaled(factor), asked), timing


def _score_in(path: Path) -> Score:
    """A lead sheet; one that is checked before there is any work is not read again for it."""
    with reaching():
        modified = path.stat().st_mtime if path.is_file() else 0.0
    return _read_score(path, modified)


@lru_cache(maxsize=4)
def _read_score(path: Path, modified: float) -> Score:
    from thirdstream.notes.io.score import read_score  # of MusicXML and MIDI, seldom asked for

    return read_score(path)


def _beside(style: object) -> list[str]:
    """Files and folders of styles that lie where a style was looked for."""
    with suppress(OSError):
        inside = Path(str(style)).parent.iterdir()
        return [str(one) for one in inside if one.suffix == SUFFIX or one.is_dir()]
    return []


def within(score: Score, length: float) -> Score:
    """A score of `length` quarter notes: what begins later is left out, what ends later cut."""
    melody, chords = (
        [part for part in parts if part.start < length - 0.01]
        for parts in (score.melody, score.chords)
    )
    return replace(
        score,
        melody=tuple(replace(n, length=min(n.length, length - n.start)) for n in melody),
        chords=tuple(replace(c, length=min(c.length, length - c.start)) for c in chords),
        voices=(),
        length=length,
    )
