"""A recording's piece in a style: what was transcribed, and what the style's players make of it.

Three layers meet. The melody moves from the recording's rhythm to the style's. The accompaniment is
the style's arranger's. The recording's other notes are added where neither plays them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thirdstream.notes.arranging.arrangement import Arrangement, Line, track
from thirdstream.notes.arranging.base import BaseCover
from thirdstream.notes.arranging.bass import BassPlayer
from thirdstream.notes.arranging.classical import (
    accompaniment,
    octave_below,
    ornamented,
)
from thirdstream.notes.arranging.comping import answering_strokes, voiced
from thirdstream.notes.arranging.drums import drums
from thirdstream.notes.arranging.harmony import Change, changes
from thirdstream.notes.arranging.horns import brass, saxophones
from thirdstream.notes.arranging.instrumentation import (
    chosen,
    default_ensemble,
    default_groove,
    soloists,
    suitable_grooves,
)
from thirdstream.notes.arranging.jazz import drum_set, rhythm_section
from thirdstream.notes.arranging.learned import LearnedCover
from thirdstream.notes.arranging.lines import folded, midi_velocity, outside, placed
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.parts import Part, ending
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.arranging.pulse import Pulse, in_thirds
from thirdstream.notes.arranging.trio import bass_line, comments, trio_bars
from thirdstream.notes.styles.classical import ClassicalStyle, Doubling
from thirdstream.notes.styles.jazz import Horns, JazzStyle
from thirdstream.notes.styles.learned import LearnedStyle
from thirdstream.notes.types import Note, Track

LAST = 66  # velocity of the cymbal with the last chord


def cover(piece: Piece, options: ArrangementOptions) -> Arrangement:
    """Arrange what was transcribed of a recording; positions stay on its beats.

    The same arguments give the same notes. Raises ThirdstreamError for an ensemble that the style
    does not have or that does not suit the metre, and for a style file with a fault.
    """
    style = options.read_style()
    if isinstance(style, LearnedStyle):
        return LearnedCover(piece, style, options).arrangement()
    if isinstance(style, JazzStyle):
        return _JazzCover(piece, style, options).arrangement()
    return _ClassicalCover(piece, style, options).arrangement()


class _JazzCover(BaseCover[JazzStyle]):
    """Soloists in turn, or a section of saxophones, over a rhythm section."""

    def __init__(self, piece: Piece, style: JazzStyle, options: ArrangementOptions) -> None:
        super().__init__(piece, style, options)
        names = suitable_grooves(style, Pulse(self.score))
        self.name = chosen(options.ensemble, names, self.score, style) or default_groove(
            piece, style
        )
        self.groove, self.phrasing = style.grooves[self.name], style.phrasing_of_recordings
        if not self.groove.straight and self.is_plain:
            table, tempo = style.swing_of_recordings, piece.beats_per_minute
            ratio = table.at(tempo) if table else style.swing.ratio(tempo)
            self.feel = replace(self.feel, ratio=ratio)

    def arrangement(self) -> Arrangement:
        song = self.song(self.tracks())
        return Arrangement("jazz", self.groove.ensemble, self.name, song, self.score.n_bars)

    def parts(self) -> list[Part]:
        if not self.score.chords:
            return self.solos((self.style.melody_alone,))
        pulse, groove = Pulse(self.harmony), self.groove
        chords = changes(pulse.score)
        if groove.horns:
            parts = self._horns(groove.horns, pulse, chords)
        else:
            parts = self.solos(soloists(self.score.melody, groove, self.style, self.rng))
        (comper, comping), (bass, line), strokes = self._rhythm_section(pulse, chords)
        pianist = next((one for one in parts if one.instrument.name == comper.name), None)
        if pianist is None:
            pianist = Part(replace(comper, pan=comper.comping_pan), "harmony", polyphonic=True)
            parts.append(pianist)
        pianist.styled = pulse.played(comping)
        parts.append(Part(bass, "bass", styled=pulse.played(line)))
        parts.append(Part(drum_set(groove), "drums", styled=pulse.played(strokes)))
        return parts

    def _rhythm_section(
        self, pulse: Pulse, chords: Sequence[Change]
    ) -> tuple[Line, Line, list[Note]]:
        """Who comps, the bass, and the drums' strokes, in even beats."""
        groove, style, rng = self.groove, self.style, self.rng
        # A trio's lines are replaced. They are drawn all the same: what is drawn after them, and so
        # every arrangement, would be another.
        (comper, comping), (bass, line) = rhythm_section(pulse, chords, style, groove, rng)
        strokes = list(drums(groove, style.fills, pulse.bars, rng))
        if groove.trio:
            comping, line, strokes = self._trio(pulse, chords, strokes)
        return (comper, comping), (bass, line), strokes

    def _trio(
        self, pulse: Pulse, chords: Sequence[Change], pattern: Sequence[Note]
    ) -> tuple[list[Note], list[Note], list[Note]]:
        """Comping, bass and drums in the rhythms of real trios. pattern: of the drums."""
        groove, style, rng = self.groove, self.style, self.rng
        tempo, metres = self.piece.beats_per_minute / pulse.length, self.score.metres
        numbers = [metres.bar(pulse.quarters(bar[0].start) + 1e-3) for bar in pulse.bars]
        full = self.fullness[np.minimum(numbers, len(self.fullness) - 1)]
        walks = groove.bass in ("walking", "waltz")
        rows = trio_bars(pulse.bars, tempo=tempo, fullness=full if walks else full / 3, rng=rng)
        walked = list(BassPlayer(style.bass, rng).walking(chords))
        changes = [change.chord.start for change in chords]
        line = bass_line(walked, rows, changes, rng, pushes=not in_thirds(pulse.length))
        strokes = sorted([*pattern, *comments(rows, pattern, full, rng), *self._last(pulse)])
        melody = pulse.counted(self.score.melody)
        answers = answering_strokes(groove.comping.rhythms, pulse.bars, melody, full.tolist(), rng)
        comping = list(voiced(answers, chords, groove.comping, style.voicings, rng))
        tacet = pulse.score.tacet
        return outside(comping, tacet), outside(line, tacet), strokes

    def _last(self, pulse: Pulse) -> list[Note]:
        """A cymbal that rings with the last chord, where the recording is not cut off."""
        _, last = ending(self.piece, self.score)
        if not self.groove.crashes or last >= self.score.n_beats:
            return []
        return [Note(pulse.beats(last), 1.0, self.style.fills.crash, LAST)]

    def _horns(self, horns: Horns, pulse: Pulse, chords: Sequence[Change]) -> list[Part]:
        """The melody in saxophones, and brass that answers."""
        lowest, highest = self.groove.melody_range or (0, 127)
        melody = placed(self.score.melody, lowest, highest)
        places = pulse.played([change.chord for change in chords])
        own = [replace(c, chord=chord) for c, chord in zip(chords, places, strict=True)]
        section = saxophones(self.performed(melody), own, horns, self.score.tacet)
        roles = ["melody", *(["section"] * (len(section) - 1))]
        parts = [Part(i, role, melody=list(n)) for role, (i, n) in zip(roles, section, strict=True)]
        answers = brass(pulse, chords, pulse.counted(melody), horns, self.style.voicings, self.rng)
        return parts + [Part(i, "brass", styled=pulse.played(notes)) for i, notes in answers]


