"""A transcription as files: MIDI, a lead sheet, a piano roll, and JSON.

NAME.mid has every note, as played, over the tempo map; it begins when the recording does, so its
first bar may be a short one. NAME.musicxml is melody and chord symbols, NAME.pdf the same on paper.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thirdstream.files import whole_file, write_json
from thirdstream.notes.io.engraving import engrave
from thirdstream.notes.io.lead_sheet import without_controls, write_lead_sheet
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.io.rhythm import plain_rhythm
from thirdstream.notes.sections import sections_of
from thirdstream.notes.transcription.places import sheet_paths
from thirdstream.notes.transcription.roll import chord_symbols, draw_roll
from thirdstream.notes.transcription.transcribe import Transcription
from thirdstream.notes.types import Song, Track

# Verovio is not among them: it knows its fonts in the thread alone that imports it.
WRITERS = ("mido", "music21", "music21.musicxml.m21ToXml", "reportlab.pdfgen.canvas")


def write_sheets(found: Transcription, out: Path, name: str, *, force: bool = False) -> list[Path]:
    """Write NAME.mid, .musicxml, .png and .json into the folder `out`, and .pdf with the extra
    `pdf`: all, whole, or none.

    Raises ThirdstreamError without the extra `scores`, or where one exists without `force`.
    """
    paths = sheet_paths(out, name, force=force)
    score = found.score
    tempo = score.beats_per_minute or 120.0
    sections = sections_of(score)
    song = Song((Track("transcription", 0, found.notes),), tempo, metres=score.metres)
    with ExitStack() as stack:  # what went wrong with one leaves none
        midi, sheet, roll, data, *pdf = (stack.enter_context(whole_file(path)) for path in paths)
        write_midi(midi, song, found.timing)
        first, *changes = found.keys
        write_lead_sheet(
            sheet, plain_rhythm(score), first[1],
            changes=changes, sections=sections, swung=found.swing != 0.5,
        )  # fmt: skip
        draw_roll(roll, found)
        write_json(data, _unsigned_zeros(_data(found, sections)))
        for one in pdf:
            engrave(sheet, one, title=without_controls(score.title))
    return paths


def _data(found: Transcription, sections: Mapping[int, str]) -> dict[str, Any]:
    beat, metres = found.timing.beat, found.score.metres
    starts = {metres.line(bar): name for bar, name in sections.items()}
    usual = metres.usual(found.score.n_beats)

    def within_s(start: float) -> float:
        """Of the recording, which begins within the first bar."""
        return round(max(float(found.timing.seconds(start)), 0.0), 3)

    return {
        "duration_s": found.duration_s,
        "key": found.key.name,
        "keys": [{"start_s": within_s(start), "key": key.name} for start, key in found.keys],
        "tuning_semitones": round(found.tuning, 3),
        "metre": usual.name,
        "metres": [
            {"start_s": within_s(start), "metre": one.name} for start, one in metres.changes
        ],
        "beats_per_bar": round(usual.length / beat),
        "beats_per_minute": round((found.score.beats_per_minute or 120.0) / beat, 1),
        "quarters_per_beat": beat,
        "pickup": round(found.score.pickup, 4),
        "swing": round(found.swing, 3),
        "sections": [
            {"name": name, "start": at, "start_s": round(float(found.timing.seconds(at)), 4)}
            for at, name in starts.items()
        ],
        "beats_s": [round(beat, 4) for beat in found.timing.beats_s],
        "chords": [asdict(chord) | {"symbol": text} for chord, text in chord_symbols(found)],
        "melody": [asdict(note) for note in found.score.melody],
        "confidence": [
            {name: round(value, 3) for name, value in asdict(bar).items()}
            for bar in found.confidence
        ],
    }


def _unsigned_zeros(content: Any) -> Any:
    """The same, with 0.0 in place of -0.0."""
    if isinstance(content, dict):
        return {name: _unsigned_zeros(one) for name, one in content.items()}
    if isinstance(content, list | tuple):
        return [_unsigned_zeros(one) for one in content]
    return content + 0.0 if isinstance(content, float) else content
