"""The score system: a recording is heard as notes, arranged in the target style, and played."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from thirdstream.audio import Wave
from thirdstream.files import sha256
from thirdstream.notes.arranging import STYLES, Arrangement
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.piece import Piece, metrical_level
from thirdstream.notes.rendering import ORCHESTRA, VERSION, draw_scene, stream
from thirdstream.notes.rendering.soundfont import opened
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription.listening import Heard, listen
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.notes.types import Score, read_score
from thirdstream.transfer import Options, System

LOGGER = logging.getLogger("thirdstream")
# Of the style, and of the recording's own notes, where nothing else is asked for.
STRENGTH, KEEP = 0.75, 1.0


class Played(NamedTuple):
    """What a transfer went by way of: what was heard, its arrangement, and when that sounds."""

    heard: Heard
    arrangement: Arrangement
    timing: Timing


class ScoreSystem(System):
    """Transfers by way of a score; it has no weights, so any two of its makers are equal.

    tell: is given what each transfer went by way of, before the first of its sound.
    """

    name = "score"
    styles = (STYLES[0], STYLES[1])
    takes = ("ensemble", "score", "soundfont")
    strength, keep = STRENGTH, KEEP
    follows = False

    def __init__(self, tell: Callable[[Played], None] | None = None) -> None:
        self.tell = tell

    def ready(self) -> None:
        """Raise ThirdstreamError without the transcriber."""
        Transcriber()

    def parts(self) -> tuple[str, ...]:
        """The synthesiser and its soundfont."""
        return VERSION, f"{ORCHESTRA.name} {sha256(ORCHESTRA)}"

    def check(self, options: Options) -> None:
        """As every system does; and raise ThirdstreamError where the soundfont is not readable."""
        super().check(options)
        if options.soundfont is not None:
            opened(options.soundfont)

    def stream(self, blocks: Iterable[Wave], options: Options) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into exactly as many samples.

        The whole recording is heard before the first block comes. Two channels come back as stereo,
        any other number as copies of one. Raises ThirdstreamError where no notes are heard.
        """
        n_channels = n_samples = 0

        def counted() -> Iterator[Wave]:
            nonlocal n_channels, n_samples
            for block in blocks:
                n_channels, n_samples = block.shape[0], n_samples + block.shape[1]
                yield block

        heard = listen(counted())
        if options.score is not None:
            score = read_score(options.score)
            for remark in score.remarks:
                LOGGER.warning("%s: %s", options.score, remark)
            heard = replace(heard, score=score)
        arrangement, timing = arranged(heard, options)
        if self.tell is not None:
            self.tell(Played(heard, arrangement, timing))
        yield from stream(
            replace(arrangement.song, tuning=heard.tuning),
            timing,
            options.soundfont or ORCHESTRA,
            draw_scene(options.to, seed=str(options.seed)),
            n_samples=n_samples,
            n_channels=n_channels,
        )


def arranged(heard: Heard, options: Options) -> tuple[Arrangement, Timing]:
    """What was heard, arranged as the options say, and when its quarter notes sound.

    With the source style as the target, the transcribed notes as they are, on that style's
    instruments. Raises ThirdstreamError as `cover` does.
    """
    keep = KEEP if options.keep_content is None else options.keep_content
    strength = STRENGTH if options.style_strength is None else options.style_strength
    asked = ArrangementOptions(options.to, options.ensemble, strength, keep, options.seed)
    if options.source == options.to:
        asked = replace(asked, style_strength=0.0, keep_content=1.0)
    beats_s = np.array(heard.timing.beats_s)
    length = float(heard.timing.beats(heard.duration_s))
    score = within(heard.score, length)
    piece = Piece(score, heard.notes, 60 / float(np.median(np.diff(beats_s))))
    factor = metrical_level(piece, asked.read_style())
    if factor == 1:
        return cover(piece, asked), heard.timing
    n_beats = math.ceil(len(beats_s) * factor) + 1
    timing = Timing(tuple(heard.timing.seconds(np.arange(n_beats) / factor).tolist()))
    return cover(piece.scaled(factor), asked), timing


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
