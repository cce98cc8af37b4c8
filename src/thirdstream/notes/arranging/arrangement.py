"""A piece arranged in a style, and how lines become its tracks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from thirdstream.notes.styles.entries import Instrument
from thirdstream.notes.types import Note, Song, Track

Line = tuple[Instrument, Sequence[Note]]


@dataclass(frozen=True)
class Arrangement:
    """A piece in a style: tracks at one tempo, and what was chosen for them."""

    style: str
    ensemble: str
    groove: str
    song: Song
    n_bars: int

    @property
    def seconds(self) -> float:
        """From the first bar line to the end of the last bar."""
        return self.song.metres.line(self.n_bars) * 60 / self.song.beats_per_minute


def merged(lines: Iterable[Line]) -> list[tuple[Instrument, list[Note]]]:
    """One line an instrument's name: the hands of a pianist, the voices of an organ."""
    found: dict[str, tuple[Instrument, list[Note]]] = {}
    for instrument, notes in lines:
        found.setdefault(instrument.name, (instrument, []))[1].extend(notes)
    return list(found.values())


def track(
    instrument: Instrument, notes: Iterable[Note], n_beats: float, *, is_drums: bool = False
) -> Track:
    """The track of an instrument, cut to the piece; a pitch never sounds twice at a time."""
    last: dict[int, int] = {}
    kept: list[Note] = []
    for note in _inside(notes, n_beats):
        before = last.get(note.pitch)
        if before is not None and kept[before].end > note.start:
            one = kept[before]
            if note.start - one.start < 0.02:  # struck twice: once is enough
                kept[before] = replace(one, length=max(one.length, note.length))
                continue
            kept[before] = replace(one, length=note.start - one.start)
        last[note.pitch] = len(kept)
        kept.append(note)
    return Track(instrument.name, instrument.program, tuple(kept), is_drums, instrument.pan)


def _inside(notes: Iterable[Note], n_beats: float) -> list[Note]:
    """Notes in order that start at zero or later and end with the last bar."""
    cut = ((max(note.start, 0.0), min(note.end, n_beats), note) for note in notes)
    return sorted(
        Note(start, end - start, note.pitch, note.velocity)
        for start, end, note in cut
        if end - start > 0.01
    )
