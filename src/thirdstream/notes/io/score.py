"""A file -> a Score, by its suffix."""

from pathlib import Path

from thirdstream.files import MIDI_SUFFIXES, MUSICXML_SUFFIXES
from thirdstream.notes.io.midi import read_score_midi
from thirdstream.notes.io.musicxml import read_musicxml
from thirdstream.notes.types import Score, ScoreError

SUFFIXES = frozenset((*MUSICXML_SUFFIXES, *MIDI_SUFFIXES))
MIN_NOTES = 8


def read_score(path: Path, *, repeats: bool = True) -> Score:
    """Read a lead sheet or a score of three or more parts: MusicXML (.mxl, .musicxml) or MIDI.

    Bars come as they are played: repeats, endings, D.C., D.S. and coda are played out, unless
    `repeats` is false: then each bar comes once, in the order written. Pitches are those that
    sound. Where chords are not named they are found from the notes, and `remarks` says so. Raises
    ScoreError on a file that is missing, damaged, or without a melody.
    """
    if not path.is_file():
        raise ScoreError(f"{path}: there is no such file; check the path")
    if path.suffix.lower() not in SUFFIXES:
        raise ScoreError(f"{path}: is no score we read; give {', '.join(sorted(SUFFIXES))}")
    if path.suffix.lower() in MIDI_SUFFIXES:
        score = read_score_midi(path)
    else:
        score = read_musicxml(path, repeats=repeats)
    if len(score.melody) < MIN_NOTES:
        raise ScoreError(
            f"{path}: has a melody of {len(score.melody)} notes; give one of at least {MIN_NOTES}"
        )
    if not score.chords:
        raise ScoreError(f"{path}: names no chords, and none are found in it; add chord symbols")
    return score
