"""Jazz arrangements: swung melody with ornaments, comping, bass and drums.

Everything is laid out in even eighths, and swung at the end: the first eighth of a beat takes as
many times as long as the second as the style's `swing` says (Friberg and Sundstrom 2002: about
twice at slow tempi, nearly as long at fast ones).
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from thirdstream.notes.arranging.arrangement import Arrangement, Line, merged, track
from thirdstream.notes.arranging.bass import BassPlayer
from thirdstream.notes.arranging.comping import comp
from thirdstream.notes.arranging.drums import drums
from thirdstream.notes.arranging.harmony import Change, changes
from thirdstream.notes.arranging.horns import brass, saxophones
from thirdstream.notes.arranging.lines import into_range, midi_velocity, outside
from thirdstream.notes.arranging.pulse import Pulse
from thirdstream.notes.styles.entries import Instrument, Phrasing, draw
from thirdstream.notes.styles.jazz import Groove, JazzStyle
from thirdstream.notes.types import Note, Score, Song


def jazz(
    score: Score, style: JazzStyle, *, groove: str, beats_per_minute: float, rng: random.Random
) -> Arrangement:
    """Arrange a piece in one of the style's grooves; the key is the score's."""
    how, pulse = style.grooves[groove], Pulse(score)
    harmony = changes(pulse.score)
    ratio = 1.0 if how.straight else style.swing.ratio(beats_per_minute / pulse.length)
    lines = _melody(pulse, harmony, style, how, rng)
    lines += rhythm_section(pulse, harmony, style, how, rng)
    tracks = [
        track(i, _swung(notes, pulse, ratio, rng), score.n_beats) for i, notes in merged(lines)
    ]
    strokes = list(drums(how, style.fills, pulse.bars, rng))
    strokes = _swung(strokes, pulse, ratio, rng)
    tracks.append(track(drum_set(how), strokes, score.n_beats, is_drums=True))
    song = Song(tuple(tracks), beats_per_minute, metres=score.metres)
    return Arrangement("jazz", how.ensemble, groove, song, score.n_bars)


def drum_set(groove: Groove) -> Instrument:
    """The groove's drum kit."""
    return Instrument("drums", groove.kit, 0, 127)


def rhythm_section(
    pulse: Pulse, harmony: Sequence[Change], style: JazzStyle, groove: Groove, rng: random.Random
) -> list[Line]:
    """Who comps, and the bass; in even beats."""
    comping = list(comp(pulse, harmony, groove.comping, style.voicings, rng))
    comper = draw(groove.comping.instruments, rng)
    line = BassPlayer(style.bass, rng).line(groove.bass, harmony, pulse.cells)
    lines = ((comper, comping), (style.bass.instrument, line))
    return [(instrument, outside(notes, pulse.score.tacet)) for instrument, notes in lines]


def _swung(notes: Iterable[Note], pulse: Pulse, ratio: float, rng: random.Random) -> list[Note]:
    """Notes in swing and in quarter notes, each up to a fiftieth of one late."""
    result = []
    for note in notes:
        late = rng.uniform(0.0, 0.02)
        start, end = pulse.quarters(note.start, ratio), pulse.quarters(note.end, ratio)
        result.append(Note(start + late, max(end - start - late, 0.05), note.pitch, note.velocity))
    return result


def _melody(
    pulse: Pulse, harmony: Sequence[Change], style: JazzStyle, groove: Groove, rng: random.Random
) -> list[Line]:
    """The melody, phrased, for one player; or in saxophones, with brass that answers."""
    lead = groove.horns.saxophones[0] if groove.horns else draw(groove.soloists, rng)
    lowest, highest = groove.melody_range or (lead.lowest + 3, lead.highest)
    melody = into_range(pulse.score.melody, lowest, highest)
    line = phrased(melody, style.phrasing_of_scores, rng, even=groove.straight)
    if groove.horns:
        section = saxophones(line, harmony, groove.horns, pulse.score.tacet)
        return section + brass(pulse, harmony, line, groove.horns, style.voicings, rng)
    if groove.octaves:
        line += _octaves(line, groove.octaves, rng)
    return [(lead, line)]


def _octaves(melody: Sequence[Note], share: float, rng: random.Random) -> list[Note]:
    """The octave above some of the longer notes, as pianists play the head."""
    return [
        replace(note, pitch=note.pitch + 12, velocity=midi_velocity(note.velocity - 12))
        for note in melody
        if note.length >= 0.9 and note.pitch <= 82 and rng.random() < share
    ]


def phrased(
    melody: Sequence[Note], phrasing: Phrasing, rng: random.Random, *, even: bool
) -> list[Note]:
    """A melody as a jazz player phrases it.

    Some notes on the beat come an eighth early where there is room, long ones get an approach note
    a semitone below, short ones before long ones are cut, off-beats are accented.
    """
    played: list[Note] = []
    for number, note in enumerate(melody):
        before_end = played[-1].end if played else 0.0
        start, room = note.start, note.start - (melody[number - 1].start if number else 0.0)
        on_beat = abs(start - round(start)) < 1e-6
        could_anticipate = on_beat and min(room, note.length) >= 1 and start >= 0.5
        if could_anticipate and rng.random() < phrasing.anticipation:
            start -= 0.5
        length = note.end - start
        length *= 0.95 if length >= 1 else (0.8 if even else rng.choice([0.9, 0.9, 0.55]))
        if played and before_end > start:
            played[-1] = replace(played[-1], length=max(start - played[-1].start, 0.1))
        velocity = 92 + (8 if start % 1.0 else 0) + rng.uniform(-8, 8)
        approachable = start == note.start and room >= 1.5 and note.length >= 1
        if approachable and rng.random() < phrasing.approach:
            grace = start - 0.5
            played[-1:] = [replace(p, length=max(min(p.end, grace) - p.start, 0.1))
                           for p in played[-1:]]  # fmt: skip
            played.append(Note(grace, 0.45, note.pitch - 1, midi_velocity(velocity - 14)))
        played.append(Note(start, length, note.pitch, midi_velocity(velocity)))
    return played
