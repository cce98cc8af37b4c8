"""Covers in a learned style: bars that its recordings' players played, over the piece's harmony."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from thirdstream.notes.arranging.arrangement import Arrangement
from thirdstream.notes.arranging.base import BaseCover
from thirdstream.notes.arranging.harmony import with_sevenths
from thirdstream.notes.arranging.instrumentation import recording_named
from thirdstream.notes.arranging.lines import folded, midi_velocity, outside
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.parts import Part
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.arranging.pulse import THIRDS, Pulse, in_thirds, swung
from thirdstream.notes.arranging.repitching import Harmony, repitched
from thirdstream.notes.arranging.retrieval import Wanted, energies_of, following, retrieved
from thirdstream.notes.styles import instrument
from thirdstream.notes.styles.entries import NARROWEST, Instrument, Style
from thirdstream.notes.styles.learned import Bar, LearnedStyle, Player, Role, Stroke
from thirdstream.notes.timing import moved
from thirdstream.notes.types import Chord, Note, Score, without_gaps

LEVELS: dict[Role, int] = {"bass": 84, "harmony": 66, "drums": 76}  # velocities
SEVENTHS = 0.4  # share of a style's chords with a seventh from which all of a piece's get one
EVEN = 1.2  # swing below which halves of beats become thirds where a beat has three
DRUMS = Instrument("drums", 0, 0, 127)
AROUND = 3  # semitones beyond where melodies of the style lie in which a soloist plays, too
LEAST_RANGE = 24  # semitones of a soloist


class LearnedCover(BaseCover[Style]):
    """The melody by the style's soloist, over bars of its recordings."""

    def __init__(self, piece: Piece, learned: LearnedStyle, options: ArrangementOptions) -> None:
        super().__init__(piece, learned.in_covers, replace(options, style=learned.name))
        self.learned, self.phrasing = learned, learned.phrasing
        pulse = Pulse(self.score)
        self.tempo = piece.beats_per_minute / pulse.length
        if self.is_plain:
            self.feel = replace(self.feel, ratio=learned.swing(self.tempo))

    def arrangement(self) -> Arrangement:
        song = self.song(self.tracks())
        name = self.learned.name
        return Arrangement(name, name, "learned", song, self.score.n_bars)

    def parts(self) -> list[Part]:
        if not self.score.chords:
            return self.solos((self._soloist(self.learned.recordings[0].players),))
        score = _with_usual_chords(self.harmony, self.learned)
        pulse = Pulse(score)
        wanted = _wanted(self.piece, score, pulse)
        bars = retrieved(self.learned, wanted, tempo=self.tempo, rng=self.rng)
        band = self._band(bars)
        parts = self.solos((self._soloist(self.learned.recordings[band].players),))
        players = _Players(self.learned, band)
        for one, bar in zip(wanted, bars, strict=True):
            players.play(bar, one)
        lead = {part.instrument.name for part in parts}
        for (role, program), strokes in players.strokes.items():
            notes = outside(_sounding(strokes, pulse), score.tacet)
            kind = replace(DRUMS, program=program) if role == "drums" else instrument(program)
            notes = [replace(n, pitch=folded(n.pitch, kind.lowest, kind.highest)) for n in notes]
            if kind.name in lead:  # apart from the melody, which is the same instrument's
                kind = replace(kind, name=f"{kind.name} ({role})")
            parts.append(
                Part(kind, role, styled=notes, polyphonic=role == "harmony", is_timed=True)
            )
        return parts

    def _band(self, bars: Sequence[Bar]) -> int:
        """The recording whose players play: the one that is asked for, or has most of the bars."""
        if self.options.ensemble is None:
            return Counter(bar.recording for bar in bars).most_common(1)[0][0]
        return recording_named(self.options.ensemble, self.learned)

    def _soloist(self, players: Sequence[Player]) -> Instrument:
        """Who has the melody, where melodies of the style lie."""
        own = next((p for p in players if p.role == "melody"), None)
        if own is None:
            return instrument(0)
        return _where_melodies_lie(self.learned, instrument(own.program))


def _where_melodies_lie(style: LearnedStyle, kind: Instrument) -> Instrument:
    """An instrument with as much of its range as melodies of the style have, and some more."""
    every = [p for one in style.recordings for p in one.players if p.role == "melody"]
    lowest = round(median(p.lowest for p in every)) - AROUND
    highest = max(round(median(p.highest for p in every)) + AROUND, lowest + LEAST_RANGE)
    lowest = max(min(lowest, kind.highest - LEAST_RANGE), kind.lowest)
    return replace(kind, lowest=lowest, highest=max(min(highest, kind.highest), lowest + NARROWEST))