class _ClassicalCover(BaseCover[ClassicalStyle]):
    """The melody over led voices, one texture a section, another where a section comes again."""

    def __init__(self, piece: Piece, style: ClassicalStyle, options: ArrangementOptions) -> None:
        super().__init__(piece, style, options)
        names = (*style.ensembles, *style.doubled_ensembles)
        self.name = chosen(options.ensemble, names, self.score, style) or default_ensemble(
            piece, style, self.rng
        )
        doubled = style.doubled_ensembles.get(self.name)
        self.ensemble = doubled.ensemble if doubled else style.ensembles[self.name]
        self.doublings = doubled.doublings if doubled else ()

    def arrangement(self) -> Arrangement:
        tracks = self.tracks()
        tracks += [self._doubled(tracks, doubling) for doubling in self.doublings]
        song = self.song(tracks)
        return Arrangement("classical", self.name, "straight", song, self.score.n_bars)

    def parts(self) -> list[Part]:
        ensemble, score = self.ensemble, self.score
        lead = replace(ensemble.parts[0], lowest=ensemble.melody_lowest - 2)
        (first,) = self.solos((lead,))
        first.instrument = ensemble.parts[0]
        if ensemble.ornaments:
            share = ensemble.ornaments * self.feel.strength
            first.melody = list(ornamented(first.melody, score, self.rng, share=share))
        if not score.chords:
            return [first]
        melody = placed(score.melody, ensemble.melody_lowest, lead.highest)
        voices = accompaniment(
            self.harmony, melody, ensemble, self.style.voices, self.rng, textures=self._textures()
        )
        roles = [*(["harmony"] * (len(voices) - 1)), "bass"]
        lines = list(zip(roles, ensemble.parts[1:], voices, strict=True))
        if ensemble.octave_bass:
            low = octave_below(voices[-1], ensemble.octave_bass)
            lines.append(("bass", ensemble.octave_bass, low))
        return [first, *(Part(i, role, styled=list(voice)) for role, i, voice in lines)]

    def _textures(self) -> list[str]:
        """One a section of 8 bars; quick pieces leave some out."""
        every, defaults = self.ensemble.textures, self.style.defaults
        able = [name for number, name in enumerate(every) if name not in every[:number]]
        calm = [name for name in able if name not in defaults.calm_leaves_out]
        if self.piece.beats_per_minute >= defaults.calm_from and calm:
            able = calm
        start = self.rng.randrange(len(able))
        return [able[(start + count) % len(able)] for count in [*self.repetitions, 0]]

    def _doubled(self, tracks: Sequence[Track], doubling: Doubling) -> Track:
        """What some of the tracks play, softer and for another instrument."""
        instrument, ends = doubling.instrument, {"melody": 0, "bass": -1}
        names = {self.ensemble.parts[ends[part]].name for part in doubling.parts}
        notes = [
            replace(
                note,
                pitch=folded(note.pitch, instrument.lowest, instrument.highest),
                velocity=midi_velocity(note.velocity - doubling.softer),
            )
            for one in tracks
            if one.name in names
            for note in one.notes
        ]
        return track(instrument, notes, self.score.n_beats)