class _Players:
    """Who plays in a cover: the players of one recording, the band, and what each plays.

    strokes: by role and General MIDI program, in beats of the piece. What others played goes to the
    band's player of the same role, with the same instrument if there is one; a role that the band
    has not, to whoever played it first.
    """

    def __init__(self, style: LearnedStyle, band: int) -> None:
        self.style = style
        self.strokes: dict[tuple[Role, int], list[Note]] = {}
        self.of_role = {
            role: [p for p in style.recordings[band].players if p.role == role] for role in LEVELS
        }
        self.numbers = {(bar.recording, bar.number): n for n, bar in enumerate(style.bars)}

    def play(self, bar: Bar, wanted: Wanted) -> None:
        """A bar of the style where a piece wants one."""
        players = self.style.source(bar).players
        after = following(self.style.bars, self.numbers[bar.recording, bar.number])
        over = Harmony.of_symbols(bar.chords, after, bar.length)
        now = Harmony(wanted.chords, wanted.after)
        for number, strokes in sorted(bar.notes.items()):
            own = players[number]
            if own.role == "drums" and not self.style.has_drums:  # misheard
                continue
            before = sum(player.role == own.role for player in players[:number])
            programs = self._player(own, number=before).programs
            fitted = _fitted(strokes, bar.length, wanted.length)
            if own.role != "drums":
                fitted = repitched(fitted, over, now)
            level = LEVELS[own.role] - own.velocity
            even = self.style.source(bar).swing < EVEN and not self.style.source(bar).thirds
            notes = [
                _placed(one, wanted, louder=level, in_thirds=wanted.thirds and even)
                for one in fitted
            ]
            softer = _softer(notes, n_players=len(programs))
            for program in programs:
                self.strokes.setdefault((own.role, program), []).extend(softer)

    def _player(self, own: Player, *, number: int) -> Player:
        """The band's for a player of another recording, who has this number among its role's."""
        able = self.of_role[own.role]
        if not able:
            able.append(own)
        same = (player for player in able if player.program == own.program)
        return next(same, able[min(number, len(able) - 1)])


def _fitted(strokes: Sequence[Stroke], played: int, wanted: int) -> list[Stroke]:
    """The strokes of a bar in one of another length: cut, or begun again."""
    found = []
    for first in range(0, wanted, played):
        found += [(at + first, *rest) for at, *rest in strokes if at + first < wanted - 0.05]
    return [
        (at, min(length, wanted - at) if played > wanted else length, *rest)
        for at, length, *rest in found
    ]


def _placed(stroke: Stroke, wanted: Wanted, *, louder: int, in_thirds: bool) -> Note:
    """A stroke as a note, in beats of the piece."""
    at, length, pitch, velocity = stroke
    start, end = (swung(one, THIRDS) if in_thirds else one for one in (at, at + length))
    return Note(
        wanted.start + start, max(end - start, 0.05), pitch, midi_velocity(velocity + louder)
    )


def _softer(notes: Sequence[Note], *, n_players: int) -> list[Note]:
    """Notes as each of several plays them, so that together they are as loud as one: power goes
    with the fourth power of the velocity."""
    share = n_players**-0.25
    return [replace(note, velocity=midi_velocity(share * note.velocity)) for note in notes]


def _sounding(strokes: Sequence[Note], pulse: Pulse) -> list[Note]:
    """Notes in beats, in quarter notes."""
    placed = moved(strokes, pulse.unlinear)
    return sorted(replace(note, start=max(note.start, 0.0)) for note in placed)


def _with_usual_chords(score: Score, style: LearnedStyle) -> Score:
    """The score with a seventh on each chord, where that is usual in the style."""
    chords = [chord for bar in style.bars for chord in bar.chords]
    sevenths = sum(not {9, 10, 11}.isdisjoint(intervals) for _, _, intervals, _ in chords)
    if sevenths < SEVENTHS * len(chords):
        return score
    filled = with_sevenths(score.chords, score.melody)
    return replace(score, chords=without_gaps(filled, score.n_beats))


def _wanted(piece: Piece, score: Score, pulse: Pulse) -> list[Wanted]:
    """The bars of a piece, as `retrieved` looks for them."""
    chords, bars = moved(score.chords, pulse.linear), pulse.spans
    notes = piece.notes or score.melody
    places = pulse.linear([note.start for note in notes])
    counted = [replace(note, start=float(at)) for note, at in zip(notes, places, strict=True)]
    energies = energies_of(counted, bars)
    thirds = in_thirds(pulse.length)
    found = []
    for number, (start, length) in enumerate(bars):
        own, after = _chords_in(chords, start, start + length)
        found.append(Wanted(number, start, length, own, after, float(energies[number]),
                            last=number == len(bars) - 1, thirds=thirds))  # fmt: skip
    return found


def _chords_in(chords: Sequence[Chord], start: int, end: int) -> tuple[tuple[Chord, ...], Chord]:
    """The chords of a bar, from its bar line, and the one after it."""
    inside = [chord for chord in chords if chord.start < end - 0.05 and chord.end > start + 0.05]
    inside = inside or [min(chords, key=lambda chord: abs(chord.start - start))]
    later = next((chord for chord in chords if chord.end > end + 0.05), inside[-1])
    own = [
        replace(
            chord,
            start=max(chord.start - start, 0.0),
            length=min(chord.end, end) - max(chord.start, start),
        )
        for chord in inside
    ]
    own[0] = replace(own[0], start=0.0)
    return tuple(own), replace(later, start=float(end - start))
